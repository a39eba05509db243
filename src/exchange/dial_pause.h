// How long to wait between two dials of the same other side: longer each time, whatever became of them, until
// a connection has held. One that is taken and closed at once is worth no more than one that is not taken.
#pragma once

#include "base/time.h"

#include <algorithm>

namespace entente::exchange {

class DialPause {
 public:
  static constexpr Millis kFirst{100};
  static constexpr Millis kMost{1500};
  static constexpr Seconds kHolds{10};

  [[nodiscard]] bool is_over(Tick now) const { return now >= next_; }
  // When a dial has failed, or the connection that came of it has ended: how long to wait before the next.
  Millis dialed(Tick now) {
    const Millis pause = pause_;
    next_ = now + pause;
    pause_ = std::min(pause_ * 2, kMost);
    return pause;
  }
  // Of a connection that is of use: since when it was up.
  void up_since(Tick since, Tick now) {
    if (now - since >= kHolds) pause_ = kFirst;
  }

 private:
  Millis pause_ = kFirst;
  Tick next_{};
};

}  // namespace entente::exchange
