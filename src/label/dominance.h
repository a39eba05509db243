// Does a clearance cover a label, and what label do several together bear. Restrictive: all values are held;
// permissive: at least one of each category; informative: restricts nobody. Nothing missing counts as held.
#pragma once

#include "label/label.h"
#include "label/label_policy.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace entente::label {

struct Clearance {
  std::string policy;
  std::string policy_id;
  std::vector<std::string> classifications;  // exactly these; see up_to()
  std::vector<Category> categories;
  std::optional<Instant> until;  // not after
  bool operator==(const Clearance&) const = default;
};

// This classification and all below it. Error "label.unknown".
[[nodiscard]] Result<std::vector<std::string>> up_to(const LabelPolicy& policy, std::string_view name);
// In the policy's spelling and normal form: do this once. Errors as LabelPolicy::check.
[[nodiscard]] Result<Clearance> spelled(const LabelPolicy& policy, Clearance clearance);
// {"policy", "policy_id"?, "classifications": [...], "categories"?: [{"tag","type","values"}], "until"?}
[[nodiscard]] Result<Clearance> clearance_from_json(const Json& json);

struct Dominance {
  bool holds = false;
  std::string rule;  // what decided: label, policy, expired, classification, restrictive, permissive, covered
  std::string why;   // one sentence
};
// `clearance` as spelled() gives it: another spelling covers nothing. The label is checked first (for
// reading), and its successor stands for it once due; one that breaks the policy's rules is covered by
// nobody.
[[nodiscard]] Dominance dominates(const LabelPolicy& policy, const Clearance& clearance, const Label& label,
                                  Instant now);

// The label of something made of these parts: the highest classification, all restrictive and informative
// values, and of each permissive category what all that have it share. Whoever covers it covers every part
// (given a clearance without gaps in its classifications, as up_to() makes them). Made at `now` by
// `originator`; has the earliest review and no successor. Names in it may have ended since a part was made.
// Errors: those of LabelPolicy::check for a part;
// "label.combination" when nobody could read it or the policy forbids it.
[[nodiscard]] Result<Label> combine(const LabelPolicy& policy, std::span<const Label> parts,
                                    Originator originator, Instant now);

}  // namespace entente::label
