#include "net/http_server.h"

#include "net/http_body.h"
#include "net/http_server_internal.h"
#include "net/websocket.h"

#include <ctime>

namespace entente::net {

namespace {

constexpr std::string_view kTooLarge =
    "This browser sent more than is taken here, most likely cookies that a page left in it. Cookies of this "
    "site "
    "were removed, and sign-ins with them. Load the page again, and sign in.\n";
constexpr Millis kLingerTime{2'000};         // for the other side to read our last words
constexpr size_t kLingerBytesMax = 1 << 20;  // of what it still sends meanwhile: all cookies of a site, too

}  // namespace

const std::string& http_date() {
  thread_local std::time_t made_at = 0;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != made_at) {
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    char out[40];
    text.assign(out, std::strftime(out, sizeof out, "%a, %d %b %Y %H:%M:%S GMT", &parts));
    made_at = now;
  }
  return text;
}

void drop_framing(Headers& headers) {
  for (const char* name : {"content-length", "transfer-encoding", "connection", "keep-alive"})
    headers.remove(name);
}

static Task<void> serve_on(std::unique_ptr<Stream> stream, std::shared_ptr<const HttpService> service,
                           std::unique_ptr<HttpConnection> moved);

class HttpConnection final : public HttpCall {
 public:
  // One for each request of an idle connection: they come and go as coroutine frames do.
  static void* operator new(size_t bytes) { return detail::allocate_frame(bytes); }
  static void operator delete(void* at, size_t bytes) { detail::free_frame(at, bytes); }

  HttpConnection(std::unique_ptr<Stream> stream, std::shared_ptr<const HttpService> service,
                 uint64_t requests)
      : service_(std::move(service)),
        stream_(std::move(stream)),
        ahead_(*stream_),
        parser_(limits().heads),
        body_(ahead_,
              {limits().heads, limits().body_timeout, limits().body_rate_min, limits().body_rate_grace}),
        writer_(*stream_, limits().write_timeout),
        requests_(requests) {}

  enum class Then : uint8_t { over, idle, elsewhere };
  // Serves what is there. Idle: give_back() and wait for more; elsewhere: leave().
  Task<Then> serve();
  [[nodiscard]] uint64_t requests() const { return requests_; }
  [[nodiscard]] std::unique_ptr<Stream> give_back() { return std::move(stream_); }
  // Takes it off this loop and goes on with its request on the loop of the service it moves to.
  static void leave(std::unique_ptr<HttpConnection> connection);

  Loop& loop() override { return ahead_.stream().loop(); }
  [[nodiscard]] std::string peer() const override { return stream_ ? stream_->peer() : std::string(); }
  void set_gate(GateRef gate) override {
    if (stream_ && (gate || !stream_->aborted())) stream_->set_gate(std::move(gate));
  }
  void abort() override {
    if (stream_) stream_->abort();
  }
  void when_gone(std::function<void()>) override {}  // seen at the next read or write only
  ByteSource& body() override { return body_; }
  Task<Result<void>> answer(ResponseHead head, std::string body) override;
  Result<void> start(ResponseHead head, std::optional<uint64_t> length) override;
  ByteSink& answer_body() override { return writer_; }
  [[nodiscard]] bool started() const override { return writer_.started(); }
  Task<Result<void>> interim(ResponseHead head) override;
  Task<Result<std::unique_ptr<Tunnel>>> take_over(Headers fields) override;

 private:
  [[nodiscard]] const HttpServerLimits& limits() const { return service_->limits; }
  enum class Head : uint8_t { here, begun, none, ended };  // none: not a byte of one has come
  [[nodiscard]] Result<Head> look_for_head();
  [[nodiscard]] Task<Result<void>> read_rest_of_head();
  [[nodiscard]] Task<void> refuse(Error error);
  [[nodiscard]] Result<void> begin_call();
  [[nodiscard]] bool belongs_elsewhere();
  [[nodiscard]] bool must_close() const;
  void arrive(Parked parked, ByteView ahead);
  static Task<void> go_on_here(std::unique_ptr<HttpConnection> connection, Parked parked, Bytes ahead);
  [[nodiscard]] bool is_settled() const;
  [[nodiscard]] Task<bool> settle();
  [[nodiscard]] Task<void> drain();
  [[nodiscard]] Task<void> close();

