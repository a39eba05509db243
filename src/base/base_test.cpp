#include "base/bytes.h"
#include "base/fields.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/time.h"

#include <array>
#include <string>
#include <thread>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

using namespace entente;

TEST_CASE("what is written into an object is moved there, not copied") {
  std::string text(100, 'x');
  const char* const at = text.data();
  const Json made = Json::object({{"outer", Json::object({{"text", std::move(text)}})}, {"other", 1}});
  // NOLINTNEXTLINE(clang-analyzer-cplusplus.InnerPointer): that it is there still is what is asked
  CHECK(made.find("outer")->find("text")->string().data() == at);
  CHECK(made.dump().ends_with(R"("},"other":1})"));
}

TEST_CASE("json refuses what two readers could read differently") {
  for (const char* text :
       {R"({"a":1,"a":2})", R"({"a":{"b":1,"b":1}})", "[1,]", "{'a':1}", "01", "1e999", "[1] 2",
        "\"\\ud800\"", "\"\xff\"", "", "nul", "18446744073709551615", "[\"a\nb\"]"}) {
    CAPTURE(text);
    CHECK_FALSE(Json::parse(text).has_value());
  }
  const std::string deep = std::string(40, '[') + std::string(40, ']');
  CHECK_FALSE(Json::parse(deep).has_value());
  CHECK_FALSE(Json::parse("[1,2,3]", {.bytes_max = 3}).has_value());
}

TEST_CASE("json says the line and column of a fault and of a value") {
  const auto broken = Json::parse("{\n  \"a\": 1,\n  \"b\" 2\n}");
  REQUIRE_FALSE(broken.has_value());
  CHECK(broken.error().where() == "3:7");
  const std::string text = "{\n  \"door\": {\"listen\": [1,\n     \"x\"]},\n \"k\": true}";
  CHECK(json_place(text, "/door/listen/1") == "3:6");
  CHECK(json_place(text, "/k") == "4:7");
  CHECK(json_place(text, "") == "1:1");
}

TEST_CASE("canonical json sorts and writes numbers as RFC 8785 does") {
  const auto value = Json::parse(
      R"({"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001,-0.0,1e21,1e-7,123456789012],"b":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","a":[null,true,false]})");
  REQUIRE(value.has_value());
  CHECK(value->canonical() ==
        "{\"a\":[null,true,false],\"b\":\"\u20ac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/"
        "\",\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27,0,1e+21,1e-7,123456789012]}");
  const auto order = Json::parse(R"({"\ue000":1,"\ud83d\ude00":2,"z":3})");
  REQUIRE(order.has_value());
  CHECK(order->canonical() == "{\"z\":3,\"\U0001F600\":2,\"\uE000\":1}");
}

TEST_CASE("fields name what is missing, wrong, out of bounds or unknown") {
  const auto parsed = Json::parse(R"({"host":"a","port":70000,"extra":1,"list":["x",2]})");
  REQUIRE(parsed.has_value());
  {
    Fields f(*parsed, "");
    CHECK(f.text("host") == "a");
    f.integer("port", 1, 65535);
    const auto done = f.done();
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().where() == "/port");
    CHECK(done.error().hint() == "write a whole number from 1 to 65535");
  }
  {
    Fields f(*parsed, "");
    f.text("host");
    f.integer("port", 1, 99999);
    f.value_if("list");
    const auto done = f.done();
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().code() == "field.unknown");
    CHECK(done.error().where() == "/extra");
  }
  {
    Fields f(*parsed, "");
    f.text("missing");
    CHECK(f.done().error().code() == "field.missing");
  }
}

TEST_CASE("Every length comes back from base64, and any other character at any place is refused") {
  for (size_t size = 0; size <= 70; ++size) {
    Bytes bytes(size);
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(i * 151 + size * 29);
    CHECK(from_base64url(base64url(bytes)).value() == bytes);
    CHECK(from_base64(base64(bytes)).value() == bytes);
  }
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  const std::string text(52, 'A');  // thrice sixteen and four
  for (size_t at = 0; at < text.size(); ++at) {
    for (int c = 0; c < 256; ++c) {
      std::string other = text;
      other[at] = static_cast<char>(c);
      const size_t value = digits.find(other[at]);
      const auto is = [&](const Result<Bytes>& read, char digit62, char digit63) {
        const bool known = value != std::string::npos || other[at] == digit62 || other[at] == digit63;
        if (read.has_value() != known) return false;
        if (!known) return true;
        const size_t wanted = other[at] == digit62 ? 62 : other[at] == digit63 ? 63 : value;
        const size_t from = at / 4 * 3;
        const size_t three = size_t{(*read)[from]} << 16 | size_t{(*read)[from + 1]} << 8 | (*read)[from + 2];
        return three == wanted << (18 - 6 * (at % 4));
      };
      REQUIRE(is(from_base64url(other), '-', '_'));
      if (at + 1 < text.size() || c != '=') REQUIRE(is(from_base64(other), '+', '/'));
    }
  }
}

