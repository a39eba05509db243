#include "policy/reference.h"

#include "policy/eval.h"
#include "policy/policy_set_inside.h"
#include "policy/typecheck.h"
#include "policy/view.h"

#include <algorithm>

namespace entente::policy {
namespace {

class Plainly {
 public:
  Plainly(const PolicySet::Inside& policies, View& view, const Request& request)
      : policies_(policies), request_(request), evaluator_(view, request) {}

  // The policies of one effect that apply; those that fail go to `failed`, with why to `errors`.
  std::vector<PolicyIndex> tally(Effect effect, std::vector<PolicyIndex>& failed,
                                 std::vector<PolicyError>& errors) {
    std::vector<PolicyIndex> applied;
    for (uint32_t i = 0; i < policies_.policies.size(); ++i) {
      const Policy& policy = policies_.policies[i];
      if (policy.info.effect != effect || !concerned(policy)) continue;
      const Truth applies = evaluator_.applies(policy, !policies_.schema);
      if (!applies) {
        failed.push_back(PolicyIndex{i});
        errors.push_back({PolicyIndex{i}, evaluation_error(policy, *applies.error())});
      } else if (*applies) {
        applied.push_back(PolicyIndex{i});
      }
    }
    return applied;
  }

  Evaluator& evaluator() { return evaluator_; }

 private:
  [[nodiscard]] bool concerned(const Policy& policy) const {
    if (!policies_.schema) return true;
    const auto actions = actions_of(policy.action, policies_.schema->inside());
    return std::find(actions.begin(), actions.end(), request_.action) != actions.end();
  }

  const PolicySet::Inside& policies_;
  const Request& request_;
  Evaluator evaluator_;
};

}  // namespace

Answer decide_plainly(const PolicySet& policies, const Entities& entities, Overlay overlay,
                      const Request& request, DecideMode mode) {
  Answer answer;
  const PolicySet::Inside& inside = policies.inside();
  if (overlay.size() > kOverlayMax) {
    answer.errors.push_back({std::nullopt, inside.too_many_entities()});
    return answer;
  }
  if (inside.schema &&
      !inside.schema->applies(request.action, request.principal.type, request.resource.type)) {
    answer.errors.push_back({std::nullopt, inside.unknown(request)});
    return answer;
  }
  View view(entities, overlay);
  Plainly plainly(inside, view, request);
  std::vector<PolicyIndex> failed;
  answer.reasons = plainly.tally(Effect::forbid, failed, answer.errors);
  if (mode.forbid_error_denies) {
    answer.reasons.insert(answer.reasons.end(), failed.begin(), failed.end());
    std::sort(answer.reasons.begin(), answer.reasons.end());
  }
  const bool forbidden = !answer.reasons.empty();
  if (!forbidden || mode.every_error) {
    std::vector<PolicyIndex> permits = plainly.tally(Effect::permit, failed, answer.errors);
    if (!forbidden && !permits.empty()) {
      answer.decision = Decision::permit;
      answer.reasons = std::move(permits);
    }
  }
  answer.instants = plainly.evaluator().take_instants();
  answer.clock_bound = plainly.evaluator().clock_bound();
  answer.reach.entities = std::move(view).reads();
  return answer;
}

}  // namespace entente::policy
