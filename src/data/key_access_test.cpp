#include "data/key_access.h"

#include "crypto/wrap.h"
#include "data/data_policy.h"

#include <array>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::data;
using crypto::KeyKind;
using crypto::PrivateKey;
using crypto::Secret;

namespace {

struct KeyCase {
  const char* name;
  KeyKind kind;
  int bits;
};
constexpr std::array<KeyCase, 5> kKeyCases{{{"RSA-2048", KeyKind::rsa, 2048},
                                            {"RSA-4096", KeyKind::rsa, 4096},
                                            {"P-256", KeyKind::p256, 0},
                                            {"P-384", KeyKind::p384, 0},
                                            {"P-521", KeyKind::p521, 0}}};

bool same(const Secret& a, const Secret& b) {
  return crypto::equal_constant_time(a.bytes(), b.bytes());
}

std::string policy_text() {
  return write_policy({"6f1c",
                       {parse_attribute("https://xaa.example/attr/releasable/value/xbb").value()},
                       {"ana@xbb.example"}});
}

KeyAccess some_access(const PrivateKey& key, const Secret& share) {
  return wrap_share(share, {key.public_key(), "https://kas.xaa.localhost/kas", "k1", "s1"}, policy_text(),
                    R"({"note":"EXERCISE"})")
      .value();
}

// The object with one member replaced, or removed when the value is null.
Json with(Json json, const std::string& key, Json value) {
  if (value.is_null())
    std::erase_if(json.members(), [&](const Json::Member& m) { return m.first == key; });
  else
    json.set(key, std::move(value));
  return json;
}

}  // namespace

TEST_CASE("a share wrapped for each kind of key opens with its private key, and with no other") {
  for (const KeyCase& one : kKeyCases) {
    INFO(one.name);
    const PrivateKey key = PrivateKey::generate(one.kind, one.bits);
    const PrivateKey stranger = PrivateKey::generate(one.kind, one.bits == 4096 ? 2048 : one.bits);
    const Secret share = Secret::random(kShareBytes);
    const KeyAccess access = some_access(key, share);
    CHECK((access.type == WrapType::wrapped) == (one.kind == KeyKind::rsa));

    const auto read = read_key_access(Json::parse(write_key_access(access).dump()).value());
    REQUIRE_MESSAGE(read.has_value(), read.error().text());
    CHECK(*read == access);
    const auto opened = open_share(*read, key, policy_text());
    REQUIRE_MESSAGE(opened.has_value(), opened.error().text());
    CHECK(same(*opened, share));
    CHECK(open_metadata(*read, *opened).value() == R"({"note":"EXERCISE"})");
    CHECK(open_share(*read, stranger, policy_text()).error().code() == "data.unwrap");
  }
}

TEST_CASE("a key service's answer opens for the client's key alone, one session key for many shares") {
  for (const KeyCase& one : kKeyCases) {
    INFO(one.name);
    const PrivateKey client = PrivateKey::generate(one.kind, one.bits);
    const auto rewrapper = Rewrapper::to(client.public_key());
    REQUIRE(rewrapper);
    CHECK(rewrapper->session_key().empty() == (one.kind == KeyKind::rsa));
    for (int i = 0; i < 3; ++i) {
      const Secret share = Secret::random(kShareBytes);
      const Bytes wrapped = rewrapper->wrap(share).value();
      CHECK(same(open_answer(wrapped, rewrapper->session_key(), client).value(), share));
      Bytes changed = wrapped;
      changed[changed.size() / 2] ^= 1;
      CHECK_FALSE(open_answer(changed, rewrapper->session_key(), client));
    }
  }
  CHECK(Rewrapper::to(PrivateKey::generate(KeyKind::ed25519).public_key()).error().code() == "data.wrap");
}

