#include "exchange/gate.h"

#include "exchange/lease.h"

#include <array>
#include <thread>

#include <doctest/doctest.h>

namespace entente::exchange {
namespace {

const Tick kStart{std::chrono::hours(1)};

TEST_CASE("a gate is closed until released, and a cut is final") {
  Gate gate(std::make_shared<Fence>());
  CHECK_FALSE(gate.passes());
  gate.release();
  CHECK(gate.passes());
  gate.hold();
  CHECK_FALSE(gate.passes());
  gate.cut();
  gate.release();
  CHECK_FALSE(gate.passes());
  CHECK(gate.is_cut());
}

TEST_CASE("one store closes all gates of a partner") {
  auto fence = std::make_shared<Fence>();
  std::array<Gate, 3> all{Gate(fence), Gate(fence), Gate(fence)};
  for (Gate& gate : all) gate.release();
  fence->close();
  for (const Gate& gate : all) CHECK_FALSE(gate.passes());
}

// A clock that counts who asks it for the machine's time.
class CountedClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return Instant{}; }
  [[nodiscard]] Tick tick() const override {
    ++asked;
    return at;
  }
  Tick at = kStart;
  mutable int asked = 0;
};

TEST_CASE("a lease's end closes a gate that nobody closed, and where there is none the clock is not read") {
  auto fence = std::make_shared<Fence>();
  Gate gate(fence);
  gate.release();
  CountedClock clock;
  CHECK(gate.passes(clock));
  CHECK(clock.asked == 0);
  fence->set_lease_end(kStart + Millis(1));
  CHECK(gate.passes(clock));
  clock.at += Millis(1);
  CHECK_FALSE(gate.passes(clock));
  CHECK_FALSE(gate.passes(clock.at));
  CHECK(clock.asked == 2);
  fence->set_lease_end(clock.at + Millis(1));
  CHECK(gate.passes(clock));
  fence->close();
  CHECK_FALSE(gate.passes(clock));
}

// The handshake that relays and the core share: once a loop has been round after the hold, it writes no more.
TEST_CASE("after a hold and one round of the loop no write follows") {
  auto gate = std::make_shared<Gate>(std::make_shared<Fence>());
  gate->release();
  std::atomic<uint64_t> written{0}, rounds{0};
  std::atomic<bool> stop{false};
  std::thread loop([&] {
    while (!stop.load()) {
      if (gate->passes()) written.fetch_add(1);
      rounds.fetch_add(1);
    }
  });
  for (int i = 0; i < 200; ++i) {
    gate->release();
    while (written.load() == 0) std::this_thread::yield();
    gate->hold();
    const uint64_t seen = rounds.load();
    while (rounds.load() < seen + 2) std::this_thread::yield();
    const uint64_t at_hold = written.exchange(0);
    CHECK(at_hold > 0);
    const uint64_t later = rounds.load();
    while (rounds.load() < later + 2) std::this_thread::yield();
    CHECK(written.load() == 0);
  }
  stop.store(true);
  loop.join();
}

TEST_CASE("a lease counts from the sending of the pulse that was answered") {
  Lease lease;
  CHECK_FALSE(lease.runs(kStart));
  lease.pulsed(kStart);
  lease.beaten(kStart);
  CHECK(lease.runs(kStart + kLease - Millis(1)));
  CHECK_FALSE(lease.runs(kStart + kLease));
  lease.beaten(kStart + Millis(3'000));  // an echo of what was never sent
  CHECK(lease.end() == kStart + kLease);
  lease.pulsed(kStart + Millis(2'000));
  lease.beaten(kStart + Millis(1'000));
  lease.beaten(kStart);  // an old one takes nothing back
  CHECK(lease.end() == kStart + Millis(1'000) + kLease);
}

}  // namespace
}  // namespace entente::exchange
