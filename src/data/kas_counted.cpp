#include "data/kas_counted.h"

namespace entente::data {

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
