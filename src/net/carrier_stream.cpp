#include "net/carrier_internal.h"

namespace entente::net {

Failure CarrierBody::problem(Error error) const {
  if (error.code() == "net.fenced") return Failure(std::move(error));
  if (aborted) return fail("net.aborted", "the stream was broken off here", "stream");
  if (impl->over) return Failure(impl->closed_error());
  if (code == H2Code::refused_stream)
    return fail("h2.refused", "the peer refused the stream", "stream", "try again");
  return Failure(std::move(error));
}

void CarrierBody::wake() {
  in.pulse();
  out.pulse();
}

void CarrierBody::abort() {
  if (!impl->over && !code) impl->session.reset(id, H2Code::cancel);
  aborted = true;
  wake();
  impl->kick();
}

Task<Result<void>> CarrierBody::wait() {
  while (!ready_now()) {
    const bool woken = co_await in.wait(timeouts.read);
    if (!woken) co_return fail("net.timeout", "nothing came on the stream in time", "stream");
  }
  co_return Result<void>{};
}

Task<Result<size_t>> CarrierBody::read(std::span<uint8_t> into) {
  while (true) {
    if (aborted) co_return problem({});
    auto got = impl->session.read(id, into);
    if (!got) co_return problem(std::move(got.error()));
    if (got->bytes > 0) {
      bytes_in += got->bytes;
      impl->kick();  // the window may open
      co_return got->bytes;
    }
    if (got->end) co_return size_t{0};
    if (impl->over) co_return problem({});
    Result<void> waited = co_await wait();
    CO_TRY_VOID(std::move(waited));
  }
}

Bytes CarrierBody::take() {
  if (aborted) return {};
  Bytes piece = impl->session.take(id);
  bytes_in += piece.size();
  if (!piece.empty()) impl->kick();  // the window may open
  return piece;
}

Task<Result<void>> CarrierBody::write(ByteView bytes) {
  while (true) {
    if (aborted || impl->over) co_return problem({});
    auto taken = impl->session.write(id, bytes);
    if (!taken) co_return problem(std::move(taken.error()));
    bytes_out += *taken;
    bytes = bytes.subspan(*taken);
    impl->kick();
    if (bytes.empty()) co_return Result<void>{};
    const bool woken = co_await out.wait(timeouts.write);
    if (!woken) co_return fail("net.timeout", "the peer took no bytes of the stream in time", "stream");
  }
}

Task<Result<void>> CarrierBody::finish() {
  if (aborted || impl->over) co_return problem({});
  auto done = impl->session.finish(id);
  if (!done) co_return problem(std::move(done.error()));
  impl->kick();
  co_return Result<void>{};
}

Task<Result<void>> CarrierBody::sent() {
  while (!impl->session.tell_when_sent(id)) {
    if (aborted || impl->over) co_return problem({});
    const bool woken = co_await out.wait(timeouts.write);
    if (!woken) co_return fail("net.timeout", "the peer took no bytes of the stream in time", "stream");
  }
  co_return Result<void>{};
}

Task<Result<ResponseHead>> CarrierBody::read_head() {
  while (!response) {
    auto alive = impl->session.read(id, {});
    if (!alive) co_return problem(std::move(alive.error()));
    if (settled())
      co_return problem(Error{"h2.reset", "the stream was reset before it was answered", "stream", ""});
    const bool woken = co_await in.wait(timeouts.head);
    if (!woken) co_return fail("net.timeout", "the answer did not begin in time", "stream");
  }
  co_return std::move(*response);
}

CarrierStream::CarrierStream(std::unique_ptr<CarrierBody> body) : body_(std::move(body)) {}
CarrierStream::CarrierStream(CarrierStream&&) noexcept = default;
CarrierStream& CarrierStream::operator=(CarrierStream&&) noexcept = default;
CarrierStream::~CarrierStream() = default;

RequestHead& CarrierStream::request() {
  return *body_->request;
}
bool CarrierStream::has_body() const {
  return body_->has_body;
}
Task<Result<ResponseHead>> CarrierStream::read_head() {
  return body_->read_head();
}
ByteSource& CarrierStream::body() {
  return *body_;
}
ByteSink& CarrierStream::sink() {
  return *body_;
}
uint64_t CarrierStream::bytes_in() const {
  return body_->bytes_in;
}
uint64_t CarrierStream::bytes_out() const {
  return body_->bytes_out;
}
std::optional<H2Code> CarrierStream::reset_code() const {
  return body_->code;
}
H2StreamId CarrierStream::id() const {
  return body_->id;
}
void CarrierStream::set_class(H2Class klass) {
  body_->impl->session.set_class(body_->id, klass);
}
void CarrierStream::set_timeouts(CarrierTimeouts timeouts) {
  body_->timeouts = timeouts;
}
void CarrierStream::set_gate(GateRef gate, bool both_ways) {
  body_->impl->session.set_gate(body_->id, std::move(gate), both_ways);
}
void CarrierStream::when_broken(std::function<void()> broken) {
  body_->gone = std::move(broken);
}
Task<Result<void>> CarrierStream::sent() {
  return body_->sent();
}
Stream& CarrierStream::transport() const {
  return *body_->impl->stream;
}

Result<void> CarrierStream::interim(ResponseHead head) {
  remove_hop_by_hop(head.headers);
  if (body_->impl->over) return Failure(body_->impl->closed_error());
  TRY_VOID(body_->impl->session.interim(body_->id, head));
  body_->impl->kick();
  return {};
}

Result<void> CarrierStream::respond(ResponseHead head, bool end) {
  remove_hop_by_hop(head.headers);
  if (body_->impl->over) return Failure(body_->impl->closed_error());
  TRY_VOID(body_->impl->session.respond(body_->id, head, end));
  body_->impl->kick();
  return {};
}

void CarrierStream::fence() {
  body_->impl->session.fence(body_->id);
  body_->wake();
  body_->impl->kick();
}

void CarrierStream::reset(H2Code code) {
  body_->impl->session.reset(body_->id, code);
  body_->aborted = true;
  body_->wake();
  body_->impl->kick();
}

}  // namespace entente::net
