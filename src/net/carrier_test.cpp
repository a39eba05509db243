#include "net/carrier.h"

#include "net/loop.h"
#include "net/stream_for_test.h"

#include <string>

#include <doctest/doctest.h>

namespace entente::net {
namespace {

RequestHead ask(std::string path, std::string method = "GET") {
  RequestHead head;
  head.method = std::move(method);
  head.authority = "cop-xaa.xaa.localhost";
  head.path = std::move(path);
  return head;
}

ResponseHead answer(int status) {
  ResponseHead head = head_of(status);
  return head;
}

// What a test's handlers share with the test.
struct Host {
  explicit Host(Loop& its_loop) : loop(its_loop), go(its_loop) {}
  Loop& loop;
  std::shared_ptr<Gate> gate = std::make_shared<Gate>();
  Event go;
  size_t handled = 0;
  size_t ended = 0;
  std::string last_error;
  uint64_t framed = 0;
};

Task<Result<std::string>> read_text(ByteSource* source) {
  std::string out;
  std::vector<uint8_t> buffer(8192);
  while (true) {
    Result<size_t> got = co_await source->read(buffer);
    CO_TRY(const size_t count, std::move(got));
    if (count == 0) co_return out;
    out.append(reinterpret_cast<const char*>(buffer.data()), count);
  }
}

// "/echo" gives the request's body back, "/pour" sends without end, "/wait" answers when told, "/status" at
// once.
Task<void> serve(Host* host, CarrierStream stream) {
  ++host->handled;
  const std::string path = stream.request().path;
  if (path == "/wait") {
    const bool told = co_await host->go.wait(kNoTimeout);
    (void)told;
  }
  if (path == "/gated") stream.set_gate(host->gate);
  const bool whole = path == "/status" || path == "/wait";
  const auto responded = stream.respond(answer(200), whole);
  Result<uint64_t> moved;
  if (path == "/echo") {
    moved = co_await pump(host->loop, stream.body(), stream.sink());
    if (!moved) host->last_error = moved.error().code();
  }
  while (responded && (path == "/pour" || path == "/gated")) {
    const Bytes block(4096, 'x');
    Result<void> written = co_await stream.sink().write(block);
    if (!written) {
      host->last_error = written.error().code();
      break;
    }
  }
  if (path == "/silent") {
    std::vector<uint8_t> buffer(64);
    Result<size_t> got = co_await stream.body().read(buffer);
    if (!got) host->last_error = got.error().code();
  }
  host->framed = stream.bytes_out();
  ++host->ended;
}

Task<void> keep_end(Carrier carrier, std::optional<Result<void>>* into) {
  Result<void> ended = co_await carrier.run();
  *into = std::move(ended);
}

struct Pair {
  explicit Pair(Loop& loop, CarrierConfig client_config = {}, CarrierConfig server_config = {})
      : host(loop), ends(memory_pair(loop)) {
    client.emplace(Carrier::client(std::move(ends.a), client_config));
    Host* there = &host;
    server.emplace(Carrier::server(
        std::move(ends.b), [there](CarrierStream stream) { return serve(there, std::move(stream)); },
        server_config));
    loop.spawn(keep_end(*client, &client_end));
    loop.spawn(keep_end(*server, &server_end));
  }
  Host host;
  StreamPair ends;
  std::optional<Carrier> client;
  std::optional<Carrier> server;
  std::optional<Result<void>> client_end;
  std::optional<Result<void>> server_end;
};

Task<void> until(Loop* loop, const std::function<bool()>* reached) {
  while (!(*reached)()) co_await loop->sleep(Millis(1));
}
void run_until(Loop& loop, std::function<bool()> reached) {
  loop.run_until(until(&loop, &reached));
}

Task<void> feed(CarrierStream* stream, const std::string* text, bool* sent) {
  Result<void> written = co_await stream->sink().write(as_bytes(*text));
  if (written) written = co_await stream->sink().finish();
  *sent = written.has_value();
}

Task<Result<std::string>> echo(Carrier carrier, const std::string* text) {
  RequestHead asked = ask("/echo", "POST");
  Result<CarrierStream> opened = co_await carrier.open(asked, false);
  CO_TRY(CarrierStream stream, std::move(opened));
  bool sent = false;
  carrier.transport().loop().spawn(feed(&stream, text, &sent));
  Result<ResponseHead> head = co_await stream.read_head();
  CO_TRY_VOID(std::move(head));
  Result<std::string> back = co_await read_text(&stream.body());
  if (!sent) co_return fail("test.unsent", "the answer ended before the request");
  co_return back;
}

Task<std::string> status_of(Carrier carrier, std::string path) {
  RequestHead asked = ask(std::move(path));
  Result<CarrierStream> opened = co_await carrier.open(asked, true);
  if (!opened) co_return opened.error().code();
  Result<ResponseHead> head = co_await opened->read_head();
  if (!head) co_return head.error().code();
  co_return std::to_string(head->status);
}

Task<void> keep_status(Carrier carrier, std::string path, std::string* into) {
  std::string status = co_await status_of(std::move(carrier), std::move(path));
  *into = std::move(status);
}

// Opens a stream, reads `bytes` of its body and hands it to the test.
Task<Result<CarrierStream>> open_and_read(Carrier carrier, std::string path, size_t bytes) {
  RequestHead asked = ask(std::move(path));
  Result<CarrierStream> opened = co_await carrier.open(asked, false);
  CO_TRY(CarrierStream stream, std::move(opened));
  Result<ResponseHead> head = co_await stream.read_head();
  CO_TRY_VOID(std::move(head));
  std::vector<uint8_t> buffer(1024);
  for (size_t got = 0; got < bytes;) {
    Result<size_t> count = co_await stream.body().read(buffer);
    CO_TRY(const size_t some, std::move(count));
    got += some;
  }
  co_return std::move(stream);
}

}  // namespace

TEST_CASE("Bodies cross both ways, whole, with bounded memory") {
  Loop loop;
  Pair pair(loop);
  std::string text;
  for (int i = 0; text.size() < (8U << 20); ++i) text += std::to_string(i);
  const auto back = loop.run_until(echo(*pair.client, &text));
  REQUIRE(back);
  CHECK((*back == text));
  CHECK(pair.client->counts().streams == 0);
  CHECK(pair.server->counts().h2.unread_bytes == 0);
}

TEST_CASE("Whoever dialed, either side may be the one who asks") {
  Loop loop;
  StreamPair ends = memory_pair(loop);
  Host host(loop);
  Host* there = &host;
  Carrier accepter = Carrier::client(std::move(ends.b));
  Carrier dialer = Carrier::server(std::move(ends.a),
                                   [there](CarrierStream stream) { return serve(there, std::move(stream)); });
  std::optional<Result<void>> ended, other_ended;
  loop.spawn(keep_end(accepter, &ended));
  loop.spawn(keep_end(dialer, &other_ended));
  CHECK(loop.run_until(status_of(accepter, "/status")) == "200");
  accepter.close();
  run_until(loop, [&] { return ended && other_ended; });
  CHECK(ended->has_value());
  CHECK(other_ended->has_value());
}

TEST_CASE("A stream that nobody reads holds back its sender, and no other stream") {
  Loop loop;
  Pair pair(loop);
  auto poured = loop.run_until(open_and_read(*pair.client, "/pour", 1));
  REQUIRE(poured);
  run_until(loop, [&] { return pair.client->counts().h2.unread_bytes > 200 * 1024; });
  for (int i = 0; i < 20; ++i) CHECK(loop.run_until(status_of(*pair.client, "/status")) == "200");
  CHECK(pair.client->counts().h2.unread_bytes <= 256 * 1024);
  CHECK(pair.server->counts().h2.data_bytes_out <= 257 * 1024);
}

TEST_CASE("After a gate closes no byte of its stream leaves, and both sides know") {
  Loop loop;
  Pair pair(loop);
  auto gated = loop.run_until(open_and_read(*pair.client, "/gated", 64 * 1024));
  REQUIRE(gated);
  pair.host.gate->close();
  const uint64_t framed = pair.server->counts().h2.data_bytes_out;
  const auto rest = loop.run_until(read_text(&gated->body()));
  REQUIRE_FALSE(rest);
  CHECK(rest.error().code() == "h2.reset");
  run_until(loop, [&] { return pair.host.ended == 1; });
  CHECK(pair.host.last_error == "net.fenced");
  CHECK(pair.server->counts().h2.data_bytes_out == framed);
  CHECK(loop.run_until(status_of(*pair.client, "/status")) == "200");
}

TEST_CASE("fence() wakes who waits on a silent stream and resets it at the peer") {
  Loop loop;
  Pair pair(loop);
  auto silent = loop.run_until(open_and_read(*pair.client, "/silent", 0));
  REQUIRE(silent);
  silent->fence();
  const auto rest = loop.run_until(read_text(&silent->body()));
  REQUIRE_FALSE(rest);
  CHECK(rest.error().code() == "net.fenced");
  run_until(loop, [&] { return pair.host.ended == 1; });
  CHECK(pair.host.last_error == "h2.reset");
}

TEST_CASE("A WebSocket's bytes cross by extended CONNECT") {
  Loop loop;
  Pair pair(loop);
  RequestHead head = ask("/echo", "CONNECT");
  head.protocol = "websocket";
  auto opened = loop.run_until(pair.client->open(head, false));
  REQUIRE(opened);
  REQUIRE(loop.run_until(opened->read_head()));
  std::vector<uint8_t> buffer(64);
  for (const std::string text : {"tick", "tock"}) {
    REQUIRE(loop.run_until(opened->sink().write(as_bytes(text))));
    const auto got = loop.run_until(opened->body().read(buffer));
    REQUIRE(got);
    CHECK(as_text(ByteView(buffer).first(*got)) == text);
  }
}

TEST_CASE("Opening waits for room among the peer's streams") {
  Loop loop;
  CarrierConfig few;
  few.h2.streams_max = 2;
  Pair pair(loop, {}, few);
  std::string statuses[3];
  for (std::string& status : statuses) loop.spawn(keep_status(*pair.client, "/wait", &status));
  run_until(loop, [&] { return pair.host.handled == 2; });
  CHECK(statuses[2].empty());
  pair.host.go.set();
  run_until(loop, [&] { return !statuses[0].empty() && !statuses[1].empty() && !statuses[2].empty(); });
  for (const std::string& status : statuses) CHECK(status == "200");
}

TEST_CASE("Opening gives up when no room comes") {
  Loop loop;
  CarrierConfig few;
  few.h2.streams_max = 1;
  CarrierConfig hurried;
  hurried.open_timeout = Millis(20);
  Pair pair(loop, hurried, few);
  auto held = loop.run_until(open_and_read(*pair.client, "/silent", 0));
  REQUIRE(held);
  CHECK(loop.run_until(status_of(*pair.client, "/status")) == "h2.busy");
}

TEST_CASE("Opening gives up sooner for whoever has less time than the connection gives") {
  Loop loop;
  CarrierConfig few;
  few.h2.streams_max = 1;
  CarrierConfig patient;
  patient.open_timeout = kNoTimeout;
  Pair pair(loop, patient, few);
  auto held = loop.run_until(open_and_read(*pair.client, "/silent", 0));
  REQUIRE(held);
  RequestHead head = ask("/status");
  const auto opened = loop.run_until(pair.client->open(head, true, nullptr, Millis(20)));
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code() == "h2.busy");
}

