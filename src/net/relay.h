// Bodies and raw bytes, from wherever they come to wherever they go: pulled with back-pressure, never held
// whole. A pump holds no buffer while its source has nothing. Everything here lives on one loop.
#pragma once

#include "base/bytes.h"
#include "base/time.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/task.h"

#include <cstdint>
#include <optional>

namespace entente::net {

// Where bytes come from: a request's or response's body, one direction of a stream. Time limits are the
// source's own.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  [[nodiscard]] virtual bool ready_now() const { return false; }  // read() would not wait
  [[nodiscard]] virtual Task<Result<void>> wait() = 0;  // until read() is likely not to wait; holds no buffer
  [[nodiscard]] virtual Task<Result<size_t>> read(
      std::span<uint8_t> into) = 0;  // at least one byte; 0 is the end
  // Bytes that are here, without a copy; nothing where only read() can say more.
  [[nodiscard]] virtual Bytes take() { return {}; }
  virtual void abort() = 0;  // breaks off: the other side sees it; wakes read() and wait() with "net.aborted"
};

// Where bytes go. Implementations check their stream's gate before each write.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  [[nodiscard]] virtual Task<Result<void>> write(ByteView bytes) = 0;  // returns when more may be given
  [[nodiscard]] virtual Task<Result<void>> flush() = 0;   // sends what was held back (a head, say)
  [[nodiscard]] virtual Task<Result<void>> finish() = 0;  // the end: last chunk, END_STREAM, half close
  virtual void abort() = 0;  // breaks off: the receiver can tell that the end is missing
};

// A stream's two directions. The stream must outlive them.
class StreamSource final : public ByteSource {
 public:
  // `leftover` is given first: what a head's reader had read too far.
  StreamSource(Stream& stream, Millis timeout, Bytes leftover = {});
  [[nodiscard]] bool ready_now() const override { return at_ < leftover_.size(); }
  [[nodiscard]] Task<Result<void>> wait() override;
  [[nodiscard]] Task<Result<size_t>> read(std::span<uint8_t> into) override;
  void abort() override { stream_.abort(); }

 private:
  [[nodiscard]] Task<Result<size_t>> read_leftover(std::span<uint8_t> into);
  Stream& stream_;
  Millis timeout_;
  Bytes leftover_;
  size_t at_ = 0;
};
class StreamSink final : public ByteSink {
 public:
  StreamSink(Stream& stream, Millis timeout) : stream_(stream), timeout_(timeout) {}
  [[nodiscard]] Task<Result<void>> write(ByteView bytes) override {
    return stream_.write_all(bytes, timeout_);
  }
  [[nodiscard]] Task<Result<void>> flush() override;
  [[nodiscard]] Task<Result<void>> finish() override { return stream_.shutdown_write(timeout_); }
  void abort() override { stream_.abort(); }

 private:
  Stream& stream_;
  Millis timeout_;
};

struct PumpOptions {
  GateRef gate{};                       // looked at before every write, besides the sink's own; may be empty
  uint64_t* counter = nullptr;          // grows by the bytes passed on; must outlive the pump
  std::optional<uint64_t> bytes_max{};  // over: "net.too_long"
  bool finish = true;                   // finish() the sink at the source's clean end
};
// Moves everything from `source` to `sink`, through at most Loop::kRelayBufferBytes. Gives the bytes moved.
// On an error neither end is aborted: the caller knows which of them must be.
[[nodiscard]] Task<Result<uint64_t>> pump(Loop& loop, ByteSource& source, ByteSink& sink,
                                          PumpOptions options = {});

struct RelayReport {
  uint64_t a_to_b = 0;
  uint64_t b_to_a = 0;
  std::optional<Error> error{};  // the first; both ends were aborted then
};
struct RelayEnd {
  ByteSource& source;
  ByteSink& sink;
};
// Both directions at once, for upgraded connections: a clean end of one direction ends the other's sink and
// lets the other direction go on; an error, or a gate found closed at a write, aborts all. To cut an idle
// relay, abort one of its streams. Returns when both directions have ended.
[[nodiscard]] Task<RelayReport> relay(Loop& loop, RelayEnd a, RelayEnd b, GateRef gate = nullptr);

}  // namespace entente::net
