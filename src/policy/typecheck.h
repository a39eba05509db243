// Validation of policies against a schema (Cedar's rules: each policy is checked for every combination of
// principal type, action and resource type that its scope admits). Private to the room.
#pragma once

#include "policy/ast.h"
#include "policy/schema_inside.h"
#include "policy/typecheck_expr.h"
#include "policy/validate.h"

#include <optional>
#include <vector>

namespace entente::policy {

struct Checked {
  std::vector<Error> faults;     // "policy.invalid"
  std::optional<Error> warning;  // "policy.impossible": can never apply
};
[[nodiscard]] Checked check_policy(const Policy& policy, const Schema& schema,
                                   const NativeSignatures& natives, const ValidationOptions& options = {});
// A link of a template that was checked: whether its entities fit.
[[nodiscard]] std::optional<Error> check_link(const Policy& bound, const Schema& schema);

// How many steps from entity to entity a condition takes (Cedar RFC 76), as far as that is more than `level`.
// `seen` are its types.
[[nodiscard]] std::optional<Error> check_level(const Policy& policy, const Expr& condition,
                                               const ExpressionChecker& checker,
                                               const ExpressionChecker::Seen& seen, const RequestKind& kind,
                                               uint32_t level);
// Likewise for the scope.
[[nodiscard]] std::optional<Error> check_scope_level(const Policy& policy, uint32_t level);

// The actions of the schema that an action scope admits.
[[nodiscard]] std::vector<EntityUid> actions_of(const Scope& scope, const Schema::Inside& schema);

}  // namespace entente::policy
