// A browser's HTTP/2 connection: the same calls as over HTTP/1.1.
#include "net/carrier.h"
#include "net/h2_for_test.h"
#include "net/http_server_internal.h"
#include "net/stream_for_test.h"

#include <thread>

namespace entente::net {
namespace {

using namespace testing;

constexpr Millis kPatience{10'000};

ResponseHead status(int code) {
  ResponseHead head = head_of(code);
  return head;
}

RequestHead ask(std::string method, std::string path) {
  RequestHead head;
  head.method = std::move(method);
  head.authority = "cop-xaa.xbb.localhost:8443";
  head.scheme = "https";
  head.path = std::move(path);
  return head;
}

// What the handlers share with a test.
struct Desk {
  explicit Desk(Loop& its_loop) : gone(its_loop) {}
  std::shared_ptr<Gate> gate = std::make_shared<Gate>();
  Event gone;
  std::string error;
  RequestHead head;
};

Task<void> echo(HttpCall& call) {
  const std::optional<uint64_t> length =
      call.framing().kind == BodyKind::length ? std::optional(call.framing().length) : std::nullopt;
  CHECK(call.start(status(200), length));
  [[maybe_unused]] const Result<uint64_t> moved = co_await pump(call.loop(), call.body(), call.answer_body());
}

Task<void> tunnel(HttpCall& call) {
  CHECK(call.upgrade() == "websocket");
  CHECK(call.head().method == "GET");
  Headers fields = {{"Sec-WebSocket-Protocol", "chat"}};
  Result<std::unique_ptr<Tunnel>> taken = co_await call.take_over(std::move(fields));
  CHECK(taken);
  if (!taken) co_return;
  [[maybe_unused]] const Result<uint64_t> moved =
      co_await pump(call.loop(), (*taken)->source(), (*taken)->sink());
}

Task<void> gated(HttpCall& call, Desk* desk) {
  call.set_gate(desk->gate);
  CHECK(call.start(status(200), std::nullopt));
  const std::string text = "seen";
  Result<void> first = co_await call.answer_body().write(as_bytes(text));
  CHECK(first);
  co_await call.loop().sleep(Millis(5));
  desk->gate->close();
  const std::string secret = "unseen";
  Result<void> second = co_await call.answer_body().write(as_bytes(secret));
  desk->error = second ? "" : second.error().code();
}

// Held before its answer begins: nothing of it, not even its head, may leave.
Task<void> held(HttpCall& call, Desk* desk) {
  call.set_gate(desk->gate);
  desk->gate->close();
  CHECK(call.start(status(200), std::nullopt));
  co_await call.loop().sleep(Millis(20));
  desk->gate->open();
  const std::string text = "later";
  Result<void> sent = co_await call.answer_body().write(as_bytes(text));
  CHECK(sent);
  sent = co_await call.answer_body().finish();
  CHECK(sent);
}

Task<void> wait_for_the_end(HttpCall& call, Desk* desk) {
  call.when_gone([desk] { desk->gone.set(); });
  const bool gone = co_await desk->gone.wait(kPatience);
  CHECK(gone);
  call.when_gone(nullptr);
}

Task<void> read_body(HttpCall& call, Desk* desk) {
  Result<std::string> body = co_await call.read_all(1000);
  desk->error = body ? "" : body.error().code();
  std::string text = body ? "got " + *body : "";
  ResponseHead head = status(body ? 200 : 413);
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), std::move(text));
}

Task<void> short_answer(HttpCall& call) {
  CHECK(call.start(status(200), 10));
  const std::string half = "12345";
  [[maybe_unused]] const Result<void> written = co_await call.answer_body().write(as_bytes(half));
  [[maybe_unused]] const Result<void> ended = co_await call.answer_body().finish();
}

Task<void> plain(HttpCall& call, int code) {
  ResponseHead head = status(code);
  head.headers.add("Connection", "close");  // not the handler's to say
  std::string text = "hello " + call.head().path;
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), std::move(text));
}

Task<void> large_head(HttpCall& call) {
  ResponseHead head = status(200);
  for (int i = 0; i < 110; ++i) head.headers.add("x-" + std::to_string(i), std::string(200, 'a'));
  std::string text = "whole";
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), std::move(text));
}

