#include "base/json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

namespace entente {
namespace {

std::string line_and_column(std::string_view text, size_t offset) {
  offset = std::min(offset, text.size());
  const std::string_view before = text.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t start = before.rfind('\n');
  return fmt::format("{}:{}", line, offset - (start == std::string_view::npos ? 0 : start + 1) + 1);
}

// Walks a text in which simdjson found a fault, or one that is known to parse, to say where something stands.
// It follows the grammar only as far as places need: simdjson alone decides what is JSON.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  // Moves over one value; false at the first place where none can stand.
  bool value(size_t depth) {
    space();
    if (depth > 64 || at_ >= text_.size()) return false;
    switch (text_[at_]) {
      case '{':
        return members(depth, {}, nullptr);
      case '[':
        return items(depth);
      case '"':
        return string(nullptr);
      default:
        return scalar();
    }
  }

  // Moves to the start of the value at `path`; stays at the nearest parent that exists.
  void seek(std::string_view path) {
    space();
    while (!path.empty()) {
      path.remove_prefix(1);
      const size_t end = std::min(path.find('/'), path.size());
      const std::string_view step = path.substr(0, end);
      path.remove_prefix(end);
      const size_t parent = at_;
      bool found = false;
      if (at_ < text_.size() && text_[at_] == '{') {
        members(0, step, &found);
      } else if (at_ < text_.size() && text_[at_] == '[') {
        found = item(step);
      }
      if (!found) {
        at_ = parent;
        return;
      }
      space();
    }
  }

  [[nodiscard]] size_t at() const { return at_; }
  bool at_end() {
    space();
    return at_ == text_.size();
  }

 private:
  void space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
  }
  bool expect(char c) {
    space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool string(std::string* out) {
    const size_t start = ++at_;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (static_cast<uint8_t>(text_[at_]) < 0x20) return false;
      at_ += text_[at_] == '\\' ? 2 : 1;
    }
    if (at_ >= text_.size()) {
      at_ = start - 1;
      return false;
    }
    if (out != nullptr) *out = std::string(text_.substr(start, at_ - start));
    ++at_;
    return true;
  }
  bool scalar() {
    const size_t start = at_;
    while (at_ < text_.size() && std::string_view(",]} \t\r\n:").find(text_[at_]) == std::string_view::npos)
      ++at_;
    const std::string_view word = text_.substr(start, at_ - start);
    if (word == "true" || word == "false" || word == "null") return true;
    const bool numeric = !word.empty() &&
                         word.find_first_not_of("0123456789+-.eE") == std::string_view::npos &&
                         (word[0] == '-' || (word[0] >= '0' && word[0] <= '9'));
    if (!numeric) at_ = start;
    return numeric;
  }
  // With `wanted`, stops before that member's value and says so in *found.
  bool members(size_t depth, std::string_view wanted, bool* found) {
    ++at_;
    space();
    if (at_ < text_.size() && text_[at_] == '}') return ++at_, true;
    while (true) {
      space();
      std::string key;
      if (at_ >= text_.size() || text_[at_] != '"' || !string(&key) || !expect(':')) return false;
      if (found != nullptr && key == wanted) return *found = true;
      if (!value(depth + 1)) return false;
      space();
      if (at_ < text_.size() && text_[at_] == '}') return ++at_, true;
      if (!expect(',')) return false;
    }
  }
  bool items(size_t depth) {
    ++at_;
    space();
    if (at_ < text_.size() && text_[at_] == ']') return ++at_, true;
    while (true) {
      if (!value(depth + 1)) return false;
      space();
      if (at_ < text_.size() && text_[at_] == ']') return ++at_, true;
      if (!expect(',')) return false;
    }
  }
  bool item(std::string_view step) {
    size_t index = 0;
    for (const char c : step) {
      if (c < '0' || c > '9' || index > 1'000'000) return false;
      index = index * 10 + static_cast<size_t>(c - '0');
    }
    ++at_;
    for (size_t i = 0; i < index; ++i) {
      if (!value(0) || !expect(',')) return false;
    }
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};

Failure parse_fault(std::string_view text, std::string what) {
  Walker walker(text);
  const bool whole = walker.value(0) && walker.at_end();
  return fail("json.parse", std::move(what), whole ? std::string() : line_and_column(text, walker.at()));
}

// Few names are compared each with each; many are sorted rather than hashed: whoever writes the JSON chooses
// the names.
constexpr size_t kFewNames = 16;

std::optional<std::string_view> named_twice(const Json::Object& object) {
  if (object.size() <= kFewNames) {
    for (size_t i = 1; i < object.size(); ++i) {
      for (size_t k = 0; k < i; ++k)
        if (object[i].first == object[k].first) return object[i].first;
    }
    return std::nullopt;
  }
  std::vector<std::string_view> names;
  names.reserve(object.size());
  for (const auto& [name, value] : object) names.push_back(name);
  std::sort(names.begin(), names.end());
  const auto at = std::adjacent_find(names.begin(), names.end());
  return at == names.end() ? std::nullopt : std::optional(*at);
}

// The parser of this thread, for texts of usual size: making one costs as much as reading a small text.
constexpr size_t kUsualBytes = 16 * 1024;
constexpr size_t kUsualDepth = 72;

simdjson::dom::parser* usual_parser(size_t bytes, size_t depth) {
  if (bytes > kUsualBytes || depth > kUsualDepth) return nullptr;
  thread_local simdjson::dom::parser parser;
  if (parser.capacity() == 0 && parser.allocate(kUsualBytes, kUsualDepth) != simdjson::SUCCESS)
    return nullptr;
  return &parser;
}

constexpr auto kPlain = [] {
  std::array<bool, 256> out{};
  for (size_t c = 0x20; c < out.size(); ++c) out[c] = c != '"' && c != '\\';
  return out;
}();

void write_escape(char c, std::string& out) {
  switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\b':
      out += "\\b";
      break;
    case '\f':
      out += "\\f";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<uint8_t>(c)));
  }
}

