#include "exchange/app_door.h"

#include "exchange/app_headers.h"
#include "exchange/lobby.h"
#include "exchange/relay_io.h"
#include "net/url.h"

#include <fmt/format.h>

namespace entente::exchange {
namespace {

// As the door itself (net/http_server.cpp): or cookies of other pages that fill a head nearly keep a browser
// out of each app that takes less than the door, for good.
// Only there: else any app's server could sign somebody out of all others by answering so to a picture.
bool has_many_cookies(const net::Headers& headers) {
  constexpr size_t kMany = 4 << 10;
  size_t bytes = 0;
  for (const net::Field& field : headers)
    if (net::equal_no_case(field.name, "Cookie")) bytes += field.value.size();
  return bytes > kMany;
}

constexpr Seconds kBindLife{300};

std::optional<uint64_t> take_length(net::Headers& headers) {
  const std::optional<uint64_t> length = net::content_length(headers);
  headers.remove("Content-Length");
  return length;
}

// What the browser is told: 429 as the partner's node said it, 503 for what is down, 403 for a refusal.
int status_of(const Ending& ending, int said) {
  if (said == 429) return 429;
  return ending.which == coalition::Refusal::app_down ? 503 : 403;
}

// An upgraded connection: all that is left of its request, which has ended.
struct Crossing {
  Crossing(Lane& lane, std::shared_ptr<const Pass> its_pass, std::unique_ptr<net::Tunnel> its_browser,
           net::CarrierStream its_upstream)
      : pass(std::move(its_pass)),
        browser(std::move(its_browser)),
        upstream(std::move(its_upstream)),
        patient_browser(browser->sink(), lane, *pass),
        patient_app(upstream.sink(), lane, *pass),
        attached(lane.attach(*pass, [this] {
          browser->abort();
          upstream.fence();
        })) {}
  Crossing(const Crossing&) = delete;
  Crossing& operator=(const Crossing&) = delete;

  std::shared_ptr<const Pass> pass;
  std::unique_ptr<net::Tunnel> browser;
  net::CarrierStream upstream;
  PatientSink patient_browser;
  PatientSink patient_app;
  Attachment attached;  // last, so gone first: it may abort the others until then
};

net::Task<void> cross(net::Loop* loop, std::unique_ptr<Crossing> crossing) {
  [[maybe_unused]] const net::RelayReport report =
      co_await net::relay(*loop, {crossing->browser->source(), crossing->patient_browser},
                          {crossing->upstream.body(), crossing->patient_app});
}

}  // namespace

class AppDoor::Answer final : public AnswerStart {
 public:
  // `by_node`: a partner's node answers, whose word a refusal is; an app of ours has no such word.
  Answer(net::HttpCall& call, bool by_node, bool many_cookies, std::optional<NodeRefusal>& refused)
      : call_(call), by_node_(by_node), many_cookies_(many_cookies), refused_(refused) {}
  net::Task<Result<net::ByteSink*>> start(net::ResponseHead head) override {
    const std::string* refusal = by_node_ ? head.headers.find(kRefusalHeader) : nullptr;
    if (refusal != nullptr) {
      refused_ = NodeRefusal{read_refusal_header(*refusal).value_or(
                                 app_down("The other nation's node refused without saying why.")),
                             head.status};
      co_return fail("exchange.refused", "the host refused this request");
    }
    clean_response(head.headers);
    if (head.status == 431 && many_cookies_) head.headers.add("Clear-Site-Data", "\"cookies\"");
    const std::optional<uint64_t> length = take_length(head.headers);
    head.version = net::HttpVersion::http1_1;
    CO_TRY_VOID(call_.start(std::move(head), length));
    co_return &call_.answer_body();
  }

 private:
  net::HttpCall& call_;
  bool by_node_;
  bool many_cookies_;
  std::optional<NodeRefusal>& refused_;
};

net::Task<void> AppDoor::bare(net::HttpCall& call, int status) {
  net::ResponseHead head;
  head.status = status;
  head.headers.add("Cache-Control", "no-store");
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), "");
}

