#include "net/http_message.h"

#include <array>

#include <doctest/doctest.h>

namespace entente::net {

TEST_CASE("Fields are found without case and kept in order") {
  Headers headers{{"Set-Cookie", "a"}, {"X", "1"}, {"set-cookie", "b"}};
  CHECK(headers.count("SET-COOKIE") == 2);
  CHECK(headers.get("set-cookie") == "a");
  headers.set("x", "2");
  CHECK(headers.get("X") == "2");
  CHECK(headers.remove("Set-Cookie") == 2);
  CHECK(headers.size() == 1);
}

TEST_CASE("Fields of one connection stop there, and Connection can't strip what guards the next hop") {
  Headers headers{{"Connection", "close, X-Mine, Entente-Assertion, Cookie"},
                  {"X-Mine", "1"},
                  {"Entente-Assertion", "token"},
                  {"Cookie", "a=b"},
                  {"TE", "trailers"},
                  {"Transfer-Encoding", "chunked"},
                  {"Keep-Alive", "5"},
                  {"Proxy-Authorization", "x"},
                  {"Upgrade", "h2c"},
                  {"HTTP2-Settings", "x"},
                  {"Accept", "*/*"}};
  remove_hop_by_hop(headers);
  CHECK(headers == Headers{{"Entente-Assertion", "token"}, {"Cookie", "a=b"}, {"Accept", "*/*"}});
}

TEST_CASE("A value with a control character anywhere in it is refused, whatever stands beside it") {
  for (size_t length = 1; length <= 40; ++length) {
    for (size_t at = 0; at < length; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(length, '~');
        text[at] = static_cast<char>(byte);
        const bool outer = (byte == ' ' || byte == '\t') && (at == 0 || at + 1 == length);
        const bool fits = (byte >= 0x20 && byte != 0x7f && !outer) || (byte == '\t' && !outer);
        if (is_field_value(text) == fits) continue;
        FAIL_CHECK("length ", length, " at ", at, " byte ", byte);
      }
    }
  }
  CHECK(is_field_value(std::string(12, '\xff')));
  CHECK_FALSE(is_field_value("aaaaaaaa\x01\x1f\x7f\xff~~~~~~~"));
}

TEST_CASE("A cookie is found by its exact name, and a doubled __Host- cookie is refused") {
  const auto find = [](Headers headers) { return find_cookie(headers, "__Host-entente-app"); };
  const auto one = find({{"Cookie", "a=b; __Host-entente-app=XyZ_1; c=\"d\""}});
  REQUIRE(one);
  CHECK(*one == "XyZ_1");
  const auto none = find({{"Cookie", "a=b"}});
  REQUIRE(none);
  CHECK_FALSE(none->has_value());
  CHECK_FALSE(find({{"Cookie", "__Host-entente-app=a; __Host-entente-app=b"}}));
  CHECK_FALSE(find({{"Cookie", "__Host-entente-app=a; __Host-entente-app=a"}}));
  CHECK_FALSE(find({{"Cookie", "__Host-entente-app=a"}, {"cookie", "__Host-entente-app=b"}}));
  CHECK_FALSE(find({{"Cookie", "__Host-entente-app=a; __host-entente-app=b"}}));
  CHECK_FALSE(find({{"Cookie", "__Host-entente-app =a"}}));
  CHECK_FALSE(find({{"Cookie", "__Host-entente-app=\"a\""}}));
  CHECK_FALSE(find({{"Cookie", "__Host-entente-app=a b"}}));
  // Another app's pages may fill the cookies of a whole domain: its own is found among them.
  std::string many;
  for (int i = 0; i < 1'000; ++i) many += "filler=" + std::string(8, 'a') + "; ";
  const auto among = find({{"Cookie", many + "__Host-entente-app=XyZ_1"}});
  REQUIRE(among);
  CHECK(*among == "XyZ_1");
}

TEST_CASE("A removed cookie leaves the others as they are") {
  Headers headers{{"Cookie", "a=b; __Host-entente-app=x;c=\"d\""}, {"Cookie", "__Host-entente-app=y"}};
  remove_cookies(headers, std::array<std::string_view, 2>{"__Host-entente-app", "__Host-entente-bind"});
  CHECK(headers == Headers{{"Cookie", "a=b; c=\"d\""}});
}

}  // namespace entente::net