void write_string(const std::string& text, std::string& out) {
  out.push_back('"');
  for (size_t at = 0; at < text.size(); ++at) {
    const size_t from = at;
    while (at < text.size() && kPlain[static_cast<uint8_t>(text[at])]) ++at;
    out.append(text, from, at - from);
    if (at < text.size()) write_escape(text[at], out);
  }
  out.push_back('"');
}

// ECMAScript's Number::toString (ECMA-262 6.1.6.1.20), as RFC 8785 section 3.2.2.3 asks.
void write_double(double value, std::string& out) {
  ENTENTE_CHECK(std::isfinite(value));
  if (value == 0) {
    out.push_back('0');
    return;
  }
  if (value < 0) out.push_back('-');
  const std::string shortest = fmt::format("{}", std::fabs(value));  // shortest digits that read back
  std::string digits;
  int exponent = 0;  // value = 0.digits * 10^exponent
  bool point = false;
  for (size_t i = 0; i < shortest.size(); ++i) {
    const char c = shortest[i];
    if (c == 'e') {
      exponent += static_cast<int>(std::strtol(shortest.c_str() + i + 1, nullptr, 10));
      break;
    }
    if (c == '.') {
      point = true;
      continue;
    }
    if (digits.empty() && c == '0') {
      if (point) --exponent;
      continue;
    }
    digits.push_back(c);
    if (!point) ++exponent;
  }
  digits.erase(digits.find_last_not_of('0') + 1);
  const int count = static_cast<int>(digits.size());
  if (count <= exponent && exponent <= 21) {
    out += digits + std::string(static_cast<size_t>(exponent - count), '0');
  } else if (0 < exponent && exponent <= 21) {
    out +=
        digits.substr(0, static_cast<size_t>(exponent)) + "." + digits.substr(static_cast<size_t>(exponent));
  } else if (-6 < exponent && exponent <= 0) {
    out += "0." + std::string(static_cast<size_t>(-exponent), '0') + digits;
  } else {
    out += digits.substr(0, 1);
    if (count > 1) out += "." + digits.substr(1);
    out += fmt::format("e{}{}", exponent - 1 < 0 ? '-' : '+', std::abs(exponent - 1));
  }
}

