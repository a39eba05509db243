// Policies as JSON from anywhere: what is read survives the way to text and back.
#include "policy/document.h"

#include <cstdint>

using namespace entente;
using namespace entente::policy;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const PolicySource source{"fuzz", std::string(reinterpret_cast<const char*>(data), size)};
  const auto document = PolicyDocument::parse_json(source);
  if (!document) {
    ENTENTE_CHECK(!document.error().what().empty());
    return 0;
  }
  const auto json = document->json();
  if (!json) return 0;
  const auto again = PolicyDocument::parse_json({"again", json->dump()});
  ENTENTE_CHECK(again.has_value());
  ENTENTE_CHECK(again->text() == document->text());
  ENTENTE_CHECK(*again->json() == *json);
  (void)PolicySet::unchecked(*document);
  return 0;
}
