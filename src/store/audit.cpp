#include "store/audit.h"

#include "store/rows.h"

#include <map>
#include <string>
#include <utility>

namespace entente::store {
namespace {

struct Expected {
  Revision rev;
  crypto::Digest value{};
};

Failure tampered(std::string what, std::string where) {
  return fail("store.tampered", std::move(what), std::move(where),
              "the store was changed by something other than this node: restore it from a copy");
}

std::string at(Revision rev) {
  return "revision " + std::to_string(rev.value);
}

Revision revision(int64_t number) {
  return Revision{static_cast<uint64_t>(number)};
}

class Auditor {
 public:
  Auditor(Database& database, const Verifiers& verifiers, Signatures signatures)
      : database_(database), verifiers_(verifiers), signatures_(signatures) {}

  Result<Loaded> run() {
    TRY(Rows rows, Rows::open(database_));
    TRY(progress_, rows.progress());
    TRY(out_.head, rows.head());
    out_.integrated = progress_.integrated;
    if (out_.head == Revision{}) return fail("store.no-genesis", "the store has no genesis");
    if (progress_.integrated > out_.head || progress_.oldest.value < 1) {
      return tampered("the store's row of progress is not possible", "table progress");
    }
    TRY_VOID(manifests());
    TRY_VOID(records());
    return std::move(out_);
  }

 private:
  Result<void> manifests() {
    TRY(Statement all, database_.prepare("SELECT rev, body, signature FROM manifests ORDER BY rev"));
    TRY(changes_, database_.prepare("SELECT rev, key, value FROM changes ORDER BY rev, n"));
    TRY(leaves_, database_.prepare("SELECT rev, leaf FROM outbox ORDER BY rev, n"));
    TRY(change_left_, changes_.step());
    TRY(leaf_left_, leaves_.step());
    crypto::Digest previous{};
    for (uint64_t n = 1; n <= out_.head.value; ++n) {
      TRY(const bool row, all.step());
      const Revision rev{n};
      if (!row || revision(all.integer(0)) != rev)
        return tampered("the manifest of a revision is missing", at(rev));
      const std::string body = all.text(1);
      TRY_VOID(check_signature(rev, body, all.blob(2)));
      const Result<Manifest> manifest = Manifest::parse(body);
      if (!manifest || manifest->rev != rev || manifest->previous != previous) {
        return tampered("the manifest does not follow from the one before", at(rev));
      }
      previous = crypto::sha256(body);
      out_.manifests.push_back({.rev = rev, .digest = previous});
      TRY_VOID(check_changes(*manifest));
      TRY_VOID(check_leaves(*manifest));
      for (const ManifestOp& op : manifest->ops) {
        if (op.value) {
          expected_.insert_or_assign(op.key, Expected{.rev = rev, .value = *op.value});
        } else {
          expected_.erase(op.key);
        }
      }
    }
    if (change_left_) return tampered("a change was slipped in", at(revision(changes_.integer(0))));
    if (leaf_left_) return tampered("a leaf was slipped in", at(revision(leaves_.integer(0))));
    return {};
  }

  Result<void> check_signature(Revision rev, const std::string& body, ByteView signature) const {
    const Bytes message = manifest_message(body);
    if (rev.value == 1) {
      if (verifiers_.verify_genesis && verifiers_.verify_genesis(message, signature)) return {};
      return fail("store.genesis", "the genesis is not signed by the key this node was told to trust",
                  at(rev), "check the genesis key in the configuration");
    }
    if (signatures_ == Signatures::head && rev != out_.head) return {};
    if (verifiers_.verify && verifiers_.verify(message, signature)) return {};
    return tampered("the manifest's signature does not hold", at(rev));
  }

  Result<void> check_changes(const Manifest& manifest) {
    if (manifest.rev < progress_.oldest) {
      if (change_left_ && revision(changes_.integer(0)) <= manifest.rev) {
        return tampered("a change was slipped in below the kept history", at(manifest.rev));
      }
      return {};
    }
    for (const ManifestOp& op : manifest.ops) {
      const bool same = change_left_ && revision(changes_.integer(0)) == manifest.rev &&
                        changes_.text(1) == op.key && changes_.null(2) == !op.value &&
                        (!op.value || crypto::sha256(changes_.blob(2)) == *op.value);
      if (!same)
        return tampered("a kept change is not what was signed", at(manifest.rev) + ", record " + op.key);
      TRY(change_left_, changes_.step());
    }
    if (change_left_ && revision(changes_.integer(0)) <= manifest.rev) {
      return tampered("a change was slipped in", at(manifest.rev));
    }
    return {};
  }

  Result<void> check_leaves(const Manifest& manifest) {
    if (manifest.rev > progress_.integrated) {
      for (const crypto::Digest& leaf : manifest.leaves) {
        const bool same = leaf_left_ && revision(leaves_.integer(0)) == manifest.rev &&
                          crypto::sha256(leaves_.blob(1)) == leaf;
        if (!same) return tampered("a leaf for the ledger is not what was signed", at(manifest.rev));
        TRY(leaf_left_, leaves_.step());
      }
    }
    if (leaf_left_ && revision(leaves_.integer(0)) <= manifest.rev) {
      return tampered("a leaf for the ledger was slipped in", at(manifest.rev));
    }
    return {};
  }

  Result<void> records() {
    TRY(Statement all, database_.prepare("SELECT key, value, rev FROM records ORDER BY key"));
    while (true) {
      TRY(const bool row, all.step());
      if (!row) break;
      Record record{.key = all.text(0), .value = all.text(1), .rev = revision(all.integer(2))};
      const auto found = expected_.find(record.key);
      if (found == expected_.end())
        return tampered("no commit wrote this record: it was slipped in", record.key);
      if (found->second.rev != record.rev || found->second.value != crypto::sha256(record.value)) {
        return tampered("the record is not what " + at(found->second.rev) + " wrote", record.key);
      }
      expected_.erase(found);
      out_.records.push_back(std::move(record));
    }
    if (expected_.empty()) return {};
    const auto& [key, lost] = *expected_.begin();
    return tampered("the record that " + at(lost.rev) + " wrote was removed", key);
  }

  Database& database_;
  const Verifiers& verifiers_;
  Signatures signatures_;
  Loaded out_;
  Progress progress_;
  Statement changes_, leaves_;
  bool change_left_ = false;
  bool leaf_left_ = false;
  std::map<std::string, Expected, std::less<>> expected_;
};

}  // namespace

Result<Loaded> audit(Database& database, const Verifiers& verifiers, Signatures signatures) {
  TRY_VOID(database.run("BEGIN"));
  Result<Loaded> out = Auditor(database, verifiers, signatures).run();
  // A read transaction that ends either way: nothing was written.
  TRY_VOID(database.run("ROLLBACK"));
  return out;
}

}  // namespace entente::store
