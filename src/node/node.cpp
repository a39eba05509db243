#include "node/node.h"

#include "base/fields.h"
#include "base/log.h"
#include "identity/assertion.h"
#include "node/node_parts.h"
#include "node/operators.h"

#include <thread>

#include <fmt/format.h>

namespace entente::node {
namespace {

constexpr Millis kSweepEvery = AliveMark::kEvery;
constexpr Millis kStopWait{2000};
constexpr Millis kLastWords{50};  // for goodbyes to partners and connectors to leave

}  // namespace

Node::Node(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Node::~Node() = default;

Result<std::unique_ptr<Node>> Node::start(NodeConfig config) {
  TRY(Keys keys, load_keys(config.data, system_clock().now()));
  auto parts = std::make_unique<Parts>(std::move(config), std::move(keys));
  TRY_VOID(parts->build());
  return std::unique_ptr<Node>(new Node(std::move(parts)));
}

// With what an earlier life of this node left. Before any door is open.
void Node::Parts::go_on() {
  Recalled recalled =
      recall(records->ledger(), config.partner, alive.last(), clock.now(), config.limits.away_max);
  start_closing = std::make_unique<ClosingAtStart>(*records);
  if (recalled.seen) {
    alive.note({*recalled.seen, false});  // the ledger may have said it, and does so once
    start_closing->begin(*records, *access, *recalled.seen, clock.now());
  }
  if (recalled.owed) {
    log(LogLevel::warning, "node", "the ledger took no record of this start: it is tried again",
        {{"error", recalled.refused.text()}});
    switchboard->begins_unrecorded({std::move(recalled.owed->event_class), std::move(recalled.owed->fields)});
  }
  note_alive();
  exchange::Kept& kept = recalled.kept;
  key_desk->restore(kept);
  exchange::Ending over{.which = coalition::Refusal::lease_ended, .what = "The node was started again."};
  over.change = "Open the app again from the lobby.";
  if (!recalled.why_not.empty()) {
    log(LogLevel::info, "node", "no session goes on",
        {{"why", recalled.why_not}, {"error", recalled.refused.text()}});
    over.what = fmt::format("The node was started again; {}.", recalled.why_not);
    return switchboard->restore(std::move(kept.sessions), over);
  }
  browsers.restore(kept, clock.now());
  std::vector<exchange::KeptSession> going, lost;
  for (exchange::KeptSession& one : kept.sessions) {
    const bool goes = one.side == exchange::Side::host || browsers.has_owner(one.id);
    (goes ? going : lost).push_back(std::move(one));
  }
  log(LogLevel::info, "node", "sessions go on, held until they are asked again",
      {{"sessions", static_cast<int64_t>(going.size())},
       {"sign_ins", static_cast<int64_t>(kept.sign_ins.size())}});
  switchboard->restore(std::move(lost), over);
  switchboard->restore(std::move(going), std::nullopt);
}

// The old mark stays until what it tells of is done: a kill meanwhile, and the next start does it.
void Node::Parts::note_alive() {
  if (!start_closing->is_owed()) alive.note({decisions->now(), switchboard->core().start_recorded()});
}

// Sessions first: what ends with them is recorded and told while their people are known.
void Node::Parts::put_right(const exchange::AccessDesk::Closing& closing) {
  exchange::Ending over{.which = coalition::Refusal::lease_ended,
                        .what = "The clock of this node was wrong and was put right."};
  over.change = "Sign in again.";
  switchboard->go_on_from_wall(over);
  // Partners' readers' too: what they are asked by stands in the wrong time.
  view_desk->end_all({"clock-accepted", over.what});
  lobby->sign_out_all();
  access->put_right(closing);
  key_desk->go_on_from(clock.now());
}

std::vector<LinkState> Node::Parts::link_states() const {
  std::vector<LinkState> out;
  for (const coalition::Partner* partner : world().partners()) {
    if (partner->code == config.partner) continue;
    out.push_back({partner->code, switchboard->link_is_up(partner->code, exchange::Way::asking),
                   switchboard->link_is_up(partner->code, exchange::Way::serving)});
  }
  return out;
}

bool Node::Parts::is_unserved(const coalition::AppRef& app) const {
  const auto said = unserved.find(app.owner);
  return said != unserved.end() && said->second.contains(app.app);
}

// Like an id for an app of our own that no app can be called, so that it is told to nobody but them.
std::string Node::Parts::author_code(const PersonId& who) const {
  const PersonId id = statements->pairwise(who, {config.partner, AppId("sealed/author")});
  return base64url(crypto::sha256(id.text()));
}

void Node::Parts::record_view_end(ledger::Record leaf) {
  records->append({std::move(leaf)}, true, [](const Result<ledger::Appended>& appended) {
    if (!appended)
      log(LogLevel::warning, "node", "that a view ended is not in the ledger",
          {{"why", appended.error().text()}});
  });
}

void Node::Parts::tell_view_end(const PersonId& person, const std::string& view, const std::string& why) {
  const Json data = Json::object({{"view", view}, {"why", why}});
  access->announcements().announce(
      {.kind = std::string(exchange::kObjectShut), .person = person, .data = data});
}

void Node::Parts::tell_released(const PersonId& person, Json news) {
  access->announcements().announce(
      {.kind = std::string(exchange::kReleased), .person = person, .data = std::move(news)});
}

std::optional<PartnerCode> Node::Parts::key_service_at(std::string_view authority) const {
  constexpr std::string_view kScheme = "https://";
  const std::shared_ptr<const coalition::World> newest = shown.get();
  for (const coalition::KeyService* service : newest->key_services()) {
    if (std::string_view(service->url).substr(kScheme.size()) == authority) return service->partner;
  }
  return std::nullopt;
}

// From the control loop to the one that has the partner's links, and back.
net::Task<Result<std::string>> Node::Parts::ask_keys(PartnerCode to, std::string body) {
  const exchange::Lanes::One& there = lanes.of(to);
  const Tick by = loop.tick() + exchange::Links::kKeysTimeout;
  std::move_only_function<net::Task<Result<std::string>>()> work =
      [links = there.links, partner = std::move(to), text = std::move(body), by]() mutable {
        return links->ask_keys(std::move(partner), std::move(text), by);
      };
  std::optional<Result<std::string>> answer = co_await net::run_on<Result<std::string>>(
      there.lane->loop(), exchange::Links::kKeysTimeout, std::move(work));
  if (!answer) co_return fail("exchange.link-down", "the partner did not answer in time");
  co_return *std::move(answer);
}

net::Task<void> Node::Parts::serve_keys(net::HttpCall& call, net::NormalTarget target, PartnerCode of) {
  // Also for another nation's service: the reader's own node decides first, and asks that one over the link.
  co_await key_desk->handle(call, std::move(target), std::move(of));
}

// From any loop.
Result<exchange::SignedAssertion> Node::Parts::sign_for(const exchange::Pass& pass,
                                                        const ConnectorId& id) const {
  const std::shared_ptr<const coalition::World> newest = shown.get();
  const coalition::App* app = newest->app(pass.app);
  const coalition::Connector* connector = newest->connector(id);
  if (app == nullptr || connector == nullptr)
    return fail("exchange.connector-down", "the app or its connector is gone");
  identity::Assertion assertion;
  assertion.issuer = config.partner;
  assertion.app = pass.app;
  assertion.person =
      pass.side == exchange::Side::host ? pass.who.id : statements->pairwise(pass.who.id, pass.app);
  assertion.partner = pass.who.partner;
  assertion.mission = app->mission;
  const Instant now = clock.now();
  assertion.attributes = identity::attributes_for(pass.who.facts, app->shares, now);
  assertion.connector = connector->thumbprint;
  assertion.session = identity::session_reference(keys.pairwise, pass.id, pass.app);
  exchange::SignedAssertion made;
  made.keep_until =
      app->assertion_each_request ? now : identity::attributes_end(pass.who.facts, app->shares, now);
  TRY(made.text, identity::sign_assertion(keys.statement, key_id(keys.statement), std::move(assertion), now,
                                          crypto::random_token(12)));
  return made;
}

void Node::Parts::on_each(const std::function<void(LoopParts&)>& call) {
  for (LoopParts& parts : by_loop) {
    if (parts.lane->is_control()) {
      call(parts);
    } else {
      parts.lane->loop().post([&parts, call] { call(parts); });
    }
  }
}

net::Task<Result<Json>> Node::Parts::enrol(Json body) {
  Fields fields(body, "");
  const std::string id = fields.text("id", 63);
  const std::string token = fields.text("token", 128);
  const std::string pem = fields.text("certificate", 16 * 1024);
  CO_TRY_VOID(fields.done());
  // Nothing that a stranger made is parsed further.
  CO_TRY_VOID(may_enrol(world(), id, token, decisions->now()));
  CO_TRY(const crypto::Certificate certificate, crypto::Certificate::from_pem(pem));
  CO_TRY(Change change, enrol_connector(world(), id, token, certificate.thumbprint(), decisions->now()));
  // A token works once, also when two show it at the same moment.
  CO_TRY(store::Precondition unused, records->as_seen("enrolment/" + id));
  change.preconditions.push_back(std::move(unused));
  net::Reply<Result<Outcome>> reply(loop);
  records->commit(std::move(change), reply.taker());
  const std::optional<Result<Outcome>> outcome = co_await reply.within(Seconds(30));
  if (!outcome) co_return fail("node.slow", "it is not known yet whether the enrolment was written");
  if (!*outcome) {
    const Error& why = outcome->error();
    log(LogLevel::warning, "node", "an expected connector was not enrolled",
        {{"connector", id}, {"why", why.text()}});
    co_return Failure(why);
  }
  co_return Json::object({{"id", id}, {"node_thumbprint", keys.link_certificate.thumbprint()}});
}

void Node::Parts::hear(const PartnerCode& from, std::string jws) {
  Result<HeardOffers> heard = hear_offers(world(), from, jws, offers_heard[from], clock.now());
  if (!heard) {
    log(LogLevel::debug, "node", "a partner's offers were not taken",
        {{"partner", from.text()}, {"why", heard.error().text()}});
    return;
  }
  offers_heard[from] = heard->issued;
  unserved[from] = std::move(heard->unserved);
  if (heard->keys_refused) {
    log(LogLevel::warning, "node", "a partner's keys were not taken",
        {{"partner", from.text()}, {"why", heard->keys_refused->text()}});
  }
  for (Change* change : {&heard->change, &heard->keys}) {
    if (change->records.empty()) continue;
    if (!lists_budget.take(from, *change, clock.tick())) {
      log(LogLevel::warning, "node", "a partner's list changes more than it may in an hour",
          {{"partner", from.text()}});
      continue;
    }
    records->commit(std::move(*change), [from](const Result<Outcome>& outcome) {
      if (!outcome)
        log(LogLevel::warning, "node", "a partner's list could not be kept",
            {{"partner", from.text()}, {"why", outcome.error().text()}});
    });
  }
}

// Whoever answers for an app of ours hears, at most once a sweep, that others are inside now.
void Node::Parts::announce_users() {
  std::map<AppId, size_t> now;
  for (const exchange::Session* session : switchboard->core().sessions()) {
    if (session->stage != exchange::Stage::live || session->app.owner != config.partner) continue;
    now[session->app.app] += std::hash<std::string>()(session->id.text()) + (session->open() ? 1 : 0);
  }
  for (const auto& [app, who] : now) users.try_emplace(app, 0);
  for (const auto& [app, before] : users) {
    const auto at = now.find(app);
    if (at != now.end() ? at->second == before : before == 0) continue;
    access->announcements().announce(
        {.kind = std::string(exchange::kSessions), .app = coalition::AppRef{config.partner, app}});
  }
  users = std::move(now);
}

void Node::Parts::sweep() {
  browsers.sweep(clock.now());
  view_desk->sign_ins_changed();
  access->sweep();
  release_desk->sweep();
  announce_users();
  missions->sweep();
  note_alive();
  sweeper = loop.after(kSweepEvery, [this] { sweep(); });
}

void Node::run(std::function<void(uint16_t)> ready) {
  Parts& parts = *parts_;
  parts.loop.post([&parts, ready = std::move(ready)] {
    parts.loop.spawn(exchange::serve_doors(*parts.door_listener, parts.doors));
    parts.loop.spawn(parts.api->serve(*parts.api_listener));
    parts.on_each([](LoopParts& own) { own.links->start(); });
    parts.sweep();
    if (ready) ready(parts.door_listener->port());
  });
  std::vector<std::thread> others;
  for (size_t number = 1; number < parts.loops.size(); ++number)
    others.emplace_back([&loop = parts.loops[number]] { loop.run(); });
  parts.loop.run();
  for (size_t number = 1; number < parts.loops.size(); ++number) parts.loops[number].stop();
  for (std::thread& other : others) other.join();
}

void Node::Parts::say_goodbye() {
  on_each([](LoopParts& own) {
    own.links->close_all();
    own.connectors->close_all();
  });
  last_words = loop.after(kLastWords, [this] { loop.stop(); });
}

void Node::stop() {
  Parts& parts = *parts_;
  parts.loop.post([&parts] {
    if (std::exchange(parts.stopping, true)) return;
    parts.door_listener->close();
    parts.api_listener->close();
    exchange::Ending why;
    why.which = coalition::Refusal::app_down;
    why.what = "The node is being stopped.";
    why.change = "Sign in again when it is back.";
    if (parts.config.limits.away_max == Seconds(0)) {
      parts.switchboard->close_all(why);
    } else {
      parts.switchboard->rest();
    }
    parts.note_alive();
    parts.on_each([](LoopParts& own) { own.door->drain(); });
    // The ledger takes leaves in order: once this one is in, so are all endings. A disk that hangs is not
    // waited for longer than kStopWait.
    ledger::Record leaf{.event_class = "node.stop", .time = parts.clock.now(), .fields = {}};
    leaf.fields.emplace_back("partner", parts.config.partner.text());
    parts.stop_wait = parts.loop.after(kStopWait, [&parts] { parts.say_goodbye(); });
    parts.records->append({std::move(leaf)}, true, [&parts](const Result<ledger::Appended>&) {
      parts.stop_wait.cancel();
      parts.say_goodbye();
    });
  });
}

}  // namespace entente::node
