// Project Wycheproof's vectors for signatures, when $ENTENTE_CONFORMANCE (or ../shared/conformance) has them.
// Hashes, salts, curves and key sizes that no algorithm of ours has are counted, not run.
#include "crypto/key.h"
#include "crypto/wycheproof_for_test.h"

using namespace entente;
using namespace entente::crypto;

namespace {

// The algorithm of that hash: `prefix` is "RS" or "PS".
std::optional<SignatureAlg> rsa_alg(std::string_view prefix, std::string_view hash) {
  if (!hash.starts_with("SHA-")) return std::nullopt;
  const auto alg = signature_alg(std::string(prefix) + std::string(hash.substr(4)));
  return alg ? std::optional(*alg) : std::nullopt;
}

std::optional<SignatureAlg> ecdsa_alg(std::string_view curve, std::string_view hash) {
  if (curve == "secp256r1" && hash == "SHA-256") return SignatureAlg::ES256;
  if (curve == "secp384r1" && hash == "SHA-384") return SignatureAlg::ES384;
  if (curve == "secp521r1" && hash == "SHA-512") return SignatureAlg::ES512;
  return std::nullopt;
}

// A group's member, by its name in today's schema or in the one before; null when it has neither.
const Json& member(const Json& group, std::string_view now, std::string_view before) {
  static const Json none;
  const Json* found = group.find(now) != nullptr ? group.find(now) : group.find(before);
  return found == nullptr ? none : *found;
}

std::string_view text_of(const Json& json) {
  return json.is_string() ? std::string_view(json.string()) : std::string_view();
}

// Verifies with the group's key in each form that it is given in; the forms are one key.
std::optional<bool> verified(SignatureAlg alg, const Json& group, const Json& test) {
  const std::string_view der = text_of(member(group, "publicKeyDer", "keyDer"));
  if (der.empty()) return std::nullopt;
  const auto key = PublicKey::from_spki(bytes_of_hex(der));
  if (!key && key.error().code() == "crypto.key_weak") return std::nullopt;
  REQUIRE_MESSAGE(key.has_value(), key.error().text());
  if (!fits(alg, key->kind())) return std::nullopt;
  const auto same = PublicKey::from_pem(text_of(member(group, "publicKeyPem", "keyPem")));
  CHECK((same.has_value() && *same == *key));
  const Json& jwk = member(group, "publicKeyJwk", "jwk");
  if (jwk.is_object() && jwk.find("d") == nullptr) {
    const auto third = PublicKey::from_jwk(jwk);
    CHECK_MESSAGE((third.has_value() && *third == *key), (third ? "another key" : third.error().text()));
  }
  return key->verify(alg, hex_member(test, "msg"), hex_member(test, "sig"));
}

std::optional<bool> ecdsa_vector(const Json& group, const Json& test) {
  const auto alg =
      ecdsa_alg(member(group, "publicKey", "key").text_or("curve", ""), group.text_or("sha", ""));
  if (!alg) return std::nullopt;
  return verified(*alg, group, test);
}

std::optional<bool> eddsa_vector(const Json& group, const Json& test) {
  if (member(group, "publicKey", "key").text_or("curve", "") != "edwards25519") return std::nullopt;
  return verified(SignatureAlg::EdDSA, group, test);
}

std::optional<bool> pkcs1_vector(const Json& group, const Json& test) {
  const auto alg = rsa_alg("RS", group.text_or("sha", ""));
  if (!alg) return std::nullopt;
  return verified(*alg, group, test);
}

std::optional<bool> pss_vector(const Json& group, const Json& test) {
  const std::string_view hash = group.text_or("sha", "");
  const auto alg = rsa_alg("PS", hash);
  // RFC 7518 section 3.5: the same hash for MGF1, and a salt as long as it.
  const int64_t salt = hash == "SHA-256" ? 32 : hash == "SHA-384" ? 48 : 64;
  if (!alg || group.text_or("mgf", "") != "MGF1" || group.text_or("mgfSha", "") != hash ||
      int_member(group, "sLen") != salt)
    return std::nullopt;
  return verified(*alg, group, test);
}

std::optional<bool> pkcs1_made(const Json& group, const Json& test) {
  const auto alg = rsa_alg("RS", group.text_or("sha", ""));
  if (!alg) return std::nullopt;
  const auto key = PrivateKey::from_pem(group.text_or("privateKeyPem", ""));
  if (!key && key.error().code() == "crypto.key_weak") return std::nullopt;
  REQUIRE_MESSAGE(key.has_value(), key.error().text());
  const auto made = key->sign(*alg, hex_member(test, "msg"));
  return made.has_value() && *made == hex_member(test, "sig");
}

}  // namespace

TEST_CASE("Wycheproof: ECDSA, as r and s") {
  run_wycheproof({"EcdsaP1363Verify"}, ecdsa_vector);
}

TEST_CASE("Wycheproof: Ed25519") {
  run_wycheproof({"EddsaVerify"}, eddsa_vector);
}

TEST_CASE("Wycheproof: RSA signatures, PKCS #1 1.5 and PSS") {
  run_wycheproof({"RsassaPkcs1Verify"}, pkcs1_vector);
  run_wycheproof({"RsassaPkcs1Generate"}, pkcs1_made);
  run_wycheproof({"RsassaPssVerify"}, pss_vector);
}
