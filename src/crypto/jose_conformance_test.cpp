// Public test vectors: Project Wycheproof's JWS and JWK sets and RFC 7520's examples. Skipped where they are
// not at hand.
#include "crypto/jose.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::crypto;

namespace {

// Vectors that contradict themselves or each other: a PS384 token called valid under a key pinned to PS256
// (346, 350; another group calls just that invalid), a key whose alg is the misspelt "ES521" (347, 351), good
// tokens called badly padded (367, 370), and '?' inside base64url called valid (372, 373).
constexpr std::array<int64_t, 8> kFaulty{346, 347, 350, 351, 367, 370, 372, 373};

const JwsExpect kEvery{.algs = {SignatureAlg::ES256, SignatureAlg::ES384, SignatureAlg::ES512,
                                SignatureAlg::PS256, SignatureAlg::PS384, SignatureAlg::PS512,
                                SignatureAlg::RS256, SignatureAlg::RS384, SignatureAlg::RS512,
                                SignatureAlg::EdDSA}};

std::optional<Json> vectors(const std::string& file) {
  const char* place = std::getenv("ENTENTE_CONFORMANCE");
  const std::filesystem::path path =
      std::filesystem::path(place == nullptr ? "../shared/conformance" : place) / "identity" / file;
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    MESSAGE("skipped: ", file, " is not at hand (set ENTENTE_CONFORMANCE)");
    return std::nullopt;
  }
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  return Json::parse(text, {.bytes_max = 64 << 20, .depth_max = 32}).value();
}

bool is_symmetric(const Json& key) {
  if (const Json* keys = key.find("keys")) {
    for (const Json& each : keys->items())
      if (each.text_or("kty", "") != "oct") return false;
    return true;
  }
  return key.text_or("kty", "") == "oct";
}

// The public half of a vector's key or key set: some groups give the private one only.
Json public_half(Json key) {
  if (Json* keys = const_cast<Json*>(key.find("keys"))) {
    for (Json& each : keys->items()) each = public_half(each);
    return key;
  }
  if (key.text_or("kty", "") == "oct") return key;
  std::erase_if(key.members(), [](const Json::Member& member) {
    return member.first == "d" || member.first == "p" || member.first == "q" || member.first == "dp" ||
           member.first == "dq" || member.first == "qi";
  });
  return key;
}

struct Count {
  int right = 0;
  int exempt = 0;
  int symmetric = 0;  // HMAC: refused by design
};

void run_group(const Json& group, Count& count) {
  const Json* given = group.find("public") != nullptr ? group.find("public") : group.find("private");
  const auto keys = KeySet::from_json(public_half(*given), SignatureAlg::RS256);
  for (const Json& test : group.find("tests")->items()) {
    const int64_t id = test.find("tcId")->integer();
    const Json* jws = test.find("jws");
    // A JSON serialisation is no compact token: its text is what would arrive.
    const std::string token = jws->is_string() ? jws->string() : jws->dump();
    const bool accepted = keys.has_value() && verify_jws(token, *keys, kEvery).has_value();
    if (std::ranges::find(kFaulty, id) != kFaulty.end() &&
        group.find("type")->string() == "JsonWebSignature") {
      ++count.exempt;
      continue;
    }
    if (is_symmetric(*given)) {
      CHECK_FALSE(accepted);
      ++count.symmetric;
      continue;
    }
    const bool right = accepted == (test.text_or("result", "") == "valid");
    CHECK_MESSAGE(right, "tcId ", id, " ", std::string(test.text_or("comment", "")));
    count.right += right ? 1 : 0;
  }
}

void run(const std::string& file) {
  const auto suite = vectors(file);
  if (!suite) return;
  Count count;
  for (const Json& group : suite->find("testGroups")->items()) run_group(group, count);
  MESSAGE(file, ": ", count.right, " right, ", count.symmetric, " HMAC vectors refused by design, ",
          count.exempt, " faulty vectors exempt");
  CHECK(count.right > 0);
}

void run_cookbook(const std::string& file, SignatureAlg alg) {
  const auto example = vectors("jose-cookbook/" + file);
  if (!example) return;
  const Json& key = *example->find("input")->find("key");
  const KeySet keys = KeySet::from_json(public_half(key), alg).value();
  const std::string token = example->find("output")->find("compact")->string();
  const auto read = verify_jws(token, keys, {.algs = {alg}});
  REQUIRE(read.has_value());
  CHECK(as_text(read->payload) == example->find("input")->find("payload")->string());
  const PrivateKey own = PrivateKey::from_jwk(key).value();
  CHECK(verify_jws(sign_jws(own, {.alg = alg}, read->payload).value(), keys, {.algs = {alg}}).has_value());
}

}  // namespace

TEST_CASE("Wycheproof: JSON web signatures") {
  run("wycheproof/json_web_signature_test.json");
}
TEST_CASE("Wycheproof: JSON web keys") {
  run("wycheproof/json_web_key_test.json");
}

TEST_CASE("RFC 7520 and RFC 8037 examples") {
  run_cookbook("jws/4_1.rsa_v15_signature.json", SignatureAlg::RS256);
  run_cookbook("jws/4_2.rsa-pss_signature.json", SignatureAlg::PS384);
  run_cookbook("jws/4_3.ecdsa_signature.json", SignatureAlg::ES512);
  run_cookbook("curve25519/jws.json", SignatureAlg::EdDSA);
}
