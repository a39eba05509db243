#include "base/text.h"

#include <doctest/doctest.h>

using namespace entente;

TEST_CASE(
    "attack: text that steers a terminal, breaks a line or turns letters around is no line, and is not "
    "printed") {
  for (const std::string_view steers :
       {"\x1b[2J", "a\nb", "a\rb", "\t", "\x7f",
        // NOLINTNEXTLINE(bugprone-suspicious-missing-comma): 2 would be a digit of what is before it
        "\xc2\x9b"
        "2J",
        "\xc2\x85", "\xd8\x9c", "\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xa8", "\xe2\x80\xa9",
        "\xe2\x80\xaa", "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa9"}) {
    CAPTURE(steers);
    CHECK_FALSE(is_line(steers));
    const std::string shown = printable(steers);
    CHECK(shown.find('?') != std::string::npos);
    CHECK(is_line(shown));
  }
}

TEST_CASE("what people write stays as it is") {
  for (const std::string_view plain :
       {"", "EXERCISE: berths, 3 of 4", "Übung – Häfen", "\xd9\x85\xd8\xb1\xd9\x81\xd8\xa3", "\xe2\x80\x94",
        "\xe2\x80\x93", "\xe2\x81\xa5", "\xe2\x81\xaa", "\xf0\x9f\x9a\xa2"}) {
    CAPTURE(plain);
    CHECK(is_line(plain));
    CHECK(printable(plain) == plain);
  }
  CHECK(printable("a\x1b[2J\xe2\x80\xae z\xc2\x9b") == "a?[2J? z?");
}

TEST_CASE("what nobody could read is blank") {
  for (const char* blank : {"", " ", "   ", "\u00a0", " \u2003\u200b", "\u3000", "\ufeff"})
    CHECK(is_blank(blank));
  for (const char* said : {"x", "  x", "\u00e9", "\u2013", "\u2603"}) CHECK_FALSE(is_blank(said));
}

TEST_CASE("on a page nothing turns letters around, and lines are one") {
  CHECK(readable("a\nb\tc") == "a b c");
  CHECK(readable("abc \u202ecba") == "abc \ufffdcba");
  CHECK(readable("sj\u00f8mann \u2013 \u2603") == "sj\u00f8mann \u2013 \u2603");
}
