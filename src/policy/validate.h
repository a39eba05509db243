// Validation of policies against a schema: what would fail, before anything is asked. Strict is what a
// PolicySet loads; permissive (Cedar's other mode) lets entities of several types and records of several
// shapes meet.
#pragma once

#include "policy/document.h"
#include "policy/schema.h"
#include "policy/types_mode.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace entente::policy {

struct ValidationOptions {
  Validating how = Validating::strict;
  // How many steps from entity to entity a policy may take from principal, action, resource and context
  // (Cedar RFC 76); none: any number.
  std::optional<uint32_t> level;
};

struct Finding {
  std::string policy;  // its id
  Error error;         // "policy.invalid"; of warnings "policy.impossible", "policy.confusable"
};

struct Validation {
  std::vector<Finding> errors;    // in the order of the policies
  std::vector<Finding> warnings;  // policies that can never apply; text that looks like other text
  [[nodiscard]] bool passed() const { return errors.empty(); }
};

[[nodiscard]] Validation validate(const PolicyDocument& document, const Schema& schema,
                                  const ValidationOptions& options = {},
                                  const NativePredicates& natives = {});

// What can be said without a schema: text that looks like other text ("policy.confusable").
[[nodiscard]] std::vector<Finding> confusing_text(const PolicyDocument& document);

}  // namespace entente::policy
