// The one door of a node: takes connections, lets the ClientHello's ALPN say what they are, and gives each to
// whom it is for. A caller that has not proved itself learns nothing here. One on each loop; the control
// loop's accepts for all and serves the lobby.
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
#include <vector>

namespace entente::exchange {

class Door {
 public:
  struct Parts {
    Lane& lane;
    const Lanes& lanes;
    PartnerCode self;
    const net::TlsServer& tls;
    Lobby& lobby;  // on the control loop
    AppDoor& apps;
    Links& links;
    Connectors& connectors;
    // POST /.entente/enrol on the lobby's name: a connector's one-time token against its identity.
    std::function<net::Task<Result<Json>>(Json)> enrol;
    // A request on the console's name, on the control loop. False: not for whoever asks, and nothing
    // answered.
    std::function<net::Task<bool>(net::HttpCall&, net::NormalTarget)> console;
    // Public keys that apps check assertions with: GET /.entente/keys on the lobby's name.
    std::function<Json()> keys;
    // Whose key service an authority outside this door's names is: people's programs come here for others'
    // too. From any loop.
    std::function<std::optional<PartnerCode>(std::string_view)> key_service_named{};
    // The key service's names; on the control loop. Null: there is none.
    std::function<net::Task<void>(net::HttpCall&, net::NormalTarget, PartnerCode)> key_service{};
  };
  Door(Parts parts, HostNames names, net::HttpServerLimits limits);

  // A connection just accepted, from its handshake to its end, or until it goes to another loop.
  [[nodiscard]] net::Task<void> connection(net::Socket socket);
  [[nodiscard]] net::Task<void> handle(net::HttpCall& call);  // one request, whatever its name
  // What connections from other loops are given to.
  [[nodiscard]] std::shared_ptr<const net::HttpService> service() const { return service_; }
  [[nodiscard]] net::Loop& loop() const { return parts_.lane.loop(); }
  void drain() { service_->connections->drain(); }  // on its loop: HTTP/2 connections end in order

 private:
  // Until it is asked for another.
  [[nodiscard]] const HostName& read(std::string_view authority);
  // The loop that a name's requests belong on, by the name alone: the lobby's, a partner's, or any.
  [[nodiscard]] std::shared_ptr<const net::HttpService> place(std::string_view authority);
  net::Task<void> enrol(net::HttpCall& call);
  net::Task<void> console(net::HttpCall& call, net::NormalTarget target);
  net::Task<void> send_keys(net::HttpCall& call);

  Parts parts_;
  HostNames names_;
  std::string last_read_;  // a name of this door's: a request's is asked for where it belongs, and here
  HostName last_host_{NoHost{}};
  std::shared_ptr<net::HttpService> service_;
};

// Accepts until the listener is closed, and deals the connections to the doors of all loops in turn.
[[nodiscard]] net::Task<void> serve_doors(net::Listener& listener, const std::vector<Door*>& doors);

// For the door's TLS: which protocols there are, and which of them ask for a certificate.
[[nodiscard]] std::vector<net::TlsServerConfig::Protocol> door_protocols();

}  // namespace entente::exchange
