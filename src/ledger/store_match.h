// How store commits look in the ledger, and the check that both tell the same story. For this room only.
#pragma once

#include "ledger/record.h"
#include "store/store.h"

#include <vector>

namespace entente::ledger {

inline constexpr std::string_view kStorePrefix = "store.";  // field names that only we write

// A commit's records: its leaves, each with the fields store.rev, store.manifest, store.author, store.leaf
// and store.leaves; "store.commit" when there is none; "store.opaque" for a leaf that is no record.
[[nodiscard]] std::vector<Record> records_of(const store::Outgoing& outgoing);

// Fed with every record in order; complains about the first that does not fit.
class StoreMatch {
 public:
  // `moving`: a node is at work, so either side may be ahead of what was read of the other.
  explicit StoreMatch(const store::Loaded* loaded, bool moving = false) : loaded_(loaded), moving_(moving) {}
  [[nodiscard]] Result<void> feed(uint64_t index, const Json& fields);
  [[nodiscard]] Result<void> finish() const;
  [[nodiscard]] Revision newest() const { return rev_; }

 private:
  Result<void> match(const std::string& where, std::string_view manifest) const;

  const store::Loaded* loaded_;
  bool moving_;
  Revision rev_;
  int64_t leaf_ = 0;    // the next one of rev_
  int64_t leaves_ = 0;  // that rev_ has
};

}  // namespace entente::ledger
