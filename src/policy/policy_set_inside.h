// What stands behind PolicySet. Private to the room.
#pragma once

#include "policy/ast.h"
#include "policy/decide.h"
#include "policy/policy_set.h"
#include "policy/scope_index.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace entente::policy {

// The policies that can concern one action (in unchecked sets: any), and of whom and what it may be asked.
struct ActionIndex {
  EntityUid action;
  std::vector<std::string> principals;  // types; of unchecked sets: none
  std::vector<std::string> resources;
  ScopeIndex forbids;
  ScopeIndex permits;
  Readings readings;  // of all these policies

  [[nodiscard]] bool applies(const EntityUid& principal, const EntityUid& resource) const;
};

struct PolicySet::Inside {
  std::optional<Schema> schema;  // none: unchecked
  NativePredicates natives;
  std::vector<Policy> policies;
  std::vector<Error> warnings;
  std::map<std::string, uint32_t, std::less<>> by_id;
  Program program;
  std::set<std::string, std::less<>> named;                       // ids of entities
  std::unordered_map<EntityUid, ActionIndex, UidHash> by_action;  // checked sets: each action of the schema
  ActionIndex all;                                                // unchecked sets

  [[nodiscard]] const ActionIndex* index_for(const EntityUid& action) const {
    if (!schema) return &all;
    const auto found = by_action.find(action);
    return found == by_action.end() ? nullptr : &found->second;
  }
  // Why a request is not put to the policies at all.
  [[nodiscard]] static Error too_many_entities();
  [[nodiscard]] static Error unknown(const Request& request);
};

}  // namespace entente::policy
