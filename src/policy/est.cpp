#include "policy/est.h"

#include "policy/print.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace entente::policy {
namespace {

// Of one condition; a chain of n operands nests n times in JSON. What is written can be read again.
constexpr size_t kDepthMax = 1400;

bool is_left_right(Method method) {
  return method == Method::contains || method == Method::contains_all || method == Method::contains_any ||
         method == Method::get_tag || method == Method::has_tag;
}

Json only(std::string_view key, Json value) {
  return Json::object({{std::string(key), std::move(value)}});
}

class Writer {
 public:
  Result<Json> expression(const Expr& expr) {
    constexpr size_t kEach = 2;  // an object in an object
    if (depth_ > kDepthMax) return fail("policy.json", "a condition is too deep for JSON");
    depth_ += kEach;
    auto out = operation(expr);
    depth_ -= kEach;
    return out;
  }

 private:
  Result<Json> operation(const Expr& expr) {
    switch (expr.op) {
      case Op::literal:
        return only("Value", literal(expr.literal));
      case Op::variable: {
        constexpr std::string_view kNames[] = {"principal", "action", "resource", "context"};
        return only("Var", kNames[static_cast<size_t>(expr.variable)]);
      }
      case Op::all:
      case Op::any:
        return chain(expr);
      case Op::negation:
      case Op::minus: {
        TRY(Json arg, expression(*expr.args[0]));
        return only(expr.op == Op::negation ? "!" : "neg", Json::object({{"arg", std::move(arg)}}));
      }
      case Op::condition: {
        TRY(Json test, expression(*expr.args[0]));
        TRY(Json then, expression(*expr.args[1]));
        TRY(Json otherwise, expression(*expr.args[2]));
        return only("if-then-else", Json::object({{"if", std::move(test)},
                                                  {"then", std::move(then)},
                                                  {"else", std::move(otherwise)}}));
      }
      case Op::has:
      case Op::get:
      case Op::like:
      case Op::is:
        return about(expr);
      case Op::set: {
        TRY(Json items, list(expr));
        return only("Set", std::move(items));
      }
      case Op::record: {
        Json members = Json::object();
        for (size_t i = 0; i < expr.args.size(); ++i) {
          TRY(Json value, expression(*expr.args[i]));
          members.set(expr.names[i], std::move(value));
        }
        return only("Record", std::move(members));
      }
      case Op::call:
      case Op::native:
        return call(expr);
      default:
        return binary(operator_text(expr.op), *expr.args[0], *expr.args[1]);
    }
  }

  static Json literal(const Value& value) {
    if (value.kind() == Value::Kind::entity) return only("__entity", uid_json(value.entity()));
    return value_to_json(value);
  }

  Result<Json> binary(std::string_view name, const Expr& left_at, const Expr& right_at) {
    TRY(Json left, expression(left_at));
    TRY(Json right, expression(right_at));
    return only(name, Json::object({{"left", std::move(left)}, {"right", std::move(right)}}));
  }

  // Leans to the left: the first operand is the deepest.
  Result<Json> chain(const Expr& expr) {
    const size_t before = depth_;
    Json out;
    for (size_t i = 0; i < expr.args.size(); ++i) {
      depth_ = before + 2 * (expr.args.size() - std::max<size_t>(i, 1));
      TRY(Json operand, expression(*expr.args[i]));
      out = i == 0 ? std::move(operand)
                   : only(operator_text(expr.op),
                          Json::object({{"left", std::move(out)}, {"right", std::move(operand)}}));
    }
    depth_ = before;
    return out;
  }

