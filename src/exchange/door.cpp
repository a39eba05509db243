#include "exchange/door.h"

#include "exchange/assets.h"

namespace entente::exchange {
namespace {

constexpr size_t kEnrolBytesMax = 32 * 1024;

const Asset* find_asset(std::string_view path) {
  constexpr std::string_view prefix = "/.entente/";
  if (!path.starts_with(prefix)) return nullptr;
  for (const Asset& asset : assets()) {
    if (asset.name == path.substr(prefix.size())) return &asset;
  }
  return nullptr;
}

net::Task<void> bare(net::HttpCall& call, int status) {
  net::ResponseHead head;
  head.status = status;
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), "");
}

net::Task<void> send_asset(net::HttpCall& call, const Asset* asset) {
  net::ResponseHead found;
  found.status = 200;
  found.headers.add("Content-Type", asset->name.ends_with(".js") ? "text/javascript; charset=utf-8"
                                                                 : "text/css; charset=utf-8");
  found.headers.add("Cache-Control", "no-cache");
  found.headers.add("X-Content-Type-Options", "nosniff");
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(found), std::string(asset->text));
}

}  // namespace

std::vector<net::TlsServerConfig::Protocol> door_protocols() {
  return {{"h2", false},
          {"http/1.1", false},
          {std::string(kLinkAlpn), true},
          {std::string(kReverseLinkAlpn), true},
          {std::string(kConnectorAlpn), true}};
}

Door::Door(Parts parts, HostNames names, net::HttpServerLimits limits)
    : parts_(std::move(parts)), names_(std::move(names)), service_(std::make_shared<net::HttpService>()) {
  service_->limits = limits;
  service_->loop = &parts_.lane.loop();
  service_->handle = [this](net::HttpCall& call) { return handle(call); };
  service_->place = [this](const net::RequestHead& head) { return place(head.authority); };
}

net::Task<void> serve_doors(net::Listener& listener, const std::vector<Door*>& doors) {
  for (size_t next = 0;; next = (next + 1) % doors.size()) {
    Result<net::Socket> socket = co_await listener.accept();
    if (!socket) co_return;
    doors[next]->loop().spawn(doors[next]->connection(std::move(*socket)));
  }
}

net::Task<void> Door::connection(net::Socket socket) {
  Result<std::unique_ptr<net::Stream>> accepted =
      co_await parts_.tls.accept(parts_.lane.loop(), std::move(socket));
  if (!accepted) co_return;
  std::unique_ptr<net::Stream> stream = std::move(*accepted);
  const std::string alpn = stream->tls()->alpn;
  if (alpn == kConnectorAlpn) {
    co_await parts_.connectors.serve(std::move(stream));
  } else if (alpn == kLinkAlpn || alpn == kReverseLinkAlpn) {
    co_await parts_.links.serve(std::move(stream));
  } else {
    co_await net::serve_http(std::move(stream), service_);
  }
}

const HostName& Door::read(std::string_view authority) {
  if (!last_read_.empty() && authority == last_read_) return last_host_;
  last_read_.clear();  // what others are called is the world's to say, each time
  if (names_.is_ours(authority) || !parts_.key_service_named) {
    last_host_ = names_.read(authority);
    last_read_ = authority;
  } else {
    const std::optional<PartnerCode> partner = parts_.key_service_named(authority);
    last_host_ = partner ? HostName(KeyServiceHost{*partner}) : HostName(NoHost{});
  }
  return last_host_;
}

std::shared_ptr<const net::HttpService> Door::place(std::string_view authority) {
  const HostName& host = read(authority);
  if (std::holds_alternative<LobbyHost>(host) || std::holds_alternative<ConsoleHost>(host) ||
      std::holds_alternative<KeyServiceHost>(host)) {
    return parts_.lanes.control().http;
  }
  // A name of nobody's belongs where the console's does: where it is answered tells nothing of which it is.
  if (std::holds_alternative<NoHost>(host) && names_.is_ours(authority)) return parts_.lanes.control().http;
  const AppHost* named = std::get_if<AppHost>(&host);
  if (named == nullptr || named->app.owner == parts_.self) return nullptr;
  return parts_.lanes.of(named->app.owner).http;
}

net::Task<void> Door::enrol(net::HttpCall& call) {
  Result<std::string> text = co_await call.read_all(kEnrolBytesMax);
  Result<Json> body = text ? Json::parse(*text) : Result<Json>(Failure(text.error()));
  net::ResponseHead head;
  head.headers.add("Content-Type", "application/json");
  head.headers.add("Cache-Control", "no-store");
  std::string answer;
  if (body) {
    Result<Json> enrolled = co_await parts_.enrol(std::move(*body));
    if (enrolled) answer = enrolled->dump();
  }
  // Whatever was wrong, the answer is the same: a caller without a good token learns nothing.
  head.status = answer.empty() ? 404 : 200;
  if (answer.empty()) parts_.lane.stranger_refused();
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), std::move(answer));
}

net::Task<void> Door::console(net::HttpCall& call, net::NormalTarget target) {
  net::NormalTarget asked = target;
  const bool answered = co_await parts_.console(call, std::move(asked));
  if (!answered) co_await parts_.apps.handle(call, std::move(target), std::nullopt);
}

net::Task<void> Door::send_keys(net::HttpCall& call) {
  net::ResponseHead found;
  found.status = 200;
  found.headers.add("Content-Type", "application/json");
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(found), parts_.keys().dump());
}

// No coroutine itself: what each request goes through is to hold no more than it needs while it waits.
net::Task<void> Door::handle(net::HttpCall& call) {
  const net::RequestHead& head = call.head();
  Result<net::NormalTarget> target = net::normal_target(head.target);
  if (!target) return bare(call, 400);
  const HostName& host = read(head.authority);
  // Also where a browser uses one connection for several names: each request is its own name's, or nobody's.
  if (!names_.is_ours(head.authority) && !std::holds_alternative<KeyServiceHost>(host))
    return bare(call, 421);
  const Asset* asset = head.method == "GET" ? find_asset(target->path) : nullptr;
  if (asset != nullptr) return send_asset(call, asset);
  if (std::holds_alternative<LobbyHost>(host)) {
    if (target->path == "/.entente/enrol" && head.method == "POST") return enrol(call);
    if (target->path == "/.entente/keys" && head.method == "GET") return send_keys(call);
    return parts_.lobby.handle(call, *std::move(target));
  }
  const KeyServiceHost* service = std::get_if<KeyServiceHost>(&host);
  if (service != nullptr && parts_.key_service)
    return parts_.key_service(call, *std::move(target), service->of);
  if (std::holds_alternative<ConsoleHost>(host)) return console(call, *std::move(target));
  std::optional<coalition::AppRef> app;
  if (const AppHost* named = std::get_if<AppHost>(&host)) app = named->app;
  return parts_.apps.handle(call, *std::move(target), std::move(app));
}

}  // namespace entente::exchange
