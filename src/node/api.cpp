#include "node/api.h"

#include "base/log.h"
#include "node/api_answers.h"
#include "node/operators.h"

#include <fmt/format.h>
#include <sys/socket.h>

namespace entente::node {
namespace {

constexpr size_t kBodyBytesMax = 256 * 1024;
constexpr Seconds kLookMax{5};        // for the record of who looks; then it is shown, and said that it waits
constexpr size_t kNameBytesMax = 64;  // no id is longer; what is recorded of a call is bounded with it

}  // namespace

struct Api::Look {
  explicit Look(net::Loop& loop) : done(loop) {}
  net::Event done;
  size_t under_way = 0;
  std::optional<Error> why_not;
};

struct Api::Route {
  std::string_view method;
  std::string_view path;  // "{}" stands for one segment
  Handler handler;
  bool socket_only = false;  // answers a secret, which no browser is to hold
};

std::span<const Api::Route> Api::routes() {
  static constexpr Route table[] = {
      {"GET", "/v1/status", &Api::show_status},
      {"GET", "/v1/partners", &Api::list_partners},
      {"GET", "/v1/partners/{}/parting", &Api::preview_parting},
      {"POST", "/v1/partners/{}/suspend", &Api::suspend_partner},
      {"POST", "/v1/partners/{}/resume", &Api::resume_partner},
      {"POST", "/v1/partners/{}/isolate", &Api::isolate_partner},
      {"POST", "/v1/partners/{}/rejoin", &Api::rejoin_partner},
      {"GET", "/v1/apps", &Api::list_apps},
      {"POST", "/v1/apps/{}/withdraw", &Api::withdraw_app},
      {"GET", "/v1/domains", &Api::list_domains},
      {"GET", "/v1/sessions", &Api::list_sessions},
      {"POST", "/v1/sessions/{}/cut", &Api::cut_session},
      {"GET", "/v1/connectors", &Api::list_connectors},
      {"POST", "/v1/connectors", &Api::add_connector, true},
      {"POST", "/v1/connectors/{}/cut", &Api::cut_connector},
      {"GET", "/v1/missions", &Api::list_missions},
      {"GET", "/v1/missions/{}", &Api::show_mission},
      {"POST", "/v1/missions/{}/phase", &Api::set_phase},
      {"POST", "/v1/missions/{}/threat", &Api::set_threat},
      {"POST", "/v1/missions/{}/end", &Api::end_mission},
      {"GET", "/v1/requests", &Api::list_requests},
      {"POST", "/v1/requests/{}/approve", &Api::approve_request},
      {"POST", "/v1/requests/{}/deny", &Api::deny_request},
      {"GET", "/v1/grants", &Api::list_grants},
      {"POST", "/v1/grants/{}/revoke", &Api::revoke_grant},
      {"GET", "/v1/delegations", &Api::list_delegations},
      {"POST", "/v1/delegations", &Api::add_delegation},
      {"POST", "/v1/delegations/{}/end", &Api::end_delegation},
      {"GET", "/v1/releases", &Api::list_releases},
      {"POST", "/v1/releases", &Api::propose_release},
      {"POST", "/v1/releases/{}/approve", &Api::approve_release},
      {"POST", "/v1/releases/{}/deny", &Api::deny_release},
      {"POST", "/v1/releases/{}/revoke", &Api::revoke_release},
      {"GET", "/v1/recalls", &Api::list_recalls},
      {"POST", "/v1/recalls", &Api::recall_object},
      {"POST", "/v1/recalls/lift", &Api::lift_recall},
      {"POST", "/v1/key-service/reload", &Api::reload_keys},
      {"GET", "/v1/clock", &Api::show_clock},
      {"POST", "/v1/clock/accept", &Api::accept_clock},
      {"GET", "/v1/exposure", &Api::show_exposure},
      {"GET", "/v1/verdicts/{}", &Api::show_verdict},
      {"GET", "/v1/ledger", &Api::show_ledger},
      {"GET", "/v1/ledger/{}", &Api::show_entry},
  };
  return table;
}

Api::Api(Records& records, exchange::Switchboard& switchboard, exchange::AccessDesk& access,
         MissionDesk& missions, KeyDesk& keys, const Clock& clock, const Clock& decisions, PartnerCode self,
         std::function<std::vector<LinkState>()> links, std::function<bool(std::string_view)> holds_key)
    : records_(records),
      switchboard_(switchboard),
      access_(access),
      missions_(missions),
      keys_(keys),
      clock_(clock),
      decisions_(decisions),
      self_(std::move(self)),
      links_(std::move(links)),
      holds_key_(std::move(holds_key)),
      started_(clock.now()),
      exposure_(self_) {}

net::Task<void> Api::serve(net::Listener& listener) {
  while (true) {
    Result<net::Socket> socket = co_await listener.accept();
    if (!socket) co_return;
    switchboard_.loop().spawn(connection(std::move(*socket)));
  }
}

net::Task<Result<Json>> Api::read_body(net::HttpCall& call) {
  Result<std::string> text = co_await call.read_all(kBodyBytesMax);
  if (!text) co_return Failure(text.error());
  if (text->empty()) co_return Json();
  co_return Json::parse(*text);
}

net::Task<void> Api::send(net::HttpCall& call, Answer answer) {
  net::ResponseHead head = net::head_of(answer.status);
  head.headers.add("Content-Type", "application/json");
  head.headers.add("Cache-Control", "no-store");
  head.headers.add("X-Content-Type-Options", "nosniff");
  head.headers.add("Cross-Origin-Resource-Policy", "same-origin");
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), answer.body.dump() + "\n");
}

