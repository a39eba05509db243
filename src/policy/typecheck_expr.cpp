#include "policy/typecheck_expr.h"

#include "policy/lexer.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::policy {
namespace {

using Kind = Type::Kind;

// What `base.a` is known by, where base itself is known by `of`.
std::string member_key(const std::string& of, const std::string& name) {
  return fmt::format("{}:{}:{}{}({},)", static_cast<int>(Op::get), 0, 0, quote(name), of);
}
std::string guard_key(const std::string& of, const std::string& name) {
  return of + "?" + quote(name);
}

Guards both(Guards a, const Guards& b) {
  a.insert(b.begin(), b.end());
  return a;
}
Guards common(const Guards& a, const Guards& b) {
  Guards out;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::inserter(out, out.end()));
  return out;
}

std::vector<std::string> member_names(const Type& type) {
  std::vector<std::string> out;
  for (const auto& [name, attribute] : type.members) out.push_back(name);
  return out;
}

}  // namespace

std::string key_of(const Expr& expr) {
  std::string out = fmt::format("{}:{}:{}", static_cast<int>(expr.op), static_cast<int>(expr.variable),
                                static_cast<int>(expr.method));
  if (expr.op == Op::literal) out += expr.literal.text();
  if (!expr.name.empty()) out += quote(expr.name);
  for (const std::string& name : expr.names) out += quote(name);
  out += '(';
  for (const ExprPtr& arg : expr.args) out += key_of(*arg) + ",";
  return out + ")";
}

Error invalid_at(const Policy& policy, uint32_t begin, uint32_t finish, std::string_view what,
                 std::string hint) {
  return error_at("policy.invalid", fmt::format("policy {}: {}", policy.info.id, what), policy.source->text,
                  policy.source->file, begin, finish, std::move(hint));
}

Failure ExpressionChecker::wrong(const Expr& at, const std::string& what, std::string hint) const {
  if (joins_.exhausted())
    return Failure(invalid_at(
        policy_, at.begin, at.finish,
        fmt::format("to see whether these types fit would take more than {} comparisons", Joins::kStepsMax),
        "let the schema's types share fewer of their parts"));
  return Failure(invalid_at(policy_, at.begin, at.finish, what, std::move(hint)));
}

std::string ExpressionChecker::text(const Expr& expr) const {
  constexpr size_t kShown = 60;
  std::string out =
      policy_.source->text.substr(expr.begin, std::min<size_t>(expr.finish - expr.begin, kShown));
  return out;
}

Result<Typed> ExpressionChecker::check(const Expr& expr, const Guards& known) {
  auto typed = operation(expr, known);
  if (typed && seen_ != nullptr) (*seen_)[&expr] = typed->type;
  return typed;
}

Result<Typed> ExpressionChecker::operation(const Expr& expr, const Guards& known) {
  switch (expr.op) {
    case Op::literal:
      return literal(expr);
    case Op::variable:
      return variable(expr);
    case Op::all:
      return all(expr, known);
    case Op::any:
      return any(expr, known);
    case Op::negation: {
      TRY(const Typed inner, boolean(*expr.args[0], known));
      if (inner.type->kind == Kind::boolean) return plain(Kind::boolean);
      return truth(inner.type->kind == Kind::no);
    }
    case Op::condition:
      return condition(expr, known);
    case Op::equal:
    case Op::unequal:
      return equality(expr, known);
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
      return order(expr, known);
    case Op::minus:
    case Op::plus:
    case Op::subtract:
    case Op::times:
      return arithmetic(expr, known);
    case Op::in:
      return in(expr, known);
    case Op::has:
      return has(expr, known);
    case Op::get:
      return get(expr, known);
    case Op::like: {
      TRY_VOID(of_kind(*expr.args[0], Kind::string, known));
      return plain(Kind::boolean);
    }
    case Op::is:
      return is(expr, known);
    case Op::set:
      return set(expr, known);
    case Op::record:
      return record(expr, known);
    case Op::call:
      return call(expr, known);
    case Op::native:
      return native(expr, known);
  }
  return wrong(expr, "this cannot be checked");
}

