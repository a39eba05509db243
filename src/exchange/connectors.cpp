#include "exchange/connectors.h"

#include "base/log.h"

namespace entente::exchange {
namespace {

constexpr Millis kMeasureEvery{1000};
constexpr uint32_t kStreamsMax = 16'384;

}  // namespace

net::CarrierConfig carrier_config() {
  net::CarrierConfig config;
  config.h2.streams_max = kStreamsMax;
  config.h2.connection_window_bytes = 16 << 20;
  config.h2.unread_bytes_max = 256 << 20;
  config.openers_max = 4096;
  config.ping_interval = Millis(1000);
  config.ping_timeout = Millis(5000);
  return config;
}

Connectors::Connectors(Switchboard& switchboard, CurrentWorld world)
    : switchboard_(switchboard), world_(std::move(world)) {}

net::Task<void> Connectors::serve(std::unique_ptr<net::Stream> stream) {
  const net::TlsPeer* peer = stream->tls();
  const std::string thumbprint = peer == nullptr ? std::string() : base64url(peer->thumbprint);
  const coalition::Connector* known = world_().connector_by_thumbprint(thumbprint);
  if (known == nullptr) {
    switchboard_.stranger_refused();
    stream->abort();
    co_return;
  }
  const ConnectorId id = known->id;
  net::Carrier carrier = net::Carrier::client(std::move(stream), carrier_config());
  if (!switchboard_.connector_up(id, thumbprint)) {
    switchboard_.stranger_refused();
    carrier.abort();
    co_return;
  }
  drop(id);  // a second connection of the same connector replaces the first
  up_.insert_or_assign(id, carrier);
  log(LogLevel::info, "exchange", "a connector is up", {{"connector", id.text()}});
  switchboard_.loop().spawn(measure(id, carrier));
  const Result<void> ended = co_await carrier.run();
  log(LogLevel::info, "exchange", "a connector is gone",
      {{"connector", id.text()}, {"why", ended ? "" : ended.error().text()}});
  const auto at = up_.find(id);
  if (at != up_.end() && at->second.over()) {
    up_.erase(at);
    switchboard_.connector_down(id);
  }
}

net::Task<void> Connectors::measure(ConnectorId connector, net::Carrier carrier) {
  while (!carrier.over()) {
    const Millis round_trip = carrier.counts().round_trip;
    if (round_trip >= Millis(0)) switchboard_.connector_measured(connector, round_trip);
    co_await switchboard_.loop().sleep(kMeasureEvery);
  }
}

net::Task<Result<net::CarrierStream>> Connectors::open(ConnectorId connector, net::RequestHead head, bool end,
                                                       net::GateRef gate) {
  const auto at = up_.find(connector);
  if (at == up_.end()) co_return fail("exchange.connector-down", "the app's connector is not connected");
  net::Carrier carrier = at->second;
  Result<net::CarrierStream> opened = co_await carrier.open(std::move(head), end, std::move(gate));
  if (!opened && opened.error().code != "net.fenced") switchboard_.connector_failed(connector);
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
