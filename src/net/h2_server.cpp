// HTTP/2 for browsers: calls on the streams of a carrier, under the face that HTTP/1.1 has too.
#include "net/carrier.h"
#include "net/http_body.h"
#include "net/http_server_internal.h"
#include "net/websocket.h"

namespace entente::net {
namespace {

constexpr size_t kArrivalWriteBytes = 16 * 1024;
constexpr size_t kArrivalBytesMax = 256 * 1024;  // before the first request is whole

CarrierConfig carrier_config(const HttpServerLimits& limits) {
  CarrierConfig config;
  config.h2 = limits.h2;
  config.timeouts = {.head = limits.head_timeout, .read = limits.body_timeout, .write = limits.write_timeout};
  config.ping_interval = kNoTimeout;
  config.write_timeout = limits.write_timeout;
  config.idle_timeout = limits.idle_timeout;
  config.streams_ever_max = limits.requests_max;
  return config;
}

class H2RequestBody final : public ByteSource {
 public:
  H2RequestBody(CarrierStream& stream, const HttpServerLimits& limits)
      : stream_(stream),
        limits_{limits.heads, limits.body_timeout, limits.body_rate_min, limits.body_rate_grace} {}
  void expect_continue() { expects_continue_ = true; }

  [[nodiscard]] bool ready_now() const override { return stream_.body().ready_now(); }
  Task<Result<void>> wait() override;
  Task<Result<size_t>> read(std::span<uint8_t> into) override;
  void abort() override { stream_.body().abort(); }

 private:
  CarrierStream& stream_;
  BodyReadLimits limits_;
  BodyPace pace_;
  bool expects_continue_ = false;
};

Task<Result<void>> H2RequestBody::wait() {
  if (ready_now()) co_return Result<void>{};
  if (std::exchange(expects_continue_, false)) {
    ResponseHead go_on = head_of(100);
    CO_TRY_VOID(stream_.interim(std::move(go_on)));
  }
  const Tick from = stream_.transport().loop().tick();
  Result<void> waited = co_await stream_.body().wait();
  CO_TRY_VOID(std::move(waited));
  co_return pace_.check(limits_, from, stream_.transport());
}

Task<Result<size_t>> H2RequestBody::read(std::span<uint8_t> into) {
  while (!ready_now()) {
    Result<void> waited = co_await wait();
    CO_TRY_VOID(std::move(waited));
  }
  Result<size_t> got = co_await stream_.body().read(into);
  if (got) pace_.received += *got;
  co_return got;
}

// The answer's head goes out with its first bytes, so that a session that is held meanwhile sends nothing.
class H2AnswerBody final : public ByteSink {
 public:
  explicit H2AnswerBody(CarrierStream& stream) : stream_(stream) {}
  void begin(ResponseHead head, std::optional<uint64_t> length, bool bodiless) {
    head_ = std::move(head);
    left_ = length;
    bodiless_ = bodiless;
    started_ = true;
  }
  [[nodiscard]] bool started() const { return started_; }
  [[nodiscard]] bool begun() const { return started_ && !head_; }  // the head was handed over
  [[nodiscard]] bool finished() const { return finished_; }

  Task<Result<void>> write(ByteView bytes) override;
  Task<Result<void>> flush() override { co_return send_head(bodiless_); }
  Task<Result<void>> finish() override;
  void abort() override { stream_.reset(H2Code::internal_error); }

 private:
  [[nodiscard]] Result<void> send_head(bool end);

  CarrierStream& stream_;
  std::optional<ResponseHead> head_;
  std::optional<uint64_t> left_;
  bool bodiless_ = false;
  bool started_ = false;
  bool finished_ = false;
};

Result<void> H2AnswerBody::send_head(bool end) {
  if (!started_) return fail("http.state", "the answer has not been started");
  if (!head_) return {};
  ResponseHead head = *std::exchange(head_, std::nullopt);
  return stream_.respond(std::move(head), end);
}

Task<Result<void>> H2AnswerBody::write(ByteView bytes) {
  if (bodiless_ || bytes.empty()) co_return Result<void>{};
  if (left_ && bytes.size() > *left_)
    co_return fail("http.state", "more bytes than the answer's length were written");
  CO_TRY_VOID(send_head(false));
  if (left_) *left_ -= bytes.size();
  Result<void> written = co_await stream_.sink().write(bytes);
  co_return written;
}

Task<Result<void>> H2AnswerBody::finish() {
  if (finished_) co_return Result<void>{};
  if (!bodiless_ && left_.value_or(0) > 0) {
    abort();
    co_return fail("http.state", "fewer bytes than the answer's length were written");
  }
  const bool whole = head_.has_value();  // no byte of a body was written
  CO_TRY_VOID(send_head(true));
  if (!whole && !bodiless_) {
    Result<void> ended = co_await stream_.sink().finish();
    CO_TRY_VOID(std::move(ended));
  }
  finished_ = true;
  // Until then it is the session's: a cut resets the stream.
  Result<void> sent = co_await stream_.sent();
  co_return sent;
}

class H2Tunnel final : public Tunnel {
 public:
  H2Tunnel(CarrierStream stream, Millis write_timeout) : stream_(std::move(stream)) {
    stream_.set_timeouts({.head = kNoTimeout, .read = kNoTimeout, .write = write_timeout});
  }
  ByteSource& source() override { return stream_.body(); }
  ByteSink& sink() override { return stream_.sink(); }
  void abort() override { stream_.reset(H2Code::cancel); }

