// Project Wycheproof's vectors for what sealed objects stand on, when $ENTENTE_CONFORMANCE (or
// ../shared/conformance) has them. Vectors for what our calls do not offer (other key or nonce lengths, OAEP
// labels) are counted, not run.
#include "crypto/aead.h"
#include "crypto/wrap.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::crypto;

namespace {

Bytes hex_member(const Json& json, std::string_view name) {
  return from_hex(json.text_or(name, "")).value();
}

// Runs a file's tests; `each` says nothing when a vector does not fit our calls.
void run_vectors(const std::string& file,
                 const std::function<std::optional<bool>(const Json& group, const Json& test)>& each) {
  const char* place = std::getenv("ENTENTE_CONFORMANCE");
  const std::filesystem::path path =
      std::filesystem::path(place == nullptr ? "../shared/conformance" : place) / "data/wycheproof" / file;
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    MESSAGE("skipped: ", file, " is not at hand (set ENTENTE_CONFORMANCE)");
    return;
  }
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const Json json = Json::parse(text, {.bytes_max = 64 << 20, .depth_max = 32}).value();
  size_t run = 0;
  size_t all = 0;
  const Json groups = *json.find("testGroups");
  for (const Json& group : groups.items()) {
    const Json tests = *group.find("tests");
    for (const Json& test : tests.items()) {
      ++all;
      const std::optional<bool> accepted = each(group, test);
      if (!accepted) continue;
      ++run;
      INFO(file << " " << test.find("tcId")->integer() << " " << test.text_or("comment", ""));
      const std::string_view expected = test.text_or("result", "");
      if (expected != "acceptable") CHECK(*accepted == (expected == "valid"));
    }
  }
  MESSAGE(file << ": " << run << " of " << all << " vectors fit our calls and were run");
  CHECK(run > 0);
}

// The DER of an ECPrivateKey (RFC 5915) without its public point, which OpenSSL then computes.
std::optional<PrivateKey> ec_key(std::string_view curve, Bytes scalar) {
  const bool p256 = curve == "secp256r1";
  const size_t length = p256 ? 32 : 48;
  while (scalar.size() > length && scalar.front() == 0) scalar.erase(scalar.begin());
  while (scalar.size() < length) scalar.insert(scalar.begin(), 0);
  if (scalar.size() != length) return std::nullopt;
  const Bytes name = p256 ? from_hex("06082a8648ce3d030107").value() : from_hex("06052b81040022").value();
  Bytes inner{2, 1, 1, 4, static_cast<uint8_t>(length)};
  inner.insert(inner.end(), scalar.begin(), scalar.end());
  inner.push_back(0xa0);
  inner.push_back(static_cast<uint8_t>(name.size()));
  inner.insert(inner.end(), name.begin(), name.end());
  Bytes der{0x30, static_cast<uint8_t>(inner.size())};
  der.insert(der.end(), inner.begin(), inner.end());
  auto key = PrivateKey::from_pem("-----BEGIN EC PRIVATE KEY-----\n" + base64(der) +
                                  "\n-----END EC PRIVATE KEY-----\n");
  if (!key) return std::nullopt;
  return *std::move(key);
}

std::optional<bool> ecdh_vector(const Json& group, const Json& test) {
  const auto mine = ec_key(group.text_or("curve", ""), hex_member(test, "private"));
  if (!mine) return std::nullopt;
  const auto theirs = PublicKey::from_spki(hex_member(test, "public"));
  if (!theirs) return false;
  const auto shared = agree(*mine, *theirs);
  if (!shared) return false;
  // Whatever is accepted must give the right secret.
  CHECK(equal_constant_time(shared->bytes(), hex_member(test, "shared")));
  return true;
}

}  // namespace

TEST_CASE("Wycheproof: AES-256-GCM") {
  run_vectors("aes_gcm_test.json", [](const Json& group, const Json& test) -> std::optional<bool> {
    if (group.find("keySize")->integer() != 256 || group.find("ivSize")->integer() != 96) return std::nullopt;
    const Bytes key = hex_member(test, "key");
    const Bytes nonce = hex_member(test, "iv");
    const Bytes plain = hex_member(test, "msg");
    const Bytes bound = hex_member(test, "aad");
    Bytes sealed = nonce;
    for (const std::string_view part : {"ct", "tag"}) {
      const Bytes bytes = hex_member(test, part);
      sealed.insert(sealed.end(), bytes.begin(), bytes.end());
    }
    const Aead aead(key);
    Bytes out(plain.size());
    const bool opened = aead.open(sealed, out, bound);
    if (opened) {
      Bytes again(sealed.size());
      aead.seal(nonce, plain, again, bound);
      CHECK(again == sealed);
    }
    return opened && out == plain;
  });
}

TEST_CASE("Wycheproof: RSA-OAEP") {
  for (const Oaep hash : {Oaep::sha1, Oaep::sha256}) {
    const std::string name = hash == Oaep::sha1 ? "sha1" : "sha256";
    run_vectors("rsa_oaep_2048_" + name + "_mgf1" + name + "_test.json",
                [&](const Json& group, const Json& test) -> std::optional<bool> {
                  if (!test.text_or("label", "").empty()) return std::nullopt;
                  const auto key = PrivateKey::from_pem(group.text_or("privateKeyPem", ""));
                  if (!key) return std::nullopt;
                  const auto plain = oaep_decrypt(*key, hash, hex_member(test, "ct"));
                  return plain && equal_constant_time(plain->bytes(), hex_member(test, "msg"));
                });
  }
}

TEST_CASE("Wycheproof: ECDH over P-256 and P-384") {
  run_vectors("ecdh_secp256r1_test.json", ecdh_vector);
  run_vectors("ecdh_secp384r1_test.json", ecdh_vector);
}

TEST_CASE("Wycheproof: HKDF-SHA-256") {
  run_vectors("hkdf_sha256_test.json", [](const Json&, const Json& test) -> std::optional<bool> {
    const auto size = static_cast<size_t>(test.find("size")->integer());
    if (size > 255 * sizeof(Digest)) return std::nullopt;  // ends the process: lengths are ours to choose
    const Secret out =
        hkdf_sha256(hex_member(test, "ikm"), hex_member(test, "salt"), hex_member(test, "info"), size);
    return equal_constant_time(out.bytes(), hex_member(test, "okm"));
  });
}

TEST_CASE("Wycheproof: HMAC-SHA-256") {
  run_vectors("hmac_sha256_test.json", [](const Json&, const Json& test) -> std::optional<bool> {
    const Bytes tag = hex_member(test, "tag");
    const Digest mac = hmac_sha256(hex_member(test, "key"), hex_member(test, "msg"));
    return equal_constant_time(ByteView(mac).first(std::min(tag.size(), mac.size())), tag);
  });
}
