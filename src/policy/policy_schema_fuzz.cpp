// Schemas from anywhere, as text and as JSON: what is read survives the way to the other form and back.
#include "policy/schema.h"

#include <cstdint>

using namespace entente;
using namespace entente::policy;

static void check_forms(const std::string& text) {
  const auto json = schema_to_json(text, "fuzz");
  ENTENTE_CHECK(json.has_value());
  const auto from_json = Schema::parse_json(json->dump(), "fuzz");
  ENTENTE_CHECK(from_json.has_value());
  const auto written = schema_to_text(json->dump(), "fuzz");
  if (!written) return;  // a name that is two things has no text
  const auto again = schema_to_json(*written, "again");
  ENTENTE_CHECK(again.has_value());
  ENTENTE_CHECK(Schema::parse(*written, "again")->entity_types() == from_json->entity_types());
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto schema = Schema::parse(text, "fuzz");
  if (schema) {
    for (const std::string& type : schema->entity_types())
      (void)schema->check(Entity{{type, "x"}, {}, {}, {}});
    check_forms(text);
  } else {
    ENTENTE_CHECK(!schema.error().what().empty());
  }
  const auto from_json = Schema::parse_json(text, "fuzz");
  if (!from_json) ENTENTE_CHECK(!from_json.error().what().empty());
  if (from_json)
    if (const auto written = schema_to_text(text, "fuzz")) check_forms(*written);
  (void)parse_uid(text);
  return 0;
}
