#include "policy/program.h"

#include "policy/extension.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

namespace entente::policy {
namespace {

using Kind = Value::Kind;

// Bytes that are the same for two expressions just when they are the same expression.
class Fingerprint {
 public:
  explicit Fingerprint(const Expr& expr) {
    add(static_cast<uint32_t>(expr.op));
    if (expr.op == Op::variable) add(static_cast<uint32_t>(expr.variable));
    if (expr.op == Op::call) add(static_cast<uint32_t>(expr.method));
  }
  void add(uint32_t number) { bytes_.append(reinterpret_cast<const char*>(&number), sizeof(number)); }
  void add(std::string_view text) {
    add(static_cast<uint32_t>(text.size()));
    bytes_.append(text);
  }
  [[nodiscard]] std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

struct TextHash {
  size_t operator()(const std::string& text) const { return hash_text(text); }
};
using Numbers = std::unordered_map<std::string, uint32_t, TextHash>;

bool many_args(Op op) {
  return op == Op::all || op == Op::any || op == Op::set || op == Op::record || op == Op::native ||
         op == Op::call;
}

// Kinds whose comparison leaves no trace in an answer, unlike that of instants.
bool is_plain(const Cell& cell) {
  return cell.is(Kind::boolean) || cell.is(Kind::integer) || cell.is(Kind::string) || cell.is(Kind::entity);
}

class Compiler {
 public:
  Program run(const std::vector<Policy>& policies) {
    out_.actions.emplace_back();
    out_.tests.emplace_back();
    out_.rules.reserve(policies.size());
    out_.keys.reserve(policies.size());
    for (const Policy& policy : policies) out_.rules.push_back(rule(policy));
    for (size_t i = 0; i < out_.codes.size(); ++i) {
      Code& code = out_.codes[i];
      if (uses_[i] > 1 && code.op != Op::literal && code.op != Op::variable) code.memo = out_.memos++;
    }
    for (const Value& value : out_.constants) out_.cells.push_back(Cell::of(value));
    return std::move(out_);
  }

 private:
  Rule rule(const Policy& policy) {
    Rule out;
    out.effect = policy.info.effect;
    out.principal = test(policy.principal);
    out.resource = test(policy.resource);
    out.action = action(policy.action);
    out.clauses = static_cast<uint32_t>(out_.clauses.size());
    out.clauses_count = static_cast<uint32_t>(policy.conditions.size());
    for (const Condition& condition : policy.conditions)
      out_.clauses.push_back({use(*condition.body), condition.when});
    RuleKeys keys{key(out_.tests[out.principal]), key(out_.tests[out.resource]), {}};
    if (!policy.conditions.empty() && policy.conditions[0].when)
      asks_first(out, out_.clauses[out.clauses].code, keys);
    out_.keys.push_back(keys);
    return out;
  }

  uint32_t test(const Scope& scope) {
    if (scope.kind == Scope::Kind::any) return 0;
    std::string print = std::to_string(static_cast<int>(scope.kind)) + " " + scope.type;
    if (!scope.entities.empty()) print += " " + scope.entities[0].text();
    const auto [at, fresh] = tests_.emplace(std::move(print), static_cast<uint32_t>(out_.tests.size()));
    if (!fresh) return at->second;
    ScopeTest out{scope.kind, scope.type, {}, 0};
    if (!scope.entities.empty()) {
      out.entity = scope.entities[0];
      out.hash = UidHash()(out.entity);
    }
    out_.tests.push_back(std::move(out));
    return at->second;
  }

  static uint64_t key(const ScopeTest& test) {
    if (test.kind == Scope::Kind::any) return kAnyKey;
    return test.kind == Scope::Kind::is ? type_key(hash_text(test.type)) : test.hash;
  }

  uint32_t action(const Scope& scope) {
    if (scope.kind == Scope::Kind::any) return 0;
    std::vector<ScopeTest> tests;
    std::string bytes;
    for (const EntityUid& uid : scope.entities) {
      tests.push_back({scope.kind, {}, uid, UidHash()(uid)});
      bytes += uid.text() + (scope.kind == Scope::Kind::in ? "," : ";");
    }
    const auto [at, fresh] = actions_.emplace(bytes, static_cast<uint32_t>(out_.actions.size()));
    if (fresh) out_.actions.push_back(std::move(tests));
    return at->second;
  }

