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

}  // namespace entente::coalition
