#include "policy/types.h"

#include <array>

#include <fmt/format.h>

namespace entente::policy {

std::string Type::text() const {
  constexpr std::array<std::string_view, 13> kNames = {"Bool",     "Bool",    "Bool",   "Long",   "String",
                                                       "Set",      "Set",     "Record", "Entity", "datetime",
                                                       "duration", "decimal", "ipaddr"};
  if (kind == Kind::set && element != nullptr) return "Set<" + element->text() + ">";
  if (kind == Kind::entity) return entity;
  if (kind != Kind::record) return std::string(kNames[static_cast<size_t>(kind)]);
  constexpr size_t kShown = 8;
  std::string out;
  size_t shown = 0;
  for (const auto& [name, attribute] : members) {
    if (shown++ == kShown) {
      out += ", ...";
      break;
    }
    out += fmt::format("{}{}{}: {}", out.empty() ? "" : ", ", name, attribute.required ? "" : "?",
                       attribute.type->kind == Kind::record ? "{...}" : attribute.type->text());
  }
  return "{" + out + "}";
}

TypePtr simple_type(Type::Kind kind) {
  static const auto kAll = [] {
    std::array<TypePtr, 13> all;
    for (size_t i = 0; i < all.size(); ++i) {
      auto type = std::make_shared<Type>();
      type->kind = static_cast<Type::Kind>(i);
      all[i] = std::move(type);
    }
    return all;
  }();
  return kAll[static_cast<size_t>(kind)];
}

TypePtr set_type(TypePtr element) {
  auto type = std::make_shared<Type>();
  type->kind = Type::Kind::set;
  type->depth = element->depth + 1;
  type->element = std::move(element);
  return type;
}

TypePtr entity_type(std::string name) {
  auto type = std::make_shared<Type>();
  type->kind = Type::Kind::entity;
  type->entity = std::move(name);
  return type;
}

static TypePtr join_records(const TypePtr& a, const TypePtr& b) {
  if (a->members.size() != b->members.size()) return nullptr;
  auto out = std::make_shared<Type>();
  out->kind = Type::Kind::record;
  out->depth = std::max(a->depth, b->depth);
  for (auto left = a->members.begin(), right = b->members.begin(); left != a->members.end();
       ++left, ++right) {
    if (left->first != right->first || left->second.required != right->second.required) return nullptr;
    TypePtr type = join(left->second.type, right->second.type);
    if (type == nullptr) return nullptr;
    out->members.emplace(left->first, Attribute{std::move(type), left->second.required});
  }
  return out;
}

TypePtr join(const TypePtr& a, const TypePtr& b) {
  using Kind = Type::Kind;
  if (a == b) return a;
  if (a->is_boolean() && b->is_boolean()) return a->kind == b->kind ? a : simple_type(Kind::boolean);
  if (a->kind == Kind::any_set && b->kind == Kind::set) return b;
  if (b->kind == Kind::any_set && a->kind == Kind::set) return a;
  if (a->kind != b->kind) return nullptr;
  if (a->kind == Kind::entity) return a->entity == b->entity ? a : nullptr;
  if (a->kind == Kind::record) return join_records(a, b);
  if (a->kind != Kind::set) return a;
  TypePtr element = join(a->element, b->element);
  return element == nullptr ? nullptr : set_type(std::move(element));
}

static std::string record_mismatch(const Record& record, const Type& type, const std::string& path) {
  for (const auto& [name, attribute] : type.members) {
    const Value* value = record.find(name);
    if (value == nullptr) {
      if (!attribute.required) continue;
      return fmt::format("{}{} is missing; it is a {}", path, name, attribute.type->text());
    }
    if (std::string wrong = mismatch(*value, *attribute.type, path + name + "."); !wrong.empty())
      return wrong;
  }
  for (const auto& [name, value] : record.members())
    if (!type.members.contains(name)) return fmt::format("{}{} is not in the schema", path, name);
  return {};
}

std::string mismatch(const Value& value, const Type& type, const std::string& path) {
  using Kind = Type::Kind;
  const auto is = [&](Value::Kind kind) { return value.kind() == kind; };
  bool right = false;
  switch (type.kind) {
    case Kind::boolean:
    case Kind::yes:
    case Kind::no:
      right = is(Value::Kind::boolean);
      break;
    case Kind::integer:
      right = is(Value::Kind::integer);
      break;
    case Kind::string:
      right = is(Value::Kind::string);
      break;
    case Kind::any_set:
      right = is(Value::Kind::set);
      break;
    case Kind::datetime:
      right = is(Value::Kind::datetime);
      break;
    case Kind::duration:
      right = is(Value::Kind::duration);
      break;
    case Kind::decimal:
      right = is(Value::Kind::decimal);
      break;
    case Kind::ip:
      right = is(Value::Kind::ip);
      break;
    case Kind::entity:
      right = is(Value::Kind::entity) && value.entity().type == type.entity;
      break;
    case Kind::set:
      if (!is(Value::Kind::set)) break;
      for (const Value& item : value.items())
        if (std::string wrong = mismatch(item, *type.element, path); !wrong.empty()) return wrong;
      return {};
    case Kind::record:
      if (is(Value::Kind::record)) return record_mismatch(value.record(), type, path);
      break;
  }
  if (right) return {};
  const std::string_view name = std::string_view(path).substr(0, path.empty() ? 0 : path.size() - 1);
  return fmt::format("{} is a {} where a {} belongs", name,
                     is(Value::Kind::entity) ? std::string_view(value.entity().type) : value.kind_name(),
                     type.text());
}

}  // namespace entente::policy
