#include "exchange/links.h"

#include "base/log.h"
#include "exchange/app_headers.h"
#include "exchange/budget.h"
#include "exchange/relay_io.h"
#include "net/url.h"

#include <deque>
#include <mutex>
#include <vector>

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
constexpr size_t kBatchBytes = 256 * 1024;  // of control messages in one write
// Each list of offers is signed: a partner asks for it now and then.
constexpr uint32_t kOffersPerSecond = 1, kOffersBurst = 10;
constexpr std::string_view kKeysPath = "/entente/keys";
constexpr Millis kKeysAnswerMax{4000};  // for the ledger to take attempt and release
constexpr uint32_t kOwnStreams = 8;     // control, offers: on top of those of sessions
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

bool is_pinned(const coalition::World& world, const PartnerCode& partner, std::string_view thumbprint) {
  const coalition::Partner* found = world.partner_by_link_thumbprint(thumbprint);
  return found != nullptr && found->code == partner;
}

net::ResponseHead bare(int status) {
  net::ResponseHead head;
  head.status = status;
  return head;
}

// Control messages that wait to be written. Filled by the control loop, emptied by the link's.
class Outbox {
 public:
  enum class Put { first, behind, full, over };  // behind others: who writes those finds it
  Put put(std::string line) {
    const std::lock_guard lock(mutex_);
    if (over_) return Put::over;
    if (lines_.size() >= kQueuedMax || bytes_ >= kQueuedBytesMax) return Put::full;
    bytes_ += line.size();
    lines_.push_back(std::move(line));
    return lines_.size() == 1 ? Put::first : Put::behind;
  }
  // Some of them, put together; empty when there is none.
  std::string take(size_t bytes_max) {
    const std::lock_guard lock(mutex_);
    std::string batch;
    while (!lines_.empty() && batch.size() < bytes_max) {
      bytes_ -= lines_.front().size();
      batch += lines_.front();
      lines_.pop_front();
    }
    return batch;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }

 private:
  std::mutex mutex_;
  std::deque<std::string> lines_;
  size_t bytes_ = 0;
  bool over_ = false;
};

}  // namespace

struct Links::Link {
  Link(net::Loop& loop, PartnerCode who, Way which, std::string shown, net::Carrier on)
      : partner(std::move(who)),
        way(which),
        thumbprint(std::move(shown)),
        carrier(std::move(on)),
        more(loop) {}
  void end() {
    over = true;
    outbox->close();
  }
  PartnerCode partner;
  Way way;
  std::string thumbprint;
  net::Carrier carrier;
  std::shared_ptr<Outbox> outbox = std::make_shared<Outbox>();
  Budget offers_asked{kOffersBurst, kOffersPerSecond};
  net::Event more;          // in the outbox
  bool controlled = false;  // its control stream runs
  bool over = false;
};

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
  Millis wait = kDialAgainFirst;
  Tick serving_seen = lane_.moment().tick;
  while (*alive) {
    bool reached = true;
    if (!links_.contains({partner, Way::asking})) reached = co_await dial(partner, Way::asking);
    if (!*alive) co_return;
    if (links_.contains({partner, Way::serving})) serving_seen = lane_.moment().tick;
    // One open path is enough: if they cannot dial us, we dial for them to ask.
    if (reached && lane_.moment().tick - serving_seen > kReverseAfter) {
      const bool opened = co_await dial(partner, Way::serving);
      if (!*alive) co_return;
      if (opened) serving_seen = lane_.moment().tick;
    }
    wait = reached ? kDialAgainFirst : std::min(wait * 2, kDialAgainMost);
    co_await lane_.loop().sleep(wait);
  }
}

