// The first records of a node: a JWS signed by the nation's own key, which the node never holds.
// Payload: {"v":1,"partner":"XAA","records":[{"key","value"}...]}, typ "entente-genesis". The store keeps the
// whole JWS as the signature of revision 1. Errors: "genesis.*".
#pragma once

#include "base/ids.h"
#include "coalition/world.h"
#include "crypto/key.h"
#include "store/store.h"

#include <string>
#include <string_view>
#include <vector>

namespace entente::node {

struct Genesis {
  PartnerCode partner;
  std::vector<coalition::Record> records;
};

[[nodiscard]] Result<std::string> sign_genesis(const Json& payload, const crypto::PrivateKey& nation_key);
[[nodiscard]] Result<Genesis> open_genesis(std::string_view jws, const crypto::PublicKey& nation_key);

// For store::Options: whether a stored revision 1 is exactly what the nation signed.
[[nodiscard]] store::Verify genesis_verifier(crypto::PublicKey nation_key);
[[nodiscard]] std::vector<store::Op> record_ops(const std::vector<coalition::Record>& records);

}  // namespace entente::node
