#include "exchange/exchange.h"

#include "exchange/exchange_core.h"

#include <utility>

#include <fmt/core.h>

namespace entente::exchange {

namespace {

constexpr Millis kSummaryEvery{10'000};

}  // namespace

Exchange::Core::Core(std::shared_ptr<const Rules> rules, Statements& statements, Draw draw, Options options)
    : rules_(std::move(rules)),
      acting_(rules_),
      statements_(statements),
      draw_(std::move(draw)),
      limits_(options.limits),
      defences_(options.defences) {}

void Exchange::Core::begin(Moment at) {
  const Tick tick = started_ ? std::max(tick_, at.tick) : at.tick;
  const Millis passed = std::chrono::duration_cast<Millis>(tick - tick_);
  tick_ = tick;
  if (!started_) {
    started_ = true;
    now_ = wall_ = at.now;
    now_tick_ = tick;
    return;
  }
  const Millis stepped = (at.now - wall_) - passed;
  wall_ = at.now;
  // Small steps back: stand still. Large ones: time goes on as the machine's own clock counts it, and nothing
  // that had ended begins again; until somebody accepts the clock, or the node is started anew.
  const Millis since = std::chrono::duration_cast<Millis>(tick - now_tick_);
  const Millis ahead = now_ + since - at.now;
  const bool was_behind = std::exchange(behind_, ahead > limits_.clock_step);
  if (behind_) {
    now_ += since;
    now_tick_ += since;  // what is less than a millisecond counts the next time
  } else {
    now_ = std::max(now_, at.now);
    now_tick_ = tick;
  }
  if (behind_ && !was_behind)
    alarm("exchange.clock-behind",
          fmt::format(
              "decisions go on {} s ahead of the wall clock, which was set back; if it was ahead before "
              "and is right now: entente clock accept",
              ahead.count() / 1'000));
  if (stepped < -limits_.clock_step || stepped > limits_.clock_step) step_clock(stepped);
}

// Everybody is held and asked.
void Exchange::Core::step_clock(Millis by) {
  alarm("exchange.clock-stepped", fmt::format("the wall clock stepped by {} s", by.count() / 1'000));
  for (const auto& [serial, session] : table_.all()) queue(*session, true);
}

void Exchange::Core::go_on_from_wall(const Ending& why) {
  std::vector<uint64_t> all;
  for (const auto& [serial, session] : table_.all()) all.push_back(serial);
  for (const uint64_t serial : all)
    if (Session* s = table_.by_serial(serial)) end(*s, why);
  now_ = wall_;
  now_tick_ = tick_;
  behind_ = false;
}

Effects Exchange::Core::finish() {
  for (const uint64_t serial : table_.take_due(now_))
    if (Session* s = table_.by_serial(serial)) queue(*s, true);
  wave();
  tell_holds();
  return std::exchange(effects_, {});
}

void Exchange::Core::tick() {
  tick_links();
  const SessionTable::Serials pending = pending_;
  for (const uint64_t serial : pending) {
    Session* s = table_.by_serial(serial);
    if (s != nullptr && tick_ - s->opened_tick >= limits_.asking_max)
      end(*s, app_down("The admission was not answered in time."));
  }
  tick_records();
  drop_connectors();
  if (tick_ - summary_at_ < kSummaryEvery) return;
  summary_at_ = tick_;
  if (strangers_ + uncounted_refusals_ == 0) return;
  append_kept(
      {"refusals", {{"at", rfc3339(now_)}, {"strangers", strangers_}, {"over_budget", uncounted_refusals_}}});
  strangers_ = 0;
  uncounted_refusals_ = 0;
}

void Exchange::Core::alarm(std::string code, std::string what) {
  effects_.emplace_back(Alarm{std::move(code), std::move(what)});
}

Peer* Exchange::Core::known_peer(const PartnerCode& code) {
  const auto at = peers_.find(code);
  if (at != peers_.end()) return &at->second;
  return rules_->standing(code) == Standing::unknown || code == rules_->self() ? nullptr : &peer(code);
}

Peer& Exchange::Core::peer(const PartnerCode& code) {
  const auto at = peers_.find(code);
  if (at != peers_.end()) return at->second;
  ServingEnd serving{.budget = Budget(limits_.asks_burst, limits_.asks_per_second)};
  Peer& made = peers_.emplace(code, Peer{.code = code, .serving = std::move(serving)}).first->second;
  made.asking.fence->set_lease_end(defences_.lease ? Tick{} : Tick::max());
  made.fence = fence_wanted(code, made.shut);
  if (made.fence != FenceState::open) {
    made.asking.fence->close();
    made.serving.fence->close();
  }
  return made;
}

Ending Exchange::Core::app_down(std::string what) const {
  Ending ending;
  ending.which = coalition::Refusal::app_down;
  ending.what = std::move(what);
  ending.change = "Try again in a moment.";
  return ending;
}

Ending Exchange::Core::fence_ending(const Peer& peer) const {
  Ending ending = shut_ending(rules_->self(), peer.code, peer.shut);
  ending.policies = peer.shut.isolated ? "structure:partner-isolated" : "structure:partner-suspended";
  return ending;
}

Ending Exchange::Core::shut_ending(const PartnerCode& by, const PartnerCode& other, const Shut& why) const {
  const std::string one = rules_->partner_name(by), two = rules_->partner_name(other);
  Ending ending;
  ending.who = one;
  if (why.isolated) {
    ending.what = fmt::format("{} and {} are isolated from each other: {}", one, two, why.reason);
    ending.change = "The two may meet again, and you sign in again.";
  } else {
    ending.what = fmt::format("{} has suspended {}: {}", one, two, why.reason);
    ending.change = "The suspension is lifted, and you sign in again.";
  }
  return ending;
}

Exchange::Exchange(std::shared_ptr<const Rules> rules, Statements& statements, Draw draw, Options options)
    : core_(std::make_unique<Core>(std::move(rules), statements, std::move(draw), options)) {}
Exchange::~Exchange() = default;

Effects Exchange::restore(Moment at, std::vector<KeptSession> sessions, const std::optional<Ending>& end) {
  core_->begin(at);
  for (KeptSession& kept : sessions) core_->restore(std::move(kept), end);
  return core_->finish();
}

Effects Exchange::person_opens(Moment at, Opening opening) {
  core_->begin(at);
  core_->open(std::move(opening));
  return core_->finish();
}

Effects Exchange::person_gave_up(Moment at, uint64_t opening) {
  core_->begin(at);
  core_->give_up(opening);
  return core_->finish();
}

Effects Exchange::person_signed_out(Moment at, const PersonId& who, Ending why) {
  core_->begin(at);
  core_->signed_out(who, why);
  return core_->finish();
}

Effects Exchange::facts_replaced(Moment at, const PersonId& who, const coalition::Facts& facts) {
  core_->begin(at);
  core_->new_facts(who, facts);
  return core_->finish();
}

Effects Exchange::session_closed(Moment at, const SessionId& session, Ending why) {
  core_->begin(at);
  if (Session* s = core_->table_.by_id(session)) core_->end(*s, std::move(why));
  return core_->finish();
}

Effects Exchange::link_up(Moment at, const PartnerCode& partner, Way way) {
  core_->begin(at);
  core_->link_up(partner, way);
  return core_->finish();
}

Effects Exchange::link_down(Moment at, const PartnerCode& partner, Way way) {
  core_->begin(at);
  core_->link_down(partner, way);
  return core_->finish();
}

Effects Exchange::received(Moment at, const PartnerCode& partner, Way way, const Json& message) {
  core_->begin(at);
  core_->received(partner, way, message);
  return core_->finish();
}

Effects Exchange::tell(Moment at, const PartnerCode& partner, Way way, link::Told told, const About* about) {
  core_->begin(at);
  if (Peer* other = core_->known_peer(partner)) core_->tell(*other, way, std::move(told), about);
  return core_->finish();
}

Effects Exchange::durable(Moment at, uint64_t token) {
  core_->begin(at);
  core_->durable(token);
  return core_->finish();
}

Effects Exchange::failed(Moment at, uint64_t token, const Error& why) {
  core_->begin(at);
  core_->failed(token, why);
  return core_->finish();
}

Effects Exchange::world_published(Moment at, std::shared_ptr<const Rules> rules,
                                  const coalition::Touch& touch, std::shared_ptr<const Rules> acting) {
  core_->begin(at);
  core_->published(std::move(rules), std::move(acting), touch);
  return core_->finish();
}

bool Exchange::connector_up(Moment at, const ConnectorId& connector, std::string thumbprint) {
  const Instant now = std::max(at.now, core_->now_);  // one that had ended does not come back with the clock
  return core_->roster_.up(*core_->acting_, connector, std::move(thumbprint), now, at.tick);
}

Effects Exchange::connector_down(Moment at, const ConnectorId& connector) {
  core_->begin(at);
  core_->roster_.down(connector);
  return core_->finish();
}

void Exchange::connector_measured(Moment at, const ConnectorId& connector,
                                  std::chrono::microseconds round_trip) {
  core_->roster_.measured(connector, round_trip, at.tick);
}

void Exchange::connector_failed(const ConnectorId& connector) {
  core_->roster_.failed(connector);
}

void Exchange::app_away(const ConnectorId& connector, const AppId& app, Tick at) {
  core_->roster_.app_away(connector, app, at);
}

void Exchange::app_back(const ConnectorId& connector, const AppId& app) {
  core_->roster_.app_back(connector, app);
}

Effects Exchange::tick(Moment at) {
  core_->begin(at);
  core_->tick();
  return core_->finish();
}

Effects Exchange::go_on_from(Moment at, const Ending& why) {
  core_->begin(at);
  core_->go_on_from_wall(why);
  return core_->finish();
}

Effects Exchange::step(Moment at) {
  core_->begin(at);
  return core_->finish();
}

bool Exchange::busy() const {
  return !core_->queue_.empty();
}
Instant Exchange::next_due() const {
  return core_->table_.next_due();
}
void Exchange::partners_over_budget(uint64_t count) {
  core_->uncounted_refusals_ += count;
}
void Exchange::begins_unrecorded(Leaf restart) {
  core_->start_recorded_ = false;
  core_->restart_ = std::move(restart);
}
bool Exchange::start_recorded() const {
  return core_->start_recorded_;
}
void Exchange::not_recorded(Leaf leaf) {
  core_->try_again(std::move(leaf));
}
void Exchange::strangers_refused(uint64_t count) {
  core_->strangers_ += count;
}
Instant Exchange::now() const {
  return core_->now_;
}
Millis Exchange::ahead() const {
  return core_->behind_ ? core_->now_ - core_->wall_ : Millis(0);
}
const Session* Exchange::session(const SessionId& id) const {
  return core_->table_.by_id(id);
}

bool Exchange::goes_on(const Session& session, const Rules& rules, Instant now) const {
  return core_->ask_of_world(session, rules, std::max(now, core_->now_)).permit;
}
std::vector<const Session*> Exchange::sessions() const {
  std::vector<const Session*> all;
  for (const auto& [serial, session] : core_->table_.all()) all.push_back(session.get());
  return all;
}

bool Exchange::link_fresh(const PartnerCode& partner, Way way) const {
  const auto at = core_->peers_.find(partner);
  if (at == core_->peers_.end()) return false;
  if (way == Way::asking) return core_->fresh(at->second.asking) && core_->lease_runs(at->second.asking);
  const ServingEnd& end = at->second.serving;
  return end.up && end.greeted && !end.numbering.missed();
}

bool Exchange::fenced(const PartnerCode& partner) const {
  const auto at = core_->peers_.find(partner);
  return at != core_->peers_.end() && at->second.fence != FenceState::open;
}

std::optional<std::string> Exchange::told_shut(const PartnerCode& partner) const {
  const auto at = core_->peers_.find(partner);
  if (!link_fresh(partner, Way::asking) || !at->second.asking.shut_by_host) return std::nullopt;
  return core_->shut_ending(partner, core_->rules_->self(), *at->second.asking.shut_by_host).what;
}

std::vector<ConnectorRoster::Entry> Exchange::connectors() const {
  return core_->roster_.entries();
}
const ConnectorRoster& Exchange::roster() const {
  return core_->roster_;
}

}  // namespace entente::exchange
