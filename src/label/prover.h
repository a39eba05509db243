// Proves that no chain of mappings raises or widens a label: neither on its way back to its own policy, nor
// where a direct mapping says what it should have become. A label's parts travel independently, so single
// classifications and values are followed instead of whole labels; and a label that waits travels by the
// mapping of its day, so chains run through time too. Chains that a policy's own rules would stop are counted
// as well: the proof is on the safe side.
#pragma once

#include "label/crosswalk.h"

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace entente::label {

inline constexpr size_t kProofStatesMax = 2'000'000;

struct Chain {
  enum class Fault : uint8_t { raised, widened } fault = Fault::raised;
  std::vector<std::string> path;        // "XAA RESTRICTED", "XCC CONFIDENTIAL", ...
  std::vector<std::string> agreements;  // one for each step of `path`
  std::string against;                  // what it should have been, and by which agreement
  [[nodiscard]] std::string text() const;
};

struct Proof {
  size_t states = 0;           // what was followed
  std::optional<Chain> chain;  // the shortest that raises or widens; none: proved
};

// `mappings` as checked() gives them. Error "label.crosswalk" when the limit is reached: nothing is proved.
[[nodiscard]] Result<Proof> prove(const LabelPolicies& policies, std::span<const Mapping> mappings,
                                  Instant now);

}  // namespace entente::label
