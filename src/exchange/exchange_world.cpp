// How somebody loses it: what a commit, the time or new facts touch is held, asked again under the newest
// world, and goes on or is cut.
#include "exchange/exchange_core.h"

#include <algorithm>

#include <fmt/core.h>

namespace entente::exchange {

coalition::Verdict Exchange::Core::ask(const Session& s) const {
  coalition::Verdict verdict = ask_of_world(s, *rules_);
  if (!verdict.permit) return verdict;
  if (std::optional<coalition::Verdict> refusal = narrowed(s, verdict.valid_until))
    return *std::move(refusal);
  return verdict;
}

std::optional<coalition::Verdict> Exchange::Core::narrowed(const Session& s, Instant& until) const {
  if (acting_ == rules_ || !defences_.fence) return std::nullopt;
  coalition::Verdict verdict = ask_of_world(s, *acting_);
  if (!verdict.permit) return verdict;
  until = std::min(until, verdict.valid_until);
  return std::nullopt;
}

coalition::Verdict Exchange::Core::ask_of_world(const Session& s, const Rules& rules, Instant now) const {
  coalition::Ask question;
  question.id = VerdictId(draw_());
  question.action = coalition::Action::open;
  question.who = s.who;
  question.target = s.app;
  question.now = now;
  question.context = s.context;
  question.purpose = s.purpose;
  question.entered_by = s.entered_by;
  question.inside = s.verdict.permit;  // decided once: this is not its admission
  coalition::Verdict verdict = rules.decide(question);
  // A wall clock that was set back gives no time back: as much has passed as the machine's own clock says.
  const Instant lived = s.counted_from + std::chrono::duration_cast<Millis>(tick_ - s.opened_tick);
  const Millis behind = lived - now;
  if (!verdict.permit || behind <= limits_.clock_step) return verdict;
  question.now = lived;
  coalition::Verdict later = rules.decide(question);
  if (later.valid_until != kNever) later.valid_until -= behind;
  later.valid_until = std::min(later.valid_until, verdict.valid_until);
  for (policy::EntityUid& uid : verdict.reach.entities)
    if (!std::ranges::binary_search(later.reach.entities, uid))
      later.reach.entities.push_back(std::move(uid));
  std::ranges::sort(later.reach.entities);
  for (std::string& type : verdict.reach.types)
    if (!std::ranges::binary_search(later.reach.types, type)) later.reach.types.push_back(std::move(type));
  std::ranges::sort(later.reach.types);
  return later;
}

bool Exchange::Core::judge(Session& s) {
  coalition::Verdict verdict = ask_of_world(s, *rules_);
  const bool permit = verdict.permit;
  const bool changed =
      permit && (verdict.obligations != s.verdict.obligations || verdict.reasons != s.verdict.reasons);
  // The same answer for the same reasons stays the verdict on record: its id is one that can be looked up.
  if (permit && !changed && !s.verdict.id.empty()) verdict.id = s.verdict.id;
  const Instant due = s.stage == Stage::live && permit ? verdict.valid_until : kNever;
  table_.judged(s, std::move(verdict), due);
  s.must_ask = false;
  if (changed) {
    append_kept(session_leaf("verdict", s));
    if (s.stage == Stage::live) renew_pass(s);
  }
  return permit;
}

void Exchange::Core::queue(Session& s, bool hold_first) {
  if (s.stage != Stage::live) {
    s.must_ask = true;
    return;
  }
  // Behind a fence that is not durable nothing passes, and nobody need be asked until it opens or stays.
  if ((s.holds & kHeldByFence) != 0 && peer(s.partner).fence == FenceState::unconfirmed) return;
  if (hold_first && defences_.hold) hold(s, kHeldForAsk);
  if (s.queued) return;
  s.queued = true;
  queue_.push_back(s.serial);
}

// Always under the newest world, so that worlds in between cost nothing.
void Exchange::Core::wave() {
  for (size_t asked = 0; asked < limits_.wave_max && !queue_.empty(); ++asked) {
    Session* s = table_.by_serial(queue_.front());
    queue_.pop_front();
    if (s == nullptr) continue;
    s->queued = false;
    Instant until = kNever;
    if (!judge(*s)) {
      end(*s, ending_of(s->verdict));
    } else if (narrowed(*s, until)) {
      hold(*s, kHeldByNarrowing);
      narrowed_.insert(s->serial);
      unhold(*s, kHeldForAsk);
    } else {
      if (until < s->verdict.valid_until) table_.judged(*s, s->verdict, until);
      if (narrowed_.erase(s->serial) > 0) unhold(*s, kHeldByNarrowing);
      unhold(*s, kHeldForAsk);
    }
  }
}

void Exchange::Core::hold(Session& s, uint32_t cause) {
  const bool was_open = s.open();
  s.holds |= cause;
  s.gate->hold();
  if (!was_open) return;
  effects_.emplace_back(HeldEffect{s.id});
  if (s.side == Side::host) to_tell_.insert(s.serial);
}

void Exchange::Core::unhold(Session& s, uint32_t cause) {
  const bool was_open = s.open();
  s.holds &= ~cause;
  if (was_open || !s.open()) return;
  s.gate->release();
  effects_.emplace_back(ReleasedEffect{s.id});
  if (s.side == Side::host) to_tell_.insert(s.serial);
}

void Exchange::Core::end(Session& s, Ending ending, bool tell) {
  s.gate->cut();
  const bool live = s.stage == Stage::live;
  // Also what nobody decided here (a lost link, a partner's notice) gets an id that a person can quote.
  if (ending.verdict.empty()) ending.verdict = VerdictId(draw_());
  Leaf leaf = session_leaf(live ? "ending" : "refusal", s);
  leaf.fields.emplace_back("ending", ending_json(ending));
  leaf.fields.emplace_back("requests", s.gate->requests());
  append_kept(std::move(leaf));
  if (s.side == Side::home) {
    Peer& host = peer(s.partner);
    host.asking.requests.erase(s.request);
    host.asking.sessions.erase(s.at_host);
    if (tell && !s.at_host.empty()) to_host(host, link::EndSession{s.at_host});
  }
  if (s.side == Side::host && tell) {
    Peer& home = peer(s.partner);
    if (live) {
      to_home(home, link::CutNotice{s.id, ending});
    } else {
      refuse_ask(home, s.request, ending);
    }
  }
  if (live || s.side == Side::host) {
    effects_.emplace_back(Ended{s.id, s.side, s.opening, std::move(ending)});
  } else {
    effects_.emplace_back(Refused{s.opening, std::move(ending)});
  }
  pending_.erase(s.serial);
  to_tell_.erase(s.serial);
  narrowed_.erase(s.serial);
  table_.erase(s.serial);
}

// Those that are not listed any more, or have ended.
void Exchange::Core::drop_connectors() {
  for (const ConnectorId& id : roster_.world_changed(*acting_, now_))
    effects_.emplace_back(ConnectorDropped{id});
}

void Exchange::Core::published(std::shared_ptr<const Rules> rules, std::shared_ptr<const Rules> acting,
                               const coalition::Touch& touch) {
  if (rules->revision() < rules_->revision()) return;  // a newer one is here already
  rules_ = std::move(rules);
  acting_ = acting ? std::move(acting) : rules_;
  standings_changed();  // first: from here on nothing passes, whatever follows takes its time
  drop_connectors();
  const std::set<uint64_t> withheld = narrowed_;
  for (const uint64_t serial : withheld) queue(*table_.by_serial(serial), true);
  if (touch.policies) {
    for (const auto& [serial, session] : table_.all()) queue(*session, !touch.only_widens);
  } else {
    for (const uint64_t serial : table_.touched_by(touch.entities))
      queue(*table_.by_serial(serial), !touch.only_widens);
  }
}

FenceState Exchange::Core::fence_wanted(const PartnerCode& partner, Shut& why) const {
  const bool durable = rules_->standing(partner) != Standing::active;
  if (!durable && (!defences_.fence || acting_->standing(partner) == Standing::active))
    return FenceState::open;
  const Rules& says = durable ? *rules_ : *acting_;
  why = {says.standing(partner) == Standing::isolated, says.standing_reason(partner)};
  return durable ? FenceState::confirmed : FenceState::unconfirmed;
}

void Exchange::Core::standings_changed() {
  for (auto& [code, partner] : peers_) {
    Shut why;
    const FenceState wanted = fence_wanted(code, why);
    if (wanted == partner.fence && why == partner.shut) continue;
    if (wanted == FenceState::open) {
      open_fence(partner);
    } else {
      close_fence(partner, wanted, std::move(why));
    }
  }
}

void Exchange::Core::close_fence(Peer& partner, FenceState state, Shut why) {
  partner.serving.fence->close();  // one store each
  partner.asking.fence->close();
  partner.fence = state;
  partner.shut = std::move(why);
  size_t sessions = 0;
  for (const Side side : {Side::home, Side::host}) {
    for (const uint64_t serial : table_.of_partner(partner.code, side)) {
      Session& s = *table_.by_serial(serial);
      hold(s, kHeldByFence);
      s.told_held = true;  // the notice about the partner says so for all
      if (state == FenceState::confirmed) queue(s, true);
      ++sessions;
    }
  }
  const bool durable = state == FenceState::confirmed;
  effects_.emplace_back(FenceNoted{partner.code, true, durable, sessions, partner.shut.reason});
  notify_standing(partner);
}

void Exchange::Core::open_fence(Peer& partner) {
  partner.fence = FenceState::open;
  partner.shut = {};
  for (const Side side : {Side::home, Side::host}) {
    for (const uint64_t serial : table_.of_partner(partner.code, side)) {
      Session& s = *table_.by_serial(serial);
      hold(s, kHeldForAsk);
      queue(s, true);
      unhold(s, kHeldByFence);
      if (s.told_held) to_tell_.insert(serial);
    }
  }
  partner.serving.fence->open();
  partner.asking.fence->open();
  effects_.emplace_back(FenceNoted{partner.code, false, true, 0, {}});
  notify_standing(partner);
}

void Exchange::Core::signed_out(const PersonId& who, const Ending& why) {
  for (const uint64_t serial : table_.of_person(who)) {
    Session* s = table_.by_serial(serial);
    if (s != nullptr && s->side != Side::host) end(*s, why);
  }
}

void Exchange::Core::new_facts(const PersonId& who, const coalition::Facts& facts) {
  for (const uint64_t serial : table_.of_person(who)) {
    Session* s = table_.by_serial(serial);
    if (s == nullptr || s->side == Side::host) continue;
    s->who.facts = facts;
    queue(*s, true);
    renew_pass(*s);
    append_kept(session_leaf("facts", *s));  // a restart goes on with these
    push_statement(*s);
  }
}

void Exchange::Core::renew_pass(Session& s) {
  s.gate->supersede();
  effects_.emplace_back(PassChanged{pass_of(s)});
}

}  // namespace entente::exchange