Result<Typed> ExpressionChecker::boolean(const Expr& expr, const Guards& known) {
  TRY(Typed typed, check(expr, known));
  if (!typed.type->is_boolean())
    return wrong(expr, fmt::format("a condition belongs here; this is a {}", typed.type->text()));
  return typed;
}

Result<TypePtr> ExpressionChecker::of_kind(const Expr& expr, Kind kind, const Guards& known) {
  TRY(const Typed typed, check(expr, known));
  if (typed.type->kind == kind) return typed.type;
  return wrong(expr,
               fmt::format("a {} belongs here; this is a {}", simple_type(kind)->text(), typed.type->text()));
}

Result<Typed> ExpressionChecker::literal(const Expr& expr) {
  switch (expr.literal.kind()) {
    case Value::Kind::boolean:
      return truth(expr.literal.boolean());
    case Value::Kind::integer:
      return plain(Kind::integer);
    case Value::Kind::string:
      return plain(Kind::string);
    default:
      break;
  }
  const EntityUid& uid = expr.literal.entity();
  if (inside_.is_action_type(uid.type)) {
    if (inside_.action(uid) != nullptr) return Typed{entity_type(uid.type), {}};
    std::vector<std::string> names;
    for (const EntityUid& action : schema_.actions()) names.push_back(action.text());
    return wrong(expr, fmt::format("there is no action {}", uid.text()), did_you_mean(uid.text(), names));
  }
  const EntityTypeInfo* type = inside_.type(uid.type);
  if (type == nullptr)
    return wrong(expr, fmt::format("there is no entity type `{}`", uid.type),
                 did_you_mean(uid.type, schema_.entity_types()));
  if (!type->enumerated.empty() && !type->enumerated.contains(uid.id))
    return wrong(expr, fmt::format("{} is not among the ids of its type", uid.text()),
                 did_you_mean(uid.id, {type->enumerated.begin(), type->enumerated.end()}));
  return Typed{entity_type(uid.type), {}};
}

Result<Typed> ExpressionChecker::variable(const Expr& expr) {
  switch (expr.variable) {
    case Variable::principal:
      return Typed{entity_type(kind_.principal), {}};
    case Variable::action:
      return Typed{entity_type(kind_.action.type), {}};
    case Variable::resource:
      return Typed{entity_type(kind_.resource), {}};
    case Variable::context:
      break;
  }
  return Typed{kind_.context, {}};
}

Result<Typed> ExpressionChecker::all(const Expr& expr, const Guards& known) {
  Guards so_far = known;
  Guards gained;
  bool certain = true;
  for (const ExprPtr& arg : expr.args) {
    TRY(Typed typed, boolean(*arg, so_far));
    if (typed.type->kind == Kind::no) return truth(false);
    certain = certain && typed.type->kind == Kind::yes;
    so_far = both(std::move(so_far), typed.guards);
    gained = both(std::move(gained), typed.guards);
  }
  if (certain) return truth(true, std::move(gained));
  return Typed{simple_type(Kind::boolean), std::move(gained)};
}

Result<Typed> ExpressionChecker::any(const Expr& expr, const Guards& known) {
  std::optional<Guards> gained;  // none yet: every part so far is false
  for (const ExprPtr& arg : expr.args) {
    TRY(Typed typed, boolean(*arg, known));
    if (typed.type->kind == Kind::no) continue;
    if (typed.type->kind == Kind::yes) return truth(true, std::move(typed.guards));
    gained = gained ? common(*gained, typed.guards) : std::move(typed.guards);
  }
  if (!gained) return truth(false);
  return Typed{simple_type(Kind::boolean), *std::move(gained)};
}

Result<Typed> ExpressionChecker::condition(const Expr& expr, const Guards& known) {
  TRY(const Typed test, boolean(*expr.args[0], known));
  const Guards inside = both(known, test.guards);
  if (test.type->kind == Kind::yes) {
    TRY(Typed then, check(*expr.args[1], inside));
    then.guards = both(std::move(then.guards), test.guards);
    return then;
  }
  if (test.type->kind == Kind::no) return check(*expr.args[2], known);
  TRY(const Typed then, check(*expr.args[1], inside));
  TRY(const Typed otherwise, check(*expr.args[2], known));
  TypePtr joined = joins_.join(then.type, otherwise.type);
  if (joined == nullptr)
    return wrong(
        expr, fmt::format("one branch is a {}, the other a {}", then.type->text(), otherwise.type->text()));
  return Typed{std::move(joined), common(both(then.guards, test.guards), otherwise.guards)};
}

