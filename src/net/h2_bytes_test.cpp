// What a connection of HTTP/2 holds and says of bytes and fields: queues in pieces, the table of known
// fields.
#include "net/h2_session.h"
#include "net/h2_state.h"

#include <string>

#include <doctest/doctest.h>

namespace entente::net {
namespace {

struct Two {
  explicit Two(const H2Config& config = {}) : client(H2Role::client, config), server(H2Role::server, config) {
    settle();
  }
  // Bytes that the client said until both fell silent.
  size_t settle() {
    size_t said = 0;
    for (;;) {
      Bytes up, down;
      client.produce(up, 64 * 1024, Tick{});
      REQUIRE(server.receive(up, Tick{}));
      server.produce(down, 64 * 1024, Tick{});
      REQUIRE(client.receive(down, Tick{}));
      said += up.size();
      while (std::optional<H2Event> event = server.poll_event())
        if (auto* asked = std::get_if<H2Request>(&*event)) last = std::move(asked->head);
      while (client.poll_event()) {
      }
      if (up.empty() && down.empty()) return said;
    }
  }
  static RequestHead get(Field field) {
    RequestHead head;
    head.method = "GET";
    head.scheme = "https";
    head.authority = "cop-xaa.xbb.localhost:8443";
    head.path = "/";
    head.headers.add(std::move(field.name), std::move(field.value));
    return head;
  }
  size_t ask(Field field) {
    REQUIRE(client.request(get(std::move(field)), true));
    return settle();
  }

  H2Session client;
  H2Session server;
  RequestHead last;
};

std::string bytes_from(size_t from, size_t count) {
  std::string out;
  for (size_t i = from; i < from + count; ++i) out += static_cast<char>('a' + i % 23);
  return out;
}

}  // namespace

TEST_CASE("Bytes leave a queue in the order they came, whatever the pieces") {
  ByteQueue queue;
  size_t in = 0;
  std::string out;
  const auto push = [&](size_t count) {
    queue.push(as_bytes(bytes_from(in, count)));
    in += count;
  };
  const auto pop = [&](size_t most) {
    Bytes into(most);
    out += as_text(ByteView(into).first(queue.pop(into.data(), most)));
  };
  for (const unsigned count : {1U, 10U, 9'000U, 16'000U, 70'000U, 3U}) push(count);
  pop(5);
  CHECK(queue.pop_piece().empty());  // its first bytes are gone: only a copy keeps the order
  pop(30'000);
  push(100'000);
  while (!queue.empty()) {
    const Bytes piece = queue.pop_piece();
    out += as_text(ByteView(piece));
    if (piece.empty()) pop(1'000);
    CHECK(out.size() + queue.size() == in);
  }
  CHECK(out == bytes_from(0, in));
  CHECK(queue.pop_piece().empty());
}

TEST_CASE("What came can be taken without a copy: the peer may then send more") {
  Two two;
  RequestHead head = Two::get({"accept", "*/*"});
  head.method = "POST";
  const H2StreamId id = *two.client.request(head, false);
  const std::string all = bytes_from(0, 1 << 20);  // four windows of it
  size_t written = 0;
  std::string got;
  while (got.size() < all.size()) {
    written += *two.client.write(id, as_bytes(std::string_view(all).substr(written)));
    two.settle();
    const Bytes piece = two.server.take(id);
    REQUIRE_FALSE(piece.empty());
    got += as_text(ByteView(piece));
  }
  CHECK(got == all);
  CHECK(two.server.counts().unread_bytes == 0);
  CHECK(two.server.take(id).empty());
}

TEST_CASE("An assertion that comes again costs a few bytes; what others may guess is said whole each time") {
  H2Config config;
  config.header_table_bytes = 64 * 1024;
  Two two(config);
  const std::string assertion = bytes_from(0, 900);
  const size_t first = two.ask({"Entente-Assertion", assertion});
  CHECK(first > 500);
  CHECK(two.ask({"Entente-Assertion", assertion}) < 60);
  CHECK(two.last.headers.get("entente-assertion") == assertion);
  for (const char* name : {"Cookie", "Authorization"}) {
    const std::string value = bytes_from(3, 300);
    CHECK(two.ask({name, value}) > 150);
    CHECK(two.ask({name, value}) > 150);
    CHECK(two.last.headers.get(name) == value);
  }
}

}  // namespace entente::net
