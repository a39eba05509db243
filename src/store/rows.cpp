#include "store/rows.h"

#include <array>
#include <string>

namespace entente::store {
namespace {

constexpr int64_t kApplicationId = 0x454e5453;  // "ENTS"
constexpr int64_t kVersion = 1;

struct Table {
  const char* name;
  const char* sql;
};
constexpr std::array kTables{
    Table{"changes",
          "CREATE TABLE changes(rev INTEGER NOT NULL, n INTEGER NOT NULL, key TEXT NOT NULL, value BLOB, "
          "PRIMARY KEY(rev, n)) WITHOUT ROWID"},
    Table{"manifests",
          "CREATE TABLE manifests(rev INTEGER PRIMARY KEY, body BLOB NOT NULL, signature BLOB NOT NULL)"},
    Table{"outbox",
          "CREATE TABLE outbox(rev INTEGER NOT NULL, n INTEGER NOT NULL, leaf BLOB NOT NULL, "
          "PRIMARY KEY(rev, n)) WITHOUT ROWID"},
    Table{"progress",
          "CREATE TABLE progress(id INTEGER PRIMARY KEY CHECK(id = 1), integrated INTEGER NOT NULL, "
          "oldest INTEGER NOT NULL)"},
    Table{"records",
          "CREATE TABLE records(key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL, rev INTEGER NOT NULL) "
          "WITHOUT ROWID"},
};

Result<void> check_version(Database& database) {
  TRY(const int64_t application, database.number("PRAGMA application_id"));
  TRY(const int64_t version, database.number("PRAGMA user_version"));
  if (application != kApplicationId) return fail("store.format", "the database is not an Entente store");
  if (version != kVersion) {
    return fail("store.format", "the store has version " + std::to_string(version), {},
                "this program reads version " + std::to_string(kVersion));
  }
  return {};
}

Result<void> check_tables(Database& database) {
  TRY(Statement list, database.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY name"));
  for (const Table& table : kTables) {
    TRY(const bool row, list.step());
    if (!row) return fail("store.tampered", "a table is missing", table.name);
    if (list.text(0) != "table" || list.text(1) != table.name || list.text(2) != table.sql) {
      return fail("store.tampered", "the store's database holds something that the store did not make",
                  list.text(1));
    }
  }
  TRY(const bool more, list.step());
  if (more) {
    return fail("store.tampered", "the store's database holds something that the store did not make",
                list.text(1));
  }
  return {};
}

Bytes copy(ByteView bytes) {
  return {bytes.begin(), bytes.end()};
}

int64_t number(Revision rev) {
  return static_cast<int64_t>(rev.value);
}
Revision revision(int64_t number) {
  return Revision{static_cast<uint64_t>(number)};
}

}  // namespace

Result<void> Rows::create(Database& database) {
  for (const Table& table : kTables) TRY_VOID(database.run(table.sql));
  TRY_VOID(database.run("INSERT INTO progress(id, integrated, oldest) VALUES(1, 0, 1)"));
  const std::string marks = "PRAGMA application_id=" + std::to_string(kApplicationId) +
                            "; PRAGMA user_version=" + std::to_string(kVersion);
  return database.run(marks.c_str());
}

Result<bool> Rows::exist(Database& database) {
  TRY(const int64_t count, database.number("SELECT count(*) FROM sqlite_schema"));
  TRY(const int64_t application, database.number("PRAGMA application_id"));
  return count > 0 || application != 0;
}

Result<Rows> Rows::open(Database& database) {
  TRY_VOID(check_version(database));
  TRY_VOID(check_tables(database));
  Rows out;
  TRY(out.head_, database.prepare("SELECT coalesce(max(rev), 0) FROM manifests"));
  TRY(out.get_, database.prepare("SELECT value, rev FROM records WHERE key = ?1"));
  TRY(out.revision_of_, database.prepare("SELECT rev FROM records WHERE key = ?1"));
  TRY(out.scan_, database.prepare("SELECT key, value, rev FROM records WHERE key > ?1 AND key >= ?2 "
                                  "AND key < ?3 ORDER BY key LIMIT ?4"));
  TRY(out.put_, database.prepare("INSERT INTO records(key, value, rev) VALUES(?1, ?2, ?3) "
                                 "ON CONFLICT(key) DO UPDATE SET value = ?2, rev = ?3"));
  TRY(out.remove_, database.prepare("DELETE FROM records WHERE key = ?1"));
  TRY(out.add_change_, database.prepare("INSERT INTO changes(rev, n, key, value) VALUES(?1, ?2, ?3, ?4)"));
  TRY(out.change_, database.prepare("SELECT key, value FROM changes WHERE rev = ?1 ORDER BY n"));
  TRY(out.forget_changes_, database.prepare("DELETE FROM changes WHERE rev < ?1"));
  TRY(out.add_manifest_, database.prepare("INSERT INTO manifests(rev, body, signature) VALUES(?1, ?2, ?3)"));
  TRY(out.manifest_, database.prepare("SELECT body, signature FROM manifests WHERE rev = ?1"));
  TRY(out.add_leaf_, database.prepare("INSERT INTO outbox(rev, n, leaf) VALUES(?1, ?2, ?3)"));
  TRY(out.leaves_, database.prepare("SELECT leaf FROM outbox WHERE rev = ?1 ORDER BY n"));
  TRY(out.forget_leaves_, database.prepare("DELETE FROM outbox WHERE rev <= ?1"));
  TRY(out.progress_, database.prepare("SELECT integrated, oldest FROM progress WHERE id = 1"));
  TRY(out.set_progress_, database.prepare("UPDATE progress SET integrated = ?1, oldest = ?2 WHERE id = 1"));
  return out;
}

Result<Revision> Rows::head() {
  head_.reset();
  TRY(const bool row, head_.step());
  const Revision out = row ? revision(head_.integer(0)) : Revision{};
  head_.reset();
  return out;
}

Result<std::optional<Record>> Rows::get(std::string_view key) {
  TRY(const bool row, get_.reset().bind(1, key).step());
  std::optional<Record> out;
  if (row) out = Record{.key = std::string(key), .value = get_.text(0), .rev = revision(get_.integer(1))};
  get_.reset();
  return out;
}

Result<std::optional<Revision>> Rows::revision_of(std::string_view key) {
  TRY(const bool row, revision_of_.reset().bind(1, key).step());
  std::optional<Revision> out;
  if (row) out = revision(revision_of_.integer(0));
  revision_of_.reset();
  return out;
}

Result<std::vector<Record>> Rows::scan(std::string_view prefix, std::string_view after, size_t limit) {
  // The first key that no longer has the prefix. Keys are printable ASCII, so the last byte can grow; an
  // empty blob sorts behind all text.
  std::string beyond(prefix);
  if (!beyond.empty()) ++beyond.back();
  scan_.reset().bind(1, after).bind(2, prefix).bind(4, static_cast<int64_t>(limit));
  if (beyond.empty()) {
    scan_.bind_blob(3, {});
  } else {
    scan_.bind(3, beyond);
  }
  std::vector<Record> out;
  while (true) {
    const Result<bool> row = scan_.step();
    if (!row || !*row) {
      scan_.reset();
      if (!row) return Failure(row.error());
      return out;
    }
    out.push_back({.key = scan_.text(0), .value = scan_.text(1), .rev = revision(scan_.integer(2))});
  }
}

Result<void> Rows::put(std::string_view key, std::string_view value, Revision rev) {
  return put_.reset().bind(1, key).bind_blob(2, as_bytes(value)).bind(3, number(rev)).run();
}

Result<void> Rows::remove(std::string_view key) {
  return remove_.reset().bind(1, key).run();
}

Result<void> Rows::add_change(Revision rev, size_t n, const Op& op) {
  add_change_.reset().bind(1, number(rev)).bind(2, static_cast<int64_t>(n)).bind(3, op.key);
  if (op.value) {
    add_change_.bind_blob(4, as_bytes(*op.value));
  } else {
    add_change_.bind_null(4);
  }
  return add_change_.run();
}

Result<Change> Rows::change(Revision rev) {
  change_.reset().bind(1, number(rev));
  Change out{.rev = rev, .ops = {}};
  while (true) {
    TRY(const bool row, change_.step());
    if (!row) break;
    Op op{.key = change_.text(0), .value = std::nullopt};
    if (!change_.null(1)) op.value = change_.text(1);
    out.ops.push_back(std::move(op));
  }
  change_.reset();
  return out;
}

Result<void> Rows::forget_changes(Revision before) {
  return forget_changes_.reset().bind(1, number(before)).run();
}

Result<void> Rows::add_manifest(Revision rev, const SignedManifest& manifest) {
  return add_manifest_.reset()
      .bind(1, number(rev))
      .bind_blob(2, as_bytes(manifest.body))
      .bind_blob(3, manifest.signature)
      .run();
}

Result<SignedManifest> Rows::manifest(Revision rev) {
  TRY(const bool row, manifest_.reset().bind(1, number(rev)).step());
  if (!row) {
    return fail("store.tampered", "the store lacks the manifest of a revision",
                "revision " + std::to_string(rev.value));
  }
  SignedManifest out{.body = manifest_.text(0), .signature = copy(manifest_.blob(1))};
  manifest_.reset();
  return out;
}

Result<void> Rows::add_leaf(Revision rev, size_t n, ByteView leaf) {
  return add_leaf_.reset().bind(1, number(rev)).bind(2, static_cast<int64_t>(n)).bind_blob(3, leaf).run();
}

Result<std::vector<Bytes>> Rows::leaves(Revision rev) {
  leaves_.reset().bind(1, number(rev));
  std::vector<Bytes> out;
  while (true) {
    TRY(const bool row, leaves_.step());
    if (!row) break;
    out.push_back(copy(leaves_.blob(0)));
  }
  leaves_.reset();
  return out;
}

Result<void> Rows::forget_leaves(Revision up_to) {
  return forget_leaves_.reset().bind(1, number(up_to)).run();
}

// What the ledger still has to be handed, a revision at a time.
Result<std::vector<Outgoing>> Rows::outbox(Revision after, size_t limit) {
  std::vector<Outgoing> out;
  TRY(const Revision newest, head());
  TRY(const Progress reached, progress());
  if (after < reached.integrated) {
    return fail("store.outbox-gone",
                "leaves up to revision " + std::to_string(reached.integrated.value) +
                    " were handed over and are no longer kept",
                "revision " + std::to_string(after.value + 1));
  }
  for (Revision rev{after.value + 1}; rev <= newest && out.size() < limit; ++rev.value) {
    TRY(const SignedManifest stored, manifest(rev));
    TRY(Manifest read, Manifest::parse(stored.body));
    TRY(std::vector<Bytes> kept, leaves(rev));
    out.push_back({.rev = rev,
                   .manifest = crypto::sha256(stored.body),
                   .at = read.at,
                   .author = std::move(read.author),
                   .leaves = std::move(kept)});
  }
  return out;
}

Result<Progress> Rows::progress() {
  progress_.reset();
  TRY(const bool row, progress_.step());
  if (!row) return fail("store.tampered", "the store lacks its row of progress", "table progress");
  const Progress out{.integrated = revision(progress_.integer(0)), .oldest = revision(progress_.integer(1))};
  progress_.reset();
  return out;
}

Result<void> Rows::set_progress(const Progress& progress) {
  return set_progress_.reset().bind(1, number(progress.integrated)).bind(2, number(progress.oldest)).run();
}

}  // namespace entente::store
