#include "exchange/connector.h"

#include "base/log.h"
#include "exchange/connectors.h"
#include "exchange/dial_pause.h"
#include "exchange/relay_io.h"
#include "net/dial.h"
#include "net/websocket.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

namespace entente::exchange {
namespace {

constexpr Millis kDialTimeout{3000};
constexpr size_t kIdlePerAppMax = 64;

net::BodyFraming framing_of(const net::CarrierStream& stream, net::Headers& headers) {
  const std::optional<uint64_t> length = net::content_length(headers);
  headers.remove("Content-Length");
  if (!stream.has_body()) return {};
  return length ? net::BodyFraming{net::BodyKind::length, *length}
                : net::BodyFraming{net::BodyKind::chunked, 0};
}

struct Upload {
  explicit Upload(net::Loop& loop) : done(loop) {}
  net::Event done;
};

net::Task<void> upload(net::Loop* loop, net::ByteSource* from, net::HttpClient* app,
                       std::shared_ptr<Upload> state) {
  MarkedSource source(*from);
  [[maybe_unused]] const Result<uint64_t> sent = co_await net::pump(*loop, source, app->request_body());
  if (source.failed()) app->abort();  // the rest will never come: the app must not wait for it
  state->done.set();
}

}  // namespace

ConnectorProcess::ConnectorProcess(net::Loop& loop, net::TlsClient tls, Options options)
    : loop_(loop), tls_(std::move(tls)), options_(std::move(options)) {}

void ConnectorProcess::stop() {
  stopping_ = true;
  for (auto& [number, carrier] : carriers_) carrier.close();
}

net::Task<void> ConnectorProcess::run() {
  co_await keep(0);
}

net::Task<void> ConnectorProcess::keep(size_t number) {
  kept_.insert(number);
  DialPause pause;
  while (!stopping_ && number < wanted_) {
    const std::optional<Tick> served = co_await serve_once(number);
    // A node that is gone says itself, once it is back, how many it wants then.
    if (carriers_.empty()) wanted_ = 1;
    if (stopping_ || number >= wanted_) break;
    if (served) pause.up_since(*served, loop_.tick());
    co_await loop_.sleep(pause.dialed(loop_.tick()));
  }
  kept_.erase(number);
}

void ConnectorProcess::want(size_t connections) {
  wanted_ = std::clamp(connections, size_t{1}, kConnectionsMax);
  for (size_t number = 1; number < wanted_ && !stopping_; ++number) {
    if (kept_.insert(number).second) loop_.spawn(keep(number));
  }
}

void ConnectorProcess::complain(std::string_view what, const Error& why) {
  if (!complaint_.is_due(what, loop_.tick())) return;
  log(LogLevel::warning, "connector", what,
      {{"address", fmt::format("{}:{}", options_.node_host, options_.node_port)}, {"why", why.text()}});
}

net::Task<std::optional<Tick>> ConnectorProcess::serve_once(size_t number) {
  Result<net::Socket> socket =
      co_await net::dial_tcp(loop_, options_.node_host, options_.node_port, kDialTimeout, &resolver_);
  if (!socket) {
    complain("the node cannot be reached", socket.error());
    co_return std::nullopt;
  }
  net::TlsTarget target;
  target.host = options_.node_host;
  target.pins = {options_.node_pin};
  Result<std::unique_ptr<net::Stream>> stream =
      co_await tls_.connect(loop_, std::move(*socket), std::move(target));
  if (!stream) {
    complain("the node did not take the connection", stream.error());
    co_return std::nullopt;
  }
  // Whether the node takes this connector's certificate shows by its first request: in TLS 1.3 it looks at it
  // after the handshake.
  auto taken = std::make_shared<std::optional<Tick>>();
  net::Carrier carrier = net::Carrier::server(
      std::move(*stream),
      [this, taken](net::CarrierStream incoming) {
        if (!*taken) {
          *taken = loop_.tick();
          complaint_.over();
          log(LogLevel::info, "connector", "connected to the node", {});
        }
        return handle(std::move(incoming));
      },
      carrier_config());
  carriers_.insert_or_assign(number, carrier);
  const Result<void> ended = co_await carrier.run();
  carriers_.erase(number);
  if (*taken) {
    log(LogLevel::info, "connector", "disconnected", {{"why", ended ? "" : ended.error().text()}});
  } else if (!stopping_) {
    complain("the node broke the connection off: is this connector still enrolled?",
             ended ? Error{"net.closed", "it closed the connection", {}, {}} : ended.error());
  }
  co_return *taken;
}

net::Task<void> ConnectorProcess::handle(net::CarrierStream stream) {
  const net::RequestHead& asked = stream.request();
  if (asked.path == kConnectionsPath && asked.protocol.empty() && !asked.headers.has(kAppHeader)) {
    const std::string_view text = asked.headers.get(kConnectionsHeader);
    size_t connections = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), connections);
    const bool good = error == std::errc() && end == text.data() + text.size();
    if (good) want(connections);
    [[maybe_unused]] const Result<void> sent = stream.respond(net::head_of(good ? 204 : 400), true);
    co_return;
  }
  const auto target = options_.targets.find(std::string(stream.request().headers.get(kAppHeader)));
  if (target == options_.targets.end() || stream.request().headers.count(kAppHeader) != 1) {
    [[maybe_unused]] const Result<void> sent = stream.respond(net::head_of(404), true);
    co_return;
  }
  const std::string name = target->first;
  const std::string socket = target->second;
  // Bytes to an app that speaks HTTP would be requests that were never decided, and the other way round.
  const bool bytes = stream.request().protocol == kBytesProtocol;
  if (bytes != options_.opaque.contains(name)) {
    stream.reset(kNotThisWay);
    co_return;
  }
  stream.request().headers.remove(kAppHeader);
  if (stream.request().protocol.empty()) {
    co_await request(stream, name, socket);
  } else {
    co_await upgrade(stream, socket);
  }
}

