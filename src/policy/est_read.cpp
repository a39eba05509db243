// Cedar's policy JSON (EST) into text, which the parser then reads like any other.
#include "policy/est.h"
#include "policy/lexer.h"
#include "policy/print.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace entente::policy {
namespace {

Failure wrong(const std::string& path, std::string what, std::string hint = {}) {
  return fail("policy.json", std::move(what), path.empty() ? "/" : path, std::move(hint));
}

// Where something lies; a path stops growing at some length, so that deep texts cost no more than their
// length.
std::string under(const std::string& path, std::string_view name) {
  constexpr size_t kPathMax = 400;
  constexpr size_t kNameMax = 60;
  if (path.size() > kPathMax) return path;
  return path + "/" + std::string(name.substr(0, kNameMax));
}
std::string under(const std::string& path, std::string_view name, size_t index) {
  return under(name.empty() ? path : under(path, name), std::to_string(index));
}

ExprPtr node(Op op, std::vector<ExprPtr> args = {}) {
  auto out = std::make_unique<Expr>();
  out->op = op;
  out->args = std::move(args);
  for (const ExprPtr& arg : out->args) out->depth = std::max(out->depth, arg->depth + 1);
  return out;
}

template <class... Args>
std::vector<ExprPtr> several(Args... args) {
  std::vector<ExprPtr> out;
  (out.push_back(std::move(args)), ...);
  return out;
}

ExprPtr clone(const Expr& expr) {
  std::vector<ExprPtr> args;
  args.reserve(expr.args.size());
  for (const ExprPtr& arg : expr.args) args.push_back(clone(*arg));
  ExprPtr out = node(expr.op, std::move(args));
  out->variable = expr.variable;
  out->method = expr.method;
  out->literal = expr.literal;
  out->name = expr.name;
  out->names = expr.names;
  out->native = expr.native;
  return out;
}

constexpr std::pair<std::string_view, Op> kBinary[] = {
    {"==", Op::equal},   {"!=", Op::unequal},       {"<", Op::less}, {"<=", Op::less_equal},
    {">", Op::greater},  {">=", Op::greater_equal}, {"in", Op::in},  {"+", Op::plus},
    {"-", Op::subtract}, {"*", Op::times},          {"&&", Op::all}, {"||", Op::any}};

// The members of an object: no others, and the optional ones behind `needed` of them.
Result<void> members(const Json& json, const std::string& path, std::initializer_list<std::string_view> names,
                     size_t needed) {
  if (!json.is_object()) return wrong(path, "an object belongs here");
  for (const auto& [name, value] : json.members())
    if (std::find(names.begin(), names.end(), name) == names.end())
      return wrong(under(path, name), fmt::format("there is no `{}` here", name),
                   fmt::format("{}", fmt::join(names, ", ")));
  for (size_t i = 0; i < needed; ++i)
    if (json.find(names.begin()[i]) == nullptr)
      return wrong(path, fmt::format("`{}` is missing", names.begin()[i]));
  return {};
}

Result<std::string> text_at(const Json& json, std::string_view key, const std::string& path) {
  const Json* value = json.find(key);
  if (value == nullptr || !value->is_string())
    return wrong(under(path, std::string(key)), "a string belongs here");
  return value->string();
}

class Reader {
 public:
  explicit Reader(const NativePredicates& natives) : natives_(natives) {}

  Result<ExprPtr> expression(const Json& json, const std::string& path) {
    if (depth_ == kTreeDepthMax)
      return wrong(path, fmt::format("more than {} operations deep", kTreeDepthMax));
    ++depth_;
    auto out = operation(json, path);
    --depth_;
    return out;
  }

 private:
  Result<ExprPtr> operation(const Json& json, const std::string& path) {
    if (!json.is_object() || json.members().size() != 1)
      return wrong(path, "an expression is an object with one member", R"(for example {"Var": "principal"})");
    const auto& [name, inside] = json.members()[0];
    const std::string here = under(path, name);
    for (const auto& [text, op] : kBinary)
      if (name == text)
        return op == Op::all || op == Op::any ? chain(json, op, path) : binary(inside, op, here);
    if (name == "Value") return value(inside, here);
    if (name == "Var") return variable(inside, here);
    if (name == "!" || name == "neg") return unary(inside, name == "!" ? Op::negation : Op::minus, here);
    if (name == ".") return get(inside, here);
    if (name == "has") return has(inside, here);
    if (name == "like") return like(inside, here);
    if (name == "is") return is(inside, here);
    if (name == "if-then-else") return condition(inside, here);
    if (name == "Set") return set(inside, here);
    if (name == "Record") return record(inside, here);
    if (name == "Slot") return wrong(here, "slots stand in the scope only");
    return call(name, inside, here);
  }

