// Results and errors across every room's face. No exceptions cross a room.
#pragma once

#include <concepts>
#include <expected>
#include <memory>
#include <string>
#include <type_traits>
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

[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;
[[noreturn]] void no_value(const Error& error) noexcept;  // ends the process, saying which error was there

// An error on its way out of a function: one pointer, so that results that hold none stay small (they live in
// every coroutine's frame).
class Failure {
 public:
  explicit Failure(Error error) : error_(std::make_unique<Error>(std::move(error))) {}
  explicit Failure(std::unique_ptr<Error> error) : error_(std::move(error)) {}
  Failure(const Failure& other) : Failure(*other.error_) {}
  Failure(Failure&&) noexcept = default;
  Failure& operator=(Failure other) noexcept {
    error_ = std::move(other.error_);
    return *this;
  }
  [[nodiscard]] Error& error() { return *error_; }
  [[nodiscard]] const Error& error() const { return *error_; }
  [[nodiscard]] std::unique_ptr<Error> take() && { return std::move(error_); }

 private:
  std::unique_ptr<Error> error_;  // never null but when moved from
};

[[nodiscard]] inline Failure fail(std::string code, std::string what, std::string where = {},
                                  std::string hint = {}) {
  return Failure(Error{std::move(code), std::move(what), std::move(where), std::move(hint)});
}

// A value or an error. Reading the one that is not there ends the process.
template <class T>
class Result {
 public:
  using value_type = T;

  Result()
    requires std::default_initializable<T>
      : value_(), has_value_(true) {}
  template <class U = T>
    requires(!std::same_as<std::remove_cvref_t<U>, Result> &&
             !std::same_as<std::remove_cvref_t<U>, Failure> && std::is_constructible_v<T, U>)
  explicit(!std::is_convertible_v<U, T>) Result(U&& value)
      : value_(std::forward<U>(value)), has_value_(true) {}
  Result(Failure failure) : error_(std::move(failure).take()), has_value_(false) {}
  Result(std::unexpected<Error> failure) : Result(Failure(std::move(failure).error())) {}
  template <class U>
    requires(!std::same_as<U, T> && !std::is_constructible_v<T, Result<U>> && std::is_convertible_v<U, T>)
  Result(Result<U> other) : Result(other ? Result(*std::move(other)) : Result(std::move(other).failure())) {}

  Result(const Result& other)
    requires std::copy_constructible<T>
      : has_value_(other.has_value_) {
    if (has_value_) {
      std::construct_at(std::addressof(value_), other.value_);
    } else {
      std::construct_at(&error_, std::make_unique<Error>(*other.error_));
    }
  }
  Result(Result&& other) noexcept(std::is_nothrow_move_constructible_v<T>) : has_value_(other.has_value_) {
    if (has_value_) {
      std::construct_at(std::addressof(value_), std::move(other.value_));
    } else {
      std::construct_at(&error_, std::move(other.error_));
    }
  }
  Result& operator=(Result other) noexcept(std::is_nothrow_move_constructible_v<T>) {
    std::destroy_at(this);
    return *std::construct_at(this, std::move(other));
  }
  ~Result() {
    if (has_value_) {
      std::destroy_at(std::addressof(value_));
    } else {
      std::destroy_at(&error_);
    }
  }

  [[nodiscard]] bool has_value() const { return has_value_; }
  [[nodiscard]] explicit operator bool() const { return has_value_; }
  [[nodiscard]] T& operator*() & { return checked().value_; }
  [[nodiscard]] const T& operator*() const& { return checked().value_; }
  [[nodiscard]] T&& operator*() && { return std::move(checked().value_); }
  [[nodiscard]] T* operator->() { return std::addressof(checked().value_); }
  [[nodiscard]] const T* operator->() const { return std::addressof(checked().value_); }
  [[nodiscard]] T& value() & { return checked().value_; }
  [[nodiscard]] const T& value() const& { return checked().value_; }
  [[nodiscard]] T&& value() && { return std::move(checked().value_); }
  template <class U>
  [[nodiscard]] T value_or(U&& otherwise) const& {
    return has_value_ ? value_ : static_cast<T>(std::forward<U>(otherwise));
  }
  template <class U>
  [[nodiscard]] T value_or(U&& otherwise) && {
    return has_value_ ? std::move(value_) : static_cast<T>(std::forward<U>(otherwise));
  }

  [[nodiscard]] Error& error() & { return *failed().error_; }
  [[nodiscard]] const Error& error() const& { return *failed().error_; }
  [[nodiscard]] Error&& error() && { return std::move(*failed().error_); }
  // The error, to be returned from a function of another value; this is only good for destruction then.
  [[nodiscard]] Failure failure() && { return Failure(std::move(failed().error_)); }

  friend bool operator==(const Result& a, const Result& b) {
    if (a.has_value_ != b.has_value_) return false;
    return a.has_value_ ? a.value_ == b.value_ : *a.error_ == *b.error_;
  }
  template <class U>
    requires(!std::same_as<U, Result>)
  friend bool operator==(const Result& a, const U& b) {
    return a.has_value_ && a.value_ == b;
  }

 private:
  template <class Self>
  static Self& with_value(Self& self) {
    if (!self.has_value_) [[unlikely]]
      no_value(*self.error_);
    return self;
  }
  Result& checked() { return with_value(*this); }
  const Result& checked() const { return with_value(*this); }
  Result& failed() {
    if (has_value_) [[unlikely]]
      check_failed("a result with an error", __FILE__, __LINE__);
    return *this;
  }
  const Result& failed() const { return const_cast<Result*>(this)->failed(); }

  union {
    T value_;
    std::unique_ptr<Error> error_;
  };
  bool has_value_;
};

template <>
class Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Failure failure) : error_(std::move(failure).take()) {}
  Result(std::unexpected<Error> failure) : Result(Failure(std::move(failure).error())) {}
  Result(const Result& other) : error_(other.error_ ? std::make_unique<Error>(*other.error_) : nullptr) {}
  Result(Result&&) noexcept = default;
  Result& operator=(Result other) noexcept {
    error_ = std::move(other.error_);
    return *this;
  }
  ~Result() = default;

  [[nodiscard]] bool has_value() const { return error_ == nullptr; }
  [[nodiscard]] explicit operator bool() const { return error_ == nullptr; }
  void operator*() const { value(); }
  void value() const {
    if (error_ != nullptr) [[unlikely]]
      no_value(*error_);
  }
  [[nodiscard]] Error& error() & { return *failed(); }
  [[nodiscard]] const Error& error() const& { return *failed(); }
  [[nodiscard]] Error&& error() && { return std::move(*failed()); }
  [[nodiscard]] Failure failure() && { return Failure(std::move(failed())); }

 private:
  std::unique_ptr<Error>& failed() {
    if (error_ == nullptr) [[unlikely]]
      check_failed("a result with an error", __FILE__, __LINE__);
    return error_;
  }
  const std::unique_ptr<Error>& failed() const { return const_cast<Result*>(this)->failed(); }

  std::unique_ptr<Error> error_;
};

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
#define TRY_(name, declaration, expression)    \
  auto name = (expression);                    \
  if (!name) return std::move(name).failure(); \
  declaration = *std::move(name)
#define TRY_VOID(expression) TRY_VOID_(ENTENTE_CONCAT(try_result_, __LINE__), expression)
#define TRY_VOID_(name, expression)              \
  do {                                           \
    auto name = (expression);                    \
    if (!name) return std::move(name).failure(); \
  } while (false)
#define CO_TRY(declaration, expression) \
  CO_TRY_(ENTENTE_CONCAT(try_result_, __LINE__), declaration, expression)
#define CO_TRY_(name, declaration, expression)    \
  auto name = (expression);                       \
  if (!name) co_return std::move(name).failure(); \
  declaration = *std::move(name)
#define CO_TRY_VOID(expression) CO_TRY_VOID_(ENTENTE_CONCAT(try_result_, __LINE__), expression)
#define CO_TRY_VOID_(name, expression)              \
  do {                                              \
    auto name = (expression);                       \
    if (!name) co_return std::move(name).failure(); \
  } while (false)
