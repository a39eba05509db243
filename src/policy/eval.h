// Evaluates expressions for one request by walking their trees. Private to the room.
#pragma once

#include "policy/ast.h"
#include "policy/view.h"

#include <expected>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace entente::policy {

struct Fault {
  std::string what;
  const Expr* at;
};
using Evaluated = std::expected<Value, std::unique_ptr<Fault>>;
using Truth = std::expected<bool, std::unique_ptr<Fault>>;

class Evaluator {
 public:
  // All arguments must outlive it.
  Evaluator(View& view, const Request& request);

  [[nodiscard]] Truth truth(const Expr& expr);
  // Whether the scope lines hold (the action's too) and all conditions.
  [[nodiscard]] Truth applies(const Policy& policy, bool with_action);
  [[nodiscard]] bool meets(const Scope& scope, const EntityUid& uid);

  [[nodiscard]] std::vector<Datetime> take_instants();
  [[nodiscard]] bool clock_bound() const { return clock_bound_; }

 private:
  Evaluated eval(const Expr& expr);
  Evaluated variable(Variable variable) const;
  Evaluated has(const Expr& expr);
  Evaluated get(const Expr& expr);
  Evaluated order(const Expr& expr);
  Evaluated arithmetic(const Expr& expr);
  Evaluated in(const Expr& left_at, const Value& left, const Expr& right_at);
  Evaluated is(const Expr& expr);
  Evaluated like(const Expr& expr);
  Evaluated set(const Expr& expr);
  Evaluated record(const Expr& expr);
  Evaluated call(const Expr& expr);
  Evaluated set_method(const Expr& expr, const Value& receiver, const Value* argument);
  Evaluated tag_method(const Expr& expr, const Value& receiver, const Value& argument);
  Evaluated extension_method(const Expr& expr, const Value& receiver, const Value* argument);
  Evaluated decimal_method(const Expr& expr, Decimal receiver, const Value& argument);
  Evaluated time_method(const Expr& expr, const Value& receiver, const Value* argument);
  Evaluated native(const Expr& expr);
  std::expected<int64_t, std::unique_ptr<Fault>> integer(const Expr& expr);

  View& view_;
  const Request& request_;
  Value principal_;
  Value action_;
  Value resource_;
  Value context_;
  std::map<std::pair<const NativePredicate*, std::vector<Value>>, Value> remembered_;
  std::vector<Datetime> instants_;
  bool clock_bound_ = false;
};

// "policy.evaluation", with the place in the policy's text.
[[nodiscard]] Error evaluation_error(const Policy& policy, const Fault& fault);

}  // namespace entente::policy
