// An app's own name at the door: one origin to each app. Hands a browser in from the lobby, lets a session's
// requests through to the app, and says why not. Names that are unknown, hidden or not entered are answered
// alike. One on each loop; a partner's apps are served on the loop that has its links.
#pragma once

#include "exchange/browsers.h"
#include "exchange/gateway.h"
#include "exchange/host_names.h"
#include "exchange/lane.h"
#include "exchange/lanes.h"
#include "exchange/links.h"
#include "exchange/relay_io.h"
#include "net/http1_parser.h"
#include "net/http_server.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace entente::exchange {

class AppDoor {
 public:
  struct Parts {
    Lane& lane;
    const Lanes& lanes;
    Browsers& browsers;  // its app cookies from here, the rest on the control loop
    Gateway& gateway;
    Links& links;
    const Clock& clock;
    std::function<PageFrame()> frame;  // from any loop
  };
  AppDoor(Parts parts, HostNames names) : parts_(std::move(parts)), names_(std::move(names)) {}

  // A request whose authority is not the lobby's. Always answers. `authority` is what the request named.
  [[nodiscard]] net::Task<void> handle(net::HttpCall& call, net::NormalTarget target,
                                       std::optional<coalition::AppRef> app);

 private:
  struct NodeRefusal {  // a partner's node said no
    Ending ending;
    int status = 403;
  };
  class Answer;
  struct Way {
    std::shared_ptr<const Pass> pass;
    SessionId session;
    bool known = false;  // the cookie named a session, living or ended
  };
  [[nodiscard]] Way way_in(const net::HttpCall& call, const std::optional<coalition::AppRef>& app);
  [[nodiscard]] net::Task<std::optional<Refusal>> ending(SessionId session);
  // How a session ended, for whoever still shows its cookie.
  net::Task<void> refuse_ended(net::HttpCall& call, SessionId session);
  net::Task<void> to_lobby(net::HttpCall& call, net::NormalTarget target);
  net::Task<void> enter(net::HttpCall& call, std::string query, std::optional<coalition::AppRef> app);
  net::Task<void> forward(net::HttpCall& call, net::NormalTarget target, std::shared_ptr<const Pass> pass);
  // Waits while the session is held; nullptr when it does not pass, and then that is the answer.
  [[nodiscard]] net::Task<std::shared_ptr<const Pass>> wait_in(net::HttpCall& call,
                                                               std::shared_ptr<const Pass> pass);
  [[nodiscard]] std::shared_ptr<const coalition::Verdict> decide(net::HttpCall& call,
                                                                 const net::NormalTarget& target,
                                                                 const Pass& pass);
  // Towards the app, or with our permit to its node. Takes the call's head, unless that is an upgrade.
  [[nodiscard]] net::Task<Result<net::CarrierStream>> open(net::HttpCall& call, net::NormalTarget target,
                                                           std::shared_ptr<const Pass> pass,
                                                           net::GateRef gate, Gateway::Attempt& attempt,
                                                           std::shared_ptr<const coalition::Verdict> permit);
  net::Task<void> refuse_denied(net::HttpCall& call, std::shared_ptr<const coalition::Verdict> verdict);
  net::Task<void> refuse_unopened(net::HttpCall& call, std::shared_ptr<const Pass> pass, Error error);
  net::Task<void> refuse_unanswered(net::HttpCall& call, const Pass& pass, const net::CarrierStream& upstream,
                                    Error error, const std::optional<NodeRefusal>& refused);
  net::Task<void> upgrade(net::HttpCall& call, net::CarrierStream upstream, std::shared_ptr<const Pass> pass,
                          Elsewhere elsewhere);
  net::Task<void> refuse(net::HttpCall& call, Refusal refusal, int status, bool clear);
  // Refused without a decision of ours: under an id that a person can quote and `entente why` can find.
  [[nodiscard]] Ending recorded(Ending ending, const Pass& pass);
  net::Task<void> bare(net::HttpCall& call, int status);

  Parts parts_;
  HostNames names_;
};

}  // namespace entente::exchange
