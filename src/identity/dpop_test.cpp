#include "identity/dpop.h"

#include "base/json.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::identity;

namespace {

const Instant kAt = from_unix_seconds(1'800'000'000);
constexpr std::string_view kOrigin = "https://kas.xaa.localhost:8441";
constexpr std::string_view kToken = "header.claims.signature";

const crypto::PrivateKey& client_key() {
  static const crypto::PrivateKey key = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  return key;
}

Json good_header() {
  return Json::object({{"typ", "dpop+jwt"}, {"alg", "ES256"}, {"jwk", client_key().public_key().jwk()}});
}
Json good_claims() {
  return Json::object({{"jti", "one"},
                       {"htm", "POST"},
                       {"htu", std::string(kOrigin) + "/v2/rewrap"},
                       {"iat", unix_seconds(kAt)},
                       {"ath", base64url(crypto::sha256(kToken))}});
}

std::string proof_of(const Json& header, const Json& claims, const crypto::PrivateKey& key = client_key()) {
  const std::string covered = base64url(as_bytes(header.dump())) + "." + base64url(as_bytes(claims.dump()));
  return covered + "." + base64url(key.sign(crypto::SignatureAlg::ES256, as_bytes(covered)).value());
}

DpopExpect expected() {
  DpopExpect out;
  out.method = "POST";
  out.origin = kOrigin;
  out.path = "/v2/rewrap";
  out.access_token = crypto::sha256(kToken);
  out.now = kAt;
  return out;
}

std::string fault(const Json& header, const Json& claims, const DpopExpect& expect = expected()) {
  const auto read = check_dpop(proof_of(header, claims), expect);
  return read ? "" : read.error().code();
}

}  // namespace

TEST_CASE("a proof of this key for this request is taken, and says which key") {
  const auto proof = check_dpop(proof_of(good_header(), good_claims()), expected());
  REQUIRE_MESSAGE(proof, proof.error().text());
  CHECK(proof->thumbprint == client_key().public_key().thumbprint());
  CHECK(proof->id == "one");
  CHECK(fault(good_header(), good_claims().set("htu", std::string(kOrigin) + "/v2/rewrap?x=1#y")).empty());
}

TEST_CASE("the scheme's own port may be left out of a proof's address, or stand there") {
  DpopExpect plain = expected();
  plain.origin = "https://kas.xaa.localhost";
  DpopExpect spelt = expected();
  spelt.origin = "https://kas.xaa.localhost:443";
  for (const DpopExpect& one : {plain, spelt}) {
    CHECK(fault(good_header(), good_claims().set("htu", "https://kas.xaa.localhost/v2/rewrap"), one) == "");
    CHECK(fault(good_header(), good_claims().set("htu", "https://kas.xaa.localhost:443/v2/rewrap"), one) ==
          "");
    CHECK(fault(good_header(), good_claims().set("htu", "https://kas.xaa.localhost:8443/v2/rewrap"), one) ==
          "dpop.request");
    CHECK(fault(good_header(), good_claims().set("htu", "https://kas.xaa.localhost/v2/rewrap:443"), one) ==
          "dpop.request");
  }
}

TEST_CASE("attack: a proof for another request, time or token") {
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, Json>>{
           {"htm", "GET"},
           {"htu", std::string(kOrigin) + "/v2/rewrap/"},
           {"htu", "https://kas.xbb.localhost:8442/v2/rewrap"},
           {"htu", "/v2/rewrap"},
           {"iat", unix_seconds(kAt) + 61},
           {"iat", unix_seconds(kAt) - 120},
           {"ath", base64url(crypto::sha256("another"))}}) {
    CHECK_MESSAGE(fault(good_header(), good_claims().set(name, value)) == "dpop.request", name, value.dump());
  }
  Json without = good_claims();
  std::erase_if(without.members(), [](const Json::Member& member) { return member.first == "ath"; });
  CHECK(fault(good_header(), without) == "dpop.request");
  CHECK(fault(good_header(), good_claims().set("iat", unix_seconds(kAt) - 119)).empty());
}

TEST_CASE("attack: a proof that is none") {
  for (const auto& [name, value] :
       std::initializer_list<std::pair<const char*, Json>>{{"typ", "JWT"},
                                                           {"alg", "none"},
                                                           {"alg", "HS256"},
                                                           {"alg", "RS256"},
                                                           {"jwk", nullptr},
                                                           {"crit", Json::array({"b64"})},
                                                           {"jku", "https://evil.example/keys"}}) {
    CHECK_MESSAGE(fault(good_header().set(name, value), good_claims()) == "dpop.proof", name);
  }
  for (const auto& [name, value] :
       std::initializer_list<std::pair<const char*, Json>>{{"jti", ""},
                                                           {"jti", std::string(200, 'x')},
                                                           {"jti", 7},
                                                           {"iat", "now"},
                                                           {"iat", -1},
                                                           {"nonce", 7}}) {
    CHECK_MESSAGE(fault(good_header(), good_claims().set(name, value)) == "dpop.proof", name);
  }
  // Another key signs; the private half travels along; a part changed; parts too few or too many.
  const auto other = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  CHECK(check_dpop(proof_of(good_header(), good_claims(), other), expected()).error().code() == "dpop.proof");
  Json with_private = client_key().public_key().jwk();
  with_private.set("d", "AAAA");
  CHECK(fault(good_header().set("jwk", with_private), good_claims()) == "dpop.proof");
  const std::string good = proof_of(good_header(), good_claims());
  for (size_t i = 0; i < good.size(); i += 7) {
    std::string bent = good;
    bent[i] = bent[i] == 'A' ? 'B' : 'A';
    CHECK_FALSE_MESSAGE(check_dpop(bent, expected()).has_value(), i);
  }
  CHECK_FALSE(check_dpop(good + ".x", expected()).has_value());
  CHECK_FALSE(check_dpop("", expected()).has_value());
  CHECK_FALSE(check_dpop(std::string(9000, 'a'), expected()).has_value());
}

