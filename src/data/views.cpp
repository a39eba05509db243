#include "data/views.h"

#include "crypto/digest.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::data {
namespace {

constexpr size_t kViewIdBytes = 16;
constexpr std::string_view kOriginEnded = "origin-ended";
constexpr std::string_view kClosed = "view-closed";

// Nothing that was said of the moment outlives what it was said for.
Instant earliest_end(const coalition::Facts& facts, Instant end, Instant now) {
  for (const auto& [name, fact] : facts) {
    if (fact.end > now) end = std::min(end, fact.end);
  }
  return end;
}

ViewEnd refused(const coalition::Verdict& verdict) {
  const coalition::Verdict told = coalition::shown(verdict);
  ViewEnd out{"refused", "This is not permitted any more."};
  if (!verdict.reasons.empty()) out.rule = verdict.reasons.front().policy;
  if (!told.reasons.empty() && !told.reasons.front().text.empty()) out.why = told.reasons.front().text;
  return out;
}

}  // namespace

Views::Views(PartnerCode self, Hooks hooks, ViewLimits limits)
    : self_(std::move(self)), hooks_(std::move(hooks)), limits_(limits) {}

// The oldest of theirs goes where they have too many, and only for one that then has room.
Result<void> Views::make_room(const coalition::Person& who) {
  const auto theirs = by_person_.find({who.partner, who.id});
  const bool full = theirs != by_person_.end() && theirs->second.size() >= limits_.per_person_max;
  const size_t goes = full ? 1 : 0;
  const auto others = by_partner_.find(who.partner);
  // Partners together never have so much, open or ended and not told, that nothing is left to our own.
  const bool crowded = who.partner != self_ &&
                       (partners_ >= limits_.views_max / 2 ||
                        (others != by_partner_.end() && others->second - goes >= limits_.per_partner_max));
  if (crowded || views_.size() - goes >= limits_.views_max || untold_.size() >= limits_.views_max)
    return fail("kas.views", "more is open for viewing than this node looks after");
  if (full)
    end(views_.find(theirs->second.begin()->second),
        {"view-oldest", fmt::format("You have opened {} others since.", limits_.per_person_max)});
  return {};
}

// Nothing makes room for what cannot be shown.
Result<void> Views::takes(const View& view, ViewMoment at) {
  if (!is_partners(view) && !hooks_.signed_in(view.page))
    return fail("kas.views", "nobody is signed in there any more");
  if (!view.there.empty() && at.tick - view.said > limits_.silence_max)
    return fail("kas.views", "it took too long to hear of it");
  return make_room(view.ask.who);
}

Result<View> Views::open(View view, coalition::Verdict verdict, ViewMoment at) {
  const coalition::Person& who = view.ask.who;
  view.said = view.there.empty() ? at.tick : std::min(view.said, at.tick);
  const Result<void> taken = takes(view, at);
  if (!taken && !view.there.empty()) give_up(view.service, view.there);
  TRY_VOID(taken);
  const Instant latest = std::min(view.end, at.now + limits_.life_max);
  view.end = earliest_end(view.ask.context, earliest_end(who.facts, latest, at.now), at.now);
  view.id = crypto::random_token(kViewIdBytes);
  view.last = std::move(verdict);
  view.number = ++opened_;
  view.due = due_of(view, at.now);
  ++by_partner_[who.partner];
  if (is_partners(view)) ++partners_;
  by_person_[{who.partner, who.id}].emplace(view.number, view.id);
  if (!view.there.empty()) by_service_[view.service][view.there] = view.id;
  if (!is_partners(view)) by_page_[view.page].insert(view.id);
  const auto kept = views_.emplace(view.id, std::move(view)).first;
  index(kept->second);
  hooks_.opened(kept->second);
  tell();
  return kept->second;
}

// From half of it to all of it, spread by the golden ratio: those that were opened, or asked, together are
// not due together.
Millis Views::part_of(const View& view, Millis time) {
  constexpr uint64_t kGolden = 0x9e37'79b9'7f4a'7c15;
  constexpr int64_t kSteps = 1 << 16;
  const auto step = static_cast<int64_t>((view.number * kGolden) >> 48);
  return (time + time * step / kSteps) / 2;
}