  Result<ExprPtr> at(const Json& json, std::string_view key, const std::string& path) {
    const Json* found = json.find(key);
    if (found == nullptr) return wrong(path, fmt::format("`{}` is missing", key));
    return expression(*found, under(path, std::string(key)));
  }

  Result<ExprPtr> binary(const Json& json, Op op, const std::string& path) {
    TRY_VOID(members(json, path, {"left", "right"}, 2));
    TRY(ExprPtr left, at(json, "left", path));
    TRY(ExprPtr right, at(json, "right", path));
    return node(op, several(std::move(left), std::move(right)));
  }

  // Chains lean to the left: {"&&": {"left": {"&&": ...}, "right": ...}} becomes one node, without recursion.
  Result<ExprPtr> chain(const Json& json, Op op, const std::string& path) {
    const std::string name(operator_text(op));
    std::vector<ExprPtr> reversed;
    const Json* now = &json;
    while (now->is_object() && now->members().size() == 1 && now->members()[0].first == name) {
      const Json& inside = now->members()[0].second;
      TRY_VOID(members(inside, under(path, name), {"left", "right"}, 2));
      TRY(ExprPtr right, at(inside, "right", under(path, name)));
      reversed.push_back(std::move(right));
      now = inside.find("left");
    }
    TRY(ExprPtr first, expression(*now, under(under(path, name), "left")));
    reversed.push_back(std::move(first));
    std::reverse(reversed.begin(), reversed.end());
    return node(op, std::move(reversed));
  }

  Result<ExprPtr> unary(const Json& json, Op op, const std::string& path) {
    TRY_VOID(members(json, path, {"arg"}, 1));
    TRY(ExprPtr arg, at(json, "arg", path));
    return node(op, several(std::move(arg)));
  }

  static Result<ExprPtr> variable(const Json& json, const std::string& path) {
    constexpr std::string_view kNames[] = {"principal", "action", "resource", "context"};
    for (size_t i = 0; i < std::size(kNames); ++i) {
      if (!json.is_string() || json.string() != kNames[i]) continue;
      ExprPtr out = node(Op::variable);
      out->variable = static_cast<Variable>(i);
      return out;
    }
    return wrong(path, "there is no such variable", "principal, action, resource, context");
  }

  static ExprPtr literal(Value value) {
    ExprPtr out = node(Op::literal);
    out->literal = std::move(value);
    return out;
  }

  Result<ExprPtr> value(const Json& json, const std::string& path) {
    if (depth_ == kTreeDepthMax) return wrong(path, fmt::format("more than {} values deep", kTreeDepthMax));
    ++depth_;
    auto out = value_inside(json, path);
    --depth_;
    return out;
  }

  Result<ExprPtr> value_inside(const Json& json, const std::string& path) {
    if (json.is_bool()) return literal(Value(json.boolean()));
    if (json.is_int()) return literal(Value(json.integer()));
    if (json.is_string()) return literal(Value(json.string()));
    if (json.is_array()) {
      std::vector<ExprPtr> items;
      for (size_t i = 0; i < json.items().size(); ++i) {
        TRY(ExprPtr item, value(json.items()[i], under(path, "", i)));
        items.push_back(std::move(item));
      }
      return node(Op::set, std::move(items));
    }
    if (!json.is_object())
      return wrong(path, "Cedar has no such value", "whole numbers, strings, truth values, lists, objects");
    if (json.members().size() == 1) {
      const auto& [name, inside] = json.members()[0];
      if (name == "__entity") {
        TRY(EntityUid uid, uid_from_json(inside, under(path, "__entity")));
        return literal(Value(std::move(uid)));
      }
      if (name == "__extn") return extension(inside, under(path, "__extn"));
      if (name == "__expr")
        return wrong(path, "`__expr` is no longer a value", "write the expression itself");
    }
    return value_record(json, path);
  }

  Result<ExprPtr> value_record(const Json& json, const std::string& path) {
    std::vector<ExprPtr> values;
    std::vector<std::string> keys;
    for (const auto& [name, inside] : json.members()) {
      TRY(ExprPtr one, value(inside, under(path, name)));
      values.push_back(std::move(one));
      keys.push_back(name);
    }
    ExprPtr out = node(Op::record, std::move(values));
    out->names = std::move(keys);
    return out;
  }

