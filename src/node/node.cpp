#include "node/node.h"

#include "base/fields.h"
#include "base/log.h"
#include "base/published.h"
#include "exchange/access_desk.h"
#include "exchange/door.h"
#include "identity/assertion.h"
#include "node/api.h"
#include "node/archive.h"
#include "node/clock.h"
#include "node/console.h"
#include "node/key_desk.h"
#include "node/keys.h"
#include "node/missions.h"
#include "node/node_settings.h"
#include "node/offers.h"
#include "node/operators.h"
#include "node/recall.h"
#include "node/records.h"
#include "node/release_desk.h"
#include "node/statements.h"
#include "node/view_desk.h"

#include <algorithm>
#include <map>
#include <thread>
#include <vector>

#include <fmt/format.h>

namespace entente::node {
namespace {

constexpr Millis kSweepEvery = AliveMark::kEvery;
constexpr Millis kStopWait{2000};
constexpr Millis kLastWords{50};  // for goodbyes to partners and connectors to leave

// What stands on one loop.
struct LoopParts {
  std::unique_ptr<exchange::Lane> lane;
  std::unique_ptr<exchange::Connectors> connectors;
  std::unique_ptr<exchange::Gateway> gateway;
  std::unique_ptr<exchange::Links> links;
  std::unique_ptr<exchange::AppDoor> apps;
  std::unique_ptr<exchange::Door> door;
};

}  // namespace

struct Node::Parts {
  Parts(NodeConfig given, Keys own)
      : config(std::move(given)), keys(std::move(own)), loops(count_of_loops(config)), loop(loops.front()) {}

  Result<void> build();
  void build_loop(size_t number, const exchange::HostNames& names);
  Result<exchange::SignedAssertion> sign_for(const exchange::Pass& pass, const ConnectorId& connector) const;
  // On each loop, its own part; at once on the control loop, which this is called on.
  void on_each(const std::function<void(LoopParts&)>& call);
  void say_goodbye();
  void watch();
  net::Task<Result<Json>> enrol(Json body);
  [[nodiscard]] std::optional<PartnerCode> key_service_at(std::string_view authority) const;
  net::Task<Result<std::string>> ask_keys(PartnerCode to, std::string body);
  net::Task<void> serve_keys(net::HttpCall& call, net::NormalTarget target, PartnerCode of);
  void hear(const PartnerCode& from, std::string jws);
  void go_on();
  void put_right(const exchange::AccessDesk::Closing& closing);
  void sweep();
  void note_alive();
  void announce_users();
  [[nodiscard]] const coalition::World& world() const { return records->world(); }

