#include "coalition/words.h"

#include <fmt/format.h>

namespace entente::coalition {

std::string partner_text(const World& world, const PartnerCode& code) {
  const Partner* partner = world.partner(code);
  return partner == nullptr ? code.text() : partner->name + " (" + code.text() + ")";
}

std::string suspended_text(const World& world, const Partner& partner) {
  const std::string head = fmt::format("{} has suspended {}", partner_text(world, world.self()),
                                       partner_text(world, partner.code));
  return partner.state_reason.empty() ? head + "." : fmt::format("{}: {}", head, partner.state_reason);
}

std::string isolated_text(const World& world, const Partner& partner) {
  return fmt::format("{} and {} are isolated from each other: {}", partner_text(world, world.self()),
                     partner_text(world, partner.code), partner.isolated);
}

std::string withdrawn_text(const World& world, const App& app) {
  return fmt::format("{} has withdrawn {}: {}", partner_text(world, app.ref.owner), app.name, app.withdrawn);
}

}  // namespace entente::coalition
