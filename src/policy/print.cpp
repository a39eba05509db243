#include "policy/print.h"

#include "policy/lexer.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::policy {

std::string_view operator_text(Op op) {
  switch (op) {
    case Op::all:
      return "&&";
    case Op::any:
      return "||";
    case Op::equal:
      return "==";
    case Op::unequal:
      return "!=";
    case Op::less:
      return "<";
    case Op::less_equal:
      return "<=";
    case Op::greater:
      return ">";
    case Op::greater_equal:
      return ">=";
    case Op::in:
      return "in";
    case Op::plus:
      return "+";
    case Op::subtract:
      return "-";
    case Op::times:
      return "*";
    default:
      return {};
  }
}

namespace {

// How tightly an operator binds: an operand that binds less tightly needs parentheses.
enum class Bind : uint8_t {
  expression,
  disjunction,
  conjunction,
  relation,
  sum,
  product,
  unary,
  member,
  primary
};

bool is_negative(const Expr& expr) {
  return expr.op == Op::literal && expr.literal.kind() == Value::Kind::integer && expr.literal.integer() < 0;
}

Bind binds(const Expr& expr) {
  switch (expr.op) {
    case Op::condition:
      return Bind::expression;
    case Op::any:
      return Bind::disjunction;
    case Op::all:
      return Bind::conjunction;
    case Op::equal:
    case Op::unequal:
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
    case Op::in:
    case Op::has:
    case Op::like:
    case Op::is:
      return Bind::relation;
    case Op::plus:
    case Op::subtract:
      return Bind::sum;
    case Op::times:
      return Bind::product;
    case Op::negation:
    case Op::minus:
      return Bind::unary;
    case Op::get:
    case Op::native:
      return Bind::member;
    case Op::call:
      return expr.method >= Method::make_ip && expr.method <= Method::make_duration ? Bind::primary
                                                                                    : Bind::member;
    default:
      return is_negative(expr) ? Bind::unary : Bind::primary;
  }
}

class Printer {
 public:
  std::string take() { return std::move(out_); }

  void at_least(const Expr& expr, Bind least) {
    const bool wrap = binds(expr) < least;
    if (wrap) out_ += '(';
    print(expr);
    if (wrap) out_ += ')';
  }

  void print(const Expr& expr) {
    switch (expr.op) {
      case Op::literal:
        out_ +=
            expr.literal.kind() == Value::Kind::entity ? expr.literal.entity().text() : literal(expr.literal);
        return;
      case Op::variable:
        out_ += variable(expr.variable);
        return;
      case Op::all:
        return chain(expr, Bind::conjunction, Bind::relation);
      case Op::any:
        return chain(expr, Bind::disjunction, Bind::conjunction);
      case Op::negation:
      case Op::minus:
        return prefix(expr);
      case Op::condition:
        out_ += "if ";
        print(*expr.args[0]);
        out_ += " then ";
        print(*expr.args[1]);
        out_ += " else ";
        return print(*expr.args[2]);
      case Op::plus:
      case Op::subtract:
        return infix(expr, Bind::sum, Bind::product);
      case Op::times:
        return infix(expr, Bind::product, Bind::unary);
      case Op::has:
      case Op::like:
      case Op::is:
        return test(expr);
      case Op::get:
        at_least(*expr.args[0], Bind::member);
        out_ += is_plain_name(expr.name) ? "." + expr.name : "[" + quote(expr.name) + "]";
        return;
      case Op::set:
        return list(expr, 0, "[", "]");
      case Op::record:
        return record(expr);
      case Op::call:
      case Op::native:
        return call(expr);
      default:
        return infix(expr, Bind::sum, Bind::sum);
    }
  }

 private:
  static std::string_view variable(Variable variable) {
    constexpr std::string_view kNames[] = {"principal", "action", "resource", "context"};
    return kNames[static_cast<size_t>(variable)];
  }

  static std::string literal(const Value& value) {
    if (value.kind() == Value::Kind::string) return quote(value.string());
    return value.text();
  }

  void infix(const Expr& expr, Bind left, Bind right) {
    at_least(*expr.args[0], left);
    out_ += fmt::format(" {} ", operator_text(expr.op));
    at_least(*expr.args[1], right);
  }

  // A chain leans to the left: (a && b) && c is a && b && c.
  void chain(const Expr& expr, Bind first, Bind operand) {
    for (size_t i = 0; i < expr.args.size(); ++i) {
      if (i > 0) out_ += fmt::format(" {} ", operator_text(expr.op));
      at_least(*expr.args[i], i == 0 ? first : operand);
    }
  }

