#include "exchange/links.h"

#include "base/log.h"
#include "exchange/app_headers.h"
#include "exchange/budget.h"
#include "exchange/relay_io.h"
#include "net/url.h"

#include <deque>

#include <fmt/format.h>

namespace entente::exchange {
namespace {

constexpr Millis kDialTimeout{3000};
constexpr Millis kDialAgainFirst{100};
constexpr Millis kDialAgainMost{1500};
constexpr Millis kReverseAfter{3000};  // the partner may still dial by itself
constexpr Millis kOffersEvery{5000};
constexpr size_t kOffersBytesMax = 1 << 20;
constexpr size_t kQueuedMax = 16'384;  // control messages that wait for a slow partner
constexpr size_t kQueuedBytesMax = 16 << 20;
// What a partner's control stream may cost: more is read later, and so pushes back on that partner alone.
constexpr uint32_t kControlPerSecond = 2'000, kControlBurst = 16'384;
constexpr Millis kControlPause{10};
// Each list of offers is signed: a partner asks for it now and then.
constexpr uint32_t kOffersPerSecond = 1, kOffersBurst = 10;
constexpr net::CarrierTimeouts kPatient{
    .head = Millis(60'000), .read = net::kNoTimeout, .write = Millis(60'000)};

// Any of them may be live while a partner changes its link certificate.
std::vector<net::Thumbprint> pins_of(const coalition::Partner& partner) {
  std::vector<net::Thumbprint> pins;
  for (const std::string& text : partner.link_thumbprints) {
    const Result<Bytes> bytes = from_base64url(text);
    net::Thumbprint pin{};
    if (!bytes || bytes->size() != pin.size()) continue;
    std::copy(bytes->begin(), bytes->end(), pin.begin());
    pins.push_back(pin);
  }
  return pins;
}

net::ResponseHead bare(int status) {
  net::ResponseHead head;
  head.status = status;
  return head;
}

}  // namespace

struct Links::Link {
  Link(net::Loop& loop, PartnerCode who, Way which, std::string shown, net::Carrier on)
      : partner(std::move(who)),
        way(which),
        thumbprint(std::move(shown)),
        carrier(std::move(on)),
        more(loop) {}
  PartnerCode partner;
  Way way;
  std::string thumbprint;
  net::Carrier carrier;
  std::deque<std::string> queue;  // control messages to send
  size_t queued_bytes = 0;
  Budget offers_asked{kOffersBurst, kOffersPerSecond};
  net::Event more;
  bool controlled = false;  // its control stream runs
  bool over = false;
};

Links::Links(Switchboard& switchboard, Gateway& gateway, const net::TlsClient& asking_tls,
             const net::TlsClient& reverse_tls, net::Resolver& resolver,
             std::function<const coalition::World&()> world, Offers offers, uint32_t requests_per_s)
    : switchboard_(switchboard),
      gateway_(gateway),
      asking_tls_(asking_tls),
      reverse_tls_(reverse_tls),
      resolver_(resolver),
      world_(std::move(world)),
      offers_(std::move(offers)),
      requests_per_s_(requests_per_s) {}

Links::~Links() {
  *alive_ = false;
}

void Links::start() {
  for (const coalition::Partner* partner : world_().partners()) {
    if (partner->code == world_().self() || partner->link_address.empty() || dialing_[partner->code])
      continue;
    dialing_[partner->code] = true;
    switchboard_.loop().spawn(keep_dialing(partner->code));
  }
}

void Links::close_all() {
  *alive_ = false;
  for (auto& [key, link] : links_) link->carrier.close();
}

bool Links::up(const PartnerCode& partner, Way way) const {
  const auto at = links_.find({partner, way});
  return at != links_.end() && at->second->controlled;
}

void Links::world_changed() {
  start();
  for (const auto& [key, link] : links_) {
    const coalition::Partner* partner = world_().partner_by_link_thumbprint(link->thumbprint);
    if (partner == nullptr || partner->code != key.first) link->carrier.abort();
  }
}

net::Task<void> Links::keep_dialing(PartnerCode partner) {
  const std::shared_ptr<bool> alive = alive_;
  Millis wait = kDialAgainFirst;
  Tick serving_seen = switchboard_.moment().tick;
  while (*alive) {
    bool reached = true;
    if (!links_.contains({partner, Way::asking})) reached = co_await dial(partner, Way::asking);
    if (!*alive) co_return;
    if (links_.contains({partner, Way::serving})) serving_seen = switchboard_.moment().tick;
    // One open path is enough: if they cannot dial us, we dial for them to ask.
    if (reached && switchboard_.moment().tick - serving_seen > kReverseAfter) {
      const bool opened = co_await dial(partner, Way::serving);
      if (!*alive) co_return;
      if (opened) serving_seen = switchboard_.moment().tick;
    }
    wait = reached ? kDialAgainFirst : std::min(wait * 2, kDialAgainMost);
    co_await switchboard_.loop().sleep(wait);
  }
}

// True once the handshake is done; the link then runs by itself.
net::Task<bool> Links::dial(PartnerCode partner, Way way) {
  const coalition::Partner* known = world_().partner(partner);
  if (known == nullptr || known->link_address.empty()) co_return false;
  std::vector<net::Thumbprint> pins = pins_of(*known);
  const Result<net::Authority> address = net::parse_authority(known->link_address);
  if (pins.empty() || !address) co_return false;
  Result<net::Socket> socket =
      co_await net::dial_tcp(switchboard_.loop(), address->host, address->port, kDialTimeout, &resolver_);
  if (!socket) co_return false;
  const net::TlsClient& tls = way == Way::asking ? asking_tls_ : reverse_tls_;
  net::TlsTarget target;
  target.host = address->host;
  target.pins = std::move(pins);
  Result<std::unique_ptr<net::Stream>> stream =
      co_await tls.connect(switchboard_.loop(), std::move(*socket), std::move(target));
  if (!stream) {
    log(LogLevel::warning, "exchange", "a partner's node was not who it should be",
        {{"partner", partner.text()}, {"why", stream.error().text()}});
    co_return false;
  }
  if (way == Way::serving && links_.contains({partner, way})) co_return true;  // they dialed meanwhile
  switchboard_.loop().spawn(run(partner, way, std::move(*stream)));
  co_return true;
}

net::Task<void> Links::serve(std::unique_ptr<net::Stream> stream) {
  const net::TlsPeer* peer = stream->tls();
  const coalition::Partner* partner =
      peer == nullptr ? nullptr : world_().partner_by_link_thumbprint(base64url(peer->thumbprint));
  if (partner == nullptr || partner->code == world_().self()) {
    switchboard_.stranger_refused();
    stream->abort();
    co_return;
  }
  const Way way = peer->alpn == kLinkAlpn ? Way::serving : Way::asking;
  co_await run(partner->code, way, std::move(stream));
}

net::Task<void> Links::run(PartnerCode partner, Way way, std::unique_ptr<net::Stream> stream) {
  const std::string thumbprint = base64url(stream->tls()->thumbprint);
  const std::shared_ptr<bool> alive = alive_;
  // The handler needs the link, and the link the carrier: it is filled in before anything can arrive.
  auto self = std::make_shared<std::weak_ptr<Link>>();
  net::Carrier carrier = way == Way::asking ? net::Carrier::client(std::move(stream), carrier_config())
                                            : net::Carrier::server(
                                                  std::move(stream),
                                                  [this, self](net::CarrierStream incoming) {
                                                    return serve_stream(self->lock(), std::move(incoming));
                                                  },
                                                  carrier_config());
  auto link = std::make_shared<Link>(switchboard_.loop(), partner, way, thumbprint, carrier);
  *self = link;
  const auto before = links_.find({partner, way});
  if (before != links_.end()) {
    const std::shared_ptr<Link> old = before->second;
    old->over = true;
    old->carrier.abort();
    if (std::exchange(old->controlled, false)) switchboard_.link_down(partner, way);
  }
  links_.insert_or_assign(Key{partner, way}, link);
  if (way == Way::asking) switchboard_.loop().spawn(ask_control(link));
  const Result<void> ended = co_await carrier.run();
  link->over = true;
  link->more.set();
  if (!*alive) co_return;
  if (std::exchange(link->controlled, false)) switchboard_.link_down(partner, way);
  const auto at = links_.find({partner, way});
  if (at != links_.end() && at->second == link) links_.erase(at);
  log(LogLevel::info, "exchange", "a link is down",
      {{"partner", partner.text()}, {"way", way_name(way)}, {"why", ended ? "" : ended.error().text()}});
}

net::Task<void> Links::ask_control(std::shared_ptr<Link> link) {
  net::RequestHead head;
  head.method = "CONNECT";
  head.protocol = std::string(kControlProtocol);
  head.scheme = "https";
  head.authority = "node";
  head.path = "/entente/control";
  Result<net::CarrierStream> opened = co_await link->carrier.open(std::move(head), false);
  if (!opened) {
    link->carrier.abort();
    co_return;
  }
  net::CarrierStream stream = std::move(*opened);
  stream.set_class(net::H2Class::control);
  stream.set_timeouts(kPatient);
  Result<net::ResponseHead> answer = co_await stream.read_head();
  if (!answer || answer->status != 200) {
    link->carrier.abort();
    co_return;
  }
  switchboard_.loop().spawn(ask_offers(link));
  co_await talk(link, &stream);
}

net::Task<void> Links::serve_control(std::shared_ptr<Link> link, net::CarrierStream stream) {
  if (link->controlled) {
    stream.reset(net::H2Code::refused_stream);
    co_return;
  }
  stream.set_class(net::H2Class::control);
  stream.set_timeouts(kPatient);
  const Result<void> responded = stream.respond(bare(200), false);
  if (!responded) co_return;
  co_await talk(link, &stream);
}

namespace {

// Writes queued control messages, one a line, until the link is over.
net::Task<void> write_lines(std::shared_ptr<bool> gone, net::ByteSink* sink, net::Event* more,
                            std::deque<std::string>* queue, size_t* queued_bytes, net::Event* done) {
  while (!*gone) {
    if (queue->empty()) {
      more->clear();
      [[maybe_unused]] const bool woken = co_await more->wait(Millis(1000));
      continue;
    }
    std::string batch;
    while (!queue->empty() && batch.size() < 256 * 1024) {
      batch += queue->front();
      *queued_bytes -= queue->front().size();
      queue->pop_front();
    }
    const Result<void> written = co_await sink->write(as_bytes(batch));
    if (!written) break;
  }
  done->set();
}

}  // namespace

// Both directions of the control stream, newline-delimited JSON, until either ends; then the whole link ends.
net::Task<void> Links::talk(std::shared_ptr<Link> link, net::CarrierStream* stream) {
  const std::shared_ptr<bool> alive = alive_;
  auto gone = std::make_shared<bool>(false);
  net::Event written(switchboard_.loop());
  // A handshake that was won by a newer connection meanwhile has no say any more.
  const auto current = links_.find({link->partner, link->way});
  if (link->over || current == links_.end() || current->second != link) co_return;
  link->controlled = true;
  log(LogLevel::info, "exchange", "a link is up",
      {{"partner", link->partner.text()}, {"way", way_name(link->way)}});
  std::weak_ptr<Link> weak = link;
  switchboard_.link_up(link->partner, link->way, [weak](const Json& message) {
    const std::shared_ptr<Link> to = weak.lock();
    if (!to || to->over) return;
    if (to->queue.size() >= kQueuedMax || to->queued_bytes >= kQueuedBytesMax) {
      to->carrier.abort();  // they take nothing: the link is as good as cut
      return;
    }
    to->queue.push_back(message.dump() + "\n");
    to->queued_bytes += to->queue.back().size();
    to->more.set();
  });
  switchboard_.loop().spawn(
      write_lines(gone, &stream->sink(), &link->more, &link->queue, &link->queued_bytes, &written));
  Budget budget(kControlBurst, kControlPerSecond);
  std::string line;
  net::Buffer buffer;
  while (!link->over) {
    Result<void> ready = co_await stream->body().wait();
    if (!ready) break;
    buffer = switchboard_.loop().lend();
    Result<size_t> got = co_await stream->body().read(buffer.span());
    if (!got || *got == 0) break;
    std::string_view bytes = as_text(buffer.span().first(*got));
    bool good = true;
    while (!bytes.empty() && good && !link->over) {
      const size_t end = std::min(bytes.find('\n'), bytes.size());
      line += bytes.substr(0, end);
      good = line.size() <= kLinkMessageBytesMax;
      if (end == bytes.size() || !good) break;
      bytes.remove_prefix(end + 1);
      while (!budget.take(switchboard_.moment().tick) && !link->over)
        co_await switchboard_.loop().sleep(kControlPause);
      const Result<Json> message = Json::parse(line, {.bytes_max = kLinkMessageBytesMax});
      line.clear();
      good = message.has_value();
      if (good && *alive && !link->over) switchboard_.received(link->partner, link->way, *message);
    }
    buffer.give_back();
    if (!good) {
      log(LogLevel::warning, "exchange", "a partner's control message is not one",
          {{"partner", link->partner.text()}});
      break;
    }
  }
  *gone = true;
  link->more.set();
  stream->reset(net::H2Code::cancel);
  link->carrier.abort();
  bool done = co_await written.wait(net::kNoTimeout);
  while (!done) done = co_await written.wait(net::kNoTimeout);
}

// What the partner offers us now: asked again and again, so that a missed word does no harm.
net::Task<void> Links::ask_offers(std::shared_ptr<Link> link) {
  const std::shared_ptr<bool> alive = alive_;
  while (*alive && !link->over) {
    net::RequestHead head;
    head.method = "GET";
    head.scheme = "https";
    head.authority = "node";
    head.path = "/entente/offers";
    Result<net::CarrierStream> stream = co_await link->carrier.open(std::move(head), true);
    if (!stream) {
      co_await switchboard_.loop().sleep(kOffersEvery);
      continue;
    }
    stream->set_class(net::H2Class::control);
    Result<net::ResponseHead> answer = co_await stream->read_head();
    std::string text;
    bool whole = false;
    while (answer && answer->status == 200 && text.size() <= kOffersBytesMax) {
      net::Buffer buffer = switchboard_.loop().lend();
      Result<size_t> got = co_await stream->body().read(buffer.span());
      whole = got && *got == 0;
      if (!got || *got == 0) break;
      text += as_text(buffer.span().first(*got));
    }
    if (whole && *alive && !link->over) offers_.theirs(link->partner, std::move(text));
    co_await switchboard_.loop().sleep(kOffersEvery);
  }
}

net::Task<void> Links::serve_stream(std::shared_ptr<Link> link, net::CarrierStream stream) {
  if (!link || link->over) co_return;
  const net::RequestHead& head = stream.request();
  if (head.protocol == kControlProtocol) {
    co_await serve_control(link, std::move(stream));
    co_return;
  }
  if (head.method == "GET" && head.path == "/entente/offers" && !head.headers.has(kSessionHeader)) {
    const Result<std::string> offers = link->offers_asked.take(switchboard_.moment().tick)
                                           ? offers_.ours(link->partner)
                                           : Result<std::string>(fail("exchange.busy", "asked too often"));
    const Result<void> responded = stream.respond(bare(offers ? 200 : 403), !offers);
    if (!offers || !responded) co_return;
    const Result<void> written = co_await stream.sink().write(as_bytes(*offers));
    if (written) {
      [[maybe_unused]] const Result<void> finished = co_await stream.sink().finish();
    }
    co_return;
  }
  co_await serve_session(link, std::move(stream));
}

namespace {

net::ResponseHead refused_head(const Ending& ending, int status) {
  net::ResponseHead head;
  head.status = status;
  head.headers.add(std::string(kRefusalHeader), refusal_header(ending));
  return head;
}

Ending app_down() {
  return {coalition::Refusal::app_down,
          "The app cannot be reached at its owner's side now.",
          "Try again in a minute.",
          {},
          {},
          {}};
}

Ending too_many() {
  return {coalition::Refusal::app_down,
          "Your nation's node sends more requests than this one takes from one partner.",
          "Try again in a moment.",
          {},
          {},
          {}};
}

class LinkAnswer final : public AnswerStart {
 public:
  explicit LinkAnswer(net::CarrierStream& stream) : stream_(stream) {}
  net::Task<Result<net::ByteSink*>> start(net::ResponseHead head) override {
    clean_response(head.headers);
    CO_TRY_VOID(stream_.respond(std::move(head), false));
    co_return &stream_.sink();
  }

