#include "crypto/jose.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::crypto;

namespace {

const PrivateKey& p256() {
  static const PrivateKey key = PrivateKey::generate(KeyKind::p256);
  return key;
}
const PrivateKey& rsa() {
  static const PrivateKey key = PrivateKey::generate(KeyKind::rsa, 2048);
  return key;
}

KeySet set_of(const std::string& kid, SignatureAlg alg, const PublicKey& key) {
  return KeySet::from_keys({{kid, alg, key}}).value();
}
KeySet es256() {
  return set_of("one", SignatureAlg::ES256, p256().public_key());
}

const JwsExpect kEs256{.algs = {SignatureAlg::ES256}};

std::string token(std::string_view header, std::string_view payload, SignatureAlg alg = SignatureAlg::ES256,
                  const PrivateKey& key = p256()) {
  std::string out = base64url(as_bytes(header)) + "." + base64url(as_bytes(payload));
  return out + "." + base64url(key.sign(alg, as_bytes(out)).value());
}

std::string code(const std::string& jws, const KeySet& keys = es256(), const JwsExpect& expect = kEs256) {
  const auto result = verify_jws(jws, keys, expect);
  return result ? "accepted" : result.error().code();
}

constexpr int64_t kNow = 1'800'000'000;
JwtExpect jwt_expect() {
  JwtExpect out;
  out.jws = kEs256;
  out.issuer = "https://idp.xbb.example";
  out.audience = "https://node.xbb.example";
  out.now = from_unix_seconds(kNow);
  return out;
}
Json good_claims() {
  return Json::object({{"iss", "https://idp.xbb.example"},
                       {"aud", "https://node.xbb.example"},
                       {"sub", "someone"},
                       {"iat", kNow - 10},
                       {"exp", kNow + 300}});
}
std::string jwt_code(const Json& claims, const JwtExpect& expect = jwt_expect()) {
  const auto signed_token = sign_jwt(p256(), {.alg = SignatureAlg::ES256, .kid = "one"}, claims);
  const auto result = verify_jwt(signed_token.value(), es256(), expect);
  return result ? "accepted" : result.error().code();
}
Json with(const char* claim, Json value) {
  Json claims = good_claims();
  claims.set(claim, std::move(value));
  return claims;
}

}  // namespace

TEST_CASE("a token that we sign is read back") {
  const auto made = sign_jws(p256(), {.alg = SignatureAlg::ES256, .typ = "entente-test+jwt", .kid = "one"},
                             as_bytes("tide"));
  const auto read = verify_jws(
      *made, es256(), {.algs = {SignatureAlg::ES256}, .typ = "entente-test+jwt", .kid_required = true});
  REQUIRE(read.has_value());
  CHECK(as_text(read->payload) == "tide");
  CHECK(read->kid == "one");
  CHECK(unverified_kid(*made) == "one");
}

