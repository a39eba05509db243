// Two clocks that can't be confused: Instant is wall time (UTC, milliseconds), Tick is the machine's own
// (monotonic). Pure rooms never read a clock: both come in as arguments.
#pragma once

#include "base/result.h"

#include <chrono>
#include <string>
#include <string_view>

namespace entente {

using Millis = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;
using Instant = std::chrono::sys_time<Millis>;
using Tick = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

inline constexpr Instant kNever = Instant::max();  // an end that does not come

// The machine's clocks, for the rooms that own a loop; tests and the simulator pass their own.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const = 0;
  [[nodiscard]] virtual Tick tick() const = 0;
};
[[nodiscard]] const Clock& system_clock();

[[nodiscard]] std::string rfc3339(Instant at);                       // "2026-11-21T22:45:23.120Z"
[[nodiscard]] Result<Instant> parse_rfc3339(std::string_view text);  // Z only, 0 or 3 fraction digits
[[nodiscard]] Instant from_unix_seconds(int64_t seconds);
[[nodiscard]] int64_t unix_seconds(Instant at);

}  // namespace entente
