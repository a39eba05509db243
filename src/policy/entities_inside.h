// What stands behind Entities. Private to the room.
#pragma once

#include "policy/cell.h"
#include "policy/entities.h"
#include "policy/persistent.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace entente::policy {

// A name that was ever used, as an entity or as a parent: names and numbers are never taken back.
struct EntityNode {
  std::shared_ptr<const Named> name;
  std::shared_ptr<const Entity> entity;  // null: only named, or removed
  uint32_t number = 0;
  std::vector<uint64_t> parents;                       // keys, sorted
  std::shared_ptr<const std::vector<Name>> ancestors;  // transitive, sorted by hash; null when there are none
  PersistentMap<bool> children;                        // by key
};

// Whether a name stands in a list sorted by hash.
[[nodiscard]] inline bool is_among(std::span<const Name> names, const Name& name) {
  constexpr size_t kScannedMax = 16;  // names found faster one by one than by halves
  const Name* at = names.data();
  const Name* const end = at + names.size();
  if (names.size() > kScannedMax)
    at = std::lower_bound(at, end, name.hash, [](const Name& one, uint64_t hash) { return one.hash < hash; });
  for (; at != end && at->hash <= name.hash; ++at)
    if (same(*at, name)) return true;
  return false;
}

struct Entities::Inside {
  std::optional<Schema> schema;
  // A node's key is its name's hash, or when that is taken, the first free one after it. As names are never
  // taken back, a free key ends every search.
  PersistentMap<EntityNode> nodes;
  size_t size = 0;

  [[nodiscard]] const EntityNode* node(const Name& name) const {
    for (uint64_t key = name.hash;; ++key) {
      const EntityNode* found = nodes.find(key);
      if (found == nullptr || same_uid(found->name->uid, *name.uid)) return found;
    }
  }
  [[nodiscard]] const EntityNode* node(const EntityUid& uid) const { return node(name_of(uid)); }
};

}  // namespace entente::policy
