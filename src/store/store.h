// Durable records with revisions: commit, get, scan, watch, lease. One process opens a store at a time.
//
// Threads: every call may be made from any thread. Callbacks run on the store's writer thread and must not
// block: post to your own loop. Destroying the store first answers what is queued.
//
// Errors: "store.precondition" (where: the key; nothing changed), "store.full" (no space; nothing changed),
// "store.io", "store.busy" (queue full), "store.closed", "store.too-large", "store.key", "store.locked",
// "store.no-genesis", "store.genesis", "store.format", "store.corrupt", "store.tampered" (where: the record
// or revision that is not what was signed).
#pragma once

#include "base/bytes.h"
#include "base/ids.h"
#include "base/time.h"
#include "crypto/digest.h"
#include "store/manifest.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace entente::store {

inline constexpr size_t kKeyBytesMax = 512;
inline constexpr size_t kValueBytesMax = 1 << 20;
inline constexpr size_t kCommitOpsMax = 65'536;
inline constexpr size_t kCommitBytesMax = 64 << 20;
inline constexpr size_t kLeavesMax = 256;
inline constexpr size_t kQueueCommitsMax = 16'384;

// `value` absent: the record is deleted.
struct Op {
  std::string key{};
  std::optional<std::string> value{};
  bool operator==(const Op&) const = default;
};

// The record must still be of that revision; `rev` absent: there must be no record of that key.
struct Precondition {
  std::string key{};
  std::optional<Revision> rev{};
};

struct Commit {
  std::vector<Op> ops{};  // keys unique
  std::vector<Precondition> preconditions{};
  std::vector<Bytes> leaves{};  // for the ledger, opaque here; durable with the commit
  std::string author{};         // who did it: an operator's name or a part of the node
  bool narrowing = false;       // may use the space kept in reserve
};

struct Record {
  std::string key{};
  std::string value{};
  Revision rev{};  // the commit that wrote it
  bool operator==(const Record&) const = default;
};

// What a commit owes the ledger, until `integrated`.
struct Outgoing {
  Revision rev{};
  crypto::Digest manifest{};
  Instant at{};
  std::string author{};
  std::vector<Bytes> leaves{};
};

struct Committed {
  Revision rev{};
  Outgoing outgoing{};
};

struct Change {  // one revision, whole, in order
  Revision rev{};
  std::vector<Op> ops{};
};
struct Heartbeat {  // each Options::heartbeat; a head above the last change told means: you are behind
  Revision head{};
};
struct Compacted {  // what followed `after` is no longer kept: read all at `snapshot`, then watch from there
  Revision snapshot{};
};
struct WatchEvents {  // run on the writer thread, in order; absent ones are not called
  std::function<void(const Change&)> change{};
  std::function<void(Heartbeat)> heartbeat{};
  std::function<void(Compacted)> compacted{};
};

// Ends its watch when released. May outlive the store.
class Watch {
 public:
  Watch() = default;
  explicit Watch(std::shared_ptr<void> token) : token_(std::move(token)) {}

 private:
  std::shared_ptr<void> token_;
};

// Ownership of a name. `token` grows with each new holder: whoever acts for the name shows it, the lower
// loses.
struct Lease {
  std::string name{};
  std::string holder{};
  Revision token{};
};

using Sign = std::function<Result<Bytes>(ByteView message)>;
using Verify = std::function<bool(ByteView message, ByteView signature)>;

struct Options {
  std::filesystem::path folder{};  // holds store.db, its WAL, store.lock, store.reserve
  Sign sign{};                     // signs manifests
  Verify verify{};                 // of revisions 2 and up
  Verify verify_genesis{};         // of revision 1
  const Clock* clock = &system_clock();
  uint64_t history_revisions_max = 65'536;  // how far back a watch can resume
  size_t reserve_bytes = 4 << 20;
  Millis heartbeat{500};
  std::string vfs;  // name of a registered SQLite VFS; empty: the platform's (tests put a failing disk here)
};

struct Loaded {
  Revision head{};
  std::vector<Record> records{};          // by key
  std::vector<ManifestMark> manifests{};  // revisions 1 to head: each must be in the ledger
  Revision integrated{};                  // the store's own note of what the ledger has
};

class Store {
 public:
  // Makes the store with its signed genesis, revision 1. "store.exists" when there is one.
  [[nodiscard]] static Result<Committed> found(const Options& options, const Commit& genesis,
                                               const Sign& sign);
  // Refuses a store without genesis, of another format, damaged, or open elsewhere.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(Options options);
  ~Store();
  // Answers what is queued and takes no more commits; reading goes on.
  void stop();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  using Done = std::function<void(Result<Committed>)>;
  void commit(Commit commit, Done done);                           // `done` in the order of revisions
  [[nodiscard]] Result<Committed> commit_and_wait(Commit commit);  // never on the writer thread

  [[nodiscard]] Result<std::optional<Record>> get(std::string_view key) const;
  // Records whose key starts with `prefix` and is greater than `after`, at most `limit`, by key.
  [[nodiscard]] Result<std::vector<Record>> scan(std::string_view prefix, std::string_view after,
                                                 size_t limit) const;
  [[nodiscard]] Revision head() const;

  // All revisions after `after`, then live ones; heartbeats in between.
  [[nodiscard]] Watch watch(Revision after, WatchEvents events);

  // Kept as record "lease/<name>", a prefix that commits can't write. Takes or keeps the name for `ttl`;
  // "store.held" when another holder's lease still runs. A new holder is a commit, renewing is not. After a
  // restart a lease runs for its whole ttl once more.
  void lease(std::string name, std::string holder, Millis ttl, std::function<void(Result<Lease>)> done);

  // What the ledger has not yet been seen to hold, oldest first, after `after`.
  [[nodiscard]] Result<std::vector<Outgoing>> outbox(Revision after, size_t limit) const;
  // Everything up to `rev` is in the ledger; written with the next commit or heartbeat.
  void integrated(Revision rev);

  // Reads everything and holds it against the manifests, their chain and their signatures.
  [[nodiscard]] Result<Loaded> load_all() const;

 private:
  class Inside;
  explicit Store(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

// load_all() of a store that nobody needs to have open: for auditors. Changes nothing.
[[nodiscard]] Result<Loaded> load_all(const std::filesystem::path& folder, const Verify& verify,
                                      const Verify& verify_genesis);

}  // namespace entente::store