net::Task<void> AppDoor::refuse(net::HttpCall& call, Refusal refusal, int status, bool clear) {
  net::ResponseHead head;
  head.status = status;
  add_page_headers(head.headers);
  if (clear) {
    head.headers.add("Set-Cookie", set_cookie(kAppCookie, "", std::nullopt));
    head.headers.set("Clear-Site-Data", "\"cache\", \"storage\"");
  }
  [[maybe_unused]] const Result<void> sent = co_await call.answer(
      std::move(head), refusal_page(parts_.frame(), refusal, names_.lobby_origin() + "/"));
}

Ending AppDoor::recorded(Ending ending, const Pass& pass) {
  if (!ending.verdict.empty()) return ending;
  const VerdictId id(crypto::random_token(12));
  const bool kept = parts_.lane.record_refusal({"refusal",
                                                {{"verdict", id.text()},
                                                 {"session", pass.id.text()},
                                                 {"side", side_name(pass.side)},
                                                 {"partner", pass.partner.text()},
                                                 {"app", coalition::target_text(pass.app)},
                                                 {"person", pass.who.id.text()},
                                                 {"which", coalition::refusal_name(ending.which)},
                                                 {"why", ending.what}}});
  if (kept) ending.verdict = id;
  return ending;
}

AppDoor::Way AppDoor::way_in(const net::HttpCall& call, const std::optional<coalition::AppRef>& app) {
  Way way;
  if (!app) return way;
  // The head belongs to the call; reading it changes nothing.
  const net::Headers& headers = const_cast<net::HttpCall&>(call).head().headers;
  const std::optional<std::string> token = cookie_of(headers, kAppCookie);
  if (!token) return way;
  std::optional<AppEntry> entry = parts_.browsers.apps.find(*token, parts_.clock.now());
  // A cookie is good for the one name it was set on, whatever a client makes of it.
  if (!entry || entry->app != *app) return way;
  way.known = true;
  way.session = std::move(entry->session);
  way.pass = parts_.lane.pass(way.session);
  return way;
}

net::Task<std::optional<Refusal>> AppDoor::ending(SessionId session) {
  std::move_only_function<std::optional<Refusal>(Switchboard&)> look = [this, session](Switchboard&) {
    return parts_.browsers.ending(session);
  };
  std::optional<Refusal> why = co_await parts_.lane.ask<std::optional<Refusal>>(std::move(look));
  co_return why;
}

net::Task<void> AppDoor::refuse_ended(net::HttpCall& call, SessionId session) {
  std::optional<Refusal> why = co_await ending(std::move(session));
  if (!why)
    why = refusal_of({.which = coalition::Refusal::lease_ended,
                      .what = "This session has ended.",
                      .change = "Open the app again from the lobby."});
  co_await refuse(call, std::move(*why), 403, true);
}

// No coroutine itself, as Door::handle.
net::Task<void> AppDoor::handle(net::HttpCall& call, net::NormalTarget target,
                                std::optional<coalition::AppRef> app) {
  const net::RequestHead& head = call.head();
  if (target.path == "/.entente/enter" && head.method == "GET")
    return enter(call, std::move(target.query), std::move(app));
  if (target.path.starts_with("/.entente/")) return bare(call, 404);
  if (net::equal_no_case(head.headers.get("Service-Worker"), "script")) return bare(call, 403);
  // An app that echoes a request would show the browser what only the app may read: its assertion.
  if (!is_relayed_method(head.method) || !is_relayed_upgrade(call.upgrade())) return bare(call, 405);
  Way way = way_in(call, app);
  if (!way.known) return to_lobby(call, std::move(target));
  if (!way.pass) return refuse_ended(call, std::move(way.session));
  // Most requests say none, and then there is nothing to compare.
  const std::string own_origin = head.headers.has("Origin") ? names_.app_origin(*app) : std::string();
  if (!origin_fits(head, own_origin, !call.upgrade().empty())) {
    parts_.lane.stranger_refused();
    return bare(call, 403);
  }
  return forward(call, std::move(target), std::move(way.pass));
}

