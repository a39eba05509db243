// The answer, good for anyone who enforces: permit or deny, why, until when, under which world, with which
// duties.
#pragma once

#include "coalition/ask.h"
#include "policy/decide.h"

#include <string>
#include <string_view>
#include <vector>

namespace entente::coalition {

// Which of the four things a refusal is; and, first, that there is none.
enum class Refusal { none, denied, credential_dead, app_down, lease_ended };
[[nodiscard]] std::string_view refusal_name(
    Refusal refusal);  // "denied", "credential", "app-down", "lease-ended"

enum class Layer { structure, coalition, host, home };
[[nodiscard]] std::string_view layer_name(Layer layer);

struct Reason {
  Layer layer = Layer::structure;
  std::string policy;  // the policy's id, or the structural rule's: "partner-suspended", "membership-ended"
  std::string text;    // for the person: never reveals what they may not know exists
  std::string change;  // what would change it; may be empty
  std::string who_decides;  // "Aldoria (XAA)"
  bool operator==(const Reason&) const = default;
};

struct Obligation {
  std::string name;
  std::string value;
  bool operator==(const Obligation&) const = default;
};

struct Verdict {
  VerdictId id;
  bool permit = false;
  Refusal refusal = Refusal::denied;  // none when permit
  std::vector<Reason> reasons;
  std::vector<Obligation> obligations;
  // The person may not know that the target exists: the reasons' words are those for an unknown app, their
  // policies are for the ledger. Show persons shown(verdict), never this.
  bool hidden = false;
  Revision revision;    // of the world it was made under
  Instant valid_until;  // the first instant at which it could turn out otherwise
  // A commit that touches nothing in here cannot change the answer: permit, refusal, hidden, obligations.
  // (Which permit a denial calls the nearest may change sooner; so may its words before valid_until.)
  policy::Reach reach;
  // Nothing that was asked could read the request's method or path: the answer is the same for any other.
  bool any_request = false;
  bool release_sought = false;      // of an object: whether it was released to the person was looked for
  std::vector<std::string> errors;  // evaluation errors, for the ledger and the operator
  RequestId grant;                  // open, permitted: the grant without which it were not; or the release
  std::optional<GrantTerms> terms;  // open, refused: a grant on these terms would open it
                                    // release, permitted: what it may be at most
  PersonId authority;               // approve, permitted: who delegated it; empty: their own

  [[nodiscard]] Json to_json() const;  // for ledger and API; reach left out
};

// The rule named where an app is unknown, and all that persons are shown where it is hidden from them.
inline constexpr std::string_view kUnknownApp = "app-unknown";

// What the person asking may be shown of it: no evaluation errors; and of a hidden target exactly what they
// would be shown of one that does not exist.
[[nodiscard]] Verdict shown(const Verdict& verdict);
[[nodiscard]] std::vector<Reason> shown_reasons(const Verdict& verdict);

}  // namespace entente::coalition
