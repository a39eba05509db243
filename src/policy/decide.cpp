#include "policy/decide.h"

#include "policy/eval.h"
#include "policy/machine.h"
#include "policy/near_miss.h"
#include "policy/policy_set_inside.h"
#include "policy/view.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace entente::policy {
namespace {

// What a thread uses again from one decision to the next.
struct Desk {
  Machine machine;
  std::vector<uint64_t> room;
  std::vector<uint32_t> failed;
  bool busy = false;
};

// A native predicate that asks for a decision itself would find its own request overwritten.
class AtDesk {
 public:
  explicit AtDesk(Desk& desk) : desk_(desk) {
    ENTENTE_CHECK(!desk.busy);
    desk.busy = true;
  }
  ~AtDesk() { desk_.busy = false; }
  AtDesk(const AtDesk&) = delete;
  AtDesk& operator=(const AtDesk&) = delete;

 private:
  Desk& desk_;
};

template <class T>
void sort_once_each(std::vector<T>& items) {
  if (items.size() < 2) return;
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
}

// One decision on its way.
class Deciding {
 public:
  Deciding(Desk& desk, const PolicySet::Inside& policies, const Entities& entities, Overlay overlay,
           const Request& request, Answer& answer)
      : desk_(desk),
        policies_(policies),
        entities_(entities),
        overlay_(overlay),
        request_(request),
        answer_(answer) {}

  // The only permit whose scope the request may meet is the nearest, and need not be looked into.
  [[nodiscard]] std::optional<PolicyIndex> only_near(const ActionIndex& index) {
    return policies_.schema
               ? only_in_scope(policies_, index.permits, principal_, resource_, desk_.room, request_)
               : std::nullopt;
  }

  void run(const ActionIndex& index, DecideMode mode) {
    Machine& machine = desk_.machine;
    const RequestHashes hashes(request_);
    machine.begin(policies_.program, entities_, overlay_, request_, hashes);
    principal_ = {hashes.principal_type, hashes.principal, machine.principal().above};
    resource_ = {hashes.resource_type, hashes.resource, machine.resource().above};

    tally(index.forbids, answer_.reasons);
    if (mode.forbid_error_denies)
      for (const uint32_t number : desk_.failed) answer_.reasons.push_back(PolicyIndex{number});
    sort_once_each(answer_.reasons);
    const bool forbidden = !answer_.reasons.empty();
    if (forbidden && !mode.every_error) return;
    tally(index.permits, answer_.reasons);
    if (forbidden) {
      std::erase_if(answer_.reasons, [&](PolicyIndex i) { return rule(i).effect == Effect::permit; });
    } else if (!answer_.reasons.empty()) {
      answer_.decision = Decision::permit;
      sort_once_each(answer_.reasons);
    }
  }

 private:
  const Rule& rule(PolicyIndex index) const { return policies_.program.rules[static_cast<uint32_t>(index)]; }

  void tally(const ScopeIndex& index, std::vector<PolicyIndex>& applied) {
    Machine& machine = desk_.machine;
    desk_.failed.clear();
    const Rule* const rules = policies_.program.rules.data();
    const bool with_action = !policies_.schema;
    index.find(
        principal_, resource_, desk_.room, [&](uint32_t code) { return machine.eval(code); },
        [&](uint32_t number) {
          const Machine::Outcome outcome = machine.applies(rules[number], with_action);
          if (outcome == Machine::Outcome::yes) applied.push_back(PolicyIndex{number});
          if (outcome == Machine::Outcome::failed) desk_.failed.push_back(number);
        });
    if (!desk_.failed.empty()) explain();
  }

  // What went wrong, in words: the plain evaluator goes there again.
  void explain() {
    sort_once_each(desk_.failed);
    View view(entities_, overlay_);
    Evaluator evaluator(view, request_);
    for (const uint32_t number : desk_.failed) {
      const Policy& policy = policies_.policies[number];
      Truth applies = evaluator.applies(policy, !policies_.schema);
      if (applies)
        applies =
            std::unexpected(std::make_unique<Fault>(Fault{"this fails", policy.conditions[0].body.get()}));
      answer_.errors.push_back({PolicyIndex{number}, evaluation_error(policy, *applies.error())});
    }
  }

  Desk& desk_;
  const PolicySet::Inside& policies_;
  const Entities& entities_;
  const Overlay overlay_;
  const Request& request_;
  Answer& answer_;
  ScopeIndex::Line principal_{};
  ScopeIndex::Line resource_{};
};

std::optional<PolicyIndex> nearest_of(const std::vector<NearMiss>& found) {
  return found.empty() ? std::nullopt : std::optional(found.front().policy);
}

Desk& desk() {
  static thread_local Desk mine;
  return mine;
}

}  // namespace

bool Reach::touches(const EntityUid& uid) const {
  return std::binary_search(entities.begin(), entities.end(), uid) ||
         std::binary_search(types.begin(), types.end(), uid.type);
}

Reach reach_of(std::span<const EntityUid* const> reads) {
  std::vector<const EntityUid*> each(reads.begin(), reads.end());
  const auto before = [](const EntityUid* a, const EntityUid* b) { return a != b && *a < *b; };
  std::sort(each.begin(), each.end());
  each.erase(std::unique(each.begin(), each.end()), each.end());
  std::sort(each.begin(), each.end(), before);
  Reach out;
  out.entities.reserve(each.size());
  for (const EntityUid* uid : each)
    if (out.entities.empty() || out.entities.back() != *uid) out.entities.push_back(*uid);
  return out;
}

void decide(const PolicySet& policies, const Entities& entities, Overlay overlay, const Request& request,
            DecideMode mode, Answer& answer) {
  answer.decision = Decision::deny;
  answer.reasons.clear();
  answer.errors.clear();
  answer.reach.entities.clear();
  answer.reach.types.clear();
  answer.reads.clear();
  answer.instants.clear();
  answer.clock_bound = false;
  answer.nearest.reset();
  const PolicySet::Inside& inside = policies.inside();
  if (overlay.size() > kOverlayMax) {
    answer.errors.push_back({std::nullopt, inside.too_many_entities()});
    return;
  }
  const ActionIndex* index = inside.index_for(request.action);
  if (index == nullptr || (inside.schema && !index->applies(request.principal, request.resource))) {
    answer.errors.push_back({std::nullopt, inside.unknown(request)});
    return;
  }
  Desk& mine = desk();
  const AtDesk here(mine);
  Deciding deciding(mine, inside, entities, overlay, request, answer);
  deciding.run(*index, mode);
  if (mode.nearest && !answer.permitted() && answer.reasons.empty() && answer.errors.empty()) {
    answer.nearest = deciding.only_near(*index);
    if (!answer.nearest) answer.nearest = nearest_of(near_misses(policies, entities, overlay, request, 1));
  }
  answer.reads.swap(mine.machine.reads());
  answer.instants.swap(mine.machine.instants());
  sort_once_each(answer.instants);
  answer.clock_bound = mine.machine.clock_bound();
}

Answer decide(const PolicySet& policies, const Entities& entities, Overlay overlay, const Request& request,
              DecideMode mode) {
  Answer answer;
  decide(policies, entities, overlay, request, mode, answer);
  answer.reach = reach_of(answer.reads);
  return answer;
}

}  // namespace entente::policy