TEST_CASE("base64url and hex have one text per byte string") {
  CHECK(base64url(as_bytes("\xfb\xff")) == "-_8");
  CHECK_FALSE(from_base64url("-_9").has_value());  // unused bits
  CHECK_FALSE(from_base64url("-_8=").has_value());
  CHECK_FALSE(from_base64url("a").has_value());
  CHECK(from_base64("Zg==").value() == to_bytes("f"));
  CHECK_FALSE(from_base64("Zg").has_value());
  CHECK_FALSE(from_hex("0G").has_value());
  CHECK_FALSE(from_hex("0A").has_value());
  CHECK(hex(as_bytes("\x01\xab")) == "01ab");
}

TEST_CASE("times round-trip and refuse what is no date") {
  const auto at = parse_rfc3339("2026-11-21T22:45:23.120Z");
  REQUIRE(at.has_value());
  CHECK(rfc3339(*at) == "2026-11-21T22:45:23.120Z");
  for (const char* text : {"2026-02-30T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21 22:45:23Z",
                           "2026-11-21T22:45:23+01:00", ""}) {
    CHECK_FALSE(parse_rfc3339(text).has_value());
  }
  CHECK(unix_seconds(from_unix_seconds(INT64_MAX)) == 253402300799);
}

TEST_CASE("labels are what a host name can carry") {
  CHECK(is_label("cop"));
  CHECK(is_label("harbor-light"));
  for (const char* text : {"", "-a", "a-", "a--b", "A", "a.b", "a_b"}) CHECK_FALSE(is_label(text));
  CHECK(is_partner_code("XAA"));
  CHECK_FALSE(is_partner_code("xaa"));
}

TEST_CASE("progress is told in words that fit a line") {
  CHECK(bytes_text(0) == "0 bytes");
  CHECK(bytes_text(1023) == "1023 bytes");
  CHECK(bytes_text(1536) == "1.5 KiB");
  CHECK(bytes_text(uint64_t{5} << 40) == "5.0 TiB");
  CHECK(progress_line("sealing a", 512, 1024, Millis(1000)) ==
        "sealing a  [############............]  50 %  512 bytes of 1.0 KiB  512 bytes/s");
  CHECK(progress_line("sealing -", 2048, std::nullopt, Millis(2000)) == "sealing -  2.0 KiB  1.0 KiB/s");
  CHECK(progress_line("a", 0, 1024, Millis(0)) ==
        "a  [........................]   0 %  0 bytes of 1.0 KiB  0 bytes/s");
  CHECK(progress_line("a", 1024, 1024, Millis(1000)) ==
        "a  [########################] 100 %  1.0 KiB of 1.0 KiB  1.0 KiB/s");
  // A file that grew, or is empty.
  CHECK(progress_line("a", 4096, 1024, Millis(1000)) ==
        "a  [########################] 100 %  4.0 KiB of 1.0 KiB  4.0 KiB/s");
  CHECK(progress_line("a", 0, 0, Millis(1000)) == "a  0 bytes  0 bytes/s");
}

namespace {

// What work that takes a while leaves on standard error, where that is a terminal or is none.
std::string drawn_on(int error, int seen) {
  std::fflush(stderr);
  const int before = ::dup(STDERR_FILENO);
  REQUIRE(::dup2(error, STDERR_FILENO) == STDERR_FILENO);
  {
    ProgressBar bar("sealing a", 1024);
    bar.at(1);  // at once: nothing yet
    std::this_thread::sleep_for(Millis(150));
    bar.at(512);
    bar.at(513);  // at most ten times a second
  }
  std::fflush(stderr);
  REQUIRE(::dup2(before, STDERR_FILENO) == STDERR_FILENO);
  ::close(before);
  std::array<char, 4096> room{};
  const ssize_t read = ::read(seen, room.data(), room.size());
  return read < 0 ? "" : std::string(room.data(), static_cast<size_t>(read));
}

}  // namespace

TEST_CASE("progress is drawn over itself on a terminal, gone at the end, and nothing anywhere else") {
  std::array<int, 2> pipe{};
  REQUIRE(::pipe2(pipe.data(), O_NONBLOCK) == 0);
  CHECK(drawn_on(pipe[1], pipe[0]).empty());
  ::close(pipe[0]);
  ::close(pipe[1]);
  const int control = ::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (control < 0 || ::grantpt(control) != 0 || ::unlockpt(control) != 0) {
    MESSAGE("skipped: there are no terminals here");
    return;
  }
  const int terminal = ::open(::ptsname(control), O_RDWR | O_NOCTTY);
  REQUIRE(terminal >= 0);
  const std::string drawn = drawn_on(terminal, control);
  CHECK(drawn.starts_with("\rsealing a  [############............]  50 %  512 bytes of 1.0 KiB"));
  CHECK(drawn.ends_with("\x1b[K\r\x1b[K"));
  CHECK(drawn.find("513") == std::string::npos);
  ::close(terminal);
  ::close(control);
}
