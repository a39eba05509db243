// What is called what, and sentences that several rules say.
#pragma once

#include "coalition/world.h"

#include <string>

namespace entente::coalition {

[[nodiscard]] std::string partner_text(const World& world, const PartnerCode& code);  // "Aldoria (XAA)"
[[nodiscard]] std::string suspended_text(const World& world, const Partner& partner);
[[nodiscard]] std::string isolated_text(const World& world, const Partner& partner);
[[nodiscard]] std::string withdrawn_text(const World& world, const App& app);

}  // namespace entente::coalition
