// STANAG 4774 labels as XML. What the reader does not know is refused: it could restrict.
#pragma once

#include "label/label.h"

#include <string>
#include <string_view>

namespace entente::label {

inline constexpr size_t kLabelBytesMax = 64U << 10U;

// An originator's label is never overwritten; what others add in their own policy stands beside it.
enum class LabelRole : uint8_t { originator, alternative, metadata, plain };

struct RoledLabel {
  LabelRole role = LabelRole::originator;
  Label label;
  bool operator==(const RoledLabel&) const = default;
};

// Errors: "label.xml", "label.doctype", "label.format" with the line, "label.value". In normal form.
[[nodiscard]] Result<RoledLabel> read_label_xml(std::string_view xml);
[[nodiscard]] std::string write_label_xml(const Label& label, LabelRole role = LabelRole::originator);

}  // namespace entente::label
