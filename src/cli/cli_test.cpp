#include "cli/cli.h"

#include "cli/cli_for_test.h"

#include <algorithm>

#include <doctest/doctest.h>

using namespace entente::cli;

TEST_CASE("attack: a partner's words forge a row of an operator's table, or steer the terminal") {
  const std::string text = table_text({"RELEASE", "WHO"}, {{"r-1", "planner\nr-2      officer"},
                                                           {"r-3",
                                                            "\x1b[2J\xc2\x9b"
                                                            "1A\xe2\x80\xae"}});
  CHECK(std::ranges::count(text, '\n') == 3);
  for (const char* steers : {"\x1b", "\xc2\x9b", "\xe2\x80\xae"})
    CHECK(text.find(steers) == std::string::npos);
  CHECK(text.find("planner?r-2") != std::string::npos);
}

TEST_CASE("behind -- a word that begins like an option is a word; a mistyped option is none") {
  const auto cut = [](std::vector<std::string> words) {
    words.insert(words.begin(),
                 {"session", "cut", "--reason", "exercise", "--socket", "/nowhere/entente.sock"});
    return told_by(words).exit;
  };
  CHECK(cut({"--", "--co2BzYKkkuEggnGTU0OQ"}) == kExitUnreachable);
  CHECK(cut({"kco2BzYKkkuEggnGTU0OQA"}) == kExitUnreachable);
  CHECK(cut({"--co2BzYKkkuEggnGTU0OQ"}) == kExitUsage);
  CHECK(cut({"--reasons", "kco2BzYKkkuEggnGTU0OQA"}) == kExitUsage);
}
