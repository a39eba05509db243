// Who signed out of everything, and when: an access token from before that opens nothing any more. Times are
// to the second, as tokens say when they were issued: of the second of a sign-out itself, none counts.
#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "exchange/kept.h"

#include <map>

namespace entente::node {

// Not thread-safe. Full, it lets the oldest go, and from then on no token from before that counts, whoever's.
class SignOuts {
 public:
  static constexpr size_t kMax = 50'000;
  explicit SignOuts(size_t max = kMax) : max_(max) {}
  void note(const PersonId& person, Instant at);
  // What an earlier life of the node left.
  void restore(const exchange::Kept& kept);
  // What was noted was timed by a clock that was wrong.
  void go_on_from(Instant now);
  // Errors: "token.signed-out". One that is still to come was timed by a clock that was set back since: a
  // token from before it is of the future, too.
  [[nodiscard]] Result<void> check(const PersonId& person, Instant issued, Instant now) const;

 private:
  void make_room(Instant now);

  size_t max_;
  Instant known_from_{};  // of sign-outs before it nothing is known
  std::map<PersonId, Instant> at_;
};

}  // namespace entente::node
