// Text in policies that a reader could take for other text. Private to the room.
#pragma once

#include "policy/ast.h"

#include <vector>

namespace entente::policy {

// "policy.confusable": direction marks, characters outside identifiers' usual ones, scripts mixed in one
// word.
[[nodiscard]] std::vector<Error> confusables(const Policy& policy);

}  // namespace entente::policy
