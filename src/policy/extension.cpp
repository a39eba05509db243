#include "policy/extension.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <vector>

#include <fmt/format.h>

namespace entente::policy {
namespace {

constexpr int64_t kDayMs = 86'400'000;
constexpr size_t kIpTextMax = 43;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Digits only, no leading zero beyond "0" itself.
std::optional<uint32_t> small_number(std::string_view text, size_t digits_max, uint32_t highest) {
  if (text.empty() || text.size() > digits_max || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  uint32_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + static_cast<uint32_t>(c - '0');
  }
  if (value > highest) return std::nullopt;
  return value;
}

std::optional<IpNet> parse_v4(std::string_view text) {
  IpNet ip;
  for (size_t i = 0; i < 4; ++i) {
    const size_t dot = text.find('.');
    if ((dot == std::string_view::npos) != (i == 3)) return std::nullopt;
    const auto octet = small_number(text.substr(0, dot), 3, 255);
    if (!octet) return std::nullopt;
    ip.octets[i] = static_cast<uint8_t>(*octet);
    if (i < 3) text.remove_prefix(dot + 1);
  }
  return ip;
}

// Groups of one to four hex digits between colons; an empty text has none.
std::optional<std::vector<uint16_t>> hex_groups(std::string_view text) {
  std::vector<uint16_t> groups;
  if (text.empty()) return groups;
  while (true) {
    const size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    uint16_t value = 0;
    const auto [end, fault] = std::from_chars(group.data(), group.data() + group.size(), value, 16);
    if (group.empty() || group.size() > 4 || fault != std::errc() || end != group.data() + group.size())
      return std::nullopt;
    groups.push_back(value);
    if (colon == std::string_view::npos) return groups;
    text.remove_prefix(colon + 1);
  }
}

std::optional<IpNet> parse_v6(std::string_view text) {
  const size_t gap = text.find("::");
  const auto head = hex_groups(text.substr(0, gap));
  if (!head) return std::nullopt;
  std::vector<uint16_t> groups = *head;
  if (gap != std::string_view::npos) {
    const auto tail = hex_groups(text.substr(gap + 2));
    if (!tail || groups.size() + tail->size() > 7) return std::nullopt;
    groups.resize(8 - tail->size(), 0);
    groups.insert(groups.end(), tail->begin(), tail->end());
  }
  if (groups.size() != 8) return std::nullopt;
  IpNet ip{.v6 = true, .prefix = 128, .octets = {}};
  for (size_t i = 0; i < 8; ++i) {
    ip.octets[2 * i] = static_cast<uint8_t>(groups[i] >> 8U);
    ip.octets[2 * i + 1] = static_cast<uint8_t>(groups[i] & 0xffU);
  }
  return ip;
}

bool same_prefix(const IpNet& a, const IpNet& b, uint8_t bits) {
  for (size_t i = 0; i < 16 && bits > 0; ++i) {
    const uint8_t here = std::min<uint8_t>(bits, 8);
    const auto mask = static_cast<uint8_t>(0xff00U >> here);
    if ((a.octets[i] & mask) != (b.octets[i] & mask)) return false;
    bits = static_cast<uint8_t>(bits - here);
  }
  return true;
}

// Exactly `count` digits at the front of `text`, taken off.
std::optional<int64_t> take_digits(std::string_view& text, size_t count) {
  if (text.size() < count) return std::nullopt;
  int64_t value = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!is_digit(text[i])) return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

// The clock part after 'T': hh:mm:ss[.SSS](Z|+hhmm|-hhmm), as milliseconds to add to the day.
std::optional<int64_t> parse_clock(std::string_view text) {
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59 || !take(text, ':')) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *second > 59) return std::nullopt;
  int64_t ms = (*hour * 3600 + *minute * 60 + *second) * 1000;
  if (take(text, '.')) {
    const auto fraction = take_digits(text, 3);
    if (!fraction) return std::nullopt;
    ms += *fraction;
  }
  if (text == "Z") return ms;
  const bool ahead = take(text, '+');
  if (!ahead && !take(text, '-')) return std::nullopt;
  const auto off_hour = take_digits(text, 2);
  if (!off_hour || *off_hour > 23) return std::nullopt;
  const auto off_minute = take_digits(text, 2);
  if (!off_minute || *off_minute > 59 || !text.empty()) return std::nullopt;
  const int64_t offset = (*off_hour * 60 + *off_minute) * 60'000;
  return ahead ? ms - offset : ms + offset;
}

