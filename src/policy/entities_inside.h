// What stands behind Entities. Private to the room.
#pragma once

#include "policy/entities.h"
#include "policy/persistent.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace entente::policy {

// A name that was ever used, as an entity or as a parent: names and numbers are never taken back.
struct EntityNode {
  std::shared_ptr<const EntityUid> uid;
  std::shared_ptr<const Entity> entity;                    // null: only named, or removed
  std::vector<uint32_t> parents;                           // sorted
  std::shared_ptr<const std::vector<uint32_t>> ancestors;  // transitive, sorted; null when there are none
  PersistentMap<bool> children;
};

struct Entities::Inside {
  std::optional<Schema> schema;
  PersistentMap<std::vector<uint32_t>> ids;  // by UidHash; those of equal hash together
  PersistentMap<EntityNode> nodes;           // by id
  size_t size = 0;

  [[nodiscard]] std::optional<uint32_t> id_of(const EntityUid& uid) const;
  [[nodiscard]] const EntityNode* node(const EntityUid& uid) const;
};

}  // namespace entente::policy