  // At most four of a kind in a row; `-5` would be read as a number, so minus of 5 is `-(5)`.
  void prefix(const Expr& expr) {
    constexpr size_t kInRow = 4;
    const Expr* inner = &expr;
    size_t count = 0;
    while (inner->op == expr.op && count < kInRow - 1) {
      inner = inner->args[0].get();
      ++count;
    }
    out_ += std::string(count, expr.op == Op::negation ? '!' : '-');
    const bool number = inner->op == Op::literal && inner->literal.kind() == Value::Kind::integer;
    const bool wrap = number ? expr.op == Op::minus || is_negative(*inner) : binds(*inner) < Bind::member;
    if (wrap) out_ += '(';
    print(*inner);
    if (wrap) out_ += ')';
  }

  void test(const Expr& expr) {
    at_least(*expr.args[0], Bind::sum);
    if (expr.op == Op::like) {
      out_ += " like " + quote_pattern(expr.names);
    } else if (expr.op == Op::is) {
      out_ += " is " + expr.name;
      if (expr.args.size() == 1) return;
      out_ += " in ";
      at_least(*expr.args[1], Bind::sum);
    } else {
      out_ += " has ";
      if (expr.names.size() == 1) {
        out_ += is_plain_name(expr.names[0]) ? expr.names[0] : quote(expr.names[0]);
      } else {
        out_ += fmt::format("{}", fmt::join(expr.names, "."));
      }
    }
  }

  void list(const Expr& expr, size_t from, std::string_view open, std::string_view close) {
    out_ += open;
    for (size_t i = from; i < expr.args.size(); ++i) {
      if (i > from) out_ += ", ";
      print(*expr.args[i]);
    }
    out_ += close;
  }

  void record(const Expr& expr) {
    out_ += '{';
    for (size_t i = 0; i < expr.args.size(); ++i) {
      if (i > 0) out_ += ", ";
      out_ += is_plain_name(expr.names[i]) ? expr.names[i] : quote(expr.names[i]);
      out_ += ": ";
      print(*expr.args[i]);
    }
    out_ += '}';
  }

  void call(const Expr& expr) {
    if (binds(expr) == Bind::primary) {
      out_ += expr.name;
      return list(expr, 0, "(", ")");
    }
    at_least(*expr.args[0], Bind::member);
    out_ += "." + expr.name;
    list(expr, 1, "(", ")");
  }

  std::string out_;
};

std::string scope_text(const Scope& scope, std::string_view variable) {
  std::string out(variable);
  std::string target = scope.slot ? fmt::format("?{}", variable) : std::string();
  const bool action = variable == "action";
  if (!scope.slot && action && scope.kind == Scope::Kind::in) {
    std::vector<std::string> texts;
    texts.reserve(scope.entities.size());
    for (const EntityUid& uid : scope.entities) texts.push_back(uid.text());
    target = fmt::format("[{}]", fmt::join(texts, ", "));
  } else if (!scope.entities.empty()) {
    target = scope.entities[0].text();
  }
  switch (scope.kind) {
    case Scope::Kind::any:
      return out;
    case Scope::Kind::equal:
      return out + " == " + target;
    case Scope::Kind::in:
      return out + " in " + target;
    case Scope::Kind::is:
      return out + " is " + scope.type;
    case Scope::Kind::is_in:
      return out + " is " + scope.type + " in " + target;
  }
  return out;
}

}  // namespace

bool is_plain_name(std::string_view text) {
  if (text.empty() || is_reserved(text)) return false;
  const auto starts = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return starts(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return starts(c) || (c >= '0' && c <= '9'); });
}

std::string quote_pattern(const std::vector<std::string>& pieces) {
  std::string out;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (i > 0) out += '*';
    const std::string quoted = quote(pieces[i]);
    for (const char c : quoted.substr(1, quoted.size() - 2)) {
      if (c == '*') out += '\\';
      out += c;
    }
  }
  return "\"" + out + "\"";
}

std::string expression_text(const Expr& expr) {
  Printer printer;
  printer.print(expr);
  return printer.take();
}

std::string policy_text(const Policy& policy) {
  std::string out;
  for (const auto& [name, value] : policy.info.annotations) {
    const bool bare = policy.bare.contains(name);
    out += bare ? fmt::format("@{}\n", name) : fmt::format("@{}({})\n", name, quote(value));
  }
  out += fmt::format("{}({}, {}, {})", policy.info.effect == Effect::permit ? "permit" : "forbid",
                     scope_text(policy.principal, "principal"), scope_text(policy.action, "action"),
                     scope_text(policy.resource, "resource"));
  for (const Condition& condition : policy.conditions)
    out += fmt::format(" {} {{ {} }}", condition.when ? "when" : "unless", expression_text(*condition.body));
  return out + ";";
}

}  // namespace entente::policy
