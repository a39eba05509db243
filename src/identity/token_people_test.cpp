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
  out.said = std::make_shared<const crypto::Jwt::Said>(
      std::make_shared<const Json>(),
      Json::object({{"clearance", clearance}, {"nation", "borealis"}, {"post", "planner"}, {"acr", "high"}}));
  out.digest = crypto::sha256(text);
  return out;
}

std::string clearance_of(const Result<PersonFacts>& person) {
  REQUIRE_MESSAGE(person, person.error().text());
  return std::get<std::string>(person->facts.at("clearance").value);
}

}  // namespace

TEST_CASE("who brings a token again is who they would be if it came for the first time, with ends of now") {
  const Instant until = parse_rfc3339("2028-01-01T00:00:00Z").value();
  TokenPeople people(crosswalk());
  const AccessToken one = token("one");
  REQUIRE(people.person(one, kSecret, kAt));
  for (const Instant now : {kAt, kAt + Millis(1), kAt + Seconds(1799), kAt + Seconds(1800), kAt - Seconds(90),
                            kAt + std::chrono::hours(20), until - Seconds(60), until - Millis(1)}) {
    CAPTURE(rfc3339(now));
    const auto again = people.person(one, kSecret, now);
    const auto anew = TokenPeople(crosswalk()).person(one, kSecret, now);
    REQUIRE(again);
    REQUIRE(anew);
    CHECK(again->facts == anew->facts);
    CHECK(again->end == anew->end);
    CHECK(again->auth_time == anew->auth_time);
    CHECK(again->id == anew->id);
  }
  // The crosswalk is over, or has not begun.
  CHECK(people.person(one, kSecret, until).error().code() == "crosswalk.time");
  CHECK(people.person(one, kSecret, from_unix_seconds(1'700'000'000)).error().code() == "crosswalk.time");
}

TEST_CASE("attack: what one token said is taken for another's, or for what a lower ceiling lets be said") {
  TokenPeople people(crosswalk());
  CHECK(clearance_of(people.person(token("one"), kSecret, kAt)) == "SECRET");
  CHECK(clearance_of(people.person(token("two", "OPEN"), kSecret, kAt)) == "UNCLASSIFIED");
  // Whatever the digest says.
  CHECK(people.person(token("one", "HEMLEG", "oda"), kSecret, kAt)->subject == "oda");
  CHECK(people.person(token("one"), kSecret, kAt)->subject == "ingrid");
  // The nation's own ceiling was lowered in the meantime.
  CHECK(clearance_of(people.person(token("one"), 1, kAt)) == "RESTRICTED");
  CHECK(clearance_of(people.person(token("one"), kSecret, kAt)) == "SECRET");
  // What the crosswalk does not let in is not let in by having come before.
  CHECK(people.person(token("five", "SPOKEN"), kSecret, kAt).error().code() == "identity.unknown_value");
  CHECK(people.person(token("five", "SPOKEN"), kSecret, kAt).error().code() == "identity.unknown_value");
}
