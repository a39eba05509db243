// A person of this nation as their identity provider and the crosswalk describe them.
#pragma once

#include "base/ids.h"
#include "base/time.h"
#include "coalition/facts.h"
#include "crypto/digest.h"

#include <string>
#include <string_view>
#include <vector>

namespace entente::identity {

class Crosswalk;
struct SignedIn;

struct PersonFacts {
  PersonId id;  // issuer-bound: see person_id()
  std::string issuer = {};
  std::string subject = {};  // the provider's `sub`; never leaves the home node
  std::string display_name = {};
  PartnerCode partner;
  coalition::Facts facts = {};  // clearance, nationality, role, assurance, ...: each with source and end
  std::string acr = {};
  std::vector<std::string> amr = {};
  Instant auth_time = {};  // when they proved themselves to the provider
  Instant end = {};        // the earliest end of what must hold

  [[nodiscard]] coalition::Person person() const { return {id, partner, facts}; }
};

// Who signed in, in the coalition's terms; `clearance_ceiling` is the nation's, as a level. The crosswalk
// must be that of the provider's nation and name its issuer. Errors: those of crosswalk.h.
[[nodiscard]] Result<PersonFacts> person_from(const SignedIn& signed_in, const Crosswalk& crosswalk,
                                              int64_t clearance_ceiling, Instant now);

// The same for the same person at the same issuer, and for nobody else: the parts can't run into each other.
[[nodiscard]] PersonId person_id(const PartnerCode& nation, std::string_view issuer,
                                 std::string_view subject);

// One byte string per list of texts: each with its length in front.
[[nodiscard]] Bytes framed(std::initializer_list<std::string_view> parts);

}  // namespace entente::identity
