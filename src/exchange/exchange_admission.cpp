// How somebody gets in: decided at home, asked over the link, decided at the host, durable on both sides, and
// looked at once more before the gate opens.
#include "exchange/exchange_core.h"

#include <fmt/core.h>

namespace entente::exchange {

using coalition::Refusal;

void Exchange::Core::open(Opening opening) {
  const PartnerCode& self = rules_->self();
  Session s;
  s.side = opening.app.owner == self ? Side::local : Side::home;
  s.stage = s.side == Side::home ? Stage::asking : Stage::recording;
  s.id = SessionId(draw_());
  s.partner = opening.app.owner;
  s.app = opening.app;
  s.who = std::move(opening.who);
  s.context = std::move(opening.context);
  s.purpose = std::move(opening.purpose);
  s.binding = std::move(opening.binding);
  s.sign_in = std::move(opening.sign_in);
  s.cookie = std::move(opening.cookie);
  s.opening = opening.number;
  s.opened = s.counted_from = now_;
  s.opened_tick = tick_;
  const auto refuse = [&](Ending ending) {
    effects_.emplace_back(Refused{opening.number, std::move(ending)});
  };
  if (s.who.partner != self) return refuse(app_down("This door is for people of this nation."));
  if (!openings_.take(s.who.id, tick_)) {  // costs no disk, or anybody with a sign-in could fill it
    ++uncounted_refusals_;
    return refuse(app_down("You open apps faster than this node lets one person."));
  }
  if (auto full = no_room(s)) return refuse(std::move(*full));

  // Decided first: somebody who may not know of the app learns nothing about its link or connector.
  coalition::Verdict verdict = ask(s);
  if (!verdict.permit) {
    const Ending ending = ending_of(verdict);
    s.verdict = std::move(verdict);
    Leaf leaf = session_leaf("refusal", s);
    leaf.fields.emplace_back("ending", ending_json(ending));
    append_kept(std::move(leaf));
    return refuse(ending);
  }
  if (s.side == Side::local) {
    const auto connector = roster_.pick(s.app.app, s.who.partner, {}, tick_);
    if (!connector) return refuse(app_down("No connector of the app is connected."));
    s.connector = *connector;
    s.gate = std::make_shared<Gate>(no_fence_);
    std::vector<coalition::Record> ops;
    if (auto spent = use_grant(s, verdict.grant, ops)) return refuse(std::move(*spent));
    Session& kept = table_.add(std::move(s));
    table_.judged(kept, std::move(verdict), kNever);
    return record_admission(kept, std::move(ops));
  }
  Peer* host = known_peer(s.partner);
  if (host == nullptr) return refuse(app_down("The app's nation is not connected."));
  if (host->fence != FenceState::open) return refuse(fence_ending(*host));
  if (!fresh(host->asking))
    return refuse(app_down(fmt::format("The link to {} is down.", rules_->partner_name(s.partner))));
  s.gate = std::make_shared<Gate>(host->asking.fence);
  Session& kept = table_.add(std::move(s));
  table_.judged(kept, std::move(verdict), kNever);
  pending_.insert(kept.serial);
  start_asking(kept);
}

std::optional<Ending> Exchange::Core::no_room(const Session& s) const {
  const bool ours = s.side != Side::host;
  if (table_.size() >= limits_.sessions_max) return app_down("The node has no room for another session.");
  if (ours && table_.count_of_person(s.who.id) >= limits_.sessions_per_person_max) {
    Ending many = app_down("You have too many sessions open.");
    many.change = "End one of them under My things.";
    return many;
  }
  if (s.side != Side::local && table_.count_of_partner(s.partner, s.side) >= limits_.sessions_per_partner_max)
    return app_down("There is no room for another session with this partner.");
  size_t pending = 0;
  for (const uint64_t serial : pending_) {
    const auto at = table_.all().find(serial);
    pending +=
        at != table_.all().end() && at->second->partner == s.partner && at->second->side == s.side ? 1 : 0;
  }
  if (pending >= limits_.pending_per_partner_max) return app_down("Too many admissions are on their way.");
  return std::nullopt;
}

void Exchange::Core::give_up(uint64_t opening) {
  for (const uint64_t serial : pending_) {
    Session* s = table_.by_serial(serial);
    if (s == nullptr || s->side == Side::host || s->opening != opening) continue;
    return end(*s, app_down("The person left before the answer came."));
  }
}

// This node cannot vouch for the person towards that app: the app is gone, or what is known of them is.
Ending Exchange::Core::not_vouched(const Error& why) {
  const bool gone = why.code() == kStatementApp;
  Ending ending;
  ending.which = gone ? Refusal::denied : Refusal::credential_dead;
  ending.what = why.what();
  if (!gone) ending.change = "Sign in again.";
  return ending;
}

void Exchange::Core::start_asking(Session& s) {
  Peer& host = peer(s.partner);
  host.asking.requests.erase(s.request);
  s.request.clear();
  auto issued = statements_.issue(s.partner, s.app, s.who, s.context, now_);
  if (!issued) return end(s, not_vouched(issued.error()));
  Waiting waiting{.what = Waiting::For::ask,
                  .serial = s.serial,
                  .partner = s.partner,
                  .statement = std::move(issued->statement),
                  .number = issued->number};
  s.asked_with = waiting.number;
  statement_issued(host.asking, *issued);
  if (!issued->remember) return send_ask(s, waiting.statement, waiting.number);
  commit({std::move(*issued->remember)}, std::nullopt, std::move(waiting));
}

void Exchange::Core::send_ask(Session& s, const std::string& statement, uint64_t number) {
  Peer& host = peer(s.partner);
  if (s.stage != Stage::asking || !fresh(host.asking)) return;  // asked anew after the welcome
  std::string request = draw_();
  // What is answered on older facts is not taken for the answer.
  if (number == s.asked_with) {
    host.asking.requests.erase(s.request);
    s.request = request;
    host.asking.requests[request] = s.serial;
  }
  to_host(host, link::AskAdmission{std::move(request), statement});
}

void Exchange::Core::refuse_ask(Peer& home, const std::string& request, const Ending& ending) {
  to_home(home, link::Answer{.request = request, .session = {}, .valid_until = {}, .ending = ending});
}

void Exchange::Core::admit(Peer& home, const link::AskAdmission& ask_message) {
  const std::string& request = ask_message.request;
  const auto turn_away = [&](const Ending& ending) {  // costs the partner nothing but its budget, us no disk
    ++uncounted_refusals_;
    refuse_ask(home, request, ending);
  };
  if (home.fence != FenceState::open) return turn_away(fence_ending(home));
  if (!home.serving.budget.take(tick_)) return turn_away(app_down("This partner asks for too much at once."));
  Session s;
  s.side = Side::host;
  s.stage = Stage::recording;
  s.partner = home.code;
  if (auto full = no_room(s)) return turn_away(*full);

  auto vouched = statements_.verify(home.code, ask_message.statement, now_);
  if (!vouched) {
    if (vouched.error().code() == kStatementGap) return ask_for_statements(home);
    Ending ending;
    ending.which = Refusal::credential_dead;
    ending.what = vouched.error().what();
    ending.change = "Sign in again.";
    return turn_away(ending);
  }
  statement_taken(home);
  if (vouched->reset) {  // no way to bring it, but it counts
    take_reset(home, std::move(vouched->remember));
    return turn_away(app_down("This is no person's statement."));
  }
  if (vouched->who.partner != home.code)
    return turn_away(app_down("A partner vouches for its own people only."));
  s.id = SessionId(draw_());
  s.app = {rules_->self(), vouched->app};
  s.who = std::move(vouched->who);
  s.context = std::move(vouched->context);
  s.request = request;
  s.opened = s.counted_from = now_;
  s.opened_tick = tick_;
  coalition::Verdict verdict = ask(s);
  std::optional<Ending> refused;
  std::vector<coalition::Record> ops;
  if (!verdict.permit) {
    refused = ending_of(verdict);
  } else if (const auto connector = roster_.pick(s.app.app, s.who.partner, {}, tick_)) {
    s.connector = *connector;
    refused = use_grant(s, verdict.grant, ops);
  } else {
    refused = app_down("No connector of the app is connected.");
  }
  if (refused) {
    s.verdict = std::move(verdict);
    Leaf leaf = session_leaf("refusal", s);
    leaf.fields.emplace_back("ending", ending_json(*refused));
    refuse_ask(home, request, *refused);
    if (!vouched->remember) return append_kept(std::move(leaf));
    commit({std::move(*vouched->remember)}, leaf, {.what = Waiting::For::leaf, .leaf = leaf});
    return;
  }
  s.gate = std::make_shared<Gate>(home.serving.fence);
  Session& kept = table_.add(std::move(s));
  table_.judged(kept, std::move(verdict), kNever);
  if (vouched->remember) ops.push_back(std::move(*vouched->remember));
  record_admission(kept, std::move(ops));
}

// Counts an admission that rests on a grant, in the same commit. Admissions on their way count already.
std::optional<Ending> Exchange::Core::use_grant(Session& s, const RequestId& id,
                                                std::vector<coalition::Record>& ops) {
  if (id.empty()) return std::nullopt;
  std::optional<coalition::Grant> grant = rules_->grant(s.who, s.app.app, id);
  if (!grant) return app_down("The grant could not be read.");
  // Taken back already, and on its way to the disk: a use counted behind that would bring it to life again.
  if (acting_ != rules_ && defences_.fence && !acting_->grant(s.who, s.app.app, id)) {
    Ending ending;
    ending.what = "The grant was taken back.";
    ending.change = "Ask for another.";
    ending.who = rules_->partner_name(rules_->self());
    return ending;
  }
  const auto pending = uses_.find(id);
  const int64_t used = std::max(grant->used, pending == uses_.end() ? 0 : pending->second.highest);
  if (used >= grant->count) {
    Ending ending;
    ending.what = "The grant is used up.";
    ending.change = "Ask for another.";
    ending.who = rules_->partner_name(rules_->self());
    return ending;
  }
  grant->used = used + 1;
  Uses& uses = uses_[id];
  uses.highest = grant->used;
  ++uses.pending;
  s.entered_by = id;
  ops.push_back({record_key(*grant), to_json(*grant)});
  return std::nullopt;
}

void Exchange::Core::answered(Peer& host, const link::Answer& answer) {
  const auto at = host.asking.requests.find(answer.request);
  Session* s = at == host.asking.requests.end() ? nullptr : table_.by_serial(at->second);
  if (at != host.asking.requests.end()) host.asking.requests.erase(at);
  if (answer.session.empty()) {
    if (s != nullptr) end(*s, said_by_partner(answer.ending));
    return;
  }
  if (s == nullptr || s->stage != Stage::asking || host.asking.sessions.contains(answer.session)) {
    if (!host.asking.sessions.contains(answer.session)) to_host(host, link::EndSession{answer.session});
    return;
  }
  s->at_host = answer.session;
  s->stage = Stage::recording;
  host.asking.sessions.emplace(answer.session, s->serial);
  record_admission(*s, {});
}

// From here on the world counts it, or nobody does.
void Exchange::Core::used(const RequestId& grant) {
  const auto at = uses_.find(grant);
  if (at != uses_.end() && --at->second.pending == 0) uses_.erase(at);
}

void Exchange::Core::record_admission(Session& s, std::vector<coalition::Record> ops) {
  pending_.insert(s.serial);
  Waiting waiting{.what = Waiting::For::admission, .serial = s.serial, .partner = s.partner};
  waiting.grant = s.entered_by;
  Leaf leaf = session_leaf("admission", s);
  if (!s.sign_in.empty()) leaf.fields.emplace_back("sign_in", s.sign_in);
  if (!s.cookie.empty()) leaf.fields.emplace_back("cookie", s.cookie);
  if (ops.empty()) {
    append(std::move(leaf), std::move(waiting));
    return;
  }
  commit(std::move(ops), std::move(leaf), std::move(waiting));
}

// What was true when it was decided may not be true any more now that it is durable.
std::optional<Ending> Exchange::Core::why_not_live(Session& s) {
  const bool moved_on =
      s.must_ask || s.verdict.revision != rules_->revision() || s.verdict.valid_until <= now_;
  if (defences_.recheck && moved_on && !judge(s)) return ending_of(s.verdict);
  Instant until = s.verdict.valid_until;
  if (const std::optional<coalition::Verdict> refusal = narrowed(s, until)) return ending_of(*refusal);
  if (s.side == Side::local) return std::nullopt;
  const Peer& other = peer(s.partner);
  if (other.fence != FenceState::open) return fence_ending(other);
  return std::nullopt;
}

void Exchange::Core::go_live(Session& s) {
  if (s.side == Side::home) {
    const AskingEnd& end_of_link = peer(s.partner).asking;
    if (!fresh(end_of_link) || !lease_runs(end_of_link))
      return;  // the next beat or the timeout comes back here
  }
  if (auto why = why_not_live(s)) return end(s, std::move(*why));
  s.stage = Stage::live;
  s.must_ask = false;
  pending_.erase(s.serial);
  table_.judged(s, s.verdict, s.verdict.valid_until);
  if (s.open()) s.gate->release();
  if (s.side == Side::host)
    to_home(peer(s.partner),
            link::Answer{
                .request = s.request, .session = s.id, .valid_until = s.verdict.valid_until, .ending = {}});
  effects_.emplace_back(Opened{s.opening, pass_of(s)});
  if (s.open()) return;
  effects_.emplace_back(HeldEffect{s.id});
  if (s.side == Side::host) to_tell_.insert(s.serial);
}

}  // namespace entente::exchange
