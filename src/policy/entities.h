// The entities of one world: an immutable value. A changed version costs what changed and shares the rest;
// readers need no lock and may keep a version for as long as they like.
#pragma once

#include "base/result.h"
#include "policy/entity.h"
#include "policy/schema.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace entente::policy {

// An entity's number: the same in every later version of one line of versions, also after removal and return.
enum class EntityId : uint32_t {};

struct EntityChanges {
  std::vector<Entity> put;        // added, or replaced as a whole
  std::vector<EntityUid> remove;  // absent ones are ignored; entities that name it as a parent keep doing so
};

class Entities {
 public:
  // No entities but the schema's actions. With this every put is checked against the schema.
  explicit Entities(const Schema& schema);
  // No schema, nothing checked: for conformance tests.
  [[nodiscard]] static Entities unchecked();

  // The next version. All or nothing; order within the changes does not matter, but one uid may occur only
  // once. Errors: "policy.entity" (not as the schema says), "policy.entity-cycle", "policy.entity-doubled".
  [[nodiscard]] Result<Entities> with(const EntityChanges& changes) const;

  [[nodiscard]] std::shared_ptr<const Entity> find(const EntityUid& uid) const;  // null when absent
  [[nodiscard]] size_t size() const;
  // Transitive, without itself; empty when absent. Named ancestors that are no entities themselves are
  // included.
  [[nodiscard]] std::vector<EntityUid> ancestors(const EntityUid& uid) const;
  // Those that name `uid` as direct parent.
  [[nodiscard]] std::vector<EntityUid> children(const EntityUid& uid) const;
  // Whether `uid` is `ancestor` or stands under it.
  [[nodiscard]] bool is_in(const EntityUid& uid, const EntityUid& ancestor) const;
  [[nodiscard]] std::optional<EntityId> id_of(const EntityUid& uid) const;
  // Each entity once, in no particular order, as long as `visit` returns true.
  void each(const std::function<bool(const Entity&)>& visit) const;

  struct Inside;  // private to the room
  [[nodiscard]] const Inside& inside() const { return *inside_; }

 private:
  explicit Entities(std::shared_ptr<const Inside> inside) : inside_(std::move(inside)) {}
  std::shared_ptr<const Inside> inside_;
};

}  // namespace entente::policy
