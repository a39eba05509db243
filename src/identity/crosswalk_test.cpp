#include "identity/crosswalk.h"

#include "identity/oidc.h"
#include "identity/person.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::identity;

namespace {

constexpr std::string_view kIssuer = "https://idp.xbb.localhost:8443";
const Instant kNow = *parse_rfc3339("2026-06-01T12:00:00Z");

constexpr std::string_view kText = R"({
  "format": "entente.crosswalk/1", "nation": "XBB", "version": 7,
  "valid": {"from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"},
  "issuers": ["https://idp.xbb.localhost:8443"], "life_s": 1800,
  "rules": [
    {"to": "clearance", "from": "sikkerhetsgrad", "normalise": ["trim", "casefold"],
     "table": {"OPEN-A": "UNCLASSIFIED", "FORTROLEG-B": "CONFIDENTIAL", "HEMLEG-C": "SECRET"}, "ceiling": "SECRET"},
    {"to": "nationality", "from": "nasjon", "normalise": ["casefold"], "table": {"borealis": "XBB", "aldoria": "XAA"}},
    {"to": "role", "from": "stilling", "table": {"planleggjar": "planner", "kontorist": "clerk", "sjømann": "sailor"}},
    {"to": "missions", "from": "oppdrag", "table": {"HL": "harbor-light", "NW": "north-watch"}, "onMissing": "omit"}],
  "assurance": [{"when": {"acr": "nivaa-3"}, "gives": {"aal": 1}}, {"when": {"acr": "nivaa-4", "amr": ["hwk", "pin"]}, "gives": {"aal": 3}}],
  "authority": {"nationality": ["XBB"], "clearance": "SECRET"},
  "examples": [
    {"claims": {"sikkerhetsgrad": "FORTROLEG-B", "nasjon": "Borealis", "stilling": "planleggjar", "acr": "nivaa-4", "amr": ["pin", "hwk"]},
     "facts": {"clearance": "CONFIDENTIAL", "nationality": "XBB", "role": "planner", "assurance": 3}},
    {"claims": {"sikkerhetsgrad": "COSMIC", "nasjon": "Borealis", "stilling": "planleggjar", "acr": "nivaa-4"},
     "deny": "identity.unknown_value"}]})";

Json text() {
  return Json::parse(kText).value();
}
const Crosswalk& crosswalk() {
  static const Crosswalk one = Crosswalk::load(text()).value();
  return one;
}

Json claims() {
  return Json::object({{"sikkerhetsgrad", "HEMLEG-C"},
                       {"nasjon", "Borealis"},
                       {"stilling", "planleggjar"},
                       {"acr", "nivaa-4"},
                       {"amr", Json::array({"hwk", "pin", "mfa"})}});
}
Json with(const char* claim, Json value) {
  Json out = claims();
  out.set(claim, std::move(value));
  return out;
}
Json without(std::string_view claim) {
  Json out = claims();
  std::erase_if(out.members(), [claim](const Json::Member& member) { return member.first == claim; });
  return out;
}

Result<coalition::Facts> apply(const Json& given, int64_t ceiling = 4) {
  return crosswalk().apply({kIssuer, given, ceiling, kNow});
}
std::string code(const Json& given) {
  const auto facts = apply(given);
  return facts ? "accepted" : facts.error().code();
}
std::string clearance(const Json& given, int64_t ceiling = 4) {
  return std::get<std::string>(apply(given, ceiling)->find("clearance")->second.value);
}

// Loads the text with the first `from` replaced by `to`.
std::string load_code(std::string_view from, std::string_view to) {
  std::string changed(kText);
  const size_t at = changed.find(from);
  REQUIRE(at != std::string::npos);
  changed.replace(at, from.size(), to);
  const auto loaded = Crosswalk::load(Json::parse(changed).value());
  return loaded ? "loaded" : loaded.error().code();
}

}  // namespace

