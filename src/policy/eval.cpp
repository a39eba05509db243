#include "policy/eval.h"

#include "policy/cell.h"
#include "policy/extension.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace entente::policy {
namespace {

using Kind = Value::Kind;

std::unexpected<std::unique_ptr<Fault>> fault(const Expr& at, std::string what) {
  return std::unexpected(std::make_unique<Fault>(Fault{std::move(what), &at}));
}

std::unexpected<std::unique_ptr<Fault>> wrong_kind(const Expr& at, std::string_view wanted,
                                                   const Value& found) {
  return fault(at, fmt::format("a {} belongs here; this is a {}", wanted, found.kind_name()));
}

#define EVAL(declaration, expression) EVAL_(ENTENTE_CONCAT(eval_result_, __LINE__), declaration, expression)
#define EVAL_(name, declaration, expression)                  \
  auto name = (expression);                                   \
  if (!name) return std::unexpected(std::move(name).error()); \
  declaration = *std::move(name)

bool compare(Op op, std::strong_ordering order) {
  switch (op) {
    case Op::less:
      return order < 0;
    case Op::less_equal:
      return order <= 0;
    case Op::greater:
      return order > 0;
    default:
      return order >= 0;
  }
}

bool contains(const Value::Items& items, const Value& value) {
  return std::binary_search(items.begin(), items.end(), value);
}

bool holds_time(const Value& value) {
  if (value.kind() == Kind::set) return std::any_of(value.items().begin(), value.items().end(), holds_time);
  if (value.kind() != Kind::record) return value.kind() == Kind::datetime;
  const auto& members = value.record().members();
  return std::any_of(members.begin(), members.end(),
                     [](const auto& member) { return holds_time(member.second); });
}

}  // namespace

Evaluator::Evaluator(View& view, const Request& request)
    : view_(view),
      request_(request),
      principal_(request.principal),
      action_(request.action),
      resource_(request.resource),
      context_(request.context) {}

std::vector<Datetime> Evaluator::take_instants() {
  std::sort(instants_.begin(), instants_.end());
  instants_.erase(std::unique(instants_.begin(), instants_.end()), instants_.end());
  return std::move(instants_);
}

bool Evaluator::meets(const Scope& scope, const EntityUid& uid) {
  if (!scope.type.empty() && uid.type != scope.type) return false;
  if (scope.kind == Scope::Kind::any || scope.kind == Scope::Kind::is) return true;
  return std::any_of(scope.entities.begin(), scope.entities.end(), [&](const EntityUid& named) {
    return scope.kind == Scope::Kind::equal ? uid == named : view_.is_in(uid, named);
  });
}

Truth Evaluator::applies(const Policy& policy, bool with_action) {
  if (with_action && !meets(policy.action, request_.action)) return false;
  if (!meets(policy.principal, request_.principal) || !meets(policy.resource, request_.resource))
    return false;
  for (const Condition& condition : policy.conditions) {
    EVAL(const bool holds, truth(*condition.body));
    if (holds != condition.when) return false;
  }
  return true;
}

Truth Evaluator::truth(const Expr& expr) {
  EVAL(const Value value, eval(expr));
  if (value.kind() != Kind::boolean) return wrong_kind(expr, "Bool", value);
  return value.boolean();
}

std::expected<int64_t, std::unique_ptr<Fault>> Evaluator::integer(const Expr& expr) {
  EVAL(const Value value, eval(expr));
  if (value.kind() != Kind::integer) return wrong_kind(expr, "Long", value);
  return value.integer();
}

Evaluated Evaluator::eval(const Expr& expr) {
  switch (expr.op) {
    case Op::literal:
      return expr.literal;
    case Op::variable:
      return variable(expr.variable);
    case Op::all:
    case Op::any: {
      const bool settles = expr.op == Op::any;
      for (const ExprPtr& arg : expr.args) {
        EVAL(const bool holds, truth(*arg));
        if (holds == settles) return Value(settles);
      }
      return Value(!settles);
    }
    case Op::negation: {
      EVAL(const bool holds, truth(*expr.args[0]));
      return Value(!holds);
    }
    case Op::condition: {
      EVAL(const bool holds, truth(*expr.args[0]));
      return eval(*expr.args[holds ? 1 : 2]);
    }
    case Op::equal:
    case Op::unequal: {
      EVAL(const Value left, eval(*expr.args[0]));
      EVAL(const Value right, eval(*expr.args[1]));
      if (left.kind() == right.kind() && holds_time(left) && holds_time(right)) clock_bound_ = true;
      return Value((left == right) == (expr.op == Op::equal));
    }
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
      return order(expr);
    case Op::minus:
    case Op::plus:
    case Op::subtract:
    case Op::times:
      return arithmetic(expr);
    case Op::in: {
      EVAL(const Value left, eval(*expr.args[0]));
      return in(*expr.args[0], left, *expr.args[1]);
    }
    case Op::has:
      return has(expr);
    case Op::get:
      return get(expr);
    case Op::like:
      return like(expr);
    case Op::is:
      return is(expr);
    case Op::set:
      return set(expr);
    case Op::record:
      return record(expr);
    case Op::call:
      return call(expr);
    case Op::native:
      return native(expr);
  }
  return fault(expr, "this cannot be evaluated");
}

