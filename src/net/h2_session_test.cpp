#include "net/h2_session.h"

#include "net/h2_testing.h"

#include <vector>

#include <doctest/doctest.h>

namespace entente::net {
namespace {

using namespace testing;

std::string read_all(H2Session& session, H2StreamId id, bool* end = nullptr) {
  std::string out;
  std::vector<uint8_t> buffer(4096);
  while (true) {
    const auto got = session.read(id, buffer);
    if (!got) return out + "!" + got.error().code();
    out.append(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got->bytes));
    if (end != nullptr) *end = got->end;
    if (got->bytes == 0) return out;
  }
}

size_t count_unread(H2Session& session, H2StreamId id) {
  return session.unread(id);
}

}  // namespace

TEST_CASE("A request and its answer cross, with bodies both ways") {
  Side client(H2Role::client), server(H2Role::server);
  RequestHead head = get("/a?b=c");
  head.method = "POST";
  head.headers.add("Cookie", "a=b");
  head.headers.add("Host", "ignored.example");
  const auto id = client.session.request(head, false);
  REQUIRE(id);
  REQUIRE(client.session.write(*id, as_bytes("hello")));
  REQUIRE(client.session.finish(*id));
  settle(client, server);
  REQUIRE(server.requests.size() == 1);
  const RequestHead& seen = server.requests[0].head;
  CHECK(seen.method == "POST");
  CHECK(seen.path == "/a?b=c");
  CHECK(seen.authority == "cop-xaa.xbb.localhost:8443");
  CHECK(seen.headers == Headers{{"accept", "*/*"}, {"cookie", "a=b"}});
  bool end = false;
  CHECK(read_all(server.session, *id, &end) == "hello");
  CHECK(end);
  REQUIRE(server.session.respond(*id, ok(), false));
  REQUIRE(server.session.write(*id, as_bytes("world")));
  REQUIRE(server.session.finish(*id));
  settle(client, server);
  REQUIRE(client.responses.size() == 1);
  CHECK(client.responses[0].head.status == 200);
  CHECK(read_all(client.session, *id, &end) == "world");
  CHECK(end);
  CHECK(client.resets.empty());
  client.session.release(*id);
  server.session.release(*id);
  CHECK(client.session.streams() == 0);
  CHECK(server.session.streams() == 0);
}

TEST_CASE("A WebSocket's extended CONNECT crosses once the server has offered it") {
  Side client(H2Role::client), server(H2Role::server);
  RequestHead head = get("/feed");
  head.method = "CONNECT";
  head.protocol = "websocket";
  const auto early = client.session.request(head, false);
  REQUIRE_FALSE(early);
  CHECK(early.error().code() == "h2.protocol-unknown");
  settle(client, server);
  const auto id = client.session.request(head, false);
  REQUIRE(id);
  settle(client, server);
  REQUIRE(server.requests.size() == 1);
  CHECK(server.requests[0].head.protocol == "websocket");
  REQUIRE(server.session.respond(*id, ok(), false));
  REQUIRE(server.session.write(*id, as_bytes("tick")));
  REQUIRE(client.session.write(*id, as_bytes("tock")));
  settle(client, server);
  CHECK(read_all(client.session, *id) == "tick");
  CHECK(read_all(server.session, *id) == "tock");
}

TEST_CASE("A reader that doesn't read stops its own stream and no other") {
  H2Config config;
  config.stream_window_bytes = 64 * 1024;
  config.connection_window_bytes = 128 * 1024;
  Side client(H2Role::client, config), server(H2Role::server);
  std::vector<H2StreamId> slow;
  for (int i = 0; i < 5; ++i) slow.push_back(*client.session.request(get("/slow"), true));
  settle(client, server);
  const Bytes block(1 << 20, 'x');
  for (int turn = 0; turn < 20; ++turn) {
    for (const H2StreamId id : slow) {
      if (turn == 0) REQUIRE(server.session.respond(id, ok(), false));
      REQUIRE(server.session.write(id, block));
    }
    settle(client, server);
  }
  for (const H2StreamId id : slow) CHECK(count_unread(client.session, id) == 64 * 1024);
  CHECK(client.session.counts().unread_bytes == 5 * 64 * 1024);
  const auto quick = client.session.request(get("/quick"), true);
  settle(client, server);
  REQUIRE(server.session.respond(*quick, ok(), false));
  REQUIRE(server.session.write(*quick, as_bytes("still here")));
  settle(client, server);
  CHECK(read_all(client.session, *quick) == "still here");
  // Reading lets the peer go on.
  CHECK(read_all(client.session, slow[0]).size() == 64 * 1024);
  settle(client, server);
  CHECK(count_unread(client.session, slow[0]) > 0);
}