 private:
  CarrierStream stream_;
};

class H2Call final : public HttpCall {
 public:
  H2Call(CarrierStream stream, std::shared_ptr<const HttpService> service)
      : service_(std::move(service)),
        stream_(std::move(stream)),
        loop_(stream_.transport().loop()),
        body_(stream_, service_->limits),
        answer_(stream_) {}

  // The head as handlers know it, or the status that refuses it.
  [[nodiscard]] int read_head();
  [[nodiscard]] Task<void> settle();

  Loop& loop() override { return loop_; }
  [[nodiscard]] std::string peer() const override {
    return taken_ ? std::string() : stream_.transport().peer();
  }
  void set_gate(GateRef gate) override {
    // Requests wait before the app's side of the session, as in HTTP/1.1; only what goes out is stopped here.
    if (!taken_ && (gate || !answer_.begun())) stream_.set_gate(std::move(gate), false);
  }
  void abort() override {
    if (!taken_) stream_.reset(H2Code::cancel);
  }
  void when_gone(std::function<void()> gone) override {
    if (!taken_) stream_.when_broken(std::move(gone));
  }
  ByteSource& body() override { return body_; }
  Task<Result<void>> answer(ResponseHead head, std::string body) override;
  Result<void> start(ResponseHead head, std::optional<uint64_t> length) override;
  ByteSink& answer_body() override { return answer_; }
  [[nodiscard]] bool started() const override { return taken_ || answer_.started(); }
  Task<Result<void>> interim(ResponseHead head) override;
  Task<Result<std::unique_ptr<Tunnel>>> take_over(Headers fields) override;

 private:
  std::shared_ptr<const HttpService> service_;
  CarrierStream stream_;
  Loop& loop_;
  H2RequestBody body_;
  H2AnswerBody answer_;
  bool is_head_ = false;
  bool taken_ = false;
};

int H2Call::read_head() {
  head_ = std::move(stream_.request());
  is_head_ = head_.method == "HEAD";
  if (head_.scheme != "https") return 400;
  if (!head_.protocol.empty()) {
    upgrade_ = lower_case(std::exchange(head_.protocol, {}));
    head_.method = "GET";
    if (head_.headers.has("content-length")) return 400;
    return upgrade_ == "websocket" && head_.headers.get("Sec-WebSocket-Version") != "13" ? 400 : 0;
  }
  if (stream_.has_body()) {
    const std::optional<uint64_t> length = content_length(head_.headers);
    framing_ = length ? BodyFraming{BodyKind::length, *length} : BodyFraming{BodyKind::until_end, 0};
  }
  const size_t expects = head_.headers.count("expect");
  if (expects == 0) return 0;
  if (expects > 1 || !equal_no_case(head_.headers.get("expect"), "100-continue")) return 417;
  body_.expect_continue();
  return 0;
}

Result<void> H2Call::start(ResponseHead head, std::optional<uint64_t> length) {
  if (started()) return fail("http.state", "the request has been answered already");
  if (head.status < 200) return fail("http.state", "an interim status can't be the answer");
  drop_framing(head.headers);
  const bool no_body_ever = head.status == 204;
  if (length && !no_body_ever) head.headers.add("content-length", std::to_string(*length));
  if (!head.headers.has("date")) head.headers.add("date", http_date());
  answer_.begin(std::move(head), length, is_head_ || head.status == 304 || no_body_ever);
  return {};
}

Task<Result<void>> H2Call::answer(ResponseHead head, std::string body) {
  CO_TRY_VOID(start(std::move(head), body.size()));
  Result<void> written = co_await answer_.write(as_bytes(body));
  CO_TRY_VOID(std::move(written));
  Result<void> finished = co_await answer_.finish();
  co_return finished;
}

Task<Result<void>> H2Call::interim(ResponseHead head) {
  if (started() || head.status < 102 || head.status > 199)
    co_return fail("http.state", "this is no interim answer, or the answer has begun");
  drop_framing(head.headers);
  co_return stream_.interim(std::move(head));
}

Task<Result<std::unique_ptr<Tunnel>>> H2Call::take_over(Headers fields) {
  if (started()) co_return fail("http.state", "the request has been answered already");
  if (upgrade_.empty()) co_return fail("http.state", "no upgrade was asked for");
  ResponseHead head = head_of(200);  // RFC 8441 section 5
  head.headers = std::move(fields);
  drop_framing(head.headers);
  if (!head.headers.has("date")) head.headers.add("date", http_date());
  CO_TRY_VOID(stream_.respond(std::move(head), false));
  taken_ = true;
  stream_.when_broken(nullptr);
  co_return std::make_unique<H2Tunnel>(std::move(stream_), service_->limits.write_timeout);
}

// After the handler: what it left undone.
Task<void> H2Call::settle() {
  if (taken_) co_return;
  if (!answer_.started()) {
    ResponseHead failed = head_of(500);
    std::string nothing;
    [[maybe_unused]] const Result<void> answered = co_await answer(std::move(failed), std::move(nothing));
  }
  if (!answer_.finished()) stream_.reset(H2Code::internal_error);
}

Task<void> serve_call(CarrierStream stream, std::shared_ptr<const HttpService> service) {
  H2Call call(std::move(stream), service);
  int refused = call.read_head();
  const std::shared_ptr<const HttpService> there =
      refused == 0 && service->place ? service->place(call.head()) : nullptr;
  if (there != nullptr && there != service) refused = 421;
  if (refused == 0) {
    Task<void> handling = service->handle(call);
    co_await std::move(handling);
    co_await call.settle();
    co_return;
  }
  ResponseHead head = head_of(refused);
  std::string nothing;
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), std::move(nothing));
}

