#include "policy/typecheck.h"

#include "policy/lexer.h"
#include "policy/typecheck_expr.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::policy {
namespace {

class PolicyChecker {
 public:
  PolicyChecker(const Policy& policy, const Schema& schema, const NativeSignatures& natives,
                const ValidationOptions& options)
      : policy_(policy), schema_(schema), inside_(schema.inside()), natives_(natives), options_(options) {}

  Checked run() {
    for (const auto* scope : {&policy_.principal, &policy_.resource}) note(check_scope(*scope));
    note(check_actions());
    for (const Condition& condition : policy_.conditions) note(check_names(*condition.body));
    const std::vector<RequestKind> all = kinds();
    if (all.empty() && out_.faults.empty()) note(no_request());
    if (options_.level) note(check_scope_level(policy_, *options_.level));
    bool possible = false;
    for (const RequestKind& kind : all) {
      auto applies = check_conditions(kind);
      possible = possible || !applies || *applies;
      if (!applies) note(std::move(applies).error());
    }
    if (!possible) {
      out_.warning = at(policy_.principal, "this policy can never apply: its conditions are never true");
      out_.warning->code() = "policy.impossible";
    }
    return std::move(out_);
  }

  // For a link of a template that was checked itself.
  [[nodiscard]] std::optional<Error> link() const {
    for (const auto* scope : {&policy_.principal, &policy_.resource})
      for (const EntityUid& uid : scope->entities)
        if (!inside_.is_action_type(uid.type))
          if (auto fault = check_type(*scope, uid.type)) return fault;
    if (check_actions() || kinds().empty()) return no_request();
    return std::nullopt;
  }

 private:
  void note(std::optional<Error> fault) {
    if (!fault || out_.faults.size() == PolicySet::kFaultsMax) return;
    if (std::find(out_.faults.begin(), out_.faults.end(), *fault) == out_.faults.end())
      out_.faults.push_back(*std::move(fault));
  }

  [[nodiscard]] Error no_request() const {
    return at(policy_.action,
              "no request can meet this scope: the schema has no action for these principals and resources");
  }

  [[nodiscard]] Error at(const Scope& scope, std::string_view what, std::string hint = {}) const {
    return invalid_at(policy_, scope.begin, scope.finish, what, std::move(hint));
  }

  [[nodiscard]] std::optional<Error> check_type(const Scope& scope, const std::string& type) const {
    if (inside_.type(type) != nullptr) return std::nullopt;
    return at(scope, fmt::format("there is no entity type `{}`", type),
              did_you_mean(type, schema_.entity_types()));
  }

  [[nodiscard]] std::optional<Error> check_scope(const Scope& scope) const {
    if (!scope.type.empty())
      if (auto fault = check_type(scope, scope.type)) return fault;
    for (const EntityUid& uid : scope.entities) {
      if (auto fault = check_type(scope, uid.type)) return fault;
      const auto& ids = inside_.type(uid.type)->enumerated;
      if (!ids.empty() && !ids.contains(uid.id))
        return at(scope, fmt::format("{} is not among the ids of its type", uid.text()));
    }
    return std::nullopt;
  }

  [[nodiscard]] std::optional<Error> check_actions() const {
    for (const EntityUid& uid : policy_.action.entities) {
      if (inside_.action(uid) != nullptr) continue;
      std::vector<std::string> names;
      for (const EntityUid& action : schema_.actions()) names.push_back(action.text());
      return at(policy_.action, fmt::format("there is no action {}", uid.text()),
                did_you_mean(uid.text(), names));
    }
    return std::nullopt;
  }

  // Entities and types must be known also where no request gets to.
  [[nodiscard]] std::optional<Error> check_names(const Expr& expr) const {
    const RequestKind anyone{};
    ExpressionChecker checker(policy_, schema_, natives_, anyone, options_.how);
    if (expr.op == Op::literal) {
      auto typed = checker.check(expr, {});
      return typed ? std::nullopt : std::optional(std::move(typed).error());
    }
    if (expr.op == Op::is && inside_.type(expr.name) == nullptr && !inside_.is_action_type(expr.name))
      return invalid_at(policy_, expr.begin, expr.finish,
                        fmt::format("there is no entity type `{}`", expr.name),
                        did_you_mean(expr.name, schema_.entity_types()));
    for (const ExprPtr& arg : expr.args)
      if (auto fault = check_names(*arg)) return fault;
    return std::nullopt;
  }

  [[nodiscard]] bool admits(const Scope& scope, const std::string& type) const {
    if (!scope.type.empty() && scope.type != type) return false;
    if (scope.entities.empty()) return true;
    const std::string& target = scope.entities[0].type;
    if (scope.kind == Scope::Kind::equal) return target == type;
    return target == type || inside_.type(type)->ancestors.contains(target);
  }

  [[nodiscard]] std::vector<RequestKind> kinds() const {
    std::vector<RequestKind> out;
    for (const EntityUid& uid : actions_of(policy_.action, inside_)) {
      const ActionInfo& action = *inside_.action(uid);
      for (const std::string& principal : action.principals) {
        if (!admits(policy_.principal, principal)) continue;
        for (const std::string& resource : action.resources)
          if (admits(policy_.resource, resource)) out.push_back({principal, uid, resource, action.context});
      }
    }
    return out;
  }

  // Whether the conditions can be true for such a request.
  [[nodiscard]] Result<bool> check_conditions(const RequestKind& kind) {
    ExpressionChecker checker(policy_, schema_, natives_, kind, options_.how);
    ExpressionChecker::Seen seen;
    if (options_.level) checker.note_in(seen);
    Guards known;
    for (const Condition& condition : policy_.conditions) {
      TRY(const Typed typed, checker.boolean(*condition.body, known));
      if (options_.level) note(check_level(policy_, *condition.body, checker, seen, kind, *options_.level));
      if (typed.type->kind == (condition.when ? Type::Kind::no : Type::Kind::yes)) return false;
      if (condition.when) known.insert(typed.guards.begin(), typed.guards.end());
    }
    return true;
  }

  const Policy& policy_;
  const Schema& schema_;
  const Schema::Inside& inside_;
  const NativeSignatures& natives_;
  const ValidationOptions& options_;
  Checked out_;
};

}  // namespace

Checked check_policy(const Policy& policy, const Schema& schema, const NativeSignatures& natives,
                     const ValidationOptions& options) {
  return PolicyChecker(policy, schema, natives, options).run();
}

std::optional<Error> check_link(const Policy& bound, const Schema& schema) {
  return PolicyChecker(bound, schema, {}, {}).link();
}

std::vector<EntityUid> actions_of(const Scope& scope, const Schema::Inside& schema) {
  std::vector<EntityUid> out;
  for (const auto& entry : schema.actions) {
    const auto meets = [&](const EntityUid& named) {
      return entry.first == named ||
             (scope.kind == Scope::Kind::in && entry.second.ancestors.contains(named));
    };
    if (scope.kind == Scope::Kind::any || std::any_of(scope.entities.begin(), scope.entities.end(), meets))
      out.push_back(entry.first);
  }
  return out;
}

}  // namespace entente::policy
