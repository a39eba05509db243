// The store's tables as typed calls over one connection, for this room only.
#pragma once

#include "store/database.h"
#include "store/manifest.h"
#include "store/store.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente::store {

struct SignedManifest {
  std::string body;
  Bytes signature;
};

struct Progress {
  Revision integrated;  // the ledger has everything up to here
  Revision oldest;      // the first revision whose changes are kept
};

class Rows {
 public:
  // Makes the tables inside the caller's transaction.
  [[nodiscard]] static Result<void> create(Database& database);
  // Refuses a database of another application or version, or with tables, triggers or views that we did not
  // make.
  [[nodiscard]] static Result<Rows> open(Database& database);
  [[nodiscard]] static Result<bool> exist(Database& database);  // false: nothing there yet

  [[nodiscard]] Result<Revision> head();  // 0: none
  [[nodiscard]] Result<std::optional<Record>> get(std::string_view key);
  [[nodiscard]] Result<std::optional<Revision>> revision_of(std::string_view key);
  [[nodiscard]] Result<std::vector<Record>> scan(std::string_view prefix, std::string_view after,
                                                 size_t limit);

  [[nodiscard]] Result<void> put(std::string_view key, std::string_view value, Revision rev);
  [[nodiscard]] Result<void> remove(std::string_view key);
  [[nodiscard]] Result<void> add_change(Revision rev, size_t n, const Op& op);
  [[nodiscard]] Result<Change> change(Revision rev);
  [[nodiscard]] Result<void> forget_changes(Revision before);

  [[nodiscard]] Result<void> add_manifest(Revision rev, const SignedManifest& manifest);
  [[nodiscard]] Result<SignedManifest> manifest(Revision rev);

  [[nodiscard]] Result<void> add_leaf(Revision rev, size_t n, ByteView leaf);
  [[nodiscard]] Result<std::vector<Bytes>> leaves(Revision rev);
  [[nodiscard]] Result<void> forget_leaves(Revision up_to);
  [[nodiscard]] Result<std::vector<Outgoing>> outbox(Revision after, size_t limit);

  [[nodiscard]] Result<Progress> progress();
  [[nodiscard]] Result<void> set_progress(const Progress& progress);

 private:
  Statement head_, get_, revision_of_, scan_, put_, remove_, add_change_, change_, forget_changes_,
      add_manifest_, manifest_, add_leaf_, leaves_, forget_leaves_, progress_, set_progress_;
};

}  // namespace entente::store
