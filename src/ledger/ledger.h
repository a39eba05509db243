// The node's transparency log: durable, integrated and signed before an append is answered.
//
// Threads: every call may be made from any thread; callbacks run on the ledger's writer thread and must not
// block (post to your own loop). Destroying the ledger first answers what is queued.
//
// Errors: "ledger.full" (no space; nothing changed), "ledger.io", "ledger.busy" (queue full),
// "ledger.closed", "ledger.locked", "ledger.corrupt" (where: file and offset), "ledger.rolled-back",
// "ledger.range", "ledger.record", "ledger.gap" (a store revision is missing before this one), "ledger.key".
#pragma once

#include "base/result.h"
#include "crypto/key.h"
#include "ledger/merkle.h"
#include "ledger/note.h"
#include "ledger/record.h"
#include "store/store.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace entente::ledger {

inline constexpr size_t kQueueAppendsMax = 65'536;
inline constexpr size_t kQueueBytesMax = 64 << 20;

class Disk;  // segment.h: tests put a failing one here

struct Options {
  std::filesystem::path folder{};
  std::string origin{};    // "entente.xaa/ledger": also the name of the signing key
  crypto::PrivateKey key;  // Ed25519, for checkpoints alone
  size_t segment_bytes = 16 << 20;
  size_t reserve_bytes = 1 << 20;  // of the last segment, for narrowing records when the disk is full
  Millis publish{1000};            // how far tiles may lag behind
  Disk* disk = nullptr;            // the real one
};

struct Appended {  // indices first .. first + count - 1
  uint64_t first = 0;
  uint64_t count = 0;
};

enum class Space { ordinary, narrowing };  // narrowing may use the reserve

class Ledger {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Ledger>> open(Options options);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  using Done = std::function<void(Result<Appended>)>;
  // All of `records` or none, next to each other; `done` in order of index.
  void append(std::vector<Record> records, Space space, Done done);
  [[nodiscard]] Result<Appended> append_and_wait(std::vector<Record> records, Space space = Space::ordinary);

  // A store commit's leaves, with the fields "store.rev", "store.manifest", "store.author" and "store.leaf"
  // added; a commit without leaves is one record "store.commit". Once for each revision: an old one is
  // answered with count 0.
  void append_commit(store::Outgoing outgoing, Space space, Done done);
  [[nodiscard]] Revision store_revision() const;  // the newest that is recorded
  // "ledger.store" when what the store holds is not what was recorded, revision by revision.
  [[nodiscard]] Result<void> check_store(const store::Loaded& loaded) const;

  [[nodiscard]] std::string checkpoint() const;  // the newest signed note
  [[nodiscard]] uint64_t size() const;
  [[nodiscard]] NoteVerifier verifier() const;
  [[nodiscard]] Result<Proof> inclusion_proof(uint64_t index, uint64_t size) const;
  [[nodiscard]] Result<Bytes> entry(uint64_t index) const;
  [[nodiscard]] Result<Record> record(uint64_t index) const;  // with plaintext: for the owner
  // From the newest back, until `visit` says false. Of classes that are not `wanted` nothing is read but
  // that.
  using Wanted = std::function<bool(std::string_view event_class)>;
  using Visit = std::function<bool(const Record&)>;
  [[nodiscard]] Result<void> newest_first(const Wanted& wanted, const Visit& visit) const;
  // The batch that entry `index` is in, from there on: gives the index after it. Whatever cannot be read is
  // an error that says where, before anything of that batch was visited.
  using Read = std::function<void(const Record&)>;
  [[nodiscard]] Result<uint64_t> batch(uint64_t index, const Wanted& wanted, const Read& read) const;
  [[nodiscard]] Result<Disclosure> disclose(uint64_t index, std::span<const std::string> fields) const;

  // Writes tiles and the checkpoint file up to now; otherwise a background thread does so within `publish`.
  [[nodiscard]] Result<void> publish();

 private:
  class Inside;
  explicit Ledger(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

[[nodiscard]] Result<void> verify_disclosure(const Disclosure& disclosure, const NoteVerifier& verifier);

// Records what the outbox still holds, in order, and checks that the ledger is not behind the store's own
// note. What already acts is recorded even from the reserve.
[[nodiscard]] Result<void> recover(store::Store& store, Ledger& ledger, Space space = Space::narrowing);

}  // namespace entente::ledger
