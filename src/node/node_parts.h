// What a running node consists of. Private to the room: node_build.cpp makes it, node.cpp is what it does. On
// the control loop, but for what says otherwise.
#pragma once

#include "base/published.h"
#include "exchange/access_desk.h"
#include "exchange/door.h"
#include "node/api.h"
#include "node/archive.h"
#include "node/clock.h"
#include "node/console.h"
#include "node/exposure_desk.h"
#include "node/key_desk.h"
#include "node/keys.h"
#include "node/missions.h"
#include "node/node.h"
#include "node/node_settings.h"
#include "node/offers.h"
#include "node/recall.h"
#include "node/records.h"
#include "node/release_desk.h"
#include "node/statements.h"
#include "node/view_desk.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace entente::node {

// What stands on one loop.
struct LoopParts {
  std::unique_ptr<exchange::Lane> lane;
  std::unique_ptr<exchange::Connectors> connectors;
  std::unique_ptr<exchange::Gateway> gateway;
  std::unique_ptr<exchange::Links> links;
  std::unique_ptr<exchange::AppDoor> apps;
  std::unique_ptr<exchange::Door> door;
};

struct Node::Parts {
  Parts(NodeConfig given, Keys own)
      : config(std::move(given)), keys(std::move(own)), loops(count_of_loops(config)), loop(loops.front()) {}

  // In this order: each goes by those before it.
  Result<void> build();
  Result<void> build_exchange();  // the core, what it writes to, and the TLS of door, links, provider
  Result<void> build_desks(const identity::Crosswalk& crosswalk);  // of sealed objects
  Result<void> build_doors(identity::Crosswalk crosswalk);         // and what stands behind them on each loop
  void build_loop(size_t number, const exchange::HostNames& names);
  Result<void> build_api();  // and the console
  void watch();              // what a new world and the exchange's events are to set off
  void go_on();

  [[nodiscard]] const coalition::World& world() const { return records->world(); }
  const std::function<const coalition::World&()> current = [this]() -> const coalition::World& {
    return world();
  };
  [[nodiscard]] exchange::HostNames host_names() const;  // once the door listens
  [[nodiscard]] std::vector<LinkState> link_states() const;
  [[nodiscard]] bool is_unserved(const coalition::AppRef& app) const;  // as its owner said last
  [[nodiscard]] std::string author_code(const PersonId& who) const;
  [[nodiscard]] std::optional<PartnerCode> key_service_at(std::string_view authority) const;
  Result<exchange::SignedAssertion> sign_for(const exchange::Pass& pass, const ConnectorId& connector) const;

  void record_view_end(ledger::Record leaf);
  void tell_view_end(const PersonId& person, const std::string& view, const std::string& why);
  void tell_released(const PersonId& person, Json news);
  net::Task<Result<Json>> enrol(Json body);
  net::Task<Result<std::string>> ask_keys(PartnerCode to, std::string body);
  net::Task<void> serve_keys(net::HttpCall& call, net::NormalTarget target, PartnerCode of);
  void hear(const PartnerCode& from, std::string jws);
  void put_right(const exchange::AccessDesk::Closing& closing);

  // On each loop, its own part; at once on the control loop, which this is called on.
  void on_each(const std::function<void(LoopParts&)>& call);
  void sweep();
  void note_alive();
  void announce_users();
  void say_goodbye();

  NodeConfig config;
  Keys keys;
  const Clock& clock = system_clock();
  std::vector<net::Loop> loops;  // the first is the control loop, and run by whoever runs the node
  net::Loop& loop;
  net::Resolver resolver;
  std::unique_ptr<Records> records;
  std::unique_ptr<ExposureDesk> released;  // made before them, which it reads from then on
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

}  // namespace entente::node