Task<void> nothing() {
  co_return;
}

Task<void> handle(HttpCall& call, Desk* desk) {
  desk->head = call.head();
  const std::string& path = call.head().path;
  if (path == "/echo") return echo(call);
  if (path == "/ws") return tunnel(call);
  if (path == "/gated") return gated(call, desk);
  if (path == "/held") return held(call, desk);
  if (path == "/wait") return wait_for_the_end(call, desk);
  if (path == "/body") return read_body(call, desk);
  if (path == "/short") return short_answer(call);
  if (path == "/nothing") return nothing();
  if (path == "/large-head") return large_head(call);
  return plain(call, path == "/204" ? 204 : 200);
}

Task<void> keep_end(Carrier carrier, std::optional<Result<void>>* into) {
  Result<void> ended = co_await carrier.run();
  *into = std::move(ended);
}

struct BrowserTest {
  Loop loop;
  Desk desk{loop};
  StreamPair pair = memory_pair(loop);
  std::shared_ptr<HttpService> service = std::make_shared<HttpService>();
  std::optional<Carrier> browser;
  std::optional<Result<void>> end;
  explicit BrowserTest(HttpServerLimits limits = {}) {
    service->limits = limits;
    service->handle = [this](HttpCall& call) { return handle(call, &desk); };
    loop.spawn(serve_h2(std::move(pair.b), service));
  }
  Carrier& dial() {
    browser.emplace(Carrier::client(std::move(pair.a)));
    loop.spawn(keep_end(*browser, &end));
    return *browser;
  }
  std::string fetch(RequestHead head, std::string body = {});
};

Task<std::string> fetch_on(Carrier carrier, RequestHead head, std::string body) {
  Result<CarrierStream> opened = co_await carrier.open(head, body.empty());
  if (!opened) co_return "!" + opened.error().code();
  if (!body.empty()) {
    Result<void> sent = co_await opened->sink().write(as_bytes(body));
    if (sent) sent = co_await opened->sink().finish();
  }
  Result<ResponseHead> answer = co_await opened->read_head();
  if (!answer) co_return "!" + answer.error().code();
  CHECK_FALSE(answer->headers.has("connection"));
  std::string text = std::to_string(answer->status) + " ";
  if (answer->headers.has("content-length"))
    text += "[" + std::string(answer->headers.get("content-length")) + "]";
  std::vector<uint8_t> buffer(16 * 1024);
  for (;;) {
    Result<size_t> got = co_await opened->body().read(buffer);
    if (!got) co_return text + "!" + got.error().code();
    if (*got == 0) co_return text;
    text.append(as_text(ByteView(buffer).first(*got)));
  }
}

std::string BrowserTest::fetch(RequestHead head, std::string body) {
  if (!browser) dial();
  return loop.run_until(fetch_on(*browser, std::move(head), std::move(body)));
}

struct Frame {
  uint8_t type = 0, flags = 0;
  uint32_t stream = 0;
};
struct Heard {
  Bytes bytes;
  bool ended = false;
  [[nodiscard]] std::vector<Frame> frames() const {
    std::vector<Frame> all;
    for (size_t at = 0; at + 9 <= bytes.size();) {
      const auto byte = [&](size_t i) { return size_t{bytes[at + i]}; };
      all.push_back({bytes[at + 3], bytes[at + 4], static_cast<uint32_t>(byte(8))});
      at += 9 + (byte(0) << 16 | byte(1) << 8 | byte(2));
    }
    return all;
  }
  [[nodiscard]] size_t count(uint8_t type, uint32_t stream) const {
    size_t found = 0;
    for (const Frame& frame : frames()) found += frame.type == type && frame.stream == stream ? 1 : 0;
    return found;
  }
};

