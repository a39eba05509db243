#include "coalition/levels.h"

namespace entente::coalition {

std::optional<int64_t> level_of(std::string_view name) {
  for (size_t i = 0; i < kLevels.size(); ++i) {
    if (kLevels[i] == name) return static_cast<int64_t>(i);
  }
  return std::nullopt;
}

}  // namespace entente::coalition