// RFC 8785 sorts by UTF-16 code units; bytes of UTF-8 differ from that only above U+FFFF against
// U+E000..U+FFFF.
bool utf16_less(const std::string& a, const std::string& b) {
  const auto unit_class = [](uint8_t lead) { return lead >= 0xf0 ? 1 : lead >= 0xee ? 2 : 0; };
  const auto [left, right] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (right == b.end()) return false;
  if (left == a.end()) return true;
  const auto x = static_cast<uint8_t>(*left);
  const auto y = static_cast<uint8_t>(*right);
  const int xc = unit_class(x);
  const int yc = unit_class(y);
  if (xc != 0 && yc != 0 && xc != yc) return xc < yc;
  return x < y;
}

enum class Layout { compact, pretty, canonical };

void write(const Json& value, Layout layout, size_t indent, std::string& out) {
  const auto newline = [&](size_t depth) {
    if (layout == Layout::pretty) out += "\n" + std::string(depth * 2, ' ');
  };
  if (value.is_null()) {
    out += "null";
  } else if (value.is_bool()) {
    out += value.boolean() ? "true" : "false";
  } else if (value.is_int()) {
    out += fmt::format_int(value.integer()).c_str();
  } else if (value.is_number()) {
    write_double(value.number(), out);
  } else if (value.is_string()) {
    write_string(value.string(), out);
  } else if (value.is_array()) {
    out.push_back('[');
    bool first = true;
    for (const Json& item : value.items()) {
      if (!first) out.push_back(',');
      first = false;
      newline(indent + 1);
      write(item, layout, indent + 1, out);
    }
    if (!first) newline(indent);
    out.push_back(']');
  } else {
    out.push_back('{');
    bool first = true;
    const auto one = [&](const Json::Member& member) {
      if (!first) out.push_back(',');
      first = false;
      newline(indent + 1);
      write_string(member.first, out);
      out += layout == Layout::pretty ? ": " : ":";
      write(member.second, layout, indent + 1, out);
    };
    if (layout == Layout::canonical) {
      std::vector<const Json::Member*> members;
      members.reserve(value.members().size());
      for (const Json::Member& member : value.members()) members.push_back(&member);
      std::sort(members.begin(), members.end(),
                [](const auto* a, const auto* b) { return utf16_less(a->first, b->first); });
      for (const Json::Member* member : members) one(*member);
    } else {
      for (const Json::Member& member : value.members()) one(member);
    }
    if (!first) newline(indent);
    out.push_back('}');
  }
}

// Grown once by a thread: a text of its own would grow several times on the way.
std::string written(const Json& value, Layout layout) {
  constexpr size_t kKeptBytes = 64 * 1024;
  thread_local std::string kept;
  kept.clear();
  write(value, layout, 0, kept);
  if (kept.size() > kKeptBytes) return std::exchange(kept, {});
  return kept;
}

}  // namespace

bool is_utf8(std::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size());
}

// Makes each value where it stays.
struct Json::Reader {
  const Limits& limits;

  Result<void> read(simdjson::dom::element element, size_t depth, Json& out) const {
    using simdjson::dom::element_type;
    if (depth > limits.depth_max) {
      return fail("json.depth", fmt::format("the JSON is nested deeper than {}", limits.depth_max));
    }
    switch (element.type()) {
      case element_type::NULL_VALUE:
        return {};
      case element_type::BOOL:
        out.value_ = element.get_bool().value_unsafe();
        return {};
      case element_type::INT64:
        out.value_ = element.get_int64().value_unsafe();
        return {};
      case element_type::UINT64:
        return fail("json.number", "the JSON has an integer above 9223372036854775807");
      case element_type::DOUBLE:
        out.value_ = element.get_double().value_unsafe();
        return {};
      case element_type::STRING:
        out.value_.emplace<std::string>(element.get_string().value_unsafe());
        return {};
      case element_type::ARRAY: {
        const simdjson::dom::array items = element.get_array().value_unsafe();
        Array& list = out.value_.emplace<Array>();
        list.reserve(items.size());
        for (const simdjson::dom::element item : items) TRY_VOID(read(item, depth + 1, list.emplace_back()));
        return {};
      }
      case element_type::OBJECT: {
        const simdjson::dom::object object = element.get_object().value_unsafe();
        Object& members = out.value_.emplace<Object>();
        members.reserve(object.size());
        for (const auto& [key, member] : object)
          TRY_VOID(read(member, depth + 1, members.emplace_back(key, Json()).second));
        if (const auto doubled = named_twice(members))
          return fail("json.duplicate", fmt::format("the JSON names \"{}\" twice in one object", *doubled));
        return {};
      }
    }
    return fail("json.parse", "not JSON");
  }
};

