// What stands behind PolicySet. Private to the room.
#pragma once

#include "policy/ast.h"
#include "policy/policy_set.h"

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace entente::policy {

// Policies by what their scope pins down; each stands in one place only: the most selective its scope names.
struct ScopeIndex {
  using List = std::vector<uint32_t>;
  List any;
  std::unordered_map<EntityUid, List, UidHash> by_principal;  // principal == or in
  std::unordered_map<EntityUid, List, UidHash> by_resource;
  std::map<std::string, List, std::less<>> by_principal_type;
  std::map<std::string, List, std::less<>> by_resource_type;

  void add(uint32_t number, const Policy& policy);
};

struct PolicySet::Inside {
  std::optional<Schema> schema;  // none: unchecked
  NativePredicates natives;
  std::vector<Policy> policies;
  std::vector<Error> warnings;
  std::map<std::string, uint32_t, std::less<>> by_id;
  std::unordered_map<EntityUid, ScopeIndex, UidHash> by_action;  // checked sets: each action of the schema
  ScopeIndex all;                                                // unchecked sets

  [[nodiscard]] const ScopeIndex* index_for(const EntityUid& action) const {
    if (!schema) return &all;
    const auto found = by_action.find(action);
    return found == by_action.end() ? nullptr : &found->second;
  }
};

}  // namespace entente::policy
