// Types of expressions for one kind of request. Private to the room.
#pragma once

#include "policy/ast.h"
#include "policy/schema_inside.h"
#include "policy/types.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
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

[[nodiscard]] inline Typed plain(Type::Kind kind) {
  return {simple_type(kind), {}};
}
[[nodiscard]] inline Typed truth(bool value, Guards guards = {}) {
  return {simple_type(value ? Type::Kind::yes : Type::Kind::no), std::move(guards)};
}

// The same for expressions that mean the same, wherever they stand.
[[nodiscard]] std::string key_of(const Expr& expr);

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
                    const RequestKind& kind, Validating how = Validating::strict)
      : policy_(policy),
        schema_(schema),
        inside_(schema.inside()),
        natives_(natives),
        kind_(kind),
        how_(how),
        joins_(how) {}

  // The types found from now on, by expression; parts that can never be evaluated get none.
  using Seen = std::unordered_map<const Expr*, TypePtr>;
  void note_in(Seen& seen) { seen_ = &seen; }

  [[nodiscard]] Result<Typed> check(const Expr& expr, const Guards& known);
  [[nodiscard]] Result<Typed> boolean(const Expr& expr, const Guards& known);

  [[nodiscard]] std::optional<Attribute> attribute(const Type& type, const std::string& name) const;

 private:
  Result<Typed> operation(const Expr& expr, const Guards& known);
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
  Result<Typed> constructor(const Expr& expr, const Guards& known);
  Result<Typed> native(const Expr& expr, const Guards& known);

  Result<TypePtr> of_kind(const Expr& expr, Type::Kind kind, const Guards& known);
  [[nodiscard]] bool strict() const { return how_ == Validating::strict; }
  // Null with no attributes (actions).
  [[nodiscard]] TypePtr attributes_of(const std::string& entity) const;
  [[nodiscard]] bool may_have(const Type& type, const std::string& name) const;
  [[nodiscard]] Result<TypePtr> tags_of(const Expr& expr, const Type& type) const;
  [[nodiscard]] const EntityUid* known_entity(const Expr& expr) const;
  [[nodiscard]] std::optional<std::vector<const EntityUid*>> known_entities(const Expr& expr) const;
  [[nodiscard]] std::optional<bool> known_equal(const Expr& left, const Expr& right) const;
  [[nodiscard]] bool stands_in(const EntityUid& action, const std::vector<const EntityUid*>& above) const;
  [[nodiscard]] bool may_stand_in(const std::string& type, const std::string& above) const;
  [[nodiscard]] Failure wrong(const Expr& at, const std::string& what, std::string hint = {}) const;
  [[nodiscard]] std::string text(const Expr& expr) const;

  const Policy& policy_;
  const Schema& schema_;
  const Schema::Inside& inside_;
  const NativeSignatures& natives_;
  const RequestKind& kind_;
  Validating how_;
  mutable Joins joins_;  // what it finds stays as it is: kept only so as not to be looked for again
  Seen* seen_ = nullptr;
};

[[nodiscard]] Error invalid_at(const Policy& policy, uint32_t begin, uint32_t finish, std::string_view what,
                               std::string hint);

}  // namespace entente::policy
