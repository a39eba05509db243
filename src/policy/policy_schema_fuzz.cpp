// Schema text from anywhere, and entities' text beside it.
#include "policy/schema.h"

#include <cstdint>

using namespace entente::policy;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto schema = Schema::parse(text, "fuzz");
  if (schema) {
    for (const std::string& type : schema->entity_types())
      (void)schema->check(Entity{{type, "x"}, {}, {}, {}});
  } else {
    ENTENTE_CHECK(!schema.error().what.empty());
  }
  (void)parse_uid(text);
  return 0;
}