// Sends bytes by hand and hears what comes until the other side is quiet for a moment, or ends.
Task<void> talk(Stream& stream, Bytes bytes, Heard& heard, Millis quiet) {
  Result<void> sent = co_await stream.write_all(ByteView(bytes), kPatience);
  std::vector<uint8_t> buffer(16 * 1024);
  while (sent) {
    Result<size_t> got = co_await stream.read_some(buffer, quiet);
    heard.ended = !got ? got.error().code() != "net.timeout" : *got == 0;
    if (!got || *got == 0) co_return;
    heard.bytes.insert(heard.bytes.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*got));
  }
}

constexpr uint8_t kData = 0, kHeaders = 1, kReset = 3, kGoAway = 7;

}  // namespace

TEST_CASE("Over HTTP/2 calls are what they are over HTTP/1.1") {
  BrowserTest t;
  CHECK(t.fetch(ask("GET", "/a")) == "200 [8]hello /a");
  CHECK(t.desk.head.authority == "cop-xaa.xbb.localhost:8443");
  CHECK(t.desk.head.version == HttpVersion::http2);
  CHECK(t.fetch(ask("HEAD", "/a")) == "200 [8]");
  CHECK(t.fetch(ask("GET", "/204")) == "204 ");
  CHECK(t.fetch(ask("GET", "/nothing")) == "500 [0]");
  CHECK(t.fetch(ask("GET", "/short")) == "!h2.reset");
  CHECK(t.fetch(ask("GET", "/large-head")) == "200 [5]whole");
  CHECK(t.fetch(ask("POST", "/body"), "abc") == "200 [7]got abc");
  CHECK(t.fetch(ask("POST", "/body"), std::string(2000, 'x')) == "413 [0]");
  CHECK(t.desk.error == "http.body_too_large");
  RequestHead sized = ask("POST", "/echo");
  sized.headers.add("Content-Length", "5");
  CHECK(t.fetch(std::move(sized), "12345") == "200 [5]12345");
}

TEST_CASE("Large bodies stream both ways over HTTP/2") {
  BrowserTest t;
  Carrier& carrier = t.dial();
  const auto both = [](Carrier browser) -> Task<uint64_t> {
    RequestHead asked = ask("POST", "/echo");
    Result<CarrierStream> opened = co_await browser.open(asked, false);
    CHECK(opened);
    CarrierStream& stream = *opened;
    browser.transport().loop().spawn([](CarrierStream* up) -> Task<void> {
      const Bytes block(64 * 1024, 'x');
      for (int i = 0; i < 256; ++i) {
        Result<void> sent = co_await up->sink().write(block);
        CHECK(sent);
      }
      Result<void> ended = co_await up->sink().finish();
      CHECK(ended);
    }(&stream));
    Result<ResponseHead> head = co_await stream.read_head();
    CHECK(head);
    std::vector<uint8_t> buffer(64 * 1024);
    uint64_t sum = 0;
    for (;;) {
      Result<size_t> got = co_await stream.body().read(buffer);
      CHECK(got);
      if (!got || *got == 0) co_return sum;
      sum += *got;
    }
  };
  CHECK(t.loop.run_until(both(carrier)) == 16 << 20);
}

TEST_CASE("A WebSocket's extended CONNECT is an upgrade like any other") {
  BrowserTest t;
  RequestHead head = ask("CONNECT", "/ws");
  head.protocol = "websocket";
  head.headers.add("Sec-WebSocket-Version", "13");
  Carrier& carrier = t.dial();
  const auto talk = [](Carrier browser, RequestHead first) -> Task<std::string> {
    Result<CarrierStream> opened = co_await browser.open(first, false);
    CHECK(opened);
    Result<ResponseHead> answer = co_await opened->read_head();
    CHECK(answer);
    CHECK(answer->status == 200);
    CHECK(answer->headers.get("sec-websocket-protocol") == "chat");
    CHECK_FALSE(answer->headers.has("sec-websocket-accept"));
    const std::string text = "frames";
    Result<void> sent = co_await opened->sink().write(as_bytes(text));
    CHECK(sent);
    std::vector<uint8_t> buffer(64);
    Result<size_t> got = co_await opened->body().read(buffer);
    CHECK(got);
    co_return std::string(as_text(ByteView(buffer).first(got.value_or(0))));
  };
  CHECK(t.loop.run_until(talk(carrier, head)) == "frames");
  head.headers.set("Sec-WebSocket-Version", "8");
  CHECK(t.fetch(std::move(head)) == "400 [0]");
}