  Result<Json> about(const Expr& expr) {
    TRY(Json left, expression(*expr.args[0]));
    Json inside = Json::object({{"left", std::move(left)}});
    switch (expr.op) {
      case Op::get:
        inside.set("attr", expr.name);
        return only(".", std::move(inside));
      case Op::like:
        inside.set("pattern", pattern(expr.names));
        return only("like", std::move(inside));
      case Op::is:
        inside.set("entity_type", expr.name);
        if (expr.args.size() > 1) {
          TRY(Json above, expression(*expr.args[1]));
          inside.set("in", std::move(above));
        }
        return only("is", std::move(inside));
      default: {
        if (expr.names.size() == 1) {
          inside.set("attr", expr.names[0]);
        } else {
          Json path = Json::array();
          for (const std::string& name : expr.names) path.push(name);
          inside.set("attr", std::move(path));
        }
        return only("has", std::move(inside));
      }
    }
  }

  // One element for each character, as Cedar writes them.
  static Json pattern(const std::vector<std::string>& pieces) {
    Json out = Json::array();
    for (size_t i = 0; i < pieces.size(); ++i) {
      if (i > 0) out.push("Wildcard");
      const std::string& piece = pieces[i];
      for (size_t at = 0; at < piece.size();) {
        size_t end = at + 1;
        while (end < piece.size() && (static_cast<uint8_t>(piece[end]) & 0xc0U) == 0x80) ++end;
        out.push(only("Literal", piece.substr(at, end - at)));
        at = end;
      }
    }
    return out;
  }

  Result<Json> list(const Expr& expr) {
    Json out = Json::array();
    for (const ExprPtr& arg : expr.args) {
      TRY(Json item, expression(*arg));
      out.push(std::move(item));
    }
    return out;
  }

  Result<Json> call(const Expr& expr) {
    if (expr.op == Op::call && is_left_right(expr.method))
      return binary(expr.name, *expr.args[0], *expr.args[1]);
    if (expr.op == Op::call && expr.method == Method::is_empty) {
      TRY(Json arg, expression(*expr.args[0]));
      return only(expr.name, Json::object({{"arg", std::move(arg)}}));
    }
    TRY(Json arguments, list(expr));
    return only(expr.name, std::move(arguments));
  }

  size_t depth_ = 0;
};

Json scope_json(const Scope& scope, std::string_view variable) {
  const auto target = [&](Json out) {
    if (scope.slot) {
      out.set("slot", fmt::format("?{}", variable));
    } else if (scope.entities.size() == 1) {
      out.set("entity", uid_json(scope.entities[0]));
    } else {
      Json all = Json::array();
      for (const EntityUid& uid : scope.entities) all.push(uid_json(uid));
      out.set("entities", std::move(all));
    }
    return out;
  };
  switch (scope.kind) {
    case Scope::Kind::any:
      return only("op", "All");
    case Scope::Kind::equal:
      return target(only("op", "=="));
    case Scope::Kind::in:
      return target(only("op", "in"));
    default: {
      Json out = Json::object({{"op", "is"}, {"entity_type", scope.type}});
      if (scope.kind == Scope::Kind::is_in) out.set("in", target(Json::object()));
      return out;
    }
  }
}

}  // namespace

Json uid_json(const EntityUid& uid) {
  return Json::object({{"type", uid.type}, {"id", uid.id}});
}

Result<Json> policy_to_json(const Policy& policy) {
  Json conditions = Json::array();
  for (const Condition& condition : policy.conditions) {
    TRY(Json body, Writer().expression(*condition.body));
    conditions.push(Json::object({{"kind", condition.when ? "when" : "unless"}, {"body", std::move(body)}}));
  }
  Json out = Json::object({{"effect", policy.info.effect == Effect::permit ? "permit" : "forbid"},
                           {"principal", scope_json(policy.principal, "principal")},
                           {"action", scope_json(policy.action, "action")},
                           {"resource", scope_json(policy.resource, "resource")},
                           {"conditions", std::move(conditions)}});
  if (policy.info.annotations.empty()) return out;
  Json annotations = Json::object();
  for (const auto& [name, value] : policy.info.annotations) {
    const bool bare = policy.bare.contains(name);
    annotations.set(name, bare ? Json() : Json(value));
  }
  out.set("annotations", std::move(annotations));
  return out;
}

}  // namespace entente::policy