  Result<ExprPtr> extension(const Json& json, const std::string& path) {
    TRY_VOID(members(json, path, {"fn", "arg", "args"}, 1));
    TRY(const std::string function, text_at(json, "fn", path));
    const Json* one = json.find("arg");
    const Json* many = json.find("args");
    if ((one == nullptr) == (many == nullptr) || (many != nullptr && !many->is_array()))
      return wrong(path, "an extension value has `fn`, and either `arg` or `args`");
    std::vector<ExprPtr> args;
    if (one != nullptr) {
      TRY(ExprPtr arg, value(*one, under(path, "arg")));
      args.push_back(std::move(arg));
    } else {
      for (size_t i = 0; i < many->items().size(); ++i) {
        TRY(ExprPtr arg, value(many->items()[i], under(path, "args", i)));
        args.push_back(std::move(arg));
      }
    }
    return called(function, std::move(args), path);
  }

  Result<ExprPtr> get(const Json& json, const std::string& path) {
    TRY_VOID(members(json, path, {"left", "attr"}, 2));
    TRY(ExprPtr left, at(json, "left", path));
    ExprPtr out = node(Op::get, several(std::move(left)));
    TRY(out->name, text_at(json, "attr", path));
    return out;
  }

  Result<ExprPtr> has(const Json& json, const std::string& path) {
    TRY_VOID(members(json, path, {"left", "attr"}, 2));
    TRY(ExprPtr left, at(json, "left", path));
    const Json& attribute = *json.find("attr");
    std::vector<std::string> names;
    if (attribute.is_string()) {
      names.push_back(attribute.string());
    } else if (attribute.is_array() && !attribute.items().empty()) {
      for (const Json& name : attribute.items()) {
        if (!name.is_string()) return wrong(under(path, "attr"), "attributes are strings");
        names.push_back(name.string());
      }
    } else {
      return wrong(under(path, "attr"), "a string, or a list of at least one, belongs here");
    }
    const bool plain = names.size() == 1 || std::all_of(names.begin(), names.end(), is_plain_name);
    if (!plain) return spelled_out(std::move(left), names);
    ExprPtr out = node(Op::has, several(std::move(left)));
    out->names = std::move(names);
    return out;
  }

  // A path with names that text cannot write bare: a has "b c" && a["b c"] has d.
  static Result<ExprPtr> spelled_out(ExprPtr left, const std::vector<std::string>& names) {
    std::vector<ExprPtr> parts;
    for (const std::string& name : names) {
      ExprPtr one = node(Op::has, several(clone(*left)));
      one->names = {name};
      parts.push_back(std::move(one));
      left = node(Op::get, several(std::move(left)));
      left->name = name;
    }
    return node(Op::all, std::move(parts));
  }

  Result<ExprPtr> like(const Json& json, const std::string& path) {
    TRY_VOID(members(json, path, {"left", "pattern"}, 2));
    TRY(ExprPtr left, at(json, "left", path));
    ExprPtr out = node(Op::like, several(std::move(left)));
    const Json& pattern = *json.find("pattern");
    if (!pattern.is_array()) return wrong(under(path, "pattern"), "a list belongs here");
    out->names.emplace_back();
    for (const Json& element : pattern.items()) {
      const Json* text = element.find("Literal");
      if (element.is_string() && element.string() == "Wildcard") {
        out->names.emplace_back();
      } else if (text != nullptr && text->is_string() && element.members().size() == 1) {
        out->names.back() += text->string();
      } else {
        return wrong(under(path, "pattern"), R"("Wildcard" or {"Literal": "..."} belongs here)");
      }
    }
    return out;
  }

  Result<ExprPtr> is(const Json& json, const std::string& path) {
    TRY_VOID(members(json, path, {"left", "entity_type", "in"}, 2));
    TRY(ExprPtr left, at(json, "left", path));
    TRY(std::string type, text_at(json, "entity_type", path));
    if (!is_type_name(type))
      return wrong(under(path, "entity_type"), fmt::format("{} is no type", quote(type)));
    std::vector<ExprPtr> args = several(std::move(left));
    if (json.find("in") != nullptr) {
      TRY(ExprPtr above, at(json, "in", path));
      args.push_back(std::move(above));
    }
    ExprPtr out = node(Op::is, std::move(args));
    out->name = std::move(type);
    return out;
  }

