// Cedar's extension types: the exact text forms and the arithmetic (Cedar RFCs 7 and 80, language 4.5).
// Private.
#pragma once

#include "policy/entity.h"

#include <optional>
#include <string>
#include <string_view>

namespace entente::policy {

[[nodiscard]] std::optional<IpNet> parse_ip(std::string_view text);
[[nodiscard]] std::optional<Decimal> parse_decimal(std::string_view text);
[[nodiscard]] std::optional<Datetime> parse_datetime(std::string_view text);
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);

[[nodiscard]] std::string ip_text(const IpNet& ip);
[[nodiscard]] std::string decimal_text(Decimal value);
[[nodiscard]] std::string datetime_text(
    Datetime value);  // a policy expression without the constructor around it
[[nodiscard]] std::string duration_text(Duration value);

[[nodiscard]] bool is_loopback(const IpNet& ip);
[[nodiscard]] bool is_multicast(const IpNet& ip);
[[nodiscard]] bool is_in_range(const IpNet& ip, const IpNet& range);

[[nodiscard]] std::optional<Datetime> day_of(Datetime at);  // midnight at or before; none on overflow
[[nodiscard]] Duration time_of_day(Datetime at);

[[nodiscard]] std::optional<Value> make_extension(std::string_view function, std::string_view argument);

}  // namespace entente::policy