  std::shared_ptr<const HttpService> service_;
  std::unique_ptr<Stream> stream_;
  ReadAhead ahead_;
  RequestParser parser_;
  BodyReader body_;
  BodyWriter writer_;
  std::string accept_;  // what a WebSocket's key is answered with
  uint64_t requests_ = 0;
  bool is_head_ = false;  // of the request's method: the handler may move head() away
  bool keep_ = true;
  bool moving_ = false;  // to service_->loop, with the request that is there
};

Task<HttpConnection::Then> HttpConnection::serve() {
  for (;;) {
    if (!std::exchange(moving_, false)) {
      const Result<Head> head = look_for_head();
      if (head && *head == Head::none) co_return Then::idle;
      if (head && *head == Head::ended) break;
      Result<void> begun = head ? Result<void>() : Failure(head.error());
      if (head && *head == Head::begun) begun = co_await read_rest_of_head();
      if (begun) begun = begin_call();
      if (!begun) {
        co_await refuse(std::move(begun.error()));
        co_return Then::over;
      }
      if (belongs_elsewhere()) co_return Then::elsewhere;
    }
    Task<void> handling = service_->handle(*this);
    co_await std::move(handling);
    if (is_settled()) continue;
    bool go_on = co_await settle();
    if (!go_on) co_return Then::over;
  }
  Result<void> ended = co_await stream_->shutdown_write(kLingerTime);
  (void)ended;
  co_return Then::over;
}

void HttpConnection::leave(std::unique_ptr<HttpConnection> connection) {
  Bytes ahead = connection->ahead_.take_all();
  Result<Parked> parked = connection->stream_->park();
  if (!parked) return;          // broken off meanwhile
  connection->stream_.reset();  // what is left of it is this loop's
  Loop& there = *connection->service_->loop;
  there.spawn(go_on_here(std::move(connection), std::move(*parked), std::move(ahead)));
}

void HttpConnection::arrive(Parked parked, ByteView ahead) {
  stream_ = adopt(*service_->loop, std::move(parked));
  ahead_.move_to(*stream_);
  writer_.move_to(*stream_);
  ahead_.put(ahead);
}

Task<void> HttpConnection::go_on_here(std::unique_ptr<HttpConnection> connection, Parked parked,
                                      Bytes ahead) {
  connection->arrive(std::move(parked), ahead);
  std::shared_ptr<const HttpService> service = connection->service_;
  co_await serve_on(nullptr, std::move(service), std::move(connection));
}

// Most often all of a head comes at once: only what has to be waited for is read by a coroutine.
Result<HttpConnection::Head> HttpConnection::look_for_head() {
  if (ahead_.empty()) {
    const Result<bool> some = ahead_.try_more();
    if (!some) return Head::ended;
    if (!*some) return Head::none;
    if (ahead_.empty()) return Head::ended;
  }
  parser_.reset();
  TRY(const size_t used, parser_.feed(ahead_.text()));
  ahead_.take(used);
  return parser_.done() ? Head::here : Head::begun;
}

Task<Result<void>> HttpConnection::read_rest_of_head() {
  const Tick deadline = ahead_.stream().loop().tick() + limits().head_timeout;
  while (!parser_.done()) {
    const Millis left = std::chrono::duration_cast<Millis>(deadline - ahead_.stream().loop().tick());
    if (left <= Millis(0))
      co_return fail("net.timeout", "the request's head came too slowly", stream_->peer());
    Result<size_t> more = co_await ahead_.more(left);
    CO_TRY(const size_t count, std::move(more));
    if (count == 0)
      co_return fail("net.reset", "the connection ended inside a request's head", stream_->peer());
    CO_TRY(const size_t used, parser_.feed(ahead_.text()));
    ahead_.take(used);
  }
  co_return Result<void>{};
}

Result<void> HttpConnection::begin_call() {
  ++requests_;
  framing_ = parser_.framing();
  upgrade_ = parser_.upgrade();
  keep_ = parser_.keep_alive();
  body_.begin(framing_, parser_.expects_continue(), limits().write_timeout);
  writer_.reset();
  head_ = parser_.take_head();
  is_head_ = head_.method == "HEAD";
  if (upgrade_ != "websocket") return {};
  TRY(accept_, accept_websocket(head_.headers));
  return {};
}

bool HttpConnection::belongs_elsewhere() {
  std::shared_ptr<const HttpService> there = service_->place ? service_->place(head_) : nullptr;
  if (there == nullptr || there == service_) return false;
  ENTENTE_CHECK(there->loop != nullptr);
  service_ = std::move(there);
  moving_ = true;
  return true;
}

// Any page of a site may leave cookies in a browser that come with each request to all its names. Where they
// are more than a head holds, nothing but their removal lets that browser in again.
void add_cookie_removal(Headers& headers) {
  headers.add("Clear-Site-Data", "\"cookies\"");
  headers.add("Cache-Control", "no-store");
  headers.add("Content-Type", "text/plain; charset=utf-8");
  headers.add("X-Content-Type-Options", "nosniff");
}

Task<void> HttpConnection::refuse(Error error) {
  int status = 0;
  if (error.code() == "net.timeout") {
    status = parser_.started() ? 408 : 0;
  } else if (!error.code().starts_with("net.")) {
    status = http_status(error);
  }
  if (status == 0) {
    stream_->abort();
    co_return;
  }
  const std::string_view says = status == 431 ? kTooLarge : std::string_view();
  ResponseHead head{.status = status,
                    .reason = {},
                    .headers = {{"Content-Length", std::to_string(says.size())}, {"Connection", "close"}}};
  if (status == 431) add_cookie_removal(head.headers);
  Result<std::string> text = write_response_head(head);
  *text += says;
  Result<void> sent = co_await stream_->write_all(as_bytes(*text), limits().write_timeout);
  if (sent) co_await close();
}

bool HttpConnection::must_close() const {
  if (!keep_ || body_.failed() || requests_ >= limits().requests_max) return true;
  if (body_.done()) return false;
  // The client may or may not send a body it was not told to go on with; a long one is not worth reading.
  return body_.expects_continue() || body_.left() > limits().drain_max;
}

Result<void> HttpConnection::start(ResponseHead head, std::optional<uint64_t> length) {
  if (!stream_ || writer_.started()) return fail("http.state", "the request has been answered already");
  if (head.status < 200) return fail("http.state", "an interim status can't be the answer");
  if (must_close()) keep_ = false;
  drop_framing(head.headers);
  BodyFraming framing{.kind = BodyKind::none, .length = 0};
  const bool no_body_ever = head.status == 204;
  const bool bodiless = is_head_ || head.status == 304 || no_body_ever;
  if (length && !no_body_ever) {
    framing = {.kind = BodyKind::length, .length = *length};
    head.headers.add("Content-Length", std::to_string(*length));
  } else if (!bodiless) {
    framing.kind = BodyKind::chunked;
    head.headers.add("Transfer-Encoding", "chunked");
  }
  if (!head.headers.has("date")) head.headers.add("Date", http_date());
  if (!keep_) head.headers.add("Connection", "close");
  TRY(std::string text, write_response_head(head));
  writer_.begin(std::move(text), framing, bodiless);
  return {};
}

Task<Result<void>> HttpConnection::answer(ResponseHead head, std::string body) {
  CO_TRY_VOID(start(std::move(head), body.size()));
  Result<void> written = co_await writer_.write(as_bytes(body));
  CO_TRY_VOID(std::move(written));
  Result<void> finished = co_await writer_.finish();
  co_return finished;
}

Task<Result<void>> HttpConnection::interim(ResponseHead head) {
  if (!stream_ || writer_.started() || head.status < 102 || head.status > 199) {
    co_return fail("http.state", "this is no interim answer, or the answer has begun");
  }
  drop_framing(head.headers);
  CO_TRY(const std::string text, write_response_head(head));
  Result<void> sent = co_await stream_->write_all(as_bytes(text), limits().write_timeout);
  co_return sent;
}

namespace {

class StreamTunnel final : public Tunnel {
 public:
  StreamTunnel(std::unique_ptr<Stream> stream, Bytes leftover, Millis write_timeout)
      : stream_(std::move(stream)),
        source_(*stream_, kNoTimeout, std::move(leftover)),
        sink_(*stream_, write_timeout) {}
  ByteSource& source() override { return source_; }
  ByteSink& sink() override { return sink_; }
  void abort() override { stream_->abort(); }