namespace {

struct ApiConnection {
  Api* api;
  uint32_t uid;
};

net::Task<void> handle_call(std::shared_ptr<ApiConnection> connection, net::HttpCall* call) {
  Result<Json> body = co_await Api::read_body(*call);
  Api::Answer answer;
  if (!body) {
    answer = refusal(400, body.error());
  } else if (const std::optional<Caller> by = connection->api->local(connection->uid)) {
    answer = co_await connection->api->call(*by, call->head().method, call->head().path, std::move(*body));
  } else {
    answer =
        refusal(403, {"operator.unknown",
                      fmt::format("user {} of this machine is no operator of this node", connection->uid),
                      {},
                      "an operator record in the node's world must name this user"});
  }
  co_await Api::send(*call, std::move(answer));
}

}  // namespace

net::Task<void> Api::connection(net::Socket socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket.fd(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) co_return;
  auto connection = std::make_shared<ApiConnection>(ApiConnection{this, credentials.uid});
  auto service = std::make_shared<net::HttpService>();
  service->handle = [connection](net::HttpCall& call) { return handle_call(connection, &call); };
  co_await net::serve_http(net::make_stream(switchboard_.loop(), std::move(socket)), service);
}

std::optional<Caller> Api::local(uint32_t uid) const {
  const coalition::Operator* known = records_.world().operator_by_uid(uid);
  if (known == nullptr) return std::nullopt;
  return Caller{operator_person(records_.world(), known->name)};
}

net::Task<Api::Answer> Api::call(Caller by, std::string method, std::string path, Json body) {
  Request request;
  request.by = std::move(by);
  const size_t question = path.find('?');
  if (question != std::string::npos) request.query = path.substr(question + 1);
  const std::string_view wanted = std::string_view(path).substr(0, question);
  request.body = std::move(body);
  bool other_method = false;
  for (const Route& route : routes()) {
    const size_t hole = route.path.find("{}");
    const std::string_view head = route.path.substr(0, hole);
    const std::string_view tail =
        hole == std::string_view::npos ? std::string_view() : route.path.substr(hole + 2);
    const bool fits = hole == std::string_view::npos ? wanted == route.path
                                                     : wanted.size() > head.size() + tail.size() &&
                                                           wanted.starts_with(head) && wanted.ends_with(tail);
    if (!fits) continue;
    const std::string_view name = hole == std::string_view::npos
                                      ? std::string_view()
                                      : wanted.substr(head.size(), wanted.size() - head.size() - tail.size());
    if (name.size() > kNameBytesMax || name.find('/') != std::string_view::npos) continue;
    if (route.method != method) {
      other_method = true;
      continue;
    }
    if (route.socket_only && request.by.network != kSocketNetwork)
      co_return not_found(fmt::format("there is no {} here", wanted));
    request.name = std::string(name);
    const auto look = method == "GET" ? std::make_shared<Look>(switchboard_.loop()) : nullptr;
    request.look = look;
    Answer answer = co_await (this->*route.handler)(std::move(request));
    if (!look) co_return answer;
    // Who looked is on the disk before anything is seen. On a disk that takes nothing operators see all the
    // same, and that nobody could know of it after a crash.
    bool durable = look->under_way == 0;
    if (!durable) durable = co_await look->done.wait(kLookMax);
    if (look->why_not) answer.body.set("unrecorded", look->why_not->what());
    if (!durable) answer.body.set("unrecorded", "the disk has not taken it in time");
    co_return answer;
  }
  if (other_method)
    co_return refusal(405, {"api.method", fmt::format("{} is not for {}", wanted, method), {}, {}});
  co_return not_found(fmt::format("there is no {} in this API", wanted));
}

std::optional<Api::Answer> Api::refused(const Request& request, coalition::Action action,
                                        coalition::Target target, std::string purpose,
                                        coalition::Verdict& verdict) {
  return refused_at(decisions_.now(), request, action, std::move(target), std::move(purpose), verdict);
}

std::optional<Api::Answer> Api::refused_at(Instant now, const Request& request, coalition::Action action,
                                           coalition::Target target, std::string purpose,
                                           coalition::Verdict& verdict) {
  const std::string on = coalition::target_text(target);
  const coalition::Ask ask = operator_ask(request.by, action, std::move(target), purpose, now);
  verdict = coalition::decide(records_.world(), ask);
  ledger::Record record =
      verdict_record(verdict, request.by.who, action_name(action), ask.context, clock_.now());
  record.fields.emplace_back("target", on);
  record.fields.emplace_back("purpose", purpose);
  if (request.look) ++request.look->under_way;
  records_.append({std::move(record)}, false,
                  [look = request.look](const Result<ledger::Appended>& appended) {
                    if (!appended)
                      log(LogLevel::error, "node", "an operator's verdict is not in the ledger",
                          {{"error", appended.error().text()}});
                    if (!look) return;
                    if (!appended) look->why_not = appended.error();
                    if (--look->under_way == 0) look->done.set();
                  });
  if (verdict.permit) return std::nullopt;
  std::string why = "an operator may not do this here";
  std::string change;
  for (const coalition::Reason& reason : verdict.reasons) {
    if (!reason.text.empty()) why = reason.text;
    if (!reason.change.empty()) change = reason.change;
  }
  return refusal(403,
                 {"operator.denied", fmt::format("{} (verdict {})", why, verdict.id.text()), {}, change});
}

}  // namespace entente::node
