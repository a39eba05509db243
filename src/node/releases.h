// Releases of objects under originator control, as operators give and take them: proposed by one, approved by
// as many as a policy says (annotation @approvals of what permits to release), for no longer than it says
// (@minutes). Pure: what each comes to is a Change for whoever commits it.
#pragma once

#include "coalition/decide.h"
#include "coalition/releases.h"
#include "node/operators.h"

#include <optional>
#include <string>
#include <vector>

namespace entente::node {

// What the operator could do with it now.
struct MayAnswer {
  bool approve = false;
  bool end = false;  // refuse it, or take it back
};
[[nodiscard]] MayAnswer may_answer(const coalition::World& world, const Caller& by,
                                   const coalition::Release& release, Instant now);
// May this operator let it go? With `release.approvals` asked about as given already; its approvals_needed is
// brought up to what the policy says.
[[nodiscard]] coalition::Verdict release_verdict(const coalition::World& world, const Caller& by,
                                                 coalition::Release& release, Instant now);
// May they refuse it, or take it back? As if nobody had approved it yet: one is enough for that.
[[nodiscard]] coalition::Verdict end_verdict(const coalition::World& world, const Caller& by,
                                             const coalition::Release& release, Instant now);
// Takes out the approvals of those who would not be let give them any more, and answers who that is.
std::vector<std::string> drop_lapsed(const coalition::World& world, coalition::Release& release, Instant now);
// One more approval, by this verdict; given as soon as there are enough.
void approve(const coalition::World& world, coalition::Release& release, const Caller& by,
             const coalition::Verdict& verdict, Instant now);

// The ledger's word for it is `kind`: "release.proposed", "release.approved", "release", "release.denied",
// "release.revoked". Error "access.full".
[[nodiscard]] Result<Change> release_change(const coalition::World& world, const coalition::Release& release,
                                            std::string kind, const Caller& by,
                                            const coalition::Verdict& verdict, Instant now);
// Names all that an operator reads of it: whoever answers can say which they read.
[[nodiscard]] std::string mark_of(const coalition::World& world, const coalition::Release& release);
[[nodiscard]] Json release_json(const coalition::World& world, const coalition::Release& release,
                                Instant now);

}  // namespace entente::node
