// What a commit must be, and how one is written into an open transaction. For this room only.
#pragma once

#include "store/rows.h"
#include "store/store.h"

namespace entente::store {

inline constexpr std::string_view kLeasePrefix = "lease/";

struct Head {
  Revision rev;
  crypto::Digest manifest{};
};

[[nodiscard]] bool is_key(std::string_view key);
[[nodiscard]] size_t bytes_of(const Commit& commit);
// What can be said about a commit without looking at the records.
[[nodiscard]] Result<void> check_shape(const Commit& commit, bool may_write_leases);
[[nodiscard]] Result<void> check_preconditions(Rows& rows, const Commit& commit);
// Writes one commit inside the open transaction and moves `head` on.
[[nodiscard]] Result<Committed> write_commit(Rows& rows, const Commit& commit, Head& head, Instant now,
                                             const Sign& sign);
[[nodiscard]] bool is_refusal(const Error& error);  // of this commit alone, by what the records are

}  // namespace entente::store