  Result<ExprPtr> condition(const Json& json, const std::string& path) {
    TRY_VOID(members(json, path, {"if", "then", "else"}, 3));
    TRY(ExprPtr test, at(json, "if", path));
    TRY(ExprPtr then, at(json, "then", path));
    TRY(ExprPtr otherwise, at(json, "else", path));
    return node(Op::condition, several(std::move(test), std::move(then), std::move(otherwise)));
  }

  Result<std::vector<ExprPtr>> list(const Json& json, const std::string& path) {
    if (!json.is_array()) return wrong(path, "a list belongs here");
    std::vector<ExprPtr> out;
    for (size_t i = 0; i < json.items().size(); ++i) {
      TRY(ExprPtr item, expression(json.items()[i], under(path, "", i)));
      out.push_back(std::move(item));
    }
    return out;
  }

  Result<ExprPtr> set(const Json& json, const std::string& path) {
    TRY(std::vector<ExprPtr> items, list(json, path));
    return node(Op::set, std::move(items));
  }

  Result<ExprPtr> record(const Json& json, const std::string& path) {
    if (!json.is_object()) return wrong(path, "an object belongs here");
    std::vector<ExprPtr> values;
    std::vector<std::string> keys;
    for (const auto& [name, inside] : json.members()) {
      TRY(ExprPtr one, expression(inside, under(path, name)));
      values.push_back(std::move(one));
      keys.push_back(name);
    }
    ExprPtr out = node(Op::record, std::move(values));
    out->names = std::move(keys);
    return out;
  }

  Result<ExprPtr> call(const std::string& name, const Json& json, const std::string& path) {
    const MethodInfo* method = find_method(name);
    if (method == nullptr || method->method >= Method::make_ip) {
      if (method == nullptr && natives_.find(name) == nullptr)
        return wrong(path, fmt::format("there is no operation `{}`", name),
                     did_you_mean(name, method_names()));
      TRY(std::vector<ExprPtr> args, list(json, path));
      return called(name, std::move(args), path);
    }
    std::vector<ExprPtr> args;
    if (method->method == Method::is_empty) {
      TRY_VOID(members(json, path, {"arg"}, 1));
      TRY(ExprPtr arg, at(json, "arg", path));
      args.push_back(std::move(arg));
    } else {
      TRY_VOID(members(json, path, {"left", "right"}, 2));
      TRY(ExprPtr left, at(json, "left", path));
      TRY(ExprPtr right, at(json, "right", path));
      args = several(std::move(left), std::move(right));
    }
    return called(name, std::move(args), path);
  }

  Result<ExprPtr> called(const std::string& name, std::vector<ExprPtr> args, const std::string& path) {
    const MethodInfo* method = find_method(name);
    const NativePredicate* native = natives_.find(name);
    if (method == nullptr && native == nullptr)
      return wrong(path, fmt::format("there is no function `{}`", name));
    if (args.empty() && (method == nullptr || !method->function))
      return wrong(path, fmt::format("`{}` needs what it is asked of", name));
    ExprPtr out = node(native != nullptr ? Op::native : Op::call, std::move(args));
    out->name = name;
    out->native = native;
    if (method != nullptr) out->method = method->method;
    return out;
  }

