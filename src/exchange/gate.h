// Whether a session's bytes may pass. The core flips it; every loop looks at it right before it hands bytes
// to TLS or to a socket. Lock-free and shared: a Gate outlives its session for as long as a stream holds it.
//
// A loop that has looked and not yet written is the one window left: whoever needs to say "no byte after this
// instant" posts an empty task to each loop after the flip and waits for all of them.
#pragma once

#include "base/time.h"

#include <atomic>
#include <cstdint>
#include <memory>

namespace entente::exchange {

// One per partner and way of asking: closes all its sessions' gates with one store.
class Fence {
 public:
  [[nodiscard]] bool closed() const noexcept { return closed_.load() != 0; }
  [[nodiscard]] bool lease_over(Tick now) const noexcept { return is_over(now, lease_end_ns_.load()); }
  // Reads the clock only where there is a lease.
  [[nodiscard]] bool lease_over(const Clock& clock) const noexcept {
    const int64_t end_ns = lease_end_ns_.load();
    return end_ns != kNoLease && is_over(clock.tick(), end_ns);
  }
  void close() noexcept { closed_.store(1); }
  void open() noexcept { closed_.store(0); }
  void set_lease_end(Tick end) noexcept { lease_end_ns_.store(end.time_since_epoch().count()); }

 private:
  static constexpr int64_t kNoLease = INT64_MAX;
  static bool is_over(Tick now, int64_t end_ns) noexcept { return now.time_since_epoch().count() >= end_ns; }
  std::atomic<uint32_t> closed_{0};
  std::atomic<int64_t> lease_end_ns_{kNoLease};  // only links on which this node is home have one
};

class Gate {
 public:
  static constexpr uint32_t kOpen = 0, kHeld = 1, kCut = 2;

  explicit Gate(std::shared_ptr<const Fence> fence) : fence_(std::move(fence)) {}

  // For relays. With a time it also looks at the lease itself, so that a stuck control loop opens nothing.
  [[nodiscard]] bool passes() const noexcept { return word_.load() == kOpen && !fence_->closed(); }
  [[nodiscard]] bool passes(Tick now) const noexcept { return passes() && !fence_->lease_over(now); }
  [[nodiscard]] bool passes(const Clock& clock) const noexcept {
    return passes() && !fence_->lease_over(clock);
  }
  [[nodiscard]] bool is_cut() const noexcept { return word_.load() == kCut; }

  // Which pass of the session is the newest: what was decided on an older one is decided again.
  [[nodiscard]] uint64_t edition() const noexcept { return edition_.load(); }

  // Numbers a request inside the session, from 1, consecutively: the ledger shows a gap.
  uint64_t count_request() noexcept { return requests_.fetch_add(1) + 1; }
  [[nodiscard]] uint64_t requests() const noexcept { return requests_.load(); }
  void stream_opened() noexcept { streams_.fetch_add(1); }
  void stream_closed() noexcept { streams_.fetch_sub(1); }
  [[nodiscard]] uint32_t streams() const noexcept { return streams_.load(); }

  // For the core alone. A cut is final.
  void count_from(uint64_t requests) noexcept { requests_.store(requests); }  // numbers go on after a restart
  void hold() noexcept { move_to(kHeld); }
  void release() noexcept { move_to(kOpen); }
  void cut() noexcept { word_.store(kCut); }
  void supersede() noexcept { edition_.fetch_add(1); }  // before it opens again

 private:
  void move_to(uint32_t next) noexcept {
    if (!is_cut()) word_.store(next);
  }
  std::atomic<uint32_t> word_{kHeld};  // nothing passes before the admission is durable
  std::atomic<uint32_t> streams_{0};
  std::atomic<uint64_t> requests_{0};
  std::atomic<uint64_t> edition_{0};
  std::shared_ptr<const Fence> fence_;
};

}  // namespace entente::exchange
