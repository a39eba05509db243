#include "identity/pseudonym.h"

#include "identity/person.h"

#include <set>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::identity;

namespace {

const crypto::Secret& secret() {
  static const crypto::Secret one(Bytes(32, 7));
  return one;
}
PersonId at(const char* host, const char* app, const char* subject = "bor-40117",
            const char* issuer = "https://idp.xbb.example") {
  return pseudonym(secret(), PartnerCode("XBB"), issuer, subject, PartnerCode(host), AppId(app));
}

}  // namespace

TEST_CASE("a person keeps one id at one host's app, and has another everywhere else") {
  CHECK(at("XAA", "cop") == at("XAA", "cop"));
  const std::set<PersonId> all{at("XAA", "cop"), at("XAA", "stock"), at("XCC", "cop"),
                               at("XAA", "cop", "bor-40233"),
                               at("XAA", "cop", "bor-40117", "https://idp2.xbb.example")};
  CHECK(all.size() == 5);
  const crypto::Secret other(Bytes(32, 8));
  CHECK(pseudonym(other, PartnerCode("XBB"), "https://idp.xbb.example", "bor-40117", PartnerCode("XAA"),
                  AppId("cop")) != at("XAA", "cop"));
}

TEST_CASE("the parts of a pseudonym can't run into each other") {
  CHECK(pseudonym(secret(), PartnerCode("XBB"), "https://a", "bc", PartnerCode("XAA"), AppId("cop")) !=
        pseudonym(secret(), PartnerCode("XBB"), "https://ab", "c", PartnerCode("XAA"), AppId("cop")));
  CHECK(framed({"a", "bc"}) != framed({"ab", "c"}));
  CHECK(framed({"", "a"}) != framed({"a", ""}));
}

TEST_CASE("a person's id is bound to nation and issuer: one `sub` in two nations is two people") {
  CHECK(person_id(PartnerCode("XAA"), "https://idp", "1") ==
        person_id(PartnerCode("XAA"), "https://idp", "1"));
  CHECK(person_id(PartnerCode("XAA"), "https://idp", "1") !=
        person_id(PartnerCode("XBB"), "https://idp", "1"));
  CHECK(person_id(PartnerCode("XAA"), "https://idp", "1") !=
        person_id(PartnerCode("XAA"), "https://idp/", "1"));
}