 private:
  std::unique_ptr<Stream> stream_;
  StreamSource source_;
  StreamSink sink_;
};

}  // namespace

Task<Result<std::unique_ptr<Tunnel>>> HttpConnection::take_over(Headers fields) {
  if (!stream_ || writer_.started()) co_return fail("http.state", "the request has been answered already");
  if (upgrade_.empty() || !body_.done()) {
    co_return fail("http.state", "no upgrade was asked for, or the request's body has not been read");
  }
  ResponseHead head = head_of(101);
  head.headers = std::move(fields);
  drop_framing(head.headers);
  head.headers.add("Connection", "upgrade");
  head.headers.set("Upgrade", upgrade_);
  if (!accept_.empty()) head.headers.set("Sec-WebSocket-Accept", accept_);
  CO_TRY(const std::string text, write_response_head(head));
  Result<void> sent = co_await stream_->write_all(as_bytes(text), limits().write_timeout);
  CO_TRY_VOID(std::move(sent));
  Bytes leftover = ahead_.take_all();
  co_return std::make_unique<StreamTunnel>(std::move(stream_), std::move(leftover), limits().write_timeout);
}

// The handler has answered and left nothing: the connection can carry another request at once.
bool HttpConnection::is_settled() const {
  return stream_ && !stream_->aborted() && writer_.finished() && keep_ && body_.done();
}

// After the handler: true when the connection can carry another request.
Task<bool> HttpConnection::settle() {
  if (!stream_ || stream_->aborted()) co_return false;
  if (!writer_.started()) {
    ResponseHead failed = head_of(500);
    std::string nothing;
    Result<void> answered = co_await answer(std::move(failed), std::move(nothing));
    if (!answered) stream_->abort();
  }
  if (!writer_.finished()) {
    stream_->abort();
    co_return false;
  }
  if (keep_ && !body_.done()) co_await drain();
  if (keep_ && body_.done()) co_return true;
  co_await close();
  co_return false;
}

// Reads a short rest of a body that nobody wanted, so that the next request can be found.
Task<void> HttpConnection::drain() {
  Buffer buffer = ahead_.stream().loop().lend();
  uint64_t dropped = 0;
  while (!body_.done() && dropped <= limits().drain_max) {
    Result<size_t> got = co_await body_.read(buffer.span());
    if (!got) break;
    dropped += *got;
  }
}

// A close with unread bytes would reset the connection and could take our last answer with it.
Task<void> HttpConnection::close() {
  Result<void> ended = co_await stream_->shutdown_write(kLingerTime);
  if (!ended) co_return;
  const Tick deadline = ahead_.stream().loop().tick() + kLingerTime;
  size_t dropped = ahead_.take_all().size();
  while (dropped < kLingerBytesMax) {
    const Millis left = std::chrono::duration_cast<Millis>(deadline - ahead_.stream().loop().tick());
    if (left <= Millis(0)) co_return;
    Result<size_t> more = co_await ahead_.more(left);
    if (!more || *more == 0) co_return;
    dropped += *more;
    ahead_.take(*more);
  }
}

Task<Result<std::string>> HttpCall::read_all(size_t bytes_max) {
  std::string all;
  if (framing_.kind == BodyKind::length && framing_.length > bytes_max) {
    co_return fail("http.body_too_large", "the body is longer than it may be");
  }
  while (has_body()) {
    Buffer buffer = loop().lend();
    Result<size_t> got = co_await body().read(buffer.span());
    CO_TRY(const size_t count, std::move(got));
    if (count == 0) break;
    if (count > bytes_max - all.size())
      co_return fail("http.body_too_large", "the body is longer than it may be");
    all.append(as_text(buffer.span().first(count)));
  }
  co_return std::move(all);
}

// Between requests there is nothing but the stream: what a request needs is made when its first byte comes.
// `moved`: one that came from another loop with its request.
static Task<void> serve_on(std::unique_ptr<Stream> stream, std::shared_ptr<const HttpService> service,
                           std::unique_ptr<HttpConnection> moved) {
  uint64_t requests = 0;
  for (;;) {
    std::unique_ptr<HttpConnection> connection = std::move(moved);
    if (!connection) {
      const HttpServerLimits& limits = service->limits;
      Result<void> some =
          co_await stream->wait_readable(requests == 0 ? limits.head_timeout : limits.idle_timeout);
      if (!some) break;
      connection = std::make_unique<HttpConnection>(std::move(stream), service, requests);
    }
    const HttpConnection::Then then = co_await connection->serve();
    if (then == HttpConnection::Then::over) co_return;
    if (then == HttpConnection::Then::elsewhere) {
      HttpConnection::leave(std::move(connection));
      co_return;
    }
    requests = connection->requests();
    stream = connection->give_back();
  }
  Result<void> ended = co_await stream->shutdown_write(kLingerTime);
  (void)ended;
}

Task<void> serve_http(std::unique_ptr<Stream> stream, std::shared_ptr<const HttpService> service) {
  const TlsPeer* tls = stream->tls();
  if (tls != nullptr && tls->alpn == "h2") {
    co_await serve_h2(std::move(stream), std::move(service));
  } else {
    co_await serve_on(std::move(stream), std::move(service), nullptr);
  }
}

}  // namespace entente::net
