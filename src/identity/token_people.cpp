#include "identity/token_people.h"

#include "identity/oidc.h"

namespace entente::identity {

Result<PersonFacts> TokenPeople::person(const AccessToken& token, int64_t clearance_ceiling, Instant now) {
  const Known* known = kept_.find(token.digest);
  if (known != nullptr && known->ceiling == clearance_ceiling && known->since <= now &&
      now < known->facts.end)
    return known->facts;
  SignedIn who;
  who.nation = crosswalk_.nation();
  who.issuer = token.issuer;
  who.subject = token.subject;
  who.claims = token.claims;
  who.auth_time = token.auth_time;
  TRY(PersonFacts facts, person_from(who, crosswalk_, clearance_ceiling, now));
  kept_.put(token.digest, {clearance_ceiling, now, facts});
  return facts;
}

}  // namespace entente::identity
