// The id ("uuid") in an object's policy: what may be one, by its form.
#pragma once

#include <string_view>

namespace entente::data {

[[nodiscard]] bool is_policy_id(std::string_view text);

}  // namespace entente::data
