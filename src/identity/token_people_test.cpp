#include "identity/token_people.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::identity;

namespace {

const Instant kAt = from_unix_seconds(1'800'000'000);
constexpr int64_t kSecret = 4;

Crosswalk crosswalk() {
  return Crosswalk::load(Json::parse(R"({
    "format": "entente.crosswalk/1", "nation": "XBB", "version": 1,
    "valid": {"from": "2026-01-01T00:00:00Z", "until": "2028-01-01T00:00:00Z"},
    "issuers": ["https://idp.xbb.localhost:8452"], "life_s": 1800,
    "rules": [
      {"to": "clearance", "from": "clearance", "table": {"HEMLEG": "SECRET", "OPEN": "UNCLASSIFIED"}},
      {"to": "nationality", "from": "nation", "table": {"borealis": "XBB"}},
      {"to": "role", "from": "post", "table": {"planner": "planner"}}],
    "assurance": [{"when": {"acr": "high"}, "gives": {"aal": 3}}],
    "authority": {"nationality": ["XBB"], "clearance": "SECRET"},
    "examples": [{"claims": {"clearance": "SPOKEN"}, "deny": "identity.unknown_value"}]})")
                             .value())
      .value();
}

AccessToken token(std::string_view text, std::string_view clearance = "HEMLEG",
                  std::string_view subject = "ingrid") {
  AccessToken out;
  out.issuer = "https://idp.xbb.localhost:8452";
  out.subject = subject;
  out.claims =
      Json::object({{"clearance", clearance}, {"nation", "borealis"}, {"post", "planner"}, {"acr", "high"}});
  out.digest = crypto::sha256(text);
  return out;
}

std::string clearance_of(const Result<PersonFacts>& person) {
  REQUIRE_MESSAGE(person, person.error().text());
  return std::get<std::string>(person->facts.at("clearance").value);
}

}  // namespace

TEST_CASE("who brings a token again is who they were, until what was said of them ends") {
  TokenPeople people(crosswalk());
  const auto first = people.person(token("one"), kSecret, kAt);
  REQUIRE_MESSAGE(first, first.error().text());
  CHECK(first->end == kAt + Seconds(1800));
  // Kept: its end stands, and is not put off by asking.
  CHECK(people.person(token("one"), kSecret, kAt + Seconds(60))->end == first->end);
  CHECK(people.person(token("one"), kSecret, kAt + Seconds(60))->facts == first->facts);
  CHECK(people.person(token("one"), kSecret, first->end)->end == first->end + Seconds(1800));
}

TEST_CASE("attack: what one token said is taken for another's, a lower ceiling's, an earlier time's") {
  TokenPeople people(crosswalk());
  CHECK(clearance_of(people.person(token("one"), kSecret, kAt)) == "SECRET");
  CHECK(clearance_of(people.person(token("two", "OPEN"), kSecret, kAt)) == "UNCLASSIFIED");
  CHECK(people.person(token("three", "HEMLEG", "oda"), kSecret, kAt)->id !=
        people.person(token("one"), kSecret, kAt)->id);
  // The nation's own ceiling was lowered in the meantime.
  CHECK(clearance_of(people.person(token("one"), 1, kAt)) == "RESTRICTED");
  CHECK(clearance_of(people.person(token("one"), kSecret, kAt)) == "SECRET");
  // The clock was an hour ahead, and was put right.
  const Instant wrong = kAt + std::chrono::hours(1);
  CHECK(people.person(token("one"), kSecret, wrong)->end == wrong + Seconds(1800));
  CHECK(people.person(token("one"), kSecret, kAt)->end == kAt + Seconds(1800));
  CHECK(people.person(token("four"), kSecret, wrong)->end == wrong + Seconds(1800));
  people.forget();
  CHECK(people.person(token("four"), kSecret, wrong + Seconds(1))->end == wrong + Seconds(1801));
  // What the crosswalk does not let in is not let in by having come before.
  CHECK(people.person(token("five", "SPOKEN"), kSecret, kAt).error().code() == "identity.unknown_value");
  CHECK(people.person(token("five", "SPOKEN"), kSecret, kAt).error().code() == "identity.unknown_value");
}
