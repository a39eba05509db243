// Policies, parsed and strictly validated against a schema before they can decide anything. Immutable; copies
// share, so every snapshot of a world points at the same set until the policies themselves change.
#pragma once

#include "base/result.h"
#include "policy/native.h"
#include "policy/schema.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace entente::policy {

enum class Effect : uint8_t { permit, forbid };

// A policy's place in its set: stands in answers, cheap to keep beside the set it came from.
enum class PolicyIndex : uint32_t {};

struct PolicyInfo {
  std::string id;  // @id("..."), otherwise "file#n" counted from 0 in each file
  Effect effect = Effect::permit;
  std::vector<std::pair<std::string, std::string>>
      annotations;    // in the order written; "" when without a value
  std::string where;  // file:line:column
  std::string text;   // as written

  [[nodiscard]] std::optional<std::string_view> annotation(std::string_view name) const;
};

struct PolicySource {
  std::string file;
  std::string text;
};

class PolicyDocument;  // document.h

class PolicySet {
 public:
  PolicySet();  // empty: denies everything

  // All or nothing. A source is Cedar text, or JSON as document.h reads it. Errors, with file:line:column,
  // the line, a caret and a suggestion in `what` and `hint`:
  //   "policy.syntax"   what does not parse, depth beyond kDepthMax among it; JSON that is no policy:
  //   "policy.json" "policy.invalid"  what the schema refuses: unknown types, actions, attributes; optional
  //   attributes read without
  //                     `has`; wrong types; scopes that no request can meet
  //   "policy.doubled"  two policies of one id
  // A policy that loads can fail at evaluation only by overflow, an entity that does not exist, or a native
  // predicate.
  [[nodiscard]] static Result<PolicySet> load(const Schema& schema, std::span<const PolicySource> sources,
                                              const NativePredicates& natives = {});
  // A document's policies and links; its templates decide nothing themselves.
  [[nodiscard]] static Result<PolicySet> load(const Schema& schema, const PolicyDocument& document,
                                              const NativePredicates& natives = {});
  // As load(), but gives each fault found (at most kFaultsMax); empty when the sources load. For `policy
  // check`.
  [[nodiscard]] static std::vector<Error> check(const Schema& schema, std::span<const PolicySource> sources,
                                                const NativePredicates& natives = {});
  // Without a schema: what does not parse, and ids that stand twice.
  [[nodiscard]] static std::vector<Error> check(std::span<const PolicySource> sources,
                                                const NativePredicates& natives = {});
  // Parsed only: for conformance tests of the evaluator.
  [[nodiscard]] static Result<PolicySet> unchecked(std::span<const PolicySource> sources,
                                                   const NativePredicates& natives = {});
  [[nodiscard]] static Result<PolicySet> unchecked(const PolicyDocument& document,
                                                   const NativePredicates& natives = {});

  [[nodiscard]] size_t size() const;
  [[nodiscard]] const PolicyInfo& operator[](PolicyIndex index) const;
  [[nodiscard]] std::optional<PolicyIndex> find(std::string_view id) const;
  // Whether what policies say about this action could depend on this member of the context: one reads it,
  // asks for it with `has`, or takes the context as a whole. Never false when one does.
  [[nodiscard]] bool reads_context(const EntityUid& action, std::string_view member) const;
  // Whether a policy names an entity of this id, in its scope or its conditions. Never false when one does.
  [[nodiscard]] bool names_entity(std::string_view id) const;
  // Policies that load but can never apply, and the like.
  [[nodiscard]] const std::vector<Error>& warnings() const;

  static constexpr size_t kTextMax = 4 << 20;      // bytes in one source
  static constexpr size_t kPoliciesMax = 100'000;  // in one set
  static constexpr size_t kDepthMax = 200;         // nesting of expressions
  static constexpr size_t kFaultsMax = 50;

  struct Inside;  // private to the room
  [[nodiscard]] const Inside& inside() const { return *inside_; }

 private:
  explicit PolicySet(std::shared_ptr<const Inside> inside) : inside_(std::move(inside)) {}
  std::shared_ptr<const Inside> inside_;
};

}  // namespace entente::policy
