#include "store/database.h"

#include <limits>

#include <sqlite3.h>

namespace entente::store {
namespace {

constexpr int kBusyWait_ms = 10'000;  // a reader that recovers the log; there is no second writer

Failure failure(sqlite3* database, int code) {
  const std::string said = sqlite3_errmsg(database);
  // A shared-memory file that can't grow is a full disk too.
  if (code == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE) {
    return fail("store.full", "the disk that holds the store has no space left", {},
                "free some space; nothing was changed");
  }
  if ((code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB) {
    return fail("store.corrupt", "the store's database is damaged: " + said, {}, "restore it from a copy");
  }
  return fail("store.io", "the store's disk refused: " + said);
}

int length(size_t size) {
  ENTENTE_CHECK(size <= static_cast<size_t>(std::numeric_limits<int>::max()));
  return static_cast<int>(size);
}

}  // namespace

void Statement::Finish::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement& Statement::reset() {
  sqlite3_reset(statement_.get());
  return *this;
}

Statement& Statement::bind(int at, int64_t value) {
  ENTENTE_CHECK(sqlite3_bind_int64(statement_.get(), at, value) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind(int at, std::string_view text) {
  // An empty view may have no address, and SQLite would take that for NULL.
  const char* data = text.empty() ? "" : text.data();
  ENTENTE_CHECK(sqlite3_bind_text(statement_.get(), at, data, length(text.size()), SQLITE_STATIC) ==
                SQLITE_OK);
  return *this;
}

Statement& Statement::bind_blob(int at, ByteView bytes) {
  const void* data = bytes.empty() ? static_cast<const void*>("") : bytes.data();
  ENTENTE_CHECK(sqlite3_bind_blob(statement_.get(), at, data, length(bytes.size()), SQLITE_STATIC) ==
                SQLITE_OK);
  return *this;
}

Statement& Statement::bind_null(int at) {
  ENTENTE_CHECK(sqlite3_bind_null(statement_.get(), at) == SQLITE_OK);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return failure(sqlite3_db_handle(statement_.get()),
                 sqlite3_extended_errcode(sqlite3_db_handle(statement_.get())));
}

Result<void> Statement::run() {
  while (true) {
    const Result<bool> row = step();
    if (!row || !*row) sqlite3_reset(statement_.get());
    if (!row) return Failure(row.error());
    if (!*row) return {};
  }
}

int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

bool Statement::null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

ByteView Statement::blob(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  return {static_cast<const uint8_t*>(data),
          static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

void Database::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

Result<Database> Database::open(const std::string& path, const std::string& vfs, Mode mode) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= mode == Mode::read ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (mode == Mode::create) flags |= SQLITE_OPEN_CREATE;
  Database out;
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, vfs.empty() ? nullptr : vfs.c_str());
  out.database_.reset(handle);
  if (code != SQLITE_OK) {
    auto failed = failure(handle, code);
    failed.error().where() = path;
    return failed;
  }
  sqlite3_busy_timeout(handle, kBusyWait_ms);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  TRY_VOID(out.run("PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0"));
  if (mode == Mode::read) return out;
  TRY_VOID(
      out.run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
              "PRAGMA journal_size_limit=67108864"));
  return out;
}

Result<void> Database::run(const char* sql) {
  const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(database_.get(), code);
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): its length goes with it
  const int code = sqlite3_prepare_v3(database_.get(), sql.data(), length(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return failure(database_.get(), code);
  return Statement(statement);
}

Result<int64_t> Database::number(std::string_view sql) {
  TRY(Statement statement, prepare(sql));
  TRY(const bool row, statement.step());
  if (!row) return fail("store.corrupt", "the store lacks a row that each store has");
  return statement.integer(0);
}

void Database::checkpoint() {
  // What fails here is tried again after a later commit: the log holds everything until then.
  sqlite3_wal_checkpoint_v2(database_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

bool Database::moved() const {
  int moved = 0;
  const int code = sqlite3_file_control(database_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return code == SQLITE_OK && moved != 0;
}

bool Database::in_transaction() const {
  return sqlite3_get_autocommit(database_.get()) == 0;
}

}  // namespace entente::store
