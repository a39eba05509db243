// Private to this room: the little of URLs that sign-in needs (RFC 3986), strict.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace entente::identity {

// The "host:port" of an https URL without user, fragment or upper case in its host; port 443 when none is
// given.
[[nodiscard]] Result<std::string> https_authority(std::string_view url);

}  // namespace entente::identity
