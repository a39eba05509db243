// Holds every row of a store against the signed manifests, for this room only.
#pragma once

#include "store/database.h"
#include "store/store.h"

namespace entente::store {

// `head`: the newest signature and the genesis are verified, the rest follows from the chain of digests.
// `each`: all signatures, so that a changed byte in an old one is found too.
enum class Signatures { head, each };

struct Verifiers {
  const Verify& verify;
  const Verify& verify_genesis;
};

// Inside one read transaction of its own.
[[nodiscard]] Result<Loaded> audit(Database& database, const Verifiers& verifiers, Signatures signatures);

}  // namespace entente::store
