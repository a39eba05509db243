#include "policy/types.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace entente::policy {

std::string Type::text() const {
  constexpr std::array<std::string_view, 13> kNames = {"Bool",     "Bool",    "Bool",   "Long",   "String",
                                                       "Set",      "nothing", "Record", "Entity", "datetime",
                                                       "duration", "decimal", "ipaddr"};
  if (kind == Kind::set && element != nullptr) return "Set<" + element->text() + ">";
  if (kind == Kind::entity && !entities.empty()) return fmt::format("{}", fmt::join(entities, " or "));
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

std::set<std::string> Type::entity_names() const {
  return entities.empty() ? std::set<std::string>{entity} : entities;
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

static bool same_names(const Type& a, const Type& b) {
  if (a.members.size() != b.members.size()) return false;
  return std::equal(a.members.begin(), a.members.end(), b.members.begin(),
                    [](const auto& left, const auto& right) { return left.first == right.first; });
}

bool Joins::is_subtype(const TypePtr& a, const TypePtr& b) {
  using Kind = Type::Kind;
  if (a == b || a->kind == Kind::never) return true;
  if (a->is_boolean() && b->is_boolean()) return a->kind == b->kind || b->kind == Kind::boolean;
  if (a->kind != b->kind) return false;
  if (a->kind == Kind::set) return is_subtype(a->element, b->element);
  if (a->kind == Kind::entity) {
    if (how_ == Validating::strict) return a->entity_names() == b->entity_names();
    const std::set<std::string> left = a->entity_names();
    const std::set<std::string> right = b->entity_names();
    return std::includes(right.begin(), right.end(), left.begin(), left.end());
  }
  if (a->kind != Kind::record) return true;
  const Pair pair(a, b);
  if (const auto known = subtypes_.find(pair); known != subtypes_.end()) return known->second;
  const bool found = is_record_subtype(*a, *b);
  return subtypes_.emplace(pair, found).first->second;
}

bool Joins::is_record_subtype(const Type& a, const Type& b) {
  const bool strict = how_ == Validating::strict;
  if (a.open && !b.open) return false;
  if ((strict || !b.open) && !same_names(a, b)) return false;
  return std::all_of(b.members.begin(), b.members.end(), [&](const auto& member) {
    const auto own = a.members.find(member.first);
    if (own == a.members.end() || !step()) return false;
    const bool required = own->second.required;
    const bool fits = strict ? required == member.second.required : required || !member.second.required;
    return fits && is_subtype(own->second.type, member.second.type);
  });
}

TypePtr Joins::join_records(const Type& a, const Type& b) {
  const bool strict = how_ == Validating::strict;
  const bool same = same_names(a, b);
  if (strict && !same) return nullptr;
  auto out = std::make_shared<Type>();
  out->kind = Type::Kind::record;
  out->depth = std::max(a.depth, b.depth);
  for (const auto& [name, left] : a.members) {
    const auto right = b.members.find(name);
    if (!step()) return nullptr;
    if (right == b.members.end()) continue;
    if (strict && left.required != right->second.required) return nullptr;
    TypePtr type = join(left.type, right->second.type);
    if (type != nullptr) {
      out->members.emplace(name, Attribute{std::move(type), left.required && right->second.required});
    } else if (strict) {
      return nullptr;
    }
  }
  out->open = a.open || b.open || !same || out->members.size() != a.members.size();
  return out;
}

TypePtr Joins::join_entities(const Type& a, const Type& b) const {
  if (how_ == Validating::strict) return nullptr;
  auto out = std::make_shared<Type>();
  out->kind = Type::Kind::entity;
  out->entities = a.entity_names();
  out->entities.merge(b.entity_names());
  return out;
}

TypePtr Joins::join(const TypePtr& a, const TypePtr& b) {
  using Kind = Type::Kind;
  if (exhausted()) return nullptr;
  if (is_subtype(a, b)) return b;
  if (is_subtype(b, a)) return a;
  if (a->is_boolean() && b->is_boolean()) return simple_type(Kind::boolean);
  if (a->kind != b->kind) return nullptr;
  if (a->kind == Kind::entity) return join_entities(*a, *b);
  if (a->kind == Kind::set) {
    TypePtr element = join(a->element, b->element);
    return element == nullptr ? nullptr : set_type(std::move(element));
  }
  if (a->kind != Kind::record) return nullptr;
  const Pair pair(a, b);
  if (const auto known = joined_.find(pair); known != joined_.end()) return known->second;
  TypePtr found = join_records(*a, *b);
  return exhausted() ? nullptr : joined_.emplace(pair, std::move(found)).first->second;
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
    case Kind::never:
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
