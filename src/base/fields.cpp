#include "base/fields.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace entente {

struct Fields::Shared {
  std::optional<Error> first;
};

namespace {

const Json& null_json() {
  static const Json value;
  return value;
}

const char* kind_of(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_bool()) return "true or false";
  if (value.is_int()) return "a whole number";
  if (value.is_number()) return "a number";
  if (value.is_string()) return "a text";
  return value.is_array() ? "a list" : "an object";
}

}  // namespace

Fields::Fields(const Json& value, std::string path)
    : value_(&value), path_(std::move(path)), shared_(std::make_shared<Shared>()) {
  asked_.reserve(value.is_object() ? value.members().size() : 0);
  if (!value.is_object()) {
    wrong_at(path_, "field.type", fmt::format("this is {}, not an object", kind_of(value)),
             "write { ... } here");
  }
}

void Fields::wrong_at(std::string path, std::string code, std::string what, std::string hint) {
  if (shared_->first) return;
  shared_->first =
      Error{std::move(code), std::move(what), path.empty() ? "/" : std::move(path), std::move(hint)};
}

void Fields::wrong(std::string_view key, std::string what, std::string hint) {
  wrong_at(fmt::format("{}/{}", path_, key), "field.value", std::move(what), std::move(hint));
}

bool Fields::has(std::string_view key) const {
  return value_->find(key) != nullptr;
}

const Json* Fields::take(std::string_view key) {
  asked_.emplace_back(key);
  return value_->find(key);
}

const Json* Fields::need(std::string_view key) {
  const Json* value = take(key);
  if (value == nullptr) {
    wrong_at(path_, "field.missing", fmt::format("\"{}\" is missing", key), fmt::format("add \"{}\"", key));
  }
  return value;
}

std::string Fields::text(std::string_view key, size_t length_max) {
  const Json* value = need(key);
  if (value == nullptr) return {};
  if (!value->is_string()) {
    wrong(key, fmt::format("\"{}\" is {}, not a text", key, kind_of(*value)));
    return {};
  }
  if (value->string().empty()) wrong(key, fmt::format("\"{}\" is empty", key));
  if (value->string().size() > length_max) {
    wrong(key, fmt::format("\"{}\" has more than {} bytes", key, length_max));
    return {};
  }
  // Values need not come from a JSON text: what is kept must be one that can be read again.
  if (!is_utf8(value->string())) {
    wrong(key, fmt::format("\"{}\" is no UTF-8", key));
    return {};
  }
  return value->string();
}

std::string Fields::text_or(std::string_view key, std::string otherwise, size_t length_max) {
  if (has(key)) return text(key, length_max);
  asked_.emplace_back(key);
  return otherwise;
}

int64_t Fields::integer(std::string_view key, int64_t lowest, int64_t highest) {
  const Json* value = need(key);
  if (value == nullptr) return lowest;
  if (!value->is_int() || value->integer() < lowest || value->integer() > highest) {
    wrong(key,
          fmt::format("\"{}\" is {}", key,
                      value->is_int() ? fmt::format("{}", value->integer()) : kind_of(*value)),
          fmt::format("write a whole number from {} to {}", lowest, highest));
    return lowest;
  }
  return value->integer();
}

int64_t Fields::integer_or(std::string_view key, int64_t otherwise, int64_t lowest, int64_t highest) {
  if (has(key)) return integer(key, lowest, highest);
  asked_.emplace_back(key);
  return otherwise;
}

bool Fields::boolean_or(std::string_view key, bool otherwise) {
  const Json* value = take(key);
  if (value == nullptr) return otherwise;
  if (value->is_bool()) return value->boolean();
  wrong(key, fmt::format("\"{}\" is {}", key, kind_of(*value)), "write true or false");
  return otherwise;
}

Instant Fields::instant(std::string_view key) {
  const std::string written = text(key, 32);
  if (written.empty()) return Instant();
  const Result<Instant> parsed = parse_rfc3339(written);
  if (!parsed) {
    wrong(key, parsed.error().what(), parsed.error().hint());
    return Instant();
  }
  return *parsed;
}

std::vector<std::string> Fields::texts(std::string_view key, size_t count_max) {
  const Json* value = need(key);
  std::vector<std::string> out;
  if (value == nullptr) return out;
  if (!value->is_array() || value->items().size() > count_max) {
    wrong(key, fmt::format("\"{}\" is {}", key, kind_of(*value)),
          fmt::format("write a list of at most {} texts", count_max));
    return out;
  }
  for (const Json& item : value->items()) {
    if (!item.is_string() || !is_utf8(item.string())) {
      wrong(key, fmt::format("\"{}\" holds {}", key, kind_of(item)), "write texts only, in UTF-8");
      return {};
    }
    out.push_back(item.string());
  }
  return out;
}

std::vector<std::string> Fields::texts_or_none(std::string_view key, size_t count_max) {
  if (has(key)) return texts(key, count_max);
  asked_.emplace_back(key);
  return {};
}

const Json& Fields::value(std::string_view key) {
  const Json* found = need(key);
  return found == nullptr ? null_json() : *found;
}

const Json* Fields::value_if(std::string_view key) {
  return take(key);
}

Fields Fields::object(std::string_view key) {
  static const Json empty = Json::object();
  const Json* found = need(key);
  const std::string path = (path_ + "/").append(key);
  if (found != nullptr && !found->is_object()) {
    wrong(key, fmt::format("\"{}\" is {}, not an object", key, kind_of(*found)), "write { ... } here");
    found = nullptr;
  }
  Fields child(found == nullptr ? empty : *found, path);
  child.shared_ = shared_;
  return child;
}

std::vector<Fields> Fields::objects(std::string_view key, size_t count_max) {
  const Json* found = need(key);
  std::vector<Fields> out;
  if (found == nullptr) return out;
  if (!found->is_array() || found->items().size() > count_max) {
    wrong(key, fmt::format("\"{}\" is {}", key, kind_of(*found)),
          fmt::format("write a list of at most {} objects", count_max));
    return out;
  }
  size_t index = 0;
  for (const Json& item : found->items()) {
    const std::string path = fmt::format("{}/{}/{}", path_, key, index++);
    if (!item.is_object()) {
      wrong_at(path, "field.type", fmt::format("this is {}, not an object", kind_of(item)),
               "write { ... } here");
      return {};
    }
    Fields child(item, path);
    child.shared_ = shared_;
    out.push_back(std::move(child));
  }
  return out;
}

Result<void> Fields::done_open() {
  if (shared_->first) return Failure(*shared_->first);
  return {};
}

Result<void> Fields::done() {
  TRY_VOID(done_open());
  for (const Json::Member& member : value_->members()) {
    if (std::find(asked_.begin(), asked_.end(), member.first) != asked_.end()) continue;
    std::string known;
    for (const std::string& name : asked_) known += (known.empty() ? "" : ", ") + name;
    wrong_at(fmt::format("{}/{}", path_, member.first), "field.unknown",
             fmt::format("\"{}\" is not known here", member.first), fmt::format("known here: {}", known));
    return Failure(*shared_->first);
  }
  return {};
}

}  // namespace entente
