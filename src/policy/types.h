// The types of the schema and of the type checker. Private to the room.
#pragma once

#include "policy/entity.h"
#include "policy/types_mode.h"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace entente::policy {

struct Type;
using TypePtr = std::shared_ptr<const Type>;

struct Attribute {
  TypePtr type;
  bool required = true;
};

struct Type {
  // `yes` and `no` are the types of expressions known to be true or false; `never` has no values: the empty
  // set is a set of it.
  enum class Kind : uint8_t {
    boolean,
    yes,
    no,
    integer,
    string,
    set,
    never,
    record,
    entity,
    datetime,
    duration,
    decimal,
    ip
  };
  Kind kind = Kind::boolean;
  TypePtr element;                                        // set
  std::map<std::string, Attribute, std::less<>> members;  // record
  bool open = false;                                      // record: may have other members, too
  std::string entity;                                     // entity: its full type name
  std::set<std::string> entities;                         // permissive: one of these types, two or more
  uint32_t depth = 1;

  [[nodiscard]] bool is_boolean() const {
    return kind == Kind::boolean || kind == Kind::yes || kind == Kind::no;
  }
  [[nodiscard]] std::string text() const;  // as schemas write it
  [[nodiscard]] std::set<std::string> entity_names() const;
};

[[nodiscard]] TypePtr simple_type(Type::Kind kind);
[[nodiscard]] TypePtr set_type(TypePtr element);
[[nodiscard]] TypePtr entity_type(std::string name);

// Finds the types that two types have in common. Types share their parts, and there can be far more ways to a
// part than parts: what was found of two records is kept, and counted is what had to be compared.
class Joins {
 public:
  static constexpr size_t kStepsMax = 262'144;  // members of records

  explicit Joins(Validating how) : how_(how) {}

  // The least type that both are (Bool for yes and no; [] with any set); null if there is none, or if it
  // would take too long to find.
  [[nodiscard]] TypePtr join(const TypePtr& a, const TypePtr& b);
  [[nodiscard]] bool exhausted() const { return steps_ > kStepsMax; }

 private:
  using Pair = std::pair<TypePtr, TypePtr>;  // held, so that no other type comes to stand in its place

  bool is_subtype(const TypePtr& a, const TypePtr& b);
  bool is_record_subtype(const Type& a, const Type& b);
  TypePtr join_records(const Type& a, const Type& b);
  [[nodiscard]] TypePtr join_entities(const Type& a, const Type& b) const;
  bool step() { return ++steps_ <= kStepsMax; }

  Validating how_;
  size_t steps_ = 0;
  std::map<Pair, bool> subtypes_;
  std::map<Pair, TypePtr> joined_;
};

// What is not as the type says, in a sentence beginning with `path`; empty when the value is right.
[[nodiscard]] std::string mismatch(const Value& value, const Type& type, const std::string& path);

}  // namespace entente::policy
