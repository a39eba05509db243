#include "base/used_once.h"

#include "base/result.h"

#include <algorithm>
#include <cstring>

#include <sys/random.h>

namespace entente {

namespace {
constexpr UsedOnce::Name kFree{};
constexpr size_t kPlacesMin = 64;
}  // namespace

UsedOnce::Names::Names() {
  ENTENTE_CHECK(::getentropy(&secret_, sizeof(secret_)) == 0);
}

size_t UsedOnce::Names::home_of(const Name& name) const {
  uint64_t halves[2];
  std::memcpy(halves, name.data(), sizeof(halves));
  const unsigned __int128 product =
      static_cast<unsigned __int128>(halves[0] ^ secret_) * (halves[1] ^ (secret_ << 32U | secret_ >> 32U));
  return static_cast<size_t>(product ^ (product >> 64U)) & (places_.size() - 1);
}

size_t UsedOnce::Names::place_of(const Name& name) const {
  size_t at = home_of(name);
  while (places_[at] != kFree && places_[at] != name) at = (at + 1) & (places_.size() - 1);
  return at;
}

void UsedOnce::Names::resize(size_t places) {
  std::vector<Name> before(places);
  before.swap(places_);
  for (const Name& name : before)
    if (name != kFree) places_[place_of(name)] = name;
}

void UsedOnce::Names::insert(const Name& name) {
  ENTENTE_CHECK(name != kFree);
  if (4 * (size_ + 1) > 3 * places_.size()) resize(std::max(kPlacesMin, 2 * places_.size()));
  places_[place_of(name)] = name;
  ++size_;
}

// Those behind it move up where the gap would keep them from being found.
void UsedOnce::Names::erase(const Name& name) {
  const size_t last = places_.size() - 1;
  size_t gap = place_of(name);
  for (size_t at = (gap + 1) & last; places_[at] != kFree; at = (at + 1) & last) {
    if (((at - home_of(places_[at])) & last) < ((at - gap) & last)) continue;
    places_[gap] = places_[at];
    gap = at;
  }
  places_[gap] = kFree;
  --size_;
  if (places_.size() > kPlacesMin && 8 * size_ < places_.size()) resize(places_.size() / 2);
}

UsedOnce::Use UsedOnce::use(const Name& name, std::string_view of, Instant end, Instant now) {
  while (!ends_.empty() && ends_.begin()->first <= now) forget_soonest();
  if (names_.contains(name)) return Use::again;
  if (names_.size() >= size_max_) return Use::full;
  auto one = of_one_.find(of);
  if (one == of_one_.end()) one = of_one_.emplace(std::string(of), 0).first;
  if (one->second >= of_one_max_) return Use::full;
  ++one->second;
  ends_[std::chrono::ceil<Seconds>(end)].push_back({name, &*one});
  names_.insert(name);
  return Use::first;
}

void UsedOnce::drop(const Remembered& each) {
  names_.erase(each.name);
  if (--each.of->second == 0) of_one_.erase(of_one_.find(each.of->first));
}

void UsedOnce::forget_soonest() {
  if (ends_.empty()) return;
  for (const Remembered& each : ends_.begin()->second) drop(each);
  ends_.erase(ends_.begin());
}

void UsedOnce::forget(const Name& name) {
  if (!names_.contains(name)) return;
  for (auto at = ends_.begin(); at != ends_.end(); ++at) {
    std::vector<Remembered>& ending = at->second;
    const auto found = std::ranges::find(ending, name, &Remembered::name);
    if (found == ending.end()) continue;
    drop(*found);
    ending.erase(found);
    if (ending.empty()) ends_.erase(at);
    return;
  }
}

}  // namespace entente