TEST_CASE("national claims become the coalition's facts, each with source and end") {
  const coalition::Facts facts = apply(with("oppdrag", Json::array({"NW", "HL", "NW"}))).value();
  CHECK(std::get<std::string>(facts.find("clearance")->second.value) == "SECRET");
  CHECK(std::get<std::string>(facts.find("nationality")->second.value) == "XBB");
  CHECK(std::get<std::string>(facts.find("role")->second.value) == "planner");
  CHECK(std::get<int64_t>(facts.find("assurance")->second.value) == 3);
  CHECK(std::get<std::vector<std::string>>(facts.find("missions")->second.value) ==
        std::vector<std::string>{"harbor-light", "north-watch"});
  for (const auto& [name, fact] : facts) {
    CHECK(fact.source == "idp:https://idp.xbb.localhost:8443");
    CHECK(fact.end == kNow + Seconds(1800));
  }
}

TEST_CASE("what is declared of a person may end before the rest, and is one thing") {
  constexpr std::string_view kPlace =
      R"({"to": "place", "from": "stad", "table": {"Nordhamn": "nordhamn", "Sundvik": "sundvik"}, "life_s": 600,
          "onMissing": "omit"}, )";
  const auto with_rule = [](std::string rule) {
    std::string changed(kText);
    return changed.insert(changed.find(R"({"to": "clearance")"), rule);
  };
  const Crosswalk declared = Crosswalk::load(Json::parse(with_rule(std::string(kPlace))).value()).value();
  const auto facts = declared.apply({kIssuer, with("stad", "Nordhamn"), 4, kNow}).value();
  CHECK(std::get<std::string>(facts.find("place")->second.value) == "nordhamn");
  CHECK(facts.find("place")->second.end == kNow + Seconds(600));
  CHECK(facts.find("clearance")->second.end == kNow + Seconds(1800));
  const auto code_of = [&](Json value) {
    const auto given = declared.apply({kIssuer, with("stad", std::move(value)), 4, kNow});
    return given ? "accepted" : given.error().code();
  };
  CHECK(code_of(Json::array({"Nordhamn"})) == "accepted");
  const auto of_one = declared.apply({kIssuer, with("stad", Json::array({"Nordhamn"})), 4, kNow}).value();
  CHECK(std::get<std::string>(of_one.find("place")->second.value) == "nordhamn");
  CHECK(code_of(Json::array({"Nordhamn", "Sundvik"})) == "identity.odd_value");
  CHECK(code_of("Port Haven") == "identity.unknown_value");
  std::string lenient = with_rule(std::string(kPlace));
  lenient.insert(lenient.find(R"("onMissing": "omit")"), R"("onUnknown": "omit", )");
  const Crosswalk omits = Crosswalk::load(Json::parse(lenient).value()).value();
  const auto unknown = omits.apply({kIssuer, with("stad", "Port Haven"), 4, kNow}).value();
  CHECK_FALSE(unknown.contains("place"));
  CHECK(unknown.contains("clearance"));
  CHECK(omits.apply({kIssuer, with("stad", "Nordhamn"), 4, kNow}).value().contains("place"));
  CHECK(load_code(R"("from": "stilling", )", R"("from": "stilling", "onUnknown": "omit", )") ==
        "field.value");
  CHECK(load_code(R"("from": "oppdrag", )", R"("from": "oppdrag", "onUnknown": "omit", )") == "field.value");
  CHECK(load_code(R"("from": "stilling", )", R"("from": "stilling", "life_s": 600, )") == "field.value");
  CHECK(load_code(R"("from": "oppdrag", )", R"("from": "oppdrag", "life_s": 600, )") == "field.value");
}

TEST_CASE("a clearance never passes the partner's ceiling, the authority's or the rule's") {
  CHECK(clearance(claims(), 4) == "SECRET");
  CHECK(clearance(claims(), 2) == "CONFIDENTIAL");
  CHECK(clearance(claims(), 0) == "UNCLASSIFIED");
  CHECK(clearance(with("sikkerhetsgrad", "OPEN-A"), 2) == "UNCLASSIFIED");
  Json low = text();
  const_cast<Json*>(low.find("authority"))->set("clearance", "RESTRICTED");
  const_cast<Json*>(low.find("examples"))
      ->items()
      .erase(const_cast<Json*>(low.find("examples"))->items().begin());
  const Crosswalk capped = Crosswalk::load(low).value();
  CHECK(std::get<std::string>(capped.apply({kIssuer, claims(), 4, kNow})->find("clearance")->second.value) ==
        "RESTRICTED");
}