TEST_CASE("every way in which a private operation fails gives one error, word for word") {
  const PrivateKey rsa = PrivateKey::generate(KeyKind::rsa, 2048);
  const PrivateKey ec = PrivateKey::generate(KeyKind::p256);
  const Secret share = Secret::random(kShareBytes);
  const KeyAccess by_rsa = some_access(rsa, share);
  const KeyAccess by_ec = some_access(ec, share);

  std::vector<KeyAccess> bad(6, by_rsa);
  bad[0].wrapped_key.back() ^= 1;
  bad[1].wrapped_key.pop_back();
  bad[2].wrapped_key = Bytes(256, 0xff);
  bad[3].wrapped_key = to_bytes("some data");
  bad[4].ephemeral_key = by_ec.ephemeral_key;
  // A secret of another length, well wrapped: no share.
  bad[5].wrapped_key = crypto::oaep_encrypt(rsa.public_key(), crypto::Oaep::sha1, Bytes(31)).value();
  const std::string said = unwrap_share(bad[0], rsa).error().text();
  CHECK(said.ends_with("[data.unwrap]"));
  for (const KeyAccess& one : bad) CHECK(unwrap_share(one, rsa).error().text() == said);

  std::vector<KeyAccess> worse(4, by_ec);
  worse[0].wrapped_key.back() ^= 1;
  worse[1].ephemeral_key = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
  worse[2].ephemeral_key = PrivateKey::generate(KeyKind::p384).public_key().pem();
  worse[3].ephemeral_key.clear();
  for (const KeyAccess& one : worse) CHECK(unwrap_share(one, ec).error().text() == said);
  CHECK(unwrap_share(by_rsa, ec).error().text() == said);
}

TEST_CASE("a binding holds in each form that is written, and for no other policy, share or algorithm") {
  const Secret share = Secret::random(kShareBytes);
  const std::string text = policy_text();
  for (const HashForm form : {HashForm::hex, HashForm::raw}) {
    for (const bool bare : {false, true}) {
      PolicyBinding binding = bind_policy(share, text, form);
      binding.bare = bare;
      if (bare) binding.alg.clear();
      CHECK(binds(binding, share, text));
      CHECK_FALSE(binds(binding, share, text + "="));
      CHECK_FALSE(binds(binding, Secret::random(kShareBytes), text));
      for (uint8_t& byte : binding.hash) {
        byte ^= 1;
        CHECK_FALSE(binds(binding, share, text));
        byte ^= 1;
      }
    }
  }
  PolicyBinding other = bind_policy(share, text);
  other.alg = "none";
  CHECK_FALSE(binds(other, share, text));

  const PrivateKey key = PrivateKey::generate(KeyKind::p256);
  const KeyAccess access = some_access(key, share);
  CHECK(open_share(access, key, write_policy({"6f1c", {}, {}})).error().code() == "data.binding");
}

TEST_CASE("a key access object is read strictly: types, lengths, and what belongs together") {
  const PrivateKey ec = PrivateKey::generate(KeyKind::p256);
  const Json good = write_key_access(some_access(ec, Secret::random(kShareBytes)));
  REQUIRE(read_key_access(good));
  const Json text_binding = *good.find("policyBinding")->find("hash");
  CHECK(read_key_access(with(good, "policyBinding", text_binding))->binding.bare);
  CHECK(read_key_access(with(good, "policyBinding", Json::object({{"hash", text_binding}})))
            ->binding.alg.empty());
  CHECK(read_key_access(with(good, "sid", ""))->sid.empty());
  CHECK(read_key_access(with(good, "somebodys-extension", 1)));

  const std::array<std::pair<const char*, Json>, 20> bad{{{"type", nullptr},
                                                          {"type", "remote"},
                                                          {"type", "wrapped"},
                                                          {"type", 1},
                                                          {"url", nullptr},
                                                          {"url", "https://a b"},
                                                          {"url", std::string(3000, 'a')},
                                                          {"protocol", "ftp"},
                                                          {"wrappedKey", nullptr},
                                                          {"wrappedKey", ""},
                                                          {"wrappedKey", "a"},
                                                          {"wrappedKey", base64(Bytes(kWrappedBytesMax + 1))},
                                                          {"kid", 7},
                                                          {"sid", Json::array()},
                                                          {"policyBinding", nullptr},
                                                          {"policyBinding", 1},
                                                          {"policyBinding", Json::object({{"alg", "HS256"}})},
                                                          {"policyBinding", base64(Bytes(33))},
                                                          {"ephemeralPublicKey", nullptr},
                                                          {"encryptedMetadata", Json::object()}}};
  for (const auto& [key, value] : bad) {
    INFO(key << " = " << value.dump());
    const auto read = read_key_access(with(good, key, value), "/keyAccess/0");
    REQUIRE_FALSE(read);
    CHECK(read.error().code() == "data.key-access");
  }
  CHECK_FALSE(read_key_access(Json::array()));
}

