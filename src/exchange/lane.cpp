#include "exchange/lane.h"

#include "crypto/digest.h"

namespace entente::exchange {

Lane::Lane(net::Loop& loop, size_t number, const Clock& clock, Switchboard& control)
    : loop_(loop),
      number_(number),
      clock_(clock),
      control_(control),
      rules_(control.rules_now()),
      roster_(control.roster()) {}

void Lane::tell(std::move_only_function<void(Switchboard&)> work) {
  if (is_control()) return work(control_);
  control_.loop().post([&control = control_, doing = std::move(work)]() mutable { doing(control); });
}

// Null once the session is cut: its end is, or will be, heard here, and nothing may come after it.
std::shared_ptr<Lane::Berth> Lane::berth(const Pass& pass) {
  if (pass.gate->is_cut()) return nullptr;
  std::shared_ptr<Berth>& berth = berths_[pass.id];
  if (!berth) berth = std::make_shared<Berth>(loop_);
  return berth;
}

net::Task<bool> Lane::passage(const Pass& pass) {
  const Tick end = clock_.tick() + kHeldMax;
  while (true) {
    const Tick now = clock_.tick();
    if (pass.gate->passes(now)) co_return true;
    const std::shared_ptr<Berth> berth = this->berth(pass);
    if (!berth || now >= end) co_return false;
    // A fence or a lease that opens again pulses nothing: look again soon.
    [[maybe_unused]] const bool moved = co_await berth->moved.wait(Millis(20));
  }
}

net::Task<std::shared_ptr<const Pass>> Lane::entry(std::shared_ptr<const Pass> pass) {
  const Tick end = clock_.tick() + kHeldMax;
  while (true) {
    const bool open = co_await passage(*pass);
    if (!open) co_return nullptr;
    if (pass->edition == pass->gate->edition()) co_return pass;
    std::shared_ptr<const Pass> newest = control_.pass(pass->id);
    if (!newest || clock_.tick() >= end) co_return nullptr;
    // The gate is of the newest already, and the pass on its way from the control loop.
    if (newest->edition == pass->edition) co_await loop_.sleep(Millis(1));
    pass = std::move(newest);
  }
}

bool Lane::stands(const Pass& pass, const coalition::Verdict& permit) {
  [[maybe_unused]] const std::shared_ptr<const Rules>& newest = rules_.get();
  return permit.revision == Revision{rules_.version()} && pass.edition == pass.gate->edition() &&
         control_.now() < permit.valid_until;
}

std::shared_ptr<const coalition::Verdict> Lane::decide_request(const Pass& pass,
                                                               std::optional<coalition::HttpFacts> http) {
  const Instant now = control_.now();
  const std::shared_ptr<const Rules>& rules = rules_.get();
  // Not the world's revision: two worlds with what is fenced and not durable yet may share one.
  const Revision published{rules_.version()};
  if (pass.memo) {
    if (auto kept = pass.memo->verdict(published, http, now)) return kept;
  }
  coalition::Ask ask = ask_of(pass, VerdictId(crypto::random_token(12)), now);
  ask.bytes = !http;
  ask.http = std::move(http);
  coalition::Verdict made = rules->decide(ask);
  if (!made.permit) {
    refuse_request(pass, ask, made);
    return std::make_shared<const coalition::Verdict>(std::move(made));
  }
  // What it rests on is the session's business; a request's permit is only whether, under what and how long.
  made.reasons = {};
  made.obligations = {};
  made.reach = {};
  made.revision = published;
  auto verdict = std::make_shared<const coalition::Verdict>(std::move(made));
  if (pass.memo) pass.memo->keep(verdict, ask.http, now);
  return verdict;
}

void Lane::refuse_request(const Pass& pass, const coalition::Ask& ask, const coalition::Verdict& verdict) {
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
  record_refusal(std::move(leaf));
}

bool Lane::record_refusal(Leaf leaf) {
  if (!control_.may_record_refusal()) {
    stranger_refused();
    return false;
  }
  tell([kept = std::move(leaf)](Switchboard& control) mutable { control.record(std::move(kept)); });
  return true;
}

std::optional<ConnectorId> Lane::connector_for(const Pass& pass,
                                               const std::function<bool(const ConnectorId&)>& usable) {
  const std::shared_ptr<Berth> berth = this->berth(pass);
  if (!berth) return std::nullopt;
  const ConnectorId& current = berth->connector.empty() ? pass.connector : berth->connector;
  std::optional<ConnectorId> picked =
      roster_.get()->pick(pass.app.app, pass.who.partner, current, clock_.tick(), usable);
  if (picked && *picked != berth->connector) berth->connector = *picked;
  return picked;
}

bool Lane::connected_anywhere(const AppId& app) {
  return roster_.get()->pick(app, {}, {}, clock_.tick()).has_value();
}

Attachment Lane::attach(const Pass& pass, std::function<void()> abort) {
  const std::shared_ptr<Berth> berth = this->berth(pass);
  if (!berth) {
    abort();
    return Attachment();
  }
  const uint64_t number = berth->next_stream++;
  berth->streams.emplace(number, std::move(abort));
  pass.gate->stream_opened();
  return Attachment(std::shared_ptr<void>(berth.get(), [berth, gate = pass.gate, number](void*) {
    berth->streams.erase(number);
    gate->stream_closed();
  }));
}

void Lane::released(const SessionId& session) {
  const auto at = berths_.find(session);
  if (at != berths_.end()) at->second->moved.pulse();
}

void Lane::ended(const SessionId& session) {
  const auto at = berths_.find(session);
  if (at == berths_.end()) return;
  const std::shared_ptr<Berth> berth = std::move(at->second);
  berths_.erase(at);
  berth->moved.set();
  const auto streams = std::move(berth->streams);
  berth->streams.clear();
  for (const auto& [number, abort] : streams) abort();
}

}  // namespace entente::exchange
