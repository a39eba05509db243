// How a node's parts are made and told of each other.
#include "node/node_parts.h"

#include <fmt/format.h>

namespace entente::node {

exchange::HostNames Node::Parts::host_names() const {
  return {config.door_name, config.door_public_port != 0 ? config.door_public_port : door_listener->port()};
}

Result<void> Node::Parts::build() {
  released = std::make_unique<ExposureDesk>(loop, config.partner);
  TRY(records,
      Records::open(config, keys, loop, nullptr,
                    [this](uint64_t entry, const ledger::Record& record) { released->take(record, entry); }));
  released->follow(records->ledger());
  if (world().self() != config.partner) {
    return fail("node.partner", fmt::format("the store is {}'s, and the configuration is {}'s",
                                            world().self().text(), config.partner.text()));
  }
  shown.set(std::make_shared<const coalition::World>(world()));
  durable.set(std::make_shared<const coalition::World>(records->durable_world()));
  TRY_VOID(build_exchange());
  TRY(const crypto::PublicKey nation_key, load_genesis_key(config));
  TRY(identity::Crosswalk crosswalk, make_crosswalk(world(), nation_key));
  TRY_VOID(build_desks(crosswalk));
  TRY_VOID(build_doors(std::move(crosswalk)));
  TRY_VOID(build_api());
  watch();
  go_on();
  return {};
}

Result<void> Node::Parts::build_exchange() {
  archive = std::make_unique<NodeArchive>(*records, clock);
  statements = std::make_unique<StatementDesk>(keys, config.partner, current);
  TRY(auto made_door_tls, make_door_tls(config, keys));
  door_tls = std::make_unique<net::TlsServer>(std::move(made_door_tls));
  TRY(auto made_asking, make_link_tls(keys, exchange::kLinkAlpn));
  asking_tls = std::make_unique<net::TlsClient>(std::move(made_asking));
  TRY(auto made_reverse, make_link_tls(keys, exchange::kReverseLinkAlpn));
  reverse_tls = std::make_unique<net::TlsClient>(std::move(made_reverse));
  TRY(auto made_provider, make_provider_tls(config));
  provider_tls = std::make_unique<net::TlsClient>(std::move(made_provider));

  switchboard = std::make_unique<exchange::Switchboard>(
      loop, clock, *archive, *statements, exchange::rules_of(world()), exchange_options(config.limits));
  decisions = std::make_unique<DecisionClock>(clock, *switchboard);
  connector_desk = std::make_unique<exchange::ConnectorDesk>(*switchboard, lanes);
  access = std::make_unique<exchange::AccessDesk>(
      exchange::AccessDesk::Parts{*switchboard, *archive, clock, current});
  missions = std::make_unique<MissionDesk>(*records, *switchboard, *access, clock, *decisions);
  return {};
}

Result<void> Node::Parts::build_desks(const identity::Crosswalk& crosswalk) {
  issuer_keys = std::make_unique<IssuerKeys>(loop, clock, *provider_tls, resolver);
  TRY_VOID(data::KasKeys::make_missing(config.data / "keys" / "kas", clock.now()));
  TRY(data::KasKeys kas_keys, data::KasKeys::load(config.data / "keys" / "kas"));
  const auto ask = [this](PartnerCode to, std::string body) {
    return ask_keys(std::move(to), std::move(body));
  };
  view_desk = std::make_unique<ViewDesk>(ViewDesk::Parts{
      current, [this](ledger::Record leaf) { record_view_end(std::move(leaf)); }, *decisions, loop,
      config.partner, ask,
      [this](const std::string& sign_in) { return browsers.is_signed_in(sign_in, decisions->now()); },
      [this](const PersonId& person, const std::string& view, const std::string& why) {
        tell_view_end(person, view, why);
      }});
  release_desk = std::make_unique<ReleaseDesk>(ReleaseDesk::Parts{
      current,
      [this](const PartnerCode& partner, exchange::Way way, exchange::link::Told told) {
        switchboard->tell(partner, way, std::move(told));
      },
      [this](const PersonId& person, Json news) { tell_released(person, std::move(news)); }, *decisions});
  key_desk = std::make_unique<KeyDesk>(KeyDesk::Parts{
      *records, *decisions, loop, *issuer_keys, crosswalk, std::move(kas_keys), config.data / "keys" / "kas",
      config.partner, [this] { switchboard->stranger_refused(); }, keys.statement,
      [this](const PersonId& who, const PartnerCode& at) {
        return statements->pairwise(who, {at, AppId("kas")});
      },
      [this](const PersonId& who) { return author_code(who); }, ask, *view_desk,
      [this](const PartnerCode& service, const RequestId& id, const PersonId& who) {
        release_desk->waits(service, id, who);
      }});
  return {};
}

Result<void> Node::Parts::build_doors(identity::Crosswalk crosswalk) {
  std::string provider_name;
  TRY(identity::OidcClient oidc, make_oidc(world(), keys, provider_name));
  TRY(door_listener, net::Listener::tcp(loop, config.door_port, listener_limits(config.limits)));
  const exchange::HostNames names = host_names();
  exchange::Lobby::Parts parts{*switchboard, *access,       browsers, *archive, clock,
                               *decisions,   *provider_tls, resolver, current};
  parts.sign_ins_per_s = static_cast<uint32_t>(config.limits.sign_ins_per_s);
  parts.sign_ins_per_source_per_s = static_cast<uint32_t>(config.limits.sign_ins_per_source_per_s);
  parts.objects = key_desk.get();
  parts.opens_console = [this](const coalition::Person& person) { return console->opens(person); };
  parts.unserved = [this](const coalition::AppRef& app) { return is_unserved(app); };
  lobby = std::make_unique<exchange::Lobby>(std::move(parts), names, provider_name, std::move(oidc),
                                            std::move(crosswalk));
  for (size_t number = 0; number < loops.size(); ++number) build_loop(number, names);
  return {};
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

Result<void> Node::Parts::build_api() {
  const auto release_told = [this](const coalition::Release& release) { release_desk->answered(release); };
  access->on_release_closed(release_told);
  api = std::make_unique<Api>(
      Api::Parts{*records, *switchboard, *access, *missions, *key_desk, *released, clock, *decisions,
                 config.partner, [this] { return link_states(); }, [this] { return lobby->provider_fault(); },
                 [this](const PersonId& person) { return lobby->is_in(person); }, release_told,
                 [this](const exchange::AccessDesk::Closing& closing) { put_right(closing); }});
  console = std::make_unique<Console>(Console::Parts{*api, *records, *switchboard, *access, browsers,
                                                     *decisions, clock, config.data / "ledger"},
                                      host_names(), read_console_files(config.console));
  TRY(api_listener, net::Listener::unix_path(loop, config.operators_socket.string()));
  return {};
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

}  // namespace entente::node
