#include "exchange/switchboard.h"

#include "base/log.h"
#include "crypto/digest.h"

#include <algorithm>

namespace entente::exchange {

struct Switchboard::Waiting {
  explicit Waiting(net::Loop& loop) : done(loop) {}
  net::Event done;
  std::optional<OpenAnswer> answer;
};

struct Switchboard::Live {
  explicit Live(net::Loop& loop) : moved(loop) {}
  std::shared_ptr<const Pass> pass;
  net::Event moved;  // pulsed when it is released or ends
  uint64_t next_stream = 1;
  std::map<uint64_t, std::function<void()>> streams;
  bool ended = false;
};

Switchboard::Switchboard(net::Loop& loop, const Clock& clock, Archive& archive, Statements& statements,
                         std::shared_ptr<const Rules> rules, Exchange::Options options)
    : loop_(loop), clock_(clock), archive_(archive), rules_(std::move(rules)) {
  core_ = std::make_unique<Exchange>(rules_, statements, [] { return crypto::random_token(16); }, options);
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
    carry_out(core_->tick(moment()));
    keep_time();
  });
}

void Switchboard::carry_out(Effects effects) {
  for (Effect& effect : effects) carry_out_one(effect);
  if (!core_->busy() || stepping_) return;
  // A wave is asked in slices, so that other people's bytes go on in between.
  stepping_ = true;
  loop_.post([this, alive = alive_] {
    if (!*alive) return;
    stepping_ = false;
    carry_out(core_->step(moment()));
  });
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
    archive_.commit(std::move(commit->ops), std::move(commit->leaf), done_for(commit->token));
  } else if (auto* append = std::get_if<AppendEffect>(&effect)) {
    archive_.append(std::move(append->leaf), append->narrowing, done_for(append->token));
  } else if (auto* opened = std::get_if<Opened>(&effect)) {
    auto live = std::make_shared<Live>(loop_);
    live->pass = std::make_shared<const Pass>(opened->pass);
    live_[opened->pass.id] = live;
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
    const auto at = live_.find(released->session);
    if (at != live_.end()) at->second->moved.pulse();
  } else if (auto* changed = std::get_if<PassChanged>(&effect)) {
    const auto at = live_.find(changed->pass.id);
    if (at != live_.end()) at->second->pass = std::make_shared<const Pass>(changed->pass);
  } else if (auto* ended = std::get_if<Ended>(&effect)) {
    const auto at = live_.find(ended->session);
    if (at == live_.end()) return;
    const std::shared_ptr<Live> live = at->second;
    live_.erase(at);
    live->ended = true;
    live->moved.set();
    const auto streams = std::move(live->streams);
    live->streams.clear();
    for (const auto& [number, abort] : streams) abort();
    if (watcher_.ended) watcher_.ended(*ended, *live->pass);
  } else if (auto* dropped = std::get_if<ConnectorDropped>(&effect)) {
    if (watcher_.connector_dropped) watcher_.connector_dropped(dropped->connector);
  } else if (auto* fence = std::get_if<FenceNoted>(&effect)) {
    log(LogLevel::warning, "exchange", fence->closed ? "fenced a partner" : "lifted a fence",
        {{"partner", fence->partner.text()},
         {"durable", fence->durable},
         {"sessions", static_cast<int64_t>(fence->sessions)},
         {"why", fence->why}});
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

void Switchboard::sign_out(const PersonId& who, Ending why) {
  carry_out(core_->person_signed_out(moment(), who, std::move(why)));
}

void Switchboard::close(const SessionId& session, Ending why) {
  carry_out(core_->session_closed(moment(), session, std::move(why)));
}

std::shared_ptr<const Pass> Switchboard::pass(const SessionId& session) const {
  const auto at = live_.find(session);
  return at == live_.end() ? nullptr : at->second->pass;
}

net::Task<bool> Switchboard::passage(SessionId session) {
  const Tick end = clock_.tick() + kHeldMax;
  while (true) {
    const auto at = live_.find(session);
    if (at == live_.end()) co_return false;
    const std::shared_ptr<Live> live = at->second;
    const Tick now = clock_.tick();
    if (live->pass->gate->passes(now)) co_return true;
    if (now >= end) co_return false;
    // A fence or a lease that opens again pulses nothing: look again soon.
    const bool moved = co_await live->moved.wait(Millis(20));
    if (moved && live->ended) co_return false;
  }
}

std::shared_ptr<const coalition::Verdict> Switchboard::decide_request(
    const Pass& pass, std::optional<coalition::HttpFacts> http) {
  const Instant now = core_->now();
  if (pass.memo && settled_) {
    if (auto kept = pass.memo->verdict(rules_->revision(), http, now)) return kept;
  }
  coalition::Ask ask = ask_of(pass, VerdictId(crypto::random_token(12)), now);
  ask.http = std::move(http);
  coalition::Verdict made = rules_->decide(ask);
  if (!made.permit) {
    refuse_request(pass, ask, made);
    return std::make_shared<const coalition::Verdict>(std::move(made));
  }
  // What it rests on is the session's business; a request's permit is only whether, under what and how long.
  made.reasons = {};
  made.obligations = {};
  made.reach = {};
  auto verdict = std::make_shared<const coalition::Verdict>(std::move(made));
  if (pass.memo && settled_) pass.memo->keep(verdict, ask.http, now);
  return verdict;
}

void Switchboard::refuse_request(const Pass& pass, const coalition::Ask& ask,
                                 const coalition::Verdict& verdict) {
  if (!refusals_.take(clock_.tick())) return core_->stranger_refused();
  Leaf leaf{"refusal",
            {{"session", pass.id.text()},
             {"side", side_name(pass.side)},
             {"partner", pass.partner.text()},
             {"app", coalition::target_text(pass.app)},
             {"person", pass.who.id.text()}}};
  if (ask.http) {
    leaf.fields.emplace_back("method", ask.http->method);
    leaf.fields.emplace_back("path", ask.http->path);
  }
  leaf.fields.emplace_back("context", coalition::facts_to_json(pass.context));
  leaf.fields.emplace_back("verdict", verdict.id.text());
  leaf.fields.emplace_back("answer", verdict.to_json());
  archive_.append(std::move(leaf), false, [](const Result<void>&) {});
}

std::optional<ConnectorId> Switchboard::connector_for(const SessionId& session) {
  return core_->connector_for(moment(), session);
}

Attachment Switchboard::attach(const SessionId& session, std::function<void()> abort) {
  const auto at = live_.find(session);
  if (at == live_.end()) {
    abort();
    return Attachment();
  }
  const std::shared_ptr<Live> live = at->second;
  const uint64_t number = live->next_stream++;
  live->streams.emplace(number, std::move(abort));
  live->pass->gate->stream_opened();
  const std::shared_ptr<Gate> gate = live->pass->gate;
  return Attachment(std::shared_ptr<void>(live.get(), [live, gate, number](void*) {
    live->streams.erase(number);
    gate->stream_closed();
  }));
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

bool Switchboard::connector_up(const ConnectorId& connector, std::string thumbprint) {
  return core_->connector_up(moment(), connector, std::move(thumbprint));
}
void Switchboard::connector_down(const ConnectorId& connector) {
  carry_out(core_->connector_down(moment(), connector));
}
void Switchboard::connector_measured(const ConnectorId& connector, std::chrono::microseconds round_trip) {
  core_->connector_measured(moment(), connector, round_trip);
}
void Switchboard::connector_failed(const ConnectorId& connector) {
  core_->connector_failed(connector);
}

size_t Switchboard::world_published(std::shared_ptr<const Rules> rules, const coalition::Touch& touch,
                                    std::shared_ptr<const Rules> acting) {
  rules_ = acting ? acting : rules;
  settled_ = acting == nullptr;
  Effects effects = core_->world_published(moment(), std::move(rules), touch, std::move(acting));
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

void Switchboard::partner_over_budget() {
  core_->partner_over_budget();
}

void Switchboard::stranger_refused() {
  core_->stranger_refused();
}

}  // namespace entente::exchange
