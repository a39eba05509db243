#include "coalition/marking.h"

#include "coalition/example_test.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::coalition;
using namespace entente::coalition::example;

TEST_CASE("what is sealed is marked as its label policy prints it; what cannot be read is not") {
  const World here = world(records("XAA"));
  SealedObject object{.attributes = {fqn("classification", "restricted"), fqn("originator", "xaa"),
                                     fqn("releasable-to", "xbb")}};
  CHECK(marking_of(here, object, kNow) == "EXERCISE RESTRICTED//REL TO XAA, XBB");
  CHECK(marking_of(here, object, kNow) == "EXERCISE RESTRICTED//REL TO XAA, XBB");
  Records all = records("XAA");
  Json terms = all.at("label-policy/harbor-light");
  std::string spif(terms.text_or("spif", ""));
  for (size_t at = spif.find("EXERCISE"); at != std::string::npos; at = spif.find("EXERCISE", at + 20))
    spif.replace(at, 8, "EXERCISE TIDE");
  terms.set("spif", spif);
  all["label-policy/harbor-light"] = terms;
  // The same attributes in another world.
  CHECK(marking_of(world(all), object, kNow).find("EXERCISE TIDE") == 0);
  CHECK(marking_of(here, object, kNow) == "EXERCISE RESTRICTED//REL TO XAA, XBB");
  object.attributes.push_back(fqn("handling", "orcon"));
  CHECK(marking_of(here, object, kNow) == "EXERCISE RESTRICTED//ORCON//REL TO XAA, XBB");
  object.attributes.push_back(fqn("classification", "secret"));
  CHECK(marking_of(here, object, kNow).empty());
  CHECK(marking_of(here, {}, kNow).empty());
}
