// Results and errors across every room's face. No exceptions cross a room.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace entente {

// A failure a person can meet. `code` is stable and documented in docs/errors.md ("room.what-went-wrong");
// `what` says what happened in a sentence; `where` names the place (file:line:column, host, record); `hint`
// says what to do. Never holds a secret.
struct Error {
  std::string code;
  std::string what;
  std::string where;
  std::string hint;

  [[nodiscard]] std::string text() const;  // one line: "where: what (hint) [code]"
  bool operator==(const Error&) const = default;
};

template <class T>
using Result = std::expected<T, Error>;

using Failure = std::unexpected<Error>;

[[nodiscard]] inline Failure fail(std::string code, std::string what, std::string where = {},
                                  std::string hint = {}) {
  return Failure(Error{std::move(code), std::move(what), std::move(where), std::move(hint)});
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
