// A carrier and what a stream of it owns: between carrier.cpp and carrier_stream.cpp alone.
#pragma once

#include "net/carrier.h"
#include "net/loop.h"

#include <unordered_map>
#include <utility>

namespace entente::net {

struct Carrier::Impl : std::enable_shared_from_this<Impl> {
  Impl(std::unique_ptr<Stream> its_stream, H2Session its_session, Handler its_handler,
       CarrierConfig its_config)
      : loop(its_stream->loop()),
        stream(std::move(its_stream)),
        session(std::move(its_session)),
        handler(std::move(its_handler)),
        config(its_config),
        work(loop),
        stop(loop),
        room(loop),
        reader_ended(loop),
        writer_ended(loop) {}

  static Task<Result<void>> run(std::shared_ptr<Impl> self);
  static Task<void> write_loop(std::shared_ptr<Impl> self);
  static Task<void> keep_alive(std::shared_ptr<Impl> self);
  static Task<void> watch_idle(std::shared_ptr<Impl> self);
  [[nodiscard]] Result<Bytes> write_now();
  static Task<Result<CarrierStream>> open(std::shared_ptr<Impl> self, RequestHead& head, bool end,
                                          GateRef gate, Millis within);
  Task<Result<void>> read_loop();
  Task<void> discard_rest();
  Result<void> hear(ByteView bytes);
  void dispatch();
  void serve(H2Request request);
  void kick();
  void break_off(Error error);
  void end_streams();
  [[nodiscard]] Error closed_error() const;

  Loop& loop;
  std::unique_ptr<Stream> stream;
  H2Session session;
  Handler handler;
  CarrierConfig config;
  std::unordered_map<H2StreamId, CarrierBody*> bodies;
  Event work;  // there may be something to write
  Event stop;
  Event room;  // a stream ended, or the peer's settings came
  Event reader_ended;
  Event writer_ended;
  std::optional<Error> broken;  // the first thing that went wrong
  size_t openers = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t ping_number = 0;
  bool ping_waits = false;
  Tick ping_sent{};
  Tick last_heard{};
  Tick quiet_since{};  // there is no stream since then
  Millis round_trip{-1};
  bool ending = false;  // write what is left, then close
  bool over = false;
};

// What a CarrierStream owns. Its connection outlives it.
class CarrierBody final : public ByteSource, public ByteSink {
 public:
  CarrierBody(std::shared_ptr<Carrier::Impl> its_impl, H2StreamId its_id)
      : impl(std::move(its_impl)),
        id(its_id),
        timeouts(impl->config.timeouts),
        in(impl->loop),
        out(impl->loop) {
    impl->bodies[id] = this;
  }
  ~CarrierBody() override {
    impl->bodies.erase(id);
    impl->session.release(id);
    if (impl->bodies.empty()) impl->quiet_since = impl->loop.tick();
    impl->room.pulse();
    impl->kick();
  }

  [[nodiscard]] bool ready_now() const override {
    return settled() || impl->session.unread(id) > 0 || at_end();
  }
  [[nodiscard]] Task<Result<void>> wait() override;
  [[nodiscard]] Task<Result<size_t>> read(std::span<uint8_t> into) override;
  [[nodiscard]] Bytes take() override;
  [[nodiscard]] Task<Result<void>> write(ByteView bytes) override;
  [[nodiscard]] Task<Result<void>> flush() override { co_return Result<void>{}; }
  [[nodiscard]] Task<Result<void>> finish() override;
  void abort() override;
  [[nodiscard]] Task<Result<ResponseHead>> read_head();
  [[nodiscard]] Task<Result<void>> sent();
  void wake();
  void is_broken() {
    wake();
    if (gone) std::exchange(gone, nullptr)();
  }

  std::shared_ptr<Carrier::Impl> impl;
  H2StreamId id;
  CarrierTimeouts timeouts;
  Event in;                              // a head, bytes, the end, or a break
  Event out;                             // room, or a break
  std::unique_ptr<RequestHead> request;  // the server's
  bool has_body = false;
  std::optional<ResponseHead> response;
  std::optional<H2Code> code;
  std::function<void()> gone;
  bool aborted = false;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;

 private:
  // Nothing more will happen to it: whoever waits is better off trying.
  [[nodiscard]] bool settled() const { return impl->over || aborted || code.has_value(); }
  [[nodiscard]] bool at_end() const {
    const auto got = impl->session.read(id, {});
    return !got || got->end;
  }
  [[nodiscard]] Failure problem(Error error) const;
};

}  // namespace entente::net