TEST_CASE("a provider that vouches for another nation's person is refused") {
  CHECK(code(with("nasjon", "Aldoria")) == "identity.foreign_person");
  CHECK(code(with("nasjon", Json::array({"Borealis", "Aldoria"}))) == "identity.odd_value");
  CHECK(code(with("nasjon", Json::array({"Borealis"}))) == "identity.odd_value");
}

TEST_CASE("what no table lists is denied, and what is missing too") {
  CHECK(code(with("sikkerhetsgrad", "COSMIC")) == "identity.unknown_value");
  CHECK(code(with("stilling", "Planleggjar")) == "identity.unknown_value");  // this rule does not fold case
  CHECK(code(with("oppdrag", Json::array({"HL", "??"}))) == "identity.unknown_value");
  CHECK(code(with("oppdrag", Json::array())) == "identity.odd_value");
  CHECK(code(with("sikkerhetsgrad", 4)) == "identity.odd_value");
  CHECK(code(with("sikkerhetsgrad", Json::object({{"value", "OPEN-A"}}))) == "identity.odd_value");
  for (const char* claim : {"sikkerhetsgrad", "nasjon", "stilling"})
    CHECK(code(without(claim)) == "identity.missing_claim");
  CHECK(code(with("nasjon", nullptr)) == "identity.missing_claim");
}

TEST_CASE("values are trimmed and folded as the rule says; look-alike letters are other values") {
  CHECK(code(with("sikkerhetsgrad", "  hemleg-c ")) == "accepted");
  CHECK(code(with("nasjon", " borealis")) == "identity.unknown_value");  // this rule does not trim
  CHECK(code(with("nasjon", "Bоrealis")) == "identity.unknown_value");   // Cyrillic о
  CHECK(code(with("sikkerhetsgrad", "HEMLEG\u200b-C")) == "identity.unknown_value");  // zero width
  CHECK(code(with("stilling", "sjømann")) == "accepted");                             // listed as it is
  CHECK(code(with("sikkerhetsgrad", "HEMLEG-C\n")) == "identity.odd_value");
  CHECK(code(with("sikkerhetsgrad", std::string(257, 'x'))) == "identity.odd_value");
}

TEST_CASE("assurance comes from how the person signed in, and none is no entry") {
  CHECK(std::get<int64_t>(apply(with("acr", "nivaa-3"))->find("assurance")->second.value) == 1);
  CHECK(code(with("acr", "nivaa-9")) == "identity.assurance");
  CHECK(code(with("amr", Json::array({"pwd"}))) == "identity.assurance");
  CHECK(code(without("amr")) == "identity.assurance");
  CHECK(code(without("acr")) == "identity.assurance");
}

TEST_CASE("a crosswalk holds for its providers and its time only") {
  CHECK(crosswalk().apply({"https://idp.xaa.localhost:8443", claims(), 4, kNow}).error().code() ==
        "identity.issuer");
  CHECK(crosswalk().apply({"https://idp.xbb.localhost:8443/", claims(), 4, kNow}).error().code() ==
        "identity.issuer");
  CHECK(crosswalk().apply({kIssuer, claims(), 4, *parse_rfc3339("2027-01-01T00:00:00Z")}).error().code() ==
        "crosswalk.time");
  CHECK(crosswalk().apply({kIssuer, claims(), 4, *parse_rfc3339("2025-12-31T23:59:59Z")}).error().code() ==
        "crosswalk.time");
}

