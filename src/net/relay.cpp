#include "net/relay.h"

#include "net/chunks.h"

#include <algorithm>

namespace entente::net {

StreamSource::StreamSource(Stream& stream, Millis timeout, Bytes leftover)
    : stream_(stream), timeout_(timeout), leftover_(std::move(leftover)) {}

Task<Result<void>> StreamSource::wait() {
  if (ready_now()) co_return Result<void>{};
  Result<void> waited = co_await stream_.wait_readable(timeout_);
  co_return waited;
}

Task<Result<size_t>> StreamSource::read(std::span<uint8_t> into) {
  if (!ready_now()) return stream_.read_some(into, timeout_);
  return read_leftover(into);
}

Task<Result<size_t>> StreamSource::read_leftover(std::span<uint8_t> into) {
  const size_t count = std::min(into.size(), leftover_.size() - at_);
  std::copy_n(leftover_.begin() + static_cast<std::ptrdiff_t>(at_), count, into.begin());
  at_ += count;
  if (at_ == leftover_.size()) {
    leftover_ = Bytes();
    at_ = 0;
  }
  co_return count;
}

Task<Result<void>> StreamSink::flush() {
  co_return Result<void>{};
}

Task<Result<uint64_t>> pump(Loop& loop, ByteSource& source, ByteSink& sink, PumpOptions options) {
  uint64_t moved = 0;
  Buffer buffer;
  for (;;) {
    if (!source.ready_now()) {
      buffer.give_back();
      Result<void> flushed = co_await sink.flush();
      CO_TRY_VOID(std::move(flushed));
      Result<void> ready = co_await source.wait();
      CO_TRY_VOID(std::move(ready));
    }
    Bytes piece = source.take();
    ByteView bytes = piece;
    if (piece.empty()) {
      if (!buffer) buffer = loop.lend(Loop::kRelayBufferBytes);
      Result<size_t> got = co_await source.read(buffer.span());
      CO_TRY(const size_t read, std::move(got));
      if (read == 0) break;
      bytes = buffer.span().first(read);
    }
    const size_t count = bytes.size();
    if (options.bytes_max && count > *options.bytes_max - moved) {
      co_return fail("net.too_long", "more bytes came than may pass");
    }
    if (options.gate && !options.gate->is_open())
      co_return fail("net.fenced", "the gate was closed before these bytes went out");
    Result<void> written = co_await sink.write(bytes);
    CO_TRY_VOID(std::move(written));
    give_chunk(std::move(piece));
    moved += count;
    if (options.counter) *options.counter += count;
  }
  buffer.give_back();
  if (options.finish) {
    if (options.gate && !options.gate->is_open())
      co_return fail("net.fenced", "the gate was closed before the end");
    Result<void> finished = co_await sink.finish();
    CO_TRY_VOID(std::move(finished));
  }
  co_return moved;
}

namespace {

struct RelayState {
  explicit RelayState(Loop& loop) : done(loop) {}
  RelayReport report;
  Event done;  // the direction that was spawned has ended
};

Task<void> one_way(Loop* loop, RelayEnd from, RelayEnd to, GateRef gate, uint64_t* counter,
                   RelayState* state) {
  PumpOptions options{.gate = std::move(gate), .counter = counter, .bytes_max = std::nullopt};
  Result<uint64_t> moved = co_await pump(*loop, from.source, to.sink, std::move(options));
  if (moved) co_return;
  if (!state->report.error) state->report.error = std::move(moved.error());
  from.source.abort();
  from.sink.abort();
  to.source.abort();
  to.sink.abort();
}

Task<void> other_way(Loop* loop, RelayEnd from, RelayEnd to, GateRef gate,
                     std::shared_ptr<RelayState> state) {
  uint64_t* counter = &state->report.b_to_a;
  co_await one_way(loop, from, to, std::move(gate), counter, state.get());
  state->done.set();
}

}  // namespace

Task<RelayReport> relay(Loop& loop, RelayEnd a, RelayEnd b, GateRef gate) {
  auto state = std::make_shared<RelayState>(loop);
  loop.spawn(other_way(&loop, b, a, gate, state));
  uint64_t* counter = &state->report.a_to_b;
  co_await one_way(&loop, a, b, std::move(gate), counter, state.get());
  bool done = co_await state->done.wait(kNoTimeout);
  (void)done;
  co_return std::move(state->report);
}

}  // namespace entente::net
