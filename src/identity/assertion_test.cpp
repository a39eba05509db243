#include "identity/assertion.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::identity;

namespace {

constexpr int64_t kNow = 1'800'000'000;
Instant at(int64_t seconds) {
  return from_unix_seconds(kNow + seconds);
}

const crypto::PrivateKey& key() {
  static const crypto::PrivateKey one = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  return one;
}
crypto::KeySet keys() {
  return crypto::KeySet::from_keys({{"xaa-1", crypto::SignatureAlg::ES256, key().public_key()}}).value();
}

Assertion about(const char* app = "cop") {
  Assertion out;
  out.issuer = PartnerCode("XAA");
  out.app = {PartnerCode("XAA"), AppId(app)};
  out.person = PersonId("pairwise-1");
  out.partner = PartnerCode("XBB");
  out.mission = MissionId("harbor-light");
  out.attributes = Json::object({{"role", "planner"}});
  out.connector = "thumbprint-of-connector";
  out.session = "reference";
  return out;
}
std::string made(const Assertion& assertion, const std::string& jti = "j1",
                 const crypto::PrivateKey& signer = key()) {
  return sign_assertion(signer, "xaa-1", assertion, at(0), jti).value();
}
AssertionVerifier verifier(const char* connector = "thumbprint-of-connector") {
  return {{PartnerCode("XAA"), AppId("cop")}, connector, keys()};
}
std::string code(const Result<Assertion>& result) {
  return result ? "accepted" : result.error().code();
}

}  // namespace

TEST_CASE("an app learns what its nation signed") {
  const auto read = verifier().check(made(about()), at(1));
  REQUIRE(read.has_value());
  CHECK(read->person == PersonId("pairwise-1"));
  CHECK(read->partner == PartnerCode("XBB"));
  CHECK(read->mission == MissionId("harbor-light"));
  CHECK(read->attributes == about().attributes);
  CHECK(read->end == at(60));
}

TEST_CASE("an assertion is for one app, one connector, one minute, and from one nation's key") {
  CHECK(code(verifier().check(made(about("stock")), at(0))) == "jwt.aud");
  CHECK(code(verifier("another-connector").check(made(about()), at(0))) == "assertion.connector");
  CHECK(code(verifier().check(made(about()), at(119))) == "accepted");  // skew
  CHECK(code(verifier().check(made(about()), at(120))) == "jwt.exp");
  CHECK(code(verifier().check(made(about()), at(-61))) == "jwt.iat");
  const crypto::PrivateKey other = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  CHECK(code(verifier().check(made(about(), "j", other), at(0))) == "jose.signature");
  Assertion foreign = about();
  foreign.issuer = PartnerCode("XBB");
  CHECK(code(verifier().check(made(foreign), at(0))) == "jwt.iss");
  // A token of another kind signed by the same key.
  const auto statement = crypto::sign_jwt(
      key(), {.alg = crypto::SignatureAlg::ES256, .typ = "entente-statement+jwt", .kid = "xaa-1"},
      Json::object({{"iss", "entente:node:XAA"}}));
  CHECK(code(verifier().check(*statement, at(0))) == "jose.header");
}

TEST_CASE("an assertion that lives longer than a minute is refused even when well signed") {
  const Json claims = Json::object(
      {{"iss", "entente:node:XAA"}, {"aud", "entente:app:XAA/cop"}, {"iat", kNow}, {"exp", kNow + 3600}});
  const auto token = crypto::sign_jwt(
      key(), {.alg = crypto::SignatureAlg::ES256, .typ = std::string(kAssertionTyp), .kid = "xaa-1"}, claims);
  CHECK(code(verifier().check(*token, at(0))) == "jwt.exp");
}

TEST_CASE("used once, an assertion is a replay the second time, to the end of its life") {
  AssertionVerifier one = verifier();
  const std::string token = made(about(), "j1");
  CHECK(code(one.check_once(token, at(0))) == "accepted");
  CHECK(code(one.check_once(token, at(1))) == "assertion.replayed");
  CHECK(code(one.check_once(made(about(), "j2"), at(1))) == "accepted");
  CHECK(code(one.check_once(token, at(119))) == "assertion.replayed");
  CHECK(code(one.check_once(token, at(120))) == "jwt.exp");
}

TEST_CASE("an app gets only the attributes it may know, and none past its end") {
  const coalition::Facts facts{{"role", {std::string("planner"), "idp", at(10)}},
                               {"clearance", {std::string("SECRET"), "idp", at(10)}},
                               {"missions", {std::vector<std::string>{"harbor-light"}, "idp", at(-1)}},
                               {"assurance", {int64_t{3}, "idp", at(10)}}};
  const std::vector<std::string> shares{"role", "missions", "assurance", "risk"};
  CHECK(attributes_for(facts, shares, at(0)).dump() == R"({"assurance":3,"role":"planner"})");
}

TEST_CASE("a session's reference tells nothing of the session and differs for each app") {
  const crypto::Secret secret(Bytes(32, 1));
  const coalition::AppRef cop{PartnerCode("XAA"), AppId("cop")};
  const coalition::AppRef stock{PartnerCode("XAA"), AppId("stock")};
  CHECK(session_reference(secret, SessionId("s"), cop) == session_reference(secret, SessionId("s"), cop));
  CHECK(session_reference(secret, SessionId("s"), cop) != session_reference(secret, SessionId("s"), stock));
}