net::Task<Result<std::unique_ptr<net::HttpClient>>> ConnectorProcess::app(std::string socket) {
  auto& idle = idle_[socket];
  while (!idle.empty()) {
    std::unique_ptr<net::HttpClient> client = std::move(idle.back());
    idle.pop_back();
    if (client->reusable()) co_return std::move(client);
  }
  Result<net::Socket> dialed = co_await net::dial_unix(loop_, std::move(socket), kDialTimeout);
  if (!dialed) co_return Failure(dialed.error());
  net::HttpClientLimits limits;
  limits.head_timeout = options_.app_timeout;
  co_return std::make_unique<net::HttpClient>(net::make_stream(loop_, std::move(*dialed)), limits);
}

net::Task<void> ConnectorProcess::request(net::CarrierStream& stream, std::string target,
                                          std::string socket) {
  Result<std::unique_ptr<net::HttpClient>> reached = co_await app(socket);
  if (!reached) {
    log(LogLevel::warning, "connector", "the app does not answer",
        {{"app", target}, {"why", reached.error().text()}});
    stream.reset(net::H2Code::refused_stream);
    co_return;
  }
  std::unique_ptr<net::HttpClient> client = std::move(*reached);
  net::RequestHead head = std::move(stream.request());
  head.version = net::HttpVersion::http1_1;
  head.target = head.path;
  const net::BodyFraming framing = framing_of(stream, head.headers);
  const Result<void> started = client->start(std::move(head), framing);
  if (!started) {
    [[maybe_unused]] const Result<void> sent = stream.respond(net::head_of(400), true);
    co_return;
  }
  stream.when_broken([asked = client.get()] { asked->abort(); });
  auto state = std::make_shared<Upload>(loop_);
  if (framing.kind == net::BodyKind::none) {
    state->done.set();
  } else {
    loop_.spawn(upload(&loop_, &stream.body(), client.get(), state));
  }
  bool whole = false;
  Result<net::ResponseHead> answer = co_await client->read_head();
  if (!answer && !stream.reset_code()) {
    log(LogLevel::warning, "connector", "the app answers what is no HTTP",
        {{"app", target}, {"why", answer.error().text()}});
    stream.reset(net::H2Code::internal_error);
  } else if (answer) {
    net::remove_hop_by_hop(answer->headers);
    const bool empty = client->framing().kind == net::BodyKind::none;
    const Result<void> responded = stream.respond(std::move(*answer), empty);
    if (responded && !empty) {
      Result<uint64_t> passed = co_await net::pump(loop_, client->response_body(), stream.sink());
      whole = passed.has_value();
      if (!whole) stream.reset(net::H2Code::internal_error);
    } else {
      whole = responded.has_value();
    }
  }
  stream.when_broken(nullptr);
  if (!state->done.is_set()) {
    client->abort();
    stream.body().abort();
    co_await state->done.wait_set();
    co_return;
  }
  auto& idle = idle_[socket];
  if (whole && client->reusable() && idle.size() < kIdlePerAppMax) idle.push_back(std::move(client));
}

net::Task<void> ConnectorProcess::upgrade(net::CarrierStream& stream, std::string socket) {
  Result<net::Socket> dialed = co_await net::dial_unix(loop_, socket, kDialTimeout);
  if (!dialed) {
    stream.reset(net::H2Code::refused_stream);
    co_return;
  }
  stream.set_timeouts({.head = Millis(60'000), .read = net::kNoTimeout, .write = Millis(60'000)});
  net::RequestHead head = std::move(stream.request());
  const std::string protocol = head.protocol;
  std::unique_ptr<net::Stream> raw = net::make_stream(loop_, std::move(*dialed));
  Bytes leftover;
  if (protocol == kBytesProtocol) {
    const Result<void> responded = stream.respond(net::head_of(200), false);
    if (!responded) co_return;
  } else {
    const std::string key = net::websocket_key();
    head.method = "GET";
    head.protocol.clear();
    head.version = net::HttpVersion::http1_1;
    head.target = head.path;
    head.headers.set("Connection", "Upgrade");
    head.headers.set("Upgrade", protocol);
    if (protocol == "websocket") head.headers.set("Sec-WebSocket-Key", key);
    net::HttpClient client(std::move(raw));
    const Result<void> started = client.start(std::move(head));
    Result<net::ResponseHead> answer = fail("http.state", "not asked");
    if (started) answer = co_await client.read_head();
    const bool accepted = answer && answer->status == 101 &&
                          (protocol != "websocket" ||
                           answer->headers.get("Sec-WebSocket-Accept") == net::websocket_accept(key));
    if (!accepted) {
      [[maybe_unused]] const Result<void> sent =
          stream.respond(net::head_of(answer && answer->status != 101 ? answer->status : 502), true);
      co_return;
    }
    Result<net::Upgraded> taken = client.take_over();
    if (!taken) co_return;
    raw = std::move(taken->stream);
    leftover = std::move(taken->leftover);
    net::ResponseHead good = net::head_of(200);
    for (const std::string_view name : {"Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"}) {
      if (answer->headers.has(name))
        good.headers.add(std::string(name), std::string(answer->headers.get(name)));
    }
    const Result<void> responded = stream.respond(std::move(good), false);
    if (!responded) co_return;
  }
  net::StreamSource from_app(*raw, net::kNoTimeout, std::move(leftover));
  net::StreamSink to_app(*raw, Millis(60'000));
  [[maybe_unused]] const net::RelayReport report =
      co_await net::relay(loop_, {from_app, to_app}, {stream.body(), stream.sink()});
}

}  // namespace entente::exchange
