// A token bucket: so many at once, so many a second. What a partner may cost others.
#pragma once

#include "base/time.h"

#include <algorithm>
#include <cstdint>

namespace entente::exchange {

class Budget {
 public:
  Budget(uint32_t burst, uint32_t per_second)
      : burst_(int64_t{burst} * kUnit), per_ms_(per_second), left_(burst_) {}

  // Nothing was taken lately: as good as a new one.
  [[nodiscard]] bool full(Tick now) const {
    Budget later = *this;
    later.refill(now);
    return later.left_ == burst_;
  }
  [[nodiscard]] bool take(Tick now) {
    refill(now);
    if (left_ < kUnit) return false;
    left_ -= kUnit;
    return true;
  }

 private:
  static constexpr int64_t kUnit = 1'000;  // one token; per_second of these come each millisecond

  void refill(Tick now) {
    if (now <= last_) return;
    const int64_t passed_ms = std::chrono::duration_cast<Millis>(now - last_).count();
    if (passed_ms == 0) return;
    left_ = passed_ms >= burst_ ? burst_ : std::min(burst_, left_ + passed_ms * per_ms_);
    last_ = now;
  }

  int64_t burst_;
  int64_t per_ms_;
  int64_t left_;
  Tick last_{};
};

}  // namespace entente::exchange
