// Token buckets: so many at once, so many a second or a minute. What somebody may cost others. Not
// thread-safe.
#pragma once

#include "base/time.h"

#include <algorithm>
#include <cstdint>
#include <map>

namespace entente {

class Budget {
 public:
  Budget(uint32_t burst, uint32_t per_second) : Budget(burst, PerMs{int64_t{per_second} * 60}) {}
  [[nodiscard]] static Budget by_minute(uint32_t burst, uint32_t per_minute) {
    return {burst, PerMs{per_minute}};
  }

  // Nothing was taken lately: as good as a new one.
  [[nodiscard]] bool full(Tick now) const {
    Budget later = *this;
    later.refill(now);
    return later.left_ == burst_;
  }
  // False, and nothing is taken, when there is not as much left.
  [[nodiscard]] bool take(Tick now, size_t count = 1) {
    refill(now);
    if (static_cast<size_t>(left_ / kUnit) < count) return false;
    left_ -= static_cast<int64_t>(count) * kUnit;
    return true;
  }

 private:
  // One token. At one a minute one of these comes each millisecond.
  static constexpr int64_t kUnit = 60'000;
  struct PerMs {
    int64_t units;
  };

  Budget(uint32_t burst, PerMs rate) : burst_(int64_t{burst} * kUnit), per_ms_(rate.units), left_(burst_) {}
  void refill(Tick now) {
    if (now <= last_) return;
    const int64_t passed_ms = std::chrono::duration_cast<Millis>(now - last_).count();
    if (passed_ms == 0) return;
    const bool enough = per_ms_ > 0 && passed_ms > burst_ / per_ms_;
    left_ = enough ? burst_ : std::min(burst_, left_ + passed_ms * per_ms_);
    last_ = now;
  }

  int64_t burst_;
  int64_t per_ms_;
  int64_t left_;
  Tick last_{};
};

// One for each of many. Those that are full are forgotten when there is no room.
template <class Name>
class Budgets {
 public:
  enum class Crowded : uint8_t {
    refuse,  // newcomers get nothing
    forget,  // all are forgotten: for what is bounded in another way, too
  };
  Budgets(const Budget& each, size_t names_max, Crowded crowded)
      : each_(each), names_max_(names_max), crowded_(crowded) {}

  [[nodiscard]] bool take(const Name& name, Tick now, size_t count = 1) {
    const auto known = of_.find(name);
    if (known != of_.end()) return known->second.take(now, count);
    return make_room(now) && of_.emplace(name, each_).first->second.take(now, count);
  }

 private:
  [[nodiscard]] bool make_room(Tick now) {
    if (of_.size() < names_max_) return true;
    if (now - swept_ >= Seconds(1)) {
      swept_ = now;
      std::erase_if(of_, [now](const auto& one) { return one.second.full(now); });
    }
    if (of_.size() < names_max_) return true;
    if (crowded_ == Crowded::refuse) return false;
    of_.clear();
    return true;
  }

  Budget each_;
  size_t names_max_;
  Crowded crowded_;
  Tick swept_{};
  std::map<Name, Budget> of_;  // not by a hash: names may be chosen by those whose budgets they are
};

}  // namespace entente