TEST_CASE("Writes are bounded and say when there is room again") {
  Side client(H2Role::client), server(H2Role::server);
  const auto id = client.session.request(get("/up"), false);
  const Bytes block(1 << 20, 'x');
  const auto taken = client.session.write(*id, block);
  REQUIRE(taken);
  CHECK(*taken == H2Config{}.unsent_bytes_max);
  CHECK(*client.session.write(*id, block) == 0);
  settle(client, server);
  CHECK(client.writable[*id] >= 1);
  CHECK(client.session.unsent(*id) == 0);
}

TEST_CASE("Control goes before interactive, interactive before bulk, and bulk is not starved") {
  H2Config config;
  config.stream_window_bytes = 16 << 20;
  config.connection_window_bytes = 64 << 20;
  config.unsent_bytes_max = 4 << 20;
  Side client(H2Role::client, config), server(H2Role::server, config);
  const auto bulk = *client.session.request(get("/bulk"), true);
  const auto quick = *client.session.request(get("/quick"), true);
  const auto control = *client.session.request(get("/control"), true);
  settle(client, server);
  for (const auto id : {bulk, quick, control}) REQUIRE(server.session.respond(id, ok(), false));
  server.session.set_class(control, H2Class::control);
  const Bytes megabytes(2 << 20, 'b');
  REQUIRE(server.session.write(bulk, megabytes));
  settle(client, server);
  CHECK(read_all(client.session, bulk).size() == megabytes.size());
  REQUIRE(server.session.write(bulk, megabytes));
  REQUIRE(server.session.write(quick, Bytes(600 * 1024, 'q')));
  client.hear(server.say());
  CHECK(client.session.unread(quick) > 0);
  CHECK(client.session.unread(bulk) == 0);
  REQUIRE(server.session.write(control, Bytes(30 * 1024, 'c')));
  client.hear(server.say());
  client.hear(server.say());
  CHECK(client.session.unread(control) == 30 * 1024);
  while (client.session.unread(quick) < 600 * 1024) client.hear(server.say());
  CHECK(client.session.unread(bulk) > 0);
  CHECK(client.session.unread(bulk) < 200 * 1024);
}

TEST_CASE("Two streams of one class take turns") {
  Side client(H2Role::client), server(H2Role::server);
  const auto a = *client.session.request(get("/a"), true);
  const auto b = *client.session.request(get("/b"), true);
  settle(client, server);
  for (const auto id : {a, b}) {
    REQUIRE(server.session.respond(id, ok(), false));
    REQUIRE(server.session.write(id, Bytes(60 * 1024, 'x')));
  }
  for (int i = 0; i < 4; ++i) client.hear(server.say());
  CHECK(client.session.unread(a) > 16 * 1024);
  CHECK(client.session.unread(b) > 16 * 1024);
}

TEST_CASE("A frame never outgrows the record it is asked for") {
  Side client(H2Role::client), server(H2Role::server);
  const auto id = *client.session.request(get("/a"), true);
  settle(client, server);
  REQUIRE(server.session.respond(id, ok(), false));
  REQUIRE(server.session.write(id, Bytes(60 * 1024, 'x')));
  while (true) {
    const Bytes record = server.say();
    if (record.empty()) break;
    CHECK(record.size() <= kRecord);
  }
}

