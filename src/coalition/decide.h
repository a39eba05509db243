// The one question, put by whoever enforces anything.
#pragma once

#include "coalition/verdict.h"
#include "coalition/world.h"

namespace entente::coalition {

// Every layer that concerns this node must permit: the coalition's always; the host's when the target is this
// node's own; the home's when the person is. Pure, thread-safe, never fails: what cannot be decided is
// denied, with the reason. Structure comes first (membership, mission, offer, ends of facts, missing
// identity, context or risk), then policies.
[[nodiscard]] Verdict decide(const World& world, const Ask& ask);
// The same with `reach` left empty, for who acts on it at once and asks anew each time.
[[nodiscard]] Verdict decide_without_reach(const World& world, const Ask& ask);

// What an open would come to if the world held this grant as well and no other for that person and app: what
// somebody who is about to give it should see first. `supposed` is live whatever its times say. Of an object
// under originator control: if this were a release of it to that person.
[[nodiscard]] Verdict decide_as_if(const World& world, const Ask& ask, const Grant& supposed);

}  // namespace entente::coalition
