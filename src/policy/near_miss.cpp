// What would have to be different for a denied request: the permits that came nearest.
#include "policy/decide.h"
#include "policy/eval.h"
#include "policy/lexer.h"
#include "policy/policy_set_inside.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::policy {
namespace {

class Misses {
 public:
  Misses(const PolicySet::Inside& policies, View& view, const Request& request)
      : policies_(policies), request_(request), evaluator_(view, request) {}

  void look(uint32_t number) {
    const Policy& policy = policies_.policies[number];
    if (policy.info.effect != Effect::permit) return;
    if (!policies_.schema && !evaluator_.meets(policy.action, request_.action)) return;
    NearMiss miss{PolicyIndex{number}, {}, {}, false, 0, 0};
    scope(policy, policy.principal, request_.principal, miss);
    scope(policy, policy.resource, request_.resource, miss);
    for (const Condition& condition : policy.conditions) {
      if (condition.when && condition.body->op == Op::all) {
        for (const ExprPtr& part : condition.body->args) expression(policy, *part, true, miss);
      } else {
        expression(policy, *condition.body, condition.when, miss);
      }
    }
    if (miss.met < miss.conditions) found_.push_back(std::move(miss));
  }

  std::vector<NearMiss> nearest(size_t count_max) && {
    std::sort(found_.begin(), found_.end(), [](const NearMiss& a, const NearMiss& b) {
      return std::pair(a.conditions - a.met, a.policy) < std::pair(b.conditions - b.met, b.policy);
    });
    if (found_.size() > count_max) found_.resize(count_max);
    return std::move(found_);
  }

 private:
  void scope(const Policy& policy, const Scope& scope, const EntityUid& uid, NearMiss& miss) {
    if (scope.kind == Scope::Kind::any) return;
    note(policy, scope.begin, scope.finish, evaluator_.meets(scope, uid), true, false, miss);
  }

  void expression(const Policy& policy, const Expr& expr, bool wanted, NearMiss& miss) {
    const Truth holds = evaluator_.truth(expr);
    note(policy, expr.begin, expr.finish, holds && *holds == wanted, wanted, !holds, miss);
  }

  static void note(const Policy& policy, uint32_t begin, uint32_t finish, bool holds, bool wanted,
                   bool failed, NearMiss& miss) {
    ++miss.conditions;
    if (holds) {
      ++miss.met;
    } else if (miss.condition.empty()) {
      const std::string text = policy.source->text.substr(begin, finish - begin);
      miss.condition = wanted ? text : "!(" + text + ")";
      miss.where = place(policy.source->text, policy.source->file, begin);
      miss.failed = failed;
    }
  }

  const PolicySet::Inside& policies_;
  const Request& request_;
  Evaluator evaluator_;
  std::vector<NearMiss> found_;
};

}  // namespace

std::vector<NearMiss> near_misses(const PolicySet& policies, const Entities& entities, Overlay overlay,
                                  const Request& request, size_t count_max) {
  const PolicySet::Inside& inside = policies.inside();
  const ActionIndex* index = inside.index_for(request.action);
  if (index == nullptr || overlay.size() > kOverlayMax) return {};
  if (inside.schema && !index->applies(request.principal, request.resource)) return {};
  View view(entities, overlay);
  Misses misses(inside, view, request);
  for (const uint32_t number : index->permits.all()) misses.look(number);
  return std::move(misses).nearest(count_max);
}

}  // namespace entente::policy
