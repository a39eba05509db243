#include "exchange/announcements.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace entente::exchange {

namespace {

// Half of the people go at once, those first of whom nothing was heard for longest. The newest that goes.
template <class People, class Newest>
uint64_t forget_half(People& people, const Newest& newest) {
  std::vector<uint64_t> last;
  for (const auto& [person, kept] : people) last.push_back(newest(kept));
  const auto middle = last.begin() + static_cast<std::ptrdiff_t>(last.size() / 2);
  std::ranges::nth_element(last, middle);
  std::erase_if(people, [&](const auto& one) { return newest(one.second) <= *middle; });
  return *middle;
}

}  // namespace

Announcements::Announcements(net::Loop& loop, Instant now)
    : loop_(loop),
      newest_(static_cast<uint64_t>(now.time_since_epoch().count())),
      for_all_{.dropped = newest_},
      people_dropped_(newest_),
      sessions_dropped_(newest_),
      moved_(loop) {}

void Announcements::Kept::add(Announcement event, size_t most) {
  if (event.kind == kSessions)
    std::erase_if(events,
                  [&](const Announcement& one) { return one.kind == kSessions && one.app == event.app; });
  events.push_back(std::move(event));
  if (events.size() <= most) return;
  dropped = events.front().number;
  events.pop_front();
}

void Announcements::announce(Announcement event) {
  event.number = ++newest_;
  moved_.pulse();
  if (event.person.empty()) {
    for (auto& [person, pages] : pages_) pages.moved.pulse();
    return for_all_.add(std::move(event), kKept);
  }
  if (const auto at = pages_.find(event.person); at != pages_.end()) at->second.moved.pulse();
  event.kind == kSessions ? keep_sessions(event) : keep(std::move(event));
}

void Announcements::keep(Announcement event) {
  if (for_one_.size() >= kPeopleMax && !for_one_.contains(event.person))
    people_dropped_ = forget_half(for_one_, [](const Kept& kept) { return kept.events.back().number; });
  Kept& theirs = for_one_[event.person];
  theirs.add(std::move(event), kKeptOfOne);
}

// Many more people open sessions than have news of another kind: theirs need no room of these.
void Announcements::keep_sessions(const Announcement& event) {
  if (sessions_.size() >= kPeopleMax && !sessions_.contains(event.person))
    sessions_dropped_ = forget_half(sessions_, [](uint64_t number) { return number; });
  sessions_[event.person] = event.number;
}

bool Announcements::since(uint64_t number, const PersonId& person, const Visit& visit) const {
  static const Kept kNone;
  const auto found = for_one_.find(person);
  const Kept& theirs = found == for_one_.end() ? kNone : found->second;
  if (number > newest_ || number < for_all_.dropped || number < people_dropped_ || number < theirs.dropped)
    return false;
  const auto last = sessions_.find(person);
  uint64_t sessions = last == sessions_.end() ? sessions_dropped_ : last->second;
  const auto tell_sessions = [&](uint64_t before) {
    if (sessions > number && sessions < before)
      visit({.number = sessions, .kind = std::string(kSessions), .person = person});
    if (sessions < before) sessions = UINT64_MAX;
  };
  const auto after = [&](const Kept& kept) {
    return std::ranges::upper_bound(kept.events, number, {}, &Announcement::number);
  };
  auto all = after(for_all_), own = after(theirs);
  while (all != for_all_.events.end() || own != theirs.events.end()) {
    const bool theirs_next =
        all == for_all_.events.end() || (own != theirs.events.end() && own->number < all->number);
    const Announcement& next = theirs_next ? *own++ : *all++;
    tell_sessions(next.number);
    visit(next);
  }
  tell_sessions(UINT64_MAX);
  return true;
}

net::Task<bool> Announcements::wait(Millis longest) {
  const bool woken = co_await moved_.wait(longest);
  co_return woken;
}

net::Task<bool> Announcements::wait(PersonId person, Millis longest) {
  Pages& pages = pages_.try_emplace(person, loop_).first->second;
  ++pages.waiting;
  const bool woken = co_await pages.moved.wait(longest);
  if (const auto at = pages_.find(person); --at->second.waiting == 0) pages_.erase(at);
  co_return woken;
}

}  // namespace entente::exchange
