// The one door of a node: takes connections, lets the ClientHello's ALPN say what they are, and gives each to
// whom it is for. A caller that has not proved itself learns nothing here. Lives on the control loop.
#pragma once

#include "exchange/app_door.h"
#include "exchange/connectors.h"
#include "exchange/links.h"
#include "exchange/lobby.h"
#include "net/http_server.h"
#include "net/listener.h"
#include "net/tls.h"

#include <functional>
#include <memory>
#include <set>
#include <string>

namespace entente::exchange {

class Door {
 public:
  struct Parts {
    net::Loop& loop;
    const net::TlsServer& tls;
    Lobby& lobby;
    AppDoor& apps;
    Links& links;
    Connectors& connectors;
    // POST /.entente/enrol on the lobby's name: a connector's one-time token against its identity.
    std::function<net::Task<Result<Json>>(Json)> enrol;
    // Public keys that apps check assertions with: GET /.entente/keys on the lobby's name.
    std::function<Json()> keys;
  };
  Door(Parts parts, HostNames names, net::HttpServerLimits limits);

  [[nodiscard]] net::Task<void> serve(net::Listener& listener);  // until the listener is closed
  [[nodiscard]] net::Task<void> handle(net::HttpCall& call);     // one request, whatever its name

 private:
  net::Task<void> connection(net::Socket socket);
  net::Task<void> enrol(net::HttpCall& call);

  Parts parts_;
  HostNames names_;
  std::shared_ptr<net::HttpService> service_;
};

// For the door's TLS: which protocols there are, and which of them ask for a certificate.
[[nodiscard]] std::vector<net::TlsServerConfig::Protocol> door_protocols();

}  // namespace entente::exchange
