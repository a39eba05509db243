// Marking lines from anyone: one that is read prints as that line and is read again as the same label.
#include "label/marking.h"
#include "label/policies_for_test.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace entente;
  using namespace entente::label;
  static const LabelPolicy xaa = policy_for_test(kXaaSpif);
  static const LabelPolicy xbb = policy_for_test(kXbbSpif);
  static const MarkingGrammar banner(xaa, {});
  static const MarkingGrammar portion(xaa, {true, ""});
  static const MarkingGrammar sentence(xbb, {});
  static const MarkingGrammar translated(xbb, {false, "xb"});
  const std::string_view line = as_text({data, size});
  const Instant now = time_for_test();
  for (const MarkingGrammar* grammar : {&banner, &portion, &sentence, &translated}) {
    const auto label = grammar->parse(line, now);
    if (!label) {
      ENTENTE_CHECK(!label.error().code().empty());
      continue;
    }
    const std::string printed = grammar->print(*label, now).value();
    ENTENTE_CHECK(grammar->parse(printed, now).value() == *label);
    if (grammar != &portion) ENTENTE_CHECK(folded_marking(printed)->starts_with("EXERCISE "));
  }
  return 0;
}
