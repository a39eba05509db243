// What a policy shows in one style: the pieces that lines are made of. Private to the room.
#pragma once

#include "label/label_policy.h"
#include "label/marking.h"

#include <optional>
#include <string>
#include <vector>

namespace entente::label {

struct Shown {
  std::optional<std::string> text;         // in its own place
  std::optional<std::string> policy_text;  // instead of the policy's phrase
  bool suppresses_class = false;
};

struct TagShape {
  const TagSet* set = nullptr;
  const Tag* tag = nullptr;
  std::string prefix, separator, suffix;
  std::string joiner;         // before this tag, when something stands before it
  std::string joiner_in_set;  // the same, when that is another tag of its set
  std::vector<Shown> values;  // beside tag->values
};

struct MarkingShape {
  std::string prefix, suffix;
  std::string policy_text;
  std::vector<Shown> classes;  // beside the policy's classifications
  std::vector<TagShape> tags;
};

[[nodiscard]] MarkingShape shape_of(const LabelPolicy& policy, const MarkingStyle& style);
// The line of a label that the policy has checked.
[[nodiscard]] std::string lay_out(const LabelPolicy& policy, const MarkingShape& shape,
                                  const MarkingStyle& style, const Label& label);

// As much of a text in UTF-8 as these bytes hold, cut between characters: errors stay UTF-8.
[[nodiscard]] std::string_view beginning(std::string_view text, size_t bytes_max);

}  // namespace entente::label
