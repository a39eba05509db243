// The decision point: pure, without locks, safe to call from any thread on the same policies and entities.
// Cedar's rules (a forbid wins over any permit, nothing is permitted by default, a policy that fails is
// skipped), and on top Entente's: a forbid that fails denies.
#pragma once

#include "base/result.h"
#include "policy/entities.h"
#include "policy/entity.h"
#include "policy/policy_set.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace entente::policy {

struct Request {
  EntityUid principal;
  EntityUid action;
  EntityUid resource;
  Record context;
};

enum class Decision : uint8_t { deny, permit };

// What an answer was read from. A change to an entity for which touches() is false cannot change the answer;
// an entity that does not exist yet may be in it.
struct Reach {
  std::vector<EntityUid> entities;  // sorted
  std::vector<std::string> types;   // any entity of these types; sorted; often empty
  [[nodiscard]] bool touches(const EntityUid& uid) const;
};

[[nodiscard]] Reach reach_of(std::span<const EntityUid* const> reads);

struct PolicyError {
  std::optional<PolicyIndex> policy;  // none: the request itself was refused
  Error error;                        // "policy.evaluation", "policy.request"
};

struct Answer {
  Decision decision = Decision::deny;
  std::vector<PolicyIndex>
      reasons;  // the policies that determined it, ascending; none on a denial by default
  std::vector<PolicyError> errors;
  Reach reach;  // of what `reads` names
  // What was read, in no order, some more than once. As long as policies, entities, overlay and request, and
  // until the next decision on this thread.
  std::vector<const EntityUid*> reads;
  // Instants that a datetime was compared with. Together with `clock_bound` false: as long as the time in the
  // context passes none of them, time alone changes nothing. Sorted.
  std::vector<Datetime> instants;
  bool clock_bound = false;  // datetime arithmetic took part: time may change the answer at any instant
  // Asked for, and nothing was permitted, forbidden or failed: the permit that came nearest (near_misses()).
  std::optional<PolicyIndex> nearest;

  [[nodiscard]] bool permitted() const { return decision == Decision::permit; }
};

struct DecideMode {
  bool forbid_error_denies = true;  // false: exactly Cedar
  bool every_error = false;         // true: evaluate permits also after a forbid has settled the matter
  bool nearest = false;             // true: say what came nearest to a permit
};

// Entities known only to this request (the person, device and session given with the ask): they come before
// the store's entity of the same uid and may have parents in the store. At most kOverlayMax.
using Overlay = std::span<const Entity>;
inline constexpr size_t kOverlayMax = 64;

// A request whose action or types a loaded (not unchecked) set's schema does not know is denied with an
// error.
[[nodiscard]] Answer decide(const PolicySet& policies, const Entities& entities, Overlay overlay,
                            const Request& request, DecideMode mode = {});
// The same into an answer that is used again, with `reach` left empty: allocates nothing once answer and
// thread have met requests of this size, unless a policy fails, makes a set or record, or calls a native.
void decide(const PolicySet& policies, const Entities& entities, Overlay overlay, const Request& request,
            DecideMode mode, Answer& answer);

// All that deciding this request could read, known before it is decided: whatever the conditions come to, its
// reach lies in here until an entity in here changes. Where a native predicate's result is no plain value,
// all types of a loaded set's schema are in it.
[[nodiscard]] Reach could_read(const PolicySet& policies, const Entities& entities, Overlay overlay,
                               const Request& request);

// Why a permit did not come about: its first condition that was not true.
struct NearMiss {
  PolicyIndex policy;
  std::string condition;    // as written: `resource in Entente::App::"XAA/cop"`, `context.aal >= 2`
  std::string where;        // file:line:column
  bool failed = false;      // it could not be evaluated (rather than being false)
  uint32_t met = 0;         // conditions of this policy that hold ...
  uint32_t conditions = 0;  // ... of so many
};

// For a denial: the permits for this action that came nearest. First those whose scope the request meets,
// then others (of which only some are looked at, in large sets); among each, fewest unmet conditions first.
// At most `count_max`.
[[nodiscard]] std::vector<NearMiss> near_misses(const PolicySet& policies, const Entities& entities,
                                                Overlay overlay, const Request& request,
                                                size_t count_max = 8);

}  // namespace entente::policy
