#include "data/kas_budget.h"

#include <algorithm>

namespace entente::data {
namespace {

constexpr int64_t kUnit = 60'000;  // a millisecond at one a minute

}  // namespace

// Those who took nothing for as long as it takes to fill a bucket are as good as new.
bool Budgets::make_room(Tick now) {
  if (buckets_.size() < names_max_) return true;
  if (now - swept_ < Seconds(1)) return false;
  swept_ = now;
  const auto full_after = Seconds(int64_t{60} * rate_.burst / std::max(1U, rate_.per_minute) + 1);
  std::erase_if(buckets_, [&](const auto& entry) { return now - entry.second.last > full_after; });
  return buckets_.size() < names_max_;
}

bool Budgets::take(const std::string& name, size_t count, Tick now) {
  const int64_t most = int64_t{rate_.burst} * kUnit;
  auto found = buckets_.find(name);
  if (found == buckets_.end()) {
    if (!make_room(now)) return false;
    found = buckets_.emplace(name, Bucket{.left = most, .last = now}).first;
  }
  Bucket& bucket = found->second;
  const int64_t passed_ms = std::chrono::duration_cast<Millis>(now - bucket.last).count();
  if (passed_ms > 0) {
    bucket.left = passed_ms >= most ? most : std::min(most, bucket.left + passed_ms * rate_.per_minute);
    bucket.last = now;
  }
  const int64_t cost = static_cast<int64_t>(count) * kUnit;
  if (bucket.left < cost) return false;
  bucket.left -= cost;
  return true;
}

void Counted::add(std::string partner, std::string person, Instant now) {
  if (counts_.size() >= kNamesMax && !counts_.contains({partner, person})) person.clear();
  auto [entry, fresh] = counts_.try_emplace({partner, person});
  if (fresh) entry->second = {std::move(partner), std::move(person), 0, now};
  ++entry->second.refusals;
}

std::vector<Counted::Count> Counted::take() {
  std::vector<Count> out;
  for (auto& [name, count] : counts_) out.push_back(std::move(count));
  counts_.clear();
  return out;
}

}  // namespace entente::data