struct Unit {
  std::string_view name;
  int64_t ms;
};
constexpr Unit kUnits[] = {{"d", kDayMs}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};

}  // namespace

std::optional<IpNet> parse_ip(std::string_view text) {
  if (text.size() > kIpTextMax) return std::nullopt;
  const size_t slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  const bool v6 = address.find(':') != std::string_view::npos;
  auto ip = v6 ? parse_v6(address) : parse_v4(address);
  if (!ip || slash == std::string_view::npos) return ip;
  const auto prefix = small_number(text.substr(slash + 1), v6 ? 3 : 2, v6 ? 128 : 32);
  if (!prefix) return std::nullopt;
  ip->prefix = static_cast<uint8_t>(*prefix);
  return ip;
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  const bool negative = take(text, '-');
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos || dot == 0) return std::nullopt;
  const std::string_view whole = text.substr(0, dot);
  const std::string_view fraction = text.substr(dot + 1);
  if (fraction.empty() || fraction.size() > 4) return std::nullopt;
  __int128 value = 0;
  constexpr __int128 kLimit = static_cast<__int128>(1) << 64U;
  for (size_t i = 0; i < whole.size() + 4; ++i) {
    char c = '0';
    if (i < whole.size()) {
      c = whole[i];
    } else if (i - whole.size() < fraction.size()) {
      c = fraction[i - whole.size()];
    }
    if (!is_digit(c)) return std::nullopt;
    if (value < kLimit) value = value * 10 + (c - '0');
  }
  if (negative) value = -value;
  if (value > std::numeric_limits<int64_t>::max() || value < std::numeric_limits<int64_t>::min())
    return std::nullopt;
  return Decimal{static_cast<int64_t>(value)};
}

std::optional<Datetime> parse_datetime(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  int64_t ms = int64_t{std::chrono::sys_days(date).time_since_epoch().count()} * kDayMs;
  if (text.empty()) return Datetime{ms};
  if (!take(text, 'T')) return std::nullopt;
  const auto clock = parse_clock(text);
  if (!clock) return std::nullopt;
  ms += *clock;
  return Datetime{ms};
}

std::optional<Duration> parse_duration(std::string_view text) {
  const bool negative = take(text, '-');
  if (text.empty()) return std::nullopt;
  __int128 total = 0;
  size_t unit = 0;
  while (!text.empty()) {
    size_t digits = 0;
    while (digits < text.size() && is_digit(text[digits])) ++digits;
    int64_t count = 0;
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): its end goes with it
    const auto [end, fault] = std::from_chars(text.data(), text.data() + digits, count);
    // The most negative duration has one millisecond more than the most positive.
    const bool lowest = negative && text.substr(0, digits) == "9223372036854775808";
    if (digits == 0 || (fault != std::errc() && !lowest)) return std::nullopt;
    size_t letters = digits;
    while (letters < text.size() && !is_digit(text[letters])) ++letters;
    const std::string_view name = text.substr(digits, letters - digits);
    while (unit < std::size(kUnits) && kUnits[unit].name != name) ++unit;
    if (unit == std::size(kUnits)) return std::nullopt;
    total += (lowest ? static_cast<__int128>(1) << 63U : static_cast<__int128>(count)) * kUnits[unit].ms;
    ++unit;
    text.remove_prefix(letters);
  }
  if (negative) total = -total;
  if (total > std::numeric_limits<int64_t>::max() || total < std::numeric_limits<int64_t>::min())
    return std::nullopt;
  return Duration{static_cast<int64_t>(total)};
}

