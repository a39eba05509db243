// What a session does with answers and windows when the other side is a browser.
#include "net/h2_for_test.h"

namespace entente::net {

using namespace testing;

TEST_CASE("An answer that leaves its request unread arrives whole, then the request is given up") {
  for (const bool whole : {true, false}) {
    CAPTURE(whole);
    Side client(H2Role::client), server(H2Role::server);
    const auto id = *client.session.request(get("/up"), false);
    REQUIRE(client.session.write(id, Bytes(1000, 'x')));
    settle(client, server);
    REQUIRE(server.session.respond(id, ok(), whole));
    if (!whole) {
      REQUIRE(server.session.write(id, as_bytes("no")));
      REQUIRE(server.session.finish(id));
    }
    server.session.release(id);
    settle(client, server);
    REQUIRE(client.responses.size() == 1);
    CHECK(client.resets.at(id) == H2Code::no_error);
    CHECK(server.session.streams() == 0);
  }
}

TEST_CASE("Interim answers go before the answer, and never after it") {
  Side client(H2Role::client), server(H2Role::server);
  const auto id = *client.session.request(get("/up"), false);
  settle(client, server);
  ResponseHead go_on = head_of(100);
  REQUIRE(server.session.interim(id, go_on));
  settle(client, server);
  CHECK(client.responses.empty());
  REQUIRE(server.session.interim(id, go_on));
  REQUIRE(server.session.respond(id, ok(), true));
  CHECK_FALSE(server.session.interim(id, go_on));
  settle(client, server);
  REQUIRE(client.responses.size() == 1);
  CHECK(client.responses.front().head.status == 200);
}

TEST_CASE("Whoever asks is told when the last byte has gone to the transport") {
  Side client(H2Role::client), server(H2Role::server);
  const auto id = *client.session.request(get("/"), true);
  settle(client, server);
  REQUIRE(server.session.respond(id, ok(), false));
  REQUIRE(server.session.write(id, Bytes(40 * 1024, 'x')));
  CHECK_FALSE(server.session.tell_when_sent(id));
  REQUIRE(server.session.finish(id));
  CHECK_FALSE(server.session.tell_when_sent(id));
  server.writable.clear();
  settle(client, server);
  CHECK(server.writable[id] == 1);
  CHECK(server.session.tell_when_sent(id));
}

TEST_CASE("The connection's window holds back a peer whose bodies nobody reads, without a reset") {
  H2Config config;
  config.stream_window_bytes = 64 * 1024;
  config.connection_window_bytes = 128 * 1024;
  config.credit_unread_max = 96 * 1024;
  H2Config asking;
  asking.unsent_bytes_max = 64 * 1024;
  Side client(H2Role::client, asking), server(H2Role::server, config);
  settle(client, server);
  std::vector<H2StreamId> ids;
  for (int i = 0; i < 10; ++i) {
    ids.push_back(*client.session.request(get("/up"), false));
    REQUIRE(client.session.write(ids.back(), Bytes(64 * 1024, 'x')));
  }
  settle(client, server);
  CHECK(server.session.counts().unread_bytes <= 96 * 1024 + 128 * 1024);
  CHECK(server.session.counts().unread_bytes >= 128 * 1024);
  CHECK(server.resets.empty());
  size_t read = 0;
  std::vector<uint8_t> buffer(16 * 1024);
  for (int turn = 0; turn < 1000 && read < 10 * 64 * 1024; ++turn) {
    for (const H2StreamId id : ids) {
      const auto got = server.session.read(id, buffer);
      REQUIRE(got);
      read += got->bytes;
    }
    settle(client, server);
  }
  CHECK(read == 10 * 64 * 1024);
}

}  // namespace entente::net
