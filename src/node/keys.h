// The keys a node holds, in <data>/keys, each a file of mode 0600 with one job: nobody else ever has them.
#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/digest.h"
#include "crypto/key.h"
#include "crypto/x509.h"

#include <filesystem>
#include <string>

namespace entente::node {

struct Keys {
  crypto::PrivateKey statement;    // P-256: signs statements to partners and assertions to apps
  crypto::PrivateKey oidc_client;  // P-256: proves this node to its identity providers
  crypto::PrivateKey record;       // Ed25519: signs the store's manifests
  crypto::PrivateKey ledger;       // Ed25519: signs checkpoints, nothing else
  crypto::PrivateKey link;         // P-256: TLS towards partners and connectors
  crypto::Certificate link_certificate;
  crypto::Secret pairwise;  // 32 bytes: pseudonyms of this partner's people
};

// Makes what is missing and loads all. The link certificate is self-signed, for pinning, and ends after 400
// days.
[[nodiscard]] Result<Keys> make_keys(const std::filesystem::path& data, const PartnerCode& partner,
                                     Instant now);
[[nodiscard]] Result<Keys> load_keys(const std::filesystem::path& data, Instant now);

// What partners and providers need to know of them:
// {"partner","statement_keys":{"keys":[...]},"oidc_client_keys",
// "link_thumbprint","link_certificate","ledger_key","record_key"}.
[[nodiscard]] Json public_keys(const Keys& keys, const PartnerCode& partner);

[[nodiscard]] std::string key_id(const crypto::PrivateKey& key);  // its RFC 7638 thumbprint

}  // namespace entente::node
