// The coalition's levels of classification and clearance, lowest first. Policies compare them as numbers.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace entente::coalition {

inline constexpr std::array<std::string_view, 5> kLevels{"UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL",
                                                         "SECRET", "TOP SECRET"};

// 0 for "UNCLASSIFIED" to 4 for "TOP SECRET"; nothing for any other text.
[[nodiscard]] std::optional<int64_t> level_of(std::string_view name);

}  // namespace entente::coalition