// The entity that an expression is known to be: a literal, or the action of this kind of request.
const EntityUid* ExpressionChecker::known_entity(const Expr& expr) const {
  if (expr.op == Op::variable && expr.variable == Variable::action) return &kind_.action;
  if (expr.op == Op::literal && expr.literal.kind() == Value::Kind::entity) return &expr.literal.entity();
  return nullptr;
}

std::optional<bool> ExpressionChecker::known_equal(const Expr& left, const Expr& right) const {
  const EntityUid* a = known_entity(left);
  const EntityUid* b = known_entity(right);
  if (a != nullptr && b != nullptr) return *a == *b;
  if ((a != nullptr || left.op == Op::literal) && (b != nullptr || right.op == Op::literal))
    return a == nullptr && b == nullptr && left.literal == right.literal;
  return std::nullopt;
}

Result<Typed> ExpressionChecker::equality(const Expr& expr, const Guards& known) {
  const Expr& left = *expr.args[0];
  const Expr& right = *expr.args[1];
  const bool negated = expr.op == Op::unequal;
  TRY(const Typed a, check(left, known));
  TRY(const Typed b, check(right, known));
  if (a.type->kind == Kind::entity && b.type->kind == Kind::entity) {
    const std::set<std::string> names = a.type->entity_names();
    const std::set<std::string> others = b.type->entity_names();
    if (std::none_of(names.begin(), names.end(), [&](const auto& name) { return others.contains(name); }))
      return truth(negated);
  }
  if (const auto same = known_equal(left, right)) return truth(*same != negated);
  if (strict() && joins_.join(a.type, b.type) == nullptr)
    return wrong(expr, fmt::format("a {} is never equal to a {}", a.type->text(), b.type->text()));
  return plain(Kind::boolean);
}

Result<Typed> ExpressionChecker::order(const Expr& expr, const Guards& known) {
  TRY(const Typed left, check(*expr.args[0], known));
  const Kind kind = left.type->kind;
  if (kind != Kind::integer && kind != Kind::datetime && kind != Kind::duration)
    return wrong(*expr.args[0],
                 fmt::format("a Long, datetime or duration belongs here; this is a {}", left.type->text()),
                 kind == Kind::decimal ? "decimals have methods: lessThan, greaterThan, ..." : "");
  TRY_VOID(of_kind(*expr.args[1], kind, known));
  return plain(Kind::boolean);
}

Result<Typed> ExpressionChecker::arithmetic(const Expr& expr, const Guards& known) {
  for (const ExprPtr& arg : expr.args) TRY_VOID(of_kind(*arg, Kind::integer, known));
  return plain(Kind::integer);
}

Result<Typed> ExpressionChecker::in(const Expr& expr, const Guards& known) {
  TRY(const Typed left, check(*expr.args[0], known));
  if (left.type->kind != Kind::entity)
    return wrong(*expr.args[0], fmt::format("an entity belongs here; this is a {}", left.type->text()));
  return in_types(*expr.args[0], *expr.args[1], left.type, known);
}

// Whether the first action stands among or under those of the others that are actions.
bool ExpressionChecker::stands_in(const EntityUid& action, const std::vector<const EntityUid*>& above) const {
  const ActionInfo* info = inside_.action(action);
  return std::any_of(above.begin(), above.end(), [&](const EntityUid* one) {
    return inside_.is_action_type(one->type) &&
           (*one == action || (info != nullptr && info->ancestors.contains(*one)));
  });
}

// The entities of a literal, of the action, or of a set of such; none when any other expression is among
// them.
std::optional<std::vector<const EntityUid*>> ExpressionChecker::known_entities(const Expr& expr) const {
  if (const EntityUid* one = known_entity(expr)) return std::vector<const EntityUid*>{one};
  if (expr.op != Op::set) return std::nullopt;
  std::vector<const EntityUid*> out;
  for (const ExprPtr& arg : expr.args) {
    const EntityUid* one = known_entity(*arg);
    if (one == nullptr) return std::nullopt;
    out.push_back(one);
  }
  return out;
}

