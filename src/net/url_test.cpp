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

}  // namespace entente::net
