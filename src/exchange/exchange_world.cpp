// How somebody loses it: what a commit, the time or new facts touch is held, asked again under the newest
// world, and goes on or is cut.
#include "exchange/exchange_core.h"

#include <algorithm>

#include <fmt/core.h>

namespace entente::exchange {

coalition::Verdict Exchange::Core::ask(const Session& s) const {
  coalition::Ask question;
  question.id = VerdictId(draw_());
  question.action = coalition::Action::open;
  question.who = s.who;
  question.target = s.app;
  question.now = now_;
  question.context = s.context;
  question.purpose = s.purpose;
  coalition::Verdict verdict = rules_->decide(question);
  // A wall clock that was set back gives no time back: as much has passed as the machine's own clock says.
  const Instant lived = s.opened + std::chrono::duration_cast<Millis>(tick_ - s.opened_tick);
  const Millis behind = lived - now_;
  if (!verdict.permit || behind <= limits_.clock_step) return verdict;
  question.now = lived;
  coalition::Verdict later = rules_->decide(question);
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
  coalition::Verdict verdict = ask(s);
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
    if (s.stage == Stage::live) effects_.emplace_back(PassChanged{pass_of(s)});
  }
  return permit;
}

void Exchange::Core::queue(Session& s, bool hold_first) {
  if (s.stage != Stage::live) {
    s.must_ask = true;
    return;
  }
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
    if (judge(*s)) {
      unhold(*s, kHeldForAsk);
    } else {
      end(*s, ending_of(s->verdict));
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
  table_.erase(s.serial);
}

void Exchange::Core::published(std::shared_ptr<const Rules> rules, const coalition::Touch& touch) {
  if (rules->revision() < rules_->revision()) return;  // a newer one is here already
  rules_ = std::move(rules);
  for (const ConnectorId& id : roster_.world_changed(*rules_, now_))
    effects_.emplace_back(ConnectorDropped{id});
  if (touch.policies) {
    for (const auto& [serial, session] : table_.all()) queue(*session, !touch.only_widens);
  } else {
    for (const uint64_t serial : table_.touched_by(touch.entities))
      queue(*table_.by_serial(serial), !touch.only_widens);
  }
  standings_changed();
}

void Exchange::Core::standings_changed() {
  for (auto& [code, partner] : peers_) {
    const bool active = rules_->standing(code) == Standing::active;
    if (!active && partner.fence != FenceState::confirmed)
      close_fence(partner, FenceState::confirmed, rules_->standing_reason(code));
    if (active && partner.fence == FenceState::confirmed) open_fence(partner);
  }
}

void Exchange::Core::close_fence(Peer& partner, FenceState state, std::string reason) {
  partner.serving.fence
      ->close();  // one store each: from here on nothing passes, whatever follows takes its time
  partner.asking.fence->close();
  partner.fence = state;
  partner.fence_reason = std::move(reason);
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
  effects_.emplace_back(FenceNoted{partner.code, true, durable, sessions, partner.fence_reason});
  notify_standing(partner);
}

void Exchange::Core::open_fence(Peer& partner) {
  partner.fence = FenceState::open;
  partner.fence_reason.clear();
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

void Exchange::Core::fence(const PartnerCode& partner, std::string reason) {
  Peer* found = known_peer(partner);
  if (found == nullptr || found->fence == FenceState::confirmed || !defences_.fence) return;
  close_fence(*found, FenceState::unconfirmed, std::move(reason));
}

void Exchange::Core::fence_failed(const PartnerCode& partner, const Error& why) {
  const Peer* found = known_peer(partner);
  if (found == nullptr || found->fence != FenceState::unconfirmed) return;
  const size_t sessions =
      table_.count_of_partner(partner, Side::home) + table_.count_of_partner(partner, Side::host);
  effects_.emplace_back(FenceNoted{partner, true, false, sessions, "fenced, not yet durable: " + why.what});
}

void Exchange::Core::lift_fence(const PartnerCode& partner) {
  Peer* found = known_peer(partner);
  if (found != nullptr && found->fence == FenceState::unconfirmed) open_fence(*found);
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
    effects_.emplace_back(PassChanged{pass_of(*s)});
    push_statement(*s);
  }
}

void Exchange::Core::new_context(Session& s, const coalition::Facts& context) {
  s.context = context;
  queue(s, true);
  effects_.emplace_back(PassChanged{pass_of(s)});
  if (s.side == Side::home) push_statement(s);
}

}  // namespace entente::exchange
