// Types of expressions for one kind of request. Private to the room.
#pragma once

#include "policy/ast.h"
#include "policy/schema_inside.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace entente::policy {

struct RequestKind {
  std::string principal;
  EntityUid action;
  std::string resource;
  TypePtr context;
};

// Optional attributes known to be there, as text of the expression and the attribute's name.
using Guards = std::set<std::string>;

struct Typed {
  TypePtr type;
  Guards guards;  // known when the expression is true
};

// The types of native predicates, by name, as this schema has them.
struct NativeSignature {
  std::vector<TypePtr> parameters;
  TypePtr result;
};
using NativeSignatures = std::map<std::string, NativeSignature, std::less<>>;
// Error "policy.native" when a predicate names a type that the schema lacks.
[[nodiscard]] Result<NativeSignatures> native_signatures(const NativePredicates& natives,
                                                         const Schema& schema);

class ExpressionChecker {
 public:
  ExpressionChecker(const Policy& policy, const Schema& schema, const NativeSignatures& natives,
                    const RequestKind& kind)
      : policy_(policy), schema_(schema), inside_(schema.inside()), natives_(natives), kind_(kind) {}

  [[nodiscard]] Result<Typed> check(const Expr& expr, const Guards& known);
  [[nodiscard]] Result<Typed> boolean(const Expr& expr, const Guards& known);

 private:
  Result<Typed> literal(const Expr& expr);
  Result<Typed> variable(const Expr& expr);
  Result<Typed> all(const Expr& expr, const Guards& known);
  Result<Typed> any(const Expr& expr, const Guards& known);
  Result<Typed> condition(const Expr& expr, const Guards& known);
  Result<Typed> equality(const Expr& expr, const Guards& known);
  Result<Typed> order(const Expr& expr, const Guards& known);
  Result<Typed> arithmetic(const Expr& expr, const Guards& known);
  Result<Typed> in(const Expr& expr, const Guards& known);
  Result<Typed> in_types(const Expr& left, const Expr& right, const TypePtr& type, const Guards& known);
  Result<Typed> has(const Expr& expr, const Guards& known);
  Result<Typed> get(const Expr& expr, const Guards& known);
  Result<Typed> is(const Expr& expr, const Guards& known);
  Result<Typed> set(const Expr& expr, const Guards& known);
  Result<Typed> record(const Expr& expr, const Guards& known);
  Result<Typed> call(const Expr& expr, const Guards& known);
  Result<Typed> set_method(const Expr& expr, const Guards& known);
  Result<Typed> tag_method(const Expr& expr, const Guards& known);
  Result<Typed> constructor(const Expr& expr);
  Result<Typed> native(const Expr& expr, const Guards& known);

  Result<TypePtr> of_kind(const Expr& expr, Type::Kind kind, const Guards& known);
  // The record of attributes of an entity or record; null with no attributes (actions).
  [[nodiscard]] TypePtr attributes_of(const Type& type) const;
  [[nodiscard]] std::optional<bool> action_known(const Expr& left, const Expr& right) const;
  [[nodiscard]] Failure wrong(const Expr& at, const std::string& what, std::string hint = {}) const;
  [[nodiscard]] std::string text(const Expr& expr) const;

  const Policy& policy_;
  const Schema& schema_;
  const Schema::Inside& inside_;
  const NativeSignatures& natives_;
  const RequestKind& kind_;
};

[[nodiscard]] Error invalid_at(const Policy& policy, uint32_t begin, uint32_t finish, std::string_view what,
                               std::string hint);

}  // namespace entente::policy