// Whoever comes without a session is sent to the lobby in the same words for every name, also for those of no
// app.
net::Task<void> AppDoor::to_lobby(net::HttpCall& call, net::NormalTarget target) {
  const net::RequestHead& head = call.head();
  if (!is_own_navigation(head) || !call.upgrade().empty()) {
    co_await bare(call, 403);
    co_return;
  }
  std::string bind = cookie_of(head.headers, kBindCookie).value_or("");
  if (bind.size() < 40) bind = crypto::random_token(kTokenBytes);
  const std::string label = head.authority.substr(0, std::min(head.authority.find('.'), size_t{63}));
  net::ResponseHead answer = redirect_head(
      fmt::format("{}/enter?app={}&path={}&bind={}", names_.lobby_origin(), net::percent_encode(label),
                  net::percent_encode(target.text()), bind_digest(bind)));
  answer.headers.add("Set-Cookie", set_cookie(kBindCookie, bind, kBindLife));
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(answer), "");
}

net::Task<void> AppDoor::enter(net::HttpCall& call, std::string query, std::optional<coalition::AppRef> app) {
  const Result<net::Pairs> pairs = net::parse_form(query);
  const std::string code = pairs ? query_value(*pairs, "code") : "";
  const std::string path = pairs ? query_value(*pairs, "path") : "";
  const std::string bind = cookie_of(call.head().headers, kBindCookie).value_or("");
  // Taking uses the code up, also when the rest does not fit.
  std::move_only_function<std::optional<HandOff>(Switchboard&)> take = [this, code](Switchboard&) {
    return parts_.browsers.hand_offs.take(code, parts_.clock.now());
  };
  const std::optional<HandOff> hand_off = co_await parts_.lane.ask<std::optional<HandOff>>(std::move(take));
  const bool fits = hand_off && app && hand_off->app == *app && !bind.empty() &&
                    crypto::equal_constant_time(bind_digest(bind), hand_off->bind_digest) &&
                    net::normal_target(path);
  if (!fits) {
    parts_.lane.stranger_refused();
    net::ResponseHead head;
    head.status = 403;
    add_page_headers(head.headers);
    [[maybe_unused]] const Result<void> sent = co_await call.answer(
        std::move(head),
        plain_page(parts_.frame(), "This way in was used already",
                   "A way into an app works once, for half a minute, and only in the browser "
                   "that asked for it. Open the app again from the lobby.",
                   names_.lobby_origin() + "/"));
    co_return;
  }
  const std::string& token = hand_off->cookie;
  parts_.browsers.apps.put(crypto::sha256(token), {*app, hand_off->session},
                           parts_.clock.now() + kAppCookieLife);
  net::ResponseHead answer = redirect_head(names_.app_origin(*app) + path);
  answer.headers.add("Set-Cookie", set_cookie(kAppCookie, token, std::nullopt));
  answer.headers.add("Set-Cookie", set_cookie(kBindCookie, "", std::nullopt));
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(answer), "");
}

net::Task<std::shared_ptr<const Pass>> AppDoor::wait_in(net::HttpCall& call,
                                                        std::shared_ptr<const Pass> pass) {
  const SessionId session = pass->id;
  pass = co_await parts_.lane.entry(std::move(pass));
  if (pass) co_return pass;
  std::optional<Refusal> why = co_await ending(session);
  if (!why) why = refusal_of(app_down("The session is being asked about again."));
  co_await refuse(call, *std::move(why), 503, false);
  co_return nullptr;
}

namespace {

// What goes on to the app, or to its node.
net::RequestHead onward(net::HttpCall& call, const net::NormalTarget& target) {
  const bool upgrades = !call.upgrade().empty();
  // Only an upgrade looks at the request's own head again.
  net::RequestHead head = upgrades ? call.head() : std::move(call.head());
  head.path = target.text();
  head.target = head.path;
  head.scheme = "https";
  if (upgrades) {
    head.method = "CONNECT";
    head.protocol = call.upgrade();
  }
  return head;
}

}  // namespace

