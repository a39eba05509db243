#include "net/http1_parser.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace entente::net {
namespace {

// The code a request is refused with, or "" when it is taken; fed whole and byte by byte, which must agree.
std::string verdict_on_request(const std::string& text, const HttpLimits& limits = {}) {
  RequestParser whole(limits);
  const auto at_once = whole.feed(text);
  const std::string code = !at_once ? at_once.error().code() : whole.done() ? "" : "incomplete";
  RequestParser slow(limits);
  std::string slow_code = "incomplete";
  for (size_t i = 0; i < text.size() && slow_code == "incomplete"; ++i) {
    const auto used = slow.feed(std::string_view(text).substr(i, 1));
    if (!used) slow_code = used.error().code();
    if (slow.done()) slow_code = "";
  }
  CHECK(slow_code == code);
  if (code.empty() && slow.done()) CHECK(slow.head() == whole.head());
  return code;
}

std::string verdict_on_response(const std::string& text, const std::string& method = "GET",
                                bool upgrade = false) {
  ResponseParser parser;
  parser.expect(method, upgrade);
  const auto used = parser.feed(text);
  return !used ? used.error().code() : parser.done() ? "" : "incomplete";
}

struct Case {
  std::string what;
  std::string text;
  std::string code;
};

std::string get(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: a.example\r\n\r\n";
}
std::string with(const std::string& fields) {
  return "POST / HTTP/1.1\r\nHost: a.example\r\n" + fields + "\r\n";
}

}  // namespace