TEST_CASE("attack: a header that came before speaks for what another key signed, or for another key") {
  const crypto::PrivateKey other = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  for (int i = 0; i < 2; ++i) {
    CHECK(check_dpop(proof_of(good_header(), good_claims()), expected()).has_value());
    CHECK(check_dpop(proof_of(good_header(), good_claims(), other), expected()).error().code() ==
          "dpop.proof");
  }
  const auto theirs = check_dpop(
      proof_of(good_header().set("jwk", other.public_key().jwk()), good_claims(), other), expected());
  REQUIRE(theirs);
  CHECK(theirs->thumbprint == other.public_key().thumbprint());
  // What was refused is refused again.
  for (int i = 0; i < 2; ++i) CHECK(fault(good_header().set("typ", "JWT"), good_claims()) == "dpop.proof");
}

TEST_CASE("what some clients leave out is let through only where that was said") {
  DpopExpect lenient = expected();
  Json path_only = good_claims().set("htu", "/v2/rewrap");
  CHECK(fault(good_header(), path_only, lenient) == "dpop.request");
  lenient.lenient.path_only = true;
  CHECK(fault(good_header(), path_only, lenient).empty());
  CHECK(fault(good_header(), good_claims().set("htu", "/other"), lenient) == "dpop.request");
  Json no_hash = good_claims();
  std::erase_if(no_hash.members(), [](const Json::Member& member) { return member.first == "ath"; });
  lenient.lenient.no_token_hash = true;
  CHECK(fault(good_header(), no_hash, lenient).empty());
  CHECK(fault(good_header(), good_claims().set("ath", "wrong"), lenient) == "dpop.request");
}

TEST_CASE("attack: a proof is used twice, or by the million") {
  DpopReplays replays(3);
  const Instant end = kAt + kDpopAge + kDpopSkew;  // it could pass until then
  DpopProof proof{.key = client_key().public_key(), .thumbprint = "a", .id = "1", .nonce = {}, .issued = kAt};
  CHECK(replays.use(proof, "ana", kAt));
  CHECK(replays.use(proof, "ana", kAt).error().code() == "dpop.replayed");
  CHECK(replays.use(proof, "ana", end - Millis(1)).error().code() == "dpop.replayed");
  proof.thumbprint = "b";  // the same number of somebody else's is another proof
  CHECK(replays.use(proof, "ben", kAt));
  proof.id = "2";
  CHECK(replays.use(proof, "ben", kAt));
  proof.id = "3";
  CHECK(replays.use(proof, "ben", kAt).error().code() ==
        "dpop.replayed");  // full: nothing is forgotten early
  CHECK(replays.use(proof, "ben", end));
  CHECK(replays.size() == 1);
}

TEST_CASE(
    "a proof of a clock that is ahead is remembered for as long, and keeps no other from being forgotten") {
  DpopReplays replays(2);
  DpopProof ahead{
      .key = client_key().public_key(), .thumbprint = "a", .id = "1", .nonce = {}, .issued = kAt + kDpopSkew};
  CHECK(replays.use(ahead, "ana", kAt));
  DpopProof proof = ahead;
  proof.id = "2";
  proof.issued = kAt;
  CHECK(replays.use(proof, "ana", kAt));
  proof.id = "3";
  proof.issued = kAt + kDpopAge + kDpopSkew;
  CHECK(replays.use(proof, "ana", proof.issued));  // the second one is over
  CHECK(replays.use(ahead, "ana", proof.issued).error().code() == "dpop.replayed");
}

TEST_CASE("attack: one person's proofs leave room for everybody else's") {
  DpopReplays replays(10, 4);
  DpopProof proof{.key = client_key().public_key(), .thumbprint = "a", .id = {}, .nonce = {}, .issued = kAt};
  for (int i = 0; i < 4; ++i) {
    proof.id = std::to_string(i);
    CHECK(replays.use(proof, "ana", kAt));
  }
  proof.id = "one more";
  CHECK(replays.use(proof, "ana", kAt).error().code() == "dpop.replayed");
  CHECK(replays.use(proof, "ben", kAt));
  CHECK(replays.use(proof, "ana", kAt + kDpopAge + kDpopSkew));  // what was used is over by now
}

TEST_CASE("nonces are known again for two periods, and nobody else's are") {
  const DpopNonces ours(crypto::Secret::random(32));
  const DpopNonces others(crypto::Secret::random(32));
  const std::string nonce = ours.current(kAt);
  CHECK(ours.is_ours(nonce, kAt));
  CHECK(ours.is_ours(nonce, kAt + DpopNonces::kPeriod));
  CHECK_FALSE(ours.is_ours(nonce, kAt + 2 * DpopNonces::kPeriod));
  CHECK_FALSE(ours.is_ours(nonce, kAt - DpopNonces::kPeriod));
  CHECK_FALSE(others.is_ours(nonce, kAt));
  CHECK_FALSE(ours.is_ours("", kAt));
}