// True once the handshake is done; the link then runs by itself.
net::Task<bool> Links::dial(PartnerCode partner, Way way) {
  const std::shared_ptr<const coalition::World> world = world_();
  const coalition::Partner* known = world->partner(partner);
  if (known == nullptr || known->link_address.empty()) co_return false;
  std::vector<net::Thumbprint> pins = pins_of(*known);
  const Result<net::Authority> address = net::parse_authority(known->link_address);
  if (pins.empty() || !address) co_return false;
  Result<net::Socket> socket = co_await net::dial_tcp(lane_.loop(), address->host, address->port,
                                                      kDialTimeout, &dialing_tls_.resolver);
  if (!socket) co_return false;
  const net::TlsClient& tls = way == Way::asking ? dialing_tls_.asking_tls : dialing_tls_.reverse_tls;
  net::TlsTarget target;
  target.host = address->host;
  target.pins = std::move(pins);
  Result<std::unique_ptr<net::Stream>> stream =
      co_await tls.connect(lane_.loop(), std::move(*socket), std::move(target));
  if (!stream) {
    log(LogLevel::warning, "exchange", "a partner's node was not who it should be",
        {{"partner", partner.text()}, {"why", stream.error().text()}});
    co_return false;
  }
  if (way == Way::serving && links_.contains({partner, way})) co_return true;  // they dialed meanwhile
  lane_.loop().spawn(run(partner, way, std::move(*stream)));
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
    co_await run(code, way, std::move(stream));
    co_return;
  }
  Result<net::Parked> parked = stream->park();
  if (parked) there.lane->loop().spawn(there.links->arrive(code, way, std::move(*parked)));
}

net::Task<void> Links::arrive(PartnerCode partner, Way way, net::Parked parked) {
  std::unique_ptr<net::Stream> stream = net::adopt(lane_.loop(), std::move(parked));
  co_await run(std::move(partner), way, std::move(stream));
}

net::Task<void> Links::run(PartnerCode partner, Way way, std::unique_ptr<net::Stream> stream) {
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
  down(*link);
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
  lane_.loop().spawn(ask_offers(link));
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
                            std::shared_ptr<Outbox> outbox, net::Event* done) {
  while (!*gone) {
    more->clear();
    const std::string batch = outbox->take(kBatchBytes);
    if (batch.empty()) {
      [[maybe_unused]] const bool woken = co_await more->wait(Millis(1000));
      continue;
    }
    const Result<void> written = co_await sink->write(as_bytes(batch));
    if (!written) break;
  }
  done->set();
}

// The lines that `bytes` complete, read as messages; `line` keeps the rest. False: what came is no message.
bool read_lines(std::string_view bytes, std::string& line, std::vector<Json>& messages) {
  while (!bytes.empty()) {
    const size_t end = std::min(bytes.find('\n'), bytes.size());
    line += bytes.substr(0, end);
    if (line.size() > kLinkMessageBytesMax) return false;
    if (end == bytes.size()) return true;
    bytes.remove_prefix(end + 1);
    Result<Json> message = Json::parse(line, {.bytes_max = kLinkMessageBytesMax});
    line.clear();
    if (!message) return false;
    messages.push_back(std::move(*message));
  }
  return true;
}

}  // namespace