std::shared_ptr<const coalition::Verdict> AppDoor::decide(net::HttpCall& call,
                                                          const net::NormalTarget& target, const Pass& pass) {
  coalition::HttpFacts http;
  http.upgrade = !call.upgrade().empty();
  http.method = http.upgrade ? "GET" : call.head().method;
  http.path = target.path;
  return parts_.lane.decide_request(pass, std::move(http));
}

net::Task<void> AppDoor::refuse_denied(net::HttpCall& call,
                                       std::shared_ptr<const coalition::Verdict> verdict) {
  co_await refuse(call, refusal_of(ending_of(coalition::shown(*verdict))), 403, false);
}

net::Task<void> AppDoor::refuse_unopened(net::HttpCall& call, std::shared_ptr<const Pass> pass, Error error) {
  if (error.code() == "h2.head") {
    co_await bare(call, 431);
    co_return;
  }
  const std::optional<Ending> refused =
      error.code() == "exchange.refused" ? read_refusal_header(error.hint()) : std::nullopt;
  const Ending why = recorded(refused.value_or(app_down("The app cannot be reached now.")), *pass);
  co_await refuse(call, refusal_of(why), refused ? 403 : 503, false);
}

net::Task<void> AppDoor::refuse_unanswered(net::HttpCall& call, const Pass& pass,
                                           const net::CarrierStream& upstream, Error error,
                                           const std::optional<NodeRefusal>& refused) {
  if (refused) {
    const Ending why = recorded(refused->ending, pass);
    co_await refuse(call, refusal_of(why), status_of(why, refused->status), false);
  } else if (call.has_body() && error.code().starts_with("http.")) {
    co_await bare(call, net::http_status(error));
  } else {
    const Ending why =
        recorded(not_answered(upstream, false, app_down("The app did not answer as it should.")), pass);
    co_await refuse(call, refusal_of(why), 502, false);
  }
}

net::Task<Result<net::CarrierStream>> AppDoor::open(net::HttpCall& call, net::NormalTarget target,
                                                    std::shared_ptr<const Pass> pass, net::GateRef gate,
                                                    Gateway::Attempt& attempt,
                                                    std::shared_ptr<const coalition::Verdict> permit) {
  net::RequestHead head = onward(call, target);
  const bool end = call.upgrade().empty() && !call.has_body();
  if (pass->side == Side::local) {
    Result<net::CarrierStream> local = co_await parts_.gateway.open(std::move(pass), head, end, attempt);
    co_return std::move(local);
  }
  clean_request(head.headers);
  pass->gate->count_request();
  head.headers.add(std::string(kSessionHeader), pass->at_host.text());
  Result<net::CarrierStream> opened = co_await parts_.links.open(pass->partner, head, end, std::move(gate));
  // It waited for a free stream, and is given up unsent.
  if (opened && !parts_.lane.stands(*pass, *permit)) {
    opened->reset(net::H2Code::cancel);
    co_return fail("net.fenced", "what this request rests on changed before it left");
  }
  co_return std::move(opened);
}

