// Many people on one connection between nodes, or between a node and a connector: what some of them do must
// not end it for the others.
#include "exchange/connectors.h"
#include "exchange/links.h"
#include "net/h2_session.h"

#include <doctest/doctest.h>

namespace entente::exchange {
namespace {

// Both ends of one connection.
struct Wire {
  explicit Wire(const net::H2Config& config)
      : asks(net::H2Role::client, config), serves(net::H2Role::server, config) {
    settle();
  }
  net::H2Session asks;
  net::H2Session serves;
  std::vector<net::H2StreamId> opened;
  size_t answered = 0;
  Tick now{};

  void settle() {
    for (bool more = true; more;) {
      more = false;
      for (auto [from, to] : {std::pair(&asks, &serves), std::pair(&serves, &asks)}) {
        Bytes out;
        from->produce(out, 64 * 1024, now);
        more = more || !out.empty();
        if (!out.empty()) (void)to->receive(out, now);
        while (const auto event = to->poll_event()) {
          if (const auto* request = std::get_if<net::H2Request>(&*event)) opened.push_back(request->stream);
          if (std::holds_alternative<net::H2Response>(*event)) ++answered;
        }
      }
    }
  }
  [[nodiscard]] Result<net::H2StreamId> ask(const net::RequestHead& head) {
    return asks.request(head, false);
  }
  [[nodiscard]] bool still_serves() {
    const size_t before = opened.size();
    const auto id = ask(head());
    settle();
    return id && opened.size() == before + 1 && !asks.over() && !serves.over();
  }
  static net::RequestHead head() {
    net::RequestHead out;
    out.method = "GET";
    out.scheme = "https";
    out.authority = "cop-xaa.xbb.localhost:8443";
    out.path = "/tracks";
    return out;
  }
};

std::vector<net::H2Config> connections() {
  return {carrier_config().h2, link_carrier_config({}).h2};
}

}  // namespace

TEST_CASE("four thousand streams that end at once leave the connection to everybody else") {
  for (const net::H2Config& config : connections()) {
    for (const bool by_server : {false, true}) {
      CAPTURE(by_server);
      Wire wire(config);
      std::vector<net::H2StreamId> crowd;
      for (int i = 0; i < 4'000; ++i) crowd.push_back(wire.ask(Wire::head()).value());
      wire.settle();
      REQUIRE(wire.opened.size() == crowd.size());
      net::H2Session& ends = by_server ? wire.serves : wire.asks;
      for (const net::H2StreamId id : crowd) ends.fence(id);
      wire.settle();
      CHECK(wire.still_serves());
    }
  }
}

TEST_CASE("attack: one person who gives up requests all the time ends no connection that others use") {
  for (const net::H2Config& config : connections()) {
    Wire wire(config);
    for (int second = 0; second < 20; ++second) {
      wire.now = Tick(Seconds(second + 1));
      for (int i = 0; i < 200; ++i) {
        const net::H2StreamId id = wire.ask(Wire::head()).value();
        wire.settle();
        wire.asks.reset(id, net::H2Code::cancel);
        wire.asks.release(id);
        wire.settle();
        for (const net::H2StreamId there : wire.opened) wire.serves.release(there);
        wire.opened.clear();
      }
    }
    CHECK(wire.still_serves());
  }
}

TEST_CASE("attack: heads at the door's limits are no fault of the connection that carries them") {
  for (const net::H2Config& config : connections()) {
    Wire wire(config);
    net::RequestHead full = Wire::head();  // as many as the door takes, and what is added on the way
    for (int i = 0; i < 100; ++i) full.headers.add("x-field-" + std::to_string(i), "y");
    for (const char* name : {"entente-session", "entente-assertion", "entente-app"})
      full.headers.add(name, std::string(1'500, 'z'));
    net::RequestHead over = full;
    for (int i = 0; i < 100; ++i) over.headers.add("x-more-" + std::to_string(i), "y");
    net::RequestHead large = Wire::head();
    for (int i = 0; i < 3; ++i) large.headers.add("x-large", std::string(16'000, 'y'));
    for (int i = 0; i < 600; ++i) {
      CHECK(wire.ask(full));
      CHECK(wire.ask(over).error().code() == "h2.head");
      CHECK(wire.ask(large).error().code() == "h2.head");
      wire.settle();
    }
    CHECK(wire.opened.size() == 600);
    CHECK(wire.serves.counts().heads_refused == 0);
    CHECK(wire.still_serves());
  }
}

TEST_CASE("attack: an app that answers with too large a head is cut off alone") {
  for (const net::H2Config& config : connections()) {
    Wire wire(config);
    net::ResponseHead answer;
    answer.status = 200;
    for (int i = 0; i < 200; ++i) answer.headers.add("x-field-" + std::to_string(i), "y");
    CHECK(wire.ask(Wire::head()));
    wire.settle();
    CHECK(wire.serves.respond(wire.opened.back(), answer, true).error().code() == "h2.head");
    wire.settle();
    CHECK(wire.asks.counts().heads_refused == 0);
    CHECK(wire.still_serves());
  }
}

}  // namespace entente::exchange
