#include "node/sign_outs.h"

#include "identity/access_token.h"

#include <algorithm>
#include <vector>

namespace entente::node {

void SignOuts::note(const PersonId& person, Instant at) {
  Instant& kept = at_[person];
  kept = std::max(kept, at);
  if (at_.size() > max_) make_room(at);
}

void SignOuts::make_room(Instant now) {
  // No token lives longer: what is older shuts out nothing.
  std::erase_if(at_, [&](const auto& one) { return one.second + identity::kAccessTokenLifeMax <= now; });
  if (at_.size() <= max_) return;
  // More than one at once, so that not each that comes looks through all.
  std::vector<Instant> times;
  times.reserve(at_.size());
  for (const auto& [person, at] : at_) times.push_back(at);
  const auto last_to_go = times.begin() + static_cast<ptrdiff_t>(times.size() - max_ - 1 + max_ / 8);
  std::ranges::nth_element(times, last_to_go);
  known_from_ = std::max(known_from_, *last_to_go);
  std::erase_if(at_, [&](const auto& one) { return one.second <= *last_to_go; });
}

void SignOuts::restore(const exchange::Kept& kept) {
  known_from_ = std::max(known_from_, kept.sign_outs_known_from);
  at_ = kept.sign_outs;
  if (at_.size() > max_) make_room(known_from_);
}

void SignOuts::go_on_from(Instant now) {
  at_.clear();
  known_from_ = now;
}

Result<void> SignOuts::check(const PersonId& person, Instant issued, Instant now) const {
  const auto known = at_.find(person);
  const bool counts = known != at_.end() && known->second <= now;
  const Instant last = counts ? std::max(known_from_, known->second) : known_from_;
  if (last == Instant{} || unix_seconds(issued) > unix_seconds(last)) return {};
  return fail("token.signed-out",
              "The access token is from before a sign-out, or from before what is known of sign-outs.", {},
              "Sign in for a new one.");
}

}  // namespace entente::node
