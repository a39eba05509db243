// Crosswalks from anyone; one that loads answers every claim without a crash and never above its ceiling.
#include "coalition/levels.h"
#include "identity/crosswalk.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace entente;
  using namespace entente::identity;
  const auto json = Json::parse(as_text({data, size}));
  if (!json) return 0;
  const auto crosswalk = Crosswalk::load(*json);
  if (!crosswalk) return 0;
  const Json* examples = json->find("examples");
  for (const Json& example : examples->items()) {
    const Crosswalk::Given given{crosswalk->issuers().front(), *example.find("claims"), 1,
                                 crosswalk->until() - Millis(1)};
    const auto facts = crosswalk->apply(given);
    if (!facts) continue;
    const auto& clearance = std::get<std::string>(facts->find("clearance")->second.value);
    ENTENTE_CHECK(coalition::level_of(clearance).value() <= 1);
    ENTENTE_CHECK(std::get<std::string>(facts->find("nationality")->second.value) ==
                  crosswalk->nation().text());
  }
  return 0;
}
