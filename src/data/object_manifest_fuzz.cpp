// Any text as a manifest: refused, or written again it is the same manifest.
#include "data/assertion.h"
#include "data/data_policy.h"
#include "data/originator.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace entente;
  using namespace entente::data;
  const auto manifest = read_manifest(as_text({data, size}));
  if (!manifest) return 0;
  MemorySink sink;
  ENTENTE_CHECK(write_manifest(*manifest, sink).has_value());
  const auto again = read_manifest(as_text(sink.bytes));
  ENTENTE_CHECK(again.has_value());
  ENTENTE_CHECK(again->key_access == manifest->key_access &&
                again->segments.tags() == manifest->segments.tags());
  ENTENTE_CHECK(again->root_signature == manifest->root_signature &&
                again->assertions == manifest->assertions);
  static_cast<void>(read_policy(manifest->policy_text));
  static_cast<void>(verify_assertions(*manifest, crypto::Secret(Bytes(32)), {}));
  static_cast<void>(claimed_originator(*manifest));
  return 0;
}
