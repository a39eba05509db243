// Percent codes (RFC 3986) and form data (application/x-www-form-urlencoded), read strictly. Errors "url.*".
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace entente {

[[nodiscard]] int hex_value(char c);  // of a digit of either case; -1 where it is none
[[nodiscard]] bool is_unreserved(char c);
using Pairs = std::vector<std::pair<std::string, std::string>>;
// application/x-www-form-urlencoded, "a=b&c=d". Names must be unique: two readers may choose different ones.
// Errors: "url.form" for bad percent codes, controls below space but tab, CR and LF, or more than
// `pairs_max`.
[[nodiscard]] Result<Pairs> parse_form(std::string_view text, size_t pairs_max = 64);
[[nodiscard]] const std::string* find_pair(const Pairs& pairs, std::string_view name);
[[nodiscard]] std::string write_form(const Pairs& pairs);

[[nodiscard]] std::string percent_encode(std::string_view text);          // all but unreserved
[[nodiscard]] Result<std::string> percent_decode(std::string_view text);  // "+" stays "+"

}  // namespace entente
