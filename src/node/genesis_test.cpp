// The root of trust: nothing counts as a nation's first records but what its own key signed, whole, for this
// node.
#include "node/genesis.h"

#include "base/file.h"
#include "crypto/jose.h"
#include "node/config.h"
#include "node/keys.h"
#include "node/records.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

using namespace entente;
using namespace entente::node;

namespace {

namespace fs = std::filesystem;

const Instant kNow = from_unix_seconds(1'795'262'400);  // 2026-11-21
const PartnerCode kAldoria("XAA");

crypto::PrivateKey new_key() {
  return crypto::PrivateKey::generate(crypto::KeyKind::ed25519);
}

Json payload(std::string_view partner = "XAA") {
  Result<Json> read = Json::parse(fmt::format(
      R"({{"v": 1, "partner": "{0}", "records": [
          {{"key": "node/self", "value": {{"partner": "{0}"}}}},
          {{"key": "partner/{0}", "value": {{"name": "{0}", "state": "active", "ceiling": "SECRET",
              "member_since": "2026-06-01T00:00:00Z", "member_until": "2027-06-01T00:00:00Z"}}}}]}})",
      partner));
  REQUIRE(read);
  return *std::move(read);
}

std::string signed_by(const crypto::PrivateKey& key, const Json& genesis = payload()) {
  const Result<std::string> jws = sign_genesis(genesis, key);
  REQUIRE(jws);
  return *jws;
}

std::string refusal(std::string_view jws, const crypto::PrivateKey& nation) {
  const Result<Genesis> genesis = open_genesis(jws, nation.public_key());
  return genesis ? "taken" : genesis.error().code();
}

// The three parts of a compact JWS.
std::vector<std::string> parts_of(std::string_view jws) {
  const size_t first = jws.find('.'), second = jws.rfind('.');
  REQUIRE(first < second);
  return {std::string(jws.substr(0, first)), std::string(jws.substr(first + 1, second - first - 1)),
          std::string(jws.substr(second + 1))};
}

store::Manifest manifest_of(const std::vector<coalition::Record>& records) {
  store::Manifest manifest;
  manifest.rev = Revision{1};
  manifest.at = kNow;
  manifest.author = "genesis";
  for (const store::Op& op : record_ops(records)) {
    REQUIRE(op.value);
    manifest.ops.push_back({op.key, crypto::sha256(*op.value)});
  }
  return manifest;
}

