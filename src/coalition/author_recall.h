// What becomes of an author's word about their own object: the record that stands from then on, in a room
// that no author and no crowd of them can fill for operators. Pure.
#pragma once

#include "coalition/ask.h"
#include "coalition/world.h"

#include <string>

namespace entente::coalition {

// By its author; nullptr: not taken back, or it names none.
[[nodiscard]] const Recall* author_recall(const World& world, const SealedObject& object);

// Of an ask to recall that was permitted. Errors "recall.full": so much stands that there is no room for one
// more.
[[nodiscard]] Result<Record> author_recall_record(const World& world, const Ask& ask, std::string reason);

}  // namespace entente::coalition
