#include "node/sign_outs.h"

#include "identity/access_token.h"

#include <algorithm>

namespace entente::node {

void SignOuts::note(const PersonId& person, Instant at) {
  Instant& kept = at_[person];
  kept = std::max(kept, at);
  if (at_.size() <= max_) return;
  // No token lives longer: what is older shuts out nothing.
  std::erase_if(at_, [&](const auto& one) { return one.second + identity::kAccessTokenLifeMax <= at; });
  while (at_.size() > max_) {
    const auto oldest = std::ranges::min_element(at_, {}, [](const auto& one) { return one.second; });
    known_from_ = std::max(known_from_, oldest->second);
    at_.erase(oldest);
  }
}

void SignOuts::restore(const exchange::Kept& kept) {
  known_from_ = std::max(known_from_, kept.sign_outs_known_from);
  for (const auto& [person, at] : kept.sign_outs) note(person, at);
}

void SignOuts::go_on_from(Instant now) {
  at_.clear();
  known_from_ = now;
}

Result<void> SignOuts::check(const PersonId& person, Instant issued) const {
  const auto known = at_.find(person);
  const Instant last = known == at_.end() ? known_from_ : std::max(known_from_, known->second);
  if (last == Instant{} || unix_seconds(issued) > unix_seconds(last)) return {};
  return fail("token.signed-out", "The access token is from before a sign-out.", {},
              "Sign in for a new one.");
}

}  // namespace entente::node
