#include "exchange/switchboard.h"

#include "base/log.h"
#include "crypto/digest.h"
#include "exchange/lane.h"

#include <algorithm>

namespace entente::exchange {

struct Switchboard::Waiting {
  explicit Waiting(net::Loop& loop) : done(loop) {}
  net::Event done;
  std::optional<OpenAnswer> answer;
};

Switchboard::Switchboard(net::Loop& loop, const Clock& clock, Archive& archive, Statements& statements,
                         std::shared_ptr<const Rules> rules, Exchange::Options options)
    : loop_(loop),
      clock_(clock),
      archive_(archive),
      rules_(std::move(rules)),
      rules_now_(rules_),
      now_ms_(clock.now().time_since_epoch().count()) {
  core_ = std::make_unique<Exchange>(rules_, statements, [] { return crypto::random_token(16); }, options);
  publish_roster();
  keep_time();
}

Switchboard::~Switchboard() {
  *alive_ = false;
}

// Ticks come each 100 ms, or sooner when something ends sooner.
void Switchboard::keep_time() {
  Millis wait = kTickEvery;
  const Instant due = core_->next_due();
  if (due != kNever) wait = std::clamp(due - clock_.now(), Millis(1), kTickEvery);
  timer_ = loop_.after(wait, [this] {
    core_->strangers_refused(strangers_.exchange(0));
    core_->partners_over_budget(over_budget_.exchange(0));
    carry_out(core_->tick(moment()));
    if (std::exchange(roster_moved_, false)) publish_roster();
    keep_time();
  });
}

void Switchboard::carry_out(Effects effects) {
  now_ms_.store(core_->now().time_since_epoch().count(), std::memory_order_relaxed);
  ahead_ms_.store(core_->ahead().count(), std::memory_order_relaxed);
  for (Effect& effect : effects) carry_out_one(effect);
  spread(std::exchange(news_, {}));
  if (!core_->busy() || stepping_) return;
  // A wave is asked in slices, so that other people's bytes go on in between.
  stepping_ = true;
  loop_.post([this, alive = alive_] {
    if (!*alive) return;
    stepping_ = false;
    carry_out(core_->step(moment()));
  });
}

// The control loop's own streams have heard already, in the order of the effects.
void Switchboard::spread(News news) {
  if (lanes_.size() < 2 || (news.released.empty() && news.ended.empty())) return;
  const auto shared = std::make_shared<const News>(std::move(news));
  for (Lane* lane : lanes_) {
    if (lane->is_control()) continue;
    lane->loop().post([lane, shared] {
      for (const SessionId& session : shared->ended) lane->ended(session);
      for (const SessionId& session : shared->released) lane->released(session);
    });
  }
}

std::shared_ptr<Switchboard::Seen> Switchboard::seen_by_all() {
  auto seen = std::make_shared<Seen>(loop_, std::max<size_t>(lanes_.size(), 1));
  const auto went_on = [&clock = clock_](Seen& on) {
    if (--on.left != 0) return;
    on.at = clock.tick();
    on.done.set();
  };
  for (Lane* lane : lanes_) {
    if (lane->is_control()) continue;
    lane->loop().post([control = &loop_, kept = seen, went_on]() mutable {
      control->post([back = std::move(kept), went_on] { went_on(*back); });
    });
  }
  went_on(*seen);  // this loop does
  return seen;
}

void Switchboard::answer(uint64_t token, const Result<void>& result) {
  carry_out(result ? core_->durable(moment(), token) : core_->failed(moment(), token, result.error()));
}

void Switchboard::carry_out_one(Effect& effect) {
  const auto done_for = [this](uint64_t token) {
    return [this, token, alive = alive_](const Result<void>& result) {
      if (*alive) answer(token, result);
    };
  };
  if (auto* send = std::get_if<SendControl>(&effect)) {
    const auto at = links_.find({send->partner, send->way});
    if (at != links_.end()) at->second(send->message);
  } else if (auto* commit = std::get_if<CommitEffect>(&effect)) {
    archive_.commit({std::move(commit->ops), std::move(commit->leaf)}, done_for(commit->token));
  } else if (auto* append = std::get_if<AppendEffect>(&effect)) {
    archive_.append(std::move(append->leaf), append->narrowing, done_for(append->token));
  } else if (auto* opened = std::get_if<Opened>(&effect)) {
    passes_.put(std::make_shared<const Pass>(opened->pass));
    const auto at = waiting_.find(opened->opening);
    if (at != waiting_.end()) {
      at->second->answer = opened->pass;
      at->second->done.set();
      waiting_.erase(at);
    }
  } else if (auto* refused = std::get_if<Refused>(&effect)) {
    const auto at = waiting_.find(refused->opening);
    if (at != waiting_.end()) {
      at->second->answer = refused->ending;
      at->second->done.set();
      waiting_.erase(at);
    }
  } else if (auto* released = std::get_if<ReleasedEffect>(&effect)) {
    if (!lanes_.empty()) lanes_.front()->released(released->session);
    news_.released.push_back(released->session);
  } else if (auto* changed = std::get_if<PassChanged>(&effect)) {
    if (passes_.find(changed->pass.id)) passes_.put(std::make_shared<const Pass>(changed->pass));
  } else if (auto* ended = std::get_if<Ended>(&effect)) {
    const std::shared_ptr<const Pass> pass = passes_.take(ended->session);
    if (!pass) return;
    if (!lanes_.empty()) lanes_.front()->ended(ended->session);
    news_.ended.push_back(ended->session);
    if (watcher_.ended) watcher_.ended(*ended, *pass);
  } else if (auto* dropped = std::get_if<ConnectorDropped>(&effect)) {
    if (watcher_.connector_dropped) watcher_.connector_dropped(dropped->connector);
  } else if (auto* fence = std::get_if<FenceNoted>(&effect)) {
    log(LogLevel::warning, "exchange", fence->closed ? "fenced a partner" : "lifted a fence",
        {{"partner", fence->partner.text()},
         {"durable", fence->durable},
         {"sessions", static_cast<int64_t>(fence->sessions)},
         {"why", fence->why}});
  } else if (auto* heard = std::get_if<Heard>(&effect)) {
    if (watcher_.heard) watcher_.heard(*heard);
  } else if (auto* welcomed = std::get_if<Welcomed>(&effect)) {
    if (watcher_.welcomed) watcher_.welcomed(welcomed->partner);
  } else if (auto* alarm = std::get_if<Alarm>(&effect)) {
    log(LogLevel::warning, "exchange", alarm->what, {{"code", alarm->code}});
    if (watcher_.alarm) watcher_.alarm(*alarm);
  }
}

net::Task<Switchboard::OpenAnswer> Switchboard::open(Opening opening) {
  auto waiting = std::make_shared<Waiting>(loop_);
  opening.number = next_opening_++;
  const uint64_t number = opening.number;
  waiting_[number] = waiting;
  carry_out(core_->person_opens(moment(), std::move(opening)));
  const bool done = co_await waiting->done.wait(Limits{}.asking_max + Seconds(5));
  (void)done;  // an answer that came together with the timeout counts
  if (waiting->answer) co_return *std::move(waiting->answer);
  waiting_.erase(number);
  carry_out(core_->person_gave_up(moment(), number));
  co_return Ending{coalition::Refusal::app_down,
                   "The other nation's node did not answer in time.",
                   "Try again in a minute.",
                   {},
                   {},
                   {}};
}

void Switchboard::restore(std::vector<KeptSession> sessions, const std::optional<Ending>& end) {
  carry_out(core_->restore(moment(), std::move(sessions), end));
}

void Switchboard::sign_out(const PersonId& who, Ending why) {
  carry_out(core_->person_signed_out(moment(), who, std::move(why)));
}

void Switchboard::close(const SessionId& session, Ending why) {
  carry_out(core_->session_closed(moment(), session, std::move(why)));
}

bool Switchboard::may_record_refusal() {
  const std::lock_guard lock(refusals_mutex_);
  return refusals_.take(clock_.tick());
}

void Switchboard::record(Leaf leaf) {
  archive_.append(std::move(leaf), false, [](const Result<void>&) {});
}

void Switchboard::link_up(const PartnerCode& partner, Way way, Send send) {
  links_[{partner, way}] = std::move(send);
  carry_out(core_->link_up(moment(), partner, way));
}

void Switchboard::link_down(const PartnerCode& partner, Way way) {
  links_.erase({partner, way});
  carry_out(core_->link_down(moment(), partner, way));
}

void Switchboard::received(const PartnerCode& partner, Way way, const Json& message) {
  carry_out(core_->received(moment(), partner, way, message));
}

void Switchboard::tell(const PartnerCode& partner, Way way, link::Told told, const Exchange::About* about) {
  carry_out(core_->tell(moment(), partner, way, std::move(told), about));
}

void Switchboard::publish_roster() {
  roster_.set(std::make_shared<const ConnectorRoster>(core_->roster()));
}

bool Switchboard::connector_up(const ConnectorId& connector, std::string thumbprint) {
  const bool up = core_->connector_up(moment(), connector, std::move(thumbprint));
  publish_roster();
  return up;
}
void Switchboard::connector_down(const ConnectorId& connector) {
  Effects effects = core_->connector_down(moment(), connector);
  publish_roster();
  carry_out(std::move(effects));
}
void Switchboard::connector_measured(const ConnectorId& connector, std::chrono::microseconds round_trip) {
  core_->connector_measured(moment(), connector, round_trip);
  roster_moved_ = true;  // published with the next tick: distances are no hurry
}
void Switchboard::connector_failed(const ConnectorId& connector) {
  core_->connector_failed(connector);
  publish_roster();
}

void Switchboard::app_away(const ConnectorId& connector, const AppId& app) {
  core_->app_away(connector, app, moment().tick);
  publish_roster();
}

void Switchboard::app_back(const ConnectorId& connector, const AppId& app) {
  core_->app_back(connector, app);
  publish_roster();
}

size_t Switchboard::world_published(std::shared_ptr<const Rules> rules, const coalition::Touch& touch,
                                    std::shared_ptr<const Rules> acting) {
  rules_ = acting ? acting : rules;
  rules_now_.set(acting ? rules_of_both(rules, acting) : rules);
  Effects effects = core_->world_published(moment(), std::move(rules), touch, std::move(acting));
  publish_roster();
  size_t held = 0, released = 0;
  for (const Effect& effect : effects) {
    held += std::holds_alternative<HeldEffect>(effect) ? 1 : 0;
    released += std::holds_alternative<ReleasedEffect>(effect) ? 1 : 0;
  }
  carry_out(std::move(effects));
  return held - std::min(held, released);
}

void Switchboard::close_all(const Ending& why) {
  std::vector<SessionId> all;
  for (const Session* session : core_->sessions()) all.push_back(session->id);
  for (const SessionId& id : all) carry_out(core_->session_closed(moment(), id, why));
  carry_out(core_->tick(moment()));  // the requests of the last second
}

}  // namespace entente::exchange
