// A peer that keeps no rule: what it sends is refused, bounded, or ends the connection.
#include "net/h2_for_test.h"

namespace entente::net {

using namespace testing;

namespace {

Bytes window(uint32_t stream, uint8_t bytes) {
  Attacker update;
  update.bytes.clear();
  return update.frame(8, 0, stream, {0, 0, 0, bytes}).bytes;
}

}  // namespace

TEST_CASE("Heads that would change their meaning on the way to HTTP/1.1 are refused") {
  struct Case {
    std::string what;
    Attacker::Lines lines;
    bool taken;
  };
  const std::vector<Case> cases = {
      {"plain", kGet, true},
      {"host that agrees", with(kGet, {{"host", "a.example"}}), true},
      {"te trailers", with(kGet, {{"te", "trailers"}}), true},
      {"connection", with(kGet, {{"connection", "close"}}), false},
      {"transfer-encoding", with(kGet, {{"transfer-encoding", "chunked"}}), false},
      {"keep-alive", with(kGet, {{"keep-alive", "1"}}), false},
      {"proxy-connection", with(kGet, {{"proxy-connection", "close"}}), false},
      {"upgrade", with(kGet, {{"upgrade", "h2c"}}), false},
      {"http2-settings", with(kGet, {{"http2-settings", "AA"}}), false},
      {"te other than trailers", with(kGet, {{"te", "gzip"}}), false},
      {"capitals in a name", with(kGet, {{"X-A", "b"}}), false},
      {"space in a name", with(kGet, {{"x a", "b"}}), false},
      {"colon in a name", with(kGet, {{"x:a", "b"}}), false},
      {"line in a name", with(kGet, {{"x\r\nevil", "b"}}), false},
      {"empty name", with(kGet, {{"", "b"}}), false},
      {"underscore in a name", with(kGet, {{"entente_assertion", "b"}}), false},
      {"line in a value", with(kGet, {{"x", "b\r\nevil: 1"}}), false},
      {"bare LF in a value", with(kGet, {{"x", "b\nevil: 1"}}), false},
      {"bare CR in a value", with(kGet, {{"x", "b\r"}}), false},
      {"NUL in a value", with(kGet, {{"x", std::string("b\0c", 3)}}), false},
      {"leading space in a value", with(kGet, {{"x", " b"}}), false},
      {"host that disagrees", with(kGet, {{"host", "b.example"}}), false},
      {"host twice", with(kGet, {{"host", "a.example"}, {"host", "a.example"}}), false},
      {"content-length twice", with(kGet, {{"content-length", "0"}, {"content-length", "0"}}), false},
      {"content-length with a sign", with(kGet, {{"content-length", "+0"}}), false},
      {"content-length without a body", with(kGet, {{"content-length", "5"}}), false},
      {"pseudo field after others", with(with({}, {{"x", "b"}}), kGet), false},
      {"pseudo field twice", with(kGet, {{":path", "/b"}}), false},
      {"unknown pseudo field", with(kGet, {{":evil", "1"}}), false},
      {"status in a request", with(kGet, {{":status", "200"}}), false},
      {"no path", {kGet[0], kGet[1], kGet[2]}, false},
      {"no authority", {kGet[0], kGet[1], kGet[3]}, false},
      {"no method", {kGet[1], kGet[2], kGet[3]}, false},
      {"no scheme", {kGet[0], kGet[2], kGet[3]}, false},
      {"empty path", {kGet[0], kGet[1], kGet[2], {":path", ""}}, false},
      {"absolute path", {kGet[0], kGet[1], kGet[2], {":path", "http://b/"}}, false},
      {"space in the path", {kGet[0], kGet[1], kGet[2], {":path", "/ HTTP/1.1"}}, false},
      {"line in the path", {kGet[0], kGet[1], kGet[2], {":path", "/\r\nevil: 1"}}, false},
      {"fragment in the path", {kGet[0], kGet[1], kGet[2], {":path", "/#b"}}, false},
      {"asterisk for GET", {kGet[0], kGet[1], kGet[2], {":path", "*"}}, false},
      {"line in the method", {{":method", "GET / HTTP/1.1\r\n"}, kGet[1], kGet[2], kGet[3]}, false},
      {"TRACE", {{":method", "TRACE"}, kGet[1], kGet[2], kGet[3]}, false},
      {"CONNECT", {{":method", "CONNECT"}, kGet[2]}, false},
      {"protocol beside GET", with(kGet, {{":protocol", "websocket"}}), false},
      {"user in the authority", {kGet[0], kGet[1], {":authority", "u@a"}, kGet[3]}, false},
      {"line in the authority", {kGet[0], kGet[1], {":authority", "a\r\nb"}, kGet[3]}, false},
      {"other scheme", {kGet[0], {":scheme", "ftp"}, kGet[2], kGet[3]}, false},
  };
  for (const Case& one : cases) {
    CAPTURE(one.what);
    Side server(H2Role::server);
    server.hear(Attacker().headers(1, one.lines).bytes);
    CHECK(server.requests.size() == (one.taken ? 1 : 0));
    (void)server.say();
    CHECK(server.session.streams() == (one.taken ? 1 : 0));
  }
}

TEST_CASE("Cookie crumbs come together again") {
  Side server(H2Role::server);
  server.hear(Attacker().headers(1, with(kGet, {{"cookie", "a=b"}, {"cookie", "c=d"}})).bytes);
  REQUIRE(server.requests.size() == 1);
  CHECK(server.requests[0].head.headers == Headers{{"cookie", "a=b; c=d"}});
}

TEST_CASE("A body that isn't as long as announced breaks its stream") {
  Side server(H2Role::server);
  Attacker attacker;
  attacker.headers(1, with(kGet, {{"content-length", "3"}}), false).frame(0, 1, 1, to_bytes("abcdef"));
  attacker.headers(3, with(kGet, {{"content-length", "9"}}), false).frame(0, 1, 3, to_bytes("abc"));
  server.hear(attacker.bytes);
  (void)server.say();
  CHECK(server.resets.at(1) == H2Code::protocol_error);
  CHECK(server.resets.at(3) == H2Code::protocol_error);
  CHECK(read_all(server.session, 1) == "!h2.reset");
}

TEST_CASE("A server's malformed answer breaks its stream") {
  Side client(H2Role::client), server(H2Role::server);
  const auto id = *client.session.request(get("/a"), true);
  Attacker attacker;
  attacker.bytes.erase(attacker.bytes.begin(), attacker.bytes.begin() + 24);  // servers send no preface
  attacker.headers(static_cast<uint32_t>(id), {{":status", "200"}, {"connection", "close"}});
  server.hear(client.say());
  client.hear(attacker.bytes);
  (void)client.say();
  CHECK(client.responses.empty());
  CHECK(client.resets.at(id) == H2Code::protocol_error);
}

TEST_CASE("Rapid reset: opening and resetting in a row ends the connection") {
  Side server(H2Role::server);
  Attacker attacker;
  uint32_t stream = 1;
  for (int i = 0; i < 1000; ++i, stream += 2)
    attacker.headers(stream, kGet, false).frame(3, 0, stream, {0, 0, 0, 8});
  server.hear(attacker.bytes);
  CHECK(server.fault == "h2.flood");
  CHECK(server.session.streams() <= H2Config{}.streams_max);
  const Bytes last_words = server.say();
  CHECK_FALSE(last_words.empty());
  CHECK(server.session.over());
}

TEST_CASE("Streams that were reset but not released still count against the limit") {
  H2Config config;
  config.streams_max = 8;
  Side server(H2Role::server, config);
  Attacker attacker;
  uint32_t stream = 1;
  for (int i = 0; i < 100; ++i, stream += 2)
    attacker.headers(stream, kGet, false).frame(3, 0, stream, {0, 0, 0, 8});
  server.hear(attacker.bytes);
  CHECK(server.requests.size() == 8);
  CHECK(server.session.streams() == 8);
}

TEST_CASE("Floods of frames that cost the sender little end the connection") {
  struct Flood {
    std::string what;
    uint8_t type, flags;
    uint32_t stream;
    Bytes payload;
    int frames;
  };
  const std::vector<Flood> floods = {
      {"SETTINGS", 4, 0, 0, {}, 50},
      {"PING", 6, 0, 0, Bytes(8, 1), 300},
      {"PING acks", 6, 1, 0, Bytes(8, 1), 300},
      {"empty DATA", 0, 0, 1, {}, 300},
      {"DATA of padding", 0, 8, 1, {0x02, 0, 0}, 300},
      {"WINDOW_UPDATE", 8, 0, 0, {0, 0, 0, 1}, 3000},
      {"PRIORITY", 2, 0, 1, {0, 0, 0, 0, 0}, 300},
  };
  for (const Flood& flood : floods) {
    CAPTURE(flood.what);
    Side server(H2Role::server);
    Attacker attacker;
    attacker.headers(1, kGet, false);
    for (int i = 0; i < flood.frames; ++i)
      attacker.frame(flood.type, flood.flags, flood.stream, flood.payload);
    server.hear(attacker.bytes);
    CHECK(server.fault == "h2.flood");
  }
}

TEST_CASE("The same frames spread over time are no flood") {
  Side server(H2Role::server);
  server.hear(Attacker().bytes);
  Attacker ping;
  ping.bytes.clear();
  ping.frame(6, 0, 0, Bytes(8, 1));
  for (int i = 0; i < 500; ++i) {
    server.hear(ping.bytes, at(i * 1000));
    (void)server.say(at(i * 1000));
  }
  CHECK(server.fault.empty());
}

TEST_CASE("Heads without end: CONTINUATION floods, large lists, many empty fields") {
  SUBCASE("CONTINUATION frames") {
    Side server(H2Role::server);
    Attacker attacker;
    attacker.frame(1, 1, 1, Attacker::block(kGet));
    for (int i = 0; i < 20; ++i) attacker.frame(9, 0, 1, Attacker::block({{"x", "y"}}));
    server.hear(attacker.bytes);
    CHECK(server.fault == "h2.flood");
    CHECK(server.requests.empty());
  }
  SUBCASE("empty CONTINUATION frames") {
    Side server(H2Role::server);
    Attacker attacker;
    attacker.frame(1, 1, 1, Attacker::block(kGet));
    for (int i = 0; i < 20; ++i) attacker.frame(9, 0, 1, {});
    server.hear(attacker.bytes);
    CHECK(server.fault == "h2.flood");
  }
  SUBCASE("a list over the limit resets the stream") {
    H2Config config;
    config.header_list_bytes_max = 4096;
    Side server(H2Role::server, config);
    server.hear(Attacker().headers(1, with(kGet, {{"x", std::string(5000, 'a')}})).bytes);
    CHECK(server.requests.empty());
    CHECK(server.fault.empty());
    CHECK(server.session.counts().heads_refused == 1);
  }
  SUBCASE("where it is wanted, such a head is asked for again over HTTP/1.1, and no other fault is") {
    H2Config config;
    config.header_list_bytes_max = 4096;
    config.large_head = H2Code::http_1_1_required;
    const auto code_of = [&](const Attacker::Lines& more) {
      Side hears(H2Role::server, config);
      hears.hear(Attacker().headers(1, with(kGet, more)).bytes);
      const Bytes said = hears.say();
      // The last frame: RST_STREAM, or GOAWAY with no text behind its code.
      return said.empty() ? 0U : unsigned{said.back()};
    };
    CHECK(code_of({{"cookie", std::string(5000, 'a')}}) == 13);
    CHECK(code_of({{"X", "capital"}}) == 1);
    config.header_list_bytes_max = 1024;  // four times as much ends the connection
    CHECK(code_of({{"cookie", std::string(5000, 'a')}}) == 13);
  }
  SUBCASE("a small block that unpacks to far too much ends the connection") {
    Side server(H2Role::server);
    Bytes block = Attacker::block(kGet);
    block.push_back(0x40);  // into the dynamic table, then named again and again by one byte
    block.push_back(1);
    block.push_back('x');
    block.push_back(127);
    block.push_back(0x80 | (3000 - 127) % 128);
    block.push_back((3000 - 127) / 128);
    block.insert(block.end(), 3000, 'a');
    block.insert(block.end(), 4000, 0x80 | 62);
    server.hear(Attacker().frame(1, 5, 1, block).bytes);
    CHECK(server.fault == "h2.flood");
    CHECK(server.requests.empty());
  }
  SUBCASE("too many fields") {
    Side server(H2Role::server);
    Attacker::Lines lines = kGet;
    for (int i = 0; i < 200; ++i) lines.emplace_back("x", "");
    server.hear(Attacker().headers(1, lines).bytes);
    CHECK(server.requests.empty());
    CHECK(server.session.counts().heads_refused == 1);
  }
}

TEST_CASE("Bytes that are no HTTP/2 end the connection") {
  for (const std::string text :
       {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"}) {
    Side server(H2Role::server);
    server.hear(as_bytes(text));
    CHECK(server.fault == "h2.protocol");
  }
  Side server(H2Role::server);
  server.hear(Attacker().frame(0, 0, 5, to_bytes("data on an idle stream")).bytes);
  (void)server.say();
  CHECK(server.session.over());
}

TEST_CASE("A peer that overruns its window is cut off") {
  H2Config config;
  config.stream_window_bytes = 65535;
  Side server(H2Role::server, config);
  Attacker attacker;
  attacker.headers(1, kGet, false);
  for (int i = 0; i < 8; ++i) attacker.frame(0, 0, 1, Bytes(16384, 'x'));
  server.hear(attacker.bytes);
  (void)server.say();
  CHECK(server.session.unread(1) <= 65535);
  CHECK((server.session.over() || server.resets.count(1) == 1));
}

TEST_CASE("What nobody reads is bounded over all streams") {
  H2Config config;
  config.unread_bytes_max = 100 * 1024;
  Side client(H2Role::client), server(H2Role::server, config);
  settle(client, server);
  for (int i = 0; i < 4; ++i) {
    const auto id = *client.session.request(get("/up"), false);
    REQUIRE(client.session.write(id, Bytes(60 * 1024, 'x')));
    settle(client, server);
  }
  CHECK(server.session.counts().unread_bytes <= 100 * 1024);
  CHECK(client.resets.size() >= 1);
}

TEST_CASE("attack: who leaves most unread pays for it, not who comes last; the bound holds at each step") {
  constexpr size_t kMost = 100 * 1024, kFrame = 10 * 1024;
  H2Config config;
  config.unread_bytes_max = kMost;
  Side server(H2Role::server, config);
  server.hear(to_bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  const auto opens = [&](uint32_t id) {
    Attacker stream;
    stream.bytes.clear();
    server.hear(stream.frame(4, 0, 0, {}).headers(id, kGet, false).bytes);
  };
  const auto sends = [&](uint32_t id, int frames) {
    for (int i = 0; i < frames; ++i) {
      Attacker data;
      data.bytes.clear();
      server.hear(data.frame(0, 0, id, Bytes(kFrame, 'x')).bytes);
      CHECK(server.session.counts().unread_bytes <= kMost);
    }
  };
  for (const uint32_t id : {1U, 3U, 5U, 7U}) opens(id);
  server.session.set_class(7, H2Class::control);
  sends(7, 4);
  sends(3, 2);
  sends(1, 3);  // holds most, but for control
  sends(5, 1);
  CHECK(server.resets.empty());
  sends(5, 1);  // one too many
  CHECK(server.resets == std::map<H2StreamId, H2Code>{{1, H2Code::enhance_your_calm}});
  CHECK(read_all(server.session, 1) == "!h2.reset");
  CHECK(server.session.unread(3) == 2 * kFrame);
  CHECK(server.session.unread(5) == 2 * kFrame);
  sends(5, 3);  // who adds holds most
  CHECK(server.resets.size() == 2);
  CHECK(server.resets.contains(5));
  CHECK(read_all(server.session, 3).size() == 2 * kFrame);
  CHECK(read_all(server.session, 7).size() == 4 * kFrame);
}

TEST_CASE("attack: control does not pay for others, and others pay for control") {
  H2Config config;
  config.unread_bytes_max = 30 * 1024;
  Side server(H2Role::server, config);
  Attacker attacker;
  attacker.headers(1, kGet, false).headers(3, kGet, false);
  server.hear(attacker.bytes);
  server.session.set_class(1, H2Class::control);
  attacker.bytes.clear();
  server.hear(attacker.frame(0, 0, 3, Bytes(16 * 1024, 'x')).frame(0, 0, 1, Bytes(15 * 1024, 'x')).bytes);
  CHECK(server.resets.size() == 1);
  CHECK(server.resets.contains(3));
  CHECK(server.session.counts().unread_bytes == 15 * 1024);
  attacker.bytes.clear();
  server.hear(attacker.frame(0, 0, 1, Bytes(16 * 1024, 'x')).bytes);
  CHECK(server.session.unread(1) == 31 * 1024);  // bounded by its own window
}

TEST_CASE("Heads that can't be sent are refused before they leave") {
  Side client(H2Role::client);
  const auto refused = [&](auto change) {
    RequestHead head = get("/");
    change(head);
    const auto id = client.session.request(head, true);
    return !id && id.error().code() == "h2.head";
  };
  CHECK(refused([](RequestHead& h) { h.headers.add("X", "a\r\nb"); }));
  CHECK(refused([](RequestHead& h) { h.headers.add("X Y", "a"); }));
  CHECK(refused([](RequestHead& h) { h.headers.add("Connection", "close"); }));
  CHECK(refused([](RequestHead& h) { h.headers.add("Transfer-Encoding", "chunked"); }));
  CHECK(refused([](RequestHead& h) { h.path = "a b"; }));
  CHECK(refused([](RequestHead& h) { h.authority.clear(); }));
  CHECK(refused([](RequestHead& h) { h.scheme.clear(); }));
  CHECK(refused([](RequestHead& h) { h.method = "CONNECT"; }));
}

TEST_CASE("A peer that opens its window byte by byte does not keep us busy for ever") {
  Side server(H2Role::server);
  Attacker attacker;
  attacker.bytes = to_bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  attacker.frame(4, 0, 0, {0, 4, 0, 0, 0, 0});  // SETTINGS_INITIAL_WINDOW_SIZE 0
  attacker.headers(1, kGet);
  server.hear(attacker.bytes);
  REQUIRE(server.session.respond(1, ok(), false));
  REQUIRE(server.session.write(1, Bytes(60 * 1024, 'x')));
  (void)server.say();
  for (int i = 0; i < 10'000 && server.fault.empty(); ++i) {
    server.hear(window(1, 1));
    (void)server.say();
  }
  CHECK(server.fault == "h2.flood");
}

}  // namespace entente::net