TEST_CASE("A drained connection finishes what is open, then ends in order") {
  Loop loop;
  Pair pair(loop);
  std::string status;
  loop.spawn(keep_status(*pair.client, "/wait", &status));
  run_until(loop, [&] { return pair.host.handled == 1; });
  pair.server->drain();
  std::string late = "200";
  while (late == "200") late = loop.run_until(status_of(*pair.client, "/status"));
  CHECK((late == "h2.closed" || late == "h2.refused"));  // what was on its way is refused: nothing was done
  CHECK(loop.run_until(status_of(*pair.client, "/status")) == "h2.closed");
  pair.host.go.set();
  run_until(loop, [&] { return pair.client_end && pair.server_end; });
  CHECK(status == "200");
  CHECK(pair.client_end->has_value());
  CHECK(pair.server_end->has_value());
}

TEST_CASE("When the transport breaks, every stream hears of it") {
  Loop loop;
  Pair pair(loop);
  auto held = loop.run_until(open_and_read(*pair.client, "/pour", 1));
  REQUIRE(held);
  std::string waiting;
  loop.spawn(keep_status(*pair.client, "/wait", &waiting));
  run_until(loop, [&] { return pair.host.handled == 2; });
  pair.server->abort();
  run_until(loop, [&] { return pair.client_end && pair.server_end && !waiting.empty(); });
  CHECK_FALSE(pair.client_end->has_value());
  CHECK(waiting == "h2.closed");
  CHECK(pair.client->over());
  CHECK(loop.run_until(status_of(*pair.client, "/status")) == "h2.closed");
}

