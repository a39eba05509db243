// Carrying one session's bytes: between a browser's request (or a link's stream) and the stream towards the
// app. Every write looks at the session's gate; a held session's bytes wait, a cut one's are dropped.
#pragma once

#include "exchange/lane.h"
#include "net/carrier.h"
#include "net/http_message.h"
#include "net/relay.h"

#include <functional>
#include <memory>
#include <optional>

namespace entente::exchange {

// The session's gate as streams see it: open only while neither hold, cut, fence nor lease closes it.
class SessionGate final : public net::Gate {
 public:
  SessionGate(std::shared_ptr<const exchange::Gate> gate, const Clock& clock)
      : gate_(std::move(gate)), clock_(clock) {}
  [[nodiscard]] bool is_open() const noexcept override { return gate_->passes(clock_); }

 private:
  std::shared_ptr<const exchange::Gate> gate_;
  const Clock& clock_;
};

// Waits while the session is held, then writes. The pass must outlive it.
class PatientSink final : public net::ByteSink {
 public:
  PatientSink(net::ByteSink& sink, Lane& lane, const Pass& pass) : sink_(sink), lane_(lane), pass_(pass) {}
  [[nodiscard]] net::Task<Result<void>> write(ByteView bytes) override;
  [[nodiscard]] net::Task<Result<void>> flush() override;   // a head that was held back
  [[nodiscard]] net::Task<Result<void>> finish() override;  // the end is the session's too
  void abort() override { sink_.abort(); }

 private:
  net::ByteSink& sink_;
  Lane& lane_;
  const Pass& pass_;
};

// Remembers that it was the source that failed: only then is the request broken, and to be broken off behind.
class MarkedSource final : public net::ByteSource {
 public:
  explicit MarkedSource(net::ByteSource& source) : source_(source) {}
  [[nodiscard]] bool ready_now() const override { return source_.ready_now(); }
  [[nodiscard]] net::Task<Result<void>> wait() override;
  [[nodiscard]] net::Task<Result<size_t>> read(std::span<uint8_t> into) override;
  [[nodiscard]] Bytes take() override { return source_.take(); }
  void abort() override { source_.abort(); }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  net::ByteSource& source_;
  bool failed_ = false;
};

// Begins the answer towards whoever asked, once the app has begun its own.
class AnswerStart {
 public:
  virtual ~AnswerStart() = default;
  // Where the answer's body goes; nullptr when none is wanted.
  [[nodiscard]] virtual net::Task<Result<net::ByteSink*>> start(net::ResponseHead head) = 0;
};

// Another stream for a request that brought no answer for that error, or the error again.
using Elsewhere = std::function<net::Task<Result<net::CarrierStream>>(const Error& why)>;

// How a connector breaks off what its app is not spoken to in: requests to one of opaque bytes, bytes to one
// of requests. No app's own answer says it.
inline constexpr net::H2Code kNotThisWay = net::H2Code::http_1_1_required;
// What a person is told of a request that `upstream` did not answer: that, or `otherwise`.
[[nodiscard]] Ending not_answered(const net::CarrierStream& upstream, bool bytes, Ending otherwise);

// Sends `body` (nullptr: none) up while the answer comes down. Returns when both directions have ended. On an
// error nothing was answered unless `answer` was started. A body that breaks takes the request with it: its
// error is the outcome. `elsewhere`, if any, is asked once when nothing came back; what it gives takes
// upstream's place.
[[nodiscard]] net::Task<Result<void>> relay_request(Lane& lane, const Pass& pass, net::ByteSource* body,
                                                    net::CarrierStream& upstream, AnswerStart& answer,
                                                    Elsewhere elsewhere = {});

}  // namespace entente::exchange
