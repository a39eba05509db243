// What stands behind PolicyDocument. Private to the room.
#pragma once

#include "policy/ast.h"
#include "policy/document.h"

#include <set>
#include <string>
#include <vector>

namespace entente::policy {

struct PolicyDocument::Inside {
  std::vector<Policy> policies;
  std::vector<Policy> templates;
  std::vector<PolicyLink> links;
  std::set<std::string, std::less<>> ids;
  std::map<std::string, size_t, std::less<>> template_at;

  [[nodiscard]] const Policy* template_of(std::string_view id) const;
  [[nodiscard]] Result<void> add(Policy policy);
  [[nodiscard]] Result<void> add_link(PolicyLink link, const std::string& where);
};

// The template with its slots filled: a policy like any other. Error "policy.link".
[[nodiscard]] Result<Policy> bind(const Policy& made_from, const PolicyLink& link);

}  // namespace entente::policy
