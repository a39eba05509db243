// SQLite behind owning types, for this room only. Errors: "store.full", "store.io", "store.corrupt".
#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace entente::store {

// A prepared statement. Bound text and blobs must live until the next reset().
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  Statement& reset();
  Statement& bind(int at, int64_t value);
  Statement& bind(int at, std::string_view text);
  Statement& bind_blob(int at, ByteView bytes);
  Statement& bind_null(int at);

  [[nodiscard]] Result<bool> step();  // true: a row is there
  [[nodiscard]] Result<void> run();   // step to the end and reset

  [[nodiscard]] int64_t integer(int column) const;
  [[nodiscard]] bool null(int column) const;
  [[nodiscard]] ByteView blob(int column) const;  // valid until the next step() or reset()
  [[nodiscard]] std::string text(int column) const { return std::string(as_text(blob(column))); }

 private:
  struct Finish {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finish> statement_;
};

class Database {
 public:
  enum class Mode { create, write, read };
  [[nodiscard]] static Result<Database> open(const std::string& path, const std::string& vfs, Mode mode);

  [[nodiscard]] Result<void> run(const char* sql);
  [[nodiscard]] Result<Statement> prepare(std::string_view sql);
  [[nodiscard]] Result<int64_t> number(std::string_view sql);  // of one row with one column
  // Moves what the log holds into the database file, as far as no reader is in the way.
  void checkpoint();
  [[nodiscard]] bool in_transaction() const;
  // The file at its path is another one, or none: what is written here would be lost with the process.
  [[nodiscard]] bool moved() const;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace entente::store
