// What stands behind Schema. Private to the room.
#pragma once

#include "policy/schema.h"
#include "policy/types.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace entente::policy {

struct EntityTypeInfo {
  TypePtr attributes;                // a record
  TypePtr tags;                      // null: none
  std::set<std::string> ancestors;   // the types it may stand under, transitive
  std::set<std::string> parents;     // direct ones
  std::set<std::string> enumerated;  // the only ids there are; empty: any
};

struct ActionInfo {
  std::set<std::string> principals;
  std::set<std::string> resources;
  TypePtr context;                // a record
  std::set<EntityUid> parents;    // direct
  std::set<EntityUid> ancestors;  // transitive, without itself
};

struct Schema::Inside {
  std::map<std::string, EntityTypeInfo, std::less<>> types;
  std::map<EntityUid, ActionInfo> actions;
  std::vector<Entity> action_entities;
  std::map<std::string, TypePtr, std::less<>> commons;  // by full name

  [[nodiscard]] const EntityTypeInfo* type(std::string_view name) const {
    const auto found = types.find(name);
    return found == types.end() ? nullptr : &found->second;
  }
  [[nodiscard]] const ActionInfo* action(const EntityUid& uid) const {
    const auto found = actions.find(uid);
    return found == actions.end() ? nullptr : &found->second;
  }
  [[nodiscard]] bool is_action_type(std::string_view name) const {
    return name == "Action" || name.ends_with("::Action");
  }
};

// A type written as schemas write it ("Set<Entente::Mission>"), against a parsed schema.
[[nodiscard]] Result<TypePtr> parse_type(std::string_view text, const Schema& schema);

}  // namespace entente::policy
