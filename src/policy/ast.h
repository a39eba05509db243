// Policies as trees. Private to the room. Trees are at most kTreeDepthMax deep, so that walking them may
// recurse.
#pragma once

#include "policy/native.h"
#include "policy/policy_set.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace entente::policy {

// Chains of operators and accesses count as depth, too.
inline constexpr uint32_t kTreeDepthMax = 600;

enum class Op : uint8_t {
  literal,
  variable,
  all,
  any,
  negation,
  minus,
  condition,
  equal,
  unequal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  plus,
  subtract,
  times,
  has,
  get,
  like,
  is,
  set,
  record,
  call,
  native
};

enum class Variable : uint8_t { principal, action, resource, context };

enum class Method : uint8_t {
  contains,
  contains_all,
  contains_any,
  is_empty,
  get_tag,
  has_tag,
  make_ip,
  make_decimal,
  make_datetime,
  make_duration,
  less_than,
  less_than_or_equal,
  greater_than,
  greater_than_or_equal,
  is_v4,
  is_v6,
  is_loopback,
  is_multicast,
  is_in_range,
  offset,
  duration_since,
  to_date,
  to_time,
  to_milliseconds,
  to_seconds,
  to_minutes,
  to_hours,
  to_days
};

struct MethodInfo {
  std::string_view name;
  Method method;
  uint8_t arguments;  // the receiver counts
  bool function;      // called as name(...), not as value.name(...)
};
[[nodiscard]] const MethodInfo* find_method(std::string_view name);
// How many arguments a method takes. Calls of extension methods with another number parse, as in Cedar:
// validation refuses them, evaluation fails.
[[nodiscard]] size_t arguments_of(Method method);
[[nodiscard]] std::vector<std::string> method_names();

struct Expr {
  Op op = Op::literal;
  Variable variable = Variable::principal;
  Method method = Method::contains;
  uint32_t depth = 1;
  uint32_t begin = 0;  // offsets into the policy's text
  uint32_t finish = 0;
  std::vector<std::unique_ptr<Expr>> args;
  Value literal;
  std::string name;                // attribute, type, or native predicate
  std::vector<std::string> names;  // has: the path; record: the keys; like: the pieces between stars
  const NativePredicate* native = nullptr;
};
using ExprPtr = std::unique_ptr<Expr>;

// One scope line: `principal`, `== e`, `in e`, `is T`, `is T in e`; actions may stand in a list. In a
// template the entity may be a slot: then `entities` is empty.
struct Scope {
  enum class Kind : uint8_t { any, equal, in, is, is_in };
  Kind kind = Kind::any;
  bool slot = false;
  std::string type;
  std::vector<EntityUid> entities;
  uint32_t begin = 0;
  uint32_t finish = 0;
};

struct Condition {
  bool when = true;
  std::shared_ptr<const Expr> body;  // shared by copies of the policy, and by the links of a template
};

struct Policy {
  PolicyInfo info;
  std::shared_ptr<const PolicySource> source;
  Scope principal;
  Scope action;
  Scope resource;
  std::vector<Condition> conditions;
  std::set<std::string> bare;  // annotations written without a value

  [[nodiscard]] bool is_template() const { return principal.slot || resource.slot; }
};

}  // namespace entente::policy
