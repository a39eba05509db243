// What a label of one policy is in another: by directional mappings, each of one agreement and with an end.
// A mapping of A to B says nothing about B to A. Nothing is guessed: what a mapping does not name stays out
// when that only narrows or informs, and otherwise there is no equivalent.
#pragma once

#include "base/json.h"
#include "label/label.h"
#include "label/label_policy.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace entente::label {

inline constexpr size_t kMappingsMax = 4096;

struct Mapping {
  struct ClassRule {
    std::string from;
    std::string to;
    std::vector<CategoryRef> adds;  // restrictive or informative
  };
  struct ValueRule {
    CategoryRef from;
    std::vector<CategoryRef> to;  // none: left out, which only permissive and informative values may be
  };
  std::string agreement;            // what allows it
  std::string from, to;             // names of policies
  Instant valid_from, valid_until;  // from the first on, before the second
  std::vector<ClassRule> classifications;
  std::vector<ValueRule> values;
  std::vector<CategoryRef> adds;  // to every label

  [[nodiscard]] bool in_force(Instant now) const { return now >= valid_from && now < valid_until; }
  [[nodiscard]] const ClassRule* rule(std::string_view classification) const;
  [[nodiscard]] const ValueRule* rule(const CategoryRef& value) const;
};

// In the policies' spelling, and safe by itself: classifications keep their order, restrictive values become
// restrictive ones and are never left out, permissive ones stay permissive and two categories never become
// one. Error "label.mapping".
[[nodiscard]] Result<Mapping> checked(Mapping mapping, const LabelPolicy& from, const LabelPolicy& to);

// docs/wire-formats/label.md. Errors "field.*".
[[nodiscard]] Result<Mapping> mapping_from_json(const Json& json);

// What the SPIFs of both say: `from`'s equivalences applied at encrypt, `to`'s at decrypt; they must agree.
// Which policy is meant, the id in equivalentPolicies says. A SPIF knows no agreement and no end: these come
// from the caller. Error "label.mapping".
[[nodiscard]] Result<Mapping> mapping_of_spifs(const LabelPolicy& from, const LabelPolicy& to,
                                               std::string agreement, Instant valid_from,
                                               Instant valid_until);

struct Translation {
  Label label;
  std::string agreement;
  std::vector<std::string> left_out;  // "XDD (Releasable To)": only narrowed or informed
};

// A set of mappings that was proved (prover.h): the only way to translate.
class Crosswalk {
 public:
  // Errors: those of checked(), "label.policy", and "label.crosswalk" with the shortest chain that raises or
  // widens some label at `now` or later.
  [[nodiscard]] static Result<Crosswalk> make(std::shared_ptr<const LabelPolicies> policies,
                                              std::vector<Mapping> mappings, Instant now);

  // An alternative label in the policy `to`. Always from an originator's label, never from another
  // alternative. Errors: "label.no-equivalent" (no mapping in force, or it does not reach this label) and
  // those of LabelPolicy::check.
  [[nodiscard]] Result<Translation> translate(const Label& label, std::string_view to, Instant now) const;
  [[nodiscard]] const std::vector<Mapping>& mappings() const { return mappings_; }

 private:
  std::shared_ptr<const LabelPolicies> policies_;
  std::vector<Mapping> mappings_;
};

}  // namespace entente::label
