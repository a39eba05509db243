// Native predicates: typed, pure functions that policies call like methods, on anything that has a value:
//   principal.cleared.dominates(resource.label, context.now)
// The result for the same arguments is remembered for the length of one request. Build the table once, at
// start.
#pragma once

#include "base/result.h"
#include "policy/entity.h"

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace entente::policy {

struct NativePredicate {
  // Pure: the same arguments give the same result, nothing else is read, changed or decided. An error is an
  // evaluation error.
  using Function = std::function<Result<Value>(std::span<const Value> arguments)>;

  std::string name;  // an identifier that is no method of Cedar's own
  std::vector<std::string>
      parameters;      // types as schemas write them ("Set<String>", "Entente::Mission"); receiver first
  std::string result;  // likewise; "Bool" in most cases
  Function function;
  // Whether no instant among these arguments matters to the result. Left out: each does, and what was decided
  // by it holds for that instant alone.
  std::function<bool(std::span<const Value> arguments)> timeless{};
  bool names_nothing = false;  // it knows no entity by its id: PolicySet::names_entity() need not suspect it
};

class NativePredicates {
 public:
  // Error "policy.native" when the name is taken, is one of Cedar's methods, or has no receiver.
  [[nodiscard]] Result<void> add(NativePredicate predicate);
  [[nodiscard]] const NativePredicate* find(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  std::map<std::string, std::shared_ptr<const NativePredicate>, std::less<>> by_name_;
};

}  // namespace entente::policy
