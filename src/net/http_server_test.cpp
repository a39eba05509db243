#include "net/http_server.h"

#include "net/http_client.h"
#include "net/net_for_test.h"
#include "net/stream_for_test.h"

#include <string>
#include <thread>

#include <doctest/doctest.h>

namespace entente::net {

namespace {

constexpr Millis kPatience{10'000};

ResponseHead status(int code) {
  ResponseHead head = head_of(code);
  return head;
}

Task<void> echo_body(HttpCall& call) {
  Result<void> begun =
      call.start(status(200), call.framing().kind == BodyKind::length ? std::optional(call.framing().length)
                                                                      : std::nullopt);
  CHECK(begun);
  Result<uint64_t> moved = co_await pump(call.loop(), call.body(), call.answer_body());
  (void)moved;
}

Task<void> take_over_and_echo(HttpCall& call) {
  Headers none;
  Result<std::unique_ptr<Tunnel>> tunnel = co_await call.take_over(std::move(none));
  CHECK(tunnel);
  if (!tunnel) co_return;
  Result<uint64_t> moved = co_await pump(call.loop(), (*tunnel)->source(), (*tunnel)->sink());
  CHECK(moved);
}

Task<void> half_an_answer(HttpCall& call) {
  Result<void> begun = call.start(status(200), 10);
  CHECK(begun);
  const std::string half = "12345";
  Result<void> written = co_await call.answer_body().write(as_bytes(half));
  CHECK(written);
}

Task<void> held(HttpCall& call) {
  auto gate = std::make_shared<Gate>();
  call.set_gate(gate);
  Result<void> begun = call.start(status(200), std::nullopt);
  CHECK(begun);
  const std::string text = "seen";
  Result<void> first = co_await call.answer_body().write(as_bytes(text));
  CHECK(first);
  gate->close();
  const std::string secret = "unseen";
  Result<void> second = co_await call.answer_body().write(as_bytes(secret));
  CHECK(second.error().code() == "net.fenced");
}

Task<void> answer_body(HttpCall& call) {
  Result<std::string> body = co_await call.read_all(1000);
  ResponseHead head = status(body ? 200 : 413);
  std::string text = body ? "got " + *body : body.error().code();
  Result<void> sent = co_await call.answer(std::move(head), std::move(text));
  (void)sent;
}

Task<void> hello(HttpCall& call) {
  ResponseHead head = status(200);
  head.headers.add("Content-Length", "999");  // not the handler's to say
  std::string text = "hello " + call.head().path;
  Result<void> sent = co_await call.answer(std::move(head), std::move(text));
  (void)sent;
}

Task<void> silent(HttpCall&) {
  co_return;
}

Task<void> handle(HttpCall& call) {
  const std::string& path = call.head().path;
  if (path == "/echo") return echo_body(call);
  if (path == "/ws") return take_over_and_echo(call);
  if (path == "/half") return half_an_answer(call);
  if (path == "/held") return held(call);
  if (path == "/body") return answer_body(call);
  if (path == "/silent") return silent(call);
  return hello(call);
}

struct ServerTest {
  Loop loop;
  StreamPair pair = memory_pair(loop);
  explicit ServerTest(HttpServerLimits limits = {}) {
    auto service = std::make_shared<const HttpService>(HttpService{limits, handle});
    loop.spawn(serve_http(std::move(pair.b), service));
  }
  // Sends text, ends our direction if `end`, and gives all that comes back, Date lines taken out.
  std::string talk(std::string text, bool end = true);
};

Task<std::string> talk_to(Stream& stream, std::string text, bool end) {
  Result<void> sent = co_await stream.write_all(as_bytes(text), kPatience);
  CHECK(sent);
  if (end) {
    Result<void> ended = co_await stream.shutdown_write(kPatience);
    (void)ended;
  }
  std::string all;
  std::array<uint8_t, 4096> buffer;
  for (;;) {
    Result<size_t> got = co_await stream.read_some(buffer, kPatience);
    if (!got) co_return all + "!" + got.error().code();
    if (*got == 0) co_return all;
    all.append(as_text(ByteView(buffer).first(*got)));
  }
}

std::string ServerTest::talk(std::string text, bool end) {
  std::string all = loop.run_until(talk_to(*pair.a, std::move(text), end));
  for (size_t at = all.find("Date: "); at != std::string::npos; at = all.find("Date: ")) {
    all.erase(at, all.find('\n', at) + 1 - at);
  }
  return all;
}

const std::string kHost = "Host: x.localhost\r\n";

Task<FetchResponse> ask_path(HttpClient& client, std::string method, std::string path, std::string body) {
  RequestHead head;
  head.method = std::move(method);
  head.path = std::move(path);
  head.authority = "x.localhost";
  Result<FetchResponse> response = co_await ask(client, std::move(head), std::move(body));
  CHECK_MESSAGE(response, (response ? "" : response.error().text()));
  if (!response) co_return FetchResponse{};
  co_return std::move(*response);
}

Task<void> send_chunks(HttpClient* client, int count) {
  const std::string chunk(10'000, 'c');
  for (int i = 0; i < count; ++i) {
    Result<void> sent = co_await client->request_body().write(as_bytes(chunk));
    CHECK(sent);
  }
  Result<void> ended = co_await client->request_body().finish();
  CHECK(ended);
}

Task<uint64_t> stream_both_ways(Loop& loop, HttpClient& client, int count) {
  RequestHead head;
  head.method = "POST";
  head.path = "/echo";
  head.authority = "x.localhost";
  BodyFraming framing{.kind = BodyKind::chunked, .length = 0};
  CHECK(client.start(std::move(head), framing));
  loop.spawn(send_chunks(&client, count));
  Result<ResponseHead> answer = co_await client.read_head();
  CHECK(answer);
  CHECK(client.framing().kind == BodyKind::chunked);
  uint64_t sum = 0;
  Buffer buffer = loop.lend(Loop::kRelayBufferBytes);
  for (;;) {
    Result<size_t> got = co_await client.response_body().read(buffer.span());
    CHECK(got);
    if (!got || *got == 0) co_return sum;
    sum += *got;
  }
}

Task<std::string> upgrade(HttpClient& client) {
  RequestHead head;
  head.method = "GET";
  head.path = "/ws";
  head.authority = "x.localhost";
  head.headers.add("Upgrade", "websocket");
  head.headers.add("Sec-WebSocket-Version", "13");
  head.headers.add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
  CHECK(client.start(std::move(head)));
  Result<ResponseHead> answer = co_await client.read_head();
  CHECK(answer);
  CHECK(client.framing().kind == BodyKind::upgrade);
  CHECK(answer->headers.get("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  Result<Upgraded> taken = client.take_over();
  CHECK(taken);
  std::string text = "opaque \xff bytes";
  std::string back = co_await talk_to(*taken->stream, std::move(text), true);
  co_return as_text(taken->leftover).data() == nullptr ? back : std::string(as_text(taken->leftover)) + back;
}

Task<void> serve_tls(Loop* loop, Listener* listener, const TlsServer* server,
                     std::shared_ptr<const HttpService> service) {
  for (;;) {
    Result<Socket> socket = co_await listener->accept();
    if (!socket) co_return;
    Result<std::unique_ptr<Stream>> stream = co_await server->accept(*loop, std::move(*socket));
    if (stream) loop->spawn(serve_http(std::move(*stream), service));
  }
}

Task<std::string> fetch_text(Loop& loop, std::string url, const TlsClient& client, size_t body_max,
                             Millis timeout) {
  FetchRequest request;
  request.url = std::move(url);
  request.body_max = body_max;
  request.timeout = timeout;
  Result<FetchResponse> response = co_await fetch(loop, std::move(request), client);
  if (!response) co_return "!" + response.error().code();
  co_return std::to_string(response->status) + " " + response->body;
}

}  // namespace

TEST_CASE("requests are answered in turn on one connection, pipelined ones too") {
  ServerTest t;
  const std::string one = "GET /a HTTP/1.1\r\n" + kHost + "\r\n";
  const std::string two = "GET /b HTTP/1.1\r\n" + kHost + "Connection: close\r\n\r\n";
  CHECK(t.talk(one + two, false) ==
        "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhello /a"
        "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nhello /b");
}

TEST_CASE("HEAD gets the length and no body") {
  ServerTest t;
  CHECK(t.talk("HEAD /a HTTP/1.1\r\n" + kHost + "\r\n") == "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
}

TEST_CASE("a handler that answers nothing gives 500") {
  ServerTest t;
  CHECK(t.talk("GET /silent HTTP/1.1\r\n" + kHost + "\r\n") ==
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("an answer that ends early breaks the connection, so that nobody takes it for whole") {
  ServerTest t;
  CHECK(t.talk("GET /half HTTP/1.1\r\n" + kHost + "\r\n", false).ends_with("!net.reset"));
}

TEST_CASE("after the gate closes no byte of the answer goes out") {
  ServerTest t;
  CHECK(t.talk("GET /held HTTP/1.1\r\n" + kHost + "\r\n", false).find("unseen") == std::string::npos);
}

TEST_CASE("smuggling attempts are refused shortly and the connection ends") {
  for (const char* fields :
       {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length : 3\r\n", "X: a\r\n b\r\n", "X: a\nY: b\r\n"}) {
    ServerTest t;
    CHECK(t.talk("POST /body HTTP/1.1\r\n" + kHost + fields + "\r\nabcGET /b HTTP/1.1\r\n" + kHost +
                 "\r\n") == "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  }
}

TEST_CASE("a head over 16 KiB is refused with 431") {
  ServerTest t;
  const std::string huge = "X: " + std::string(15'000, 'x') + "\r\nY: " + std::string(5'000, 'y') + "\r\n";
  const std::string answer = t.talk("GET / HTTP/1.1\r\n" + kHost + huge + "\r\n");
  CHECK(answer.starts_with("HTTP/1.1 431 "));
  // Else a browser whose cookies are as many as that could never come back.
  CHECK(answer.find("\r\nClear-Site-Data: \"cookies\"\r\n") != std::string::npos);
  CHECK(answer.ends_with("and sign in.\n"));
}

TEST_CASE("chunked bodies are read, whatever pieces they come in, and the next request is found") {
  ServerTest t;
  const std::string chunked = "POST /body HTTP/1.1\r\n" + kHost +
                              "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n";
  CHECK(t.talk(chunked + "GET /b HTTP/1.1\r\n" + kHost + "\r\n") ==
        "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\ngot abcdefg"
        "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhello /b");
}

TEST_CASE("a body that nobody read does not become the next request") {
  ServerTest t;
  const std::string hidden = "GET /hidden HTTP/1.1\r\n" + kHost + "\r\n";
  const std::string post = "POST /a HTTP/1.1\r\n" + kHost +
                           "Content-Length: " + std::to_string(hidden.size()) + "\r\n\r\n" + hidden;
  CHECK(t.talk(post) == "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhello /a");
}

TEST_CASE("100 Continue is sent when the body is wanted, and only then") {
  const std::string post =
      "POST /body HTTP/1.1\r\n" + kHost + "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n";
  HttpServerLimits limits;
  limits.body_timeout = Millis(5);
  ServerTest reads(limits);
  CHECK(reads.talk(post, false).starts_with("HTTP/1.1 100 Continue\r\n\r\n"));
  ServerTest ignores;
  CHECK(ignores.talk("POST /a" + post.substr(10), true) ==
        "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nhello /a");
}

TEST_CASE("slow heads, slow bodies and idle connections are cut") {
  HttpServerLimits limits;
  limits.head_timeout = Millis(5);
  limits.idle_timeout = Millis(5);
  limits.body_timeout = Millis(5);
  SUBCASE("head") {
    ServerTest t(limits);
    CHECK(t.talk("GET / HT", false).starts_with("HTTP/1.1 408 "));
  }
  SUBCASE("nothing at all") {
    ServerTest t(limits);
    CHECK(t.talk("", false).empty());
  }
  SUBCASE("idle") {
    ServerTest t(limits);
    CHECK(t.talk("GET /a HTTP/1.1\r\n" + kHost + "\r\n", false).ends_with("hello /a"));
  }
  SUBCASE("body") {
    ServerTest t(limits);
    const std::string got =
        t.talk("POST /body HTTP/1.1\r\n" + kHost + "Content-Length: 10\r\n\r\nabc", false);
    CHECK(got.find("net.timeout") != std::string::npos);
    CHECK(got.find("Connection: close") != std::string::npos);
  }
}

// A byte each millisecond, then our end: the body never gets to its length.
Task<std::string> dribble(Loop& loop, Stream& stream, std::string head) {
  Result<void> sent = co_await stream.write_all(as_bytes(head), kPatience);
  for (int i = 0; i < 200 && sent; ++i) {
    sent = co_await stream.write_all(as_bytes(std::string_view("x")), kPatience);
    co_await loop.sleep(Millis(1));
  }
  std::string answer = co_await talk_to(stream, "", true);
  co_return answer;
}

TEST_CASE("a body that comes byte by byte is cut, though none of its waits is long") {
  HttpServerLimits limits;
  limits.body_rate_min = 1'000'000;
  limits.body_rate_grace = Millis(20);
  ServerTest t(limits);
  const std::string head = "POST /body HTTP/1.1\r\n" + kHost + "Content-Length: 1000\r\n\r\n";
  const std::string got = t.loop.run_until(dribble(t.loop, *t.pair.a, head));
  CHECK_MESSAGE(got.find("net.timeout") != std::string::npos, got);
}

TEST_CASE("a connection serves no more than its number of requests") {
  HttpServerLimits limits;
  limits.requests_max = 2;
  ServerTest t(limits);
  const std::string one = "GET /a HTTP/1.1\r\n" + kHost + "\r\n";
  const std::string got = t.talk(one + one + one, false);
  CHECK(got.ends_with("Connection: close\r\n\r\nhello /a"));
  CHECK(got.find("hello", got.find("hello", got.find("hello") + 1) + 1) == std::string::npos);
}

TEST_CASE("a client keeps its connection, streams both ways and upgrades") {
  ServerTest t;
  HttpClient client(std::move(t.pair.a));
  CHECK(client.reusable());
  CHECK(t.loop.run_until(ask_path(client, "GET", "/a", "")).body == "hello /a");
  CHECK(client.reusable());
  CHECK(t.loop.run_until(ask_path(client, "POST", "/body", "abc")).body == "got abc");
  CHECK(t.loop.run_until(ask_path(client, "POST", "/body", std::string(1001, 'x'))).status == 413);
}

TEST_CASE("16 MiB stream through both ways with flat memory") {
  ServerTest t;
  HttpClient client(std::move(t.pair.a));
  CHECK(t.loop.run_until(stream_both_ways(t.loop, client, 1600)) == 16'000'000);
  CHECK(client.reusable());
  CHECK(t.loop.run_until(upgrade(client)) == "opaque \xff bytes");
}

TEST_CASE("garbage on an idle connection makes it unusable") {
  Loop loop;
  StreamPair pair = memory_pair(loop);
  HttpClient client(std::move(pair.a));
  CHECK(client.reusable());
  loop.run_until([](Stream* to) -> Task<void> {
    const std::string junk = "HTTP/1.1 200 OK\r\n";
    Result<void> sent = co_await to->write_all(as_bytes(junk), kPatience);
    CHECK(sent);
  }(pair.b.get()));
  CHECK_FALSE(client.reusable());
}

TEST_CASE("fetch asks over TLS, within limits") {
  Loop loop;
  const TlsServer server = TlsServer::make(testing::door_config()).value();
  const TlsClient client = TlsClient::make(testing::browser_config()).value();
  auto listener = Listener::tcp(loop, 0).value();
  auto service = std::make_shared<const HttpService>(HttpService{{}, handle});
  loop.spawn(serve_tls(&loop, listener.get(), &server, service));
  const std::string door = "https://door.xbb.localhost:" + std::to_string(listener->port());
  CHECK(loop.run_until(fetch_text(loop, door + "/a?b=c", client, 1000, kPatience)) == "200 hello /a?b=c");
  CHECK(loop.run_until(fetch_text(loop, door + "/a", client, 3, kPatience)) == "!http.body_too_large");
  CHECK(loop.run_until(fetch_text(loop, "http://localhost:1/", client, 3, kPatience)) == "!net.plain");
  auto nobody = Listener::tcp(loop, 0).value();  // takes connections and says nothing
  const std::string silence = "https://door.xbb.localhost:" + std::to_string(nobody->port());
  CHECK(loop.run_until(fetch_text(loop, silence, client, 3, Millis(20))) == "!net.timeout");
  listener->close();
}

namespace {

// Two loops: a request for "/a" is served by the first, one for "/b" by the second, wherever it came in.
struct TwoLoops {
  Loop a;
  Loop b;
  std::shared_ptr<HttpService> on_a = std::make_shared<HttpService>();
  std::shared_ptr<HttpService> on_b = std::make_shared<HttpService>();
  TwoLoops() {
    on_a->loop = &a;
    on_b->loop = &b;
    on_a->handle = [this](HttpCall& call) { return serve(call, *on_a, "/a"); };
    on_b->handle = [this](HttpCall& call) { return serve(call, *on_b, "/b"); };
    on_a->place = on_b->place = [this](const RequestHead& head) {
      return head.path == "/a" ? on_a : head.path == "/b" ? on_b : nullptr;
    };
  }
  static Task<void> serve(HttpCall& call, const HttpService& here, std::string_view path) {
    CHECK(here.loop->in_loop());
    CHECK(&call.loop() == here.loop);
    CHECK(call.head().path == path);
    Result<std::string> body = co_await call.read_all(100'000);
    CHECK(body);
    std::string text = call.head().path + "=" + (body ? *body : "");
    ResponseHead head = status(200);
    Result<void> sent = co_await call.answer(std::move(head), std::move(text));
    CHECK(sent);
  }
};

}  // namespace

TEST_CASE("a connection moves to another loop with its request, its body and what was sent after it") {
  TwoLoops loops;
  Loop asking;
  std::thread first([&] { loops.a.run(); });
  std::thread second([&] { loops.b.run(); });
  {
    auto sockets = socket_pair().value();
    std::unique_ptr<Stream> client = make_stream(asking, std::move(sockets.first));
    std::unique_ptr<Stream> server = make_stream(loops.a, std::move(sockets.second));
    loops.a.spawn(serve_http(std::move(server), loops.on_a));
    std::string text;
    for (const char* path : {"/a", "/b", "/b", "/a", "/b"}) {
      text += std::string("POST ") + path + " HTTP/1.1\r\n" + kHost + "Content-Length: 5\r\n\r\nbytes";
    }
    const std::string long_body(40'000, 'x');
    text += "POST /a HTTP/1.1\r\n" + kHost + "Content-Length: 40000\r\n\r\n" + long_body;
    const std::string all = asking.run_until(talk_to(*client, std::move(text), true));
    size_t at = 0;
    for (const char* answer : {"/a=bytes", "/b=bytes", "/b=bytes", "/a=bytes", "/b=bytes", "/a=xxx"}) {
      at = all.find(answer, at);
      REQUIRE_MESSAGE(at != std::string::npos, answer);
      ++at;
    }
    CHECK(all.ends_with(long_body));
  }
  loops.a.stop();
  loops.b.stop();
  first.join();
  second.join();
}

TEST_CASE("a connection on its way to a loop that never runs again goes with it") {
  Loop asking;
  auto sockets = socket_pair().value();
  std::unique_ptr<Stream> client = make_stream(asking, std::move(sockets.first));
  {
    TwoLoops loops;
    std::unique_ptr<Stream> server = make_stream(loops.a, std::move(sockets.second));
    loops.a.spawn(serve_http(std::move(server), loops.on_a));
    const Timer stop = loops.a.after(Millis(50), [&] { loops.a.stop(); });
    const std::string text = "GET /b HTTP/1.1\r\n" + kHost + "\r\n";
    asking.run_until([](Stream& stream, std::string_view bytes) -> Task<void> {
      Result<void> sent = co_await stream.write_all(as_bytes(bytes), kPatience);
      CHECK(sent);
    }(*client, text));
    loops.a.run();
  }
  const std::string all = asking.run_until(talk_to(*client, "", false));
  CHECK(all.find("200") == std::string::npos);
}

}  // namespace entente::net
