// Which permit came nearest, as far as it can be told without looking into any. Private to the room.
#pragma once

#include "policy/policy_set_inside.h"

#include <optional>
#include <vector>

namespace entente::policy {

// Of a set with a schema: the permit that is the only one whose scope a request with these lines may meet.
[[nodiscard]] std::optional<PolicyIndex> only_in_scope(const PolicySet::Inside& policies,
                                                       const ScopeIndex& permits,
                                                       const ScopeIndex::Line& principal,
                                                       const ScopeIndex::Line& resource,
                                                       std::vector<uint64_t>& room, const Request& request);

}  // namespace entente::policy