Evaluated Evaluator::variable(Variable variable) const {
  switch (variable) {
    case Variable::principal:
      return principal_;
    case Variable::action:
      return action_;
    case Variable::resource:
      return resource_;
    case Variable::context:
      break;
  }
  return context_;
}

Evaluated Evaluator::has(const Expr& expr) {
  EVAL(Value value, eval(*expr.args[0]));
  for (const std::string& name : expr.names) {
    const Value* found = nullptr;
    if (value.kind() == Kind::record) {
      found = value.record().find(name);
    } else if (value.kind() == Kind::entity) {
      const Entity* entity = view_.find(value.entity());
      if (entity != nullptr) found = entity->attributes.find(name);
    } else {
      return wrong_kind(expr, "record or entity", value);
    }
    if (found == nullptr) return Value(false);
    value = Value(*found);
  }
  return Value(true);
}

Evaluated Evaluator::get(const Expr& expr) {
  EVAL(const Value base, eval(*expr.args[0]));
  const Value* found = nullptr;
  if (base.kind() == Kind::record) {
    found = base.record().find(expr.name);
  } else if (base.kind() == Kind::entity) {
    const Entity* entity = view_.find(base.entity());
    if (entity == nullptr) return fault(expr, fmt::format("{} does not exist", base.entity().text()));
    found = entity->attributes.find(expr.name);
  } else {
    return wrong_kind(expr, "record or entity", base);
  }
  if (found == nullptr) return fault(expr, fmt::format("there is no attribute `{}`", expr.name));
  return *found;
}

Evaluated Evaluator::order(const Expr& expr) {
  EVAL(const Value left, eval(*expr.args[0]));
  EVAL(const Value right, eval(*expr.args[1]));
  const Kind kind = left.kind();
  if (kind != Kind::integer && kind != Kind::datetime && kind != Kind::duration)
    return wrong_kind(*expr.args[0], "Long, datetime or duration", left);
  if (right.kind() != kind) return wrong_kind(*expr.args[1], left.kind_name(), right);
  if (kind == Kind::datetime) {
    instants_.push_back(left.datetime());
    instants_.push_back(right.datetime());
  }
  return Value(compare(expr.op, left <=> right));
}

Evaluated Evaluator::arithmetic(const Expr& expr) {
  EVAL(const int64_t left, integer(*expr.args[0]));
  int64_t out = 0;
  bool over = false;
  if (expr.op == Op::minus) {
    over = __builtin_sub_overflow(int64_t{0}, left, &out);
  } else {
    EVAL(const int64_t right, integer(*expr.args[1]));
    if (expr.op == Op::plus) over = __builtin_add_overflow(left, right, &out);
    if (expr.op == Op::subtract) over = __builtin_sub_overflow(left, right, &out);
    if (expr.op == Op::times) over = __builtin_mul_overflow(left, right, &out);
  }
  if (over) return fault(expr, "the result is beyond 64 bits");
  return Value(out);
}

Evaluated Evaluator::in(const Expr& left_at, const Value& left, const Expr& right_at) {
  if (left.kind() != Kind::entity) return wrong_kind(left_at, "entity", left);
  EVAL(const Value right, eval(right_at));
  if (right.kind() == Kind::entity) return Value(view_.is_in(left.entity(), right.entity()));
  if (right.kind() != Kind::set) return wrong_kind(right_at, "entity or set of entities", right);
  for (const Value& item : right.items())
    if (item.kind() != Kind::entity) return wrong_kind(right_at, "set of entities", item);
  return Value(std::any_of(right.items().begin(), right.items().end(),
                           [&](const Value& item) { return view_.is_in(left.entity(), item.entity()); }));
}