// Each request that is under way holds this frame: the way out, and what goes wrong, are coroutines of their
// own.
net::Task<void> AppDoor::forward(net::HttpCall& call, net::NormalTarget target,
                                 std::shared_ptr<const Pass> pass) {
  if (!parts_.lane.is_current(*pass)) {
    pass = co_await wait_in(call, std::move(pass));
    if (!pass) co_return;
  }
  const auto gate = std::make_shared<SessionGate>(pass->gate, parts_.clock);
  const bool upgrades = !call.upgrade().empty();
  const bool many_cookies = has_many_cookies(call.head().headers);
  std::shared_ptr<const coalition::Verdict> permit;  // ours, where a partner's node has the app
  if (pass->side != Side::local) {
    permit = decide(call, target, *pass);
    if (!permit->permit) {
      co_await refuse_denied(call, std::move(permit));
      co_return;
    }
  }
  Gateway::Attempt attempt;
  Result<net::CarrierStream> opened =
      co_await open(call, std::move(target), pass, gate, attempt, std::move(permit));
  if (!opened) {
    co_await refuse_unopened(call, pass, std::move(opened.error()));
    co_return;
  }
  net::CarrierStream upstream = std::move(*opened);
  upstream.set_gate(gate);
  Elsewhere elsewhere;
  if (pass->side == Side::local) {
    elsewhere = [this, &pass, &attempt](const Error& why) {
      return parts_.gateway.elsewhere(pass, attempt, why);
    };
  }
  if (upgrades) {
    co_await upgrade(call, std::move(upstream), pass, std::move(elsewhere));
    co_return;
  }
  call.set_gate(gate);
  const Attachment attached = parts_.lane.attach(*pass, [&call, &upstream] {
    call.abort();
    upstream.fence();
  });
  call.when_gone([&upstream] { upstream.reset(net::H2Code::cancel); });
  std::optional<NodeRefusal> refused;
  Answer answer(call, pass->side == Side::home, many_cookies, refused);
  const Result<void> relayed = co_await relay_request(
      parts_.lane, *pass, call.has_body() ? &call.body() : nullptr, upstream, answer, std::move(elsewhere));
  call.when_gone(nullptr);
  call.set_gate(nullptr);
  if (relayed && pass->side == Side::local) parts_.gateway.answered(*pass, attempt);
  if (relayed || call.started()) co_return;
  co_await refuse_unanswered(call, *pass, upstream, relayed.error(), refused);
}

// WebSockets and other upgrades: an extended CONNECT behind, what the browser speaks in front, then bytes
// both ways until one side ends or the session does. That goes on after the request has ended, and holds
// nothing of it.
net::Task<void> AppDoor::upgrade(net::HttpCall& call, net::CarrierStream upstream,
                                 std::shared_ptr<const Pass> pass, Elsewhere elsewhere) {
  upstream.set_timeouts({.head = Millis(30'000), .read = net::kNoTimeout, .write = Millis(60'000)});
  const Attachment attached = parts_.lane.attach(*pass, [&call, &upstream] {
    call.abort();
    upstream.fence();
  });
  call.when_gone([&upstream] { upstream.reset(net::H2Code::cancel); });
  Result<net::ResponseHead> head = co_await upstream.read_head();
  if (!head && elsewhere) {
    // Notes only that the app is away there: the browser tries an upgrade again by itself.
    [[maybe_unused]] const Result<net::CarrierStream> other = co_await elsewhere(head.error());
  }
  call.when_gone(nullptr);
  if (!head || head->status != 200) {
    const bool by_node = head && pass->side == Side::home;
    const std::string* refusal = by_node ? head->headers.find(kRefusalHeader) : nullptr;
    const std::optional<Ending> refused = refusal == nullptr ? std::nullopt : read_refusal_header(*refusal);
    const Ending why = recorded(refused.value_or(app_down("The app did not take the connection.")), *pass);
    co_await refuse(call, refusal_of(why), status_of(why, head ? head->status : 503), false);
    co_return;
  }
  net::Headers agreed;
  for (const std::string_view name : {"Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"}) {
    if (head->headers.has(name)) agreed.add(std::string(name), std::string(head->headers.get(name)));
  }
  // Before the answer: it is the app's.
  call.set_gate(std::make_shared<SessionGate>(pass->gate, parts_.clock));
  Result<std::unique_ptr<net::Tunnel>> browser = co_await call.take_over(std::move(agreed));
  if (!browser) co_return;
  auto crossing = std::make_unique<Crossing>(parts_.lane, pass, *std::move(browser), std::move(upstream));
  net::Loop& loop = parts_.lane.loop();
  loop.spawn(cross(&loop, std::move(crossing)));
}

}  // namespace entente::exchange
