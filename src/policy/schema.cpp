#include "policy/schema.h"

#include "policy/cursor.h"
#include "policy/schema_inside.h"
#include "policy/schema_parser.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::policy {
namespace {

constexpr uint32_t kTypeDepthMax = 64;
constexpr size_t kSchemaTextMax = 1 << 20;

std::string qualified(const std::string& space, const std::string& name) {
  return space.empty() ? name : space + "::" + name;
}

TypePtr builtin(std::string_view name) {
  using Kind = Type::Kind;
  constexpr std::pair<std::string_view, Kind> kNames[] = {
      {"Bool", Kind::boolean},      {"Long", Kind::integer},      {"String", Kind::string},
      {"datetime", Kind::datetime}, {"duration", Kind::duration}, {"decimal", Kind::decimal},
      {"ipaddr", Kind::ip}};
  for (const auto& [known, kind] : kNames)
    if (known == name) return simple_type(kind);
  return nullptr;
}

bool is_reserved_type(std::string_view name) {
  constexpr std::string_view kNames[] = {"Bool", "Boolean", "Entity", "Extension",
                                         "Long", "Record",  "Set",    "String"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

// Turns names into types: common types first, then entity types, of the namespace, then of none, then Cedar's
// own.
class Resolver {
 public:
  Resolver(std::string_view text, std::string_view file, Schema::Inside& out)
      : text_(text), file_(file), out_(out) {}

  Result<void> run(const std::vector<NamespaceText>& spaces) {
    std::set<std::string> seen;
    for (const NamespaceText& space : spaces) {
      if (space.name.starts_with("__cedar")) return wrong(space.span, "`__cedar` is Cedar's own");
      if (!seen.insert(space.name).second)
        return wrong(space.span, fmt::format("namespace {} is declared twice", space.name));
      TRY_VOID(declare(space));
    }
    TRY_VOID(refuse_shadows(spaces));
    for (const auto& [name, common] : commons_) TRY_VOID(common_type(name, common.second->span));
    for (const NamespaceText& space : spaces)
      for (const ActionText& action : space.actions)
        for (const NameText& name : action.names)
          declared_.insert({qualified(space.name, "Action"), name.name});
    for (const NamespaceText& space : spaces) {
      for (const EntityText& entity : space.entities) TRY_VOID(define(space, entity));
      for (const ActionText& action : space.actions) TRY_VOID(define(space, action));
    }
    for (auto& [name, type] : out_.types) close_over(type);
    return close_actions();
  }

  Result<TypePtr> type(const std::string& space, const TypeText& written) {
    if (written.kind == TypeText::Kind::name) return named(space, written);
    if (written.kind == TypeText::Kind::set) {
      TRY(TypePtr element, type(space, *written.element));
      return shallow(set_type(std::move(element)), written.span);
    }
    auto out = std::make_shared<Type>();
    out->kind = Type::Kind::record;
    for (const TypeText::Member& member : written.members) {
      TRY(TypePtr inner, type(space, member.type));
      out->depth = std::max(out->depth, inner->depth + 1);
      out->members.emplace(member.name, Attribute{std::move(inner), member.required});
    }
    return shallow(std::move(out), written.span);
  }

 private:
  [[nodiscard]] Failure wrong(Span span, const std::string& what, std::string hint = {}) const {
    if (span.finish == 0) return fail("policy.schema", what, std::string(file_), std::move(hint));
    return Failure(error_at("policy.schema", what, text_, file_, span.begin, span.finish, std::move(hint)));
  }

  Result<TypePtr> shallow(TypePtr type, Span span) const {
    if (type->depth <= kTypeDepthMax) return type;
    return wrong(span, fmt::format("types nest deeper than {}", kTypeDepthMax));
  }

  Result<void> declare(const NamespaceText& space) {
    for (const EntityText& entity : space.entities) {
      for (const NameText& name : entity.names) {
        if (name.name == "Action")
          return wrong(name.span, "`Action` is the type of actions", "choose another name");
        if (!out_.types.emplace(qualified(space.name, name.name), EntityTypeInfo{}).second)
          return wrong(name.span, fmt::format("entity type `{}` is declared twice", name.name));
      }
    }
    if (!space.actions.empty()) action_types_.insert(qualified(space.name, "Action"));
    for (const CommonText& common : space.commons) {
      const NameText& name = common.name;
      if (is_reserved_type(name.name))
        return wrong(name.span, fmt::format("`{}` is a type of Cedar's own", name.name),
                     "choose another name");
      if (!commons_.emplace(qualified(space.name, name.name), std::pair(space.name, &common.type)).second)
        return wrong(name.span, fmt::format("type `{}` is declared twice", name.name));
    }
    return {};
  }

  // What a namespace declares may not hide what is declared outside of all (Cedar RFC 70).
  [[nodiscard]] Result<void> refuse_shadows(const std::vector<NamespaceText>& spaces) const {
    std::set<std::string> types;
    std::set<std::string> actions;
    for (const NamespaceText& space : spaces) {
      if (!space.name.empty()) continue;
      for (const CommonText& common : space.commons) types.insert(common.name.name);
      for (const EntityText& entity : space.entities)
        for (const NameText& name : entity.names) types.insert(name.name);
      for (const ActionText& action : space.actions)
        for (const NameText& name : action.names) actions.insert(name.name);
    }
    const auto hides = [&](const NameText& name, const std::set<std::string>& outer) -> Result<void> {
      if (!outer.contains(name.name)) return {};
      return wrong(name.span, fmt::format("`{}` hides the one outside of all namespaces", name.name),
                   "choose another name");
    };
    for (const NamespaceText& space : spaces) {
      if (space.name.empty()) continue;
      for (const CommonText& common : space.commons) TRY_VOID(hides(common.name, types));
      for (const EntityText& entity : space.entities)
        for (const NameText& name : entity.names) TRY_VOID(hides(name, types));
      for (const ActionText& action : space.actions)
        for (const NameText& name : action.names) TRY_VOID(hides(name, actions));
    }
    return {};
  }

  Result<TypePtr> common_type(const std::string& name, Span span) {
    if (const auto known = out_.commons.find(name); known != out_.commons.end()) return known->second;
    if (!open_.insert(name).second) return wrong(span, fmt::format("type `{}` is made of itself", name));
    if (open_.size() > kTypeDepthMax)
      return wrong(span, fmt::format("types nest deeper than {}", kTypeDepthMax));
    const auto& [space, written] = commons_.at(name);
    TRY(TypePtr meant, type(space, *written));
    open_.erase(name);
    out_.commons.emplace(name, meant);
    return meant;
  }

  Result<TypePtr> named(const std::string& space, const TypeText& written) {
    using Means = TypeText::Means;
    const std::string& name = written.name;
    const std::string_view own = name.starts_with("__cedar::") ? std::string_view(name).substr(9) : name;
    if (own != name || written.means == Means::own) {
      if (TypePtr type = written.means == Means::entity ? nullptr : builtin(own)) return type;
      return unknown(name, written.span);
    }
    const bool path = name.find("::") != std::string::npos;
    for (const std::string& full : path ? std::vector{name} : std::vector{qualified(space, name), name}) {
      if (written.means != Means::entity) {
        if (commons_.contains(full)) return common_type(full, written.span);
        if (const auto known = out_.commons.find(full); known != out_.commons.end()) return known->second;
      }
      if (written.means != Means::common && (out_.types.contains(full) || action_types_.contains(full)))
        return entity_type(full);
    }
    if (TypePtr type = path || written.means == Means::entity ? nullptr : builtin(name)) return type;
    return unknown(name, written.span);
  }

  [[nodiscard]] Failure unknown(const std::string& name, Span span) const {
    std::vector<std::string> names = {"Bool",     "Long",     "String",  "Set",
                                      "datetime", "duration", "decimal", "ipaddr"};
    for (const auto& [known, type] : out_.types) names.push_back(known);
    for (const auto& [known, type] : commons_) names.push_back(known);
    return wrong(span, fmt::format("there is no type `{}`", name), did_you_mean(name, names));
  }

  Result<std::string> entity_name(const std::string& space, const NameText& name) const {
    if (name.name.find("::") == std::string::npos && out_.types.contains(qualified(space, name.name)))
      return qualified(space, name.name);
    if (out_.types.contains(name.name)) return name.name;
    std::vector<std::string> names;
    names.reserve(out_.types.size());
    for (const auto& [known, type] : out_.types) names.push_back(known);
    return wrong(name.span, fmt::format("there is no entity type `{}`", name.name),
                 did_you_mean(name.name, names));
  }

  Result<TypePtr> record_of(const std::string& space, const std::optional<TypeText>& written) {
    if (!written) {
      auto empty = std::make_shared<Type>();
      empty->kind = Type::Kind::record;
      return empty;
    }
    TRY(TypePtr out, type(space, *written));
    if (out->kind != Type::Kind::record)
      return wrong(written->span, "a record belongs here", "write { ... }");
    return out;
  }

  Result<void> define(const NamespaceText& space, const EntityText& entity) {
    EntityTypeInfo info;
    TRY(info.attributes, record_of(space.name, entity.attributes));
    if (entity.tags) {
      TRY(info.tags, type(space.name, *entity.tags));
    }
    for (const NameText& parent : entity.parents) {
      TRY(std::string full, entity_name(space.name, parent));
      info.parents.insert(std::move(full));
    }
    info.enumerated.insert(entity.enumerated.begin(), entity.enumerated.end());
    for (const NameText& name : entity.names) out_.types[qualified(space.name, name.name)] = info;
    return {};
  }

  Result<void> define(const NamespaceText& space, const ActionText& action) {
    ActionInfo info;
    const std::string own = qualified(space.name, "Action");
    for (const NameText& principal : action.principals) {
      TRY(std::string full, entity_name(space.name, principal));
      info.principals.insert(std::move(full));
    }
    for (const NameText& resource : action.resources) {
      TRY(std::string full, entity_name(space.name, resource));
      info.resources.insert(std::move(full));
    }
    TRY(info.context, record_of(space.name, action.context));
    for (const ActionRef& parent : action.parents) {
      const bool bare = parent.type.empty() || parent.type == "Action";
      EntityUid uid{bare ? own : parent.type, parent.id};
      if (bare && !declared_.contains(uid) && declared_.contains({"Action", parent.id})) uid.type = "Action";
      action_spans_.emplace(uid, parent.span);
      info.parents.insert(std::move(uid));
    }
    for (const NameText& name : action.names)
      if (!out_.actions.emplace(EntityUid{own, name.name}, info).second)
        return wrong(name.span, fmt::format("action \"{}\" is declared twice", name.name));
    return {};
  }

  void close_over(EntityTypeInfo& type) const {
    std::vector<std::string> queue(type.parents.begin(), type.parents.end());
    while (!queue.empty()) {
      const std::string parent = std::move(queue.back());
      queue.pop_back();
      if (!type.ancestors.insert(parent).second) continue;
      const auto& above = out_.types.find(parent)->second.parents;
      queue.insert(queue.end(), above.begin(), above.end());
    }
  }

  Result<void> close_actions() {
    for (auto& [uid, action] : out_.actions) {
      std::vector<EntityUid> queue(action.parents.begin(), action.parents.end());
      while (!queue.empty()) {
        const EntityUid parent = std::move(queue.back());
        queue.pop_back();
        const auto above = out_.actions.find(parent);
        if (above == out_.actions.end()) return unknown_action(parent);
        if (parent == uid)
          return fail("policy.schema", fmt::format("{} would stand under itself", uid.text()),
                      std::string(file_));
        if (!action.ancestors.insert(parent).second) continue;
        queue.insert(queue.end(), above->second.parents.begin(), above->second.parents.end());
      }
      out_.action_entities.push_back({uid, {}, {action.parents.begin(), action.parents.end()}, {}});
    }
    return {};
  }

  [[nodiscard]] Failure unknown_action(const EntityUid& uid) const {
    std::vector<std::string> names;
    names.reserve(out_.actions.size());
    for (const auto& [known, action] : out_.actions) names.push_back(known.text());
    const auto span = action_spans_.find(uid);
    return wrong(span == action_spans_.end() ? Span{} : span->second,
                 fmt::format("there is no action {}", uid.text()), did_you_mean(uid.text(), names));
  }

  std::string_view text_;
  std::string_view file_;
  Schema::Inside& out_;
  std::map<std::string, std::pair<std::string, const TypeText*>> commons_;
  std::set<std::string> open_;
  std::set<EntityUid> declared_;        // actions
  std::set<std::string> action_types_;  // of the namespaces that have any
  std::map<EntityUid, Span> action_spans_;
};

TypeText copy(const TypeText& type) {
  TypeText out;
  out.kind = type.kind;
  out.means = type.means;
  out.name = type.name;
  out.span = type.span;
  if (type.element) out.element = std::make_unique<TypeText>(copy(*type.element));
  for (const TypeText::Member& member : type.members)
    out.members.push_back({member.name, member.required, copy(member.type), member.annotations});
  return out;
}

}  // namespace

namespace {

Result<void> not_too_long(std::string_view text, std::string_view file) {
  if (text.size() <= kSchemaTextMax) return {};
  return fail("policy.schema", fmt::format("the text is longer than {} bytes", kSchemaTextMax),
              std::string(file));
}

Result<std::vector<NamespaceText>> spaces_of_json(std::string_view text, std::string_view file) {
  TRY_VOID(not_too_long(text, file));
  auto json = Json::parse(text, {.bytes_max = kSchemaTextMax, .depth_max = 4 * kTypeDepthMax});
  if (!json)
    return fail("policy.schema", json.error().what(), fmt::format("{}:{}", file, json.error().where()));
  return parse_schema_json(*json, file);
}

bool looks_like_json(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{';
}

Result<std::shared_ptr<const Schema::Inside>> resolved(const std::vector<NamespaceText>& spaces,
                                                       std::string_view text, std::string_view file) {
  auto inside = std::make_shared<Schema::Inside>();
  TRY_VOID(Resolver(text, file, *inside).run(spaces));
  return inside;
}

// Finds where text could not say that an entity is meant: a common type of the name comes first there.
class Hidden {
 public:
  explicit Hidden(const std::vector<NamespaceText>& spaces) {
    for (const NamespaceText& space : spaces) {
      for (const CommonText& common : space.commons) commons_.insert(qualified(space.name, common.name.name));
      for (const EntityText& entity : space.entities)
        for (const NameText& name : entity.names) entities_.insert(qualified(space.name, name.name));
      if (!space.actions.empty()) entities_.insert(qualified(space.name, "Action"));
    }
  }

  [[nodiscard]] const TypeText* in(const NamespaceText& space) const {
    const TypeText* found = nullptr;
    const auto look = [&](const TypeText& type) {
      if (found == nullptr) found = in(type, space.name);
    };
    for (const CommonText& common : space.commons) look(common.type);
    for (const EntityText& entity : space.entities) {
      if (entity.attributes) look(*entity.attributes);
      if (entity.tags) look(*entity.tags);
    }
    for (const ActionText& action : space.actions)
      if (action.context) look(*action.context);
    return found;
  }

 private:
  [[nodiscard]] const TypeText* in(const TypeText& type, const std::string& space) const {
    if (type.kind == TypeText::Kind::set) return in(*type.element, space);
    for (const TypeText::Member& member : type.members)
      if (const TypeText* found = in(member.type, space)) return found;
    if (type.kind != TypeText::Kind::name || type.means != TypeText::Means::entity) return nullptr;
    const bool path = type.name.find("::") != std::string::npos;
    for (const std::string& full : {path ? type.name : qualified(space, type.name), type.name}) {
      if (commons_.contains(full)) return &type;
      if (entities_.contains(full)) return nullptr;
    }
    return nullptr;
  }

  std::set<std::string> commons_;
  std::set<std::string> entities_;
};

// In text an entity's attributes stand where the entity is declared: a common type that names them is written
// out.
Result<void> settle_for_text(std::vector<NamespaceText>& spaces, std::string_view file) {
  const Hidden hidden(spaces);
  for (const NamespaceText& space : spaces)
    if (const TypeText* type = hidden.in(space))
      return fail(
          "policy.schema",
          fmt::format("`{}` is an entity here and a common type as well: in text it would be the latter",
                      type->name),
          std::string(file));
  for (NamespaceText& space : spaces) {
    for (EntityText& entity : space.entities) {
      for (uint32_t steps = 0; entity.attributes && entity.attributes->kind == TypeText::Kind::name;
           ++steps) {
        const TypeText* meant = nullptr;
        for (const NamespaceText& other : spaces)
          for (const CommonText& common : other.commons)
            if (qualified(other.name, common.name.name) == entity.attributes->name ||
                (&other == &space && common.name.name == entity.attributes->name))
              meant = &common.type;
        if (meant == nullptr || steps == kTypeDepthMax)
          return fail("policy.schema",
                      fmt::format("the shape `{}` cannot be written as text", entity.attributes->name),
                      std::string(file));
        entity.attributes = copy(*meant);
      }
    }
  }
  return {};
}

}  // namespace

Result<Schema> Schema::parse(std::string_view text, std::string_view file) {
  TRY_VOID(not_too_long(text, file));
  TRY(const std::vector<NamespaceText> spaces, parse_schema_text(text, file));
  TRY(auto inside, resolved(spaces, text, file));
  return Schema(std::move(inside));
}

Result<Schema> Schema::parse_json(std::string_view text, std::string_view file) {
  TRY(const std::vector<NamespaceText> spaces, spaces_of_json(text, file));
  TRY(auto inside, resolved(spaces, {}, file));
  return Schema(std::move(inside));
}

Result<Schema> Schema::read(std::string_view text, std::string_view file) {
  return looks_like_json(text) ? parse_json(text, file) : parse(text, file);
}

Result<Json> schema_to_json(std::string_view text, std::string_view file) {
  TRY_VOID(Schema::parse(text, file));
  TRY(const std::vector<NamespaceText> spaces, parse_schema_text(text, file));
  return write_schema_json(spaces);
}

Result<std::string> schema_to_text(std::string_view json, std::string_view file) {
  TRY_VOID(Schema::parse_json(json, file));
  TRY(std::vector<NamespaceText> spaces, spaces_of_json(json, file));
  TRY_VOID(settle_for_text(spaces, file));
  return write_schema_text(spaces);
}

Result<TypePtr> parse_type(std::string_view text, const Schema& schema) {
  TRY(const TypeText written, parse_type_text(text, "type"));
  Schema::Inside known = schema.inside();
  return Resolver(text, "type", known).type("", written);
}

std::vector<std::string> Schema::entity_types() const {
  std::vector<std::string> out;
  for (const auto& [name, type] : inside_->types) out.push_back(name);
  return out;
}

std::vector<Entity> Schema::action_entities() const {
  return inside_->action_entities;
}

std::vector<EntityUid> Schema::actions() const {
  std::vector<EntityUid> out;
  for (const auto& [uid, action] : inside_->actions) out.push_back(uid);
  return out;
}

bool Schema::has_action(const EntityUid& action) const {
  return inside_->action(action) != nullptr;
}

bool Schema::applies(const EntityUid& action, std::string_view principal_type,
                     std::string_view resource_type) const {
  const ActionInfo* info = inside_->action(action);
  return info != nullptr && info->principals.contains(std::string(principal_type)) &&
         info->resources.contains(std::string(resource_type));
}

}  // namespace entente::policy
