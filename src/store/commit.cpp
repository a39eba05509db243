#include "store/commit.h"

#include <algorithm>
#include <set>

namespace entente::store {
namespace {

constexpr size_t kAuthorBytesMax = 512;
constexpr size_t kLeafBytesMax = 128 * 1024;
constexpr size_t kLeavesBytesMax = 1 << 20;  // the ledger records them as one batch

Failure too_large(std::string what, std::string where = {}) {
  return fail("store.too-large", std::move(what), std::move(where), "split the commit");
}

Manifest describe(const Commit& commit, const Head& head, Instant now) {
  Manifest out{.rev = {head.rev.value + 1},
               .previous = head.manifest,
               .at = now,
               .author = commit.author,
               .ops = {},
               .leaves = {}};
  for (const Op& op : commit.ops) {
    std::optional<crypto::Digest> value;
    if (op.value) value = crypto::sha256(*op.value);
    out.ops.push_back({.key = op.key, .value = value});
  }
  for (const Bytes& leaf : commit.leaves) out.leaves.push_back(crypto::sha256(leaf));
  return out;
}

}  // namespace

bool is_key(std::string_view key) {
  return !key.empty() && key.size() <= kKeyBytesMax &&
         std::ranges::all_of(key, [](char c) { return c > ' ' && c < 0x7f; });
}

size_t bytes_of(const Commit& commit) {
  size_t bytes = 0;
  for (const Op& op : commit.ops) bytes += op.key.size() + (op.value ? op.value->size() : 0);
  for (const Bytes& leaf : commit.leaves) bytes += leaf.size();
  return bytes;
}

Result<void> check_shape(const Commit& commit, bool may_write_leases) {
  std::set<std::string_view> seen;
  for (const Op& op : commit.ops) {
    if (!is_key(op.key)) {
      return fail("store.key", "a key is 1 to 512 printable ASCII characters without spaces",
                  op.key.substr(0, 64));
    }
    if (!may_write_leases && op.key.starts_with(kLeasePrefix)) {
      return fail("store.key", "leases are taken with lease()", op.key);
    }
    if (!seen.insert(op.key).second) return fail("store.key", "a commit names a key twice", op.key);
    if (op.value && op.value->size() > kValueBytesMax) return too_large("a value is above 1 MiB", op.key);
  }
  if (commit.ops.size() > kCommitOpsMax) return too_large("a commit has more than 65,536 operations");
  if (commit.leaves.size() > kLeavesMax) return too_large("a commit has more than 256 leaves");
  if (commit.author.size() > kAuthorBytesMax) return too_large("the author's name is above 512 bytes");
  size_t leaves_bytes = 0;
  for (const Bytes& leaf : commit.leaves) {
    if (leaf.size() > kLeafBytesMax) return too_large("a leaf is above 128 KiB");
    leaves_bytes += leaf.size();
  }
  if (leaves_bytes > kLeavesBytesMax) return too_large("a commit's leaves are above 1 MiB together");
  if (bytes_of(commit) > kCommitBytesMax) return too_large("a commit is above 64 MiB");
  return {};
}

Result<void> check_preconditions(Rows& rows, const Commit& commit) {
  for (const Precondition& wanted : commit.preconditions) {
    TRY(const std::optional<Revision> found, rows.revision_of(wanted.key));
    if (found == wanted.rev) continue;
    const auto say = [](const std::optional<Revision>& rev) {
      return rev ? "revision " + std::to_string(rev->value) : std::string("absent");
    };
    return fail("store.precondition", "the record is at " + say(found) + ", not at " + say(wanted.rev),
                wanted.key, "read it again and decide anew");
  }
  return {};
}

Result<Committed> write_commit(Rows& rows, const Commit& commit, Head& head, Instant now, const Sign& sign) {
  const Manifest manifest = describe(commit, head, now);
  std::string body = manifest.encode();
  TRY(Bytes signature, sign(manifest_message(body)));
  const Revision rev = manifest.rev;
  for (size_t n = 0; n < commit.ops.size(); ++n) {
    const Op& op = commit.ops[n];
    TRY_VOID(op.value ? rows.put(op.key, *op.value, rev) : rows.remove(op.key));
    TRY_VOID(rows.add_change(rev, n, op));
  }
  for (size_t n = 0; n < commit.leaves.size(); ++n) TRY_VOID(rows.add_leaf(rev, n, commit.leaves[n]));
  head = {.rev = rev, .manifest = crypto::sha256(body)};
  TRY_VOID(rows.add_manifest(rev, {.body = std::move(body), .signature = std::move(signature)}));
  return Committed{.rev = rev,
                   .outgoing = {.rev = rev,
                                .manifest = head.manifest,
                                .at = now,
                                .author = commit.author,
                                .leaves = commit.leaves}};
}

bool is_refusal(const Error& error) {
  return error.code() == "store.precondition";
}

}  // namespace entente::store
