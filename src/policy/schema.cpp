#include "policy/schema.h"

#include "policy/cursor.h"
#include "policy/decide.h"
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
      {"Bool", Kind::boolean},    {"Boolean", Kind::boolean},   {"Long", Kind::integer},
      {"String", Kind::string},   {"datetime", Kind::datetime}, {"duration", Kind::duration},
      {"decimal", Kind::decimal}, {"ipaddr", Kind::ip}};
  for (const auto& [known, kind] : kNames)
    if (known == name) return simple_type(kind);
  return nullptr;
}

// Turns names into types: common types first, then entity types, of the namespace, then of none, then Cedar's
// own.
class Resolver {
 public:
  Resolver(std::string_view text, std::string_view file, Schema::Inside& out)
      : text_(text), file_(file), out_(out) {}

  Result<void> run(const std::vector<NamespaceText>& spaces) {
    for (const NamespaceText& space : spaces) TRY_VOID(declare(space));
    for (const auto& [name, common] : commons_) TRY_VOID(common_type(name, common.second->span));
    for (const NamespaceText& space : spaces) {
      for (const EntityText& entity : space.entities) TRY_VOID(define(space, entity));
      for (const ActionText& action : space.actions) TRY_VOID(define(space, action));
    }
    for (auto& [name, type] : out_.types) close_over(name, type);
    return close_actions();
  }

  Result<TypePtr> type(const std::string& space, const TypeText& written) {
    if (written.kind == TypeText::Kind::name) return named(space, written.name, written.span);
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
    for (const auto& [name, written] : space.commons) {
      if (builtin(name.name) != nullptr || name.name == "Set" || name.name == "Record" ||
          name.name == "Entity")
        return wrong(name.span, fmt::format("`{}` is a type of Cedar's own", name.name),
                     "choose another name");
      if (!commons_.emplace(qualified(space.name, name.name), std::pair(space.name, &written)).second)
        return wrong(name.span, fmt::format("type `{}` is declared twice", name.name));
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

  Result<TypePtr> named(const std::string& space, const std::string& name, Span span) {
    if (name.starts_with("__cedar::")) {
      if (TypePtr own = builtin(std::string_view(name).substr(9))) return own;
      return unknown(name, span);
    }
    const bool path = name.find("::") != std::string::npos;
    for (const std::string& full : path ? std::vector{name} : std::vector{qualified(space, name), name}) {
      if (commons_.contains(full)) return common_type(full, span);
      if (const auto known = out_.commons.find(full); known != out_.commons.end()) return known->second;
      if (out_.types.contains(full)) return entity_type(full);
    }
    if (TypePtr own = path ? nullptr : builtin(name)) return own;
    return unknown(name, span);
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
      EntityUid uid{parent.type.empty() ? own : parent.type, parent.id};
      if (!parent.type.empty() && parent.type == "Action") uid.type = own;
      action_spans_.emplace(uid, parent.span);
      info.parents.insert(std::move(uid));
    }
    for (const NameText& name : action.names)
      if (!out_.actions.emplace(EntityUid{own, name.name}, info).second)
        return wrong(name.span, fmt::format("action \"{}\" is declared twice", name.name));
    return {};
  }

  void close_over(const std::string& name, EntityTypeInfo& type) const {
    std::vector<std::string> queue(type.parents.begin(), type.parents.end());
    while (!queue.empty()) {
      const std::string parent = std::move(queue.back());
      queue.pop_back();
      if (!type.ancestors.insert(parent).second) continue;
      const auto& above = out_.types.find(parent)->second.parents;
      queue.insert(queue.end(), above.begin(), above.end());
    }
    (void)name;
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
  std::map<EntityUid, Span> action_spans_;
};

Failure refused(std::string_view code, std::string what, std::string hint = {}) {
  return fail(std::string(code), std::move(what), {}, std::move(hint));
}

}  // namespace

Result<Schema> Schema::parse(std::string_view text, std::string_view file) {
  if (text.size() > kSchemaTextMax)
    return fail("policy.schema", fmt::format("the text is longer than {} bytes", kSchemaTextMax),
                std::string(file));
  TRY(const std::vector<NamespaceText> spaces, parse_schema_text(text, file));
  auto inside = std::make_shared<Inside>();
  TRY_VOID(Resolver(text, file, *inside).run(spaces));
  return Schema(std::move(inside));
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

std::vector<EntityUid> Schema::actions() const {
  std::vector<EntityUid> out;
  for (const auto& [uid, action] : inside_->actions) out.push_back(uid);
  return out;
}

bool Schema::has_entity_type(std::string_view type) const {
  return inside_->type(type) != nullptr;
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

static Result<void> check_tags(const Entity& entity, const EntityTypeInfo& type) {
  for (const auto& [name, value] : entity.tags.members()) {
    if (type.tags == nullptr)
      return refused("policy.entity", fmt::format("{} has tags; its type has none", entity.uid.text()));
    if (std::string wrong = mismatch(value, *type.tags, "tag " + name + "."); !wrong.empty())
      return refused("policy.entity", fmt::format("{}: {}", entity.uid.text(), wrong));
  }
  return {};
}

Result<void> Schema::check(const Entity& entity) const {
  const std::string name = entity.uid.text();
  const EntityTypeInfo* type = inside_->type(entity.uid.type);
  if (type == nullptr)
    return refused("policy.entity", fmt::format("{}: there is no entity type `{}`", name, entity.uid.type),
                   did_you_mean(entity.uid.type, entity_types()));
  if (!type->enumerated.empty() && !type->enumerated.contains(entity.uid.id))
    return refused("policy.entity", fmt::format("{} is not among the ids of its type", name));
  if (std::string wrong = mismatch(Value(entity.attributes), *type->attributes, ""); !wrong.empty())
    return refused("policy.entity", fmt::format("{}: {}", name, wrong));
  for (const EntityUid& parent : entity.parents)
    if (!type->parents.contains(parent.type))
      return refused("policy.entity",
                     fmt::format("{} stands under {}, which its type does not allow", name, parent.text()));
  return check_tags(entity, *type);
}

Result<void> Schema::check(const Request& request) const {
  const ActionInfo* action = inside_->action(request.action);
  if (action == nullptr) {
    std::vector<std::string> names;
    for (const auto& [uid, info] : inside_->actions) names.push_back(uid.text());
    return refused("policy.request", fmt::format("there is no action {}", request.action.text()),
                   did_you_mean(request.action.text(), names));
  }
  if (!applies(request.action, request.principal.type, request.resource.type))
    return refused("policy.request", fmt::format("{} does not apply to a {} and a {}", request.action.text(),
                                                 request.principal.type, request.resource.type));
  if (std::string wrong = mismatch(Value(request.context), *action->context, "context."); !wrong.empty())
    return refused("policy.request", std::move(wrong));
  return {};
}

}  // namespace entente::policy