Instant Views::due_of(const View& view, Instant now) const {
  const Millis soonest{static_cast<int64_t>(views_.size()) * 1'000 / limits_.asks_per_s};
  const Instant due = std::min(view.last.valid_until, now + part_of(view, limits_.ask_again));
  return std::min(view.end, std::max(due, now + part_of(view, soonest)));
}

// From here on it is over; who has to hear of it hears in turn.
void Views::end(Table::iterator at, ViewEnd why) {
  View view = std::move(at->second);
  views_.erase(at);
  forget(view);
  const coalition::Person& who = view.ask.who;
  if (--by_partner_[who.partner] == 0) by_partner_.erase(who.partner);
  const auto theirs = by_person_.find({who.partner, who.id});
  theirs->second.erase({view.number, view.id});
  if (theirs->second.empty()) by_person_.erase(theirs);
  if (const auto there = by_service_.find(view.service); there != by_service_.end()) {
    there->second.erase(view.there);
    if (there->second.empty()) by_service_.erase(there);
    if (why.rule != kOriginEnded) told_closed(view.service, view.there);
  }
  if (const auto page = by_page_.find(view.page); page != by_page_.end()) {
    page->second.erase(view.id);
    if (page->second.empty()) by_page_.erase(page);
  }
  if (is_partners(view)) {
    over_[view.id] = {who.partner, why.why};
    over_order_.push_back(view.id);
    if (over_order_.size() > limits_.ended_max) {
      over_.erase(over_order_.front());
      over_order_.pop_front();
    }
  }
  untold_.emplace_back(std::move(view), std::move(why));
}

void Views::end_those(const std::vector<std::string>& ids, const ViewEnd& why) {
  for (const std::string& id : ids) end(views_.find(id), why);
}

void Views::tell() {
  for (size_t told = 0; told < limits_.turn_max && !untold_.empty(); ++told) {
    const auto [view, why] = std::move(untold_.front());
    untold_.pop_front();
    if (is_partners(view)) --partners_;
    hooks_.ended(view, why);
  }
}

void Views::told_closed(const PartnerCode& service, const std::string& there) {
  std::vector<std::string>& names = closed_[service];
  if (names.size() < limits_.per_partner_max) names.push_back(there);
}

void Views::give_up(const PartnerCode& service, const std::string& there) {
  told_closed(service, there);
  if (hooks_.given_up) hooks_.given_up(service);
}

void Views::not_told(const PartnerCode& service, const std::vector<std::string>& names) {
  for (const std::string& there : names) told_closed(service, there);
}

void Views::doubt(View& view) {
  if (std::exchange(view.doubted, true)) return;
  doubted_.push_back(view.id);
}

bool Views::go_on(const coalition::World& newest, ViewMoment at) {
  for (size_t asked = 0; asked < limits_.turn_max && !doubted_.empty(); ++asked) {
    const auto view = views_.find(doubted_.front());
    doubted_.pop_front();
    if (view != views_.end()) ask(view, newest, at.now);
  }
  tell();
  return busy();
}

void Views::ask(Table::iterator at, const coalition::World& newest, Instant now) {
  View& view = at->second;
  view.doubted = false;
  view.ask.id = VerdictId(crypto::random_token(12));
  view.ask.now = now;
  coalition::Verdict verdict = coalition::decide(newest, view.ask);
  const bool same =
      verdict.reach.entities == view.last.reach.entities && verdict.reach.types == view.last.reach.types;
  if (!same) forget(view);
  view.last = std::move(verdict);
  if (!same) index(view);
  if (!view.last.permit) return end(at, refused(view.last));
  view.due = due_of(view, now);
}

void Views::index(const View& view) {
  for (const policy::EntityUid& uid : view.last.reach.entities) by_entity_[uid].insert(view.id);
  for (const std::string& type : view.last.reach.types) by_type_[type].insert(view.id);
}

void Views::forget(const View& view) {
  const auto drop = [&](auto& table, const auto& key) {
    const auto at = table.find(key);
    if (at == table.end()) return;
    at->second.erase(view.id);
    if (at->second.empty()) table.erase(at);
  };
  for (const policy::EntityUid& uid : view.last.reach.entities) drop(by_entity_, uid);
  for (const std::string& type : view.last.reach.types) drop(by_type_, type);
}

void Views::world_changed(const coalition::World& newest, const coalition::Touch& touch, ViewMoment at) {
  const auto add = [&](const auto& table, const auto& key) {
    const auto found = table.find(key);
    if (found == table.end()) return;
    for (const std::string& id : found->second) doubt(views_.at(id));
  };
  for (const policy::EntityUid& uid : touch.entities) {
    add(by_entity_, uid);
    add(by_type_, uid.type);
  }
  if (touch.policies) {
    for (auto& [id, view] : views_) doubt(view);
  }
  go_on(newest, at);
}

void Views::time_passed(const coalition::World& newest, ViewMoment at) {
  for (auto one = views_.begin(); one != views_.end();) {
    const auto next = std::next(one);
    View& view = one->second;
    if (view.end <= at.now) {
      end(one, {"view-over", "It was open for as long as it may be at once; open it again."});
    } else if (!view.there.empty() && at.tick - view.said > limits_.silence_max) {
      end(one, {"origin-silent",
                fmt::format("{} cannot be asked now whether this may still be seen.", view.service.text())});
    } else if (is_partners(view) && at.tick - view.said > limits_.unwatched_max) {
      end(one, {"view-unwatched", "The reader's node asks about it no more."});
    } else if (view.due <= at.now) {
      doubt(view);
    }
    one = next;
  }
  go_on(newest, at);
}

void Views::sign_ins_changed(const PersonId& person) {
  const auto theirs = by_person_.find({self_, person});
  if (theirs == by_person_.end()) return;
  std::vector<std::string> left;
  for (const auto& [number, id] : theirs->second) {
    if (!hooks_.signed_in(views_.at(id).page)) left.push_back(id);
  }
  end_those(left, {"signed-out", "You are signed out."});
  tell();
}

void Views::sign_ins_changed() {
  std::vector<std::string> left;
  for (const auto& [page, ids] : by_page_) {
    if (!hooks_.signed_in(page)) left.insert(left.end(), ids.begin(), ids.end());
  }
  end_those(left, {"signed-out", "You are signed out."});
  tell();
}

void Views::end_all(const ViewEnd& why) {
  while (!views_.empty()) end(views_.begin(), why);
  tell();
}

bool Views::close(const PersonId& person, const std::string& id) {
  const auto at = views_.find(id);
  if (at == views_.end() || is_partners(at->second) || at->second.ask.who.id != person) return false;
  end(at, {std::string(kClosed), "You closed it."});
  tell();
  return true;
}

std::vector<std::string> Views::held_at(const PartnerCode& service) const {
  std::vector<std::string> out;
  const auto at = by_service_.find(service);
  if (at == by_service_.end()) return out;
  for (const auto& [there, here] : at->second) out.push_back(there);
  return out;
}

std::set<PartnerCode> Views::services() const {
  std::set<PartnerCode> out;
  for (const auto& [service, views] : by_service_) out.insert(service);
  return out;
}

void Views::heard(const PartnerCode& service, const std::vector<std::string>& asked_about,
                  const std::vector<std::pair<std::string, std::string>>& ended, Tick asked) {
  const auto here = [&](const std::string& there) {
    const auto at = by_service_.find(service);
    if (at == by_service_.end() || !at->second.contains(there)) return views_.end();
    return views_.find(at->second.at(there));
  };
  for (const auto& [there, why] : ended) {
    const auto view = here(there);
    if (view != views_.end()) end(view, {std::string(kOriginEnded), why});
  }
  for (const std::string& there : asked_about) {
    const auto view = here(there);
    if (view != views_.end()) view->second.said = std::max(view->second.said, asked);
  }
  tell();
}

std::set<PartnerCode> Views::closing() const {
  std::set<PartnerCode> out;
  for (const auto& [service, names] : closed_) out.insert(service);
  return out;
}

std::vector<std::string> Views::take_closed(const PartnerCode& service) {
  const auto at = closed_.find(service);
  if (at == closed_.end()) return {};
  std::vector<std::string> out = std::move(at->second);
  closed_.erase(at);
  return out;
}

std::vector<std::pair<std::string, std::string>> Views::watched(const PartnerCode& by,
                                                                const std::vector<std::string>& ids,
                                                                ViewMoment at) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string& id : ids) {
    const auto view = views_.find(id);
    if (view != views_.end() && view->second.ask.who.partner == by) {
      view->second.said = at.tick;
      continue;
    }
    // Another nation's, or of an earlier life of this node: nobody learns which.
    const auto over = over_.find(id);
    const bool told = over != over_.end() && over->second.partner == by;
    out.emplace_back(id, told ? over->second.why : "It is not known any more where it came from.");
  }
  return out;
}

bool Views::doubted(const std::vector<std::string>& ids) const {
  return std::ranges::any_of(ids, [&](const std::string& id) {
    const View* view = find(id);
    return view != nullptr && view->doubted;
  });
}

void Views::closed(const PartnerCode& by, const std::vector<std::string>& ids) {
  for (const std::string& id : ids) {
    const auto view = views_.find(id);
    if (view != views_.end() && is_partners(view->second) && view->second.ask.who.partner == by)
      end(view, {std::string(kClosed), "It was closed."});
  }
  tell();
}

std::vector<std::string> Views::ids() const {
  std::vector<std::string> out;
  out.reserve(views_.size());
  for (const auto& [id, view] : views_) out.push_back(id);
  return out;
}

const View* Views::find(const std::string& id) const {
  const auto at = views_.find(id);
  return at == views_.end() ? nullptr : &at->second;
}

}  // namespace entente::data
