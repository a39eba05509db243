#include "node/release_desk.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::node {

using coalition::Release;
using coalition::ReleaseNews;
using exchange::Heard;
using exchange::Way;

namespace {

// Not one that operators gave unasked: of that nobody waits for news.
bool is_asked_for(const Release& release) {
  return !release.person.empty() &&
         release.by == fmt::format("{}/{}", release.partner.text(), release.person.text());
}

}  // namespace

ReleaseDesk::ReleaseDesk(Parts parts) : parts_(std::move(parts)) {}

// --- at the originator

void ReleaseDesk::answered(const Release& release) {
  if (release.state == coalition::RequestState::open || !is_asked_for(release)) return;
  Json news = coalition::to_json(coalition::news_of(release, parts_.clock.now()));
  if (release.partner == parts_.world().self()) return parts_.announce(release.person, std::move(news));
  parts_.tell(release.partner, Way::serving, {std::string(kState), release.id, std::move(news), {}});
}

void ReleaseDesk::take_look(const Heard& heard) {
  Json news = Json::object({{"state", kUnknown}});
  for (const Release* one : parts_.world().releases(heard.partner))
    if (one->id == heard.told.id && is_asked_for(*one))
      news = coalition::to_json(coalition::news_of(*one, parts_.clock.now()));
  parts_.tell(heard.partner, Way::serving, {std::string(kState), heard.told.id, std::move(news), {}});
}

// --- at the home

// A nation names its releases as it likes: what it says of one is for whoever waits for that one there.
void ReleaseDesk::waits(const PartnerCode& service, const RequestId& id, const PersonId& who) {
  if (waiting_.contains({service, id})) return;
  make_room(who);
  const Tick now = parts_.clock.tick();
  waiting_.emplace(Name{service, id}, Waiting{who, "open", now, now});
}

void ReleaseDesk::make_room(const PersonId& who) {
  const auto oldest = [&](bool theirs) {
    auto found = waiting_.end();
    size_t count = 0;
    for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
      if (theirs && at->second.who != who) continue;
      ++count;
      if (found == waiting_.end() || at->second.noted < found->second.noted) found = at;
    }
    return std::pair(found, count);
  };
  if (const auto [at, count] = oldest(true); count >= kWaitingOfOneMax) waiting_.erase(at);
  if (waiting_.size() >= kWaitingMax) waiting_.erase(oldest(false).first);
}

void ReleaseDesk::take_state(const Heard& heard) {
  const auto at = waiting_.find({heard.partner, heard.told.id});
  if (heard.told.topic != kState || at == waiting_.end()) return;
  Waiting& one = at->second;
  one.looked = parts_.clock.tick();
  const std::optional<ReleaseNews> news = coalition::read_release_news(heard.told.body);
  if (!news || news->id != heard.told.id) {
    if (heard.told.body.text_or("state", "") == kUnknown) waiting_.erase(at);
    return;
  }
  // Forward alone: what is answered is not asked again, and nothing follows its end.
  if (news->state == one.state || news->state == "open") return;
  one.state = news->state;
  one.noted = one.looked;
  const PersonId who = one.who;
  if (news->state != "open" && news->state != "granted") waiting_.erase(at);
  parts_.announce(who, coalition::to_json(*news));
}

void ReleaseDesk::heard(const Heard& heard) {
  if (heard.way == Way::asking) return take_state(heard);
  if (heard.told.topic == kLook) take_look(heard);
}

void ReleaseDesk::sweep() {
  const Tick now = parts_.clock.tick();
  std::erase_if(waiting_, [&](const auto& one) { return now - one.second.noted >= kKept; });
  size_t looks = 0;
  for (auto& [name, one] : waiting_) {
    if (one.state != "open" || now - one.looked < kLookAgainAfter) continue;
    if (looks++ == kLooksAtOnce) break;
    look(name, one);
  }
}

void ReleaseDesk::look(const Name& name, Waiting& one) {
  one.looked = parts_.clock.tick();
  parts_.tell(name.first, Way::asking, {std::string(kLook), name.second, Json::object(), {}});
}

// One that was granted may have been taken back meanwhile. What is too much for now waits for sweep().
void ReleaseDesk::reached(const PartnerCode& service) {
  size_t looks = 0;
  for (auto& [name, one] : waiting_)
    if (name.first == service && looks++ < kLooksAtOnce) look(name, one);
}

}  // namespace entente::node
