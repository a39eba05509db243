#include "exchange/app_headers.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::exchange;

TEST_CASE("a browser cannot name an identity, an address or one of our cookies to an app") {
  net::Headers headers{{"Entente-Assertion", "forged"},
                       {"X-Forwarded-For", "10.0.0.1"},
                       {"X_Remote_User", "root"},
                       {"Remote-User", "root"},
                       {"Connection", "x-app"},
                       {"X-App", "1"},
                       {"Cookie", "a=1; __Host-entente-app=secret; b=2"},
                       {"Accept", "*/*"},
                       {"Forwarded", "for=1"}};
  clean_request(headers);
  CHECK_FALSE(headers.has("Entente-Assertion"));
  CHECK_FALSE(headers.has("X-Forwarded-For"));
  CHECK_FALSE(headers.has("X_Remote_User"));
  CHECK_FALSE(headers.has("Remote-User"));
  CHECK_FALSE(headers.has("Forwarded"));
  CHECK_FALSE(headers.has("X-App"));
  CHECK(headers.get("Accept") == "*/*");
  CHECK(headers.get("Cookie").find("secret") == std::string_view::npos);
  CHECK(headers.get("Cookie").find("a=1") != std::string_view::npos);
}

TEST_CASE("an app cannot set cookies beyond its own name, nor ours, nor be kept in caches") {
  CHECK(own_origin_cookie("sid=1; Domain=xbb.localhost; Path=/") == "sid=1; Path=/");
  CHECK(own_origin_cookie("sid=1;domain = .localhost;Secure") == "sid=1; Secure");
  CHECK_FALSE(own_origin_cookie("__Host-entente-app=1; Path=/").has_value());
  CHECK_FALSE(own_origin_cookie("__host-ENTENTE=1").has_value());
  CHECK_FALSE(own_origin_cookie("=__Host-entente-app=1; Path=/").has_value());
  net::Headers headers{{"Set-Cookie", "a=1; Domain=x"}, {"Set-Cookie", "__Host-entente=1"},
                       {"Cache-Control", "max-age=9"},  {"Entente-Refusal", "{}"},
                       {"Service-Worker-Allowed", "/"}, {"Content-Type", "text/html"}};
  clean_response(headers);
  CHECK(headers.count("Set-Cookie") == 1);
  CHECK(headers.get("Set-Cookie") == "a=1");
  CHECK(headers.get("Cache-Control") == "no-store");
  CHECK_FALSE(headers.has("Entente-Refusal"));
  CHECK_FALSE(headers.has("Service-Worker-Allowed"));
}

TEST_CASE("a change needs the app's exact origin, and so does an upgrade") {
  const std::string own = "https://cop-xaa.xbb.localhost:8443";
  net::RequestHead head;
  head.method = "GET";
  CHECK(origin_fits(head, own, false));
  CHECK_FALSE(origin_fits(head, own, true));
  for (const char* method : {"HEAD", "OPTIONS", "PROPFIND", "REPORT"}) {
    head.method = method;
    CHECK(origin_fits(head, own, false));
  }
  for (const char* method : {"PUT", "DELETE", "MKCALENDAR", "MOVE", "PROPPATCH", "LOCK", "POST"}) {
    head.method = method;
    CHECK_FALSE(origin_fits(head, own, false));
  }
  head.headers.add("Origin", own);
  CHECK(origin_fits(head, own, false));
  CHECK(origin_fits(head, own, true));
  head.headers.add("Origin", own);
  CHECK_FALSE(origin_fits(head, own, false));
  head.headers.set("Origin", "https://cop-xaa.xbb.localhost:8443.evil");
  CHECK_FALSE(origin_fits(head, own, false));
  head.headers.set("Origin", "null");
  CHECK_FALSE(origin_fits(head, own, false));
}

TEST_CASE("no upgrade leads into HTTP or TLS, where requests would pass that nobody decided") {
  CHECK(is_relayed_upgrade(""));
  CHECK(is_relayed_upgrade("websocket"));
  for (const char* token :
       {"h2c", "h2", "HTTP/2.0", "http", "tls/1.3", "TLS", "entente-bytes", "Entente-Control"}) {
    CAPTURE(token);
    CHECK_FALSE(is_relayed_upgrade(token));
  }
}

TEST_CASE("no method passes whose answer repeats the request, or that opens a tunnel") {
  for (const char* method : {"GET", "POST", "PUT", "PROPFIND"}) CHECK(is_relayed_method(method));
  for (const char* method : {"TRACE", "TRACK", "CONNECT"}) CHECK_FALSE(is_relayed_method(method));
}

TEST_CASE("attack: another app's page embeds nothing of this one, and does not show it inside of itself") {
  const std::string own = "https://cop-xaa.door.localhost";
  const auto fits = [&](std::string_view site, std::string_view mode, std::string_view dest) {
    net::RequestHead head;
    head.method = "GET";
    head.headers.add("Sec-Fetch-Site", std::string(site));
    head.headers.add("Sec-Fetch-Mode", std::string(mode));
    head.headers.add("Sec-Fetch-Dest", std::string(dest));
    return origin_fits(head, own, false);
  };
  for (const std::string_view site : {"same-site", "cross-site"}) {
    CAPTURE(site);
    CHECK_FALSE(fits(site, "no-cors", "script"));
    CHECK_FALSE(fits(site, "no-cors", "image"));
    CHECK_FALSE(fits(site, "cors", "empty"));
    CHECK_FALSE(fits(site, "navigate", "iframe"));
    CHECK(fits(site, "navigate", "document"));
  }
  CHECK(fits("same-origin", "no-cors", "script"));
  CHECK(fits("same-origin", "navigate", "iframe"));
  CHECK(fits("none", "navigate", "document"));
}

TEST_CASE(
    "attack: what leads somewhere is followed for a person's own navigation, not for a frame or a script") {
  const auto leads = [](std::string_view mode, std::string_view dest, const char* method = "GET") {
    net::RequestHead head;
    head.method = method;
    if (!mode.empty()) head.headers.add("Sec-Fetch-Mode", std::string(mode));
    if (!dest.empty()) head.headers.add("Sec-Fetch-Dest", std::string(dest));
    return is_own_navigation(head);
  };
  CHECK(leads("navigate", "document"));
  CHECK(leads("", ""));  // a browser that says nothing of it
  CHECK_FALSE(leads("navigate", "document", "POST"));
  for (const std::string_view dest : {"iframe", "frame", "embed", "object", "fencedframe"})
    CHECK_FALSE(leads("navigate", dest));
  CHECK_FALSE(leads("cors", "empty"));
  CHECK_FALSE(leads("no-cors", "image"));
}

TEST_CASE("attack: no header makes an app take a request for another than was decided on") {
  net::Headers headers{{"X-HTTP-Method-Override", "DELETE"}, {"x-http-method", "DELETE"},
                       {"X-Method-Override", "PUT"},         {"X-Original-URL", "/admin"},
                       {"X-Rewrite-URL", "/admin"},          {"X-Requested-With", "XMLHttpRequest"}};
  clean_request(headers);
  CHECK(headers.size() == 1);
  CHECK(headers.has("X-Requested-With"));
}
