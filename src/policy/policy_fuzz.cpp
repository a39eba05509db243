// Policy text from anywhere: must end in policies or in a message, and whatever parses must evaluate,
// compiled as it does plainly.
#include "policy/decide.h"
#include "policy/reference.h"

#include <cstdint>

using namespace entente::policy;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto schema = Schema::parse(
      "entity G; entity U in [G] = { n: Long, s: String, o?: Bool, g: G, r: { x?: Long } } tags String;"
      "action view, edit appliesTo { principal: [U], resource: [U, G], context: { at: datetime, ok?: Bool } "
      "};",
      "schema");
  ENTENTE_CHECK(schema.has_value());
  const PolicySource source{"fuzz", std::string(reinterpret_cast<const char*>(data), size)};
  const auto loaded = PolicySet::load(*schema, std::span(&source, 1));
  if (!loaded) ENTENTE_CHECK(!loaded.error().what().empty());
  const auto parsed = PolicySet::unchecked(std::span(&source, 1));
  if (!parsed) return 0;
  static const Entities entities = *Entities::unchecked().with(
      {{Entity{{"U", "a"}, {{"n", 7}, {"s", "x"}, {"g", EntityUid{"G", "g"}}}, {{"G", "g"}}, {{"t", "v"}}}},
       {}});
  const Request request{{"U", "a"}, {"Action", "view"}, {"U", "a"}, {{"at", Datetime{1000}}}};
  const Answer answer = decide(*parsed, entities, {}, request);
  const Answer plain = decide_plainly(*parsed, entities, {}, request);
  ENTENTE_CHECK(answer.decision == plain.decision && answer.reasons == plain.reasons);
  (void)could_read(*parsed, entities, {}, request);
  (void)near_misses(*parsed, entities, {}, request);
  if (loaded) (void)decide(*loaded, entities, {}, request);
  return 0;
}
