// The node's API for operators: JSON over HTTP/1.1 on a local socket, and the same at the door for the
// console (console.h). Who asks is known by the socket's peer credentials, or by their sign-in; what they may
// do is asked of decide() like everything else, and each change is in the ledger before it is answered
// (narrowing acts first). docs/openapi.json describes it; a test holds the two against each other.
#pragma once

#include "exchange/access_desk.h"
#include "net/http_server.h"
#include "net/listener.h"
#include "node/operators.h"
#include "node/records.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace entente::node {

struct LinkState {
  PartnerCode partner;
  bool asking = false;   // our people can ask there
  bool serving = false;  // their people can ask here
};

class ExposureDesk;
class KeyDesk;
class MissionDesk;
class ApiCore;
struct ApiRequest;
struct ApiRoute;

class Api {
 public:
  struct Parts {  // outlive the API, which lives on the control loop
    Records& records;
    exchange::Switchboard& switchboard;
    exchange::AccessDesk& access;
    MissionDesk& missions;
    KeyDesk& keys;
    ExposureDesk& released;
    const Clock& clock;      // the wall's: what is written, and what ends from now on
    const Clock& decisions;  // what is asked, and what begins from now on: it never goes back
    PartnerCode self;
    std::function<std::vector<LinkState>()> links;
    // Why nobody can sign in, as it was last found; empty: they can.
    std::function<std::string()> provider_fault;
    // Whether somebody of this id is signed in here.
    std::function<bool(const PersonId&)> is_in;
    // An operator's answer to whoever asked for a release acts.
    std::function<void(const coalition::Release&)> release_answered;
    // Once it is written that the clock is right: ends what stands, and lets decisions go by it.
    std::function<void(const exchange::AccessDesk::Closing&)> put_right;
  };
  explicit Api(Parts parts);
  ~Api();

  // Serves until the listener is closed.
  [[nodiscard]] net::Task<void> serve(net::Listener& listener);

  // The operator that a user of this machine is.
  [[nodiscard]] std::optional<Caller> local(uint32_t uid) const;
  // One call; `path` as on the request line.
  struct Answer {
    int status = 200;
    Json body;
  };
  [[nodiscard]] net::Task<Answer> call(Caller by, std::string method, std::string path, Json body);
  // How much waits for an answer of theirs, of what waits longest: {"count", "more"}.
  [[nodiscard]] Json requests_due(const Caller& by) const;
  [[nodiscard]] Json releases_due(const Caller& by) const;
  [[nodiscard]] static net::Task<Result<Json>> read_body(net::HttpCall& call);  // null where there is none
  [[nodiscard]] static net::Task<void> send(net::HttpCall& call, Answer answer);

 private:
  net::Task<Answer> answer(const ApiRoute& route, ApiRequest request, bool looks);
  net::Task<void> connection(net::Socket socket);

  Parts parts_;
  std::unique_ptr<ApiCore> core_;
  std::vector<ApiRoute> routes_;
};

}  // namespace entente::node
