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
  explicit Notes(Instant now, bool keeps_reach = true) : now_(now), keeps_reach_(keeps_reach) {}

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
  // `uid`: makes it, where anybody asks what was read.
  template <class Uid>
  void read(Uid uid) {
    if (keeps_reach_) [[unlikely]]
      reach_.entities.push_back(uid());
  }
  [[nodiscard]] bool keeps_reach() const { return keeps_reach_; }

  void add(const policy::Answer& answer) {
    if (keeps_reach_) add_reach(answer);
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
  void add_reach(const policy::Answer& answer) {
    for (const policy::EntityUid* uid : answer.reads) {
      // Layers read much the same: few are copied. What is left double goes in take_reach().
      constexpr size_t kSearchedMax = 64;
      const auto known = reach_.entities.begin();
      const auto end = known + static_cast<std::ptrdiff_t>(std::min(reach_.entities.size(), kSearchedMax));
      if (std::find(known, end, *uid) == end) reach_.entities.push_back(*uid);
    }
  }
  void note(Instant at) {
    if (at > now_) soonest_ = std::min(soonest_, at);
  }
  template <class T>
  static void tidy(std::vector<T>& items) {
    std::sort(items.begin(), items.end());
    items.erase(std::unique(items.begin(), items.end()), items.end());
  }

  Instant now_;
  bool keeps_reach_;
  Instant soonest_ = kNever;
  bool request_read_ = false;
  policy::Reach reach_;
};

}  // namespace entente::coalition
