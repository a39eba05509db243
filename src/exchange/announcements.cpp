#include "exchange/announcements.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace entente::exchange {

Announcements::Announcements(net::Loop& loop, Instant now)
    : newest_(static_cast<uint64_t>(now.time_since_epoch().count())),
      for_all_{.dropped = newest_},
      people_dropped_(newest_),
      moved_(loop) {}

void Announcements::Kept::add(Announcement event, size_t most) {
  events.push_back(std::move(event));
  if (events.size() <= most) return;
  dropped = events.front().number;
  events.pop_front();
}

void Announcements::announce(Announcement event) {
  event.number = ++newest_;
  if (event.person.empty()) {
    for_all_.add(std::move(event), kKept);
  } else {
    if (for_one_.size() >= kPeopleMax && !for_one_.contains(event.person)) make_room();
    Kept& theirs = for_one_[event.person];
    theirs.add(std::move(event), kKeptOfOne);
  }
  moved_.pulse();
}

// Half of the people go at once, those first of whom nothing was heard for longest.
void Announcements::make_room() {
  std::vector<uint64_t> last;
  for (const auto& [person, kept] : for_one_) last.push_back(kept.events.back().number);
  const auto middle = last.begin() + static_cast<std::ptrdiff_t>(last.size() / 2);
  std::ranges::nth_element(last, middle);
  people_dropped_ = std::max(people_dropped_, *middle);
  std::erase_if(for_one_, [&](const auto& one) { return one.second.events.back().number <= *middle; });
}

bool Announcements::since(uint64_t number, const PersonId& person, const Visit& visit) const {
  static const Kept kNone;
  const auto found = for_one_.find(person);
  const Kept& theirs = found == for_one_.end() ? kNone : found->second;
  if (number > newest_ || number < for_all_.dropped || number < people_dropped_ || number < theirs.dropped)
    return false;
  const auto after = [&](const Kept& kept) {
    return std::ranges::upper_bound(kept.events, number, {}, &Announcement::number);
  };
  auto all = after(for_all_), own = after(theirs);
  while (all != for_all_.events.end() || own != theirs.events.end()) {
    const bool theirs_next =
        all == for_all_.events.end() || (own != theirs.events.end() && own->number < all->number);
    visit(theirs_next ? *own++ : *all++);
  }
  return true;
}

net::Task<bool> Announcements::wait(Millis longest) {
  const bool woken = co_await moved_.wait(longest);
  co_return woken;
}

}  // namespace entente::exchange
