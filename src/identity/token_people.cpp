#include "identity/token_people.h"

#include "identity/oidc.h"

#include <algorithm>

namespace entente::identity {

bool TokenPeople::stands(const Known& known, const AccessToken& token, int64_t ceiling, Instant now) const {
  return known.ceiling == ceiling && known.facts.issuer == token.issuer &&
         known.facts.subject == token.subject && crosswalk_.from() <= now && now < crosswalk_.until();
}

Result<PersonFacts> TokenPeople::person(const AccessToken& token, int64_t clearance_ceiling, Instant now) {
  ENTENTE_CHECK(token.digest != crypto::Digest{});
  const Known* known = known_.find(token.digest);
  if (known != nullptr && stands(*known, token, clearance_ceiling, now)) {
    PersonFacts out = known->facts;
    // A fact ends its rule's life after it is asked for, and with the crosswalk at the latest.
    out.end = kNever;
    for (auto& [name, fact] : out.facts) {
      fact.end = std::min(fact.end + (now - known->made), crosswalk_.until());
      out.end = std::min(out.end, fact.end);
    }
    out.auth_time = token.auth_time.value_or(now);
    return out;
  }
  SignedIn who;
  who.nation = crosswalk_.nation();
  who.issuer = token.issuer;
  who.subject = token.subject;
  who.claims = token.said->claims;
  who.auth_time = token.auth_time;
  TRY(PersonFacts facts, person_from(who, crosswalk_, clearance_ceiling, now));
  known_.put(token.digest, {clearance_ceiling, now, facts});
  return facts;
}

}  // namespace entente::identity
