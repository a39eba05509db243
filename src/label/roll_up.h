// A document's banner against the labels of its portions.
#pragma once

#include "label/dominance.h"

namespace entente::label {

// A label that is to stand for parts (a banner for its portions), and says less than one of them: by number,
// with what it lacks in one sentence. Informative values restrict nobody and are not looked at.
struct Shortfall {
  size_t part = 0;
  std::string why;
};
// Empty: combining it with any of them changes nothing of whom it lets read. Errors: those of
// LabelPolicy::check, for the label or for a part.
[[nodiscard]] Result<std::vector<Shortfall>> shortfalls(const LabelPolicy& policy, const Label& label,
                                                        std::span<const Label> parts, Instant now);

}  // namespace entente::label
