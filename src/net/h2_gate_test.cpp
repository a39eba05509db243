// Once a gate is closed, nothing of its stream goes out or comes in.
#include "net/h2_for_test.h"

namespace entente::net {

using namespace testing;

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

TEST_CASE("A head whose gate closes before it is framed never leaves, on either side") {
  SUBCASE("an answer") {
    for (const bool whole : {true, false}) {
      CAPTURE(whole);
      Side client(H2Role::client), server(H2Role::server);
      const auto id = *client.session.request(get("/secret"), true);
      const auto other = *client.session.request(get("/other"), true);
      settle(client, server);
      const auto gate = std::make_shared<Gate>();
      server.session.set_gate(id, gate);
      REQUIRE(server.session.respond(id, ok(), whole));
      REQUIRE(server.session.respond(other, ok(), whole));
      if (whole) server.session.release(id);
      gate->close();
      settle(client, server);
      REQUIRE(client.responses.size() == 1);
      CHECK(client.responses.front().stream == other);
      CHECK(client.resets.at(id) == H2Code::cancel);
      CHECK(server.session.counts().fenced == 1);
    }
  }
  SUBCASE("a request") {
    Side client(H2Role::client), server(H2Role::server);
    settle(client, server);
    const auto gate = std::make_shared<Gate>();
    const auto id = *client.session.request(get("/secret"), true);
    client.session.set_gate(id, gate);
    gate->close();
    REQUIRE(client.session.request(get("/other"), true));
    settle(client, server);
    REQUIRE(server.requests.size() == 1);
    CHECK(server.requests.front().head.path == "/other");
    CHECK(client.resets.contains(id));
  }
}

TEST_CASE("A gate for one way lets in what comes") {
  Side client(H2Role::client), server(H2Role::server);
  const auto id = *client.session.request(get("/up"), false);
  REQUIRE(client.session.write(id, as_bytes("early")));
  settle(client, server);
  const auto gate = std::make_shared<Gate>();
  server.session.set_gate(id, gate, false);
  gate->close();
  std::vector<uint8_t> buffer(64);
  const auto got = server.session.read(id, buffer);
  REQUIRE(got);
  CHECK(got->bytes == 5);
  gate->open();
  REQUIRE(server.session.respond(id, ok(), true));
  settle(client, server);
  CHECK(client.responses.size() == 1);
}

TEST_CASE("Once a gate is closed nothing that came is given away") {
  Side client(H2Role::client), server(H2Role::server);
  const H2StreamId id = *client.session.request(get("/up"), false);
  REQUIRE(client.session.write(id, as_bytes("late")));
  settle(client, server);
  const auto gate = std::make_shared<Gate>();
  server.session.set_gate(id, gate);
  gate->close();
  CHECK(server.session.take(id).empty());
  CHECK(server.session.counts().unread_bytes == 0);
  Bytes into(16);
  const auto read = server.session.read(id, into);
  REQUIRE_FALSE(read);
  CHECK(read.error().code() == "net.fenced");
}

}  // namespace entente::net