bool ExpressionChecker::may_stand_in(const std::string& type, const std::string& above) const {
  if (type == above) return true;
  const EntityTypeInfo* info = inside_.type(type);
  if (info != nullptr && info->ancestors.contains(above)) return true;
  // Groups of actions may cross namespaces.
  if (!inside_.is_action_type(type) || !inside_.is_action_type(above)) return false;
  return std::any_of(inside_.actions.begin(), inside_.actions.end(), [&](const auto& action) {
    const auto& groups = action.second.ancestors;
    return action.first.type == type &&
           std::any_of(groups.begin(), groups.end(),
                       [&](const EntityUid& group) { return group.type == above; });
  });
}

Result<Typed> ExpressionChecker::in_types(const Expr& left, const Expr& right, const TypePtr& type,
                                          const Guards& known) {
  TRY(const Typed above, check(right, known));
  const bool set = above.type->kind == Kind::set;
  const Type& target = set ? *above.type->element : *above.type;
  if (target.kind != Kind::entity && !(set && target.kind == Kind::never))
    return wrong(right,
                 fmt::format("an entity or a set of entities belongs here; this is a {}", above.type->text()),
                 set ? "" : "for a set use .contains(...)");
  const EntityUid* action = known_entity(left);
  if (action != nullptr && inside_.is_action_type(action->type))
    if (const auto all = known_entities(right)) return truth(stands_in(*action, *all));
  if (target.kind == Kind::never) return plain(Kind::boolean);
  for (const std::string& name : type->entity_names())
    for (const std::string& other : target.entity_names())
      if (may_stand_in(name, other)) return plain(Kind::boolean);
  return truth(false);
}

std::optional<Attribute> ExpressionChecker::attribute(const Type& type, const std::string& name) const {
  const auto of = [&](const TypePtr& members) -> std::optional<Attribute> {
    if (members == nullptr) return std::nullopt;
    const auto found = members->members.find(name);
    return found == members->members.end() ? std::nullopt : std::optional(found->second);
  };
  if (type.kind == Kind::record) {
    const auto found = type.members.find(name);
    return found == type.members.end() ? std::nullopt : std::optional(found->second);
  }
  if (type.kind != Kind::entity) return std::nullopt;
  if (type.entities.empty()) return of(attributes_of(type.entity));
  // One of several types: what all of them have, as far as it agrees.
  std::optional<Attribute> out;
  for (const std::string& entity : type.entities) {
    auto one = of(attributes_of(entity));
    if (!one) return std::nullopt;
    if (out) {
      one->type = joins_.join(out->type, one->type);
      one->required = one->required && out->required;
    }
    if (one->type == nullptr) return std::nullopt;
    out = std::move(one);
  }
  return out;
}

// Whether a value of the type could have that attribute although attribute() knows of none.
bool ExpressionChecker::may_have(const Type& type, const std::string& name) const {
  if (type.kind == Kind::record) return type.open || type.members.contains(name);
  if (type.kind != Kind::entity) return type.kind == Kind::never;
  const std::set<std::string> entities = type.entity_names();
  return std::any_of(entities.begin(), entities.end(), [&](const std::string& entity) {
    const TypePtr members = attributes_of(entity);
    return members != nullptr && members->members.contains(name);
  });
}

TypePtr ExpressionChecker::attributes_of(const std::string& entity) const {
  const EntityTypeInfo* info = inside_.type(entity);
  return info == nullptr ? nullptr : info->attributes;
}

