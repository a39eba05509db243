// The auditor's check of a ledger folder, offline: nothing is changed and nothing is believed but the public
// key. The first fault is the answer: "ledger.corrupt", "ledger.signature", "ledger.root",
// "ledger.plaintext", "ledger.tile", "ledger.tail" (bytes behind the last batch that no unfinished write
// leaves), "ledger.rolled-back", "ledger.fork", "ledger.store" (store and ledger disagree),
// "ledger.requests" (left out between a session's counted requests, counted twice or beyond its ending, or a
// numbered batch of them missing; told last, when nothing else is wrong), each with file and offset, index or
// revision in `where`. What a process that was killed in the middle of a write leaves is
// no fault but `unfinished`: nobody was told that it is recorded, and the node cuts it off when it starts.
#pragma once

#include "base/result.h"
#include "ledger/note.h"
#include "ledger/record.h"
#include "store/store.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace entente::ledger {

using Seen = std::function<void(uint64_t index, const Record& record)>;

struct VerifyAgainst {
  // A checkpoint seen earlier: only this shows that a whole folder was put back to an older state.
  std::optional<std::string> remembered{};
  // What the store was found to hold (store::load_all): each manifest must be in the ledger, and nothing
  // else.
  const store::Loaded* store = nullptr;
  // Asked by the node that holds the ledger, before it writes: all of it is read, also what is not announced
  // yet, and counts of requests that do not hold are in the report. A ledger is never mended, and must not
  // keep a node down for what a count says.
  bool at_start = false;
  // Told of each entry whose plaintext was found to be what the log commits to, in order, before anything
  // behind it is read: it counts where no fault is found.
  Seen seen{};
};

struct VerifyReport {
  Checkpoint checkpoint{};
  std::string note{};
  uint64_t batches = 0;
  Revision store_revision{};
  std::string unfinished{};           // where; empty: nothing is
  std::optional<Error> miscounted{};  // "ledger.requests", at a start
};

[[nodiscard]] Result<VerifyReport> verify(const std::filesystem::path& folder, const NoteVerifier& verifier,
                                          const VerifyAgainst& against = {});

}  // namespace entente::ledger