// Both directions of the control stream, newline-delimited JSON, until either ends; then the whole link ends.
net::Task<void> Links::talk(std::shared_ptr<Link> link, net::CarrierStream* stream) {
  const std::shared_ptr<bool> alive = alive_;
  auto gone = std::make_shared<bool>(false);
  net::Event written(lane_.loop());
  // A handshake that was won by a newer connection meanwhile has no say any more.
  const auto current = links_.find({link->partner, link->way});
  if (link->over || current == links_.end() || current->second != link) co_return;
  link->controlled = true;
  log(LogLevel::info, "exchange", "a link is up",
      {{"partner", link->partner.text()}, {"way", way_name(link->way)}});
  const auto send = [loop = &lane_.loop(), outbox = link->outbox,
                     weak = std::weak_ptr<Link>(link)](const Json& message) {
    const Outbox::Put put = outbox->put(message.dump() + "\n");
    if (put == Outbox::Put::over || put == Outbox::Put::behind) return;
    // The link itself is touched on its own loop only.
    net::Call wake = [weak, full = put == Outbox::Put::full] {
      const std::shared_ptr<Link> to = weak.lock();
      if (!to || to->over) return;
      if (full) to->carrier.abort();  // they take nothing: the link is as good as cut
      to->more.set();
    };
    if (loop->in_loop()) return wake();
    loop->post(std::move(wake));
  };
  lane_.tell([partner = link->partner, way = link->way, send](Switchboard& control) {
    control.link_up(partner, way, send);
  });
  lane_.loop().spawn(write_lines(gone, &stream->sink(), &link->more, link->outbox, &written));
  Budget budget(kControlBurst, kControlPerSecond);
  std::string line;
  net::Buffer buffer;
  while (!link->over) {
    Result<void> ready = co_await stream->body().wait();
    if (!ready) break;
    buffer = lane_.loop().lend();
    Result<size_t> got = co_await stream->body().read(buffer.span());
    if (!got || *got == 0) break;
    std::vector<Json> messages;
    const bool good = read_lines(as_text(buffer.span().first(*got)), line, messages);
    buffer.give_back();
    for (size_t taken = 0; taken < messages.size() && !link->over;) {
      if (budget.take(lane_.moment().tick)) {
        ++taken;
      } else {
        co_await lane_.loop().sleep(kControlPause);
      }
    }
    // Waited for: a partner's words never queue up before a core that is busy.
    if (*alive && !link->over && !messages.empty()) {
      std::move_only_function<bool(Switchboard&)> receive =
          [partner = link->partner, way = link->way, said = std::move(messages)](Switchboard& control) {
            for (const Json& message : said) control.received(partner, way, message);
            return true;
          };
      [[maybe_unused]] const bool heard = co_await lane_.ask<bool>(std::move(receive));
    }
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
      co_await lane_.loop().sleep(kOffersEvery);
      continue;
    }
    stream->set_class(net::H2Class::control);
    Result<net::ResponseHead> answer = co_await stream->read_head();
    std::string text;
    bool whole = false;
    while (answer && answer->status == 200 && text.size() <= kOffersBytesMax) {
      net::Buffer buffer = lane_.loop().lend();
      Result<size_t> got = co_await stream->body().read(buffer.span());
      whole = got && *got == 0;
      if (!got || *got == 0) break;
      text += as_text(buffer.span().first(*got));
    }
    if (whole && *alive && !link->over) {
      lane_.tell([this, partner = link->partner, said = std::move(text)](Switchboard&) mutable {
        offers_.theirs(partner, std::move(said));
      });
    }
    co_await lane_.loop().sleep(kOffersEvery);
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
    const Result<std::string> offers = link->offers_asked.take(lane_.moment().tick)
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
  if (head.method == "POST" && head.path == kKeysPath && !head.headers.has(kSessionHeader)) {
    co_await serve_keys(link, std::move(stream));
    co_return;
  }
  co_await serve_session(link, std::move(stream));
}

namespace {

// A body of a bounded size, whole.
net::Task<Result<std::string>> read_whole(net::Loop& loop, net::CarrierStream* stream, size_t bytes_max) {
  std::string text;
  while (true) {
    net::Buffer buffer = loop.lend();
    Result<size_t> got = co_await stream->body().read(buffer.span());
    if (!got) co_return Failure(got.error());
    if (*got == 0) co_return text;
    if (text.size() + *got > bytes_max)
      co_return fail("exchange.too-long", "a partner says more than is read");
    text += as_text(buffer.span().first(*got));
  }
}

struct KeysErrand {
  explicit KeysErrand(net::Loop& home) : done(home) {}
  net::Event done;
  std::string answer;
};

// On the control loop; what came out goes home with the errand, whose event is touched and freed there.
net::Task<void> run_errand(Links::KeyDesk desk, PartnerCode partner, std::string body,
                           std::shared_ptr<KeysErrand> errand, net::Loop* home) {
  std::string said = co_await desk(std::move(partner), std::move(body));
  home->post([kept = std::move(errand), answer = std::move(said)]() mutable {
    kept->answer = std::move(answer);
    kept->done.set();
  });
}

}  // namespace

