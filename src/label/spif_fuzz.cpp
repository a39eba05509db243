// Label policies from anyone: one that loads can mark, check and map without a crash.
#include "label/crosswalk.h"
#include "label/marking.h"
#include "label/policies_for_test.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace entente;
  using namespace entente::label;
  const auto policy = LabelPolicy::from_spif(as_text({data, size}));
  if (!policy) return 0;
  static const LabelPolicy other = policy_for_test(kXbbSpif);
  const Instant now = time_for_test();
  (void)mapping_of_spifs(*policy, other, "a", now, now + Seconds(1));
  (void)mapping_of_spifs(other, *policy, "a", now, now + Seconds(1));
  for (const bool portion : {false, true}) {
    const MarkingGrammar grammar(*policy, {portion, ""});
    for (const Classification& one : policy->data().classifications) {
      Label label;
      label.policy = policy->name();
      label.classification = one.name;
      const auto line = grammar.print(label, now);
      if (!line) continue;
      // What a line shows may be less than the label, or nothing clear; never another classification.
      const auto back = grammar.parse(*line, now);
      if (back && !one.phrases.empty()) continue;
      if (back && folded_marking(*line)->find(*folded_marking(one.name)) != std::string::npos)
        ENTENTE_CHECK(grammar.print(*back, now).has_value());
    }
  }
  return 0;
}