Result<Json> Json::parse(std::string_view text, Limits limits) {
  if (text.size() > limits.bytes_max) {
    return fail("json.size", fmt::format("the JSON has {} bytes, more than the {} allowed here", text.size(),
                                         limits.bytes_max));
  }
  if (text.empty()) text = "";  // simdjson copies from it: it may not be null
  simdjson::dom::parser large;
  simdjson::dom::parser* parser = usual_parser(text.size(), limits.depth_max + 8);
  if (parser == nullptr) {
    parser = &large;
    if (large.allocate(std::max<size_t>(text.size(), 64), limits.depth_max + 8) != simdjson::SUCCESS)
      return fail("json.size", "the JSON is too large to read");
  }
  simdjson::dom::element root;
  const simdjson::error_code error = parser->parse(text.data(), text.size(), true).get(root);
  if (error != simdjson::SUCCESS) {
    return parse_fault(text, fmt::format("not JSON: {}", simdjson::error_message(error)));
  }
  Result<Json> out;
  TRY_VOID(Reader{limits}.read(root, 1, *out));
  return out;
}

Json Json::object(std::initializer_list<Given> members) {
  Object out;
  out.reserve(members.size());
  for (const Given& member : members) out.push_back(member.take());
  return Json(std::move(out));
}

bool Json::boolean() const {
  ENTENTE_CHECK(is_bool());
  return std::get<bool>(value_);
}
int64_t Json::integer() const {
  ENTENTE_CHECK(is_int());
  return std::get<int64_t>(value_);
}
double Json::number() const {
  ENTENTE_CHECK(is_number());
  return is_int() ? static_cast<double>(std::get<int64_t>(value_)) : std::get<double>(value_);
}
const std::string& Json::string() const {
  ENTENTE_CHECK(is_string());
  return std::get<std::string>(value_);
}
const Json::Array& Json::items() const {
  ENTENTE_CHECK(is_array());
  return std::get<Array>(value_);
}
const Json::Object& Json::members() const {
  ENTENTE_CHECK(is_object());
  return std::get<Object>(value_);
}
Json::Array& Json::items() {
  ENTENTE_CHECK(is_array());
  return std::get<Array>(value_);
}
Json::Object& Json::members() {
  ENTENTE_CHECK(is_object());
  return std::get<Object>(value_);
}

const Json* Json::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  for (const Member& member : members()) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

std::string_view Json::text_or(std::string_view key, std::string_view otherwise) const {
  const Json* value = find(key);
  return value != nullptr && value->is_string() ? std::string_view(value->string()) : otherwise;
}

Json& Json::set(std::string key, Json value) {
  if (is_null()) value_ = Object();
  for (Member& member : members()) {
    if (member.first == key) {
      member.second = std::move(value);
      return *this;
    }
  }
  members().emplace_back(std::move(key), std::move(value));
  return *this;
}

Json& Json::push(Json value) {
  if (is_null()) value_ = Array();
  items().push_back(std::move(value));
  return *this;
}

std::string Json::dump() const {
  return written(*this, Layout::compact);
}
std::string Json::pretty() const {
  return written(*this, Layout::pretty);
}
std::string Json::canonical() const {
  return written(*this, Layout::canonical);
}

std::string json_place(std::string_view text, std::string_view path) {
  Walker walker(text);
  walker.seek(path);
  return line_and_column(text, walker.at());
}

}  // namespace entente