  NodeConfig config;
  Keys keys;
  const Clock& clock = system_clock();
  std::vector<net::Loop> loops;  // the first is the control loop, and run by whoever runs the node
  net::Loop& loop;
  net::Resolver resolver;
  std::unique_ptr<Records> records;
  std::unique_ptr<ClosingAtStart> start_closing;
  AliveMark alive{config.data / "alive"};
  Published<coalition::World> shown;    // the records' world, for any loop
  Published<coalition::World> durable;  // likewise, without what narrows and is not durable yet
  std::unique_ptr<NodeArchive> archive;
  std::unique_ptr<StatementDesk> statements;
  std::unique_ptr<net::TlsServer> door_tls;
  std::unique_ptr<net::TlsClient> asking_tls;
  std::unique_ptr<net::TlsClient> reverse_tls;
  std::unique_ptr<net::TlsClient> provider_tls;
  std::unique_ptr<exchange::Switchboard> switchboard;
  std::unique_ptr<DecisionClock> decisions;
  exchange::Browsers browsers;
  exchange::Lanes lanes;
  std::unique_ptr<exchange::ConnectorDesk> connector_desk;
  std::unique_ptr<exchange::AccessDesk> access;
  std::unique_ptr<MissionDesk> missions;
  std::unique_ptr<IssuerKeys> issuer_keys;
  std::unique_ptr<ViewDesk> view_desk;
  std::unique_ptr<ReleaseDesk> release_desk;
  std::unique_ptr<KeyDesk> key_desk;
  std::unique_ptr<exchange::Lobby> lobby;
  std::vector<LoopParts> by_loop;
  std::vector<exchange::Door*> doors;
  std::unique_ptr<Api> api;
  std::unique_ptr<Console> console;
  std::unique_ptr<net::Listener> door_listener;
  std::unique_ptr<net::Listener> api_listener;
  std::map<PartnerCode, Instant> offers_heard;
  std::map<PartnerCode, std::set<AppId>> unserved;  // partners' apps, as they said last
  ListBudget lists_budget;
  std::map<AppId, size_t> users;  // of each app of ours, as last announced: changes with who is inside
  net::Timer sweeper;
  net::Timer stop_wait;
  net::Timer last_words;
  bool stopping = false;
};

Node::Node(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Node::~Node() = default;

Result<std::unique_ptr<Node>> Node::start(NodeConfig config) {
  TRY(Keys keys, load_keys(config.data, system_clock().now()));
  auto parts = std::make_unique<Parts>(std::move(config), std::move(keys));
  TRY_VOID(parts->build());
  return std::unique_ptr<Node>(new Node(std::move(parts)));
}

Result<void> Node::Parts::build() {
  TRY(records, Records::open(config, keys, loop));
  if (world().self() != config.partner) {
    return fail("node.partner", fmt::format("the store is {}'s, and the configuration is {}'s",
                                            world().self().text(), config.partner.text()));
  }
  shown.set(std::make_shared<const coalition::World>(world()));
  durable.set(std::make_shared<const coalition::World>(records->durable_world()));
  archive = std::make_unique<NodeArchive>(*records, clock);
  const auto current = [this]() -> const coalition::World& { return world(); };
  statements = std::make_unique<StatementDesk>(keys, config.partner, current);
  TRY(auto made_door_tls, make_door_tls(config, keys));
  door_tls = std::make_unique<net::TlsServer>(std::move(made_door_tls));
  TRY(auto made_asking, make_link_tls(keys, exchange::kLinkAlpn));
  asking_tls = std::make_unique<net::TlsClient>(std::move(made_asking));
  TRY(auto made_reverse, make_link_tls(keys, exchange::kReverseLinkAlpn));
  reverse_tls = std::make_unique<net::TlsClient>(std::move(made_reverse));
  net::TlsClientConfig provider;
  TRY(provider.trust_pem, read_file(config.trust));
  provider.alpn = {"http/1.1"};
  TRY(auto made_provider, net::TlsClient::make(std::move(provider)));
  provider_tls = std::make_unique<net::TlsClient>(std::move(made_provider));

  exchange::Exchange::Options options;
  options.limits.sessions_max = static_cast<size_t>(config.limits.sessions_max);
  options.limits.sessions_per_person_max = static_cast<size_t>(config.limits.sessions_per_person_max);
  options.limits.sessions_per_partner_max = static_cast<size_t>(config.limits.sessions_per_partner_max);
  options.limits.asks_per_second = static_cast<uint32_t>(config.limits.admissions_per_partner_per_s);
  options.limits.asks_burst = 2 * options.limits.asks_per_second;
  switchboard = std::make_unique<exchange::Switchboard>(loop, clock, *archive, *statements,
                                                        exchange::rules_of(world()), options);
  decisions = std::make_unique<DecisionClock>(clock, *switchboard);
  connector_desk = std::make_unique<exchange::ConnectorDesk>(*switchboard, lanes);
  access = std::make_unique<exchange::AccessDesk>(
      exchange::AccessDesk::Parts{*switchboard, *archive, clock, current});
  missions = std::make_unique<MissionDesk>(*records, *switchboard, *access, clock, *decisions);
  TRY(const crypto::PublicKey nation_key, load_genesis_key(config));
  TRY(identity::Crosswalk crosswalk, make_crosswalk(world(), nation_key));
  issuer_keys = std::make_unique<IssuerKeys>(loop, clock, *provider_tls, resolver);
  TRY_VOID(data::KasKeys::make_missing(config.data / "keys" / "kas", clock.now()));
  TRY(data::KasKeys kas_keys, data::KasKeys::load(config.data / "keys" / "kas"));
  const auto ask = [this](PartnerCode to, std::string body) {
    return ask_keys(std::move(to), std::move(body));
  };
  const auto record_view = [this](ledger::Record leaf) {
    records->append({std::move(leaf)}, true, [](const Result<ledger::Appended>& appended) {
      if (!appended)
        log(LogLevel::warning, "node", "that a view ended is not in the ledger",
            {{"why", appended.error().text()}});
    });
  };
  view_desk = std::make_unique<ViewDesk>(ViewDesk::Parts{
      current, record_view, *decisions, loop, config.partner, ask,
      [this](const std::string& sign_in) { return browsers.is_signed_in(sign_in, decisions->now()); },
      [this](const PersonId& person, const std::string& view, const std::string& why) {
        const Json data = Json::object({{"view", view}, {"why", why}});
        access->announcements().announce(
            {.kind = std::string(exchange::kObjectShut), .person = person, .data = data});
      }});
  release_desk = std::make_unique<ReleaseDesk>(ReleaseDesk::Parts{
      current,
      [this](const PartnerCode& partner, exchange::Way way, exchange::link::Told told) {
        switchboard->tell(partner, way, std::move(told));
      },
      [this](const PersonId& person, Json news) {
        access->announcements().announce(
            {.kind = std::string(exchange::kReleased), .person = person, .data = std::move(news)});
      },
      *decisions});
  key_desk = std::make_unique<KeyDesk>(KeyDesk::Parts{
      *records, *decisions, loop, *issuer_keys, crosswalk, std::move(kas_keys), config.data / "keys" / "kas",
      config.partner, [this] { switchboard->stranger_refused(); }, keys.statement,
      [this](const PersonId& who, const PartnerCode& at) {
        return statements->pairwise(who, {at, AppId("kas")});
      },
      // Like an id for an app of our own that no app can be called, so that it is told to nobody but them.
      [this](const PersonId& who) {
        const PersonId id = statements->pairwise(who, {config.partner, AppId("sealed/author")});
        return base64url(crypto::sha256(id.text()));
      },
      ask, *view_desk,
      [this](const PartnerCode& service, const RequestId& id, const PersonId& who) {
        release_desk->waits(service, id, who);
      }});
  std::string provider_name;
  TRY(identity::OidcClient oidc, make_oidc(world(), keys, provider_name));
  TRY(door_listener, net::Listener::tcp(loop, config.door_port, listener_limits(config.limits)));
  const uint16_t public_port = config.door_public_port != 0 ? config.door_public_port : door_listener->port();
  const exchange::HostNames names(config.door_name, public_port);
  exchange::Lobby::Parts parts{*switchboard, *access,       browsers, *archive, clock,
                               *decisions,   *provider_tls, resolver, current};
  parts.sign_ins_per_s = static_cast<uint32_t>(config.limits.sign_ins_per_s);
  parts.sign_ins_per_source_per_s = static_cast<uint32_t>(config.limits.sign_ins_per_source_per_s);
  parts.objects = key_desk.get();
  parts.opens_console = [this](const coalition::Person& person) { return console->opens(person); };
  parts.unserved = [this](const coalition::AppRef& app) {
    const auto said = unserved.find(app.owner);
    return said != unserved.end() && said->second.contains(app.app);
  };
  lobby = std::make_unique<exchange::Lobby>(std::move(parts), names, provider_name, std::move(oidc),
                                            std::move(crosswalk));
  for (size_t number = 0; number < loops.size(); ++number) build_loop(number, names);
  const auto link_states = [this] {
    std::vector<LinkState> out;
    for (const coalition::Partner* partner : world().partners()) {
      if (partner->code == config.partner) continue;
      out.push_back({partner->code, switchboard->link_is_up(partner->code, exchange::Way::asking),
                     switchboard->link_is_up(partner->code, exchange::Way::serving)});
    }
    return out;
  };
  const auto release_told = [this](const coalition::Release& release) { release_desk->answered(release); };
  access->on_release_closed(release_told);
  api = std::make_unique<Api>(
      Api::Parts{*records, *switchboard, *access, *missions, *key_desk, clock, *decisions, config.partner,
                 link_states, [this] { return lobby->provider_fault(); },
                 [this](const PersonId& person) { return lobby->is_in(person); }, release_told,
                 [this](const exchange::AccessDesk::Closing& closing) { put_right(closing); }});
  console = std::make_unique<Console>(Console::Parts{*api, *records, *switchboard, *access, browsers,
                                                     *decisions, clock, config.data / "ledger"},
                                      names, read_console_files(config.console));
  TRY(api_listener, net::Listener::unix_path(loop, config.operators_socket.string()));
  watch();
  go_on();
  return {};
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

void Node::Parts::build_loop(size_t number, const exchange::HostNames& names) {
  const exchange::CurrentWorld newest = [this] { return shown.get(); };
  LoopParts& made = by_loop.emplace_back();
  made.lane = std::make_unique<exchange::Lane>(loops[number], number, clock, *switchboard);
  switchboard->add_lane(*made.lane);
  made.connectors = std::make_unique<exchange::Connectors>(*made.lane, lanes, *connector_desk, newest);
  made.gateway = std::make_unique<exchange::Gateway>(
      *made.lane, *made.connectors,
      [this](const exchange::Pass& pass, const ConnectorId& id) { return sign_for(pass, id); });
  exchange::Links::Offers offers;
  offers.ours = [this, lane = made.lane.get()](const PartnerCode& partner) {
    // What is offered no more a partner's people lose for good: it is told with the commit, and held here
    // until then. Whoever is shut out is told nothing, durable or not.
    const auto acting = shown.get();
    const coalition::Partner* stands = acting->partner(partner);
    const auto told = stands != nullptr && stands->is_open() ? durable.get() : acting;
    return sign_offers(*told, partner, *key_desk->public_keys(), keys.statement, clock.now(),
                       [lane](const AppId& app) { return lane->roster().reaches(app, lane->moment().tick); });
  };
  offers.theirs = [this](const PartnerCode& partner, std::string jws) { hear(partner, std::move(jws)); };
  made.links = std::make_unique<exchange::Links>(
      *made.lane, lanes, *made.gateway, exchange::Links::Dialing{*asking_tls, *reverse_tls, resolver}, newest,
      std::move(offers),
      exchange::Links::Caps{static_cast<size_t>(config.limits.streams_per_link_max),
                            static_cast<uint32_t>(config.limits.requests_per_partner_per_s)});
  made.links->set_key_desk([this](PartnerCode from, std::string body) {
    return key_desk->serve_partner(std::move(from), std::move(body));
  });
  made.apps = std::make_unique<exchange::AppDoor>(
      exchange::AppDoor::Parts{*made.lane, lanes, browsers, *made.gateway, *made.links, clock,
                               [this] { return exchange::page_frame(*shown.get()); }},
      names);
  made.door = std::make_unique<exchange::Door>(
      exchange::Door::Parts{*made.lane, lanes, config.partner, *door_tls, *lobby, *made.apps, *made.links,
                            *made.connectors, [this](Json body) { return enrol(std::move(body)); },
                            [this](net::HttpCall& call, net::NormalTarget target) {
                              return console->handle(call, std::move(target));
                            },
                            [this] { return *public_keys(keys, config.partner).find("statement_keys"); },
                            [this](std::string_view authority) { return key_service_at(authority); },
                            [this](net::HttpCall& call, net::NormalTarget target, PartnerCode of) {
                              return serve_keys(call, std::move(target), std::move(of));
                            }},
      names, http_limits(config.limits));
  doors.push_back(made.door.get());
  lanes.all.push_back({made.lane.get(), made.links.get(), made.connectors.get(), made.door->service()});
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
  std::move_only_function<net::Task<Result<std::string>>()> work =
      [links = there.links, partner = std::move(to), text = std::move(body)]() mutable {
        return links->ask_keys(std::move(partner), std::move(text));
      };
  std::optional<Result<std::string>> answer = co_await net::run_on<Result<std::string>>(
      there.lane->loop(), 2 * exchange::Links::kKeysTimeout, std::move(work));
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

void Node::Parts::watch() {
  records->on_published(
      [this](const coalition::World& kept, const coalition::World& acting, const coalition::Touch& touch) {
        shown.set(std::make_shared<const coalition::World>(acting));
        durable.set(std::make_shared<const coalition::World>(kept));
        const bool fenced = acting.revision() != kept.revision();
        const size_t held = switchboard->world_published(exchange::rules_of(kept), touch,
                                                         fenced ? exchange::rules_of(acting) : nullptr);
        view_desk->world_published(acting, touch);
        on_each([](LoopParts& parts) { parts.links->world_changed(); });
        return held;
      });
  exchange::Switchboard::Watcher watcher;
  watcher.ended = [this](const exchange::Ended& ended, const exchange::Pass& pass) {
    if (ended.side == exchange::Side::host) return;
    const coalition::App* app = world().app(pass.app);
    const std::string& name = app == nullptr ? pass.app.app.text() : app->name;
    exchange::Refusal why = exchange::refusal_of(ended.ending, name);
    why.app_label = exchange::HostNames::app_label(pass.app);
    why.when = exchange::time_text(decisions->now());
    browsers.session_ended(pass.id, pass.who.id, std::move(why));
    access->announcements().announce({.kind = std::string(exchange::kSessions), .person = pass.who.id});
  };
  watcher.heard = [this](const exchange::Heard& heard) {
    const std::string& topic = heard.told.topic;
    const bool of_mission = topic == MissionDesk::kTopic || topic == MissionDesk::kKnownTopic;
    if (topic.starts_with(ReleaseDesk::kTopics)) return release_desk->heard(heard);
    of_mission ? missions->heard(heard) : access->heard(heard);
  };
  watcher.welcomed = [this](const PartnerCode& partner) {
    access->reached(partner);
    release_desk->reached(partner);
  };
  watcher.connector_dropped = [this](const ConnectorId& id) { connector_desk->drop(id); };
  switchboard->watch(std::move(watcher));
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