Task<void> serve_carrier(std::unique_ptr<Stream> stream, H2Session session,
                         std::shared_ptr<const HttpService> service) {
  Carrier carrier = Carrier::server(
      std::move(stream), std::move(session),
      [service](CarrierStream call) { return serve_call(std::move(call), service); },
      carrier_config(service->limits));
  const HttpConnections::One listed{[&carrier] { carrier.drain(); }};
  service->connections->all.insert(&listed);
  [[maybe_unused]] const Result<void> ended = co_await carrier.run();
  service->connections->all.erase(&listed);
}

Task<void> go_on_there(Parked parked, H2Session session, std::shared_ptr<const HttpService> service) {
  std::unique_ptr<Stream> stream = adopt(*service->loop, std::move(parked));
  co_await serve_carrier(std::move(stream), std::move(session), std::move(service));
}

// Whatever the session has to say; the stream takes it all or the connection is not worth having.
Task<Result<void>> say(Stream& stream, H2Session& session, Millis timeout) {
  while (session.wants_write()) {
    Bytes out;
    session.produce(out, kArrivalWriteBytes, stream.loop().tick());
    if (out.empty()) break;
    Result<void> written = co_await stream.write_all(ByteView(out), timeout);
    CO_TRY_VOID(std::move(written));
  }
  co_return Result<void>{};
}

// Speaks for the session until the first request is there, and leaves it to be polled. Nothing runs beside
// it.
Task<Result<RequestHead>> first_request(Stream& stream, H2Session& session, const HttpServerLimits& limits) {
  const Tick deadline = stream.loop().tick() + limits.head_timeout;
  size_t heard_bytes = 0;
  Buffer buffer;
  for (;;) {
    Result<void> said = co_await say(stream, session, limits.write_timeout);
    CO_TRY_VOID(std::move(said));
    const Millis left = std::chrono::duration_cast<Millis>(deadline - stream.loop().tick());
    if (left <= Millis(0) || heard_bytes > kArrivalBytesMax || session.over())
      co_return fail("net.timeout", "no request came in time", stream.peer());
    buffer.give_back();
    Result<void> some = co_await stream.wait_readable(left);
    CO_TRY_VOID(std::move(some));
    buffer = stream.loop().lend();
    CO_TRY(const Stream::Attempt attempt, stream.try_read(buffer.span()));
    if (attempt.next == Stream::Next::end) co_return fail("net.closed", "no request came", stream.peer());
    if (attempt.next == Stream::Next::writable) {
      Result<void> room = co_await stream.wait_writable(left);
      CO_TRY_VOID(std::move(room));
    }
    heard_bytes += attempt.bytes;
    Result<void> heard = session.receive(buffer.span().first(attempt.bytes), stream.loop().tick());
    if (!heard) {
      said = co_await say(stream, session, limits.write_timeout);  // why
      co_return Failure(std::move(heard.error()));
    }
    while (std::optional<H2Event> event = session.poll_event()) {
      const H2Request* request = std::get_if<H2Request>(&*event);
      if (request == nullptr) continue;
      RequestHead head = request->head;
      session.put_back(std::move(*event));
      co_return head;
    }
  }
}

}  // namespace

void HttpConnections::drain() {
  for (const One* one : all) one->drain();
}

Task<void> serve_h2(std::unique_ptr<Stream> stream, std::shared_ptr<const HttpService> service) {
  H2Session session(H2Role::server, service->limits.h2);
  Result<RequestHead> first = co_await first_request(*stream, session, service->limits);
  if (!first) {
    session.terminate(H2Code::no_error);
    Result<void> said = co_await say(*stream, session, service->limits.write_timeout);
    if (said) said = co_await stream->shutdown_write(service->limits.write_timeout);
    co_return;
  }
  std::shared_ptr<const HttpService> there = service->place ? service->place(*first) : nullptr;
  if (there == nullptr || there == service) {
    co_await serve_carrier(std::move(stream), std::move(session), std::move(service));
    co_return;
  }
  Result<Parked> parked = stream->park();
  if (!parked) co_return;
  stream.reset();  // what is left of it is this loop's
  Loop& loop = *there->loop;
  loop.spawn(go_on_there(std::move(*parked), std::move(session), std::move(there)));
}

}  // namespace entente::net