TEST_CASE("What is asked wrongly is refused before a handler sees it") {
  BrowserTest t;
  RequestHead plain_text = ask("GET", "/a");
  plain_text.scheme = "http";
  CHECK(t.fetch(std::move(plain_text)) == "400 [0]");
  BrowserTest raw;
  Attacker attacker;
  attacker.headers(1, with(kGet, {{"expect", "something"}}))
      .headers(3, {{":method", "CONNECT"}, {":authority", "a.example:443"}})
      .headers(5, {kGet[0], kGet[1], kGet[2], {":path", "https://b.example/"}});
  Heard heard;
  raw.loop.run_until(talk(*raw.pair.a, attacker.bytes, heard, Millis(50)));
  CHECK(heard.count(kHeaders, 1) == 1);
  CHECK(heard.count(kReset, 3) == 1);
  CHECK(heard.count(kReset, 5) == 1);
  CHECK(raw.desk.head.method.empty());
}

TEST_CASE("After its gate closes no byte of an answer leaves, and the connection goes on") {
  BrowserTest t;
  CHECK(t.fetch(ask("GET", "/gated")) == "200 seen!h2.reset");
  CHECK(t.desk.error == "net.fenced");
  CHECK(t.fetch(ask("GET", "/a")) == "200 [8]hello /a");
}

TEST_CASE("An answer that begins while its session is held keeps its head until it is released") {
  BrowserTest t;
  CHECK(t.fetch(ask("GET", "/held")) == "200 later");
}

TEST_CASE("A client that gives a call up is noticed before anything is written") {
  BrowserTest t;
  Carrier& carrier = t.dial();
  const auto give_up = [](Carrier browser) -> Task<void> {
    RequestHead asked = ask("GET", "/wait");
    Result<CarrierStream> opened = co_await browser.open(asked, true);
    CHECK(opened);
    co_await browser.transport().loop().sleep(Millis(5));
    opened->reset(H2Code::cancel);
  };
  t.loop.run_until(give_up(carrier));
  t.loop.run_until([](Desk* desk) -> Task<void> {
    const bool gone = co_await desk->gone.wait(kPatience);
    CHECK(gone);
  }(&t.desk));
}

TEST_CASE("100 Continue is sent when the body is wanted") {
  BrowserTest t;
  Attacker attacker;
  attacker.headers(1, {{":method", "POST"}, kGet[1], kGet[2], {":path", "/body"}, {"expect", "100-continue"}},
                   false);
  Heard heard;
  t.loop.run_until(talk(*t.pair.a, attacker.bytes, heard, Millis(50)));
  CHECK(heard.count(kHeaders, 1) == 1);
  CHECK(heard.count(kData, 1) == 0);
  attacker.bytes.clear();
  attacker.frame(0, 1, 1, to_bytes("abc"));
  t.loop.run_until(talk(*t.pair.a, attacker.bytes, heard, Millis(50)));
  CHECK(heard.count(kHeaders, 1) == 2);
  CHECK(heard.count(kData, 1) == 1);
  CHECK_FALSE(heard.ended);
}

TEST_CASE("A flood on a browser's connection ends it") {
  BrowserTest t;
  Attacker attacker;
  for (uint32_t stream = 1; stream < 2000; stream += 2)
    attacker.headers(stream, kGet, false).frame(3, 0, stream, {0, 0, 0, 8});
  Heard heard;
  t.loop.run_until(talk(*t.pair.a, attacker.bytes, heard, kPatience));
  CHECK(heard.ended);
  CHECK(heard.count(kGoAway, 0) >= 1);
}