net::Task<void> Links::serve_keys(std::shared_ptr<Link> link, net::CarrierStream stream) {
  stream.set_timeouts({.head = kKeysTimeout, .read = kKeysTimeout, .write = kKeysTimeout});
  const auto budget =
      requests_.try_emplace(link->partner, 2 * caps_.requests_per_s, caps_.requests_per_s).first;
  const bool within = budget->second.take(lane_.moment().tick);
  if (!within) lane_.partner_over_budget();
  if (!within || !key_desk_) {
    [[maybe_unused]] const Result<void> refused = stream.respond(bare(within ? 404 : 429), true);
    co_return;
  }
  Result<std::string> body = co_await read_whole(lane_.loop(), &stream, kKeysBytesMax);
  if (!body) {
    stream.reset(net::H2Code::cancel);
    co_return;
  }
  auto errand = std::make_shared<KeysErrand>(lane_.loop());
  lane_.tell([desk = key_desk_, partner = link->partner, text = std::move(*body), errand,
              home = &lane_.loop()](Switchboard& control) mutable {
    control.loop().spawn(run_errand(desk, std::move(partner), std::move(text), std::move(errand), home));
  });
  const bool done = co_await errand->done.wait(kKeysAnswerMax);
  const Result<void> responded = stream.respond(bare(done ? 200 : 503), !done);
  if (!done || !responded) co_return;
  const Result<void> written = co_await stream.sink().write(as_bytes(errand->answer));
  if (written) {
    [[maybe_unused]] const Result<void> finished = co_await stream.sink().finish();
  }
}

net::Task<Result<std::string>> Links::ask_keys(PartnerCode partner, std::string body) {
  net::RequestHead head;
  head.method = "POST";
  head.scheme = "https";
  head.authority = "node";
  head.path = std::string(kKeysPath);
  Result<net::CarrierStream> opened = co_await open(std::move(partner), std::move(head), false, nullptr);
  if (!opened) co_return Failure(opened.error());
  net::CarrierStream stream = std::move(*opened);
  stream.set_timeouts({.head = kKeysTimeout, .read = kKeysTimeout, .write = kKeysTimeout});
  const Result<void> written = co_await stream.sink().write(as_bytes(body));
  if (!written) co_return Failure(written.error());
  const Result<void> finished = co_await stream.sink().finish();
  if (!finished) co_return Failure(finished.error());
  Result<net::ResponseHead> answer = co_await stream.read_head();
  if (!answer) co_return Failure(answer.error());
  if (answer->status != 200)
    co_return fail("exchange.keys-refused", "the partner's key service does not answer");
  Result<std::string> text = co_await read_whole(lane_.loop(), &stream, kKeysBytesMax);
  co_return std::move(text);
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
  const auto budget =
      requests_.try_emplace(link->partner, 2 * caps_.requests_per_s, caps_.requests_per_s).first;
  if (!budget->second.take(lane_.moment().tick)) {
    lane_.partner_over_budget();
    [[maybe_unused]] const Result<void> sent = stream.respond(refused_head(too_many(), 429), true);
    co_return;
  }
  const SessionId id{std::string(stream.request().headers.get(kSessionHeader))};
  // Live sessions only, and of this partner's people alone.
  const std::shared_ptr<const Pass> pass = lane_.pass(id);
  const bool theirs = pass && pass->side == Side::host && pass->partner == link->partner;
  if (!theirs || stream.request().headers.count(kSessionHeader) != 1) {
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
  Gateway::Attempt attempt;
  Result<net::CarrierStream> opened =
      co_await gateway_.open(pass, std::move(head), !stream.has_body(), attempt);
  if (!opened) {
    const std::optional<Ending> refused = read_refusal_header(opened.error().hint());
    const bool denied = opened.error().code() == "exchange.refused" && refused;
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
  const Attachment attached = lane_.attach(*pass, [&stream, &upstream] {
    stream.fence();
    upstream.fence();
  });
  stream.when_broken([&upstream] { upstream.reset(net::H2Code::cancel); });
  LinkAnswer answer(stream);
  net::ByteSource* body = stream.has_body() ? &stream.body() : nullptr;
  const Result<void> relayed = co_await relay_request(
      lane_, *pass, body, upstream, answer,
      [this, &pass, &attempt](const Error& why) { return gateway_.elsewhere(pass, attempt, why); });
  stream.when_broken(nullptr);
  if (!relayed && relayed.error().code() != "net.fenced") {
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
