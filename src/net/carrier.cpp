#include "net/carrier_internal.h"

#include <algorithm>

namespace entente::net {
namespace {

constexpr size_t kWriteBytes = 64 * 1024;  // framed and handed to TLS in one go: whole records of it
constexpr unsigned kReadsInARow = 8;       // then the loop's other tasks have a turn

}  // namespace

Error Carrier::Impl::closed_error() const {
  return Error{"h2.closed", broken ? "the connection ended: " + broken->what() : "the connection ended",
               stream->peer(), ""};
}

void Carrier::Impl::kick() {
  if (session.wants_write() || ending || session.over()) work.set();
}

void Carrier::Impl::break_off(Error error) {
  if (!broken) broken = std::move(error);
  stream->abort();
}

void Carrier::Impl::serve(H2Request request) {
  auto body = std::make_unique<CarrierBody>(shared_from_this(), request.stream);
  body->has_body = !request.end;
  body->request = std::make_unique<RequestHead>(std::move(request.head));
  if (!ending && handler) loop.spawn(handler(CarrierStream(std::move(body))));
  if (config.streams_ever_max > 0 && session.counts().streams >= config.streams_ever_max) session.drain();
}

void Carrier::Impl::dispatch() {
  while (std::optional<H2Event> event = session.poll_event()) {
    const auto body_of = [&](H2StreamId id) {
      const auto found = bodies.find(id);
      return found == bodies.end() ? nullptr : found->second;
    };
    if (auto* request = std::get_if<H2Request>(&*event)) {
      serve(std::move(*request));
    } else if (auto* answer = std::get_if<H2Response>(&*event)) {
      CarrierBody* body = body_of(answer->stream);
      if (body == nullptr) continue;
      body->response = std::move(answer->head);
      body->in.pulse();
    } else if (const auto* readable = std::get_if<H2Readable>(&*event)) {
      if (CarrierBody* body = body_of(readable->stream)) body->in.pulse();
    } else if (const auto* writable = std::get_if<H2Writable>(&*event)) {
      if (CarrierBody* body = body_of(writable->stream)) body->out.pulse();
    } else if (const auto* reset = std::get_if<H2Reset>(&*event)) {
      CarrierBody* body = body_of(reset->stream);
      if (body == nullptr) continue;
      body->code = reset->code;
      body->is_broken();
    } else if (const auto* ack = std::get_if<H2PingAck>(&*event);
               ack != nullptr && ack->opaque == ping_number) {
      ping_waits = false;
      round_trip = std::chrono::duration_cast<Millis>(loop.tick() - ping_sent);
    } else if (std::holds_alternative<H2Settings>(*event) || std::holds_alternative<H2GoAway>(*event)) {
      room.pulse();
    }
  }
}

Result<void> Carrier::Impl::hear(ByteView bytes) {
  bytes_in += bytes.size();
  last_heard = loop.tick();
  auto heard = session.receive(bytes, last_heard);
  dispatch();
  kick();
  return heard;
}

Task<Result<void>> Carrier::Impl::read_loop() {
  Buffer buffer;
  unsigned reads = 0;
  while (true) {
    if (!buffer) buffer = loop.lend(Loop::kRelayBufferBytes);
    CO_TRY(const Stream::Attempt attempt, stream->try_read(buffer.span()));
    if (attempt.next == Stream::Next::end) {
      if (ending || session.over() || bodies.empty()) co_return Result<void>{};
      co_return fail("h2.closed", "the peer closed the connection in mid stream", stream->peer());
    }
    if (attempt.next == Stream::Next::done) {
      CO_TRY_VOID(hear(buffer.span().first(attempt.bytes)));
      if (++reads < kReadsInARow) continue;
      reads = 0;
      co_await loop.sleep(Millis(0));
      continue;
    }
    reads = 0;
    buffer.give_back();
    Result<void> waited;
    if (attempt.next == Stream::Next::readable) {
      waited = co_await stream->wait_readable(kNoTimeout);  // keep_alive watches
    } else {
      waited = co_await stream->wait_writable(config.write_timeout);
    }
    CO_TRY_VOID(std::move(waited));
  }
}

// Reads on without listening until the peer has closed too: whoever closes with bytes unread resets the
// connection, and the peer would never read why.
Task<void> Carrier::Impl::discard_rest() {
  const Tick deadline = loop.tick() + config.linger;
  Buffer buffer = loop.lend();
  while (loop.tick() < deadline) {
    Result<size_t> got = co_await stream->read_some(buffer.span(), config.linger);
    if (!got || *got == 0) co_return;
  }
}

// Frames what may go and hands it to TLS in the same breath, so that a gate that closes finds nothing between
// the two. Gives what the transport did not take: most often nothing, and then the connection holds no
// buffer.
Result<Bytes> Carrier::Impl::write_now() {
  static thread_local Bytes framed;
  framed.clear();
  session.produce(framed, kWriteBytes, loop.tick());
  bytes_out += framed.size();
  ByteView rest(framed);
  while (!rest.empty()) {
    TRY(const Stream::Attempt attempt, stream->try_write({.parts = {rest}}));
    if (attempt.next != Stream::Next::done) break;
    rest = rest.subspan(attempt.bytes);
  }
  dispatch();
  return Bytes(rest.begin(), rest.end());
}

// The only one who writes.
Task<void> Carrier::Impl::write_loop(std::shared_ptr<Impl> self) {
  bool failed = false;
  while (!failed) {
    const uint64_t before = self->bytes_out;
    Result<Bytes> rest = self->write_now();
    if (rest && rest->empty() && self->bytes_out == before) {
      if (self->ending || self->session.over()) break;
      self->work.clear();
      if (self->session.wants_write()) continue;
      const bool more = co_await self->work.wait(kNoTimeout);
      (void)more;
      continue;
    }
    Result<void> written;
    if (!rest) {
      written = Failure(std::move(rest.error()));
    } else if (!rest->empty()) {
      written = co_await self->stream->write_all(ByteView(*rest), self->config.write_timeout);
    }
    failed = !written;
    if (failed) self->break_off(std::move(written.error()));
  }
  bool clean = false;
  if (!failed) {
    Result<void> shut = co_await self->stream->shutdown_write(self->config.write_timeout);
    clean = shut.has_value();
    if (clean) clean = co_await self->reader_ended.wait(self->config.linger);
  }
  // After a clean close an abort could still take back the last bytes from a peer that has not read them yet.
  if (!clean || self->broken) self->stream->abort();
  self->writer_ended.set();
}

Task<void> Carrier::Impl::keep_alive(std::shared_ptr<Impl> self) {
  while (true) {
    const Millis pause = self->ping_waits ? std::min(self->config.ping_interval, self->config.ping_timeout)
                                          : self->config.ping_interval;
    const bool stopped = co_await self->stop.wait(pause);
    if (stopped || self->over) co_return;
    const Tick now = self->loop.tick();
    if (self->ping_waits) {
      const Tick heard = std::max(self->ping_sent, self->last_heard);
      if (now - heard < self->config.ping_timeout) continue;
      self->break_off(Error{"net.timeout", "the peer no longer answers", self->stream->peer(), ""});
      co_return;
    }
    self->ping_waits = true;
    self->ping_sent = now;
    self->session.ping(++self->ping_number);
    self->kick();
  }
}

// From nobody using it to an orderly end; a peer that does not close then is closed.
Task<void> Carrier::Impl::watch_idle(std::shared_ptr<Impl> self) {
  Millis left = self->config.idle_timeout;
  while (true) {
    const bool stopped = co_await self->stop.wait(left);
    if (stopped || self->over) co_return;
    left = self->config.idle_timeout;
    if (!self->bodies.empty()) continue;
    const auto quiet = std::chrono::duration_cast<Millis>(self->loop.tick() - self->quiet_since);
    if (quiet >= self->config.idle_timeout) break;
    left = self->config.idle_timeout - quiet;
  }
  self->ending = true;
  self->session.terminate(H2Code::no_error);
  self->end_streams();
  self->work.set();
}

void Carrier::Impl::end_streams() {
  over = true;
  // Whoever hears of it may give up streams here.
  std::vector<H2StreamId> ids;
  ids.reserve(bodies.size());
  for (const auto& [id, body] : bodies) ids.push_back(id);
  for (const H2StreamId id : ids) {
    if (const auto found = bodies.find(id); found != bodies.end()) found->second->is_broken();
  }
  room.pulse();
  stop.set();
}

Task<Result<void>> Carrier::Impl::run(std::shared_ptr<Impl> self) {
  self->last_heard = self->loop.tick();
  self->quiet_since = self->last_heard;
  self->loop.spawn(write_loop(self));
  if (self->config.ping_interval != kNoTimeout) self->loop.spawn(keep_alive(self));
  if (self->config.idle_timeout != kNoTimeout) self->loop.spawn(watch_idle(self));
  self->dispatch();
  Result<void> ended = co_await self->read_loop();
  // After our own abort, what was the matter is known already.
  if (!ended && !self->broken && !self->ending) self->broken = std::move(ended.error());
  self->ending = true;
  self->end_streams();
  self->work.set();
  if (!ended) co_await self->discard_rest();
  self->reader_ended.set();
  co_await self->writer_ended.wait_set();
  if (self->broken) co_return Failure(*self->broken);
  co_return Result<void>{};
}

Task<Result<CarrierStream>> Carrier::Impl::open(std::shared_ptr<Impl> self, RequestHead& head, bool end,
                                                GateRef gate, Millis within) {
  remove_hop_by_hop(head.headers);
  head.headers.remove("expect");
  if (head.scheme.empty()) head.scheme = "https";
  const Tick deadline = self->loop.tick() + std::min(within, self->config.open_timeout);
  while (true) {
    if (self->over || self->ending) co_return Failure(self->closed_error());
    if (gate && !gate->is_open())
      co_return fail("net.fenced", "the gate was closed before the request went out", self->stream->peer());
    if (self->session.settings_known()) {
      auto id = self->session.request(head, end);
      if (id) {
        if (gate) self->session.set_gate(*id, std::move(gate));
        self->kick();
        co_return CarrierStream(std::make_unique<CarrierBody>(self, *id));
      }
      if (id.error().code() != "h2.busy") co_return Failure(std::move(id.error()));
    }
    const auto left = std::chrono::duration_cast<Millis>(deadline - self->loop.tick());
    if (left <= Millis(0) || self->openers >= self->config.openers_max)
      co_return fail("h2.busy", "no stream came free in time", self->stream->peer(), "try again shortly");
    ++self->openers;
    const bool woken = co_await self->room.wait(left);
    --self->openers;
    (void)woken;
  }
}

Carrier::Carrier(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Carrier Carrier::client(std::unique_ptr<Stream> stream, CarrierConfig config) {
  return Carrier(
      std::make_shared<Impl>(std::move(stream), H2Session(H2Role::client, config.h2), nullptr, config));
}

Carrier Carrier::server(std::unique_ptr<Stream> stream, Handler handler, CarrierConfig config) {
  H2Session session(H2Role::server, config.h2);
  return server(std::move(stream), std::move(session), std::move(handler), config);
}

Carrier Carrier::server(std::unique_ptr<Stream> stream, H2Session session, Handler handler,
                        CarrierConfig config) {
  return Carrier(std::make_shared<Impl>(std::move(stream), std::move(session), std::move(handler), config));
}

Task<Result<void>> Carrier::run() {
  return Impl::run(impl_);
}
Task<Result<CarrierStream>> Carrier::open(RequestHead& head, bool end, GateRef gate, Millis within) {
  return Impl::open(impl_, head, end, std::move(gate), within);
}

void Carrier::drain() {
  impl_->session.drain();
  impl_->room.pulse();
  impl_->kick();
}

void Carrier::close() {
  if (impl_->over) return;
  impl_->ending = true;
  impl_->session.terminate(H2Code::no_error);
  impl_->end_streams();
  impl_->work.set();
}

void Carrier::abort() {
  impl_->ending = true;
  impl_->break_off(Error{"net.aborted", "the connection was broken off here", impl_->stream->peer(), ""});
}

bool Carrier::over() const {
  return impl_->over;
}

CarrierCounts Carrier::counts() const {
  return {impl_->session.counts(), impl_->bytes_in,   impl_->bytes_out,
          impl_->bodies.size(),    impl_->round_trip, impl_->last_heard};
}

Stream& Carrier::transport() {
  return *impl_->stream;
}

}  // namespace entente::net
