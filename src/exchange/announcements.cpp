#include "exchange/announcements.h"

#include <utility>

namespace entente::exchange {

Announcements::Announcements(net::Loop& loop, Instant now)
    : newest_(static_cast<uint64_t>(now.time_since_epoch().count())), moved_(loop) {}

void Announcements::announce(Announcement event) {
  event.number = ++newest_;
  kept_.push_back(std::move(event));
  if (kept_.size() > kKept) kept_.pop_front();
  moved_.pulse();
}

std::optional<std::vector<Announcement>> Announcements::since(uint64_t number) const {
  const uint64_t oldest = kept_.empty() ? newest_ + 1 : kept_.front().number;
  if (number > newest_ || number + 1 < oldest) return std::nullopt;
  const auto first = kept_.begin() + static_cast<std::ptrdiff_t>(number + 1 - oldest);
  return std::vector<Announcement>(first, kept_.end());
}

net::Task<bool> Announcements::wait(Millis longest) {
  const bool woken = co_await moved_.wait(longest);
  co_return woken;
}

}  // namespace entente::exchange
