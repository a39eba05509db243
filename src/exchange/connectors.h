// The node's end of its connectors: they dial in, show their pinned certificate, and are asked over HTTP/2.
// Lives on the control loop.
#pragma once

#include "coalition/world.h"
#include "exchange/switchboard.h"
#include "net/carrier.h"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace entente::exchange {

inline constexpr std::string_view kConnectorAlpn = "entente-connector/1";
// Of an extended CONNECT: opaque bytes, so that an app's TLS may end at its host. Only for apps whose
// connector says so: towards any other app they would be requests that nobody decided.
inline constexpr std::string_view kBytesProtocol = "entente-bytes";
inline constexpr std::string_view kAppHeader = "entente-app";  // node to connector: which of its targets

class Connectors {
 public:
  using CurrentWorld = std::function<const coalition::World&()>;
  Connectors(Switchboard& switchboard, CurrentWorld world);

  // A stream whose handshake chose kConnectorAlpn. Returns when the connector is gone.
  [[nodiscard]] net::Task<void> serve(std::unique_ptr<net::Stream> stream);
  // `gate` is the session's: nothing of it leaves while it is closed.
  [[nodiscard]] net::Task<Result<net::CarrierStream>> open(ConnectorId connector, net::RequestHead head,
                                                           bool end, net::GateRef gate);
  void drop(const ConnectorId& connector);
  void close_all();

 private:
  net::Task<void> measure(ConnectorId connector, net::Carrier carrier);

  Switchboard& switchboard_;
  CurrentWorld world_;
  std::map<ConnectorId, net::Carrier> up_;
};

// What links and connectors are carried with: many streams, control first, 16 KiB frames.
[[nodiscard]] net::CarrierConfig carrier_config();

}  // namespace entente::exchange
