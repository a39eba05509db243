// Both ends of a link: hello and welcome bring the two lists of sessions together, pulses and beats carry the
// lease, and a number that is missing stops everything that could widen until the lists were compared again.
#include "exchange/exchange_core.h"

#include <fmt/core.h>

namespace entente::exchange {

using Arrival = Numbering::Arrival;
using coalition::Refusal;

namespace {

constexpr Millis kComplainEvery{1'000};  // at most one resync or resend request a second

int64_t in_millis(Tick tick) {
  return std::chrono::duration_cast<Millis>(tick.time_since_epoch()).count();
}

Ending lease_ended(std::string what) {
  Ending ending;
  ending.which = Refusal::lease_ended;
  ending.what = std::move(what);
  ending.change = "Open the app again once the nations are connected.";
  return ending;
}

}  // namespace

bool Exchange::Core::fresh(const AskingEnd& end_of_link) const {
  return end_of_link.up && end_of_link.welcomed && !(defences_.gaps && end_of_link.numbering.missed());
}

bool Exchange::Core::lease_runs(const AskingEnd& end_of_link) const {
  return !defences_.lease || end_of_link.lease.runs(tick_);
}

void Exchange::Core::to_host(Peer& host, link::Message message) {
  if (!host.asking.up || host.asking.numbering.epoch() == 0) return;  // the next hello says it all
  effects_.emplace_back(
      SendControl{host.code, Way::asking, link::to_json(host.asking.numbering.stamp(std::move(message)))});
}

void Exchange::Core::to_home(Peer& home, link::Message message) {
  if (!home.serving.up || !home.serving.greeted) return;  // the next welcome says it all
  effects_.emplace_back(
      SendControl{home.code, Way::serving, link::to_json(home.serving.numbering.stamp(std::move(message)))});
}

void Exchange::Core::link_up(const PartnerCode& partner, Way way) {
  Peer* found = known_peer(partner);
  if (found == nullptr) return;
  if (way == Way::serving) {
    ServingEnd& end_of_link = found->serving;
    end_of_link.up = true;
    end_of_link.greeted = false;
    end_of_link.numbering.begin(0);
    end_of_link.heard = tick_;
    return;
  }
  found->asking.up = true;
  say_hello(*found);
}

void Exchange::Core::link_down(const PartnerCode& partner, Way way) {
  Peer* found = known_peer(partner);
  if (found == nullptr) return;
  if (way == Way::serving) {
    found->serving.up = false;
    found->serving.greeted = false;
    return;
  }
  found->asking.up = false;  // the lease goes on until its end; asks are repeated after the next welcome
  found->asking.welcomed = false;
  found->asking.requests.clear();
}

void Exchange::Core::received(const PartnerCode& partner, Way way, const Json& json) {
  Peer* found = known_peer(partner);
  if (found == nullptr) return;
  if (way == Way::asking ? !found->asking.up : !found->serving.up) return;
  const auto envelope = link::from_json(json);
  if (!envelope)
    return alarm("exchange.link-message", fmt::format("{} sent a message that was refused: {}",
                                                      partner.text(), envelope.error().text()));
  Budget& lists = way == Way::serving ? found->serving.lists : found->asking.lists;
  // Beyond the budget it is as if it were lost: the gap shows, and it is said again.
  if (link::is_of_all(envelope->message) && !lists.take(tick_)) return;
  if (way == Way::serving) return from_home(*found, *envelope);
  from_host(*found, *envelope);
}

// --- the home's end

void Exchange::Core::say_hello(Peer& host) {
  AskingEnd& end_of_link = host.asking;
  const auto clock = static_cast<uint64_t>(std::max<int64_t>(1, in_millis(tick_)));
  end_of_link.numbering.begin(std::max(end_of_link.numbering.epoch() + 1, clock));
  end_of_link.welcomed = false;
  end_of_link.requests.clear();
  end_of_link.to_vouch.clear();  // the next welcome says it anew
  end_of_link.hello_sent = tick_;
  link::Hello hello;
  for (const uint64_t serial : table_.of_partner(host.code, Side::home)) {
    const Session& s = *table_.by_serial(serial);
    if (!s.at_host.empty()) hello.sessions.push_back(s.at_host);
  }
  hello.statements =
      end_of_link.statements_known ? end_of_link.statements_durable : statements_.issued(host.code);
  to_host(host, std::move(hello));
}

void Exchange::Core::say_pulse(Peer& host) {
  host.asking.pulse_sent = tick_;
  host.asking.lease.pulsed(tick_);
  to_host(host, link::Pulse{in_millis(tick_)});
}

void Exchange::Core::from_host(Peer& host, const link::Envelope& envelope) {
  AskingEnd& end_of_link = host.asking;
  const Arrival arrival = end_of_link.numbering.arrived(envelope);
  if (arrival == Arrival::doubled) return;
  const bool lost = arrival == Arrival::gap && defences_.gaps;
  if ((lost || arrival == Arrival::other_epoch) && !link::narrows(envelope.message)) {
    if (lost && tick_ - end_of_link.hello_sent >= kComplainEvery) {
      alarm("exchange.link-gap", fmt::format("messages from {} are missing", host.code.text()));
      say_hello(host);
    }
    return;
  }
  const link::Message& message = envelope.message;
  if (const auto* welcome = std::get_if<link::Welcome>(&message)) {
    if (envelope.number == 1) welcomed(host, *welcome);
  } else if (const auto* beat = std::get_if<link::Beat>(&message)) {
    beaten(host, *beat);
  } else if (const auto* answer = std::get_if<link::Answer>(&message)) {
    answered(host, *answer);
  } else if (const auto* held = std::get_if<link::HeldNotice>(&message)) {
    for (const SessionId& id : held->sessions)
      if (Session* s = home_session(host.code, id)) hold(*s, kHeldByPeer);
  } else if (const auto* released = std::get_if<link::ReleasedNotice>(&message)) {
    for (const SessionId& id : released->sessions)
      if (Session* s = home_session(host.code, id)) unhold(*s, kHeldByPeer);
  } else if (const auto* cut = std::get_if<link::CutNotice>(&message)) {
    if (Session* s = home_session(host.code, cut->session)) end(*s, said_by_partner(cut->ending), false);
  } else if (const auto* notice = std::get_if<link::PartnerNotice>(&message)) {
    partner_notice(host, *notice);
  } else if (const auto* resend = std::get_if<link::ResendStatements>(&message)) {
    resend_statements(host, resend->from);
  } else if (const auto* told = std::get_if<link::Told>(&message)) {
    if (host.fence == FenceState::open && end_of_link.told.take(tick_))
      effects_.emplace_back(Heard{host.code, Way::asking, *told, std::nullopt});
  } else if (std::holds_alternative<link::Resync>(message)) {
    if (tick_ - end_of_link.hello_sent >= kComplainEvery) say_hello(host);
  }
}

void Exchange::Core::welcomed(Peer& host, const link::Welcome& welcome) {
  const std::set<SessionId> kept(welcome.sessions.begin(), welcome.sessions.end());
  const std::set<SessionId> held(welcome.held.begin(), welcome.held.end());
  host.asking.shut_by_host.reset();  // a host that shuts us out says it next
  for (const uint64_t serial : table_.of_partner(host.code, Side::home)) {  // narrowing first
    Session& s = *table_.by_serial(serial);
    if (s.at_host.empty()) continue;
    if (!kept.contains(s.at_host)) {
      end(s, lease_ended(fmt::format("{} ended the session while the nations were not connected.",
                                     rules_->partner_name(host.code))));
    } else if (held.contains(s.at_host)) {
      hold(s, kHeldByPeer);
    } else {
      unhold(s, kHeldByPeer);
    }
  }
  host.asking.welcomed = true;
  vouch_for(host, welcome.vouch);
  say_pulse(host);
  ask_anew(host);
  effects_.emplace_back(Welcomed{host.code});
}

void Exchange::Core::beaten(Peer& host, const link::Beat& beat) {
  if (!fresh(host.asking)) return;
  host.asking.lease.beaten(Tick(Millis(beat.echo)));
  if (defences_.lease) host.asking.fence->set_lease_end(host.asking.lease.end());
  // The host may know of them what a statement said that this node has forgotten: it is said anew.
  for (const uint64_t serial : std::exchange(host.asking.returning, {})) {
    host.asking.to_vouch.insert(serial);
    if (Session* s = table_.by_serial(serial)) returned(*s);
  }
  const SessionTable::Serials pending = pending_;
  for (const uint64_t serial : pending) {
    Session* s = table_.by_serial(serial);
    if (s != nullptr && s->recorded && s->side == Side::home && s->partner == host.code) go_live(*s);
  }
}

void Exchange::Core::partner_notice(Peer& host, const link::PartnerNotice& notice) {
  if (notice.state == link::PartnerNoticeState::active) {
    host.asking.shut_by_host.reset();
    return;  // releases come one by one
  }
  host.asking.shut_by_host = Shut{notice.isolated, notice.reason};  // also where nobody of ours is inside
  const Ending ending = shut_ending(host.code, rules_->self(), *host.asking.shut_by_host);
  for (const uint64_t serial : table_.of_partner(host.code, Side::home)) {
    Session& s = *table_.by_serial(serial);
    if (notice.state == link::PartnerNoticeState::suspended) {
      end(s, ending);
    } else {
      hold(s, kHeldByPeer);
    }
  }
}

// What is not durable yet never leaves: after a kill its number would be given to another statement.
void Exchange::Core::statement_issued(AskingEnd& end_of_link, const Issued& issued) {
  if (!end_of_link.statements_known) end_of_link.statements_durable = issued.number - 1;
  end_of_link.statements_known = true;
  if (!issued.remember) end_of_link.statements_durable = issued.number;
}

void Exchange::Core::push_statement(Session& s) {
  if (s.side != Side::home || s.stage == Stage::asking) {
    s.asked_with = 0;  // the host is asked on these facts, now or after the next welcome
    if (s.stage == Stage::asking && fresh(peer(s.partner).asking)) start_asking(s);
    return;
  }
  auto issued = statements_.issue(s.partner, s.app, s.who, s.context, now_);
  if (!issued) return end(s, not_vouched(issued.error()));
  Waiting waiting{.what = Waiting::For::facts,
                  .serial = s.serial,
                  .partner = s.partner,
                  .statement = std::move(issued->statement),
                  .number = issued->number};
  statement_issued(peer(s.partner).asking, *issued);
  if (issued->remember) {
    commit({std::move(*issued->remember)}, std::nullopt, std::move(waiting));
    return;
  }
  to_host(peer(s.partner), link::ReplaceFacts{waiting.statement});
}

void Exchange::Core::resend_statements(Peer& host, uint64_t from) {
  if (tick_ - host.asking.resent < kComplainEvery / 2 || !fresh(host.asking)) return;
  host.asking.resent = tick_;
  const uint64_t to = host.asking.statements_known ? host.asking.statements_durable : UINT64_MAX;
  std::vector<std::string> statements = statements_.resend(host.code, from, to);
  if (statements.empty()) return reset_statements(host, from);
  for (size_t at = 0; at < statements.size(); at += kLinkStatementsMax) {
    const auto first = statements.begin() + static_cast<std::ptrdiff_t>(at);
    const auto last = statements.begin() +
                      static_cast<std::ptrdiff_t>(std::min(at + kLinkStatementsMax, statements.size()));
    to_host(host, link::ResentStatements{{first, last}});
  }
  ask_anew(host);
}

void Exchange::Core::ask_anew(Peer& host) {
  for (const uint64_t serial : table_.of_partner(host.code, Side::home)) {
    Session* s = table_.by_serial(serial);
    if (s != nullptr && s->stage == Stage::asking) start_asking(*s);
  }
}

// What the host misses is gone for good: it is told so under our signature, durable here first, and forgets
// what we said before.
void Exchange::Core::reset_statements(Peer& host, uint64_t from) {
  if (std::exchange(host.asking.resetting, true)) return;
  auto issued = statements_.reset(host.code, now_);
  if (!issued) {
    host.asking.resetting = false;
    return alarm("exchange.statements-lost", issued.error().text());
  }
  alarm("exchange.statements-reset",
        fmt::format("{} misses statements from {} on that are no longer kept: they are given up",
                    host.code.text(), from));
  statement_issued(host.asking, *issued);
  Waiting waiting{.what = Waiting::For::reset,
                  .partner = host.code,
                  .statement = std::move(issued->statement),
                  .number = issued->number};
  std::vector<coalition::Record> records;
  if (issued->remember) records.push_back(std::move(*issued->remember));
  commit(std::move(records),
         Leaf{"statements-reset",
              {{"at", rfc3339(now_)},
               {"partner", host.code.text()},
               {"side", side_name(Side::home)},
               {"missing_from", from},
               {"statement", waiting.number}}},
         std::move(waiting));
}

Session* Exchange::Core::home_session(const PartnerCode& host, const SessionId& at_host) {
  const auto& sessions = peer(host).asking.sessions;
  const auto at = sessions.find(at_host);
  return at == sessions.end() ? nullptr : table_.by_serial(at->second);
}

// --- the host's end

void Exchange::Core::from_home(Peer& home, const link::Envelope& envelope) {
  ServingEnd& end_of_link = home.serving;
  if (std::holds_alternative<link::Hello>(envelope.message)) return hello(home, envelope);
  const Arrival arrival = end_of_link.numbering.arrived(envelope);
  if (arrival == Arrival::doubled || !end_of_link.greeted) return;
  const bool lost = arrival == Arrival::gap && defences_.gaps;
  const link::Message& message = envelope.message;
  if (lost && tick_ - end_of_link.resync_sent >= kComplainEvery) {
    end_of_link.resync_sent = tick_;
    alarm("exchange.link-gap", fmt::format("messages from {} are missing", home.code.text()));
    to_home(home, link::Resync{});
  }
  // Statements have numbers of their own: what they narrow is taken even after a gap.
  if (const auto* facts = std::get_if<link::ReplaceFacts>(&message))
    return take_statements(home, {facts->statement});
  if (const auto* resent = std::get_if<link::ResentStatements>(&message))
    return take_statements(home, resent->statements);
  if (const auto* ended = std::get_if<link::EndSession>(&message)) {
    if (Session* s = host_session(home.code, ended->session))
      end(*s, lease_ended(fmt::format("{} ended the session.", rules_->partner_name(home.code))), false);
    return;
  }
  if (lost || arrival == Arrival::other_epoch) return;
  end_of_link.heard = tick_;
  if (const auto* pulse = std::get_if<link::Pulse>(&message)) {
    to_home(home, link::Beat{pulse->at, now_, rules_->revision()});
  } else if (const auto* ask_message = std::get_if<link::AskAdmission>(&message)) {
    admit(home, *ask_message);
  } else if (const auto* told = std::get_if<link::Told>(&message)) {
    told_by_home(home, *told);
  }
}

// Costs the partner's budget like an admission; a statement in it counts like any other.
void Exchange::Core::told_by_home(Peer& home, const link::Told& told) {
  if (home.fence != FenceState::open || !home.serving.budget.take(tick_)) {
    ++uncounted_refusals_;
    return;
  }
  Heard heard{home.code, Way::serving, told, std::nullopt};
  if (!told.statement.empty()) {
    auto vouched = statements_.verify(home.code, told.statement, now_);
    if (!vouched) {
      if (vouched.error().code() == kStatementGap) ask_for_statements(home);
      return;
    }
    statement_taken(home);
    if (vouched->reset) return take_reset(home, std::move(vouched->remember));
    if (vouched->who.partner != home.code) return;
    heard.vouched = std::move(*vouched);
  }
  effects_.emplace_back(std::move(heard));
}

void Exchange::Core::tell(Peer& other, Way way, link::Told told, const About* about) {
  if (way == Way::serving) return to_home(other, std::move(told));
  if (other.fence != FenceState::open || !fresh(other.asking)) return;
  if (about == nullptr) return to_host(other, std::move(told));
  auto issued = statements_.issue(other.code, about->app, about->who, about->context, now_);
  if (!issued) return;  // what is known of the person has ended: they sign in again first
  told.statement = issued->statement;
  Waiting waiting{.what = Waiting::For::telling,
                  .partner = other.code,
                  .statement = issued->statement,
                  .number = issued->number,
                  .told = std::move(told)};
  statement_issued(other.asking, *issued);
  if (!issued->remember) return to_host(other, std::move(waiting.told));
  commit({std::move(*issued->remember)}, std::nullopt, std::move(waiting));
}

void Exchange::Core::hello(Peer& home, const link::Envelope& envelope) {
  ServingEnd& end_of_link = home.serving;
  if (envelope.epoch <= end_of_link.numbering.epoch() || envelope.number != 1)
    return;  // an old one, or doubled
  end_of_link.numbering.begin(envelope.epoch);
  (void)end_of_link.numbering.arrived(envelope);
  end_of_link.greeted = true;
  end_of_link.heard = tick_;
  const auto& said = std::get<link::Hello>(envelope.message);
  const std::set<SessionId> kept(said.sessions.begin(), said.sessions.end());
  end_of_link.statements_due = said.statements;
  const bool behind = statements_.expected(home.code) <= said.statements;
  if (behind) statements_lack(home);
  link::Welcome welcome;
  for (const uint64_t serial : table_.of_partner(home.code, Side::host)) {
    Session& s = *table_.by_serial(serial);
    if (!kept.contains(s.id)) {
      end(s, lease_ended(fmt::format("{} no longer has the session.", rules_->partner_name(home.code))),
          false);
      continue;
    }
    welcome.sessions.push_back(s.id);
    s.told_held = s.holds != 0;
    if (s.told_held) welcome.held.push_back(s.id);
    if ((s.holds & kHeldForReturn) != 0) welcome.vouch.push_back(s.id);
  }
  to_home(home, std::move(welcome));
  if (behind && home.fence == FenceState::open) ask_for_statements(home);
  if (home.fence != FenceState::open) notify_standing(home);
}

void Exchange::Core::notify_standing(Peer& home) {
  link::PartnerNotice notice;
  notice.reason = home.shut.reason;
  notice.isolated = home.shut.isolated;
  if (home.fence == FenceState::unconfirmed) notice.state = link::PartnerNoticeState::fenced;
  if (home.fence == FenceState::confirmed) notice.state = link::PartnerNoticeState::suspended;
  to_home(home, std::move(notice));
}

// Only what is different at the end of an event is told: a hold that was asked and released at once is not.
void Exchange::Core::tell_holds() {
  std::map<PartnerCode, std::pair<std::vector<SessionId>, std::vector<SessionId>>> news;
  for (const uint64_t serial : to_tell_) {
    Session* s = table_.by_serial(serial);
    if (s == nullptr || (s->holds != 0) == s->told_held) continue;
    s->told_held = s->holds != 0;
    auto& [held, released] = news[s->partner];
    (s->told_held ? held : released).push_back(s->id);
  }
  to_tell_.clear();
  for (auto& [partner, lists] : news) {
    if (!lists.first.empty()) to_home(peer(partner), link::HeldNotice{std::move(lists.first)});
    if (!lists.second.empty()) to_home(peer(partner), link::ReleasedNotice{std::move(lists.second)});
  }
}

// What is missing may have taken something away: nobody of that home goes on before it is here.
void Exchange::Core::statements_lack(Peer& home) {
  home.serving.statements_missing = true;
  home.serving.statements_due = std::max(home.serving.statements_due, statements_.expected(home.code));
  for (const uint64_t serial : table_.of_partner(home.code, Side::host))
    hold(*table_.by_serial(serial), kHeldForStatements);
}

void Exchange::Core::statement_taken(Peer& home) {
  if (!home.serving.statements_missing || statements_.expected(home.code) <= home.serving.statements_due)
    return;
  home.serving.statements_missing = false;
  for (const uint64_t serial : table_.of_partner(home.code, Side::host))
    unhold(*table_.by_serial(serial), kHeldForStatements);
}

void Exchange::Core::ask_for_statements(Peer& home) {
  statements_lack(home);
  if (tick_ - home.serving.resend_sent < kComplainEvery) return;
  home.serving.resend_sent = tick_;
  to_home(home, link::ResendStatements{statements_.expected(home.code)});
}

void Exchange::Core::take_statements(Peer& home, const std::vector<std::string>& statements) {
  if (home.fence != FenceState::open) return statements_lack(home);  // asked for when the fence opens
  for (const std::string& statement : statements)
    if (!take_facts(home, statement)) return;
  statement_taken(home);  // what they narrow is held by now
}

// False when more statements are missing, or too many came.
bool Exchange::Core::take_facts(Peer& home, const std::string& statement) {
  if (!home.serving.budget.take(tick_)) {
    statements_lack(home);
    return false;
  }
  auto vouched = statements_.verify(home.code, statement, now_);
  if (!vouched) {
    if (vouched.error().code() != kStatementGap) return true;
    ask_for_statements(home);
    return false;
  }
  if (vouched->reset) {
    take_reset(home, std::move(vouched->remember));
    return true;
  }
  // Held at once; the new facts count when their number is durable, or a restart would believe older ones.
  for (Session* s : spoken_of(home.code, *vouched)) {
    hold(*s, kHeldForFacts);
    ++s->facts_coming;
  }
  std::optional<coalition::Record> remember = std::exchange(vouched->remember, std::nullopt);
  if (!remember) {
    replace_facts(home.code, *vouched);
    return true;
  }
  Waiting waiting{.what = Waiting::For::heard, .partner = home.code};
  waiting.said = std::move(*vouched);
  commit({std::move(*remember)}, std::nullopt, std::move(waiting));
  return true;
}

std::vector<Session*> Exchange::Core::spoken_of(const PartnerCode& home, const Vouched& said) {
  std::vector<Session*> sessions;
  for (const uint64_t serial : table_.of_person(said.who.id)) {
    Session* s = table_.by_serial(serial);
    if (s->side == Side::host && s->partner == home && s->app.app == said.app) sessions.push_back(s);
  }
  return sessions;
}

void Exchange::Core::replace_facts(const PartnerCode& home, const Vouched& said) {
  for (Session* s : spoken_of(home, said)) {
    if (s->facts_coming == 0) continue;  // admitted since, on a newer statement
    s->who.facts = said.who.facts;
    s->context = said.context;
    queue(*s, true);
    renew_pass(*s);
    returned(*s);
    if (--s->facts_coming == 0) unhold(*s, kHeldForFacts);
  }
}

// For that no disk is needed.
void Exchange::Core::not_replaced(const PartnerCode& home, const Vouched& said) {
  for (Session* s : spoken_of(home, said))
    if (s->facts_coming != 0) end(*s, app_down("The node cannot record what your nation says of you now."));
}

// Whatever was missed may have narrowed: nobody stays on what was said before. Who comes after is admitted by
// a commit that follows this one.
void Exchange::Core::take_reset(Peer& home, std::optional<coalition::Record> remember) {
  alarm("exchange.statements-reset",
        fmt::format("{} gave up statements that were missed here; its sessions end", home.code.text()));
  for (const uint64_t serial : table_.of_partner(home.code, Side::host))
    end(*table_.by_serial(serial),
        lease_ended(fmt::format("{} began to vouch for its people anew.", rules_->partner_name(home.code))));
  Leaf leaf{"statements-reset",
            {{"at", rfc3339(now_)},
             {"partner", home.code.text()},
             {"side", side_name(Side::host)},
             {"statement", statements_.expected(home.code) - 1}}};
  if (!remember) return append_kept(std::move(leaf));
  Waiting waiting{.what = Waiting::For::leaf, .leaf = leaf};
  commit({std::move(*remember)}, std::move(leaf), std::move(waiting));
}

Session* Exchange::Core::host_session(const PartnerCode& home, const SessionId& id) {
  Session* s = table_.by_id(id);
  return s != nullptr && s->side == Side::host && s->partner == home ? s : nullptr;
}

// --- time

void Exchange::Core::tick_links() {
  for (auto& [code, partner] : peers_) {
    tick_returns(partner);
    tick_asking(partner);
    tick_serving(partner);
  }
}

void Exchange::Core::tick_asking(Peer& host) {
  AskingEnd& end_of_link = host.asking;
  const auto since_hello = tick_ - end_of_link.hello_sent;
  const bool unheard = !end_of_link.welcomed && since_hello >= limits_.hello_retry;
  const bool gap = defences_.gaps && end_of_link.numbering.missed() && since_hello >= kComplainEvery;
  if (end_of_link.up && (unheard || gap)) {
    say_hello(host);
  } else if (fresh(end_of_link) && tick_ - end_of_link.pulse_sent >= kPulseEvery) {
    say_pulse(host);
  }
  if (lease_runs(end_of_link)) return;
  for (const uint64_t serial : table_.of_partner(host.code, Side::home)) {
    Session& s = *table_.by_serial(serial);
    const bool awaited = (s.holds & kHeldForReturn) != 0 && tick_ - s.opened_tick < kReturnMax;
    if (s.stage == Stage::live && !awaited)
      end(s, lease_ended(fmt::format("The link to {} was lost.", rules_->partner_name(host.code))));
  }
}

void Exchange::Core::tick_serving(Peer& home) {
  ServingEnd& end_of_link = home.serving;
  if (end_of_link.statements_missing && home.fence == FenceState::open &&
      tick_ - end_of_link.resend_sent >= kComplainEvery)
    ask_for_statements(home);
  if (tick_ - end_of_link.heard < kHomeSilenceMax) return;
  for (const uint64_t serial : table_.of_partner(home.code, Side::host))
    end(*table_.by_serial(serial),
        lease_ended(fmt::format("{} was not heard of any more.", rules_->partner_name(home.code))));
}

}  // namespace entente::exchange