struct Folder {
  Folder() : path(fs::temp_directory_path() / fmt::format("entente-genesis-{}", ::getpid())) {
    fs::remove_all(path);
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

}  // namespace

TEST_CASE("attack: a genesis opens with the nation's own signature and with no other") {
  const crypto::PrivateKey nation = new_key(), other = new_key();
  const std::string right = signed_by(nation);
  const Result<Genesis> genesis = open_genesis(right, nation.public_key());
  REQUIRE_MESSAGE(genesis, (genesis ? "" : genesis.error().text()));
  CHECK(genesis->partner == kAldoria);
  REQUIRE(genesis->records.size() == 2);
  CHECK(genesis->records[0].key == "node/self");

  CHECK(refusal(signed_by(other), nation) == "genesis.signature");
  const std::vector<std::string> parts = parts_of(right);
  const auto with_payload = [&](const Json& changed) {
    return fmt::format("{}.{}.{}", parts[0], base64url(to_bytes(changed.canonical())), parts[2]);
  };
  CHECK(refusal(with_payload(payload("XBB")), nation) == "genesis.signature");
  Json one_byte = payload();
  one_byte.set("v", 2);
  CHECK(refusal(with_payload(one_byte), nation) == "genesis.signature");
  CHECK(refusal(fmt::format("{}.{}.", parts[0], parts[1]), nation) == "genesis.signature");
  const std::string none = base64url(to_bytes(std::string_view(R"({"alg":"none","typ":"entente-genesis"})")));
  CHECK(refusal(fmt::format("{}.{}.", none, parts[1]), nation) == "genesis.signature");
  CHECK(refusal("", nation) == "genesis.signature");

  // Another key that says it is the nation's.
  crypto::JwsMake make;
  make.alg = crypto::default_alg(nation.kind());
  make.typ = "entente-genesis";
  make.kid = nation.public_key().thumbprint();
  CHECK(refusal(*crypto::sign_jwt(other, make, payload()), nation) == "genesis.signature");
  // And the nation's key over what it signed for something else.
  make.typ = "JWT";
  CHECK(refusal(*crypto::sign_jwt(nation, make, payload()), nation) == "genesis.signature");
  make.typ = "entente-genesis";
  CHECK(refusal(*crypto::sign_jwt(nation, make, payload()), nation) == "taken");
}

TEST_CASE("a signed genesis of another shape is refused whole") {
  const crypto::PrivateKey nation = new_key();
  const auto changed = [&](const std::string& key, Json value) {
    Json out = payload();
    out.set(key, std::move(value));
    return refusal(signed_by(nation, out), nation);
  };
  CHECK(changed("v", 1) == "taken");
  CHECK(changed("v", 2) == "field.value");
  CHECK(changed("partner", "XAAA") != "taken");
  CHECK(changed("more", true) != "taken");
  CHECK(changed("records", Json::object({})) != "taken");
  Json records = *payload().find("records");
  records.push(Json::object({{"key", "node/x"}, {"value", Json::object({})}, {"admin", true}}));
  CHECK(changed("records", std::move(records)) != "taken");
  records = *payload().find("records");
  records.push(Json::object({{"key", "node/x"}}));
  CHECK(changed("records", std::move(records)) != "taken");
}

TEST_CASE("attack: revision 1 is exactly the records that the nation signed") {
  const crypto::PrivateKey nation = new_key(), other = new_key();
  const Result<Genesis> genesis = open_genesis(signed_by(nation), nation.public_key());
  REQUIRE(genesis);
  const store::Verify verify = genesis_verifier(nation.public_key());
  const auto holds = [&](const store::Manifest& manifest, std::string_view jws) {
    return verify(store::manifest_message(manifest.encode()), to_bytes(jws));
  };
  const store::Manifest right = manifest_of(genesis->records);
  CHECK(holds(right, signed_by(nation)));
  CHECK_FALSE(holds(right, signed_by(other)));
  CHECK_FALSE(holds(right, ""));

  store::Manifest more = right;
  more.ops.push_back({"partner/XBB", crypto::sha256("slipped in")});
  CHECK_FALSE(holds(more, signed_by(nation)));
  store::Manifest fewer = right;
  fewer.ops.pop_back();
  CHECK_FALSE(holds(fewer, signed_by(nation)));
  store::Manifest changed = right;
  changed.ops[1].value = crypto::sha256("another ceiling");
  CHECK_FALSE(holds(changed, signed_by(nation)));
  store::Manifest renamed = right;
  renamed.ops[1].key = "partner/XBB";
  CHECK_FALSE(holds(renamed, signed_by(nation)));
  store::Manifest deleted = right;
  deleted.ops[1].value.reset();
  CHECK_FALSE(holds(deleted, signed_by(nation)));
  CHECK_FALSE(verify(to_bytes(std::string_view("no manifest")), to_bytes(signed_by(nation))));
}

TEST_CASE("attack: a node is founded by its own nation alone, and starts with no other key") {
  const Folder folder;
  const crypto::PrivateKey nation = new_key(), other = new_key();
  NodeConfig config;
  config.partner = kAldoria;
  config.data = folder.path;
  config.genesis_key = folder.path / "nation.pem";
  const Result<Keys> keys = make_keys(config.data, kAldoria, kNow);
  REQUIRE(keys);
  REQUIRE(write_file(config.genesis_key, nation.public_key().pem()));
  const auto founding = [&](std::string_view jws) {
    const Result<void> founded = Records::found(config, *keys, jws, kNow);
    return founded ? std::string("founded") : founded.error().code();
  };
  CHECK(founding(signed_by(nation, payload("XBB"))) == "genesis.partner");
  CHECK(founding(signed_by(other)) == "genesis.signature");
  CHECK_FALSE(fs::exists(config.data / "store"));
  CHECK(founding(signed_by(nation)) == "founded");

  const auto starting = [&] {
    net::Loop loop;
    const auto opened = Records::open(config, *keys, loop);
    return opened ? std::string("open") : opened.error().code();
  };
  CHECK(starting() == "open");
  REQUIRE(write_file(config.genesis_key, other.public_key().pem()));
  CHECK(starting() == "store.genesis");
  REQUIRE(write_file(config.genesis_key, nation.public_key().pem()));
  CHECK(starting() == "open");
}

TEST_CASE("a link certificate that has ended is no longer used") {
  const Folder folder;
  REQUIRE(make_keys(folder.path, kAldoria, kNow));
  CHECK(load_keys(folder.path, kNow + std::chrono::days(399)));
  const Result<Keys> late = load_keys(folder.path, kNow + std::chrono::days(401));
  REQUIRE_FALSE(late);
  CHECK(late.error().code() == "node.link-certificate");
  CHECK(late.error().where() == (folder.path / "keys/link-certificate.pem").string());
}
