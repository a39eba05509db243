// A small JSON value. Parsing is strict (RFC 8259, UTF-8, duplicate keys and deep nesting refused);
// canonical() is RFC 8785, so that equal values have equal bytes to sign and to hash.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace entente {

[[nodiscard]] bool is_utf8(std::string_view text);

class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;  // in the order written; keys are unique

  class Given;  // a member as it is written down

  Json() = default;
  Json(std::nullptr_t) {}
  Json(bool value) : value_(value) {}
  Json(int value) : value_(int64_t{value}) {}
  Json(int64_t value) : value_(value) {}
  Json(uint64_t value) : value_(static_cast<int64_t>(value)) {}
  Json(double value) : value_(value) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}
  [[nodiscard]] static Json object(std::initializer_list<Given> members = {});
  [[nodiscard]] static Json array(std::initializer_list<Json> items = {}) { return Json(Array(items)); }

  struct Limits {
    size_t bytes_max = 1 << 20;
    size_t depth_max = 32;
  };
  // Errors: code "json.parse", where "line:column" of the first fault when it can be told.
  [[nodiscard]] static Result<Json> parse(std::string_view text, Limits limits);
  [[nodiscard]] static Result<Json> parse(std::string_view text) { return parse(text, Limits{}); }

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  [[nodiscard]] bool is_bool() const { return std::holds_alternative<bool>(value_); }
  [[nodiscard]] bool is_int() const { return std::holds_alternative<int64_t>(value_); }
  [[nodiscard]] bool is_number() const { return is_int() || std::holds_alternative<double>(value_); }
  [[nodiscard]] bool is_string() const { return std::holds_alternative<std::string>(value_); }
  [[nodiscard]] bool is_array() const { return std::holds_alternative<Array>(value_); }
  [[nodiscard]] bool is_object() const { return std::holds_alternative<Object>(value_); }

  // Only after the is_ check: otherwise ends the process.
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] int64_t integer() const;
  [[nodiscard]] double number() const;
  [[nodiscard]] const std::string& string() const;
  [[nodiscard]] const Array& items() const;
  [[nodiscard]] const Object& members() const;
  [[nodiscard]] Array& items();
  [[nodiscard]] Object& members();

  // The member of that name, or nullptr: also on a value that is no object.
  [[nodiscard]] const Json* find(std::string_view key) const;
  [[nodiscard]] std::string_view text_or(std::string_view key, std::string_view otherwise) const;
  // Sets or replaces a member; a null value becomes an object first.
  Json& set(std::string key, Json value);
  Json& push(Json value);

  [[nodiscard]] std::string dump() const;       // compact, members in their order
  [[nodiscard]] std::string pretty() const;     // two-space indent, for people
  [[nodiscard]] std::string canonical() const;  // RFC 8785

  bool operator==(const Json&) const = default;

 private:
  struct Reader;
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> value_;
};

// What an initializer list holds is const, and would be copied with all that is under it: this may be taken.
class Json::Given {
 public:
  Given(std::string key, Json value) : member_(std::move(key), std::move(value)) {}
  [[nodiscard]] Member take() const { return std::move(member_); }

 private:
  mutable Member member_;
};

// "line:column" (from 1) at which the value at `path` ("/door/listen", RFC 6901) starts in a text that
// parses.
[[nodiscard]] std::string json_place(std::string_view text, std::string_view path);

}  // namespace entente
