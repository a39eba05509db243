// Entities and contexts as JSON from anywhere, with a schema and without.
#include "policy/entities.h"
#include "policy/schema.h"

#include <cstdint>

using namespace entente;
using namespace entente::policy;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Schema schema = *Schema::parse(
      "entity G enum [\"a\", \"b\"]; entity U in [U, G] = { n: Long, s?: String, at?: datetime, net?: "
      "ipaddr, d?: decimal,"
      " t?: duration, g?: G, all?: Set<Set<U>>, r?: { x?: Bool, y: U } } tags Set<String>;"
      "action all; action view in [all] appliesTo { principal: U, resource: U, context: { n?: Long, r?: { a: "
      "U } } };",
      "schema");
  const auto json =
      Json::parse({reinterpret_cast<const char*>(data), size}, {.bytes_max = 1 << 20, .depth_max = 200});
  if (!json) return 0;
  const auto typed = schema.read_entities(*json);
  if (typed) {
    for (const Entity& entity : *typed) {
      ENTENTE_CHECK(schema.check(entity).has_value());
      const auto again = schema.read_entity(entity_to_json(entity));
      ENTENTE_CHECK(again.has_value() && *again == entity);
    }
    (void)Entities(schema).with({*typed, {}});
  } else {
    ENTENTE_CHECK(!typed.error().what().empty());
  }
  if (const auto value = value_from_json(*json)) {
    const auto again = value_from_json(value_to_json(*value));
    ENTENTE_CHECK(!again.has_value() || *again == *value);
  }
  (void)schema.read_context({"Action", "view"}, *json);
  return 0;
}
