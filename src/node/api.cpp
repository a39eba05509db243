#include "node/api.h"

#include "exchange/switchboard.h"
#include "net/url.h"
#include "node/api_answers.h"
#include "node/api_core.h"
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

Api::Api(Parts parts) : parts_(std::move(parts)), core_(std::make_unique<ApiCore>(parts_)) {
  for (auto* const routes_of_subject :
       {access_routes, apps_routes, clock_routes, connectors_routes, keys_routes, ledger_routes,
        missions_routes, objects_routes, partners_routes, releases_routes, sessions_routes, status_routes}) {
    for (ApiRoute& route : routes_of_subject(*core_, parts_)) routes_.push_back(std::move(route));
  }
}

Api::~Api() = default;

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

// The name in the path, where it is that route's.
std::optional<std::string_view> name_in(std::string_view path, const ApiRoute& route) {
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

net::Task<Api::Answer> Api::answer(const ApiRoute& route, ApiRequest request, bool looks) {
  const auto look = looks ? std::make_shared<ApiLook>(parts_.switchboard.loop()) : nullptr;
  request.look = look;
  Answer answer = co_await route.handler(std::move(request));
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
  ApiRequest request;
  request.by = std::move(by);
  const size_t question = path.find('?');
  if (question != std::string::npos) request.query = path.substr(question + 1);
  const std::string_view wanted = std::string_view(path).substr(0, question);
  request.path = path;
  request.body = std::move(body);
  const bool looks = method == "GET";
  const bool previews = looks && wanted.ends_with(kPreview);
  bool other_method = false;
  for (const ApiRoute& route : routes_) {
    const bool preview = previews && route.also == ApiRoute::Also::preview;
    const auto name = name_in(preview ? wanted.substr(0, wanted.size() - kPreview.size()) : wanted, route);
    if (!name) continue;
    if (!preview && route.method != method) {
      other_method = true;
      continue;
    }
    if (route.also == ApiRoute::Also::socket_only && request.by.network != kSocketNetwork)
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

}  // namespace entente::node
