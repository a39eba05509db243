#include "base/time.h"

#include <fmt/format.h>

namespace entente {
namespace {

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override {
    return std::chrono::floor<Millis>(std::chrono::system_clock::now());
  }
  [[nodiscard]] Tick tick() const override {
    return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now());
  }
};

int digits(std::string_view text) {
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

std::string rfc3339(Instant at) {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss<Millis> time{at - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

Result<Instant> parse_rfc3339(std::string_view text) {
  const auto bad = [&] {
    return fail("base.time", "not a UTC date and time", std::string(text),
                "write it like 2026-11-21T22:45:00Z");
  };
  if ((text.size() != 20 && text.size() != 24) || text[4] != '-' || text[7] != '-' || text[10] != 'T' ||
      text[13] != ':' || text[16] != ':' || text.back() != 'Z' || (text.size() == 24 && text[19] != '.')) {
    return bad();
  }
  const int year = digits(text.substr(0, 4));
  const int month = digits(text.substr(5, 2));
  const int day = digits(text.substr(8, 2));
  const int hour = digits(text.substr(11, 2));
  const int minute = digits(text.substr(14, 2));
  const int second = digits(text.substr(17, 2));
  const int milli = text.size() == 24 ? digits(text.substr(20, 3)) : 0;
  if (year < 0 || month < 0 || day < 0 || hour < 0 || minute < 0 || second < 0 || milli < 0) return bad();
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return bad();
  return Instant(std::chrono::sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         Seconds(second) + Millis(milli);
}

Instant from_unix_seconds(int64_t seconds) {
  // Clamped so that a hostile number can't overflow: year 1 to 9999 is all any token may say.
  constexpr int64_t lowest = -62135596800;
  constexpr int64_t highest = 253402300799;
  return Instant(Seconds(seconds < lowest ? lowest : seconds > highest ? highest : seconds));
}

int64_t unix_seconds(Instant at) {
  return std::chrono::floor<Seconds>(at).time_since_epoch().count();
}

}  // namespace entente
