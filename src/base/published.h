// One immutable value that one thread replaces and every thread may read. Readers keep the version they took.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace entente {

template <class T>
class Published {
 public:
  using Ref = std::shared_ptr<const T>;

  explicit Published(Ref first = nullptr) : value_(std::move(first)) {}
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  // Whoever asks after this returned sees `next`.
  void set(Ref next) {
    const std::lock_guard lock(mutex_);
    value_.swap(next);
    version_.fetch_add(1, std::memory_order_release);
  }  // the old one goes with `next`, after the lock
  [[nodiscard]] Ref get() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }

  // One thread's own copy: as new as get(), and while nothing was published it costs one load.
  class View {
   public:
    explicit View(const Published& of) : of_(of) {}
    [[nodiscard]] const Ref& get() {
      if (of_.version_.load(std::memory_order_acquire) != seen_) renew();
      return kept_;
    }
    // Of what get() gave last: no two that were published share it.
    [[nodiscard]] uint64_t version() const { return seen_; }

   private:
    void renew() {
      Ref old = std::move(kept_);
      const std::lock_guard lock(of_.mutex_);
      kept_ = of_.value_;
      seen_ = of_.version_.load(std::memory_order_relaxed);
    }
    const Published& of_;
    Ref kept_;
    uint64_t seen_ = 0;
  };

 private:
  mutable std::mutex mutex_;
  Ref value_;
  std::atomic<uint64_t> version_{1};
};

}  // namespace entente
