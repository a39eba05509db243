// Whether entities and requests are as a schema says.
#include "policy/decide.h"
#include "policy/lexer.h"
#include "policy/schema.h"
#include "policy/schema_inside.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

namespace entente::policy {
namespace {

Failure refused(std::string_view code, std::string what, std::string hint = {}) {
  return fail(std::string(code), std::move(what), {}, std::move(hint));
}

// An entity that is named: one of an enumerated type exists, an action is declared.
std::string misnamed(const EntityUid& uid, const Schema::Inside& schema) {
  if (schema.is_action_type(uid.type))
    return schema.action(uid) == nullptr ? fmt::format("there is no action {}", uid.text()) : std::string();
  const EntityTypeInfo* type = schema.type(uid.type);
  if (type != nullptr && !type->enumerated.empty() && !type->enumerated.contains(uid.id))
    return fmt::format("{} is not among the ids of its type", uid.text());
  return {};
}

std::string misnamed_inside(const Value& value, const Schema::Inside& schema) {
  switch (value.kind()) {
    case Value::Kind::entity:
      return misnamed(value.entity(), schema);
    case Value::Kind::set:
      for (const Value& item : value.items())
        if (std::string wrong = misnamed_inside(item, schema); !wrong.empty()) return wrong;
      return {};
    case Value::Kind::record:
      for (const auto& [name, member] : value.record().members())
        if (std::string wrong = misnamed_inside(member, schema); !wrong.empty()) return wrong;
      return {};
    default:
      return {};
  }
}

std::string_view item_type(const Json& item) {
  const Json* uid = item.find("uid");
  if (uid == nullptr) return {};
  const Json* inner = uid->find("__entity");
  return (inner == nullptr ? uid : inner)->text_or("type", "");
}

Result<void> check_tags(const Entity& entity, const EntityTypeInfo& type, const Schema::Inside& schema) {
  for (const auto& [name, value] : entity.tags.members()) {
    if (type.tags == nullptr)
      return refused("policy.entity", fmt::format("{} has tags; its type has none", entity.uid.text()));
    if (std::string wrong = mismatch(value, *type.tags, "tag " + name + "."); !wrong.empty())
      return refused("policy.entity", fmt::format("{}: {}", entity.uid.text(), wrong));
    if (std::string wrong = misnamed_inside(value, schema); !wrong.empty())
      return refused("policy.entity", fmt::format("{}: tag {}: {}", entity.uid.text(), name, wrong));
  }
  return {};
}

// The schema knows its actions: one that is given anyway has to name all the groups it stands in.
Result<void> check_action(const Entity& entity, const Schema::Inside& schema) {
  const std::string name = entity.uid.text();
  const ActionInfo* action = schema.action(entity.uid);
  if (action == nullptr) return refused("policy.entity", fmt::format("there is no action {}", name));
  if (!entity.attributes.empty() || !entity.tags.empty())
    return refused("policy.entity", fmt::format("{}: actions have neither attributes nor tags", name));
  if (std::set<EntityUid>(entity.parents.begin(), entity.parents.end()) != action->ancestors)
    return refused("policy.entity", fmt::format("{} stands in other groups than the schema says", name));
  return {};
}

// Actions among those given, each with all groups above it, as far as they are given themselves.
void close_actions(std::map<EntityUid, Entity>& actions) {
  for (auto& [uid, action] : actions) {
    std::set<EntityUid> above;
    std::vector<EntityUid> queue = action.parents;
    while (!queue.empty()) {
      const EntityUid parent = std::move(queue.back());
      queue.pop_back();
      if (!above.insert(parent).second) continue;
      const auto known = actions.find(parent);
      if (known != actions.end())
        queue.insert(queue.end(), known->second.parents.begin(), known->second.parents.end());
    }
    action.parents.assign(above.begin(), above.end());
  }
}

}  // namespace

Result<void> Schema::check(const Entity& entity) const {
  const std::string name = entity.uid.text();
  if (inside_->is_action_type(entity.uid.type)) return check_action(entity, *inside_);
  const EntityTypeInfo* type = inside_->type(entity.uid.type);
  if (type == nullptr)
    return refused("policy.entity", fmt::format("{}: there is no entity type `{}`", name, entity.uid.type),
                   did_you_mean(entity.uid.type, entity_types()));
  if (std::string wrong = misnamed(entity.uid, *inside_); !wrong.empty())
    return refused("policy.entity", std::move(wrong));
  const Value attributes(entity.attributes);
  if (std::string wrong = mismatch(attributes, *type->attributes, ""); !wrong.empty())
    return refused("policy.entity", fmt::format("{}: {}", name, wrong));
  if (std::string wrong = misnamed_inside(attributes, *inside_); !wrong.empty())
    return refused("policy.entity", fmt::format("{}: {}", name, wrong));
  for (const EntityUid& parent : entity.parents) {
    if (!type->ancestors.contains(parent.type))
      return refused("policy.entity",
                     fmt::format("{} stands under {}, which its type does not allow", name, parent.text()));
    if (std::string wrong = misnamed(parent, *inside_); !wrong.empty())
      return refused("policy.entity", fmt::format("{} stands under {}: {}", name, parent.text(), wrong));
  }
  return check_tags(entity, *type, *inside_);
}

Result<std::vector<Entity>> Schema::read_entities(const Json& json) const {
  if (!json.is_array()) return refused("policy.entity", "entities are a list");
  std::map<EntityUid, Entity> all;
  std::map<EntityUid, Entity> actions;
  for (const Json& item : json.items()) {
    TRY(Entity plain, inside_->is_action_type(item_type(item)) ? entity_from_json(item) : read_entity(item));
    auto& kept = inside_->is_action_type(plain.uid.type) ? actions : all;
    const auto [other, fresh] = kept.emplace(plain.uid, plain);
    if (!fresh && !(other->second == plain))
      return refused("policy.entity-doubled", fmt::format("{} is given twice", plain.uid.text()));
  }
  close_actions(actions);
  for (const auto& [uid, action] : actions) TRY_VOID(check(action));
  std::vector<Entity> out;
  out.reserve(all.size());
  for (auto& [uid, entity] : all) out.push_back(std::move(entity));
  return out;
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
  for (const EntityUid* uid : {&request.principal, &request.resource})
    if (std::string wrong = misnamed(*uid, *inside_); !wrong.empty())
      return refused("policy.request", std::move(wrong));
  const Value context(request.context);
  if (std::string wrong = mismatch(context, *action->context, "context."); !wrong.empty())
    return refused("policy.request", std::move(wrong));
  if (std::string wrong = misnamed_inside(context, *inside_); !wrong.empty())
    return refused("policy.request", "context: " + wrong);
  return {};
}

}  // namespace entente::policy
