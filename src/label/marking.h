// Marking lines (banner and portion) of one label policy: printed from labels, and parsed by the grammar that
// the policy's own phrases and qualifiers make (SPIF markingData, markingQualifier):
//   line    = [prefix] head { joiner set } [suffix]           a portion stands in ( )
//   head    = [policy phrase] [classification]
//   set     = tag { set joiner tag }        tags and their values in the policy's order
//   tag     = [prefix] value { separator value } [suffix]
// Defaults: joiner " ", separator "/". docs/wire-formats/label.md says which qualifier is which.
#pragma once

#include "label/label.h"
#include "label/label_policy.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace entente::label {

inline constexpr size_t kMarkingBytesMax = 1024;
inline constexpr size_t kMarkingStepsMax = 20'000;  // of one parse

struct MarkingStyle {
  bool portion = false;
  std::string language;  // "fr", "en-GB"; empty is the policy's own
};

// Made once for a policy, then shared: immutable.
class MarkingGrammar {
 public:
  MarkingGrammar(const LabelPolicy& policy, MarkingStyle style);
  ~MarkingGrammar();
  MarkingGrammar(MarkingGrammar&&) noexcept;

  // Errors as LabelPolicy::check (for reading); "label.marking" when its line would be read as another label.
  [[nodiscard]] Result<std::string> print(const Label& label, Instant now) const;
  // The label that a line shows. Letter case, kinds of space and dash, invisible characters and look-alike
  // letters make no difference; order does. The line is taken only if there is exactly one label, hidden
  // values counted, that keeps the policy's rules and prints as that line. Errors: "label.marking" with the
  // column where it went wrong and what would fit, "label.ambiguous", and those of LabelPolicy::check.
  [[nodiscard]] Result<Label> parse(std::string_view line, Instant now) const;

 private:
  struct Inside;
  std::unique_ptr<const Inside> inside_;
};

enum class LetterCase : uint8_t { folded, kept };
// As marking lines are compared; nothing when the text is no UTF-8. `columns`, if given, gets for each byte
// the column (in characters, from 1) that it came from, and one more for the end.
[[nodiscard]] std::optional<std::string> folded_marking(std::string_view text,
                                                        std::vector<uint32_t>* columns = nullptr,
                                                        LetterCase letters = LetterCase::folded);

}  // namespace entente::label