TEST_CASE("Request heads that two readers could read differently are refused, others are taken") {
  const std::vector<Case> cases = {
      {"plain", get("/"), ""},
      {"query", get("/a/b?c=d&e=%20f|{}"), ""},
      {"absolute form", "GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n", ""},
      {"absolute form without a path", "GET https://a.example?x HTTP/1.1\r\nHost: a.example\r\n\r\n", ""},
      {"absolute form, other case", "GET http://A.Example/x HTTP/1.1\r\nHost: a.EXAMPLE\r\n\r\n", ""},
      {"asterisk for OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", ""},
      {"host with a port", "GET / HTTP/1.1\r\nHost: cop-xaa.xbb.localhost:8443\r\n\r\n", ""},
      {"IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", ""},
      {"length", with("Content-Length: 5\r\n"), ""},
      {"length of nothing", with("Content-Length: 0\r\n"), ""},
      {"chunked", with("Transfer-Encoding: chunked\r\n"), ""},
      {"chunked in capitals", with("transfer-encoding: CHUNKED\r\n"), ""},
      {"100-continue", with("Expect: 100-continue\r\nContent-Length: 1\r\n"), ""},
      {"upgrade", with("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"), ""},
      {"empty value", with("X-A:\r\n"), ""},
      {"spaces around a value", with("X-A:  \t b c \t\r\n"), ""},
      {"bytes beyond ASCII in a value", with("X-A: caf\xc3\xa9\r\n"), ""},
      {"unknown method", "PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n", ""},
      {"cut short", "GET / HTTP/1.1\r\nHost: a\r\n", "incomplete"},

      {"both lengths", with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "http.framing"},
      {"both lengths, other order", with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
       "http.framing"},
      {"length twice, equal", with("Content-Length: 5\r\nContent-Length: 5\r\n"), "http.content_length"},
      {"length twice, different", with("Content-Length: 5\r\nContent-Length: 6\r\n"), "http.content_length"},
      {"length as a list", with("Content-Length: 5, 5\r\n"), "http.content_length"},
      {"length with a sign", with("Content-Length: +5\r\n"), "http.content_length"},
      {"negative length", with("Content-Length: -5\r\n"), "http.content_length"},
      {"length in hex", with("Content-Length: 0x5\r\n"), "http.content_length"},
      {"length with leading zeros", with("Content-Length: 005\r\n"), "http.content_length"},
      {"empty length", with("Content-Length:\r\n"), "http.content_length"},
      {"length beyond 64 bits", with("Content-Length: 99999999999999999999\r\n"), "http.body_too_large"},
      {"coding twice", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "http.framing"},
      {"coding twice, hidden", with("Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n"),
       "http.framing"},
      {"other coding", with("Transfer-Encoding: gzip, chunked\r\n"), "http.transfer_coding"},
      {"chunked not last", with("Transfer-Encoding: chunked, identity\r\n"), "http.transfer_coding"},
      {"identity", with("Transfer-Encoding: identity\r\n"), "http.transfer_coding"},
      {"almost chunked", with("Transfer-Encoding: xchunked\r\n"), "http.transfer_coding"},
      {"quoted chunked", with("Transfer-Encoding: \"chunked\"\r\n"), "http.transfer_coding"},
      {"vertical tab before chunked",
       with("Transfer-Encoding: \x0b"
            "chunked\r\n"),
       "http.field_value"},
      {"space before the colon", with("Transfer-Encoding : chunked\r\n"), "http.field_name"},
      {"tab before the colon", with("Content-Length\t: 5\r\n"), "http.field_name"},
      {"obs-fold", with("X-A: b\r\n c\r\n"), "http.obs_fold"},
      {"obs-fold with a tab", with("X-A: b\r\n\tContent-Length: 5\r\n"), "http.obs_fold"},
      {"folded first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "http.obs_fold"},
      {"no colon", with("garbage\r\n"), "http.field_name"},
      {"empty name", with(": b\r\n"), "http.field_name"},
      {"name with a slash", with("X/A: b\r\n"), "http.field_name"},
      {"name beyond ASCII", with("X-\xc3\xa9: b\r\n"), "http.field_name"},
      {"underscore in a name", with("Entente_Assertion: x\r\n"), "http.field_name"},
      {"bare LF", "GET / HTTP/1.1\nHost: a\r\n\r\n", "http.bare_lf"},
      {"bare LF at the end of a field", with("X-A: b\n"), "http.bare_lf"},
      {"bare LF as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n", "http.bare_lf"},
      {"bare CR in a value", with("X-A: b\rContent-Length: 5\r\n"), "http.field_value"},
      {"two CR", with("X-A: b\r\r\n"), "http.field_value"},
      {"NUL in a value", with(std::string("X-A: b\0c\r\n", 10)), "http.field_value"},
      {"NUL in a name", with(std::string("X\0A: b\r\n", 8)), "http.field_name"},
      {"DEL in a value", with("X-A: \x7f\r\n"), "http.field_value"},
      {"empty line first", "\r\n" + get("/"), "http.request_line"},
      {"leading space", " " + get("/"), "http.method_token"},
      {"no host", "GET / HTTP/1.1\r\n\r\n", "http.host"},
      {"host twice", with("Host: b.example\r\n"), "http.host"},
      {"host twice, equal", with("Host: a.example\r\n"), "http.host"},
      {"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "http.host"},
      {"host with a path", "GET / HTTP/1.1\r\nHost: a.example/b\r\n\r\n", "http.host"},
      {"host with a user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "http.host"},
      {"host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "http.host"},
      {"host with a trailing dot", "GET / HTTP/1.1\r\nHost: a.example.\r\n\r\n", "http.host"},
      {"host with port 0", "GET / HTTP/1.1\r\nHost: a:0\r\n\r\n", "http.host"},
      {"host with a bad port", "GET / HTTP/1.1\r\nHost: a:66666\r\n\r\n", "http.host"},
      {"host other than the target's", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", "http.host"},
      {"user in the target", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", "http.target"},
      {"other scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "http.target"},
      {"relative target", get("a/b"), "http.target"},
      {"asterisk for GET", get("*"), "http.target"},
      {"authority form for GET", get("a.example:80"), "http.target"},
      {"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "http.method"},
      {"TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "http.method"},
      {"fragment", get("/a#b"), "http.target"},
      {"space in the target", get("/a b"), "http.target"},
      {"tab in the target", get("/a\tb"), "http.target"},
      {"target beyond ASCII", get("/caf\xc3\xa9"), "http.target"},
      {"CR in the target", get("/a\rb"), "http.target"},
      {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "http.target"},
      {"tab as separator", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "http.request_line"},
      {"no version", "GET /\r\nHost: a\r\n\r\n", "http.request_line"},
      {"HTTP/0.9", "GET /\r\n\r\n", "http.request_line"},
      {"HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", "http.version"},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\n", "http.version"},
      {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "http.version"},
      {"lower case version", "GET / http/1.1\r\nHost: a\r\n\r\n", "http.request_line"},
      {"method that is no token", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", "http.method_token"},
      {"method without end", std::string(40, 'A') + " / HTTP/1.1\r\nHost: a\r\n\r\n", "http.method_token"},
      {"other expectation", with("Expect: cake\r\n"), "http.expectation"},
      {"upgrade with a body", with("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n"),
       "http.framing"},
      {"TLS on a plain port", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15),
       "http.request_line"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.what);
    CHECK(verdict_on_request(one.text) == one.code);
  }
}

TEST_CASE("Heads over a limit are refused before they end") {
  HttpLimits limits;
  limits.start_line_bytes_max = 64;
  limits.field_line_bytes_max = 64;
  limits.head_bytes_max = 256;
  limits.fields_max = 4;
  CHECK(verdict_on_request("GET /" + std::string(80, 'a'), limits) == "http.start_line_too_long");
  CHECK(verdict_on_request("GET / HTTP/1.1\r\nX: " + std::string(80, 'a'), limits) == "http.head_too_large");
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 10; ++i) many += "X-A: " + std::string(40, 'a') + "\r\n";
  CHECK(verdict_on_request(many, limits) == "http.head_too_large");
  CHECK(verdict_on_request("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\n\r\n", limits) ==
        "http.too_many_fields");
  CHECK(http_status(Error{"http.start_line_too_long", {}, {}, {}}) == 414);
  CHECK(http_status(Error{"http.head_too_large", {}, {}, {}}) == 431);
  CHECK(http_status(Error{"http.version", {}, {}, {}}) == 505);
  CHECK(http_status(Error{"http.framing", {}, {}, {}}) == 400);
}

TEST_CASE("A request head says what was asked and leaves what follows it") {
  RequestParser parser;
  const std::string text =
      "POST /a?b HTTP/1.1\r\nHost: Cop.Example:8443\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabcGET";
  const auto used = parser.feed(text);
  REQUIRE(used);
  REQUIRE(parser.done());
  CHECK(text.substr(*used) == "abcGET");
  CHECK(parser.head().method == "POST");
  CHECK(parser.head().path == "/a?b");
  CHECK(parser.head().authority == "cop.example:8443");
  CHECK(parser.framing() == BodyFraming{BodyKind::length, 3});
  CHECK_FALSE(parser.keep_alive());
  parser.reset();
  CHECK_FALSE(parser.started());
  REQUIRE(parser.feed(with("Connection: Upgrade\r\nUpgrade: WebSocket\r\n")));
  CHECK(parser.upgrade() == "websocket");
  CHECK(parser.keep_alive());
}

TEST_CASE("An answer's framing follows from what was asked, and doubt is refused") {
  ResponseParser parser;
  const auto framing = [&](const std::string& text, const std::string& method, bool upgrade) {
    parser.expect(method, upgrade);
    const auto used = parser.feed(text);
    REQUIRE(used);
    REQUIRE(parser.done());
    return parser.framing();
  };
  CHECK(framing("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", "GET", false) ==
        BodyFraming{BodyKind::length, 4});
  CHECK(framing("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", "HEAD", false) == BodyFraming{});
  CHECK(framing("HTTP/1.1 304 \r\nContent-Length: 4\r\n\r\n", "GET", false) == BodyFraming{});
  CHECK(framing("HTTP/1.1 200 OK\r\n\r\n", "GET", false).kind == BodyKind::until_end);
  CHECK_FALSE(parser.keep_alive());
  CHECK(framing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", false).kind ==
        BodyKind::chunked);
  CHECK(framing("HTTP/1.1 101 Switching Protocols\r\n\r\n", "GET", true).kind == BodyKind::upgrade);
  CHECK(framing("HTTP/1.1 100 Continue\r\n\r\n", "POST", false) == BodyFraming{});

  const std::vector<Case> bad = {
      {"not asked to upgrade", "HTTP/1.1 101 Yes\r\n\r\n", "http.upgrade"},
      {"both lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       "http.framing"},
      {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
       "http.content_length"},
      {"204 with a body", "HTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\n", "http.framing"},
      {"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n", "http.version"},
      {"garbage", "hello\r\n\r\n", "http.status_line"},
      {"two digits", "HTTP/1.1 20 OK\r\n\r\n", "http.status_line"},
      {"four digits", "HTTP/1.1 2000 OK\r\n\r\n", "http.status_line"},
      {"status 600", "HTTP/1.1 600 OK\r\n\r\n", "http.status_line"},
      {"bare LF", "HTTP/1.1 200 OK\n\n", "http.bare_lf"},
      {"obs-fold", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "http.obs_fold"},
      {"control in the reason", "HTTP/1.1 200 O\x01K\r\n\r\n", "http.status_line"},
  };
  for (const Case& one : bad) {
    CAPTURE(one.what);
    CHECK(verdict_on_response(one.text) == one.code);
  }
}

TEST_CASE("Chunked bodies decode at any cut; anything but plain chunks is refused") {
  struct Chunked {
    std::string text;
    std::string body;
    const char* code;
  };
  const std::vector<Chunked> cases = {
      {"5\r\nhello\r\n0\r\n\r\n", "hello", ""},
      {"A\r\n0123456789\r\n1\r\n!\r\n000\r\n\r\n", "0123456789!", ""},
      {"2;a=b\r\nhi\r\n0;c\r\nX-Sum: 1\r\n\r\n", "hi", ""},
      {"0\r\n\r\n", "", ""},
      {"5\r\nhel", "hel", "incomplete"},
      {"5\nhello\n0\n\n", "", "http.chunk"},
      {"5 \r\nhello\r\n", "", "http.chunk"},
      {" 5\r\nhello\r\n", "", "http.chunk"},
      {"0x5\r\nhello\r\n", "", "http.chunk"},
      {"+5\r\nhello\r\n", "", "http.chunk"},
      {"-1\r\n", "", "http.chunk"},
      {"\r\n", "", "http.chunk"},
      {";a\r\n", "", "http.chunk"},
      {"g\r\n", "", "http.chunk"},
      {"1000000000000000\r\n", "", "http.chunk"},
      {"5\r\nhelloX\r\n", "hello", "http.chunk"},
      {"5\r\nhello\n", "hello", "http.chunk"},
      {"5\r\nhello0\r\n\r\n", "hello", "http.chunk"},
      {"5;a\nb\r\nhello\r\n", "", "http.chunk"},
      {"0;" + std::string(2000, 'a') + "\r\n\r\n", "", "http.chunk"},
      {"0\r\nContent-Length: 5\r\n\r\n", "", "http.trailer"},
      {"0\r\nEntente-Session: x\r\n\r\n", "", "http.trailer"},
      {"0\r\nA : b\r\n\r\n", "", "http.field_name"},
      {"0\r\nA: b\n\r\n", "", "http.bare_lf"},
      {"0\r\nA: " + std::string(5000, 'a'), "", "http.head_too_large"},
  };
  for (const Chunked& one : cases) {
    CAPTURE(one.text);
    for (size_t piece : {one.text.size(), size_t{1}, size_t{3}}) {
      ChunkedDecoder decoder;
      std::string body;
      std::string code = "incomplete";
      for (size_t at = 0; at < one.text.size() && code == "incomplete";) {
        const auto step = decoder.next(std::string_view(one.text).substr(at, piece));
        if (!step) {
          code = step.error().code();
          break;
        }
        body += step->data;
        at += step->used;
        if (decoder.done()) code = "";
      }
      CHECK(code == one.code);
      CHECK(body == one.body);
    }
  }
}

TEST_CASE("A head that would smuggle a line is not written") {
  RequestHead request;
  request.method = "GET";
  request.authority = "a.example";
  request.path = "/x";
  request.headers.add("X-A", "b");
  const auto written = write_request_head(request);
  REQUIRE(written);
  CHECK(*written == "GET /x HTTP/1.1\r\nHost: a.example\r\nX-A: b\r\n\r\n");
  const auto refused = [&](auto change) {
    RequestHead changed = request;
    change(changed);
    const auto out = write_request_head(changed);
    return !out && out.error().code() == "http.unwritable";
  };
  CHECK(refused([](RequestHead& h) { h.headers.add("X-B", "b\r\nEvil: 1"); }));
  CHECK(refused([](RequestHead& h) { h.headers.add("X-B", std::string("b\0c", 3)); }));
  CHECK(refused([](RequestHead& h) { h.headers.add("X-B\r\nEvil", "b"); }));
  CHECK(refused([](RequestHead& h) { h.path = "/x HTTP/1.1\r\nEvil: 1\r\n"; }));
  CHECK(refused([](RequestHead& h) { h.authority = "a\r\nEvil: 1"; }));
  CHECK(refused([](RequestHead& h) { h.method = "GET /"; }));
  CHECK(refused([](RequestHead& h) { h.headers.add("Host", "b.example"); }));
  CHECK(refused([](RequestHead& h) {
    h.headers.add("Content-Length", "1");
    h.headers.add("Transfer-Encoding", "chunked");
  }));
  const auto answer = [](int status, std::string reason, Headers headers) {
    ResponseHead response = head_of(status);
    response.reason = std::move(reason);
    response.headers = std::move(headers);
    const auto out = write_response_head(response);
    return out ? *out : out.error().code();
  };
  CHECK(answer(200, "", {{"Location", "/\r\nSet-Cookie: a=b"}}) == "http.unwritable");
  CHECK(answer(200, "OK\r\nEvil: 1", {}) == "http.unwritable");
  CHECK(answer(42, "", {}) == "http.unwritable");
  CHECK(answer(204, "", {}) == "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST_CASE("Policy and app see one spelling of a path") {
  struct Spelling {
    std::string target;
    std::string path;  // "" when refused
  };
  const std::vector<Spelling> cases = {
      {"/", "/"},
      {"/a/b/", "/a/b/"},
      {"/a?b=../c", "/a"},
      {"/%61dmin", "/admin"},
      {"/a%2db%7E", "/a-b~"},
      {"/caf%c3%a9", "/caf%C3%A9"},
      {"/a%20b", "/a%20b"},
      {"/100%25", "/100%25"},
      {"/a;v=1", "/a;v=1"},
      {"/..a/...", "/..a/..."},
      {"", ""},
      {"a", ""},
      {"/a/../b", ""},
      {"/a/./b", ""},
      {"/..", ""},
      {"/a/.", ""},
      {"/%2e%2e/b", ""},
      {"/a/%2E", ""},
      {"/.%2e/", ""},
      {"/..;/admin", ""},
      {"/..%3b/admin", ""},
      {"/a%2fb", ""},
      {"/a%5cb", ""},
      {"/a\\b", ""},
      {"//a", ""},
      {"/a//b", ""},
      {"/a%00", ""},
      {"/a%0d%0aX: y", ""},
      {"/a%7f", ""},
      {"/%252e%252e/", ""},
      {"/%25%32%65/", ""},
      {"/%252f", ""},
      {"/a%", ""},
      {"/a%2", ""},
      {"/a%zz", ""},
      {"/%c0%ae%c0%ae/", ""},
      {"/%e0%80%af", ""},
      {"/%ff", ""},
      {"/a b", ""},
      {"/a?b c", ""},
  };
  for (const Spelling& one : cases) {
    CAPTURE(one.target);
    const auto path = normal_path(one.target);
    CHECK((path ? *path : std::string()) == one.path);
    if (path) CHECK(normal_path(*path) == *path);  // normal once is normal for good
  }
}

}  // namespace entente::net
