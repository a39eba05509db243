// The check of a node's store and ledger from outside, for auditors: nothing is changed, nothing is believed
// but keys.
#pragma once

#include "ledger/verify.h"
#include "node/config.h"

#include <filesystem>
#include <optional>
#include <string>

namespace entente::node {

struct Audit {
  ledger::VerifyReport ledger;
  size_t records = 0;  // of the store, each held against its signature and the ledger
  std::optional<uint64_t>
      exposure_read;  // of how many of the ledger's entries, the first ones, the report is
};
// `exposure`: a report on what was released, which is held against the ledger; its checkpoint is remembered
// beside.
[[nodiscard]] Result<Audit> audit(const NodeConfig& config, std::optional<std::string> remembered,
                                  std::optional<Json> exposure = {});

}  // namespace entente::node
