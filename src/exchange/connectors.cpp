#include "exchange/connectors.h"

#include "base/log.h"

#include <algorithm>

namespace entente::exchange {
namespace {

constexpr Millis kMeasureEvery{1000};
constexpr uint32_t kStreamsMax = 16'384;
// Streams that end before their time within ten seconds, whoever gave them up: a crowd that leaves at once, a
// nation that is cut off, an app that is down. They share a connection with people who have no part in it.
constexpr uint32_t kResetsMax = 10 * kStreamsMax;

}  // namespace

net::CarrierConfig carrier_config() {
  net::CarrierConfig config;
  config.h2.streams_max = kStreamsMax;
  config.h2.resets_max = kResetsMax;
  // Whole frames, each with its head a TLS record: a rest would go out alone.
  config.h2.stream_window_bytes = 16 * (16 * 1024 - 9);
  config.h2.connection_window_bytes = 16 << 20;
  config.h2.header_table_bytes = 64 * 1024;  // some sixty assertions
  config.h2.unread_bytes_max = 256 << 20;
  config.openers_max = 4096;
  config.ping_interval = Millis(1000);
  config.ping_timeout = Millis(5000);
  return config;
}

net::RequestHead node_request(std::string_view method, std::string_view path) {
  net::RequestHead head;
  head.method = std::string(method);
  head.scheme = "https";
  head.authority = "node";
  head.path = std::string(path);
  return head;
}

std::optional<ConnectorDesk::Claim> ConnectorDesk::claim(const ConnectorId& id, const std::string& thumbprint,
                                                         size_t here) {
  const auto known = places_.find(id);
  std::map<size_t, Place> places = known == places_.end() ? std::map<size_t, Place>() : known->second;
  size_t lane = here;
  if (places.size() == lanes_.all.size()) {
    lane = std::ranges::min_element(places, {}, [](const auto& at) { return at.second.heard; })->first;
  } else {
    for (size_t i = 0; places.contains(lane); ++i) lane = i;
  }
  places.erase(lane);
  // The first one, or all there is: a new beginning, also for what was measured.
  if (places.empty() && !switchboard_.connector_up(id, thumbprint)) return std::nullopt;
  const Claim claim{lane, ++last_number_};
  places[lane] = {claim.number, switchboard_.moment().tick};
  places_[id] = std::move(places);
  return claim;
}

void ConnectorDesk::heard(const ConnectorId& id, const Claim& claim, Tick at, Millis round_trip) {
  const auto known = places_.find(id);
  if (known == places_.end()) return;
  const auto place = known->second.find(claim.lane);
  if (place == known->second.end() || place->second.number != claim.number) return;
  place->second.heard = at;
  if (round_trip >= Millis(0)) switchboard_.connector_measured(id, round_trip);
}

void ConnectorDesk::gone(const ConnectorId& id, const Claim& claim) {
  const auto known = places_.find(id);
  if (known == places_.end()) return;
  const auto place = known->second.find(claim.lane);
  if (place == known->second.end() || place->second.number != claim.number) return;  // replaced meanwhile
  known->second.erase(place);
  if (!known->second.empty()) return;
  places_.erase(known);
  switchboard_.connector_down(id);
}

void ConnectorDesk::drop(const ConnectorId& id) {
  places_.erase(id);
  for (const Lanes::One& one : lanes_.all) {
    if (one.lane->is_control()) {
      one.connectors->drop(id);
    } else {
      one.lane->loop().post([connectors = one.connectors, id] { connectors->drop(id); });
    }
  }
}

Connectors::Connectors(Lane& lane, const Lanes& lanes, ConnectorDesk& desk, CurrentWorld world)
    : lane_(lane), lanes_(lanes), desk_(desk), world_(std::move(world)), arrived_(lane.loop()) {}

net::Task<void> Connectors::serve(std::unique_ptr<net::Stream> stream) {
  const net::TlsPeer* peer = stream->tls();
  const std::string thumbprint = peer == nullptr ? std::string() : base64url(peer->thumbprint);
  const std::shared_ptr<const coalition::World> world = world_();
  const coalition::Connector* known = world->connector_by_thumbprint(thumbprint);
  std::optional<ConnectorDesk::Claim> claim;
  ConnectorId id;
  if (known != nullptr) {
    id = known->id;
    std::move_only_function<std::optional<ConnectorDesk::Claim>(Switchboard&)> wanted =
        [this, id, thumbprint](Switchboard&) { return desk_.claim(id, thumbprint, lane_.number()); };
    claim = co_await lane_.ask<std::optional<ConnectorDesk::Claim>>(std::move(wanted));
  }
  if (!claim) {
    lane_.stranger_refused();
    stream->abort();
    co_return;
  }
  if (claim->lane == lane_.number()) {
    co_await run(id, *claim, std::move(stream));
    co_return;
  }
  Result<net::Parked> parked = stream->park();
  if (!parked) {
    lane_.tell([this, id, claim = *claim](Switchboard&) { desk_.gone(id, claim); });
    co_return;
  }
  const Lanes::One& there = lanes_.all[claim->lane];
  there.lane->loop().spawn(there.connectors->arrive(id, *claim, std::move(*parked)));
}

net::Task<void> Connectors::arrive(ConnectorId id, ConnectorDesk::Claim claim, net::Parked parked) {
  std::unique_ptr<net::Stream> stream = net::adopt(lane_.loop(), std::move(parked));
  co_await run(id, claim, std::move(stream));
}

net::Task<void> Connectors::run(ConnectorId id, ConnectorDesk::Claim claim,
                                std::unique_ptr<net::Stream> stream) {
  // The world may have moved on since the handshake; from here on drop() finds this connection.
  const std::shared_ptr<const coalition::World> world = world_();
  const coalition::Connector* known = world->connector_by_thumbprint(base64url(stream->tls()->thumbprint));
  if (known == nullptr || known->id != id) {
    stream->abort();
    lane_.tell([this, id, claim](Switchboard&) { desk_.gone(id, claim); });
    co_return;
  }
  net::Carrier carrier = net::Carrier::client(std::move(stream), carrier_config());
  drop(id);  // a second connection of the same connector replaces the first
  up_.insert_or_assign(id, carrier);
  log(LogLevel::info, "exchange", "a connector is up",
      {{"connector", id.text()}, {"loop", static_cast<int64_t>(lane_.number())}});
  lane_.loop().spawn(measure(id, claim, carrier));
  lane_.loop().spawn(tell_connections(carrier));
  arrived_.pulse();
  const Result<void> ended = co_await carrier.run();
  log(LogLevel::info, "exchange", "a connector is gone",
      {{"connector", id.text()},
       {"loop", static_cast<int64_t>(lane_.number())},
       {"why", ended ? "" : ended.error().text()}});
  const auto at = up_.find(id);
  if (at != up_.end() && at->second.over()) up_.erase(at);
  lane_.tell([this, id, claim](Switchboard&) { desk_.gone(id, claim); });
}

net::Task<void> Connectors::measure(ConnectorId connector, ConnectorDesk::Claim claim, net::Carrier carrier) {
  while (!carrier.over()) {
    const net::CarrierCounts counts = carrier.counts();
    lane_.tell([this, connector, claim, heard = counts.heard, round_trip = counts.round_trip](Switchboard&) {
      desk_.heard(connector, claim, heard, round_trip);
    });
    co_await lane_.loop().sleep(kMeasureEvery);
  }
}

net::Task<void> Connectors::tell_connections(net::Carrier carrier) {
  net::RequestHead head = node_request("GET", kConnectionsPath);
  head.headers.add(std::string(kConnectionsHeader), std::to_string(lanes_.all.size()));
  Result<net::CarrierStream> opened = co_await carrier.open(head, true);
  if (!opened) co_return;
  [[maybe_unused]] const Result<net::ResponseHead> answer = co_await opened->read_head();
}

std::optional<ConnectorId> Connectors::pick(const Pass& pass) {
  return lane_.connector_for(pass, [this](const ConnectorId& id) { return up_.contains(id); });
}

std::optional<ConnectorId> Connectors::another(const Pass& pass, const ConnectorId& than) {
  return lane_.connector_for(pass, [&](const ConnectorId& id) { return id != than && up_.contains(id); });
}

net::Task<std::optional<ConnectorId>> Connectors::choose(const Pass& pass) {
  std::optional<ConnectorId> picked = pick(pass);
  if (picked || lanes_.all.size() == 1) co_return picked;
  const Tick end = lane_.moment().tick + kElsewhereMax;
  while (!picked && lane_.connected_anywhere(pass.app.app) && lane_.moment().tick < end) {
    [[maybe_unused]] const bool arrived = co_await arrived_.wait(Millis(50));
    picked = pick(pass);
  }
  co_return picked;
}

net::Task<Result<net::CarrierStream>> Connectors::open(ConnectorId connector, net::RequestHead& head,
                                                       bool end, net::GateRef gate) {
  const auto at = up_.find(connector);
  if (at == up_.end()) co_return fail("exchange.connector-down", "the app's connector is not connected");
  net::Carrier carrier = at->second;
  Result<net::CarrierStream> opened = co_await carrier.open(head, end, std::move(gate));
  // A head that cannot be sent is the fault of whoever asked.
  if (!opened && opened.error().code() != "net.fenced" && opened.error().code() != "h2.head")
    lane_.tell([connector](Switchboard& control) { control.connector_failed(connector); });
  co_return std::move(opened);
}

void Connectors::drop(const ConnectorId& connector) {
  const auto at = up_.find(connector);
  if (at == up_.end()) return;
  net::Carrier carrier = at->second;
  up_.erase(at);
  carrier.abort();
}

void Connectors::close_all() {
  for (auto& [id, carrier] : up_) carrier.close();
}

}  // namespace entente::exchange
