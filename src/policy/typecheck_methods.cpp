// Types of methods: Cedar's own, constructors of extension types, and native predicates.
#include "policy/extension.h"
#include "policy/typecheck_expr.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace entente::policy {
namespace {

using Kind = Type::Kind;

struct Signature {
  Method method;
  Kind receiver;
  Kind argument;  // boolean: none
  Kind result;
};
constexpr Signature kSignatures[] = {
    {Method::less_than, Kind::decimal, Kind::decimal, Kind::boolean},
    {Method::less_than_or_equal, Kind::decimal, Kind::decimal, Kind::boolean},
    {Method::greater_than, Kind::decimal, Kind::decimal, Kind::boolean},
    {Method::greater_than_or_equal, Kind::decimal, Kind::decimal, Kind::boolean},
    {Method::is_v4, Kind::ip, Kind::boolean, Kind::boolean},
    {Method::is_v6, Kind::ip, Kind::boolean, Kind::boolean},
    {Method::is_loopback, Kind::ip, Kind::boolean, Kind::boolean},
    {Method::is_multicast, Kind::ip, Kind::boolean, Kind::boolean},
    {Method::is_in_range, Kind::ip, Kind::ip, Kind::boolean},
    {Method::offset, Kind::datetime, Kind::duration, Kind::datetime},
    {Method::duration_since, Kind::datetime, Kind::datetime, Kind::duration},
    {Method::to_date, Kind::datetime, Kind::boolean, Kind::datetime},
    {Method::to_time, Kind::datetime, Kind::boolean, Kind::duration},
    {Method::to_milliseconds, Kind::duration, Kind::boolean, Kind::integer},
    {Method::to_seconds, Kind::duration, Kind::boolean, Kind::integer},
    {Method::to_minutes, Kind::duration, Kind::boolean, Kind::integer},
    {Method::to_hours, Kind::duration, Kind::boolean, Kind::integer},
    {Method::to_days, Kind::duration, Kind::boolean, Kind::integer},
};

}  // namespace

Result<Typed> ExpressionChecker::call(const Expr& expr, const Guards& known) {
  if (expr.args.size() != arguments_of(expr.method))
    return wrong(expr, fmt::format("`{}` does not take {} argument(s)", expr.name, expr.args.size()));
  switch (expr.method) {
    case Method::contains:
    case Method::contains_all:
    case Method::contains_any:
    case Method::is_empty:
      return set_method(expr, known);
    case Method::get_tag:
    case Method::has_tag:
      return tag_method(expr, known);
    case Method::make_ip:
    case Method::make_decimal:
    case Method::make_datetime:
    case Method::make_duration:
      return constructor(expr, known);
    default:
      break;
  }
  const auto* found = std::find_if(std::begin(kSignatures), std::end(kSignatures),
                                   [&](const Signature& one) { return one.method == expr.method; });
  TRY_VOID(of_kind(*expr.args[0], found->receiver, known));
  if (expr.args.size() > 1) TRY_VOID(of_kind(*expr.args[1], found->argument, known));
  return plain(found->result);
}

Result<Typed> ExpressionChecker::set_method(const Expr& expr, const Guards& known) {
  TRY(const TypePtr receiver, of_kind(*expr.args[0], Kind::set, known));
  if (expr.method == Method::is_empty) return plain(Kind::boolean);
  TRY(const Typed argument, check(*expr.args[1], known));
  const TypePtr& wanted = expr.method == Method::contains ? receiver->element : receiver;
  if (expr.method != Method::contains && argument.type->kind != Kind::set)
    return wrong(*expr.args[1], fmt::format("a set belongs here; this is a {}", argument.type->text()),
                 "for one value use .contains(...)");
  if (strict() && joins_.join(wanted, argument.type) == nullptr)
    return wrong(*expr.args[1],
                 fmt::format("a {} belongs here; this is a {}", wanted->text(), argument.type->text()));
  return plain(Kind::boolean);
}

