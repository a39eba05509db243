#include "net/url.h"

#include <doctest/doctest.h>

namespace entente::net {

TEST_CASE("Addresses are read strictly and written one way") {
  const auto url = parse_url("HTTPS://IdP.xbb.localhost:8443/a/b?c=d");
  REQUIRE(url);
  CHECK(url->host == "idp.xbb.localhost");
  CHECK(url->port == 8443);
  CHECK(url->target() == "/a/b?c=d");
  CHECK(url->text() == "https://idp.xbb.localhost:8443/a/b?c=d");
  CHECK(parse_url("https://a:443")->text() == "https://a/");
  CHECK(parse_url("http://[::1]:8080/")->authority() == "[::1]:8080");
  CHECK(parse_url("https://a?x")->target() == "/?x");
  for (const char* bad : {"",
                          "a",
                          "//a",
                          "ftp://a/",
                          "https://",
                          "https:///",
                          "https://u@a/",
                          "https://a:/",
                          "https://a:0/",
                          "https://a:99999/",
                          "https://a/#f",
                          "https://a/ b",
                          "https://a/\\b",
                          "https://a/%zz",
                          "https://a..b/",
                          "https://-\xc3\xa9/",
                          "https://a%2eb/",
                          "https://[::1",
                          "https://[::1]x/",
                          "javascript:alert(1)",
                          "https://a/\r\nX: y"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_url(bad));
  }
}

TEST_CASE("Form fields have unique names") {
  const auto form = parse_form("code=a%2Bb+c&state=x&empty=&bare");
  REQUIRE(form);
  CHECK(*find_pair(*form, "code") == "a+b c");
  CHECK(find_pair(*form, "empty")->empty());
  CHECK(find_pair(*form, "nothing") == nullptr);
  CHECK_FALSE(parse_form("code=a&code=b"));
  CHECK_FALSE(parse_form("code=a&c%6fde=b"));
  CHECK_FALSE(parse_form("a=%"));
  CHECK_FALSE(parse_form("a=%00"));
  CHECK_FALSE(parse_form("a=%FF"));  // no UTF-8: nothing that is kept may hold it
  CHECK(parse_form("a=%C3%A9"));
  CHECK_FALSE(parse_form("a=1&b=2&c=3", 2));
  CHECK(write_form({{"a b", "c&d"}}) == "a%20b=c%26d");
}

}  // namespace entente::net
