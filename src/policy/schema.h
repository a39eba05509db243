// The types that policies, entities and requests are checked against, read from Cedar schema text or
// JSON. Immutable; copies share.
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
  // Cedar's JSON form of schemas. Errors likewise, where the file and the JSON pointer.
  [[nodiscard]] static Result<Schema> parse_json(std::string_view text, std::string_view file);
  // By what the text looks like: JSON begins with a brace.
  [[nodiscard]] static Result<Schema> read(std::string_view text, std::string_view file);

  [[nodiscard]] std::vector<std::string> entity_types()
      const;  // full names, sorted; actions' types not among them
  [[nodiscard]] std::vector<EntityUid> actions() const;
  [[nodiscard]] std::vector<Entity> action_entities() const;  // with their groups as parents
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
  // ("2026-11-21T22:00:00Z" for datetime, {"type","id"} for entities). Unknown members are
  // refused. Errors "policy.value", where the JSON pointer.
  [[nodiscard]] Result<Entity> read_entity(const Json& json) const;
  // A list of them, each once. Actions may be among them when they are as the schema says; they are left out.
  // Errors besides: "policy.entity", "policy.entity-doubled".
  [[nodiscard]] Result<std::vector<Entity>> read_entities(const Json& json) const;
  [[nodiscard]] Result<Record> read_attributes(std::string_view entity_type, const Json& json) const;
  [[nodiscard]] Result<Record> read_context(const EntityUid& action, const Json& json) const;

  struct Inside;  // private to the room
  [[nodiscard]] const Inside& inside() const { return *inside_; }

 private:
  explicit Schema(std::shared_ptr<const Inside> inside) : inside_(std::move(inside)) {}
  std::shared_ptr<const Inside> inside_;
};

// A schema's two forms, one into the other; only one that parses. Annotations and the names of common types
// stay, comments do not. Errors "policy.schema".
[[nodiscard]] Result<Json> schema_to_json(std::string_view text, std::string_view file);
[[nodiscard]] Result<std::string> schema_to_text(std::string_view json, std::string_view file);

}  // namespace entente::policy
