// Policy text into trees. Private to the room.
#pragma once

#include "policy/ast.h"

#include <memory>
#include <vector>

namespace entente::policy {

// The policies of one source, ids given. Natives must outlive the trees. Error "policy.syntax".
[[nodiscard]] Result<std::vector<Policy>> parse_policies(const std::shared_ptr<const PolicySource>& source,
                                                         const NativePredicates& natives);

}  // namespace entente::policy
