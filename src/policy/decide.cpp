#include "policy/decide.h"

#include "policy/eval.h"
#include "policy/policy_set_inside.h"
#include "policy/view.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace entente::policy {
namespace {

// Policies whose scope can match, ascending.
std::vector<uint32_t> candidates(const ScopeIndex& index, View& view, const Request& request) {
  std::vector<uint32_t> out = index.any;
  const auto add = [&](const auto& map, const auto& at) {
    const auto found = map.find(at);
    if (found != map.end()) out.insert(out.end(), found->second.begin(), found->second.end());
  };
  const auto add_line = [&](const auto& map, const EntityUid& uid) {
    add(map, uid);
    const auto& above = view.ancestors(uid);
    if (map.empty()) return;
    for (const EntityUid* ancestor : above) add(map, *ancestor);
  };
  add_line(index.by_principal, request.principal);
  add_line(index.by_resource, request.resource);
  add(index.by_principal_type, request.principal.type);
  add(index.by_resource_type, request.resource.type);
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<Error> refuse(const PolicySet::Inside& policies, Overlay overlay, const Request& request) {
  if (overlay.size() > kOverlayMax)
    return Error{
        "policy.request", fmt::format("more than {} entities given with the request", kOverlayMax), {}, {}};
  if (!policies.schema) return std::nullopt;
  if (policies.schema->applies(request.action, request.principal.type, request.resource.type))
    return std::nullopt;
  return Error{"policy.request",
               fmt::format("the schema knows no {} of a {} by a {}", request.action.text(),
                           request.resource.type, request.principal.type),
               {},
               {}};
}

Error evaluation_error(const Policy& policy, const Fault& fault) {
  constexpr size_t kShown = 80;
  const std::string_view text = policy.source->text;
  const uint32_t length = std::min<uint32_t>(fault.at->finish - fault.at->begin, kShown);
  return Error{"policy.evaluation",
               fmt::format("`{}`: {}", text.substr(fault.at->begin, length), fault.what),
               policy.info.where,
               {}};
}

// Evaluates the policies of one effect.
struct Tally {
  std::vector<PolicyIndex> applied;
  std::vector<PolicyIndex> failed;
};

Tally tally(const PolicySet::Inside& policies, const std::vector<uint32_t>& numbers, Effect effect,
            Evaluator& evaluator, std::vector<PolicyError>& errors) {
  Tally out;
  for (const uint32_t number : numbers) {
    const Policy& policy = policies.policies[number];
    if (policy.info.effect != effect) continue;
    const Truth applies = evaluator.applies(policy, !policies.schema);
    if (!applies) {
      out.failed.push_back(PolicyIndex{number});
      errors.push_back({PolicyIndex{number}, evaluation_error(policy, *applies.error())});
    } else if (*applies) {
      out.applied.push_back(PolicyIndex{number});
    }
  }
  return out;
}

}  // namespace

bool Reach::touches(const EntityUid& uid) const {
  return std::binary_search(entities.begin(), entities.end(), uid) ||
         std::binary_search(types.begin(), types.end(), uid.type);
}

void Reach::add(const Reach& other) {
  std::vector<EntityUid> uids;
  std::set_union(entities.begin(), entities.end(), other.entities.begin(), other.entities.end(),
                 std::back_inserter(uids));
  entities = std::move(uids);
  std::vector<std::string> names;
  std::set_union(types.begin(), types.end(), other.types.begin(), other.types.end(),
                 std::back_inserter(names));
  types = std::move(names);
}

Answer decide(const PolicySet& policies, const Entities& entities, Overlay overlay, const Request& request,
              DecideMode mode) {
  Answer answer;
  const PolicySet::Inside& inside = policies.inside();
  if (auto error = refuse(inside, overlay, request)) {
    answer.errors.push_back({std::nullopt, *std::move(error)});
    return answer;
  }
  View view(entities, overlay);
  Evaluator evaluator(view, request);
  std::vector<uint32_t> numbers;
  if (const ScopeIndex* index = inside.index_for(request.action)) numbers = candidates(*index, view, request);

  Tally forbids = tally(inside, numbers, Effect::forbid, evaluator, answer.errors);
  answer.reasons = std::move(forbids.applied);
  if (mode.forbid_error_denies) {
    answer.reasons.insert(answer.reasons.end(), forbids.failed.begin(), forbids.failed.end());
    std::sort(answer.reasons.begin(), answer.reasons.end());
  }
  const bool forbidden = !answer.reasons.empty();
  if (!forbidden || mode.every_error) {
    Tally permits = tally(inside, numbers, Effect::permit, evaluator, answer.errors);
    if (!forbidden && !permits.applied.empty()) {
      answer.decision = Decision::permit;
      answer.reasons = std::move(permits.applied);
    }
  }
  answer.instants = evaluator.take_instants();
  answer.clock_bound = evaluator.clock_bound();
  answer.reach.entities = std::move(view).reads();
  return answer;
}

}  // namespace entente::policy
