// Text inside HTML and XML.
#pragma once

#include <string>
#include <string_view>

namespace entente {

// For text and for attributes in quotes of either kind.
[[nodiscard]] std::string escape_markup(std::string_view text);

}  // namespace entente
