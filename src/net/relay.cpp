#include "net/relay.h"

#include "net/chunks.h"

#include <algorithm>

namespace entente::net {

StreamSource::StreamSource(Stream& stream, Millis timeout, Bytes leftover)
    : stream_(stream), timeout_(timeout), leftover_(std::move(leftover)) {}

Task<Result<void>> StreamSource::wait() {
  return ready_now() ? no_wait() : stream_.wait_readable(timeout_);
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

namespace {

// Whole frames of HTTP/2, each of which fits into a TLS record with its head: a rest would go out alone.
constexpr size_t kReadBytes = 4 * (Loop::kBufferBytes - 9);

struct Pumped {
  uint64_t bytes = 0;
  bool ended = false;
};

// All that is there now. Apart from pump(), which waits: what waits is small.
Task<Result<void>> pump_ready(Loop* loop, ByteSource* source, ByteSink* sink, const PumpOptions* options,
                              Pumped* pumped) {
  Buffer buffer;
  do {
    Bytes piece = source->take();
    ByteView bytes = piece;
    if (piece.empty()) {
      if (!buffer) buffer = loop->lend(Loop::kRelayBufferBytes);
      Result<size_t> got = co_await source->read(buffer.span().first(kReadBytes));
      CO_TRY(const size_t read, std::move(got));
      pumped->ended = read == 0;
      if (pumped->ended) break;
      bytes = buffer.span().first(read);
    }
    const size_t count = bytes.size();
    if (options->bytes_max && count > *options->bytes_max - pumped->bytes)
      co_return fail("net.too_long", "more bytes came than may pass");
    if (options->gate && !options->gate->is_open())
      co_return fail("net.fenced", "the gate was closed before these bytes went out");
    Result<void> written = co_await sink->write(bytes);
    CO_TRY_VOID(std::move(written));
    give_chunk(std::move(piece));
    pumped->bytes += count;
    if (options->counter) *options->counter += count;
  } while (source->ready_now());
  co_return Result<void>{};
}

}  // namespace

Task<Result<uint64_t>> pump(Loop& loop, ByteSource& source, ByteSink& sink, PumpOptions options) {
  Pumped pumped;
  while (!pumped.ended) {
    Result<void> done;
    if (!source.ready_now()) {
      done = co_await sink.flush();
      CO_TRY_VOID(std::move(done));
      done = co_await source.wait();
      CO_TRY_VOID(std::move(done));
    }
    done = co_await pump_ready(&loop, &source, &sink, &options, &pumped);
    CO_TRY_VOID(std::move(done));
  }
  if (options.finish) {
    if (options.gate && !options.gate->is_open())
      co_return fail("net.fenced", "the gate was closed before the end");
    Result<void> finished = co_await sink.finish();
    CO_TRY_VOID(std::move(finished));
  }
  co_return pumped.bytes;
}

namespace {

struct RelayState {
  explicit RelayState(Loop& loop) : done(loop) {}
  void ended(Result<uint64_t> moved, RelayEnd from, RelayEnd to) {
    if (moved) return;
    if (!report.error) report.error = std::move(moved.error());
    from.source.abort();
    from.sink.abort();
    to.source.abort();
    to.sink.abort();
  }
  RelayReport report;
  Event done;  // the direction that was spawned has ended
};

Task<void> other_way(Loop* loop, RelayEnd from, RelayEnd to, GateRef gate,
                     std::shared_ptr<RelayState> state) {
  PumpOptions options{.gate = std::move(gate), .counter = &state->report.b_to_a, .bytes_max = std::nullopt};
  Result<uint64_t> moved = co_await pump(*loop, from.source, to.sink, std::move(options));
  state->ended(std::move(moved), from, to);
  state->done.set();
}

}  // namespace

Task<RelayReport> relay(Loop& loop, RelayEnd a, RelayEnd b, GateRef gate) {
  auto state = std::make_shared<RelayState>(loop);
  loop.spawn(other_way(&loop, b, a, gate, state));
  PumpOptions options{.gate = std::move(gate), .counter = &state->report.a_to_b, .bytes_max = std::nullopt};
  Result<uint64_t> moved = co_await pump(loop, a.source, b.sink, std::move(options));
  state->ended(std::move(moved), a, b);
  bool done = co_await state->done.wait(kNoTimeout);
  (void)done;
  co_return std::move(state->report);
}

}  // namespace entente::net
