// Policies compiled: the conditions of a whole set as one graph, in which an expression that occurs in many
// policies stands once, and is evaluated at most once for each request. Private to the room.
#pragma once

#include "policy/ast.h"
#include "policy/cell.h"

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace entente::policy {

inline constexpr uint32_t kNone = UINT32_MAX;

// Keys of scopes: of any entity, of a type, of one entity and all below it (the hash of its name).
inline constexpr uint64_t kAnyKey = 1;
inline uint64_t type_key(uint64_t type_hash) {
  return mix(type_hash, 0x9e3779b97f4a7c15ULL);
}

// One expression. `args` are places in Program::codes; of operations with any number of arguments (all, any,
// set, record, native, call) they are where those begin in Program::links, and how many they are.
struct Code {
  Op op = Op::literal;
  Variable variable = Variable::principal;
  Method method = Method::contains;
  uint32_t memo = kNone;  // where its result is remembered: it occurs more than once
  uint32_t detail =
      kNone;  // literal: in constants; get, is, call: in names; has, like, record: in lists; native
  uint32_t hint = kNone;  // get, has: where the attribute's place was found last
  uint32_t args[3] = {kNone, kNone, kNone};
};

struct Clause {
  uint32_t code = 0;
  bool when = true;
};

// A scope line, ready to be met.
struct ScopeTest {
  Scope::Kind kind = Scope::Kind::any;
  std::string type;
  EntityUid entity;
  uint64_t hash = 0;  // of the entity
};

struct Rule {
  Effect effect = Effect::permit;
  uint32_t principal = 0;  // in Program::tests
  uint32_t resource = 0;
  uint32_t action = 0;   // in Program::actions
  uint32_t clauses = 0;  // in Program::clauses
  uint32_t clauses_count = 0;
};

// What a condition asks first: `expression == literal`, or `expression.contains(literal)`. When that is false
// the policy does not apply, whatever else it says; nothing of it is evaluated before.
struct Guard {
  uint32_t code = kNone;  // the expression
  bool contains = false;
  uint64_t hash = 0;  // of the literal
};

// What an index may look for: where one of these is not met, the policy is known not to apply, and nothing of
// it would have been evaluated but `guard.code`.
struct RuleKeys {
  uint64_t principal = kAnyKey;
  uint64_t resource = kAnyKey;
  Guard guard;
};

struct Program {
  std::vector<Rule> rules;     // by policy
  std::vector<RuleKeys> keys;  // likewise
  std::vector<Clause> clauses;
  std::vector<ScopeTest> tests;                 // scopes of principals and resources, each once; first: any
  std::vector<std::vector<ScopeTest>> actions;  // each scope of actions once; empty: any action
  std::vector<Code> codes;
  std::vector<uint32_t> links;
  std::vector<Value> constants;
  std::vector<Cell> cells;  // of the constants
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> lists;
  std::vector<const NativePredicate*> natives;
  uint32_t memos = 0;
  uint32_t hints = 0;
};

// The policies (and the natives they name) may go afterwards, except that natives are only pointed to.
[[nodiscard]] Program compile(const std::vector<Policy>& policies);

// What some policies read, whatever their conditions come to.
struct Readings {
  std::vector<uint32_t>
      readers;  // expressions that read entities (get, has, in, is in, tags) or call natives
  std::vector<std::string> context;  // the context's members that are read or asked for; sorted
  bool whole_context = false;        // it is also used as a whole
};
[[nodiscard]] Readings readings_of(const Program& program, const std::vector<uint32_t>& rules);

// The ids of all entities that policies name, in scopes and in conditions.
[[nodiscard]] std::set<std::string, std::less<>> ids_named(const Program& program);

}  // namespace entente::policy
