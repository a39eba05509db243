// Strict validation of policies against a schema (Cedar's rules: each policy is checked for every combination
// of principal type, action and resource type that its scope admits). Private to the room.
#pragma once

#include "policy/ast.h"
#include "policy/schema_inside.h"
#include "policy/typecheck_expr.h"

#include <optional>
#include <vector>

namespace entente::policy {

struct Checked {
  std::optional<Error> fault;    // "policy.invalid"
  std::optional<Error> warning;  // loads, but can never apply
};
[[nodiscard]] Checked check_policy(const Policy& policy, const Schema& schema,
                                   const NativeSignatures& natives);

// The actions of the schema that an action scope admits.
[[nodiscard]] std::vector<EntityUid> actions_of(const Scope& scope, const Schema::Inside& schema);

}  // namespace entente::policy
