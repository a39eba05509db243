// What partners ask on a link, and what is asked of them: sessions' streams, offers, keys.
#include "exchange/app_headers.h"
#include "exchange/links_internal.h"
#include "exchange/relay_io.h"

namespace entente::exchange {
namespace {

constexpr std::string_view kKeysPath = "/entente/keys";

Millis left_until(const net::Loop& loop, Tick by) {
  return std::chrono::duration_cast<Millis>(by - loop.tick());
}

// Whatever the stream waits for by then, and however much of it came.
net::Timer breaks_off(net::Loop& loop, net::CarrierStream& stream, Tick by) {
  return loop.after(left_until(loop, by), [&stream] { stream.reset(net::H2Code::cancel); });
}

}  // namespace

net::Task<Result<std::string>> read_whole(net::Loop& loop, net::CarrierStream* stream, size_t bytes_max,
                                          Room<PartnerCode>::Place* place) {
  std::string text;
  while (true) {
    net::Buffer buffer = loop.lend();
    Result<size_t> got = co_await stream->body().read(buffer.span());
    if (!got) co_return Failure(got.error());
    if (*got == 0) co_return text;
    if (text.size() + *got > bytes_max)
      co_return fail("exchange.too-long", "a partner says more than is read");
    if (place != nullptr && !place->grow(*got))
      co_return fail("exchange.busy", "a partner says more at once than there is room for");
    text += as_text(buffer.span().first(*got));
  }
}

net::Task<void> Links::serve_stream(std::shared_ptr<Link> link, net::CarrierStream stream) {
  if (!link || link->over) co_return;
  const net::RequestHead& head = stream.request();
  if (head.protocol == kControlProtocol) {
    co_await serve_control(link, std::move(stream));
    co_return;
  }
  if (head.method == "GET" && head.path == kOffersPath && !head.headers.has(kSessionHeader)) {
    const Result<std::string> offers = link->offers_asked.take(lane_.moment().tick)
                                           ? offers_.ours(link->partner)
                                           : Result<std::string>(fail("exchange.busy", "asked too often"));
    const Result<void> responded = stream.respond(net::head_of(offers ? 200 : 403), !offers);
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

net::Task<void> Links::serve_keys(std::shared_ptr<Link> link, net::CarrierStream stream) {
  const Tick by = lane_.loop().tick() + kKeysTimeout;
  const net::Timer over = breaks_off(lane_.loop(), stream, by);
  const auto budget =
      key_requests_.try_emplace(link->partner, 2 * caps_.requests_per_s, caps_.requests_per_s).first;
  // What was read lies somewhere until it is answered: so does its place.
  std::optional<Room<PartnerCode>::Place> place;
  if (budget->second.take(lane_.moment().tick)) place = keys_served_.take(link->partner);
  Result<std::string> body = fail("exchange.busy", "a partner asks too often, or too much at once");
  if (place) body = co_await read_whole(lane_.loop(), &stream, kKeysBytesMax, &*place);
  if (!body && body.error().code() == "exchange.busy") {
    lane_.partner_over_budget();
    [[maybe_unused]] const Result<void> refused = stream.respond(net::head_of(429), true);
    co_return;
  }
  if (!body || !key_desk_) {
    stream.reset(net::H2Code::cancel);
    co_return;
  }
  std::move_only_function<net::Task<std::string>()> work = [desk = key_desk_, partner = link->partner,
                                                            text = *std::move(body)]() mutable {
    return desk(std::move(partner), std::move(text));
  };
  const std::optional<std::string> answer =
      co_await net::run_on<std::string>(lane_.control_loop(), left_until(lane_.loop(), by), std::move(work));
  const Result<void> responded = stream.respond(net::head_of(answer ? 200 : 503), !answer);
  if (!answer || !responded) co_return;
  const Result<void> written = co_await stream.sink().write(as_bytes(*answer));
  if (written) {
    [[maybe_unused]] const Result<void> finished = co_await stream.sink().finish();
  }
}

net::Task<Result<std::string>> Links::ask_keys(PartnerCode partner, std::string body, Tick by) {
  std::optional<Room<PartnerCode>::Place> place = keys_asked_.take(partner);
  if (!place || !place->grow(body.size()))
    co_return fail("exchange.busy",
                   "more is asked of the partner's key service at once than there is room for");
  net::RequestHead head = node_request("POST", kKeysPath);
  Result<net::CarrierStream> opened =
      co_await open(std::move(partner), head, false, nullptr, left_until(lane_.loop(), by));
  if (!opened) co_return Failure(opened.error());
  net::CarrierStream stream = std::move(*opened);
  const net::Timer over = breaks_off(lane_.loop(), stream, by);
  const Result<void> written = co_await stream.sink().write(as_bytes(body));
  if (!written) co_return Failure(written.error());
  const Result<void> finished = co_await stream.sink().finish();
  if (!finished) co_return Failure(finished.error());
  Result<net::ResponseHead> answer = co_await stream.read_head();
  if (!answer) co_return Failure(answer.error());
  if (answer->status != 200)
    co_return fail("exchange.keys-refused", "the partner's key service does not answer");
  Result<std::string> text = co_await read_whole(lane_.loop(), &stream, kKeysBytesMax, &*place);
  co_return std::move(text);
}

namespace {

net::ResponseHead refused_head(const Ending& ending, int status) {
  net::ResponseHead head = net::head_of(status);
  head.headers.add(std::string(kRefusalHeader), refusal_header(ending));
  return head;
}

Ending not_reached() {
  return app_down("The app cannot be reached at its owner's side now.");
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
    [[maybe_unused]] const Result<void> sent = stream.respond(
        refused_head(app_down("Your nation's node sends more requests than this one takes from one partner.",
                              "Try again in a moment."),
                     429),
        true);
    co_return;
  }
  const SessionId id{std::string(stream.request().headers.get(kSessionHeader))};
  // Live sessions only, and of this partner's people alone.
  const std::shared_ptr<const Pass> pass = lane_.pass(id);
  const bool theirs = pass && pass->side == Side::host && pass->partner == link->partner;
  if (!theirs || stream.request().headers.count(kSessionHeader) != 1) {
    const Ending ended{.which = coalition::Refusal::lease_ended,
                       .what = "This session is not known here any more.",
                       .change = "Open the app again."};
    [[maybe_unused]] const Result<void> sent = stream.respond(refused_head(ended, 403), true);
    co_return;
  }
  net::RequestHead head = stream.request();
  const bool upgrades = !head.protocol.empty();
  Gateway::Attempt attempt;
  Result<net::CarrierStream> opened = co_await gateway_.open(pass, head, !stream.has_body(), attempt);
  if (!opened) {
    const std::optional<Ending> refused = read_refusal_header(opened.error().hint());
    const bool denied = opened.error().code() == "exchange.refused" && refused;
    [[maybe_unused]] const Result<void> sent =
        stream.respond(refused_head(denied ? *refused : not_reached(), denied ? 403 : 503), true);
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
  if (relayed) gateway_.answered(*pass, attempt);
  if (!relayed && relayed.error().code() != "net.fenced") {
    // Before an answer began this is the app's fault, and said so; after, the broken stream says it.
    const Ending why = not_answered(upstream, stream.request().protocol == kBytesProtocol, not_reached());
    [[maybe_unused]] const Result<void> sent = stream.respond(refused_head(why, 503), true);
  }
}

}  // namespace entente::exchange