// The type of an entity's tags; null when no type it may be of has any, an error when they do not agree.
Result<TypePtr> ExpressionChecker::tags_of(const Expr& expr, const Type& type) const {
  TypePtr out;
  for (const std::string& name : type.entity_names()) {
    const EntityTypeInfo* info = inside_.type(name);
    if (info == nullptr || info->tags == nullptr) continue;
    TypePtr joined = out == nullptr ? info->tags : joins_.join(out, info->tags);
    if (joined == nullptr)
      return wrong(expr, fmt::format("the tags are a {} or a {}", out->text(), info->tags->text()));
    out = std::move(joined);
  }
  return out;
}

Result<Typed> ExpressionChecker::tag_method(const Expr& expr, const Guards& known) {
  TRY(const Typed receiver, check(*expr.args[0], known));
  if (receiver.type->kind != Kind::entity)
    return wrong(*expr.args[0], fmt::format("an entity belongs here; this is a {}", receiver.type->text()));
  TRY_VOID(of_kind(*expr.args[1], Kind::string, known));
  const std::string guard = key_of(*expr.args[0]) + "#" + key_of(*expr.args[1]);
  if (expr.method == Method::has_tag) {
    const auto tags = tags_of(expr, *receiver.type);
    if (tags && *tags == nullptr) return truth(false, {guard});
    if (known.contains(guard)) return truth(true, {guard});
    return Typed{simple_type(Kind::boolean), {guard}};
  }
  TRY(TypePtr tags, tags_of(expr, *receiver.type));
  if (tags == nullptr) return wrong(expr, fmt::format("`{}` has no tags", receiver.type->text()));
  if (!known.contains(guard))
    return wrong(expr, "this tag may be missing",
                 fmt::format("ask first: {}.hasTag({}) && ...", text(*expr.args[0]), text(*expr.args[1])));
  return Typed{std::move(tags), {}};
}

Result<Typed> ExpressionChecker::constructor(const Expr& expr, const Guards& known) {
  const Expr& argument = *expr.args[0];
  const bool written = argument.op == Op::literal && argument.literal.kind() == Value::Kind::string;
  if (!written && strict())
    return wrong(argument,
                 fmt::format("`{}` takes a string as written, so that it is known to be right", expr.name));
  if (!written) TRY_VOID(of_kind(argument, Kind::string, known));
  if (written && !make_extension(expr.name, argument.literal.string()))
    return wrong(argument, fmt::format("{} is no {}", argument.literal.text(), expr.name));
  switch (expr.method) {
    case Method::make_ip:
      return plain(Kind::ip);
    case Method::make_decimal:
      return plain(Kind::decimal);
    case Method::make_datetime:
      return plain(Kind::datetime);
    default:
      return plain(Kind::duration);
  }
}

Result<Typed> ExpressionChecker::native(const Expr& expr, const Guards& known) {
  const NativeSignature& signature = natives_.find(expr.name)->second;
  for (size_t i = 0; i < expr.args.size(); ++i) {
    TRY(const Typed typed, check(*expr.args[i], known));
    const TypePtr& wanted = signature.parameters[i];
    if (joins_.join(wanted, typed.type) == nullptr)
      return wrong(*expr.args[i], fmt::format("`{}` takes a {} here; this is a {}", expr.name, wanted->text(),
                                              typed.type->text()));
  }
  return Typed{signature.result, {}};
}

Result<NativeSignatures> native_signatures(const NativePredicates& natives, const Schema& schema) {
  NativeSignatures out;
  for (const std::string& name : natives.names()) {
    const NativePredicate& predicate = *natives.find(name);
    NativeSignature signature;
    const auto resolve = [&](const std::string& text) -> Result<TypePtr> {
      auto type = parse_type(text, schema);
      if (type) return *std::move(type);
      return fail("policy.native", fmt::format("`{}` needs a type this schema lacks: {}", name, text), {},
                  type.error().hint());
    };
    for (const std::string& text : predicate.parameters) {
      TRY(TypePtr type, resolve(text));
      signature.parameters.push_back(std::move(type));
    }
    TRY(signature.result, resolve(predicate.result));
    out.emplace(name, std::move(signature));
  }
  return out;
}

}  // namespace entente::policy
