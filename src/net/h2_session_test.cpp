#include "net/h2_for_test.h"

#include <algorithm>

namespace entente::net {

using namespace testing;

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
  for (const H2StreamId id : slow) CHECK(client.session.unread(id) == 64 * 1024);
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
  CHECK(client.session.unread(slow[0]) > 0);
}

namespace {

// One body that the server sends as fast as it may, and how much of it lies unread here when it may no more.
struct Download {
  explicit Download(const H2Config& config) : client(H2Role::client, config), server(H2Role::server, config) {
    settle(client, server);
    const auto asked = client.session.request(get("/large"), true);
    REQUIRE(asked);
    id = *asked;
    settle(client, server);
    REQUIRE(server.session.respond(id, ok(), false));
  }
  size_t unread_at(int64_t ms) {
    const Bytes piece(kRecord, 'x');
    while (true) {
      const auto taken = server.session.write(id, piece);
      REQUIRE(taken);
      settle(client, server, at(ms));
      if (*taken == 0) return client.session.unread(id);
    }
  }
  // Reads all and lets the server send again, twenty times; the most that lay unread in the later half.
  size_t most_unread(int64_t from_ms, int64_t step_ms) {
    size_t most = 0;
    for (int64_t i = 0; i < 20; ++i) {
      (void)client.say(at(from_ms + i * step_ms));
      CHECK(read_all(client.session, id).find('!') == std::string::npos);
      const size_t unread = unread_at(from_ms + i * step_ms);
      if (i >= 10) most = std::max(most, unread);
    }
    return most;
  }

  Side client;
  Side server;
  H2StreamId id = 0;
};

H2Config windows(size_t usual, size_t connection) {
  H2Config config;
  config.stream_window_bytes = static_cast<uint32_t>(usual);
  config.connection_window_bytes = static_cast<uint32_t>(connection);
  config.bulk_after_bytes = usual;
  return config;
}

}  // namespace

TEST_CASE("A stream that is read fast has a larger window, until somebody interactive comes") {
  constexpr size_t kUsual = 64 * 1024;
  Download download(windows(kUsual, 64 * kUsual));
  CHECK(download.unread_at(1000) == kUsual);
  CHECK(download.most_unread(1001, 1) > 3 * kUsual);  // its own beginning keeps nobody waiting
  CHECK(download.most_unread(1120, 1) <= 4 * kUsual);
  (void)download.client.say(at(1140));
  REQUIRE(download.client.session.request(get("/small"), true));
  CHECK(download.most_unread(1140, 10) <= kUsual);
  CHECK(download.most_unread(2000, 30) <= kUsual);  // alone, but slow
  CHECK(download.most_unread(3000, 1) > 3 * kUsual);
  CHECK(download.most_unread(3020, 30) <= kUsual);
}

TEST_CASE("A stream's own beginning hides nobody else's word") {
  constexpr size_t kUsual = 64 * 1024;
  Download download(windows(kUsual, 64 * kUsual));
  (void)download.client.say(at(1000));
  REQUIRE(download.client.session.request(get("/small"), true));
  CHECK(download.unread_at(1001) == kUsual);
  CHECK(download.most_unread(1002, 1) <= kUsual);
  CHECK(download.most_unread(2000, 1) > 3 * kUsual);
}

TEST_CASE("A bulk stream has a smaller window beside others, where much is read all the same") {
  constexpr size_t kUsual = 64 * 1024;
  Download download(windows(kUsual, 64 * kUsual));
  CHECK(download.unread_at(0) == kUsual);
  // Somebody interactive asks before each of twenty steps; the least and the most that lay unread in the
  // later half.
  const auto beside_others = [&](int64_t from_ms, int64_t step_ms) {
    std::pair<size_t, size_t> range(SIZE_MAX, 0);
    for (int64_t i = 0; i < 20; ++i) {
      const int64_t ms = from_ms + i * step_ms;
      (void)download.client.say(at(ms));
      const auto asked = download.client.session.request(get("/small"), true);
      REQUIRE(asked);
      download.client.session.release(*asked);
      CHECK(read_all(download.client.session, download.id).find('!') == std::string::npos);
      const size_t unread = download.unread_at(ms);
      if (i >= 10) range = {std::min(range.first, unread), std::max(range.second, unread)};
    }
    return range;
  };
  (void)beside_others(100, 1);
  CHECK(beside_others(120, 1).second == kUsual / 4);
  CHECK(download.most_unread(1000, 1) > 3 * kUsual);  // they have gone
  CHECK(beside_others(2000, 30).first > kUsual / 2);  // far away
  (void)beside_others(4000, 4);
  // Nearer: fast with its usual window, but not with a small one.
  CHECK(beside_others(4080, 4).first > kUsual / 2);
}

TEST_CASE("No stream has a larger window than a sixteenth of its connection's") {
  constexpr size_t kUsual = 64 * 1024;
  Download download(windows(kUsual, 16 * kUsual));
  CHECK(download.unread_at(0) == kUsual);
  CHECK(download.most_unread(100, 1) <= kUsual);
}

TEST_CASE("No stream has a larger window where little room is left for what nobody reads") {
  constexpr size_t kUsual = 64 * 1024;
  H2Config config = windows(kUsual, 64 * kUsual);
  config.unread_bytes_max = 16 * 3 * kUsual;
  Download download(config);
  CHECK(download.unread_at(0) == kUsual);
  CHECK(download.most_unread(100, 1) <= kUsual);
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

}  // namespace entente::net
