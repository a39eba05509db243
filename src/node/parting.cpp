#include "node/parting.h"

#include "coalition/access.h"

#include <fmt/format.h>

namespace entente::node {

using coalition::AccessRequest;
using coalition::Grant;
using exchange::Session;

Parting parting(const coalition::World& world, const std::vector<const Session*>& sessions,
                const PartnerCode& partner, Instant now) {
  Parting counted;
  for (const Session* session : sessions) {
    if (session->partner != partner || session->stage != exchange::Stage::live) continue;
    ++(session->side == exchange::Side::host ? counted.theirs : counted.ours);
  }
  for (const Grant* grant : world.grants())
    if (grant->partner == partner && grant->end > now && grant->used < grant->count) ++counted.given;
  for (const AccessRequest* request : world.asked(partner))
    if (request->state == coalition::RequestState::granted && request->granted_until > now) ++counted.had;
  return counted;
}

namespace {

std::string number_of(int64_t number, std::string_view one) {
  return fmt::format("{} {}{}", number, one, number == 1 ? "" : "s");
}

}  // namespace

std::string parting_text(const Parting& counted, const PartnerCode& partner) {
  return fmt::format(
      "{} would end now: {} of people of {} at apps of this node, {} of people of this node at apps of {}. "
      "{} would open nothing any more: {} to people of {}, {} from it. Nothing was changed.",
      number_of(counted.theirs + counted.ours, "session"), counted.theirs, partner.text(), counted.ours,
      partner.text(), number_of(counted.given + counted.had, "grant"), counted.given, partner.text(),
      counted.had);
}

Json parting_json(const Parting& counted, const PartnerCode& partner) {
  return Json::object({{"partner", partner.text()},
                       {"sessions", counted.theirs + counted.ours},
                       {"sessions_theirs", counted.theirs},
                       {"sessions_ours", counted.ours},
                       {"grants", counted.given + counted.had},
                       {"grants_given", counted.given},
                       {"grants_had", counted.had},
                       {"text", parting_text(counted, partner)}});
}

}  // namespace entente::node
