// What would end if this node suspended a partner, or its nation and that one were isolated from each other:
// the same things, since no node carries what is of two others. Pure.
#pragma once

#include "base/json.h"
#include "coalition/world.h"
#include "exchange/session.h"

#include <string>
#include <vector>

namespace entente::node {

struct Parting {
  int64_t theirs = 0;  // sessions of that nation's people at this node's apps
  int64_t ours = 0;    // sessions of this node's people at that nation's apps
  int64_t given =
      0;            // grants of this node's apps to that nation's people: they count no more, also afterwards
  int64_t had = 0;  // grants of that nation's apps to this node's people, as it told them
  bool operator==(const Parting&) const = default;
};
[[nodiscard]] Parting parting(const coalition::World& world,
                              const std::vector<const exchange::Session*>& sessions,
                              const PartnerCode& partner, Instant now);
// In words, and as the API says it.
[[nodiscard]] std::string parting_text(const Parting& counted, const PartnerCode& partner);
[[nodiscard]] Json parting_json(const Parting& counted, const PartnerCode& partner);

}  // namespace entente::node