Result<Typed> ExpressionChecker::has(const Expr& expr, const Guards& known) {
  TRY(Typed base, check(*expr.args[0], known));
  TypePtr type = base.type;
  std::string of = key_of(*expr.args[0]);
  Guards gained;
  bool certain = true;
  for (size_t i = 0; i < expr.names.size(); ++i) {
    const std::string& name = expr.names[i];
    const bool entity = type->kind == Kind::entity;
    if (!entity && type->kind != Kind::record && type->kind != Kind::never)
      return wrong(expr,
                   fmt::format("`has {}` needs an entity or a record; this is a {}", name, type->text()));
    const auto found = attribute(*type, name);
    if (!found && !may_have(*type, name)) return truth(false);
    if (!found && i + 1 < expr.names.size())
      return wrong(expr, fmt::format("`{}` is not in every type that this may be", name));
    if (!found) return Typed{simple_type(Kind::boolean), std::move(gained)};
    // An entity may not exist, and then has nothing.
    const bool sure = known.contains(guard_key(of, name)) || (found->required && !entity);
    certain = certain && sure;
    gained.insert(guard_key(of, name));
    of = member_key(of, name);
    type = found->type;
  }
  if (certain) return truth(true, std::move(gained));
  return Typed{simple_type(Kind::boolean), std::move(gained)};
}

Result<Typed> ExpressionChecker::get(const Expr& expr, const Guards& known) {
  const Expr& base = *expr.args[0];
  TRY(const Typed typed, check(base, known));
  const bool entity = typed.type->kind == Kind::entity;
  if (!entity && typed.type->kind != Kind::record)
    return wrong(expr, fmt::format("`{}` has no attributes: it is a {}", text(base), typed.type->text()));
  const auto found = attribute(*typed.type, expr.name);
  if (!found) {
    const TypePtr members = entity ? attributes_of(typed.type->entity) : typed.type;
    return wrong(expr,
                 fmt::format("{} has no attribute `{}`", entity ? typed.type->text() : "`" + text(base) + "`",
                             expr.name),
                 members == nullptr ? std::string() : did_you_mean(expr.name, member_names(*members)));
  }
  if (!found->required && !known.contains(guard_key(key_of(base), expr.name)))
    return wrong(expr, fmt::format("`{}` is optional and may be missing", expr.name),
                 fmt::format("ask first: {} has {} && ...", text(base), expr.name));
  return Typed{found->type, {}};
}

Result<Typed> ExpressionChecker::is(const Expr& expr, const Guards& known) {
  TRY(const Typed left, check(*expr.args[0], known));
  if (left.type->kind != Kind::entity)
    return wrong(*expr.args[0], fmt::format("an entity belongs here; this is a {}", left.type->text()));
  if (inside_.type(expr.name) == nullptr && !inside_.is_action_type(expr.name))
    return wrong(expr, fmt::format("there is no entity type `{}`", expr.name),
                 did_you_mean(expr.name, schema_.entity_types()));
  const std::set<std::string> names = left.type->entity_names();
  if (!names.contains(expr.name)) return truth(false);
  Typed tested = names.size() == 1 ? truth(true) : plain(Kind::boolean);
  if (expr.args.size() == 1) return tested;
  TRY(Typed placed, in_types(*expr.args[0], *expr.args[1], left.type, known));
  return placed.type->kind == Kind::yes                                    ? tested
         : placed.type->kind == Kind::no || tested.type->kind == Kind::yes ? placed
                                                                           : plain(Kind::boolean);
}

Result<Typed> ExpressionChecker::set(const Expr& expr, const Guards& known) {
  if (expr.args.empty() && strict())
    return wrong(expr, "the empty set has no type", "use .isEmpty() to ask for it");
  TypePtr element = simple_type(Kind::never);
  for (const ExprPtr& arg : expr.args) {
    TRY(const Typed typed, check(*arg, known));
    TypePtr joined = joins_.join(element, typed.type);
    if (joined == nullptr)
      return wrong(*arg, fmt::format("a {} in a set of {}", typed.type->text(), element->text()));
    element = std::move(joined);
  }
  return Typed{set_type(std::move(element)), {}};
}

Result<Typed> ExpressionChecker::record(const Expr& expr, const Guards& known) {
  auto out = std::make_shared<Type>();
  out->kind = Kind::record;
  for (size_t i = 0; i < expr.args.size(); ++i) {
    TRY(Typed typed, check(*expr.args[i], known));
    out->members.emplace(expr.names[i], Attribute{std::move(typed.type), true});
  }
  return Typed{std::move(out), {}};
}

}  // namespace entente::policy
