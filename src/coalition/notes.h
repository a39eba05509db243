// What a decision looked at: from this come valid_until and reach. Every comparison with a time goes through
// here, so that none is forgotten. Private to the room.
#pragma once

#include "base/time.h"
#include "policy/decide.h"

#include <algorithm>
#include <vector>

namespace entente::coalition {

class Notes {
 public:
  explicit Notes(Instant now) : now_(now) {}

  // Whether `end` lies ahead; if it does, the answer may change there.
  bool before(Instant end) {
    note(end);
    return now_ < end;
  }
  bool reached(Instant start) {
    note(start);
    return now_ >= start;
  }
  // A layer was asked whose policies could read the request's method or path.
  void request_read() { request_read_ = true; }
  [[nodiscard]] bool any_request() const { return !request_read_; }
  void read(policy::EntityUid uid) { reach_.entities.push_back(std::move(uid)); }

  void add(const policy::Answer& answer) {
    for (const policy::EntityUid* uid : answer.reads) {
      // Layers read much the same: few are copied. What is left double goes in take_reach().
      constexpr size_t kSearchedMax = 64;
      const auto known = reach_.entities.begin();
      const auto end = known + static_cast<std::ptrdiff_t>(std::min(reach_.entities.size(), kSearchedMax));
      if (std::find(known, end, *uid) == end) reach_.entities.push_back(*uid);
    }
    for (const policy::Datetime at : answer.instants) {
      const Instant instant{Millis(at.ms)};
      note(instant);
      // "not later than" still holds at the instant itself and fails right after.
      if (instant == now_) note(now_ + Millis(1));
    }
    if (answer.clock_bound) note(now_ + Millis(1));
  }

  [[nodiscard]] Instant valid_until() const { return soonest_; }
  [[nodiscard]] policy::Reach take_reach() {
    tidy(reach_.entities);
    tidy(reach_.types);
    return std::move(reach_);
  }

 private:
  void note(Instant at) {
    if (at > now_) soonest_ = std::min(soonest_, at);
  }
  template <class T>
  static void tidy(std::vector<T>& items) {
    std::sort(items.begin(), items.end());
    items.erase(std::unique(items.begin(), items.end()), items.end());
  }

  Instant now_;
  Instant soonest_ = kNever;
  bool request_read_ = false;
  policy::Reach reach_;
};

}  // namespace entente::coalition
