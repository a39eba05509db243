#include "node/api.h"

#include "base/log.h"
#include "net/url.h"
#include "node/api_answers.h"
#include "node/operators.h"

#include <fmt/format.h>
#include <sys/socket.h>

namespace entente::node {
namespace {

constexpr size_t kBodyBytesMax = 256 * 1024;
constexpr Seconds kLookMax{5};  // for the record of who looks; then it is shown, and said that it waits
constexpr std::string_view kPreview = "/preview";  // after the path of a change: what it would come to
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
  enum class Also { nothing, preview, socket_only } also = Also::nothing;
};

std::span<const Api::Route> Api::routes() {
  using enum Route::Also;  // socket_only: it answers a secret, which no browser is to hold
  static constexpr Route table[] = {
      {"GET", "/v1/status", &Api::show_status},
      {"GET", "/v1/partners", &Api::list_partners},
      {"POST", "/v1/partners/{}/suspend", &Api::suspend_partner, preview},
      {"POST", "/v1/partners/{}/resume", &Api::resume_partner},
      {"POST", "/v1/partners/{}/isolate", &Api::isolate_partner, preview},
      {"POST", "/v1/partners/{}/rejoin", &Api::rejoin_partner},
      {"GET", "/v1/apps", &Api::list_apps},
      {"POST", "/v1/apps/{}/withdraw", &Api::withdraw_app, preview},
      {"GET", "/v1/domains", &Api::list_domains},
      {"GET", "/v1/sessions", &Api::list_sessions},
      {"POST", "/v1/sessions/{}/cut", &Api::cut_session, preview},
      {"GET", "/v1/connectors", &Api::list_connectors},
      {"POST", "/v1/connectors", &Api::add_connector, socket_only},
      {"POST", "/v1/connectors/{}/cut", &Api::cut_connector, preview},
      {"GET", "/v1/missions", &Api::list_missions},
      {"GET", "/v1/missions/{}", &Api::show_mission},
      {"POST", "/v1/missions/{}/phase", &Api::set_phase, preview},
      {"POST", "/v1/missions/{}/threat", &Api::set_threat, preview},
      {"POST", "/v1/missions/{}/end", &Api::end_mission, preview},
      {"GET", "/v1/requests", &Api::list_requests},
      {"GET", "/v1/requests/{}", &Api::show_request},
      {"POST", "/v1/requests/{}/approve", &Api::approve_request},
      {"POST", "/v1/requests/{}/deny", &Api::deny_request},
      {"GET", "/v1/grants", &Api::list_grants},
      {"POST", "/v1/grants/{}/revoke", &Api::revoke_grant, preview},
      {"GET", "/v1/delegations", &Api::list_delegations},
      {"POST", "/v1/delegations", &Api::add_delegation},
      {"POST", "/v1/delegations/{}/end", &Api::end_delegation, preview},
      {"GET", "/v1/releases", &Api::list_releases},
      {"POST", "/v1/releases", &Api::propose_release},
      {"POST", "/v1/releases/{}/approve", &Api::approve_release},
      {"POST", "/v1/releases/{}/deny", &Api::deny_release},
      {"POST", "/v1/releases/{}/revoke", &Api::revoke_release, preview},
      {"GET", "/v1/recalls", &Api::list_recalls},
      {"POST", "/v1/recalls", &Api::recall_object, preview},
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

Api::Api(Parts parts) : parts_(std::move(parts)), started_(parts_.clock.now()), exposure_(parts_.self) {}

net::Task<void> Api::serve(net::Listener& listener) {
  while (true) {
    Result<net::Socket> socket = co_await listener.accept();
    if (!socket) co_return;
    parts_.switchboard.loop().spawn(connection(std::move(*socket)));
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
  co_await net::serve_http(net::make_stream(parts_.switchboard.loop(), std::move(socket)), service);
}

std::optional<Caller> Api::local(uint32_t uid) const {
  const coalition::Operator* known = parts_.records.world().operator_by_uid(uid);
  if (known == nullptr) return std::nullopt;
  return Caller{operator_person(parts_.records.world(), known->name)};
}

namespace {

// Of a preview: what a change has in its body stands in the query.
Result<Json> body_of(const std::string& query) {
  TRY(const net::Pairs asked, net::parse_form(query));
  Json body = Json::object();
  for (const auto& [name, value] : asked) {
    if (name != "attributes") {
      body.set(name, value);
      continue;
    }
    const Json* so_far = body.find(name);
    Json list = so_far == nullptr ? Json::array() : *so_far;
    list.push(value);
    body.set(name, std::move(list));
  }
  return body;
}

}  // namespace

std::optional<std::string_view> Api::name_in(std::string_view path, const Route& route) {
  const size_t hole = route.path.find("{}");
  if (hole == std::string_view::npos)
    return path == route.path ? std::optional(std::string_view()) : std::nullopt;
  const std::string_view head = route.path.substr(0, hole);
  const std::string_view tail = route.path.substr(hole + 2);
  if (path.size() <= head.size() + tail.size() || !path.starts_with(head) || !path.ends_with(tail))
    return std::nullopt;
  const std::string_view name = path.substr(head.size(), path.size() - head.size() - tail.size());
  if (name.size() > kNameBytesMax || name.find('/') != std::string_view::npos) return std::nullopt;
  return name;
}

net::Task<Api::Answer> Api::answer(const Route& route, Request request, bool looks) {
  const auto look = looks ? std::make_shared<Look>(parts_.switchboard.loop()) : nullptr;
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

net::Task<Api::Answer> Api::call(Caller by, std::string method, std::string path, Json body) {
  Request request;
  request.by = std::move(by);
  const size_t question = path.find('?');
  if (question != std::string::npos) request.query = path.substr(question + 1);
  const std::string_view wanted = std::string_view(path).substr(0, question);
  request.path = path;
  request.body = std::move(body);
  const bool looks = method == "GET";
  const bool previews = looks && wanted.ends_with(kPreview);
  bool other_method = false;
  for (const Route& route : routes()) {
    const bool preview = previews && route.also == Route::Also::preview;
    const auto name = name_in(preview ? wanted.substr(0, wanted.size() - kPreview.size()) : wanted, route);
    if (!name) continue;
    if (!preview && route.method != method) {
      other_method = true;
      continue;
    }
    if (route.also == Route::Also::socket_only && request.by.network != kSocketNetwork)
      co_return not_found(fmt::format("there is no {} here", wanted));
    request.name = std::string(*name);
    request.preview = preview;
    if (preview) {
      Result<Json> asked = body_of(request.query);
      if (!asked) co_return refusal(400, asked.error());
      request.body = *std::move(asked);
    }
    Answer answered = co_await answer(route, std::move(request), looks);
    co_return answered;
  }
  if (other_method)
    co_return refusal(405, {"api.method", fmt::format("{} is not for {}", wanted, method), {}, {}});
  co_return not_found(fmt::format("there is no {} in this API", wanted));
}

void Api::record_look(const Request& request, ledger::Record record) {
  if (request.look) {
    ++request.look->under_way;
    request.look->done.clear();  // an earlier leaf of the same request may be on the disk already
  }
  parts_.records.append({std::move(record)}, false,
                        [look = request.look](const Result<ledger::Appended>& appended) {
                          if (!appended)
                            log(LogLevel::error, "node", "an operator's verdict is not in the ledger",
                                {{"error", appended.error().text()}});
                          if (!look) return;
                          if (!appended) look->why_not = appended.error();
                          if (--look->under_way == 0) look->done.set();
                        });
}

std::optional<Api::Answer> Api::refused(const Request& request, coalition::Action action,
                                        coalition::Target target, std::string purpose,
                                        coalition::Verdict& verdict) {
  return refused_at(parts_.decisions.now(), request, action, std::move(target), std::move(purpose), verdict);
}

std::optional<Api::Answer> Api::may_not_view(const Request& request, std::string purpose) {
  return may_not_view(request, std::move(purpose), coalition::NodeRef{parts_.self});
}

std::optional<Api::Answer> Api::may_not_view(const Request& request, std::string purpose,
                                             coalition::Target target) {
  coalition::Verdict verdict;
  return refused(request, coalition::Action::view, std::move(target), std::move(purpose), verdict);
}

std::optional<Api::Answer> Api::refused_at(Instant now, const Request& request, coalition::Action action,
                                           coalition::Target target, std::string purpose,
                                           coalition::Verdict& verdict) {
  const std::string on = coalition::target_text(target);
  if (request.preview) purpose = "preview of: " + purpose;
  const coalition::Ask ask = operator_ask(request.by, action, std::move(target), purpose, now);
  verdict = coalition::decide(parts_.records.world(), ask);
  ledger::Record record =
      verdict_record(verdict, request.by.who, action_name(action), ask.context, parts_.clock.now());
  record.fields.emplace_back("target", on);
  record.fields.emplace_back("purpose", purpose);
  record_look(request, std::move(record));
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