TEST_CASE("alg none in any spelling, HMAC with the public key, and swapped algorithms are refused") {
  for (const char* none : {"none", "None", "nOnE", "NONE", "", "HS256", "es256", "ES256 "}) {
    const std::string header = std::string(R"({"alg":")") + none + R"(","kid":"one"})";
    CHECK(code(token(header, "x")) == "jose.alg");
    CHECK(code(base64url(as_bytes(header)) + ".eA.") == "jose.alg");
  }
  CHECK(code(token(R"({"kid":"one"})", "x")) == "jose.alg");
  CHECK(code(token(R"({"alg":null,"kid":"one"})", "x")) == "jose.header");
  const std::string pem = p256().public_key().pem();
  const std::string start = base64url(as_bytes(R"({"alg":"HS256","kid":"one"})")) + ".eA";
  CHECK(code(start + "." + base64url(hmac_sha256(as_bytes(pem), as_bytes(start)))) == "jose.alg");
}

TEST_CASE("a key is pinned to one algorithm, even where the caller allows several") {
  const KeySet keys = set_of("r", SignatureAlg::PS256, rsa().public_key());
  const JwsExpect both{.algs = {SignatureAlg::PS256, SignatureAlg::RS256}};
  CHECK(code(token(R"({"alg":"PS256","kid":"r"})", "x", SignatureAlg::PS256, rsa()), keys, both) ==
        "accepted");
  CHECK(code(token(R"({"alg":"RS256","kid":"r"})", "x", SignatureAlg::RS256, rsa()), keys, both) ==
        "jose.alg");
  CHECK(code(token(R"({"alg":"PS256","kid":"r"})", "x", SignatureAlg::RS256, rsa()), keys, both) ==
        "jose.signature");
}

TEST_CASE("keys and extensions that a token brings along are refused") {
  Json header = Json::object({{"alg", "ES256"}});
  header.set("jwk", p256().public_key().jwk());
  CHECK(code(token(header.dump(), "x")) == "jose.header");
  for (const char* member :
       {R"("jku":"https://evil.example/keys")", R"("x5u":"https://evil.example")", R"("x5c":["AA"])",
        R"("crit":["exp"])", R"("crit":[])", R"("b64":false)", R"("zip":"DEF")", R"("enc":"A256GCM")"})
    CHECK(code(token(std::string(R"({"alg":"ES256","kid":"one",)") + member + "}", "x")) == "jose.header");
}

TEST_CASE("a kid is a name and nothing else") {
  for (const char* kid : {"../../../dev/null", "' OR 1=1 --", "https://evil.example/k", "One", "one ", ""})
    CHECK(code(token(Json::object({{"alg", "ES256"}, {"kid", kid}}).dump(), "x")) == "jose.key");
  CHECK(code(token(R"({"alg":"ES256","kid":7})", "x")) == "jose.header");
  CHECK(code(token(Json::object({{"alg", "ES256"}, {"kid", std::string(300, 'k')}}).dump(), "x")) ==
        "jose.header");
  CHECK(code(token(R"({"alg":"ES256"})", "x")) == "accepted");  // one key only: no doubt which
  CHECK(code(token(R"({"alg":"ES256"})", "x"), es256(),
             {.algs = {SignatureAlg::ES256}, .kid_required = true}) == "jose.header");
  const KeySet two = KeySet::from_keys({{"one", SignatureAlg::ES256, p256().public_key()},
                                        {"r", SignatureAlg::PS256, rsa().public_key()}})
                         .value();
  CHECK(code(token(R"({"alg":"ES256"})", "x"), two) == "jose.key");
}

TEST_CASE("doubled members, junk in base64url and extra parts are refused") {
  CHECK(code(token(R"({"alg":"none","alg":"ES256","kid":"one"})", "x")) == "jose.shape");
  CHECK(code(token(R"([])", "x")) == "jose.shape");
  const std::string good = token(R"({"alg":"ES256","kid":"one"})", "tide");
  CHECK(code(good) == "accepted");
  for (const std::string& bad :
       {good + ".", "." + good, good + "=", good + "\n", " " + good, good.substr(0, good.rfind('.')),
        good.substr(0, good.rfind('.') + 1), std::string(), std::string("..")})
    CHECK(code(bad) != "accepted");
  std::string slack = token(R"({"alg":"ES256","kid":"one"})", "a");  // "YQ": its last bits must be zero
  slack.replace(slack.find(".YQ."), 4, ".YR.");
  CHECK(code(slack) == "jose.shape");
}

TEST_CASE("ECDSA signatures in DER, doubled in length or of zeros are refused") {
  const std::string start = base64url(as_bytes(R"({"alg":"ES256","kid":"one"})")) + ".eA.";
  CHECK(code(start + base64url(Bytes(64, 0))) == "jose.signature");
  CHECK(code(start + base64url(Bytes(128, 0))) == "jose.signature");
  CHECK(code(start + base64url(*from_hex("3006020101020101"))) == "jose.signature");
}

TEST_CASE("a token of another type is refused") {
  const std::string id_token = token(R"({"alg":"ES256","kid":"one","typ":"JWT"})", "{}");
  CHECK(code(id_token, es256(), {.algs = {SignatureAlg::ES256}, .typ = "entente-assertion+jwt"}) ==
        "jose.header");
  CHECK(code(id_token, es256(), {.algs = {SignatureAlg::ES256}, .typ = "application/jwt"}) == "accepted");
  CHECK(code(token(R"({"alg":"ES256","kid":"one"})", "{}"), es256(),
             {.algs = {SignatureAlg::ES256}, .typ = "JWT"}) == "jose.header");
}

TEST_CASE("a long token is refused before it is read") {
  CHECK(code(std::string(1 << 20, 'A')) == "jose.shape");
  CHECK(code(std::string(30000, 'A') + "..") == "jose.shape");
}

TEST_CASE("key sets refuse what is ambiguous, secret or weak, and pass over what is for others") {
  const auto set = [](std::vector<Json> keys) {
    return KeySet::from_json(Json::object({{"keys", Json(Json::Array(std::move(keys)))}}));
  };
  Json a = p256().public_key().jwk();
  a.set("kid", "a");
  Json r = rsa().public_key().jwk();
  r.set("kid", "a");
  CHECK(set({a, r}).error().code() == "jose.keys");
  r.set("use", "enc");
  CHECK(set({a, r}).error().code() == "jose.keys");  // still two keys by one name
  r.set("kid", "b");
  CHECK(set({a, r})->keys().size() == 1);
  CHECK(set({a, Json::object({{"kty", "oct"}, {"k", "AAAA"}, {"kid", "c"}})}).error().code() == "jose.keys");
  CHECK(set({a, Json::object({{"kty", "OKP"}, {"crv", "X25519"}, {"x", "AAAA"}, {"kid", "c"}})})
            ->keys()
            .size() == 1);
  Json weak = rsa().public_key().jwk();
  weak.set("e", "AQ");
  CHECK(set({a, weak}).error().code() == "crypto.key_weak");
  CHECK(KeySet::parse(R"({"keys":[],"keys":[]})").has_value() == false);
  CHECK(set(std::vector<Json>(65, a)).error().code() == "jose.keys");
  const KeySet round = *KeySet::from_json(es256().json());
  CHECK(round.find("one")->key == p256().public_key());
  CHECK(round.find("") == nullptr);
}

TEST_CASE("an RSA key without \"alg\" is used with its issuer's, where that is one of RSA's") {
  const Json jwk = PrivateKey::generate(KeyKind::rsa, 2048).public_key().jwk();
  for (const auto& [issuers, used] : {std::pair{SignatureAlg::RS256, SignatureAlg::RS256},
                                      {SignatureAlg::PS384, SignatureAlg::PS384},
                                      {SignatureAlg::ES256, SignatureAlg::PS256},
                                      {SignatureAlg::EdDSA, SignatureAlg::PS256}}) {
    const auto keys = KeySet::from_json(jwk, issuers);
    REQUIRE(keys);
    CHECK(keys->keys().at(0).alg == used);
  }
}

TEST_CASE("claims are checked: issuer, audience, times") {
  CHECK(jwt_code(good_claims()) == "accepted");
  CHECK(jwt_code(with("iss", "https://idp.xbb.example/")) == "jwt.iss");
  CHECK(jwt_code(with("iss", Json::array({"https://idp.xbb.example"}))) == "jwt.iss");
  CHECK(jwt_code(with("aud", "https://node.xaa.example")) == "jwt.aud");
  CHECK(jwt_code(with("aud", Json::array({"https://node.xbb.example"}))) == "accepted");
  CHECK(jwt_code(with("aud", Json::array({"https://node.xbb.example", "other"}))) == "jwt.aud");
  CHECK(jwt_code(with("aud", Json::array())) == "jwt.aud");
  CHECK(jwt_code(with("aud", 7)) == "jwt.aud");
  CHECK(jwt_code(with("exp", kNow - 59)) == "accepted");
  CHECK(jwt_code(with("exp", kNow - 60)) == "jwt.exp");
  CHECK(jwt_code(with("nbf", kNow + 60)) == "accepted");
  CHECK(jwt_code(with("nbf", kNow + 61)) == "jwt.nbf");
  CHECK(jwt_code(with("iat", kNow + 61)) == "jwt.iat");
}

TEST_CASE("times that are not whole seconds are refused") {
  for (const char* claim : {"exp", "iat", "nbf"}) {
    const std::string wrong = std::string("jwt.") + claim;
    CHECK(jwt_code(with(claim, "1800000300")) == wrong);
    CHECK(jwt_code(with(claim, 1800000300.5)) == wrong);
    CHECK(jwt_code(with(claim, -1)) == wrong);
    CHECK(jwt_code(with(claim, int64_t{9223372036854775807})) == wrong);
    CHECK(jwt_code(with(claim, nullptr)) == wrong);
  }
  Json claims = good_claims();
  claims.members().pop_back();
  CHECK(jwt_code(claims) == "jwt.exp");
}

TEST_CASE("age and length of life have limits where the caller sets them") {
  JwtExpect expect = jwt_expect();
  expect.lifetime_max = Seconds(120);
  CHECK(jwt_code(good_claims(), expect) == "jwt.exp");
  CHECK(jwt_code(with("exp", kNow + 110), expect) == "accepted");
  expect = jwt_expect();
  expect.age_max = Seconds(60);
  CHECK(jwt_code(with("iat", kNow - 120), expect) == "accepted");
  CHECK(jwt_code(with("iat", kNow - 121), expect) == "jwt.iat");
}

TEST_CASE("claims with doubled members or of no object are refused") {
  const auto jwt = [](std::string_view claims) {
    const auto result = verify_jwt(token(R"({"alg":"ES256","kid":"one"})", claims), es256(), jwt_expect());
    return result ? std::string("accepted") : result.error().code();
  };
  CHECK(jwt(R"({"iss":"https://evil.example","iss":"https://idp.xbb.example"})") == "jwt.claims");
  CHECK(jwt("[]") == "jwt.claims");
  CHECK(jwt(token(R"({"alg":"ES256"})", "{}")) == "jwt.claims");  // nested
}

TEST_CASE("attack: a token that is remembered passes for no other key, text, time, algorithm or use") {
  JwtExpect again = jwt_expect();
  again.comes_again = true;
  const auto seen = [](const std::string& text, const KeySet& keys, const JwtExpect& expect) {
    const auto result = verify_jwt(text, keys, expect);
    return result ? std::string("accepted") : result.error().code();
  };
  const std::string claims = good_claims().dump();
  const std::string made = token(R"({"alg":"ES256","kid":"one"})", claims);
  REQUIRE(seen(made, es256(), again) == "accepted");
  REQUIRE(seen(made, es256(), again) == "accepted");
  const Jwt known = verify_jwt(made, es256(), again).value();
  CHECK(known.claims().dump() == claims);
  CHECK(known.digest == sha256(made));
  CHECK(known.end == verify_jwt(made, es256(), jwt_expect()).value().end);
  // The issuer's key was replaced, under its old name.
  const PrivateKey fresh = PrivateKey::generate(KeyKind::p256);
  CHECK(seen(made, set_of("one", SignatureAlg::ES256, fresh.public_key()), again) == "jose.signature");
  CHECK(seen(made, set_of("two", SignatureAlg::ES256, p256().public_key()), again) == "jose.key");
  CHECK(seen(made, es256(), again) == "accepted");
  for (size_t at = made.find('.') + 1; at < made.size(); at += 7) {
    std::string bad = made;
    bad[at] = bad[at] == 'A' ? 'B' : 'A';
    CHECK_MESSAGE(seen(bad, es256(), again) != "accepted", bad);
  }
  JwtExpect other = again;
  other.jws.typ = "at+jwt";
  CHECK(seen(made, es256(), other) == "jose.header");
  other = again;
  other.jws.kid_required = true;
  const std::string nameless = token(R"({"alg":"ES256"})", claims);
  REQUIRE(seen(nameless, es256(), again) == "accepted");
  CHECK(seen(nameless, es256(), other) == "jose.header");
  other = again;
  other.jws.bytes_max = made.size() - 1;
  CHECK(seen(made, es256(), other) == "jose.shape");
  other = again;
  other.jws.algs = {SignatureAlg::PS256, SignatureAlg::RS256};
  CHECK(seen(made, es256(), other) == "jose.alg");
  const std::string by_rsa = token(R"({"alg":"PS256","kid":"one"})", claims, SignatureAlg::PS256, rsa());
  REQUIRE(seen(by_rsa, set_of("one", SignatureAlg::PS256, rsa().public_key()), other) == "accepted");
  CHECK(seen(by_rsa, set_of("one", SignatureAlg::RS256, rsa().public_key()), other) == "jose.alg");
  other = again;
  other.now += std::chrono::hours(1);
  CHECK(seen(made, es256(), other) == "jwt.exp");
  other = again;
  other.audience = "https://node.xaa.example";
  CHECK(seen(made, es256(), other) == "jwt.aud");
  other = again;
  other.issuer = "https://idp.xcc.example";
  CHECK(seen(made, es256(), other) == "jwt.iss");
}

TEST_CASE("attack: a signature that did not hold is not remembered") {
  JwtExpect again = jwt_expect();
  again.comes_again = true;
  const PrivateKey other = PrivateKey::generate(KeyKind::p256);
  const std::string forged =
      token(R"({"alg":"ES256","kid":"one"})", good_claims().dump(), SignatureAlg::ES256, other);
  for (int i = 0; i < 2; ++i) CHECK(verify_jwt(forged, es256(), again).error().code() == "jose.signature");
}