  // The first thing that a condition evaluates.
  void asks_first(const Rule& rule, uint32_t at, RuleKeys& keys) {
    while (out_.codes[at].op == Op::all) at = out_.links[out_.codes[at].args[0]];
    const Code& code = out_.codes[at];
    const bool contains = code.op == Op::call && code.method == Method::contains && code.args[1] == 2;
    if (code.op != Op::equal && code.op != Op::in && !contains) return;
    uint32_t left = contains ? out_.links[code.args[0]] : code.args[0];
    uint32_t right = contains ? out_.links[code.args[0] + 1] : code.args[1];
    if (code.op == Op::equal && constant(left) != nullptr) std::swap(left, right);
    const Value* literal = constant(right);
    if (literal == nullptr || constant(left) != nullptr) return;
    const Cell cell = Cell::of(*literal);
    const Code& asked = out_.codes[left];
    if (asked.op == Op::variable && asked.variable != Variable::context) {
      if (contains || !cell.is(Kind::entity)) return;
      const bool whose = asked.variable == Variable::principal;
      if (asked.variable == Variable::action || pinned(whose ? rule.principal : rule.resource)) return;
      (whose ? keys.principal : keys.resource) = cell.entity->hash;
      return;
    }
    if (code.op != Op::in && is_plain(cell)) keys.guard = {left, contains, hash_of(cell)};
  }

  // Whether the scope names an entity itself.
  [[nodiscard]] bool pinned(uint32_t test) const {
    const Scope::Kind kind = out_.tests[test].kind;
    return kind != Scope::Kind::any && kind != Scope::Kind::is;
  }

  [[nodiscard]] const Value* constant(uint32_t at) const {
    return out_.codes[at].op == Op::literal ? &out_.constants[out_.codes[at].detail] : nullptr;
  }

  uint32_t use(const Expr& expr) {
    const uint32_t at = add(expr);
    ++uses_[at];
    return at;
  }

  uint32_t add(const Expr& expr) {
    if (expr.op == Op::literal) return literal(expr.literal);
    std::vector<uint32_t> args;
    args.reserve(expr.args.size());
    for (const ExprPtr& arg : expr.args) args.push_back(add(*arg));
    if (auto folded = fold(expr, args)) return literal(*folded);
    Fingerprint print(expr);
    print.add(static_cast<uint32_t>(args.size()));
    for (const uint32_t arg : args) print.add(arg);
    print.add(expr.name);
    for (const std::string& name : expr.names) print.add(name);
    const auto [at, fresh] = known_.emplace(print.take(), static_cast<uint32_t>(out_.codes.size()));
    if (!fresh) return at->second;
    for (const uint32_t arg : args) ++uses_[arg];
    return push(code(expr, args));
  }

  Code code(const Expr& expr, const std::vector<uint32_t>& args) {
    Code out;
    out.op = expr.op;
    out.variable = expr.variable;
    out.method = expr.method;
    if (many_args(expr.op)) {
      out.args[0] = static_cast<uint32_t>(out_.links.size());
      out.args[1] = static_cast<uint32_t>(args.size());
      out_.links.insert(out_.links.end(), args.begin(), args.end());
    } else {
      std::copy(args.begin(), args.end(), out.args);
    }
    if (expr.op == Op::get || expr.op == Op::is || expr.op == Op::call) out.detail = name(expr.name);
    if (expr.op == Op::has || expr.op == Op::like || expr.op == Op::record) {
      out.detail = static_cast<uint32_t>(out_.lists.size());
      out_.lists.push_back(expr.names);
    }
    if (expr.op == Op::get || expr.op == Op::has) out.hint = out_.hints++;
    if (expr.op == Op::native) {
      out.detail = static_cast<uint32_t>(out_.natives.size());
      out_.natives.push_back(expr.native);
    }
    return out;
  }

  // What needs nothing but constants, cannot fail and has to do with no instant of the request.
  std::optional<Value> fold(const Expr& expr, const std::vector<uint32_t>& args) const {
    std::vector<Value> values;
    for (const uint32_t arg : args) {
      const Value* value = constant(arg);
      if (value == nullptr) return std::nullopt;
      values.push_back(*value);
    }
    switch (expr.op) {
      case Op::set:
        return Value::set(std::move(values));
      case Op::record: {
        Record record;
        for (size_t i = 0; i < values.size(); ++i) record.set(expr.names[i], std::move(values[i]));
        return Value(std::move(record));
      }
      case Op::call:
        if (expr.method != Method::make_ip && expr.method != Method::make_decimal &&
            expr.method != Method::make_datetime && expr.method != Method::make_duration)
          return std::nullopt;
        if (values.size() != 1 || values[0].kind() != Kind::string) return std::nullopt;
        return make_extension(expr.name, values[0].string());
      default:
        return std::nullopt;
    }
  }