TEST_CASE("Once a gate is closed no byte of its stream is framed, and the peer sees a reset") {
  Side client(H2Role::client), server(H2Role::server);
  const auto id = *client.session.request(get("/secret"), true);
  const auto other = *client.session.request(get("/other"), true);
  settle(client, server);
  const auto gate = std::make_shared<Gate>();
  server.session.set_gate(id, gate);
  for (const auto stream : {id, other}) {
    REQUIRE(server.session.respond(stream, ok(), false));
    REQUIRE(server.session.write(stream, Bytes(60 * 1024, 'x')));
  }
  client.hear(server.say());
  const uint64_t before = client.session.unread(id);
  gate->close();
  settle(client, server);
  CHECK(client.resets.at(id) == H2Code::cancel);
  CHECK(client.session.unread(id) == 0);
  CHECK(client.session.counts().data_bytes_in - before == 60 * 1024);
  CHECK(client.session.unread(other) == 60 * 1024);
  CHECK(server.session.counts().fenced == 1);
  const auto refused = server.session.write(id, as_bytes("more"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == "net.fenced");
}

TEST_CASE("attack: no head of a session leaves after its gate has closed, whoever took no bytes meanwhile") {
  Side client(H2Role::client), server(H2Role::server);
  settle(client, server);
  const auto gate = std::make_shared<Gate>();
  const auto late = std::make_shared<Gate>();
  const auto asked = *client.session.request(get("/asked"), true);
  const auto other = *client.session.request(get("/other"), true);
  settle(client, server);
  // What is here is said while nobody takes it, and what is behind a gate is over before somebody does.
  server.session.set_gate(asked, gate);
  REQUIRE(server.session.respond(asked, ok(), false));
  REQUIRE(server.session.write(asked, Bytes(100, 'x')));
  REQUIRE(server.session.respond(other, ok(), false));
  REQUIRE(server.session.write(other, Bytes(100, 'y')));
  const auto never = *client.session.request(get("/never"), true);
  client.session.set_gate(never, late);
  gate->close();
  late->close();
  settle(client, server);
  CHECK(client.responses.size() == 1);
  CHECK(client.responses.front().stream == other);
  CHECK(client.session.unread(other) == 100);
  CHECK(client.resets.at(asked) == H2Code::cancel);
  CHECK(client.resets.at(never) == H2Code::cancel);
  CHECK(server.requests.size() == 2);
  CHECK(server.fault.empty());
  CHECK(client.fault.empty());
}

TEST_CASE("An answer without a body arrives, though its stream is let go at once and the request goes on") {
  Side client(H2Role::client), server(H2Role::server);
  auto upload = get("/upload");
  upload.method = "POST";
  const auto id = *client.session.request(upload, false);
  REQUIRE(client.session.write(id, Bytes(100, 'x')));
  settle(client, server);
  auto no = ok();
  no.status = 429;
  REQUIRE(server.session.respond(id, no, true));
  server.session.release(id);
  settle(client, server);
  REQUIRE(client.responses.size() == 1);
  CHECK(client.responses.front().head.status == 429);
  CHECK(server.session.streams() == 0);
}

TEST_CASE("A closed gate also stops what has come in and was not read") {
  Side client(H2Role::client), server(H2Role::server);
  const auto id = *client.session.request(get("/up"), false);
  REQUIRE(client.session.write(id, as_bytes("late")));
  settle(client, server);
  const auto gate = std::make_shared<Gate>();
  server.session.set_gate(id, gate);
  gate->close();
  CHECK(read_all(server.session, id) == "!net.fenced");
  CHECK(server.session.counts().unread_bytes == 0);
}

TEST_CASE("fence() drops what is queued at once") {
  Side client(H2Role::client), server(H2Role::server);
  const auto id = *client.session.request(get("/secret"), true);
  settle(client, server);
  REQUIRE(server.session.respond(id, ok(), false));
  REQUIRE(server.session.write(id, Bytes(60 * 1024, 'x')));
  server.session.fence(id);
  settle(client, server);
  CHECK(client.session.counts().data_bytes_in == 0);
  CHECK(client.resets.count(id) == 1);
}

TEST_CASE("A reset stream is over on both sides and its codes arrive") {
  Side client(H2Role::client), server(H2Role::server);
  const auto id = *client.session.request(get("/a"), false);
  settle(client, server);
  client.session.reset(id, H2Code::cancel);
  settle(client, server);
  CHECK(server.resets.at(id) == H2Code::cancel);
  CHECK(server.session.respond(id, ok(), true).error().code() == "h2.reset");
  server.session.release(id);
  client.session.release(id);
  CHECK(server.session.streams() == 0);
  CHECK(client.session.streams() == 0);
}

TEST_CASE("A request given up before it was sent leaves nothing behind") {
  Side client(H2Role::client), server(H2Role::server);
  settle(client, server);
  const auto id = *client.session.request(get("/a"), false);
  client.session.release(id);
  settle(client, server);
  CHECK(client.session.streams() == 0);
  CHECK(server.session.streams() == 0);
}

TEST_CASE("A released stream still sends what was written, then is forgotten") {
  Side client(H2Role::client), server(H2Role::server);
  const auto id = *client.session.request(get("/a"), false);
  settle(client, server);
  REQUIRE(server.session.respond(id, ok(), false));
  REQUIRE(server.session.write(id, as_bytes("answer")));
  REQUIRE(server.session.finish(id));
  server.session.release(id);
  settle(client, server);
  CHECK(read_all(client.session, id) == "answer");
  CHECK(client.resets.at(id) == H2Code::no_error);
  CHECK(server.session.streams() == 0);
}

TEST_CASE("The number of streams is bounded on both sides") {
  H2Config config;
  config.streams_max = 4;
  Side client(H2Role::client), server(H2Role::server, config);
  settle(client, server);
  for (int i = 0; i < 4; ++i) REQUIRE(client.session.request(get("/"), false));
  CHECK_FALSE(client.session.can_open());
  CHECK(client.session.request(get("/"), false).error().code() == "h2.busy");
}

TEST_CASE("Pings are answered; a drained connection finishes what is open and takes no more") {
  Side client(H2Role::client), server(H2Role::server);
  const auto id = *client.session.request(get("/a"), true);
  client.session.ping(42);
  settle(client, server);
  CHECK(client.acks == std::vector<uint64_t>{42});
  server.session.drain();
  settle(client, server);
  CHECK(client.goaway);
  CHECK(client.session.request(get("/b"), true).error().code() == "h2.closed");
  REQUIRE(server.session.respond(id, ok(), true));
  settle(client, server);
  CHECK(client.responses.size() == 1);
  client.session.release(id);
  server.session.release(id);
  settle(client, server);
  CHECK(server.session.over());
}

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

}  // namespace entente::net
