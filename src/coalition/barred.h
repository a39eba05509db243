// What would keep an object shut for somebody whatever their nation says of them now: for reports on what can
// still be opened, which ask about people who are not here.
#pragma once

#include "coalition/decide.h"

#include <optional>

namespace entente::coalition {

// The first such reason, or nothing: then it depends on what is said of them when they ask. Reads no facts of
// `ask.who`; `ask.context` may be empty. `supposed`: as if it were released so, as decide_as_if() has it.
[[nodiscard]] std::optional<Reason> barred(const World& world, const Ask& ask,
                                           const Grant* supposed = nullptr);
// Why this release would open nothing if it were given now, whoever it is for; or nothing.
[[nodiscard]] std::optional<Reason> barred(const World& world, const Release& release, Instant now);

}  // namespace entente::coalition
