// The control stream of a link, both ways, and the partner's offers.
#include "base/log.h"
#include "exchange/links_internal.h"

namespace entente::exchange {
namespace {

// What a partner's control stream may cost: more is read later, and so pushes back on that partner alone.
constexpr uint32_t kControlPerSecond = 2'000, kControlBurst = 16'384;
constexpr Millis kControlPause{10};
constexpr size_t kBatchBytes = 256 * 1024;  // of control messages in one write
constexpr Millis kOffersEvery{5000};
constexpr size_t kOffersBytesMax = 1 << 20;

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

}  // namespace

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

net::Task<void> Links::ask_control(std::shared_ptr<Link> link) {
  net::RequestHead head = node_request("CONNECT", "/entente/control");
  head.protocol = std::string(kControlProtocol);
  Result<net::CarrierStream> opened = co_await link->carrier.open(head, false);
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
  const Result<void> responded = stream.respond(net::head_of(200), false);
  if (!responded) co_return;
  co_await talk(link, &stream);
}

// Both directions of the control stream, newline-delimited JSON, until either ends; then the whole link ends.
net::Task<void> Links::talk(std::shared_ptr<Link> link, net::CarrierStream* stream) {
  const std::shared_ptr<bool> alive = alive_;
  auto gone = std::make_shared<bool>(false);
  net::Event written(lane_.loop());
  // A handshake that was won by a newer connection meanwhile has no say any more.
  const auto current = links_.find({link->partner, link->way});
  if (link->over || current == links_.end() || current->second != link) co_return;
  link->controlled = true;
  link->up_since = lane_.moment().tick;
  complaints_[link->partner].over();
  log(LogLevel::info, "exchange", "a link is up",
      {{"partner", link->partner.text()}, {"way", way_name(link->way)}});
  lane_.tell([partner = link->partner, way = link->way, send = link->sender(lane_.loop())](
                 Switchboard& control) { control.link_up(partner, way, send); });
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
  co_await written.wait_set();
}

// What the partner offers us now: asked again and again, so that a missed word does no harm.
net::Task<void> Links::ask_offers(std::shared_ptr<Link> link) {
  const std::shared_ptr<bool> alive = alive_;
  while (*alive && !link->over) {
    net::RequestHead head = node_request("GET", kOffersPath);
    Result<net::CarrierStream> stream = co_await link->carrier.open(head, true);
    if (!stream) {
      co_await lane_.loop().sleep(kOffersEvery);
      continue;
    }
    stream->set_class(net::H2Class::control);
    Result<net::ResponseHead> answer = co_await stream->read_head();
    if (answer && answer->status == 200) {
      Result<std::string> said = co_await read_whole(lane_.loop(), &*stream, kOffersBytesMax);
      if (said && *alive && !link->over)
        lane_.tell([this, partner = link->partner, list = *std::move(said)](Switchboard&) mutable {
          offers_.theirs(partner, std::move(list));
        });
    }
    co_await lane_.loop().sleep(kOffersEvery);
  }
}

}  // namespace entente::exchange