TEST_CASE("an example that does not come out as written blocks the whole") {
  CHECK(load_code(R"("FORTROLEG-B": "CONFIDENTIAL")", R"("FORTROLEG-B": "SECRET")") == "crosswalk.example");
  CHECK(load_code(R"("deny": "identity.unknown_value")", R"("deny": "identity.missing_claim")") ==
        "crosswalk.example");
  Json none = text();
  none.set("examples", Json::array());
  CHECK(Crosswalk::load(none).error().code() == "crosswalk.format");
}

TEST_CASE("a crosswalk out of shape is refused with its place") {
  CHECK(load_code("entente.crosswalk/1", "entente.crosswalk/2") == "field.value");
  CHECK(load_code(R"("nation": "XBB")", R"("nation": "XAA")") ==
        "field.value");  // authority over another nation
  CHECK(load_code(R"("nationality": ["XBB"])", R"("nationality": ["XBB", "XAA"])") == "field.value");
  CHECK(load_code(R"("to": "role")", R"("to": "roles")") == "field.value");
  CHECK(load_code(R"("to": "missions")", R"("to": "role")") == "field.value");
  CHECK(load_code(R"("to": "missions")", R"("to": "assurance")") == "field.value");
  CHECK(load_code(R"("HEMLEG-C": "SECRET")", R"("HEMLEG-C": "TOP SECRET")") == "field.value");
  CHECK(load_code(R"("OPEN-A": "UNCLASSIFIED")", R"("open-a": "SECRET", "OPEN-A": "UNCLASSIFIED")") ==
        "field.value");
  CHECK(load_code(R"("ceiling": "SECRET")", R"("onUnknown": "allow")") == "field.value");
  CHECK(load_code(R"("ceiling": "SECRET")", R"("onMissing": "omit")") == "field.value");
  CHECK(load_code(R"("ceiling": "SECRET")", R"("script": "x")") == "field.unknown");
  CHECK(load_code(R"("aal": 3)", R"("aal": 4)") == "field.value");
  CHECK(load_code(R"({"acr": "nivaa-3"})", R"({})") == "field.value");
  CHECK(load_code("2027-01-01", "2025-01-01") == "field.value");
}

TEST_CASE("a signed crosswalk opens with its nation's key, and for its nation only") {
  const crypto::PrivateKey key = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  const crypto::KeySet keys =
      crypto::KeySet::from_keys({{"xbb-1", crypto::SignatureAlg::ES256, key.public_key()}}).value();
  const std::string token = sign_crosswalk(key, "xbb-1", text()).value();
  CHECK(Crosswalk::open(token, keys, PartnerCode("XBB"))->version() == 7);
  CHECK(Crosswalk::open(token, keys, PartnerCode("XAA")).error().code() == "crosswalk.format");
  const crypto::PrivateKey other = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  CHECK(Crosswalk::open(sign_crosswalk(other, "xbb-1", text()).value(), keys, PartnerCode("XBB"))
            .error()
            .code() == "jose.signature");
}

TEST_CASE("a signed-in person becomes facts under an id of this issuer") {
  Json given = claims();
  given.set("name", "Ingrid Solvang");
  const SignedIn signed_in{
      PartnerCode("XBB"), std::string(kIssuer), "bor-40117", given, kNow - Seconds(5), "/"};
  const PersonFacts person = person_from(signed_in, crosswalk(), 2, kNow).value();
  CHECK(person.display_name == "Ingrid Solvang");
  CHECK(person.id == person_id(PartnerCode("XBB"), kIssuer, "bor-40117"));
  CHECK(person.auth_time == kNow - Seconds(5));
  CHECK(person.end == kNow + Seconds(1800));
  CHECK(person.acr == "nivaa-4");
  SignedIn foreign = signed_in;
  foreign.nation = PartnerCode("XAA");
  CHECK(person_from(foreign, crosswalk(), 2, kNow).error().code() == "identity.issuer");
  SignedIn odd = signed_in;
  odd.claims.set("name", "<b>\x1b[2J");
  CHECK(person_from(odd, crosswalk(), 2, kNow)->display_name.empty());
}