  const NativePredicates& natives_;
  uint32_t depth_ = 0;
};

Result<void> target(const Json& json, std::string_view variable, const std::string& path, Scope& out) {
  const Json* slot = json.find("slot");
  const Json* entity = json.find("entity");
  const Json* entities = json.find("entities");
  if ((slot != nullptr ? 1 : 0) + (entity != nullptr ? 1 : 0) + (entities != nullptr ? 1 : 0) != 1)
    return wrong(path, "`entity` or `slot` is missing, or stands beside another");
  if (slot != nullptr) {
    if (variable == "action" || !slot->is_string() || slot->string() != fmt::format("?{}", variable))
      return wrong(under(path, "slot"), fmt::format("only ?{} can stand here", variable));
    out.slot = true;
    return {};
  }
  if (entity != nullptr) {
    TRY(EntityUid uid, uid_from_json(*entity, under(path, "entity")));
    out.entities.push_back(std::move(uid));
    return {};
  }
  if (variable != "action" || !entities->is_array() || out.kind != Scope::Kind::in)
    return wrong(under(path, "entities"), "only `action in` takes a list");
  for (const Json& one : entities->items()) {
    TRY(EntityUid uid, uid_from_json(one, under(path, "entities")));
    out.entities.push_back(std::move(uid));
  }
  return {};
}

Result<Scope> scope_from(const Json& json, std::string_view variable, const std::string& path) {
  TRY_VOID(members(json, path, {"op", "entity", "entities", "slot", "entity_type", "in"}, 1));
  Scope out;
  TRY(const std::string op, text_at(json, "op", path));
  if (op == "All" || op == "all") return out;
  if (op == "==" || op == "in") {
    out.kind = op == "==" ? Scope::Kind::equal : Scope::Kind::in;
    TRY_VOID(target(json, variable, path, out));
    return out;
  }
  if (op != "is" || variable == "action")
    return wrong(under(path, "op"), fmt::format("there is no `{}` here", op));
  out.kind = Scope::Kind::is;
  TRY(out.type, text_at(json, "entity_type", path));
  if (!is_type_name(out.type))
    return wrong(under(path, "entity_type"), fmt::format("{} is no type", quote(out.type)));
  if (const Json* above = json.find("in")) {
    out.kind = Scope::Kind::is_in;
    TRY_VOID(target(*above, variable, under(path, "in"), out));
  }
  return out;
}

Result<void> annotations_from(const Json& json, const std::string& path, Policy& out) {
  if (!json.is_object()) return wrong(path, "an object belongs here");
  for (const auto& [name, value] : json.members()) {
    if (!is_plain_name(name) && !is_reserved(name))
      return wrong(under(path, name), fmt::format("{} is no name", quote(name)));
    if (!value.is_string() && !value.is_null())
      return wrong(under(path, name), "a string or null belongs here");
    if (value.is_null()) out.bare.insert(name);
    out.info.annotations.emplace_back(name, value.is_null() ? std::string() : value.string());
  }
  return {};
}

}  // namespace

bool is_type_name(std::string_view text) {
  while (true) {
    const size_t end = text.find("::");
    if (!is_plain_name(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 2);
  }
}

Result<EntityUid> uid_from_json(const Json& given, const std::string& path) {
  const Json* inner = given.is_object() && given.members().size() == 1 ? given.find("__entity") : nullptr;
  const Json& json = inner == nullptr ? given : *inner;
  TRY_VOID(members(json, path, {"type", "id"}, 2));
  EntityUid out;
  TRY(out.type, text_at(json, "type", path));
  TRY(out.id, text_at(json, "id", path));
  if (!is_type_name(out.type))
    return wrong(under(path, "type"), fmt::format("{} is no type", quote(out.type)));
  return out;
}

Result<std::string> policy_text_from_json(const Json& json, const std::string& path,
                                          const NativePredicates& natives) {
  TRY_VOID(
      members(json, path, {"effect", "principal", "action", "resource", "conditions", "annotations"}, 5));
  Policy out;
  TRY(const std::string effect, text_at(json, "effect", path));
  if (effect != "permit" && effect != "forbid")
    return wrong(under(path, "effect"), "`permit` or `forbid` belongs here");
  out.info.effect = effect == "permit" ? Effect::permit : Effect::forbid;
  TRY(out.principal, scope_from(*json.find("principal"), "principal", under(path, "principal")));
  TRY(out.action, scope_from(*json.find("action"), "action", under(path, "action")));
  TRY(out.resource, scope_from(*json.find("resource"), "resource", under(path, "resource")));
  if (const Json* annotations = json.find("annotations"))
    TRY_VOID(annotations_from(*annotations, under(path, "annotations"), out));
  const Json& conditions = *json.find("conditions");
  if (!conditions.is_array()) return wrong(under(path, "conditions"), "a list belongs here");
  for (size_t i = 0; i < conditions.items().size(); ++i) {
    const Json& one = conditions.items()[i];
    const std::string here = under(path, "conditions", i);
    TRY_VOID(members(one, here, {"kind", "body"}, 2));
    TRY(const std::string kind, text_at(one, "kind", here));
    if (kind != "when" && kind != "unless")
      return wrong(under(here, "kind"), "`when` or `unless` belongs here");
    TRY(ExprPtr body, Reader(natives).expression(*one.find("body"), under(here, "body")));
    out.conditions.push_back({kind == "when", std::move(body)});
  }
  return policy_text(out);
}

}  // namespace entente::policy