TEST_CASE("A connection with no request, or none any more, is ended; slow bodies are given up") {
  HttpServerLimits limits;
  limits.head_timeout = Millis(30);
  limits.idle_timeout = Millis(30);
  limits.body_timeout = Millis(30);
  SUBCASE("no request") {
    BrowserTest t(limits);
    Heard heard;
    t.loop.run_until(talk(*t.pair.a, Attacker().bytes, heard, kPatience));
    CHECK(heard.ended);
    CHECK(heard.count(kGoAway, 0) == 1);
  }
  SUBCASE("not even HTTP/2") {
    BrowserTest t(limits);
    Heard heard;
    t.loop.run_until(talk(*t.pair.a, to_bytes("GET / HTTP/1.1\r\n\r\n"), heard, kPatience));
    CHECK(heard.ended);
  }
  SUBCASE("none any more") {
    BrowserTest t(limits);
    CHECK(t.fetch(ask("GET", "/a")) == "200 [8]hello /a");
    t.loop.run_until([](const std::optional<Result<void>>* end, Loop* loop) -> Task<void> {
      while (!*end) co_await loop->sleep(Millis(5));
    }(&t.end, &t.loop));
    CHECK(t.end->has_value());
  }
  SUBCASE("a slow body") {
    BrowserTest t(limits);
    Carrier& carrier = t.dial();
    const auto dawdle = [](Carrier browser) -> Task<int> {
      RequestHead asked = ask("POST", "/body");
      Result<CarrierStream> opened = co_await browser.open(asked, false);
      CHECK(opened);
      Result<ResponseHead> answer = co_await opened->read_head();
      co_return answer ? answer->status : 0;
    };
    CHECK(t.loop.run_until(dawdle(carrier)) == 413);
    CHECK(t.desk.error == "net.timeout");
  }
}

TEST_CASE("A connection serves no more than its number of requests, and none after it is told to end") {
  HttpServerLimits limits;
  limits.requests_max = 2;
  BrowserTest t(limits);
  CHECK(t.fetch(ask("GET", "/a")) == "200 [8]hello /a");
  CHECK(t.fetch(ask("GET", "/b")) == "200 [8]hello /b");
  CHECK(t.fetch(ask("GET", "/c")) == "!h2.closed");
  BrowserTest told;
  CHECK(told.fetch(ask("GET", "/a")) == "200 [8]hello /a");
  told.service->connections->drain();
  told.loop.run_until([](const std::optional<Result<void>>* end, Loop* loop) -> Task<void> {
    while (!*end) co_await loop->sleep(Millis(5));
  }(&told.end, &told.loop));
  CHECK(told.service->connections->all.empty());
}

TEST_CASE("A connection goes to the loop of its first request; names of other loops are misdirected there") {
  Loop a, b;
  const auto on_a = std::make_shared<HttpService>();
  const auto on_b = std::make_shared<HttpService>();
  on_a->loop = &a;
  on_b->loop = &b;
  for (const auto& service : {on_a, on_b}) {
    service->handle = [raw = service.get()](HttpCall& call) {
      CHECK(raw->loop->in_loop());
      CHECK(&call.loop() == raw->loop);
      return plain(call, 200);
    };
    service->place = [on_a, on_b](const RequestHead& head) {
      return head.path == "/a" ? on_a : head.path == "/b" ? on_b : nullptr;
    };
  }
  std::thread first([&] { a.run(); });
  std::thread second([&] { b.run(); });
  {
    Loop asking;
    auto sockets = socket_pair().value();
    std::unique_ptr<Stream> server = make_stream(a, std::move(sockets.second));
    Carrier browser = Carrier::client(make_stream(asking, std::move(sockets.first)));
    std::optional<Result<void>> end;
    asking.spawn(keep_end(browser, &end));
    a.spawn(serve_h2(std::move(server), on_a));
    CHECK(asking.run_until(fetch_on(browser, ask("GET", "/b"), "")) == "200 [8]hello /b");
    CHECK(asking.run_until(fetch_on(browser, ask("GET", "/a"), "")) == "421 [0]");
    CHECK(asking.run_until(fetch_on(browser, ask("GET", "/c"), "")) == "200 [8]hello /c");
    CHECK(asking.run_until(fetch_on(browser, ask("GET", "/b"), "")) == "200 [8]hello /b");
  }
  a.stop();
  b.stop();
  first.join();
  second.join();
  on_a->place = on_b->place = nullptr;
}

}  // namespace entente::net
