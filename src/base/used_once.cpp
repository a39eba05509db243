#include "base/used_once.h"

#include "base/result.h"

#include <algorithm>
#include <cstring>

#include <sys/random.h>

namespace entente {

UsedOnce::Hash::Hash() {
  ENTENTE_CHECK(::getentropy(&secret, sizeof(secret)) == 0);
}

size_t UsedOnce::Hash::operator()(const Name& name) const {
  uint64_t halves[2];
  std::memcpy(halves, name.data(), sizeof(halves));
  const unsigned __int128 product =
      static_cast<unsigned __int128>(halves[0] ^ secret) * (halves[1] ^ (secret << 32U | secret >> 32U));
  return static_cast<size_t>(product ^ (product >> 64U));
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
