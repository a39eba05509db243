// Results and errors across every room's face. No exceptions cross a room.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace entente {

// A failure a person can meet. `code` is stable and documented in docs/errors.md ("room.what-went-wrong");
// `what` says what happened in a sentence; `where` names the place (file:line:column, host, record); `hint`
// says what to do. Never holds a secret. One pointer wide, because results that hold none live in every
// coroutine's frame; a default or moved-from error says nothing.
class Error {
 public:
  Error() = default;
  Error(std::string code, std::string what, std::string where = {}, std::string hint = {});
  Error(const Error& other);
  Error(Error&&) noexcept = default;
  Error& operator=(Error other) noexcept;
  ~Error() = default;

  [[nodiscard]] const std::string& code() const { return said().code; }
  [[nodiscard]] const std::string& what() const { return said().what; }
  [[nodiscard]] const std::string& where() const { return said().where; }
  [[nodiscard]] const std::string& hint() const { return said().hint; }
  [[nodiscard]] std::string& code() { return to_say().code; }
  [[nodiscard]] std::string& what() { return to_say().what; }
  [[nodiscard]] std::string& where() { return to_say().where; }
  [[nodiscard]] std::string& hint() { return to_say().hint; }

  [[nodiscard]] std::string text() const;  // one line: "where: what (hint) [code]"
  bool operator==(const Error& other) const { return said() == other.said(); }

 private:
  struct Words {
    std::string code;
    std::string what;
    std::string where;
    std::string hint;
    bool operator==(const Words&) const = default;
  };
  [[nodiscard]] const Words& said() const;
  [[nodiscard]] Words& to_say();

  std::unique_ptr<Words> words_;
};

template <class T>
using Result = std::expected<T, Error>;

using Failure = std::unexpected<Error>;

// Cold, and by views: hundreds of places call it, none of them on the way that usually is taken, and what
// they need for it would lie between the code of that way.
[[nodiscard]] [[gnu::cold]] Failure fail(std::string_view code, std::string_view what,
                                         std::string_view where = {}, std::string_view hint = {});
// With a path for the place.
template <class Path>
  requires requires(const Path& path) { std::string_view(path.native()); }
[[nodiscard]] Failure fail(std::string_view code, std::string_view what, const Path& where,
                           std::string_view hint = {}) {
  return fail(code, what, std::string_view(where.native()), hint);
}

[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace entente

// For what must never be: always on, ends the process. The ledger and the store recover on restart.
#define ENTENTE_CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::entente::check_failed(#condition, __FILE__, __LINE__))

#ifdef NDEBUG
#define ENTENTE_DCHECK(condition) void(0)
#else
#define ENTENTE_DCHECK(condition) ENTENTE_CHECK(condition)
#endif

#define ENTENTE_CONCAT_(a, b) a##b
#define ENTENTE_CONCAT(a, b) ENTENTE_CONCAT_(a, b)

// TRY(auto value, expression) binds the value or returns the error; TRY_VOID(expression) only returns the
// error. CO_TRY and CO_TRY_VOID are the same inside a coroutine; `expression` must not contain co_await (bind
// it first).
#define TRY(declaration, expression) TRY_(ENTENTE_CONCAT(try_result_, __LINE__), declaration, expression)
#define TRY_(name, declaration, expression)                                     \
  auto name = (expression);                                                     \
  if (!name) return std::unexpected<::entente::Error>(std::move(name).error()); \
  declaration = *std::move(name)
#define TRY_VOID(expression) TRY_VOID_(ENTENTE_CONCAT(try_result_, __LINE__), expression)
#define TRY_VOID_(name, expression)                                               \
  do {                                                                            \
    auto name = (expression);                                                     \
    if (!name) return std::unexpected<::entente::Error>(std::move(name).error()); \
  } while (false)
#define CO_TRY(declaration, expression) \
  CO_TRY_(ENTENTE_CONCAT(try_result_, __LINE__), declaration, expression)
#define CO_TRY_(name, declaration, expression)                                     \
  auto name = (expression);                                                        \
  if (!name) co_return std::unexpected<::entente::Error>(std::move(name).error()); \
  declaration = *std::move(name)
#define CO_TRY_VOID(expression) CO_TRY_VOID_(ENTENTE_CONCAT(try_result_, __LINE__), expression)
#define CO_TRY_VOID_(name, expression)                                               \
  do {                                                                               \
    auto name = (expression);                                                        \
    if (!name) co_return std::unexpected<::entente::Error>(std::move(name).error()); \
  } while (false)
