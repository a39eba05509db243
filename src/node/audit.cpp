#include "node/audit.h"

#include "node/genesis.h"
#include "node/keys.h"
#include "node/records.h"

namespace entente::node {

Result<Audit> audit(const NodeConfig& config, std::optional<std::string> remembered) {
  TRY(const Keys keys, load_keys(config.data, system_clock().now()));
  TRY(const crypto::PublicKey genesis_key, load_genesis_key(config));
  const store::Options options = store_options(config, keys, genesis_key);
  TRY(const store::Loaded loaded, store::load_all(options.folder, options.verify, options.verify_genesis));
  TRY(const ledger::NoteVerifier verifier,
      ledger::NoteVerifier::make(ledger_origin(config.partner), keys.ledger.public_key()));
  TRY(ledger::VerifyReport report, ledger::verify(config.data / "ledger", verifier,
                                                  {.remembered = std::move(remembered), .store = &loaded}));
  return Audit{std::move(report), loaded.records.size()};
}

}  // namespace entente::node
