// Label dominance as a native predicate of the policy engine:
//   principal.cleared.dominates(resource.label, context.now)
// The types stand in schemas as records, so that policies can read single parts too:
//   clearance: {policy: String, classifications: Set<String>, categories: Set<{tag: String, type: String,
//               values: Set<String>}>}
//   label:     {policy: String, classification: String, categories: Set<{tag: String, type: String,
//               values: Set<String>}>}
// An end of a clearance is a fact's end, which the caller drops when it comes. The time is for label policies
// and values of theirs that are in use for a while.
#pragma once

#include "label/dominance.h"
#include "label/label_policy.h"
#include "policy/native.h"

#include <memory>
#include <string_view>

namespace entente::label {

inline constexpr std::string_view kDominates = "dominates";

// For NativePredicates::add. Pure: `policies` is kept and never changes. A record that is no label or
// clearance is an evaluation error (which never opens a door); one that is not covered is false.
[[nodiscard]] policy::NativePredicate dominates_predicate(std::shared_ptr<const LabelPolicies> policies);

// What the records hold, for those who build entities.
[[nodiscard]] policy::Value label_value(const Label& label);
[[nodiscard]] policy::Value clearance_value(const Clearance& clearance);

}  // namespace entente::label
