// Who brings an access token, for tokens that come with each request: what the crosswalk made of one stands
// until one of its facts ends, or what this nation may give changes. Not thread-safe.
#pragma once

#include "identity/access_token.h"
#include "identity/crosswalk.h"
#include "identity/person.h"

#include <optional>
#include <vector>

namespace entente::identity {

class TokenPeople {
 public:
  explicit TokenPeople(Crosswalk crosswalk) : crosswalk_(std::move(crosswalk)), known_(kKept) {}

  // `token` as check_access_token() gave it just now. Errors as person_from().
  [[nodiscard]] Result<PersonFacts> person(const AccessToken& token, int64_t clearance_ceiling, Instant now);
  // The clock was wrong: facts may end too late.
  void forget() { known_.assign(kKept, {}); }

 private:
  static constexpr size_t kKept = 1024;
  struct Known {
    crypto::Digest token{};
    int64_t ceiling = 0;
    Instant since{};
    std::optional<PersonFacts> facts;
  };
  Crosswalk crosswalk_;
  std::vector<Known> known_;
};

}  // namespace entente::identity