TEST_CASE("all shares of a key give the key, fewer give something else") {
  const Secret key = Secret::random(kShareBytes);
  for (const size_t count : {size_t{1}, size_t{2}, size_t{5}, kSharesMax}) {
    auto shares = split_key(key, count);
    REQUIRE(shares.size() == count);
    CHECK(same(join_shares(shares).value(), key));
    if (count == 1) continue;
    shares.pop_back();
    CHECK_FALSE(same(join_shares(shares).value(), key));
  }
  CHECK_FALSE(join_shares({}));
}

TEST_CASE("a policy says uuid, attributes and people; null and missing lists are empty ones") {
  const DataPolicy policy{"6f1c",
                          {parse_attribute("https://xaa.example/attr/releasable/value/xbb").value(),
                           parse_attribute("https://xaa.example/attr/level/value/low").value()},
                          {"ana@xbb.example"}};
  CHECK(read_policy(write_policy(policy)).value() == policy);
  const auto read = [](std::string_view json) { return read_policy(base64(as_bytes(json))); };
  CHECK(read(R"({"uuid":"u","body":{"dataAttributes":null,"dissem":null}})") == DataPolicy{"u", {}, {}});
  CHECK(read(R"({"uuid":"u","body":{}})")->attributes.empty());
  const auto mixed = read(
      R"({"uuid":"u","body":{"dataAttributes":[{"attribute":"HTTPS://XAA.Example/attr/Rel/value/XBB","kasURL":"x"}]}})");
  REQUIRE(mixed);
  CHECK(mixed->attributes.at(0).fqn() == "https://xaa.example/attr/rel/value/xbb");
  CHECK(mixed->attributes.at(0).name() == "rel");
  const AttributeName odd = parse_attribute("https://value.example/attr/attr/value/value").value();
  CHECK(odd.attribute() == "https://value.example/attr/attr");
  CHECK(odd.name() == "attr");
  CHECK(odd.value() == "value");

  for (const char* bad :
       {"", "[]", "{}", R"({"uuid":"","body":{}})", R"({"uuid":"u"})", R"({"uuid":"u","body":[]})",
        R"({"uuid":"u v","body":{}})", R"({"uuid":"u","uuid":"w","body":{}})",
        R"({"uuid":"u","body":{"dataAttributes":{}}})", R"({"uuid":"u","body":{"dataAttributes":["x"]}})",
        R"({"uuid":"u","body":{"dataAttributes":[{"attribute":"xaa/attr/a/value/b"}]}})",
        R"({"uuid":"u","body":{"dataAttributes":[{"attribute":"https://a/attr/b"}]}})",
        R"({"uuid":"u","body":{"dataAttributes":[{"attribute":"https://a/attr/b/value/c/d"}]}})",
        R"({"uuid":"u","body":{"dissem":[1]}})"}) {
    INFO(bad);
    CHECK(read(bad).error().code() == "data.policy");
  }
  CHECK_FALSE(read_policy("not base64"));
}