std::string ip_text(const IpNet& ip) {
  std::string out;
  if (!ip.v6) {
    out = fmt::format("{}.{}.{}.{}", ip.octets[0], ip.octets[1], ip.octets[2], ip.octets[3]);
    return ip.prefix == 32 ? out : out + fmt::format("/{}", ip.prefix);
  }
  for (size_t i = 0; i < 8; ++i)
    out += fmt::format("{}{:x}", i == 0 ? "" : ":", ip.octets[2 * i] * 256 + ip.octets[2 * i + 1]);
  return ip.prefix == 128 ? out : out + fmt::format("/{}", ip.prefix);
}

std::string decimal_text(Decimal value) {
  const bool negative = value.ten_thousandths < 0;
  const uint64_t size = negative ? ~static_cast<uint64_t>(value.ten_thousandths) + 1
                                 : static_cast<uint64_t>(value.ten_thousandths);
  return fmt::format("{}{}.{:04}", negative ? "-" : "", size / 10000, size % 10000);
}

std::string datetime_text(Datetime value) {
  const auto date = day_of(value);
  constexpr int64_t kYearZero = -62'167'219'200'000;
  constexpr int64_t kYear10000 = 253'402'300'800'000;
  if (!date || value.ms < kYearZero || value.ms >= kYear10000)
    return fmt::format("datetime(\"1970-01-01\").offset(duration(\"{}ms\"))", value.ms);
  const std::chrono::year_month_day ymd{
      std::chrono::sys_days(std::chrono::days(static_cast<int>(date->ms / kDayMs)))};
  const int64_t ms = time_of_day(value).ms;
  return fmt::format("datetime(\"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z\")", static_cast<int>(ymd.year()),
                     static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()), ms / 3'600'000,
                     ms / 60'000 % 60, ms / 1000 % 60, ms % 1000);
}

std::string duration_text(Duration value) {
  return fmt::format("{}ms", value.ms);
}

bool is_loopback(const IpNet& ip) {
  if (!ip.v6) return ip.prefix >= 8 && ip.octets[0] == 127;
  return ip.prefix == 128 && ip.octets[15] == 1 &&
         std::all_of(ip.octets.begin(), ip.octets.end() - 1, [](uint8_t octet) { return octet == 0; });
}

bool is_multicast(const IpNet& ip) {
  if (!ip.v6) return ip.prefix >= 4 && (ip.octets[0] & 0xf0U) == 0xe0U;
  return ip.prefix >= 8 && ip.octets[0] == 0xff;
}

bool is_in_range(const IpNet& ip, const IpNet& range) {
  return ip.v6 == range.v6 && ip.prefix >= range.prefix && same_prefix(ip, range, range.prefix);
}

std::optional<Datetime> day_of(Datetime at) {
  int64_t day = at.ms / kDayMs;
  if (at.ms % kDayMs < 0) --day;
  int64_t ms = 0;
  if (__builtin_mul_overflow(day, kDayMs, &ms)) return std::nullopt;
  return Datetime{ms};
}

Duration time_of_day(Datetime at) {
  const int64_t rest = at.ms % kDayMs;
  return Duration{rest < 0 ? rest + kDayMs : rest};
}

std::optional<Value> make_extension(std::string_view function, std::string_view argument) {
  const auto wrap = [](const auto& parsed) {
    return parsed ? std::optional<Value>(Value(*parsed)) : std::nullopt;
  };
  if (function == "ip") return wrap(parse_ip(argument));
  if (function == "decimal") return wrap(parse_decimal(argument));
  if (function == "datetime") return wrap(parse_datetime(argument));
  if (function == "duration") return wrap(parse_duration(argument));
  return std::nullopt;
}

}  // namespace entente::policy
