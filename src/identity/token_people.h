// Who brings an access token, for tokens that come with each request: what the crosswalk made of one stands
// until one of its facts ends, or what this nation may give changes. Not thread-safe.
#pragma once

#include "base/kept.h"
#include "identity/access_token.h"
#include "identity/crosswalk.h"
#include "identity/person.h"

namespace entente::identity {

class TokenPeople {
 public:
  explicit TokenPeople(Crosswalk crosswalk) : crosswalk_(std::move(crosswalk)) {}

  // `token` as check_access_token() gave it just now. Errors as person_from().
  [[nodiscard]] Result<PersonFacts> person(const AccessToken& token, int64_t clearance_ceiling, Instant now);
  // The clock was wrong: facts may end too late.
  void forget() { kept_.clear(); }

 private:
  struct Known {
    int64_t ceiling;
    Instant since;
    PersonFacts facts;
  };
  Crosswalk crosswalk_;
  Kept<crypto::Digest, Known, 1024> kept_;  // by the token's
};

}  // namespace entente::identity
