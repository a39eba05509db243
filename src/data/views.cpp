#include "data/views.h"

#include "crypto/digest.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::data {
namespace {

constexpr size_t kViewIdBytes = 16;

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

void Views::make_room(const coalition::Person& who) {
  const auto theirs = by_person_.find({who.partner, who.id});
  if (theirs == by_person_.end() || theirs->second.size() < limits_.per_person_max) return;
  end(views_.find(theirs->second.begin()->second),
      {"view-oldest", fmt::format("You have opened {} others since.", limits_.per_person_max)});
}

Result<View> Views::open(View view, coalition::Verdict verdict, ViewMoment at) {
  const coalition::Person& who = view.ask.who;
  if (!is_partners(view) && !hooks_.signed_in(view.page))
    return fail("kas.views", "nobody is signed in there any more");
  make_room(who);
  const auto others = by_partner_.find(who.partner);
  const bool crowded =
      is_partners(view) && others != by_partner_.end() && others->second >= limits_.per_partner_max;
  if (views_.size() >= limits_.views_max || crowded)
    return fail("kas.views", "more is open for viewing than this node looks after");
  const Instant latest = std::min(view.end, at.now + limits_.life_max);
  view.end = earliest_end(view.ask.context, earliest_end(who.facts, latest, at.now), at.now);
  view.id = crypto::random_token(kViewIdBytes);
  view.last = std::move(verdict);
  view.said = at.tick;
  view.due = due_of(view, at.now);
  view.number = ++opened_;
  ++by_partner_[who.partner];
  by_person_[{who.partner, who.id}].emplace(view.number, view.id);
  if (!view.there.empty()) by_service_[view.service][view.there] = view.id;
  const auto kept = views_.emplace(view.id, std::move(view)).first;
  index(kept->second);
  hooks_.opened(kept->second);
  return kept->second;
}

Instant Views::due_of(const View& view, Instant now) const {
  return std::min({view.end, view.last.valid_until, now + limits_.ask_again});
}

void Views::end(Table::iterator at, ViewEnd why) {
  const View view = std::move(at->second);
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
  }
  if (is_partners(view)) {
    over_[view.id] = {who.partner, why.why};
    over_order_.push_back(view.id);
    if (over_order_.size() > limits_.ended_max) {
      over_.erase(over_order_.front());
      over_order_.pop_front();
    }
  }
  hooks_.ended(view, why);
}

// `unwanted` answers why one ends, or nothing.
template <class Unwanted>
void Views::end_if(Unwanted unwanted) {
  for (auto at = views_.begin(); at != views_.end();) {
    const auto next = std::next(at);
    if (std::optional<ViewEnd> why = unwanted(at->second)) end(at, *std::move(why));
    at = next;
  }
}

void Views::ask(Table::iterator at, const coalition::World& newest, Instant now) {
  View& view = at->second;
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
  std::set<std::string> touched;
  const auto add = [&](const auto& table, const auto& key) {
    const auto found = table.find(key);
    if (found != table.end()) touched.insert(found->second.begin(), found->second.end());
  };
  for (const policy::EntityUid& uid : touch.entities) {
    add(by_entity_, uid);
    add(by_type_, uid.type);
  }
  if (touch.policies) {
    for (const auto& [id, view] : views_) touched.insert(id);
  }
  for (const std::string& id : touched) ask(views_.find(id), newest, at.now);
}

void Views::time_passed(const coalition::World& newest, ViewMoment at) {
  for (auto one = views_.begin(); one != views_.end();) {
    const auto next = std::next(one);
    const View& view = one->second;
    if (view.end <= at.now) {
      end(one, {"view-over", "It was open for as long as it may be at once; open it again."});
    } else if (!view.there.empty() && at.tick - view.said > limits_.silence_max) {
      end(one, {"origin-silent",
                fmt::format("{} cannot be asked now whether this may still be seen.", view.service.text())});
    } else if (is_partners(view) && at.tick - view.said > limits_.unwatched_max) {
      end(one, {"view-unwatched", "The reader's node asks about it no more."});
    } else if (view.due <= at.now) {
      ask(one, newest, at.now);
    }
    one = next;
  }
}

void Views::sign_ins_changed() {
  end_if([this](const View& view) -> std::optional<ViewEnd> {
    if (is_partners(view) || hooks_.signed_in(view.page)) return std::nullopt;
    return ViewEnd{"signed-out", "You are signed out."};
  });
}

bool Views::close(const PersonId& person, const std::string& id) {
  const auto at = views_.find(id);
  if (at == views_.end() || is_partners(at->second) || at->second.ask.who.id != person) return false;
  end(at, {"view-closed", "You closed it."});
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
    if (view != views_.end()) end(view, {"origin-ended", why});
  }
  for (const std::string& there : asked_about) {
    const auto view = here(there);
    if (view != views_.end()) view->second.said = std::max(view->second.said, asked);
  }
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

const View* Views::find(const std::string& id) const {
  const auto at = views_.find(id);
  return at == views_.end() ? nullptr : &at->second;
}

}  // namespace entente::data