 private:
  net::CarrierStream& stream_;
};

}  // namespace

// A partner's person wants bytes of our app, inside a session of theirs here.
net::Task<void> Links::serve_session(std::shared_ptr<Link> link, net::CarrierStream stream) {
  const auto budget = requests_.try_emplace(link->partner, 2 * requests_per_s_, requests_per_s_).first;
  if (!budget->second.take(switchboard_.moment().tick)) {
    switchboard_.partner_over_budget();
    [[maybe_unused]] const Result<void> sent = stream.respond(refused_head(too_many(), 429), true);
    co_return;
  }
  const SessionId id{std::string(stream.request().headers.get(kSessionHeader))};
  const Session* session = switchboard_.core().session_for(link->partner, id);
  const std::shared_ptr<const Pass> pass = session == nullptr ? nullptr : switchboard_.pass(id);
  if (!pass || stream.request().headers.count(kSessionHeader) != 1) {
    const Ending ended{coalition::Refusal::lease_ended,
                       "This session is not known here any more.",
                       "Open the app again.",
                       {},
                       {},
                       {}};
    [[maybe_unused]] const Result<void> sent = stream.respond(refused_head(ended, 403), true);
    co_return;
  }
  net::RequestHead head = stream.request();
  const bool upgrades = !head.protocol.empty();
  Result<net::CarrierStream> opened = co_await gateway_.open(pass, std::move(head), !stream.has_body());
  if (!opened) {
    const std::optional<Ending> refused = read_refusal_header(opened.error().hint);
    const bool denied = opened.error().code == "exchange.refused" && refused;
    [[maybe_unused]] const Result<void> sent =
        stream.respond(refused_head(denied ? *refused : app_down(), denied ? 403 : 503), true);
    co_return;
  }
  net::CarrierStream upstream = std::move(*opened);
  auto gate = std::make_shared<SessionGate>(pass->gate, system_clock());
  stream.set_gate(gate);
  upstream.set_gate(gate);
  if (upgrades) {
    stream.set_timeouts(kPatient);
    upstream.set_timeouts(kPatient);
  }
  const Attachment attached = switchboard_.attach(id, [&stream, &upstream] {
    stream.fence();
    upstream.fence();
  });
  LinkAnswer answer(stream);
  net::ByteSource* body = stream.has_body() ? &stream.body() : nullptr;
  const Result<void> relayed = co_await relay_request(switchboard_, id, body, upstream, answer);
  if (!relayed && relayed.error().code != "net.fenced") {
    // Before an answer began this is the app's fault, and said so; after, the broken stream says it.
    [[maybe_unused]] const Result<void> sent = stream.respond(refused_head(app_down(), 503), true);
  }
}

net::Task<Result<net::CarrierStream>> Links::open(PartnerCode partner, net::RequestHead head, bool end,
                                                  net::GateRef gate) {
  const auto at = links_.find({partner, Way::asking});
  if (at == links_.end() || !at->second->controlled)
    co_return fail("exchange.link-down", "the link to the partner is down");
  net::Carrier carrier = at->second->carrier;
  Result<net::CarrierStream> opened = co_await carrier.open(std::move(head), end, std::move(gate));
  co_return std::move(opened);
}

}  // namespace entente::exchange