Evaluated Evaluator::is(const Expr& expr) {
  EVAL(const Value left, eval(*expr.args[0]));
  if (left.kind() != Kind::entity) return wrong_kind(*expr.args[0], "entity", left);
  if (left.entity().type != expr.name) return Value(false);
  if (expr.args.size() == 1) return Value(true);
  return in(*expr.args[0], left, *expr.args[1]);
}

Evaluated Evaluator::like(const Expr& expr) {
  EVAL(const Value text, eval(*expr.args[0]));
  if (text.kind() != Kind::string) return wrong_kind(*expr.args[0], "String", text);
  return Value(matches(text.string(), expr.names));
}

Evaluated Evaluator::set(const Expr& expr) {
  Value::Items items;
  items.reserve(expr.args.size());
  for (const ExprPtr& arg : expr.args) {
    EVAL(Value item, eval(*arg));
    items.push_back(std::move(item));
  }
  return Value::set(std::move(items));
}

Evaluated Evaluator::record(const Expr& expr) {
  Record out;
  for (size_t i = 0; i < expr.args.size(); ++i) {
    EVAL(Value value, eval(*expr.args[i]));
    out.set(expr.names[i], std::move(value));
  }
  return Value(std::move(out));
}

Evaluated Evaluator::call(const Expr& expr) {
  if (expr.args.size() != arguments_of(expr.method)) {
    for (const ExprPtr& arg : expr.args) {
      EVAL([[maybe_unused]] const Value value, eval(*arg));
    }
    return fault(expr, fmt::format("`{}` does not take {} argument(s)", expr.name, expr.args.size()));
  }
  EVAL(const Value receiver, eval(*expr.args[0]));
  Value argument;
  if (expr.args.size() > 1) {
    EVAL(argument, eval(*expr.args[1]));
  }
  const Value* second = expr.args.size() > 1 ? &argument : nullptr;
  switch (expr.method) {
    case Method::contains:
    case Method::contains_all:
    case Method::contains_any:
    case Method::is_empty:
      return set_method(expr, receiver, second);
    case Method::get_tag:
    case Method::has_tag:
      return tag_method(expr, receiver, argument);
    case Method::make_ip:
    case Method::make_decimal:
    case Method::make_datetime:
    case Method::make_duration: {
      if (receiver.kind() != Kind::string) return wrong_kind(expr, "String", receiver);
      if (auto made = make_extension(expr.name, receiver.string())) return *std::move(made);
      return fault(expr, fmt::format("{} is no {}", receiver.text(), expr.name));
    }
    default:
      return extension_method(expr, receiver, second);
  }
}

Evaluated Evaluator::set_method(const Expr& expr, const Value& receiver, const Value* argument) {
  if (receiver.kind() != Kind::set) return wrong_kind(*expr.args[0], "Set", receiver);
  const Value::Items& items = receiver.items();
  if (expr.method == Method::is_empty) return Value(items.empty());
  if (holds_time(*argument)) clock_bound_ = true;
  if (expr.method == Method::contains) return Value(contains(items, *argument));
  if (argument->kind() != Kind::set) return wrong_kind(*expr.args[1], "Set", *argument);
  const Value::Items& others = argument->items();
  const auto inside = [&](const Value& item) { return contains(items, item); };
  if (expr.method == Method::contains_all) return Value(std::all_of(others.begin(), others.end(), inside));
  return Value(std::any_of(others.begin(), others.end(), inside));
}

Evaluated Evaluator::tag_method(const Expr& expr, const Value& receiver, const Value& argument) {
  if (receiver.kind() != Kind::entity) return wrong_kind(*expr.args[0], "entity", receiver);
  if (argument.kind() != Kind::string) return wrong_kind(*expr.args[1], "String", argument);
  const Entity* entity = view_.find(receiver.entity());
  const Value* tag = entity == nullptr ? nullptr : entity->tags.find(argument.string());
  if (expr.method == Method::has_tag) return Value(tag != nullptr);
  if (entity == nullptr) return fault(expr, fmt::format("{} does not exist", receiver.entity().text()));
  if (tag == nullptr) return fault(expr, fmt::format("there is no tag {}", argument.text()));
  return *tag;
}

