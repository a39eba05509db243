// Labels and bindings as XML from anyone: whatever is read is in normal form and comes back the same.
#include "label/binding.h"
#include "label/label_xml.h"
#include "label/policies_for_test.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace entente;
  using namespace entente::label;
  const std::string_view text = as_text({data, size});
  if (const auto read = read_label_xml(text)) {
    ENTENTE_CHECK(normalised(read->label).value() == read->label);
    ENTENTE_CHECK(read_label_xml(write_label_xml(read->label, read->role)).value() == *read);
    ENTENTE_CHECK(from_json(to_json(read->label)).value() == read->label);
    static const LabelPolicy policy = policy_for_test(kXaaSpif);
    if (const auto checked = policy.check(read->label, Use::read, time_for_test()))
      ENTENTE_CHECK(policy.check(*checked, Use::read, time_for_test()).value() == *checked);
  }
  if (const auto bound = read_unverified(text)) {
    // Nobody signed what a fuzzer wrote.
    static const crypto::PublicKey key = crypto::PrivateKey::generate(crypto::KeyKind::p256).public_key();
    ENTENTE_CHECK(!verify_embedded(text, key));
    ENTENTE_CHECK(!verify_detached(text, {"a", "", as_bytes("b")}, key));
  }
  return 0;
}