  uint32_t literal(const Value& value) {
    std::string print = "=";
    print += static_cast<char>('0' + static_cast<int>(value.kind()));
    print += value.text();
    const auto [at, fresh] = known_.emplace(std::move(print), static_cast<uint32_t>(out_.codes.size()));
    if (!fresh) return at->second;
    Code out;
    out.detail = static_cast<uint32_t>(out_.constants.size());
    out_.constants.push_back(value);
    return push(out);
  }

  uint32_t push(const Code& code) {
    out_.codes.push_back(code);
    uses_.push_back(0);
    return static_cast<uint32_t>(out_.codes.size() - 1);
  }

  uint32_t name(const std::string& text) {
    const auto [at, fresh] = names_.emplace(text, static_cast<uint32_t>(out_.names.size()));
    if (fresh) out_.names.push_back(text);
    return at->second;
  }

  Program out_;
  std::vector<uint32_t> uses_;  // by code: how many expressions and policies have it
  Numbers known_;
  Numbers names_;
  Numbers actions_;
  Numbers tests_;
};

// Walks the expressions of some policies, each once.
class Reader {
 public:
  explicit Reader(const Program& program) : program_(program), seen_(program.codes.size()) {}

  Readings run(const std::vector<uint32_t>& rules) {
    for (const uint32_t number : rules) {
      const Rule& rule = program_.rules[number];
      for (uint32_t i = 0; i < rule.clauses_count; ++i) add(program_.clauses[rule.clauses + i].code);
    }
    while (!open_.empty()) {
      const uint32_t at = open_.back();
      open_.pop_back();
      visit(at, program_.codes[at]);
    }
    out_.context.assign(members_.begin(), members_.end());
    return std::move(out_);
  }

 private:
  void add(uint32_t at) {
    if (seen_[at]) return;
    seen_[at] = true;
    open_.push_back(at);
  }

  void visit(uint32_t at, const Code& code) {
    const bool tags = code.op == Op::call &&
                      (code.method == Method::get_tag || code.method == Method::has_tag) && code.args[1] > 0;
    const bool is_in = code.op == Op::is && code.args[1] != kNone;
    const bool member = code.op == Op::get || code.op == Op::has;
    if (member || code.op == Op::in || code.op == Op::native || tags || is_in) out_.readers.push_back(at);
    if (member && is_context(code.args[0])) {
      members_.insert(code.op == Op::get ? program_.names[code.detail] : program_.lists[code.detail][0]);
    } else if (many_args(code.op)) {
      for (uint32_t i = 0; i < code.args[1]; ++i) add(program_.links[code.args[0] + i]);
    } else {
      // A context that gets here by itself is compared, kept or chosen: all of it may matter.
      out_.whole_context = out_.whole_context || is_context(at);
      for (const uint32_t arg : code.args)
        if (arg != kNone) add(arg);
    }
  }

  [[nodiscard]] bool is_context(uint32_t at) const {
    return program_.codes[at].op == Op::variable && program_.codes[at].variable == Variable::context;
  }

  const Program& program_;
  std::vector<bool> seen_;
  std::vector<uint32_t> open_;
  std::set<std::string> members_;
  Readings out_;
};

void add_ids(const Value& value, std::set<std::string, std::less<>>& out) {
  if (value.kind() == Kind::entity) out.insert(value.entity().id);
  if (value.kind() == Kind::set)
    for (const Value& item : value.items()) add_ids(item, out);
  if (value.kind() == Kind::record)
    for (const auto& [name, member] : value.record().members()) add_ids(member, out);
}

}  // namespace

Program compile(const std::vector<Policy>& policies) {
  return Compiler().run(policies);
}

Readings readings_of(const Program& program, const std::vector<uint32_t>& rules) {
  return Reader(program).run(rules);
}

std::set<std::string, std::less<>> ids_named(const Program& program) {
  std::set<std::string, std::less<>> out;
  for (const ScopeTest& test : program.tests) out.insert(test.entity.id);
  for (const auto& tests : program.actions)
    for (const ScopeTest& test : tests) out.insert(test.entity.id);
  for (const Value& value : program.constants) add_ids(value, out);
  return out;
}

}  // namespace entente::policy
