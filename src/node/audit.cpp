#include "node/audit.h"

#include "data/exposure_check.h"
#include "node/genesis.h"
#include "node/keys.h"
#include "node/records.h"

namespace entente::node {

Result<Audit> audit(const NodeConfig& config, std::optional<std::string> remembered,
                    std::optional<Json> exposure) {
  std::optional<data::ExposureCheck> check;
  if (exposure) {
    TRY(check, data::ExposureCheck::of(*std::move(exposure), config.partner));
    if (remembered)
      return fail("exposure.report", "a report brings the checkpoint that it is held against", "remembered",
                  "verify against the other one by itself");
    remembered = check->checkpoint();
  }
  TRY(const Keys keys, load_keys(config.data, system_clock().now()));
  TRY(const crypto::PublicKey genesis_key, load_genesis_key(config));
  const store::Options options = store_options(config, keys, genesis_key);
  TRY(const store::Loaded loaded, store::load_all(options.folder, options.verify, options.verify_genesis));
  TRY(const ledger::NoteVerifier verifier,
      ledger::NoteVerifier::make(ledger_origin(config.partner), keys.ledger.public_key()));
  ledger::VerifyAgainst against{.remembered = std::move(remembered), .store = &loaded};
  if (check) against.seen = [&](uint64_t entry, const ledger::Record& record) { check->take(record, entry); };
  TRY(ledger::VerifyReport report, ledger::verify(config.data / "ledger", verifier, against));
  if (check) TRY_VOID(check->finish());
  return Audit{std::move(report), loaded.records.size(), check ? std::optional(check->read()) : std::nullopt};
}

}  // namespace entente::node
