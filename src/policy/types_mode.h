// Cedar's two ways of validating.
#pragma once

#include <cstdint>

namespace entente::policy {

// Strict: types agree or they do not. Permissive: entities may be of one of several types, records may differ
// in their members.
enum class Validating : uint8_t { strict, permissive };

}  // namespace entente::policy
