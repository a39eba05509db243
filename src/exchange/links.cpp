// Dialing partners and being dialed, and which connections there are.
#include "base/log.h"
#include "exchange/dial_pause.h"
#include "exchange/links_internal.h"
#include "net/url.h"

namespace entente::exchange {
namespace {

constexpr uint32_t kOwnStreams = 8;  // control, offers: on top of those of sessions
constexpr Millis kDialTimeout{3000};
constexpr Millis kDialLook{100};       // how often it looks whether to dial
constexpr Millis kReverseAfter{3000};  // the partner may still dial by itself

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

bool is_pinned(const coalition::World& world, const PartnerCode& partner, std::string_view thumbprint) {
  const coalition::Partner* found = world.partner_by_link_thumbprint(thumbprint);
  return found != nullptr && found->code == partner;
}

}  // namespace

Links::Links(Lane& lane, const Lanes& lanes, Gateway& gateway, Dialing dialing, CurrentWorld world,
             Offers offers, Caps caps)
    : lane_(lane),
      lanes_(lanes),
      gateway_(gateway),
      dialing_tls_(dialing),
      world_(std::move(world)),
      offers_(std::move(offers)),
      caps_(caps) {}

Links::~Links() {
  *alive_ = false;
}

net::CarrierConfig link_carrier_config(const Links::Caps& caps) {
  net::CarrierConfig config = carrier_config();
  config.h2.streams_max = static_cast<uint32_t>(caps.streams) + kOwnStreams;
  // All that may be open may end at once, and so may what is opened meanwhile; a flood is more than that.
  config.h2.resets_max = static_cast<uint32_t>(caps.streams) + 4 * caps.requests_per_s;
  return config;
}

void Links::start() {
  const std::shared_ptr<const coalition::World> world = world_();
  for (const coalition::Partner* partner : world->partners()) {
    if (partner->code == world->self() || partner->link_address.empty() || dialing_[partner->code] ||
        lanes_.number_of(partner->code) != lane_.number())
      continue;
    dialing_[partner->code] = true;
    lane_.loop().spawn(keep_dialing(partner->code));
  }
}

void Links::close_all() {
  *alive_ = false;
  for (auto& [key, link] : links_) link->carrier.close();
}

void Links::world_changed() {
  start();
  const std::shared_ptr<const coalition::World> world = world_();
  for (const auto& [key, link] : links_) {
    if (!is_pinned(*world, key.first, link->thumbprint)) link->carrier.abort();
  }
}

// The core hears of it once, and before anything of a newer connection.
void Links::down(Link& link) {
  link.end();
  if (!std::exchange(link.controlled, false)) return;
  lane_.tell(
      [partner = link.partner, way = link.way](Switchboard& control) { control.link_down(partner, way); });
}

net::Task<void> Links::keep_dialing(PartnerCode partner) {
  const std::shared_ptr<bool> alive = alive_;
  DialPause pause;
  bool reached = false;
  Tick serving_seen = lane_.moment().tick;
  while (*alive) {
    const auto asking = links_.find({partner, Way::asking});
    if (asking != links_.end()) {
      reached = true;
      if (asking->second->controlled) pause.up_since(asking->second->up_since, lane_.moment().tick);
    } else if (pause.is_over(lane_.moment().tick)) {
      reached = co_await dial(partner, Way::asking);
      pause.dialed(lane_.moment().tick);
    }
    if (!*alive) co_return;
    if (links_.contains({partner, Way::serving})) serving_seen = lane_.moment().tick;
    // One open path is enough: if they cannot dial us, we dial for them to ask; whatever comes of it, not
    // again before that time is over.
    if (reached && lane_.moment().tick - serving_seen > kReverseAfter) {
      [[maybe_unused]] const bool opened = co_await dial(partner, Way::serving);
      if (!*alive) co_return;
      serving_seen = lane_.moment().tick;
    }
    co_await lane_.loop().sleep(kDialLook);
  }
}

void Links::complain(const PartnerCode& partner, std::string_view what, const Error& why) {
  if (!complaints_[partner].is_due(what, lane_.moment().tick)) return;
  log(LogLevel::warning, "exchange", what, {{"partner", partner.text()}, {"why", why.text()}});
}

// True once the handshake is done; the link then runs by itself. Whether our certificate is taken shows
// later: in TLS 1.3 the other side looks at it after that.
net::Task<bool> Links::dial(PartnerCode partner, Way way) {
  const std::shared_ptr<const coalition::World> world = world_();
  const coalition::Partner* known = world->partner(partner);
  if (known == nullptr || known->link_address.empty()) co_return false;
  std::vector<net::Thumbprint> pins = pins_of(*known);
  const Result<net::Authority> address = net::parse_authority(known->link_address);
  if (pins.empty() || !address) co_return false;
  Result<net::Socket> socket = co_await net::dial_tcp(lane_.loop(), address->host, address->port,
                                                      kDialTimeout, &dialing_tls_.resolver);
  if (!socket) {
    complain(partner, "a partner's node cannot be reached", socket.error());
    co_return false;
  }
  const net::TlsClient& tls = way == Way::asking ? dialing_tls_.asking_tls : dialing_tls_.reverse_tls;
  net::TlsTarget target;
  target.host = address->host;
  target.pins = std::move(pins);
  Result<std::unique_ptr<net::Stream>> stream =
      co_await tls.connect(lane_.loop(), std::move(*socket), std::move(target));
  if (!stream) {
    complain(partner, "a partner's node was not who it should be", stream.error());
    co_return false;
  }
  if (way == Way::serving && links_.contains({partner, way})) co_return true;  // they dialed meanwhile
  lane_.loop().spawn(run(partner, way, std::move(*stream), true));
  co_return true;
}

net::Task<void> Links::serve(std::unique_ptr<net::Stream> stream) {
  const net::TlsPeer* peer = stream->tls();
  const std::shared_ptr<const coalition::World> world = world_();
  const coalition::Partner* partner =
      peer == nullptr ? nullptr : world->partner_by_link_thumbprint(base64url(peer->thumbprint));
  if (partner == nullptr || partner->code == world->self()) {
    lane_.stranger_refused();
    stream->abort();
    co_return;
  }
  const PartnerCode code = partner->code;
  const Way way = peer->alpn == kLinkAlpn ? Way::serving : Way::asking;
  const Lanes::One& there = lanes_.of(code);
  if (there.links == this) {
    co_await run(code, way, std::move(stream), false);
    co_return;
  }
  Result<net::Parked> parked = stream->park();
  if (parked) there.lane->loop().spawn(there.links->arrive(code, way, std::move(*parked)));
}

net::Task<void> Links::arrive(PartnerCode partner, Way way, net::Parked parked) {
  std::unique_ptr<net::Stream> stream = net::adopt(lane_.loop(), std::move(parked));
  co_await run(std::move(partner), way, std::move(stream), false);
}

net::Task<void> Links::run(PartnerCode partner, Way way, std::unique_ptr<net::Stream> stream, bool dialed) {
  const std::string thumbprint = base64url(stream->tls()->thumbprint);
  const std::shared_ptr<bool> alive = alive_;
  // The world may have moved on since the handshake; from here on world_changed() sees this link.
  if (!is_pinned(*world_(), partner, thumbprint)) {
    stream->abort();
    co_return;
  }
  // The handler needs the link, and the link the carrier: it is filled in before anything can arrive.
  auto self = std::make_shared<std::weak_ptr<Link>>();
  net::Carrier carrier = way == Way::asking
                             ? net::Carrier::client(std::move(stream), link_carrier_config(caps_))
                             : net::Carrier::server(
                                   std::move(stream),
                                   [this, self](net::CarrierStream incoming) {
                                     return serve_stream(self->lock(), std::move(incoming));
                                   },
                                   link_carrier_config(caps_));
  auto link = std::make_shared<Link>(lane_.loop(), partner, way, thumbprint, carrier);
  *self = link;
  const auto before = links_.find({partner, way});
  if (before != links_.end()) {
    const std::shared_ptr<Link> old = before->second;
    old->carrier.abort();
    down(*old);
  }
  links_.insert_or_assign(Key{partner, way}, link);
  if (way == Way::asking) lane_.loop().spawn(ask_control(link));
  const Result<void> ended = co_await carrier.run();
  link->end();
  link->more.set();
  if (!*alive) co_return;
  const bool was_up = link->controlled;
  down(*link);
  const auto at = links_.find({partner, way});
  const bool replaced = at == links_.end() || at->second != link;
  if (!replaced) links_.erase(at);
  if (!was_up && dialed && !replaced && is_pinned(*world_(), partner, thumbprint)) {
    complain(partner, "a partner's node broke the link off: does it pin this node's certificate?",
             ended ? Error{"net.closed", "it closed the connection", {}, {}} : ended.error());
  }
  if (was_up)
    log(LogLevel::info, "exchange", "a link is down",
        {{"partner", partner.text()}, {"way", way_name(way)}, {"why", ended ? "" : ended.error().text()}});
}

net::Task<Result<net::CarrierStream>> Links::open(PartnerCode partner, net::RequestHead& head, bool end,
                                                  net::GateRef gate, Millis within) {
  const auto at = links_.find({partner, Way::asking});
  if (at == links_.end() || !at->second->controlled)
    co_return fail("exchange.link-down", "the link to the partner is down");
  net::Carrier carrier = at->second->carrier;
  Result<net::CarrierStream> opened = co_await carrier.open(head, end, std::move(gate), within);
  co_return std::move(opened);
}

}  // namespace entente::exchange
