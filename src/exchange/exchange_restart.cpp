// What comes back after a restart, and what of it goes on: only what the newest world still permits, what the
// other node has too, and whom their nation vouches for anew.
#include "exchange/exchange_core.h"

#include <fmt/core.h>

namespace entente::exchange {

namespace {

Ending not_returned(std::string what) {
  Ending ending;
  ending.which = coalition::Refusal::lease_ended;
  ending.what = std::move(what);
  ending.change = "Open the app again once the nations are connected.";
  return ending;
}

Session session_of(KeptSession kept) {
  Session s;
  s.id = std::move(kept.id);
  s.side = kept.side;
  s.stage = Stage::live;
  s.recorded = true;
  s.partner = std::move(kept.partner);
  s.app = std::move(kept.app);
  s.who = std::move(kept.who);
  s.context = std::move(kept.context);
  s.purpose = std::move(kept.purpose);
  s.sign_in = std::move(kept.sign_in);
  s.request = std::move(kept.request);
  s.at_host = std::move(kept.at_host);
  s.connector = std::move(kept.connector);
  s.entered_by = std::move(kept.entered_by);
  s.opened = kept.admitted;
  s.requests_recorded = kept.requests;
  s.came_back = true;
  s.verdict.id = std::move(kept.verdict);
  s.verdict.permit = true;  // it was let in: what follows is no admission
  return s;
}

// What no leaf of this node's would say.
bool makes_sense(const KeptSession& kept, const PartnerCode& self) {
  const bool own = kept.app.owner == self;
  if (kept.id.empty() || kept.who.id.empty()) return false;
  switch (kept.side) {
    case Side::local:
      return own && kept.partner == self;
    case Side::home:
      return !own && kept.partner == kept.app.owner && !kept.at_host.empty();
    case Side::host:
      return own && kept.partner != self && !kept.partner.empty();
  }
  return false;
}

}  // namespace

void Exchange::Core::restore(KeptSession kept, const std::optional<Ending>& end_all) {
  if (!makes_sense(kept, rules_->self()) || table_.by_id(kept.id) != nullptr) return;
  Session made = session_of(std::move(kept));
  made.counted_from = now_;
  made.opened_tick = tick_;
  Peer* const other = made.side == Side::local ? nullptr : &peer(made.partner);
  made.gate = std::make_shared<Gate>(other == nullptr          ? no_fence_
                                     : made.side == Side::home ? other->asking.fence
                                                               : other->serving.fence);
  made.gate->count_from(made.requests_recorded);
  std::optional<Ending> why = end_all;
  if (!why && other != nullptr && other->fence != FenceState::open) why = fence_ending(*other);
  if (!why) why = no_room(made);
  Session& s = table_.add(std::move(made));
  effects_.emplace_back(Opened{0, pass_of(s)});
  if (s.side == Side::home) other->asking.sessions.emplace(s.at_host, s.serial);
  if (why) return end(s, *std::move(why));
  if (s.side == Side::home) {
    s.holds |= kHeldForReturn;
    other->asking.returning.insert(s.serial);
  } else if (s.side == Side::host) {
    if (defences_.vouch) s.holds |= kHeldForReturn;
    s.told_held = true;
    other->serving.heard = tick_;
    other->serving.returning.insert(s.serial);
  }
  effects_.emplace_back(HeldEffect{s.id});
  if (!defences_.anew) return s.open() ? s.gate->release() : void();
  s.holds |= kHeldForAsk;
  queue(s, true);
}

void Exchange::Core::returned(Session& s) {
  Peer& other = peer(s.partner);
  (s.side == Side::home ? other.asking.returning : other.serving.returning).erase(s.serial);
  unhold(s, kHeldForReturn);
}

// At our own pace: each new statement costs the disk here and there.
void Exchange::Core::vouch_for(Peer& host, const std::vector<SessionId>& sessions) {
  for (const SessionId& id : sessions)
    if (const Session* s = home_session(host.code, id)) host.asking.to_vouch.insert(s->serial);
  tick_returns(host);
}

void Exchange::Core::tick_returns(Peer& other) {
  std::set<uint64_t>& waiting = other.asking.to_vouch;
  while (!waiting.empty() && fresh(other.asking) && other.asking.vouched.take(tick_)) {
    Session* s = table_.by_serial(*waiting.begin());
    waiting.erase(waiting.begin());
    if (s == nullptr) continue;
    // One statement is about all that the person has open in the app.
    for (const uint64_t serial : table_.of_person(s->who.id)) {
      const Session* same = table_.by_serial(serial);
      if (same->app == s->app) waiting.erase(serial);
    }
    push_statement(*s);
  }
  const std::set<uint64_t> returning = other.serving.returning;
  for (const uint64_t serial : returning) {
    Session* s = table_.by_serial(serial);
    if (s != nullptr && tick_ - s->opened_tick < kVouchMax) continue;
    other.serving.returning.erase(serial);
    if (s != nullptr && (s->holds & kHeldForReturn) != 0)
      end(*s, not_returned(
                  fmt::format("{} did not vouch for its people anew.", rules_->partner_name(other.code))));
  }
}

}  // namespace entente::exchange
