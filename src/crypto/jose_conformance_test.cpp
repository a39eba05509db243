// Public test vectors: Project Wycheproof's JWS and JWK sets and the examples of RFC 7515 to 7520, 7797 and
// 8037, when $ENTENTE_CONFORMANCE (or ../shared/conformance) has them.
#include "crypto/jose.h"
#include "crypto/wycheproof_for_test.h"

using namespace entente;
using namespace entente::crypto;

namespace {

const JwsExpect kEvery{.algs = {SignatureAlg::ES256, SignatureAlg::ES384, SignatureAlg::ES512,
                                SignatureAlg::PS256, SignatureAlg::PS384, SignatureAlg::PS512,
                                SignatureAlg::RS256, SignatureAlg::RS384, SignatureAlg::RS512,
                                SignatureAlg::EdDSA}};

bool is_symmetric(const Json& key) {
  if (key.find("keys") != nullptr)
    return std::ranges::all_of(list_member(key, "keys"),
                               [](const Json& each) { return each.text_or("kty", "") == "oct"; });
  return key.text_or("kty", "") == "oct";
}

// The public half of a vector's key or key set: some groups give the private one only.
Json public_half(Json key) {
  if (Json* keys = const_cast<Json*>(key.find("keys"))) {
    if (keys->is_array())
      for (Json& each : keys->items()) each = public_half(each);
    return key;
  }
  if (!key.is_object() || key.text_or("kty", "") == "oct") return key;
  std::erase_if(key.members(), [](const Json::Member& member) {
    return member.first == "d" || member.first == "p" || member.first == "q" || member.first == "dp" ||
           member.first == "dq" || member.first == "qi";
  });
  return key;
}

struct Count {
  int right = 0;
  int pinned = 0;     // called valid by the set, of another algorithm than their key names
  int symmetric = 0;  // HMAC: refused by design
  int encrypted = 0;  // JWE: not offered
};

// What `alg` the token's header says, however the rest of it reads.
std::string header_alg(std::string_view token) {
  const auto bytes = from_base64url(token.substr(0, token.find('.')));
  const auto header = bytes ? Json::parse(as_text(*bytes)) : fail("no", "header");
  return header ? std::string(header->text_or("alg", "")) : "";
}

void run_test(const Json& given, const Result<KeySet>& keys, const Json& test, Count& count) {
  const Json* jws = test.find("jws");
  const Json* arrived = jws != nullptr ? jws : test.find("jwe");
  REQUIRE(arrived != nullptr);
  // A JSON serialisation is no compact token: its text is what would arrive.
  const std::string token = arrived->is_string() ? arrived->string() : arrived->dump();
  const bool accepted = keys.has_value() && verify_jws(token, *keys, kEvery).has_value();
  if (jws == nullptr || is_symmetric(given)) {
    CHECK_FALSE(accepted);
    ++(jws == nullptr ? count.encrypted : count.symmetric);
    return;
  }
  const std::string_view expected = test.text_or("result", "");
  // One key, one algorithm (RFC 8725 section 3.1), and names as they are registered ("ES521" is none).
  const std::string_view own = given.text_or("alg", "");
  if (expected == "valid" && !own.empty() && own != header_alg(token)) {
    CHECK_FALSE(accepted);
    ++count.pinned;
    return;
  }
  if (expected != "acceptable") CHECK(accepted == (expected == "valid"));
  ++count.right;
}

// What lists the answers of a Wycheproof file of these types.
void run(std::string_view type) {
  for (const WycheproofFile& file : wycheproof_files()) {
    if (!file.types.contains(type)) continue;
    Count count;
    for (const Json& group : list_member(file.json, "testGroups")) {
      const Json* given = group.find("public") != nullptr ? group.find("public") : group.find("private");
      REQUIRE(given != nullptr);
      const auto keys = KeySet::from_json(public_half(*given), SignatureAlg::RS256);
      for (const Json& test : list_member(group, "tests")) {
        INFO(file.name << " " << int_member(test, "tcId") << " " << test.text_or("comment", ""));
        run_test(*given, keys, test, count);
      }
    }
    CHECK(count.right + count.symmetric + count.pinned + count.encrypted > 0);
    MESSAGE(file.name << ": " << count.right << " as expected, " << count.symmetric
                      << " HMAC vectors refused by design, " << count.pinned
                      << " refused because their key names another algorithm, " << count.encrypted
                      << " encrypted tokens refused (JWE is not offered)");
  }
}

// A key alone, public or private.
bool run_jwk(const Json& key) {
  const std::string_view kty = key.text_or("kty", "");
  const auto set = KeySet::from_json(key, SignatureAlg::PS256);
  if (kty == "oct" || key.find("d") != nullptr) CHECK_FALSE(set.has_value());
  if (kty == "oct" || key.text_or("use", "sig") != "sig") return false;
  const auto shared = PublicKey::from_jwk(public_half(key));
  REQUIRE_MESSAGE(shared.has_value(), shared.error().text());
  CHECK(KeySet::from_json(public_half(key)).value().keys().size() == 1);
  if (key.find("d") != nullptr) CHECK(PrivateKey::from_jwk(key).value().public_key() == *shared);
  return true;
}

// An example with one key and one compact token; false when it is about something that we do not offer.
bool run_example(const Json& example) {
  const Json* input = example.find("input");
  const Json* output = example.find("output");
  if (input == nullptr || output == nullptr) return false;
  const Json* key = input->find("key");
  const Json* json = output->find("json");
  const Json* compact = output->find("compact");
  const auto alg = signature_alg(input->text_or("alg", ""));
  if (!alg || key == nullptr || !key->is_object()) {
    // HMAC, encryption, several signers: whatever is given arrives as no token that anybody signed.
    const KeySet none;
    if (compact != nullptr) CHECK_FALSE(verify_jws(output->text_or("compact", ""), none, kEvery).has_value());
    if (json != nullptr) CHECK_FALSE(verify_jws(json->dump(), none, kEvery).has_value());
    return false;
  }
  const auto keys_read = KeySet::from_json(public_half(*key), *alg);
  REQUIRE_MESSAGE(keys_read.has_value(), keys_read.error().text());
  const KeySet& keys = *keys_read;
  if (json != nullptr) CHECK_FALSE(verify_jws(json->dump(), keys, kEvery).has_value());
  if (compact == nullptr || !compact->is_string()) return false;
  const auto read = verify_jws(compact->string(), keys, {.algs = {*alg}});
  REQUIRE_MESSAGE(read.has_value(), read.error().text());
  CHECK(as_text(read->payload) == input->text_or("payload", ""));
  const auto own = PrivateKey::from_jwk(*key);
  if (!own) return true;
  const std::string made = sign_jws(*own, {.alg = *alg, .kid = read->kid}, read->payload).value();
  CHECK(verify_jws(made, keys, {.algs = {*alg}}).has_value());
  const bool deterministic = *alg == SignatureAlg::EdDSA || name(*alg).starts_with("RS");
  if (deterministic) CHECK(made == compact->string());
  return true;
}

}  // namespace

TEST_CASE("Wycheproof: JSON web signatures") {
  run("JsonWebSignature");
}
TEST_CASE("Wycheproof: JSON web keys") {
  run("JsonWebKey");
}
TEST_CASE("Wycheproof: JSON web crypto and encryption: no encrypted token passes for a signed one") {
  run("JsonWebCrypto");
  run("JsonWebEncryption");
}

TEST_CASE("the JOSE cookbook's keys and signatures") {
  int run = 0;
  int others = 0;
  for (const auto& path : conformance_files(conformance("identity/jose-cookbook"), ".json")) {
    INFO(path.string());
    const auto json = Json::parse(conformance_text(path), {.bytes_max = 1 << 20, .depth_max = 64});
    REQUIRE_MESSAGE(json.has_value(), json.error().text());
    ++((json->find("kty") != nullptr ? run_jwk(*json) : run_example(*json)) ? run : others);
  }
  if (run + others == 0) return;
  CHECK(run > 0);
  MESSAGE("JOSE cookbook: " << run << " examples run, " << others
                            << " about HMAC, encryption or other forms");
}
