// The types that policies, entities and requests are checked against, read from Cedar schema text (human
// syntax). Immutable; copies share.
#pragma once

#include "base/json.h"
#include "base/result.h"
#include "policy/entity.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace entente::policy {

struct Request;  // decide.h

class Schema {
 public:
  // `file` names the text in errors. Namespaces, common types, entity types (attributes, tags, enum, in),
  // actions (in, appliesTo, context), annotations are read. Errors "policy.schema", where "file:line:column".
  [[nodiscard]] static Result<Schema> parse(std::string_view text, std::string_view file);

  [[nodiscard]] std::vector<std::string> entity_types()
      const;  // full names, sorted; actions' types not among them
  [[nodiscard]] std::vector<EntityUid> actions() const;
  [[nodiscard]] bool has_entity_type(std::string_view type) const;
  [[nodiscard]] bool has_action(const EntityUid& action) const;
  // Whether the action may be asked for with a principal and a resource of these types.
  [[nodiscard]] bool applies(const EntityUid& action, std::string_view principal_type,
                             std::string_view resource_type) const;

  // Whether an entity, or a whole request with its context, is as this schema says.
  // Errors "policy.entity" and "policy.request": which attribute, what was expected, what was found.
  [[nodiscard]] Result<void> check(const Entity& entity) const;
  [[nodiscard]] Result<void> check(const Request& request) const;

  // Plain JSON read as the schema's types say: a string becomes an entity, datetime, ... where one is
  // declared
  // ("2026-11-21T22:00:00Z" for datetime, {"type","id"} or `Type::"id"` for entities). Unknown members are
  // refused. Errors "policy.value", where the JSON pointer.
  [[nodiscard]] Result<Entity> read_entity(const Json& json) const;
  [[nodiscard]] Result<Record> read_attributes(std::string_view entity_type, const Json& json) const;
  [[nodiscard]] Result<Record> read_context(const EntityUid& action, const Json& json) const;

  struct Inside;  // private to the room
  [[nodiscard]] const Inside& inside() const { return *inside_; }

 private:
  explicit Schema(std::shared_ptr<const Inside> inside) : inside_(std::move(inside)) {}
  std::shared_ptr<const Inside> inside_;
};

}  // namespace entente::policy
