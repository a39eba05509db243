// The process beside an app: dials its node, serves its streams, and brings each to the app's Unix socket.
// The node says how many connections it wants (one to each of its loops); they are alike. Listens for nobody.
// What it can reach is what its own configuration says; which of it is used is what the node asks for.
#pragma once

#include "base/time.h"
#include "exchange/complaint.h"
#include "net/carrier.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "net/tls.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace entente::exchange {

class ConnectorProcess {
 public:
  struct Options {
    std::string node_host;
    uint16_t node_port = 0;
    net::Thumbprint node_pin{};
    std::map<std::string, std::string> targets;  // app -> path of its Unix socket
    std::set<std::string> opaque;                // of these: spoken to in bytes only, never in HTTP
    Millis app_timeout{30'000};
  };
  ConnectorProcess(net::Loop& loop, net::TlsClient tls, Options options);

  // Dials, serves and dials again, until stop().
  [[nodiscard]] net::Task<void> run();
  void stop();
  [[nodiscard]] bool connected() const { return !carriers_.empty(); }

 private:
  net::Task<void> keep(size_t number);  // one connection, the first or one that the node wants besides
  // Since when the node made use of it; none: it never did.
  net::Task<std::optional<Tick>> serve_once(size_t number);
  void complain(std::string_view what, const Error& why);
  void want(size_t connections);
  net::Task<void> handle(net::CarrierStream stream);
  net::Task<void> request(net::CarrierStream& stream, std::string target, std::string socket);
  net::Task<void> upgrade(net::CarrierStream& stream, std::string socket);
  net::Task<Result<std::unique_ptr<net::HttpClient>>> app(std::string socket);

  net::Loop& loop_;
  net::TlsClient tls_;
  Options options_;
  net::Resolver resolver_;
  std::map<std::string, std::vector<std::unique_ptr<net::HttpClient>>> idle_;
  std::map<size_t, net::Carrier> carriers_;  // by the connection's number
  std::set<size_t> kept_;                    // numbers of connections that are dialed again when they end
  size_t wanted_ = 1;
  Complaint complaint_;  // of dialing the node
  bool stopping_ = false;
};

}  // namespace entente::exchange
