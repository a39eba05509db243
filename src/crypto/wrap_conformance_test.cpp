// Project Wycheproof's vectors for what sealed objects stand on, when $ENTENTE_CONFORMANCE (or
// ../shared/conformance) has them. Vectors for what our calls do not offer (other key or nonce lengths, OAEP
// labels, other curves and hashes) are counted, not run.
#include "crypto/aead.h"
#include "crypto/wrap.h"
#include "crypto/wycheproof_for_test.h"

using namespace entente;
using namespace entente::crypto;

namespace {

struct Curve {
  std::string_view name;
  std::string_view jwk_name;
  size_t bytes;          // of a coordinate
  std::string_view oid;  // DER, hex
};
constexpr Curve kCurves[] = {{"secp256r1", "P-256", 32, "06082a8648ce3d030107"},
                             {"secp384r1", "P-384", 48, "06052b81040022"},
                             {"secp521r1", "P-521", 66, "06052b81040023"}};

const Curve* curve_of(const Json& group) {
  const std::string_view name = group.text_or("curve", "");
  for (const Curve& curve : kCurves)
    if (curve.name == name || curve.jwk_name == name) return &curve;
  return nullptr;
}

Bytes der(uint8_t type, const Bytes& inner) {
  Bytes out{type};
  if (inner.size() > 127) out.push_back(0x81);
  out.push_back(static_cast<uint8_t>(inner.size()));
  out.insert(out.end(), inner.begin(), inner.end());
  return out;
}
Bytes joined(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

// An ECPrivateKey (RFC 5915) without its public point, which OpenSSL then computes.
Result<PrivateKey> ec_key(const Curve& curve, Bytes scalar) {
  while (scalar.size() > curve.bytes && scalar.front() == 0) scalar.erase(scalar.begin());
  while (scalar.size() < curve.bytes) scalar.insert(scalar.begin(), 0);
  const Bytes name = der(0xa0, from_hex(curve.oid).value());
  const Bytes key = der(0x30, joined(joined(Bytes{2, 1, 1}, der(4, scalar)), name));
  return PrivateKey::from_pem("-----BEGIN EC PRIVATE KEY-----\n" + base64(key) +
                              "\n-----END EC PRIVATE KEY-----\n");
}

// A SubjectPublicKeyInfo (RFC 5480) around a bare point.
Bytes spki_of(const Curve& curve, const Bytes& point) {
  const Bytes names = joined(from_hex("06072a8648ce3d0201").value(), from_hex(curve.oid).value());
  return der(0x30, joined(der(0x30, names), der(3, joined(Bytes{0}, point))));
}

std::optional<bool> ecdh_vector(const Json& group, const Json& test) {
  const Curve* curve = curve_of(group);
  const std::string_view form = group.text_or("encoding", "");
  if (test.find("public") == nullptr || test.find("private") == nullptr) return std::nullopt;
  const auto theirs = form == "pem"         ? PublicKey::from_pem(test.text_or("public", ""))
                      : form == "webcrypto" ? PublicKey::from_jwk(*test.find("public"))
                      : form == "ecpoint" && curve != nullptr
                          ? PublicKey::from_spki(spki_of(*curve, hex_member(test, "public")))
                          : PublicKey::from_spki(hex_member(test, "public"));
  if (curve == nullptr) return std::nullopt;
  const auto mine = form == "pem"         ? PrivateKey::from_pem(test.text_or("private", ""))
                    : form == "webcrypto" ? PrivateKey::from_jwk(*test.find("private"))
                                          : ec_key(*curve, hex_member(test, "private"));
  if (!theirs) return false;
  if (!mine) return false;
  const auto shared = agree(*mine, *theirs);
  if (!shared) return false;
  // Whatever is accepted must give the right secret.
  CHECK(equal_constant_time(shared->bytes(), hex_member(test, "shared")));
  return true;
}

std::optional<bool> aead_vector(const Json& group, const Json& test) {
  if (int_member(group, "keySize") != 256 || int_member(group, "ivSize") != 96 ||
      int_member(group, "tagSize") != 128)
    return std::nullopt;
  const Bytes key = hex_member(test, "key");
  const Bytes nonce = hex_member(test, "iv");
  const Bytes plain = hex_member(test, "msg");
  const Bytes bound = hex_member(test, "aad");
  const Bytes tag = hex_member(test, "tag");
  if (key.size() != 32 || nonce.size() != 12 || tag.size() != 16) return std::nullopt;
  const Bytes sealed = joined(joined(nonce, hex_member(test, "ct")), tag);
  const Aead aead(key);
  Bytes out(sealed.size() - kAeadFrameBytes);
  const bool opened = aead.open(sealed, out, bound);
  if (!opened) {
    CHECK(std::ranges::all_of(out, [](uint8_t byte) { return byte == 0; }));
    return false;
  }
  Bytes again(sealed.size());
  aead.seal(nonce, plain, again, bound);
  CHECK(again == sealed);
  return out == plain;
}

std::optional<bool> oaep_vector(const Json& group, const Json& test) {
  const std::string_view hash = group.text_or("sha", "");
  if (hash != group.text_or("mgfSha", "") || (hash != "SHA-1" && hash != "SHA-256")) return std::nullopt;
  const int64_t bits = std::max(int_member(group, "keySize"), int_member(group, "keysize"));
  if (bits < 2048 || !test.text_or("label", "").empty()) return std::nullopt;
  const auto key = PrivateKey::from_pem(group.text_or("privateKeyPem", ""));
  if (!key && key.error().code() == "crypto.key_weak") return std::nullopt;
  if (!key) return false;
  const auto plain = oaep_decrypt(*key, hash == "SHA-1" ? Oaep::sha1 : Oaep::sha256, hex_member(test, "ct"));
  return plain && equal_constant_time(plain->bytes(), hex_member(test, "msg"));
}

std::optional<bool> hkdf_vector(const Json& /*group*/, const Json& test) {
  const auto size = static_cast<size_t>(int_member(test, "size"));
  if (size > 255 * sizeof(Digest)) return std::nullopt;  // ends the process: lengths are ours to choose
  const Secret out =
      hkdf_sha256(hex_member(test, "ikm"), hex_member(test, "salt"), hex_member(test, "info"), size);
  return equal_constant_time(out.bytes(), hex_member(test, "okm"));
}

std::optional<bool> hmac_vector(const Json& group, const Json& test) {
  const Bytes tag = hex_member(test, "tag");
  const auto wanted = static_cast<size_t>(int_member(group, "tagSize")) / 8;
  const Digest mac = hmac_sha256(hex_member(test, "key"), hex_member(test, "msg"));
  return tag.size() == wanted && wanted <= mac.size() &&
         equal_constant_time(ByteView(mac).first(wanted), tag);
}

}  // namespace

TEST_CASE("Wycheproof: AES-256-GCM") {
  run_wycheproof({"AeadTest"}, aead_vector, "AES-GCM");
}

TEST_CASE("Wycheproof: RSA-OAEP") {
  run_wycheproof({"RsaesOaepDecrypt"}, oaep_vector);
}

TEST_CASE("Wycheproof: ECDH over P-256, P-384 and P-521, as DER, points, PEM and JWK") {
  run_wycheproof({"EcdhTest", "EcdhEcpointTest", "EcdhPemTest", "EcdhWebcryptoTest"}, ecdh_vector);
}

TEST_CASE("Wycheproof: HKDF-SHA-256") {
  run_wycheproof({"HkdfTest"}, hkdf_vector, "HKDF-SHA-256");
}

TEST_CASE("Wycheproof: HMAC-SHA-256") {
  run_wycheproof({"MacTest"}, hmac_vector, "HMACSHA256");
}

TEST_CASE("Wycheproof: files about what we do not offer are said") {
  static constexpr std::string_view kRead[] = {
      "AeadTest",          "EcdhTest",         "EcdhEcpointTest", "EcdhPemTest",      "EcdhWebcryptoTest",
      "EcdsaP1363Verify",  "EddsaVerify",      "HkdfTest",        "JsonWebCrypto",    "JsonWebEncryption",
      "JsonWebKey",        "JsonWebSignature", "MacTest",         "RsaesOaepDecrypt", "RsassaPkcs1Generate",
      "RsassaPkcs1Verify", "RsassaPssVerify"};
  static constexpr std::string_view kAlgorithms[] = {"AES-GCM", "HKDF-SHA-256", "HMACSHA256"};
  for (const WycheproofFile& file : wycheproof_files()) {
    const std::string_view algorithm = file.json.text_or("algorithm", "");
    for (const std::string& type : file.types) {
      const bool one_of_many = type == "AeadTest" || type == "HkdfTest" || type == "MacTest";
      if (std::ranges::find(kRead, type) == std::end(kRead) ||
          (one_of_many && std::ranges::find(kAlgorithms, algorithm) == std::end(kAlgorithms)))
        MESSAGE("not run: " << file.name << ": we have no call for " << algorithm << " (" << type << ")");
    }
  }
}
