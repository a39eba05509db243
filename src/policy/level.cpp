// Cedar RFC 76: how far a policy reaches from the entities of the request. A host that sends entities along
// with a request knows by it which ones are enough.
#include "policy/typecheck.h"
#include "policy/typecheck_expr.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::policy {
namespace {

using Kind = Type::Kind;

class LevelChecker {
 public:
  LevelChecker(const Policy& policy, const ExpressionChecker& checker, const ExpressionChecker::Seen& seen,
               const RequestKind& kind, uint32_t level)
      : policy_(policy), checker_(checker), seen_(seen), kind_(kind), level_(level) {}

  // Any expression: looks for what it reads.
  void look(const Expr& expr) {
    const auto found = seen_.find(&expr);
    if (found == seen_.end()) return;  // never evaluated
    switch (expr.op) {
      case Op::has:
        return path(expr);
      case Op::get:
        if (type_of(*expr.args[0]).kind == Kind::entity) return read(expr, target(*expr.args[0], {}));
        return look(*expr.args[0]);
      case Op::in:
        read(expr, target(*expr.args[0], {}));
        return look(*expr.args[1]);
      case Op::is:
        if (expr.args.size() == 1) return look(*expr.args[0]);
        read(expr, target(*expr.args[0], {}));
        return look(*expr.args[1]);
      case Op::call:
        if (expr.method != Method::has_tag && expr.method != Method::get_tag) break;
        read(expr, target(*expr.args[0], {}));
        return look(*expr.args[1]);
      default:
        break;
    }
    for (const ExprPtr& arg : expr.args) look(*arg);
  }

  std::optional<Error> take() { return std::move(fault_); }

 private:
  [[nodiscard]] const Type& type_of(const Expr& expr) const {
    const auto found = seen_.find(&expr);
    return found == seen_.end() ? *simple_type(Kind::never) : *found->second;
  }

  void wrong(const Expr& expr, const std::string& what, std::string hint = {}) {
    if (!fault_) fault_ = invalid_at(policy_, expr.begin, expr.finish, what, std::move(hint));
  }

  void read(const Expr& expr, uint32_t of) {
    if (of < level_) return;
    wrong(expr, fmt::format("this takes {} step(s) from entity to entity, more than {}", of + 1, level_));
  }

  // has a.b.c reads a, then what a.b is read from, and so on.
  void path(const Expr& expr) {
    TypePtr type = std::make_shared<const Type>(type_of(*expr.args[0]));
    const bool entity = type->kind == Kind::entity;
    uint32_t at = 0;
    if (entity) {
      at = target(*expr.args[0], {});
      read(expr, at);
    } else {
      look(*expr.args[0]);
      at = root_level(*expr.args[0]);
    }
    for (size_t i = 0; i + 1 < expr.names.size(); ++i) {
      const auto member = checker_.attribute(*type, expr.names[i]);
      if (!member) return;
      if (type->kind == Kind::entity) ++at;
      type = member->type;
      if (type->kind == Kind::entity) read(expr, at);
    }
  }

  // How many steps a record that an attribute path starts from is away: 0 unless it is read from an entity.
  uint32_t root_level(const Expr& expr) {
    const auto before = fault_;
    const uint32_t out = expr.op == Op::get ? target(expr, {}) : 0;
    fault_ = before;
    return out;
  }

  // How many steps an entity that something is read from is away itself. `names` are the attributes still to
  // be taken of a record, the last one first.
  uint32_t target(const Expr& expr, std::vector<std::string> names) {
    switch (expr.op) {
      case Op::variable:
        return 0;
      case Op::literal:
        if (expr.literal.kind() == Value::Kind::entity && expr.literal.entity() == kind_.action) return 0;
        wrong(expr, "an entity named here is read from",
              "only principal, action, resource and context reach");
        return 0;
      case Op::condition: {
        look(*expr.args[0]);
        const uint32_t then = seen_.contains(expr.args[1].get()) ? target(*expr.args[1], names) : 0;
        const uint32_t otherwise = seen_.contains(expr.args[2].get()) ? target(*expr.args[2], names) : 0;
        return std::max(then, otherwise);
      }
      case Op::get:
        if (type_of(*expr.args[0]).kind == Kind::entity) return 1 + target(*expr.args[0], std::move(names));
        names.push_back(expr.name);
        return target(*expr.args[0], std::move(names));
      case Op::record:
        return in_record(expr, std::move(names));
      case Op::call:
        if (expr.method != Method::get_tag) break;
        look(*expr.args[1]);
        return 1 + target(*expr.args[0], std::move(names));
      default:
        break;
    }
    wrong(expr, "it cannot be told how far this reaches");
    return 0;
  }

  uint32_t in_record(const Expr& expr, std::vector<std::string> names) {
    const std::string name = names.empty() ? std::string() : names.back();
    if (!names.empty()) names.pop_back();
    uint32_t out = 0;
    for (size_t i = 0; i < expr.args.size(); ++i) {
      if (expr.names[i] == name) {
        out = target(*expr.args[i], names);
      } else {
        look(*expr.args[i]);
      }
    }
    return out;
  }

  const Policy& policy_;
  const ExpressionChecker& checker_;
  const ExpressionChecker::Seen& seen_;
  const RequestKind& kind_;
  uint32_t level_;
  std::optional<Error> fault_;
};

}  // namespace

std::optional<Error> check_level(const Policy& policy, const Expr& condition,
                                 const ExpressionChecker& checker, const ExpressionChecker::Seen& seen,
                                 const RequestKind& kind, uint32_t level) {
  LevelChecker levels(policy, checker, seen, kind, level);
  levels.look(condition);
  return levels.take();
}

std::optional<Error> check_scope_level(const Policy& policy, uint32_t level) {
  if (level > 0) return std::nullopt;
  for (const auto* scope : {&policy.principal, &policy.action, &policy.resource})
    if (scope->kind == Scope::Kind::in || scope->kind == Scope::Kind::is_in)
      return invalid_at(policy, scope->begin, scope->finish,
                        "`in` takes 1 step(s) from entity to entity, more than 0", {});
  return std::nullopt;
}

}  // namespace entente::policy
