// Private to this room: the little of URLs and forms that sign-in needs (RFC 3986, WHATWG form encoding),
// strict.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace entente::identity {

// The "host:port" of an https URL without user, fragment or upper case in its host; port 443 when none is
// given.
[[nodiscard]] Result<std::string> https_authority(std::string_view url);

using Form = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] std::string form_text(const Form& form);
// At most 32 fields, each name once, well-formed escapes only.
[[nodiscard]] Result<Form> parse_form(std::string_view text);
[[nodiscard]] const std::string* find(const Form& form, std::string_view name);

}  // namespace entente::identity
