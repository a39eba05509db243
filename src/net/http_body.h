// Bodies of HTTP/1.1 messages on a stream, for both sides. Inside this room only.
#pragma once

#include "net/http1_parser.h"
#include "net/relay.h"
#include "net/stream.h"

namespace entente::net {

// What was read from a stream and not yet understood. Holds a buffer only while it holds bytes.
class ReadAhead {
 public:
  explicit ReadAhead(Stream& stream) : stream_(&stream) {}
  [[nodiscard]] bool empty() const { return at_ == end_; }
  [[nodiscard]] std::string_view text() const;
  void take(size_t count);
  [[nodiscard]] Bytes take_all();
  void put(ByteView bytes);  // into an empty one; at most Loop::kBufferBytes
  // What has come already, into an empty one: false when nothing has. True and still empty: the clean end.
  [[nodiscard]] Result<bool> try_more();
  // Reads some more into an empty one; 0 is the stream's clean end.
  [[nodiscard]] Task<Result<size_t>> more(Millis timeout);
  [[nodiscard]] Stream& stream() const { return *stream_; }
  void move_to(Stream& stream) {  // an empty one, on the stream's loop
    ENTENTE_DCHECK(empty());
    stream_ = &stream;
  }

 private:
  Stream* stream_;
  Buffer buffer_;
  size_t at_ = 0;
  size_t end_ = 0;
};

struct BodyReadLimits {
  HttpLimits heads{};
  Millis timeout{60'000};
  uint64_t rate_min = 0;  // bytes a second, on average over the time waited; 0 asks for none
  Millis rate_grace{0};
};

// How fast a body comes, over the time that was spent waiting for it.
struct BodyPace {
  uint64_t received = 0;
  Tick::duration waited{0};  // as fine as the clock: a wait may be shorter than a millisecond
  // After a wait that began at `from`: "net.timeout" when it comes too slowly.
  [[nodiscard]] Result<void> check(const BodyReadLimits& limits, Tick from, const Stream& stream);
};

class BodyReader final : public ByteSource {
 public:
  BodyReader(ReadAhead& ahead, BodyReadLimits limits)
      : ahead_(ahead), limits_(limits), chunks_(limits.heads) {}
  // `expects_continue`: 100 Continue goes out before the first wait for the body.
  void begin(BodyFraming framing, bool expects_continue, Millis write_timeout);

  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] bool failed() const { return failed_; }  // where the body ends is not known any more
  [[nodiscard]] bool expects_continue() const { return expects_continue_; }
  [[nodiscard]] BodyFraming framing() const { return framing_; }
  [[nodiscard]] uint64_t left() const { return left_; }  // with a length

  [[nodiscard]] bool ready_now() const override { return done_ || !ahead_.empty(); }
  [[nodiscard]] Task<Result<void>> wait() override;
  [[nodiscard]] Task<Result<size_t>> read(std::span<uint8_t> into) override;
  void abort() override { ahead_.stream().abort(); }

 private:
  [[nodiscard]] Task<Result<void>> send_continue();
  [[nodiscard]] Task<Result<size_t>> fetch(std::span<uint8_t> into);
  [[nodiscard]] Result<size_t> read_ahead(std::span<uint8_t> into);
  [[nodiscard]] Result<size_t> decode_ahead(std::span<uint8_t> into);
  [[nodiscard]] Result<size_t> decode_here(std::span<uint8_t> bytes);
  [[nodiscard]] Failure give_up(Error error);

  ReadAhead& ahead_;
  BodyReadLimits limits_;
  ChunkedDecoder chunks_;
  BodyFraming framing_;
  uint64_t left_ = 0;
  BodyPace pace_;
  Millis write_timeout_{0};
  bool expects_continue_ = false;
  bool done_ = true;
  bool failed_ = false;
};

class BodyWriter final : public ByteSink {
 public:
  BodyWriter(Stream& stream, Millis timeout) : stream_(&stream), timeout_(timeout) {}
  // `head` goes out with the first bytes. `bodiless`: what is written is dropped (HEAD, 304).
  void begin(std::string head, BodyFraming framing, bool bodiless);
  [[nodiscard]] bool started() const { return started_; }
  [[nodiscard]] bool finished() const { return finished_; }
  void reset() { started_ = finished_ = false; }
  void move_to(Stream& stream) { stream_ = &stream; }

  [[nodiscard]] Task<Result<void>> write(ByteView bytes) override;
  [[nodiscard]] Task<Result<void>> flush() override;
  [[nodiscard]] Task<Result<void>> finish() override;
  void abort() override { stream_->abort(); }

 private:
  [[nodiscard]] Task<Result<void>> failed_write(const char* what);
  // One write at a time: `sending_` stays until the next.
  [[nodiscard]] Task<Result<void>> send(std::string prefix, ByteView bytes, ByteView suffix);

  Stream* stream_;
  Millis timeout_;
  std::string head_;
  std::string sending_;  // what goes before the bytes that are on their way
  BodyFraming framing_;
  uint64_t left_ = 0;
  bool bodiless_ = false;
  bool started_ = false;
  bool finished_ = false;
};

}  // namespace entente::net
