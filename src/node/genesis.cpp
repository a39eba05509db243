#include "node/genesis.h"

#include "base/fields.h"
#include "crypto/jose.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::node {
namespace {

constexpr std::string_view kType = "entente-genesis";
constexpr size_t kGenesisBytesMax = 8 << 20;
constexpr size_t kGenesisRecordsMax = 65'536;

}  // namespace

Result<std::string> sign_genesis(const Json& payload, const crypto::PrivateKey& nation_key) {
  crypto::JwsMake make;
  make.alg = crypto::default_alg(nation_key.kind());
  make.typ = kType;
  make.kid = nation_key.public_key().thumbprint();
  return crypto::sign_jwt(nation_key, make, payload);
}

Result<Genesis> open_genesis(std::string_view jws, const crypto::PublicKey& nation_key) {
  const crypto::SignatureAlg alg = crypto::default_alg(nation_key.kind());
  TRY(const crypto::KeySet keys, crypto::KeySet::from_keys({{nation_key.thumbprint(), alg, nation_key}}));
  crypto::JwsExpect expect;
  expect.algs = {alg};
  expect.typ = kType;
  expect.bytes_max = kGenesisBytesMax;
  const Result<crypto::Jws> verified = crypto::verify_jws(jws, keys, expect);
  if (!verified) {
    return fail("genesis.signature",
                "the genesis is not signed by the nation's key: " + verified.error().what(), {},
                "check genesis_key in the node's configuration, or sign the genesis again");
  }
  TRY(const Json payload, Json::parse(as_text(verified->payload), {.bytes_max = kGenesisBytesMax}));
  Fields fields(payload, "");
  fields.integer("v", 1, 1);
  Genesis genesis;
  genesis.partner = PartnerCode(fields.text("partner", 3));
  Result<void> done;
  for (Fields& record : fields.objects("records", kGenesisRecordsMax)) {
    genesis.records.push_back({record.text("key", store::kKeyBytesMax), record.value("value")});
    if (done) done = record.done();
  }
  if (!done) return Failure(done.error());
  TRY_VOID(fields.done());
  return genesis;
}

std::vector<store::Op> record_ops(const std::vector<coalition::Record>& records) {
  std::vector<store::Op> ops;
  ops.reserve(records.size());
  for (const coalition::Record& record : records) {
    ops.push_back({record.key, record.value ? std::optional(record.value->canonical()) : std::nullopt});
  }
  return ops;
}

store::Verify genesis_verifier(crypto::PublicKey nation_key) {
  return [nation_key = std::move(nation_key)](ByteView message, ByteView signature) {
    const Result<Genesis> genesis = open_genesis(as_text(signature), nation_key);
    if (!genesis) return false;
    const std::string_view text = as_text(message);
    const size_t line = text.find('\n');
    if (line == std::string_view::npos) return false;
    const Result<store::Manifest> manifest = store::Manifest::parse(text.substr(line + 1));
    if (!manifest) return false;
    std::vector<store::ManifestOp> signed_ops;
    for (const store::Op& op : record_ops(genesis->records)) {
      if (!op.value) return false;
      signed_ops.push_back({op.key, crypto::sha256(*op.value)});
    }
    std::vector<store::ManifestOp> kept_ops = manifest->ops;
    const auto by_key = [](const store::ManifestOp& a, const store::ManifestOp& b) { return a.key < b.key; };
    std::sort(signed_ops.begin(), signed_ops.end(), by_key);
    std::sort(kept_ops.begin(), kept_ops.end(), by_key);
    return signed_ops == kept_ops;
  };
}

}  // namespace entente::node
