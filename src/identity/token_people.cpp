#include "identity/token_people.h"

#include "identity/oidc.h"

namespace entente::identity {

Result<PersonFacts> TokenPeople::person(const AccessToken& token, int64_t clearance_ceiling, Instant now) {
  Known& known = known_[(size_t{token.digest[0]} << 8U | token.digest[1]) % kKept];
  if (known.facts && known.token == token.digest && known.ceiling == clearance_ceiling &&
      known.since <= now && now < known.facts->end)
    return *known.facts;
  SignedIn who;
  who.nation = crosswalk_.nation();
  who.issuer = token.issuer;
  who.subject = token.subject;
  who.claims = token.claims;
  who.auth_time = token.auth_time;
  TRY(PersonFacts facts, person_from(who, crosswalk_, clearance_ceiling, now));
  known = {token.digest, clearance_ceiling, now, facts};
  return facts;
}

}  // namespace entente::identity
