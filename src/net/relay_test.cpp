#include "net/relay.h"

#include "net/stream_for_test.h"

#include <string>

#include <doctest/doctest.h>

namespace entente::net {

namespace {

constexpr Millis kPatience{10'000};

// Gives `total` bytes without holding them, to show that a pump's memory is flat.
class CountingSource final : public ByteSource {
 public:
  explicit CountingSource(uint64_t total) : left_(total) {}
  [[nodiscard]] bool ready_now() const override { return true; }
  Task<Result<void>> wait() override { co_return Result<void>{}; }
  Task<Result<size_t>> read(std::span<uint8_t> into) override {
    largest = std::max(largest, into.size());
    const size_t count = static_cast<size_t>(std::min<uint64_t>(into.size(), left_));
    left_ -= count;
    co_return count;
  }
  void abort() override { left_ = 0; }
  size_t largest = 0;

 private:
  uint64_t left_;
};

Task<uint64_t> count_all(Stream& stream) {
  uint64_t sum = 0;
  Bytes buffer(64 * 1024);
  for (;;) {
    Result<size_t> got = co_await stream.read_some(buffer, kPatience);
    if (!got || *got == 0) co_return sum;
    sum += *got;
  }
}

Task<void> pump_into(Loop* loop, ByteSource* source, Stream* stream, PumpOptions options,
                     std::string* outcome) {
  StreamSink sink(*stream, kPatience);
  Result<uint64_t> moved = co_await pump(*loop, *source, sink, std::move(options));
  *outcome = moved ? std::to_string(*moved) : moved.error().code();
  if (!moved) stream->abort();
}

Task<void> run_relay(Loop* loop, Stream* a, Stream* b, GateRef gate, RelayReport* report, Event* done) {
  StreamSource a_source(*a, kNoTimeout, to_bytes("early "));
  StreamSource b_source(*b, kNoTimeout);
  StreamSink a_sink(*a, kPatience);
  StreamSink b_sink(*b, kPatience);
  *report = co_await relay(*loop, {a_source, a_sink}, {b_source, b_sink}, std::move(gate));
  done->set();
}

Task<std::string> read_text(Stream& stream, size_t bytes) {
  std::string all;
  std::array<uint8_t, 256> buffer;
  while (all.size() < bytes) {
    Result<size_t> got = co_await stream.read_some(buffer, kPatience);
    if (!got) co_return all + "!" + got.error().code();
    if (*got == 0) co_return all + "!end";
    all.append(as_text(ByteView(buffer).first(*got)));
  }
  co_return all;
}

Task<bool> write_text(Stream& stream, std::string text) {
  Result<void> sent = co_await stream.write_all(as_bytes(text), kPatience);
  co_return sent.has_value();
}

Task<bool> end_writing(Stream& stream) {
  Result<void> ended = co_await stream.shutdown_write(kPatience);
  co_return ended.has_value();
}

Task<bool> wait_for(Event& event) {
  bool set = co_await event.wait(kPatience);
  co_return set;
}

struct RelayTest {
  Loop loop;
  StreamPair left = memory_pair(loop);
  StreamPair right = memory_pair(loop);
  std::shared_ptr<Gate> gate = std::make_shared<Gate>();
  RelayReport report;
  Event done{loop};
  RelayTest() { loop.spawn(run_relay(&loop, left.b.get(), right.a.get(), gate, &report, &done)); }
};

}  // namespace

TEST_CASE("a pump moves 64 MiB through 64 KiB") {
  Loop loop;
  StreamPair pair = memory_pair(loop);
  CountingSource source(64 << 20);
  uint64_t counter = 0;
  std::string outcome;
  loop.spawn(pump_into(&loop, &source, pair.a.get(), {.counter = &counter}, &outcome));
  CHECK(loop.run_until(count_all(*pair.b)) == 64 << 20);
  CHECK(outcome == std::to_string(64 << 20));
  CHECK(counter == 64 << 20);
  CHECK(source.largest <= Loop::kRelayBufferBytes);
}

TEST_CASE("a pump stops at its limit and at a closed gate") {
  Loop loop;
  StreamPair pair = memory_pair(loop);
  std::string outcome;
  SUBCASE("limit") {
    CountingSource source(1 << 20);
    loop.spawn(pump_into(&loop, &source, pair.a.get(), {.bytes_max = 100'000}, &outcome));
    (void)loop.run_until(count_all(*pair.b));
    CHECK(outcome == "net.too_long");
  }
  SUBCASE("gate") {
    CountingSource source(1 << 20);
    auto gate = std::make_shared<Gate>();
    gate->close();
    loop.spawn(pump_into(&loop, &source, pair.a.get(), {.gate = gate}, &outcome));
    CHECK(loop.run_until(count_all(*pair.b)) == 0);
    CHECK(outcome == "net.fenced");
  }
}

TEST_CASE("a relay carries both directions, leftovers first, and half closes") {
  RelayTest t;
  CHECK(t.loop.run_until(write_text(*t.left.a, "bird")));
  CHECK(t.loop.run_until(read_text(*t.right.b, 10)) == "early bird");
  CHECK(t.loop.run_until(write_text(*t.right.b, "worm")));
  CHECK(t.loop.run_until(read_text(*t.left.a, 4)) == "worm");
  CHECK(t.loop.run_until(end_writing(*t.left.a)));
  CHECK(t.loop.run_until(read_text(*t.right.b, 1)) == "!end");
  CHECK(t.loop.run_until(write_text(*t.right.b, "still")));
  CHECK(t.loop.run_until(read_text(*t.left.a, 5)) == "still");
  CHECK(t.loop.run_until(end_writing(*t.right.b)));
  CHECK(t.loop.run_until(wait_for(t.done)));
  CHECK_FALSE(t.report.error);
  CHECK(t.report.a_to_b == 10);
  CHECK(t.report.b_to_a == 9);
}

TEST_CASE("after the gate closes a relay passes nothing and breaks both ends off") {
  RelayTest t;
  CHECK(t.loop.run_until(read_text(*t.right.b, 6)) == "early ");
  t.gate->close();
  CHECK(t.loop.run_until(write_text(*t.left.a, "late")));
  CHECK(t.loop.run_until(wait_for(t.done)));
  CHECK(t.report.error->code() == "net.fenced");
  CHECK(t.loop.run_until(read_text(*t.right.b, 1)) == "!net.reset");
  CHECK(t.loop.run_until(read_text(*t.left.a, 1)) == "!net.reset");
}

TEST_CASE("aborting one end of an idle relay ends it") {
  RelayTest t;
  CHECK(t.loop.run_until(read_text(*t.right.b, 6)) == "early ");
  t.left.b->abort();
  CHECK(t.loop.run_until(wait_for(t.done)));
  CHECK(t.report.error->code() == "net.aborted");
  CHECK(t.loop.run_until(read_text(*t.right.b, 1)) == "!net.reset");
}

}  // namespace entente::net
