// The host's way from a session to its app: the request is asked about, the nearest connector chosen, the
// person's identity for that one app signed, and a stream opened. The same for a partner's person over the
// link and for our own. One on each loop.
#pragma once

#include "exchange/connectors.h"
#include "exchange/lane.h"
#include "net/carrier.h"

#include <functional>
#include <memory>
#include <string>

namespace entente::exchange {

// What a refusal inside a session tells the other node's door: {"kind","what","change","who","verdict"}.
[[nodiscard]] std::string refusal_header(const Ending& ending);
[[nodiscard]] std::optional<Ending> read_refusal_header(std::string_view text);

class Gateway {
 public:
  // Signs the Entente-Assertion for a session's person, bound to that connector; and says for how long no
  // fact in it ends. An app that wants one for each request gets none that is kept. From any loop.
  using SignAssertion = std::function<Result<SignedAssertion>(const Pass&, const ConnectorId&)>;
  static constexpr Seconds kAssertionKept{15};  // of its minute
  Gateway(Lane& lane, Connectors& connectors, SignAssertion sign);

  // Towards the app of a host or local session. Refusals are errors of code "exchange.refused" whose `hint`
  // is a refusal_header(); "exchange.connector-down" and "net.*" mean the app is down.
  // `head` and `attempt` must outlive the task; `attempt` learns what elsewhere() needs.
  struct Attempt {
    ConnectorId connector{};
    bool doubtful = false;                   // the app took nothing there the last time
    std::optional<net::RequestHead> head{};  // kept where the request has no body and another could take it
  };
  [[nodiscard]] net::Task<Result<net::CarrierStream>> open(std::shared_ptr<const Pass> pass,
                                                           net::RequestHead& head, bool end,
                                                           Attempt& attempt);
  // Nothing came back for `why`. An app that took nothing ("h2.refused") counts as away there for a while.
  // The request goes to another connector, once, if that can do no harm: nothing of it was taken, or it is
  // one that changes nothing and the connection broke. Otherwise `why`.
  [[nodiscard]] net::Task<Result<net::CarrierStream>> elsewhere(std::shared_ptr<const Pass> pass,
                                                                Attempt& attempt, Error why);
  // The app has answered: what was said of it before is over.
  void answered(const Pass& pass, const Attempt& attempt);

 private:
  [[nodiscard]] std::shared_ptr<const coalition::Verdict> decide(const Pass& pass,
                                                                 const net::RequestHead& head);
  [[nodiscard]] net::Task<Result<net::CarrierStream>> send(std::shared_ptr<const Pass> pass,
                                                           net::RequestHead& head, bool end,
                                                           ConnectorId connector,
                                                           std::shared_ptr<const coalition::Verdict> verdict);
  [[nodiscard]] Result<std::shared_ptr<const std::string>> assertion_for(const Pass& pass,
                                                                         const ConnectorId& connector,
                                                                         const coalition::Verdict& verdict);

  Lane& lane_;
  Connectors& connectors_;
  SignAssertion sign_;
};

}  // namespace entente::exchange