Evaluated Evaluator::extension_method(const Expr& expr, const Value& receiver, const Value* argument) {
  switch (expr.method) {
    case Method::less_than:
    case Method::less_than_or_equal:
    case Method::greater_than:
    case Method::greater_than_or_equal:
      if (receiver.kind() != Kind::decimal) return wrong_kind(*expr.args[0], "decimal", receiver);
      return decimal_method(expr, receiver.decimal(), *argument);
    case Method::is_v4:
    case Method::is_v6:
    case Method::is_loopback:
    case Method::is_multicast:
    case Method::is_in_range:
      break;
    default:
      return time_method(expr, receiver, argument);
  }
  if (receiver.kind() != Kind::ip) return wrong_kind(*expr.args[0], "ipaddr", receiver);
  if (expr.method == Method::is_v4) return Value(!receiver.ip().v6);
  if (expr.method == Method::is_v6) return Value(receiver.ip().v6);
  if (expr.method == Method::is_loopback) return Value(is_loopback(receiver.ip()));
  if (expr.method == Method::is_multicast) return Value(is_multicast(receiver.ip()));
  if (argument->kind() != Kind::ip) return wrong_kind(*expr.args[1], "ipaddr", *argument);
  return Value(is_in_range(receiver.ip(), argument->ip()));
}

Evaluated Evaluator::decimal_method(const Expr& expr, Decimal receiver, const Value& argument) {
  if (argument.kind() != Kind::decimal) return wrong_kind(*expr.args[1], "decimal", argument);
  const auto order = receiver <=> argument.decimal();
  if (expr.method == Method::less_than) return Value(order < 0);
  if (expr.method == Method::less_than_or_equal) return Value(order <= 0);
  if (expr.method == Method::greater_than) return Value(order > 0);
  return Value(order >= 0);
}

Evaluated Evaluator::time_method(const Expr& expr, const Value& receiver, const Value* argument) {
  const bool on_instant = expr.method == Method::offset || expr.method == Method::duration_since ||
                          expr.method == Method::to_date || expr.method == Method::to_time;
  if (!on_instant) {
    if (receiver.kind() != Kind::duration) return wrong_kind(*expr.args[0], "duration", receiver);
    const int64_t ms = receiver.duration().ms;
    if (expr.method == Method::to_milliseconds) return Value(ms);
    if (expr.method == Method::to_seconds) return Value(ms / 1000);
    if (expr.method == Method::to_minutes) return Value(ms / 60'000);
    if (expr.method == Method::to_hours) return Value(ms / 3'600'000);
    return Value(ms / 86'400'000);
  }
  clock_bound_ = true;
  if (receiver.kind() != Kind::datetime) return wrong_kind(*expr.args[0], "datetime", receiver);
  const Datetime at = receiver.datetime();
  int64_t out = 0;
  if (expr.method == Method::to_time) return Value(time_of_day(at));
  if (expr.method == Method::to_date) {
    if (const auto day = day_of(at)) return Value(*day);
    return fault(expr, "the result is beyond 64 bits");
  }
  const Kind wanted = expr.method == Method::offset ? Kind::duration : Kind::datetime;
  if (argument->kind() != wanted)
    return wrong_kind(*expr.args[1], wanted == Kind::duration ? "duration" : "datetime", *argument);
  const bool over = expr.method == Method::offset
                        ? __builtin_add_overflow(at.ms, argument->duration().ms, &out)
                        : __builtin_sub_overflow(at.ms, argument->datetime().ms, &out);
  if (over) return fault(expr, "the result is beyond 64 bits");
  return expr.method == Method::offset ? Value(Datetime{out}) : Value(Duration{out});
}

Evaluated Evaluator::native(const Expr& expr) {
  std::vector<Value> arguments;
  bool timed = false;
  for (const ExprPtr& arg : expr.args) {
    EVAL(Value argument, eval(*arg));
    timed = timed || holds_time(argument);
    arguments.push_back(std::move(argument));
  }
  auto at = std::pair(expr.native, std::move(arguments));
  if (const auto known = remembered_.find(at); known != remembered_.end()) return known->second;
  // What a predicate does with an instant cannot be known, unless it says.
  if (timed && !(expr.native->timeless && expr.native->timeless(at.second))) clock_bound_ = true;
  auto result = expr.native->function(at.second);
  if (!result) return fault(expr, fmt::format("{}: {}", expr.name, result.error().what()));
  return remembered_.emplace(std::move(at), *std::move(result)).first->second;
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

}  // namespace entente::policy
