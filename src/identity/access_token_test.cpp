#include "identity/access_token.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::identity;

namespace {

const Instant kAt = from_unix_seconds(1'800'000'000);

const crypto::PrivateKey& issuer_key() {
  static const crypto::PrivateKey key = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  return key;
}
crypto::KeySet issuer_keys() {
  return crypto::KeySet::from_keys({{"k", crypto::SignatureAlg::ES256, issuer_key().public_key()}}).value();
}
TokenIssuer issuer() {
  TokenIssuer out;
  out.issuer = "https://idp.xbb.localhost:8452";
  out.audience = "https://kas.xbb.localhost:8442";
  return out;
}
Json claims() {
  return Json::object({{"iss", issuer().issuer},
                       {"aud", issuer().audience},
                       {"sub", "ingrid"},
                       {"client_id", "entente-cli"},
                       {"iat", unix_seconds(kAt)},
                       {"exp", unix_seconds(kAt) + 600},
                       {"auth_time", unix_seconds(kAt) - 30},
                       {"cnf", Json::object({{"jkt", std::string(43, 'A')}})}});
}
std::string token(const Json& said, std::string typ = "at+jwt") {
  return crypto::sign_jwt(issuer_key(),
                          {.alg = crypto::SignatureAlg::ES256, .typ = std::move(typ), .kid = "k"}, said)
      .value();
}
std::string fault(const Json& said, std::string typ = "at+jwt") {
  const auto read = check_access_token(token(said, std::move(typ)), issuer(), issuer_keys(), kAt);
  return read ? "" : read.error().code();
}

}  // namespace

TEST_CASE("a token of ours says who, through which program, bound to which key") {
  const auto read = check_access_token(token(claims()), issuer(), issuer_keys(), kAt);
  REQUIRE_MESSAGE(read, read.error().text());
  CHECK(read->subject == "ingrid");
  CHECK(read->client == "entente-cli");
  CHECK(read->thumbprint == std::string(43, 'A'));
  CHECK(read->auth_time == kAt - Seconds(30));
  CHECK(read->end == kAt + Seconds(600));
  CHECK(unverified_issuer(token(claims())) == issuer().issuer);
}

TEST_CASE("attack: tokens that were made for something else") {
  CHECK(fault(claims().set("iss", "https://idp.xaa.localhost:8451")) == "jwt.iss");
  CHECK(fault(claims().set("aud", "entente-node-xbb")) == "jwt.aud");
  CHECK(fault(claims().set("aud", Json::array({issuer().audience, "other"}))) == "jwt.aud");
  CHECK(fault(claims().set("exp", unix_seconds(kAt) - 61)) == "jwt.exp");
  CHECK(fault(claims().set("exp", unix_seconds(kAt) + 30 * 3600)) != "");
  CHECK(fault(claims(), "JWT") == "jose.header");  // an ID token is none
  CHECK(fault(claims().set("sub", "")) == "jwt.sub");
}

TEST_CASE("attack: bound to something that nobody here can prove") {
  CHECK(fault(claims().set("cnf", Json::object({{"x5t#S256", "abc"}}))) == "token.binding");
  CHECK(fault(claims().set("cnf", "key")) == "token.binding");
  CHECK(fault(claims().set("cnf", Json::object({{"jkt", "short"}}))) == "token.binding");
}

TEST_CASE("where programs are named, no other brings tokens") {
  TokenIssuer narrow = issuer();
  narrow.clients = {"other"};
  CHECK(check_access_token(token(claims()), narrow, issuer_keys(), kAt).error().code() == "token.issuer");
  narrow.clients.push_back("entente-cli");
  CHECK(check_access_token(token(claims()), narrow, issuer_keys(), kAt).has_value());
}
