// The node's end of its connectors: they dial in, show their pinned certificate, and are asked over HTTP/2.
// A connector keeps one connection to each of the node's loops; the node tells it how many there are and
// gives each connection to the loop that lacks one. So a stream finds its connector on its own loop.
#pragma once

#include "coalition/world.h"
#include "exchange/lane.h"
#include "exchange/lanes.h"
#include "net/carrier.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace entente::exchange {

inline constexpr std::string_view kConnectorAlpn = "entente-connector/1";
// Of an extended CONNECT: opaque bytes, so that an app's TLS may end at its host. Only for apps whose
// connector says so: towards any other app they would be requests that nobody decided.
inline constexpr std::string_view kBytesProtocol = "entente-bytes";
inline constexpr std::string_view kAppHeader = "entente-app";  // node to connector: which of its targets
// GET, and without kAppHeader: the node says how many connections it wants in kConnectionsHeader.
inline constexpr std::string_view kConnectionsPath = "/entente/connections";
inline constexpr std::string_view kConnectionsHeader = "entente-connections";
inline constexpr size_t kConnectionsMax = 64;  // as many loops as a node may have
// What is asked of the other end itself, not of an app behind it.
[[nodiscard]] net::RequestHead node_request(std::string_view method, std::string_view path);

using CurrentWorld = std::function<std::shared_ptr<const coalition::World>()>;  // from any loop

// Which loops each connector is connected to. On the control loop; to the core a connector is up while it has
// one connection.
class ConnectorDesk {
 public:
  struct Claim {
    size_t lane = 0;
    uint64_t number = 0;
  };
  ConnectorDesk(Switchboard& switchboard, const Lanes& lanes) : switchboard_(switchboard), lanes_(lanes) {}

  // Where a new connection is to live: on `here` if that lacks one, else on another loop that does, else in
  // place of the one that was heard of longest ago. None when the core refuses the connector.
  [[nodiscard]] std::optional<Claim> claim(const ConnectorId& id, const std::string& thumbprint, size_t here);
  void heard(const ConnectorId& id, const Claim& claim, Tick at, Millis round_trip);
  void gone(const ConnectorId& id, const Claim& claim);
  void drop(const ConnectorId& id);  // the world no longer lists it

 private:
  struct Place {
    uint64_t number = 0;
    Tick heard{};
  };
  Switchboard& switchboard_;
  const Lanes& lanes_;
  std::map<ConnectorId, std::map<size_t, Place>> places_;  // by lane
  uint64_t last_number_ = 0;
};

// One loop's carriers to connectors. On that loop.
class Connectors {
 public:
  Connectors(Lane& lane, const Lanes& lanes, ConnectorDesk& desk, CurrentWorld world);

  // A stream whose handshake chose kConnectorAlpn. Returns when the connector is gone, or on another loop.
  [[nodiscard]] net::Task<void> serve(std::unique_ptr<net::Stream> stream);
  // The nearest for the session's next stream, if this loop has one.
  [[nodiscard]] std::optional<ConnectorId> pick(const Pass& pass);
  // The same; waits a little while its app's connectors are connected to other loops only. The pass must
  // outlive the task.
  [[nodiscard]] net::Task<std::optional<ConnectorId>> choose(const Pass& pass);
  [[nodiscard]] bool several() const { return up_.size() > 1; }
  // The nearest but that one, which the session's next streams then go to; none when this loop has no other.
  [[nodiscard]] std::optional<ConnectorId> another(const Pass& pass, const ConnectorId& than);
  // `gate` is the session's: nothing of it leaves while it is closed. `head` must outlive the task.
  [[nodiscard]] net::Task<Result<net::CarrierStream>> open(ConnectorId connector, net::RequestHead& head,
                                                           bool end, net::GateRef gate);
  void drop(const ConnectorId& connector);
  void close_all();

  static constexpr Millis kElsewhereMax{2'000};  // for a connector that other loops have to come here too

 private:
  net::Task<void> run(ConnectorId id, ConnectorDesk::Claim claim, std::unique_ptr<net::Stream> stream);
  net::Task<void> arrive(ConnectorId id, ConnectorDesk::Claim claim, net::Parked parked);
  net::Task<void> measure(ConnectorId connector, ConnectorDesk::Claim claim, net::Carrier carrier);
  net::Task<void> tell_connections(net::Carrier carrier);

  Lane& lane_;
  const Lanes& lanes_;
  ConnectorDesk& desk_;
  CurrentWorld world_;
  std::map<ConnectorId, net::Carrier> up_;
  net::Event arrived_;
};

// What links and connectors are carried with: many streams, control first, 16 KiB frames.
[[nodiscard]] net::CarrierConfig carrier_config();

}  // namespace entente::exchange
