// Who brings an access token, for tokens that come with each request: person_from() once, and its ends as
// they are now each time. Not thread-safe.
#pragma once

#include "base/memo.h"
#include "identity/access_token.h"
#include "identity/crosswalk.h"
#include "identity/person.h"

namespace entente::identity {

class TokenPeople {
 public:
  explicit TokenPeople(Crosswalk crosswalk) : crosswalk_(std::move(crosswalk)) {}

  // `token` as check_access_token() gave it just now. What person_from() gives, and its errors.
  [[nodiscard]] Result<PersonFacts> person(const AccessToken& token, int64_t clearance_ceiling, Instant now);

 private:
  struct Known {
    int64_t ceiling;
    Instant made;
    PersonFacts facts;
  };
  [[nodiscard]] bool stands(const Known& known, const AccessToken& token, int64_t ceiling, Instant now) const;

  Crosswalk crosswalk_;
  Memo<crypto::Digest, Known, 1024> known_;  // by the token's
};

}  // namespace entente::identity
