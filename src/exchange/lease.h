// The home's right to keep sessions over one link open: 5 s from the moment it sent the pulse that the host
// answered last. Counted from the sending, so that a late beat never lengthens anything.
#pragma once

#include "base/time.h"

namespace entente::exchange {

inline constexpr Millis kLease{5'000};  // from the sending of the pulse that was answered
inline constexpr Millis kPulseEvery{1'000};
inline constexpr Millis kHomeSilenceMax{10'000};  // host: a home not heard of for so long has no sessions
// After a restart sessions wait for the other node: home for the host's beat, host for the home's new word.
inline constexpr Millis kReturnMax{10'000};
inline constexpr Millis kVouchMax{90'000};

class Lease {
 public:
  void drop() {
    end_ = Tick{};
    last_sent_ = Tick{};
  }
  // A pulse leaves now.
  void pulsed(Tick now) { last_sent_ = now; }
  // A beat answers the pulse sent at `sent`. An echo of what was never sent counts as nothing.
  void beaten(Tick sent) {
    if (sent <= last_sent_ && sent + kLease > end_) end_ = sent + kLease;
  }
  [[nodiscard]] bool runs(Tick now) const { return now < end_; }
  [[nodiscard]] Tick end() const { return end_; }

 private:
  Tick end_{};
  Tick last_sent_{};
};

}  // namespace entente::exchange
