#include "policy/parser_expr.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

namespace entente::policy {
namespace {

constexpr std::array<MethodInfo, 28> kMethods = {{
    {"contains", Method::contains, 2, false},
    {"containsAll", Method::contains_all, 2, false},
    {"containsAny", Method::contains_any, 2, false},
    {"isEmpty", Method::is_empty, 1, false},
    {"getTag", Method::get_tag, 2, false},
    {"hasTag", Method::has_tag, 2, false},
    {"ip", Method::make_ip, 1, true},
    {"decimal", Method::make_decimal, 1, true},
    {"datetime", Method::make_datetime, 1, true},
    {"duration", Method::make_duration, 1, true},
    {"lessThan", Method::less_than, 2, false},
    {"lessThanOrEqual", Method::less_than_or_equal, 2, false},
    {"greaterThan", Method::greater_than, 2, false},
    {"greaterThanOrEqual", Method::greater_than_or_equal, 2, false},
    {"isIpv4", Method::is_v4, 1, false},
    {"isIpv6", Method::is_v6, 1, false},
    {"isLoopback", Method::is_loopback, 1, false},
    {"isMulticast", Method::is_multicast, 1, false},
    {"isInRange", Method::is_in_range, 2, false},
    {"offset", Method::offset, 2, false},
    {"durationSince", Method::duration_since, 2, false},
    {"toDate", Method::to_date, 1, false},
    {"toTime", Method::to_time, 1, false},
    {"toMilliseconds", Method::to_milliseconds, 1, false},
    {"toSeconds", Method::to_seconds, 1, false},
    {"toMinutes", Method::to_minutes, 1, false},
    {"toHours", Method::to_hours, 1, false},
    {"toDays", Method::to_days, 1, false},
}};

std::vector<ExprPtr> pair(ExprPtr a, ExprPtr b) {
  std::vector<ExprPtr> out;
  out.push_back(std::move(a));
  out.push_back(std::move(b));
  return out;
}

std::vector<ExprPtr> one(ExprPtr a) {
  std::vector<ExprPtr> out;
  out.push_back(std::move(a));
  return out;
}

constexpr std::pair<std::string_view, Op> kRelations[] = {
    {"==", Op::equal},         {"!=", Op::unequal}, {"<=", Op::less_equal}, {"<", Op::less},
    {">=", Op::greater_equal}, {">", Op::greater},  {"in", Op::in}};

}  // namespace

const MethodInfo* find_method(std::string_view name) {
  const auto found =
      std::find_if(kMethods.begin(), kMethods.end(), [&](const auto& m) { return m.name == name; });
  return found == kMethods.end() ? nullptr : &*found;
}

size_t arguments_of(Method method) {
  return kMethods[static_cast<size_t>(method)].arguments;
}

std::vector<std::string> method_names() {
  std::vector<std::string> out;
  out.reserve(std::size(kMethods));
  for (const MethodInfo& method : kMethods) out.emplace_back(method.name);
  return out;
}

ExprPtr ExpressionParser::node(Op op, uint32_t begin, std::vector<ExprPtr> args) {
  auto out = std::make_unique<Expr>();
  out->op = op;
  out->begin = begin;
  out->finish = in_.previous().finish;
  for (const ExprPtr& arg : args) out->depth = std::max(out->depth, arg->depth + 1);
  out->args = std::move(args);
  return out;
}

Result<ExprPtr> ExpressionParser::finish(ExprPtr expr) {
  if (expr->depth <= kTreeDepthMax) return expr;
  return in_.wrong(expr->begin, expr->finish,
                   fmt::format("this is more than {} operations deep", kTreeDepthMax),
                   "split the policy in two");
}

Result<ExprPtr> ExpressionParser::expression() {
  if (nesting_ == PolicySet::kDepthMax)
    return in_.wrong(in_.now(), fmt::format("expressions nest deeper than {}", PolicySet::kDepthMax));
  ++nesting_;
  auto out = in_.at("if") ? conditional() : disjunction();
  --nesting_;
  return out;
}

Result<ExprPtr> ExpressionParser::conditional() {
  const uint32_t begin = in_.step().begin;
  std::vector<ExprPtr> args(3);
  TRY(args[0], expression());
  TRY_VOID(in_.expect("then"));
  TRY(args[1], expression());
  TRY_VOID(in_.expect("else"));
  TRY(args[2], expression());
  return finish(node(Op::condition, begin, std::move(args)));
}

// Long chains of && and || are one flat node: they cost no depth.
Result<ExprPtr> ExpressionParser::disjunction() {
  TRY(ExprPtr first, conjunction());
  if (!in_.at("||")) return first;
  std::vector<ExprPtr> args = one(std::move(first));
  while (in_.take("||")) {
    TRY(ExprPtr next, conjunction());
    args.push_back(std::move(next));
  }
  const uint32_t begin = args[0]->begin;
  return finish(node(Op::any, begin, std::move(args)));
}

Result<ExprPtr> ExpressionParser::conjunction() {
  TRY(ExprPtr first, relation());
  if (!in_.at("&&")) return first;
  std::vector<ExprPtr> args = one(std::move(first));
  while (in_.take("&&")) {
    TRY(ExprPtr next, relation());
    args.push_back(std::move(next));
  }
  const uint32_t begin = args[0]->begin;
  return finish(node(Op::all, begin, std::move(args)));
}

Result<ExprPtr> ExpressionParser::join(Op op, ExprPtr left, ExprPtr right) {
  const uint32_t begin = left->begin;
  return finish(node(op, begin, pair(std::move(left), std::move(right))));
}

Result<ExprPtr> ExpressionParser::relation() {
  TRY(ExprPtr left, sum());
  if (in_.take("has")) return has_relation(std::move(left));
  if (in_.take("like")) return like_relation(std::move(left));
  if (in_.take("is")) return is_relation(std::move(left));
  if (in_.at("=")) return in_.wrong(in_.now(), "`=` is no operator", "write == to compare");
  for (const auto& [text, op] : kRelations) {
    if (!in_.take(text)) continue;
    TRY(ExprPtr right, sum());
    for (const auto& [again, other] : kRelations)
      if (in_.at(again)) return in_.wrong(in_.now(), "comparisons do not chain", "use && and parentheses");
    return join(op, std::move(left), std::move(right));
  }
  return left;
}

Result<ExprPtr> ExpressionParser::has_relation(ExprPtr left) {
  std::vector<std::string> names;
  if (in_.at(Token::Kind::string)) {
    TRY(std::string name, in_.string());
    names.push_back(std::move(name));
  } else {
    do {
      TRY(std::string name, in_.name("an attribute's name"));
      names.push_back(std::move(name));
    } while (in_.take("."));
  }
  const uint32_t begin = left->begin;
  ExprPtr out = node(Op::has, begin, one(std::move(left)));
  out->depth += static_cast<uint32_t>(names.size());
  out->names = std::move(names);
  return finish(std::move(out));
}

Result<ExprPtr> ExpressionParser::like_relation(ExprPtr left) {
  if (!in_.at(Token::Kind::string)) return in_.expected("a pattern in quotes");
  const Token token = in_.step();
  auto pieces = unescape_pattern(token);
  if (!pieces) return in_.wrong(token, pieces.error().what(), pieces.error().hint());
  const uint32_t begin = left->begin;
  ExprPtr out = node(Op::like, begin, one(std::move(left)));
  out->names = *std::move(pieces);
  return finish(std::move(out));
}

Result<ExprPtr> ExpressionParser::is_relation(ExprPtr left) {
  TRY(std::string type, type_name());
  std::vector<ExprPtr> args = one(std::move(left));
  if (in_.take("in")) {
    TRY(ExprPtr above, sum());
    args.push_back(std::move(above));
  }
  const uint32_t begin = args[0]->begin;
  ExprPtr out = node(Op::is, begin, std::move(args));
  out->name = std::move(type);
  return finish(std::move(out));
}

Result<ExprPtr> ExpressionParser::sum() {
  TRY(ExprPtr left, product());
  while (in_.at("+") || in_.at("-")) {
    const Op op = in_.step().text == "+" ? Op::plus : Op::subtract;
    TRY(ExprPtr right, product());
    TRY(left, join(op, std::move(left), std::move(right)));
  }
  return left;
}

Result<ExprPtr> ExpressionParser::product() {
  TRY(ExprPtr left, unary());
  while (in_.at("*")) {
    in_.step();
    TRY(ExprPtr right, unary());
    TRY(left, join(Op::times, std::move(left), std::move(right)));
  }
  if (in_.at("/") || in_.at("%")) return in_.wrong(in_.now(), "Cedar does not divide");
  return left;
}

Result<ExprPtr> ExpressionParser::unary() {
  constexpr size_t kOperatorsMax = 4;
  const uint32_t begin = in_.now().begin;
  const bool bang = in_.at("!");
  size_t count = 0;
  while (in_.at(bang ? "!" : "-")) {
    if (count == kOperatorsMax)
      return in_.wrong(in_.now(), fmt::format("more than {} in a row", kOperatorsMax));
    in_.step();
    ++count;
  }
  // `-5` is a number, `-5.a` is minus of `5.a`.
  const bool fused =
      !bang && count > 0 && in_.at(Token::Kind::integer) && !in_.after().is(".") && !in_.after().is("[");
  ExprPtr out;
  if (fused) {
    TRY(out, integer(true));
    --count;
  } else {
    TRY(out, member());
  }
  for (; count > 0; --count) out = node(bang ? Op::negation : Op::minus, begin, one(std::move(out)));
  return finish(std::move(out));
}

Result<ExprPtr> ExpressionParser::member() {
  TRY(ExprPtr left, primary());
  return access(std::move(left));
}

Result<ExprPtr> ExpressionParser::access(ExprPtr left) {
  while (true) {
    const uint32_t begin = left->begin;
    if (in_.take(".")) {
      const Token name = in_.now();
      TRY(std::string attribute, in_.name("an attribute or method"));
      if (in_.at("(")) {
        TRY(left, call(std::move(left), name));
        continue;
      }
      left = node(Op::get, begin, one(std::move(left)));
      left->name = std::move(attribute);
    } else if (in_.at("[")) {
      in_.step();
      TRY(std::string attribute, in_.string());
      TRY_VOID(in_.expect("]"));
      left = node(Op::get, begin, one(std::move(left)));
      left->name = std::move(attribute);
    } else {
      return left;
    }
    TRY(left, finish(std::move(left)));
  }
}

Result<ExprPtr> ExpressionParser::call(ExprPtr receiver, const Token& name) {
  const MethodInfo* method = find_method(name.text);
  const NativePredicate* native = natives_.find(name.text);
  if (native == nullptr && (method == nullptr || method->function)) {
    std::vector<std::string> names = method_names();
    for (std::string& other : natives_.names()) names.push_back(std::move(other));
    return in_.wrong(name, fmt::format("there is no method `{}`", name.text), did_you_mean(name.text, names));
  }
  const uint32_t begin = receiver->begin;
  in_.step();
  TRY(std::vector<ExprPtr> rest, list(")"));
  std::vector<ExprPtr> args = one(std::move(receiver));
  for (ExprPtr& arg : rest) args.push_back(std::move(arg));
  const size_t wanted = native != nullptr ? native->parameters.size() : method->arguments;
  const bool own = native != nullptr || method->method < Method::make_ip;
  if (own && args.size() != wanted)
    return in_.wrong(
        name, fmt::format("`{}` takes {} argument(s), not {}", name.text, wanted - 1, args.size() - 1));
  ExprPtr out = node(native != nullptr ? Op::native : Op::call, begin, std::move(args));
  out->name = name.text;
  out->native = native;
  if (method != nullptr) out->method = method->method;
  return finish(std::move(out));
}

Result<std::vector<ExprPtr>> ExpressionParser::list(std::string_view close) {
  std::vector<ExprPtr> out;
  while (!in_.take(close)) {
    TRY(ExprPtr item, expression());
    out.push_back(std::move(item));
    if (!in_.take(",") && !in_.at(close)) return in_.expected(fmt::format("`,` or `{}`", close));
  }
  return out;
}

Result<ExprPtr> ExpressionParser::integer(bool negative) {
  const Token token = in_.step();
  uint64_t size = 0;
  const auto [end, fault] = std::from_chars(token.text.data(), token.text.data() + token.text.size(), size);
  const uint64_t highest = negative ? uint64_t{1} << 63U : (uint64_t{1} << 63U) - 1;
  if (fault != std::errc() || size > highest)
    return in_.wrong(token, "this number is too large",
                     "numbers are -9223372036854775808 to 9223372036854775807");
  ExprPtr out = node(Op::literal, token.begin);
  out->literal = Value(static_cast<int64_t>(negative ? ~size + 1 : size));
  return out;
}

Result<std::string> ExpressionParser::type_name() {
  TRY(std::string type, in_.name("a type"));
  while (in_.at("::") && in_.after().kind == Token::Kind::identifier) {
    in_.step();
    TRY(const std::string next, in_.name("a type"));
    type += "::" + next;
  }
  return type;
}

Result<EntityUid> ExpressionParser::entity() {
  EntityUid uid;
  TRY(uid.type, type_name());
  TRY_VOID(in_.expect("::", "write Type::\"id\""));
  TRY(uid.id, in_.string());
  return uid;
}

Result<ExprPtr> ExpressionParser::function() {
  const Token name = in_.step();
  const MethodInfo* method = find_method(name.text);
  if (method == nullptr || !method->function)
    return in_.wrong(name, fmt::format("there is no function `{}`", name.text),
                     did_you_mean(name.text, {"ip", "decimal", "datetime", "duration"}));
  in_.step();
  TRY(std::vector<ExprPtr> args, list(")"));
  ExprPtr out = node(Op::call, name.begin, std::move(args));
  out->name = name.text;
  out->method = method->method;
  return finish(std::move(out));
}

Result<ExprPtr> ExpressionParser::primary() {
  const Token token = in_.now();
  if (token.kind == Token::Kind::integer) return integer(false);
  if (token.kind == Token::Kind::string) {
    TRY(std::string value, in_.string());
    ExprPtr out = node(Op::literal, token.begin);
    out->literal = Value(std::move(value));
    return out;
  }
  if (in_.take("(")) {
    TRY(ExprPtr inner, expression());
    TRY_VOID(in_.expect(")"));
    inner->begin = token.begin;  // so that the text of whatever it becomes a part of is whole
    inner->finish = in_.previous().finish;
    return inner;
  }
  if (in_.at("[")) return set_literal();
  if (in_.at("{")) return record_literal();
  if (in_.at("?")) return in_.wrong(token, "slots stand in the scope only", "name the entity");
  if (token.kind != Token::Kind::identifier) return in_.expected("an expression");
  if (in_.at("true") || in_.at("false")) {
    in_.step();
    ExprPtr out = node(Op::literal, token.begin);
    out->literal = Value(token.text == "true");
    return out;
  }
  if (in_.after().is("::")) {
    TRY(EntityUid uid, entity());
    ExprPtr out = node(Op::literal, token.begin);
    out->literal = Value(std::move(uid));
    return out;
  }
  if (in_.after().is("(")) return function();
  constexpr std::string_view kVariables[] = {"principal", "action", "resource", "context"};
  for (size_t i = 0; i < std::size(kVariables); ++i) {
    if (!in_.take(kVariables[i])) continue;
    ExprPtr out = node(Op::variable, token.begin);
    out->variable = static_cast<Variable>(i);
    return out;
  }
  return in_.wrong(token, fmt::format("there is no variable `{}`", token.text),
                   did_you_mean(token.text, {"principal", "action", "resource", "context", "true", "false"}));
}

Result<ExprPtr> ExpressionParser::set_literal() {
  const uint32_t begin = in_.step().begin;
  TRY(std::vector<ExprPtr> items, list("]"));
  return finish(node(Op::set, begin, std::move(items)));
}

Result<ExprPtr> ExpressionParser::record_literal() {
  const uint32_t begin = in_.step().begin;
  std::vector<ExprPtr> values;
  std::vector<std::string> keys;
  std::set<std::string> seen;
  while (!in_.take("}")) {
    const Token token = in_.now();
    std::string key;
    if (in_.at(Token::Kind::string)) {
      TRY(key, in_.string());
    } else {
      TRY(key, in_.name("a key"));
    }
    if (!seen.insert(key).second) return in_.wrong(token, fmt::format("the key `{}` is given twice", key));
    TRY_VOID(in_.expect(":"));
    TRY(ExprPtr value, expression());
    keys.push_back(std::move(key));
    values.push_back(std::move(value));
    if (!in_.take(",") && !in_.at("}")) return in_.expected("`,` or `}`");
  }
  ExprPtr out = node(Op::record, begin, std::move(values));
  out->names = std::move(keys);
  return finish(std::move(out));
}

}  // namespace entente::policy
