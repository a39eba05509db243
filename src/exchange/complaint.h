// What goes on being wrong is said once, and then once a minute: a log that repeats it each second hides the
// rest.
#pragma once

#include "base/time.h"

#include <string>
#include <string_view>

namespace entente::exchange {

class Complaint {
 public:
  static constexpr Seconds kAgain{60};
  // Whether to say it now. Anything else that is wrong is news.
  [[nodiscard]] bool is_due(std::string_view what, Tick now) {
    if (what == what_ && now - said_ < kAgain) return false;
    what_ = what;
    said_ = now;
    return true;
  }
  void over() { what_.clear(); }

 private:
  std::string what_{};
  Tick said_{};
};

}  // namespace entente::exchange
