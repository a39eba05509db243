#include "exchange/gateway.h"

#include "base/fields.h"
#include "base/log.h"
#include "exchange/app_headers.h"
#include "exchange/relay_io.h"
#include "identity/assertion.h"
#include "net/http1_parser.h"

#include <utility>

namespace entente::exchange {

std::string refusal_header(const Ending& ending) {
  return Json::object({{"kind", coalition::refusal_name(ending.which)},
                       {"what", ending.what},
                       {"change", ending.change},
                       {"who", ending.who},
                       {"verdict", ending.verdict.text()}})
      .dump();
}

std::optional<Ending> read_refusal_header(std::string_view text) {
  const Result<Json> json = Json::parse(text, {.bytes_max = 8192});
  if (!json || !json->is_object()) return std::nullopt;
  Ending ending;
  const std::string_view kind = json->text_or("kind", "denied");
  for (const auto which : {coalition::Refusal::denied, coalition::Refusal::credential_dead,
                           coalition::Refusal::app_down, coalition::Refusal::lease_ended}) {
    if (kind == coalition::refusal_name(which)) ending.which = which;
  }
  ending.what = json->text_or("what", "");
  ending.change = json->text_or("change", "");
  ending.who = json->text_or("who", "");
  ending.verdict = VerdictId(std::string(json->text_or("verdict", "")));
  return ending;
}

Gateway::Gateway(Lane& lane, Connectors& connectors, SignAssertion sign)
    : lane_(lane), connectors_(connectors), sign_(std::move(sign)) {}

// Kept for some seconds of its minute: signing costs more than all else in a request. Never beyond what the
// verdict of this very request is good for; another pass, world or connector gets one of its own.
Result<std::shared_ptr<const std::string>> Gateway::assertion_for(const Pass& pass,
                                                                  const ConnectorId& connector,
                                                                  const coalition::Verdict& verdict) {
  const Instant now = system_clock().now();
  const bool keeps = pass.memo != nullptr;
  if (keeps) {
    if (auto kept = pass.memo->assertion(verdict.revision, connector, now)) return kept;
  }
  TRY(SignedAssertion made, sign_(pass, connector));
  auto text = std::make_shared<const std::string>(made.text);
  made.keep_until = std::min({made.keep_until, now + kAssertionKept, verdict.valid_until});
  if (keeps) pass.memo->keep(std::move(made), verdict.revision, connector, now);
  return text;
}

std::shared_ptr<const coalition::Verdict> Gateway::decide(const Pass& pass, const net::RequestHead& head) {
  // A protocol switch reads and writes like a GET that goes on; bytes have no method and no path.
  std::optional<coalition::HttpFacts> http;
  if (head.protocol != kBytesProtocol) {
    http.emplace();
    http->method = head.protocol.empty() ? head.method : "GET";
    http->path = head.path.substr(0, head.path.find('?'));
    http->upgrade = !head.protocol.empty();
  }
  return lane_.decide_request(pass, std::move(http));
}

net::Task<Result<net::CarrierStream>> Gateway::open(std::shared_ptr<const Pass> pass, net::RequestHead& head,
                                                    bool end, Attempt& attempt) {
  const Result<net::NormalTarget> target = net::normal_target(head.path);
  if (!target) co_return Failure(target.error());
  if (head.protocol != kBytesProtocol &&
      (!is_relayed_upgrade(head.protocol) || (head.protocol.empty() && !is_relayed_method(head.method))))
    co_return fail("exchange.method", "this is no request that passes to an app");
  head.path = target->text();
  head.target = head.path;
  clean_request(head.headers);
  std::shared_ptr<const coalition::Verdict> verdict;
  std::optional<ConnectorId> connector;
  // What waited for a connector while something changed is asked about again.
  do {
    if (!lane_.is_current(*pass)) {
      pass = co_await lane_.entry(std::move(pass));
      if (!pass) co_return fail("exchange.ended", "the session has ended");
    }
    verdict = decide(*pass, head);
    if (!verdict->permit) {
      co_return fail("exchange.refused", "this request is refused", {},
                     refusal_header(ending_of(coalition::shown(*verdict))));
    }
    connector = connectors_.pick(*pass);
    if (!connector) connector = co_await connectors_.choose(*pass);
  } while (!lane_.stands(*pass, *verdict));
  if (!connector) co_return fail("exchange.connector-down", "no connector of this app is connected");
  attempt.connector = *connector;
  attempt.doubtful = lane_.roster().took_nothing(*connector, pass->app.app);
  if (end && connectors_.several()) attempt.head = head;
  Result<net::CarrierStream> opened = co_await send(pass, head, end, *connector, std::move(verdict));
  if (!opened && attempt.head && opened.error().code() != "net.fenced")
    opened = co_await elsewhere(std::move(pass), attempt, opened.error());
  co_return std::move(opened);
}

net::Task<Result<net::CarrierStream>> Gateway::send(std::shared_ptr<const Pass> pass, net::RequestHead& head,
                                                    bool end, ConnectorId connector,
                                                    std::shared_ptr<const coalition::Verdict> verdict) {
  CO_TRY(const std::shared_ptr<const std::string> assertion, assertion_for(*pass, connector, *verdict));
  head.headers.add(std::string(identity::kAssertionHeader), *assertion);
  head.headers.add(std::string(kAppHeader), pass->app.app.text());
  auto gate = std::make_shared<SessionGate>(pass->gate, system_clock());
  pass->gate->count_request();
  Result<net::CarrierStream> opened = co_await connectors_.open(connector, head, end, std::move(gate));
  if (opened && !lane_.stands(*pass, *verdict)) {  // it waited for a free stream, and is given up unsent
    opened->reset(net::H2Code::cancel);
    co_return fail("net.fenced", "what this request rests on changed before it left");
  }
  co_return std::move(opened);
}

void Gateway::answered(const Pass& pass, const Attempt& attempt) {
  if (!attempt.doubtful) return;
  lane_.tell([connector = attempt.connector, app = pass.app.app](Switchboard& control) {
    control.app_back(connector, app);
  });
}

net::Task<Result<net::CarrierStream>> Gateway::elsewhere(std::shared_ptr<const Pass> pass, Attempt& attempt,
                                                         Error why) {
  const bool untaken = why.code() == "h2.refused";
  if (untaken) {
    lane_.tell([connector = attempt.connector, app = pass->app.app](Switchboard& control) {
      control.app_away(connector, app);
    });
  }
  std::optional<net::RequestHead> head = std::exchange(attempt.head, std::nullopt);
  if (!head || (!untaken && !is_safe_method(head->method))) co_return Failure(std::move(why));
  if (!lane_.is_current(*pass)) co_return Failure(std::move(why));  // what it was sent with holds no more
  const std::optional<ConnectorId> other = connectors_.another(*pass, attempt.connector);
  if (!other) co_return Failure(std::move(why));
  attempt.connector = *other;
  attempt.doubtful = lane_.roster().took_nothing(*other, pass->app.app);
  if (!lane_.is_current(*pass)) pass = co_await lane_.entry(std::move(pass));
  if (!pass) co_return Failure(std::move(why));
  std::shared_ptr<const coalition::Verdict> verdict = decide(*pass, *head);
  if (!verdict->permit) co_return Failure(std::move(why));
  Result<net::CarrierStream> opened = co_await send(std::move(pass), *head, true, *other, std::move(verdict));
  co_return std::move(opened);
}

}  // namespace entente::exchange
