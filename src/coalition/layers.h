// One layer's policies, parsed once and shared by every world until their texts change. Private to the room.
#pragma once

#include "policy/policy_set.h"

#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>

namespace entente::coalition {

class LayerPolicies {
 public:
  [[nodiscard]] static Result<std::shared_ptr<const LayerPolicies>> load(
      const policy::Schema& schema, std::span<const policy::PolicySource> sources);

  [[nodiscard]] const policy::PolicySet& set() const { return set_; }
  // Whether a policy could name an entity of this id in its text. Never false when one does.
  [[nodiscard]] bool may_name(std::string_view id) const { return escapes_ || quoted_.contains(id); }
  // Whether a policy could tell one request inside a session from another, by its method or path. Never false
  // when one does.
  [[nodiscard]] bool may_read_request() const { return may_read_request_; }

 private:
  policy::PolicySet set_;
  std::set<std::string, std::less<>> quoted_;  // all that stands between two quotes
  bool may_read_request_ = false;
  bool escapes_ = false;  // an id could be written with escapes: then anything may be named
};

}  // namespace entente::coalition
