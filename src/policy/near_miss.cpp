// What would have to be different for a denied request: the permits that came nearest.
#include "policy/near_miss.h"

#include "policy/decide.h"
#include "policy/eval.h"
#include "policy/lexer.h"
#include "policy/policy_set_inside.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::policy {
namespace {

// A rule about things of another type is not near, however little it asks.
bool of_another_type(const Scope& scope, const EntityUid& uid) {
  const bool typed = scope.kind == Scope::Kind::is || scope.kind == Scope::Kind::is_in;
  return typed && scope.type != uid.type;
}

bool of_other_types(const Policy& policy, const Request& request) {
  return of_another_type(policy.principal, request.principal) ||
         of_another_type(policy.resource, request.resource);
}

class Misses {
 public:
  Misses(const PolicySet::Inside& policies, View& view, const Request& request)
      : policies_(policies), request_(request), evaluator_(view, request) {}

  void look(uint32_t number) {
    const Policy& policy = policies_.policies[number];
    if (policy.info.effect != Effect::permit || of_other_types(policy, request_)) return;
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

  [[nodiscard]] size_t size() const { return found_.size(); }

  // Ranks those found since the last call; nothing that comes later ranks before them.
  void settle() {
    std::sort(found_.begin() + static_cast<std::ptrdiff_t>(settled_), found_.end(),
              [](const NearMiss& a, const NearMiss& b) {
                return std::pair(a.conditions - a.met, a.policy) < std::pair(b.conditions - b.met, b.policy);
              });
    settled_ = found_.size();
  }

  std::vector<NearMiss> nearest(size_t count_max) && {
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
  size_t settled_ = 0;
};

// Looked at beyond those whose scope the request meets: so that a denial costs the same however many policies
// there are.
constexpr size_t kOthersMax = 256;

ScopeIndex::Line line_of(View& view, const EntityUid& uid, std::vector<Name>& above) {
  for (const EntityUid* ancestor : view.ancestors(uid)) above.push_back(name_of(*ancestor));
  return {type_key(hash_text(uid.type)), UidHash()(uid), above};
}

// The permits whose scope can be met, ascending.
std::vector<uint32_t> in_scope(const ScopeIndex& permits, const ScopeIndex::Line& principal,
                               const ScopeIndex::Line& resource, std::vector<uint64_t>& room) {
  std::vector<uint32_t> found;
  permits.find(
      principal, resource, room, [](uint32_t) { return Cell::failure(); },
      [&](uint32_t number) { found.push_back(number); });
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

const ActionIndex* index_of(const PolicySet::Inside& inside, Overlay overlay, const Request& request) {
  const ActionIndex* index = inside.index_for(request.action);
  if (index == nullptr || overlay.size() > kOverlayMax) return nullptr;
  return inside.schema && !index->applies(request.principal, request.resource) ? nullptr : index;
}

}  // namespace

std::vector<NearMiss> near_misses(const PolicySet& policies, const Entities& entities, Overlay overlay,
                                  const Request& request, size_t count_max) {
  const PolicySet::Inside& inside = policies.inside();
  const ActionIndex* index = index_of(inside, overlay, request);
  if (index == nullptr) return {};
  View view(entities, overlay);
  Misses misses(inside, view, request);
  std::vector<Name> above_principal;
  std::vector<Name> above_resource;
  std::vector<uint64_t> room;
  const std::vector<uint32_t> nearer =
      in_scope(index->permits, line_of(view, request.principal, above_principal),
               line_of(view, request.resource, above_resource), room);
  for (const uint32_t number : nearer) misses.look(number);
  misses.settle();
  size_t others = misses.size() >= count_max ? kOthersMax : 0;
  for (const uint32_t number : index->permits.all()) {
    if (others == kOthersMax) break;
    if (std::binary_search(nearer.begin(), nearer.end(), number)) continue;
    misses.look(number);
    ++others;
  }
  misses.settle();
  return std::move(misses).nearest(count_max);
}

std::optional<PolicyIndex> only_in_scope(const PolicySet::Inside& policies, const ScopeIndex& permits,
                                         const ScopeIndex::Line& principal, const ScopeIndex::Line& resource,
                                         std::vector<uint64_t>& room, const Request& request) {
  std::vector<uint32_t> found = in_scope(permits, principal, resource, room);
  std::erase_if(found, [&](uint32_t number) { return of_other_types(policies.policies[number], request); });
  return found.size() == 1 ? std::optional(PolicyIndex{found.front()}) : std::nullopt;
}

}  // namespace entente::policy
