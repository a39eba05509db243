// How what is sealed is marked, in words: for whoever shows it.
#pragma once

#include "coalition/objects.h"
#include "coalition/world.h"

#include <string>

namespace entente::coalition {

// The banner line ("EXERCISE RESTRICTED//REL TO XAA, XBB") of the label that the object's attributes amount
// to, by that label's own policy. Empty where decide() would know nothing of the object either.
[[nodiscard]] std::string marking_of(const World& world, const SealedObject& object, Instant now);

}  // namespace entente::coalition
