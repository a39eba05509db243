// Labels in JSON from anyone: our own form, assertions of TDF objects, mappings and clearances.
#include "label/crosswalk.h"
#include "label/label_json.h"
#include "label/policies_for_test.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace entente;
  using namespace entente::label;
  const auto json = Json::parse(as_text({data, size}));
  if (!json) return 0;
  if (const auto label = from_json(*json)) ENTENTE_CHECK(from_json(to_json(*label)).value() == *label);
  if (const auto label = read_label_json(*json)) {
    ENTENTE_CHECK(normalised(*label).value() == *label);
    if (const auto written = write_label_json(*label)) (void)read_label_json(*written);
  }
  static const LabelPolicy xaa = policy_for_test(kXaaSpif);
  static const LabelPolicy xbb = policy_for_test(kXbbSpif);
  if (auto mapping = mapping_from_json(*json)) (void)checked(*std::move(mapping), xaa, xbb);
  if (auto clearance = clearance_from_json(*json)) {
    if (const auto ready = spelled(xaa, *std::move(clearance)))
      ENTENTE_CHECK(spelled(xaa, *ready).value() == *ready);
  }
  return 0;
}