TEST_CASE("A peer that no longer answers is given up") {
  Loop loop;
  StreamPair ends = memory_pair(loop);
  CarrierConfig config;
  config.ping_interval = Millis(5);
  config.ping_timeout = Millis(20);
  Carrier carrier = Carrier::client(std::move(ends.a), config);
  const auto ended = loop.run_until(carrier.run());
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code() == "net.timeout");
}

TEST_CASE("A peer that answers pings is kept, and its distance is known") {
  Loop loop;
  CarrierConfig config;
  config.ping_interval = Millis(2);
  config.ping_timeout = Millis(2000);
  Pair pair(loop, config);
  run_until(loop, [&] { return pair.client->counts().round_trip >= Millis(0); });
  CHECK(loop.run_until(status_of(*pair.client, "/status")) == "200");
}

TEST_CASE("A peer that speaks no HTTP/2 is told why and dropped") {
  Loop loop;
  StreamPair ends = memory_pair(loop);
  Carrier carrier = Carrier::server(std::move(ends.a), nullptr);
  REQUIRE(loop.run_until(ends.b->write_all(as_bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Millis(1000))));
  std::optional<Result<void>> ended;
  loop.spawn(keep_end(carrier, &ended));
  std::vector<uint8_t> buffer(4096);
  CHECK(loop.run_until(ends.b->read_some(buffer, Millis(1000))).value_or(0) > 0);
  ends.b.reset();
  run_until(loop, [&] { return ended.has_value(); });
  REQUIRE_FALSE(ended->has_value());
  CHECK(ended->error().code() == "h2.protocol");
}

TEST_CASE("A handler that ends without an answer resets its stream") {
  Loop loop;
  StreamPair ends = memory_pair(loop);
  Carrier client = Carrier::client(std::move(ends.a));
  Carrier server = Carrier::server(std::move(ends.b), [](CarrierStream) -> Task<void> { co_return; });
  std::optional<Result<void>> one, other;
  loop.spawn(keep_end(client, &one));
  loop.spawn(keep_end(server, &other));
  CHECK(loop.run_until(status_of(client, "/")) == "h2.reset");
}

TEST_CASE("A loop may end in the middle of everything") {
  auto loop = std::make_unique<Loop>();
  auto pair = std::make_unique<Pair>(*loop);
  std::string status;
  loop->spawn(keep_status(*pair->client, "/wait", &status));
  auto held = loop->run_until(open_and_read(*pair->client, "/pour", 1));
  CHECK(held.has_value());
  held = fail("test.done", "given up");
  pair->client.reset();
  pair->server.reset();
  loop.reset();
}

}  // namespace entente::net
