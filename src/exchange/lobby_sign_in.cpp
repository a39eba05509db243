// Coming in and going out: sign-in at the person's own provider, sign-out here, and there.
#include "base/log.h"
#include "coalition/levels.h"
#include "exchange/app_headers.h"
#include "exchange/lobby.h"
#include "identity/person.h"
#include "net/url.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::exchange {
namespace {

constexpr size_t kReturnBytesMax = 2 * 1024;

std::string display_name(const Json& claims, const std::string& subject) {
  for (const std::string_view key : {"name", "preferred_username"}) {
    const std::string_view text = claims.text_or(key, "");
    if (!text.empty() && text.size() <= 100) return std::string(text);
  }
  return subject;
}

// Where a sign-in may lead back to: a path of the lobby's own, never another place.
std::string safe_return(std::string_view wanted) {
  if (wanted.size() > kReturnBytesMax || !wanted.starts_with('/')) return "/";
  return net::normal_target(wanted) ? std::string(wanted) : "/";
}

}  // namespace

net::Task<Result<identity::OidcStep>> Lobby::walk(Result<identity::OidcStep> step, bool begins) {
  std::optional<std::string> silent;
  bool asked = false;
  // Each fetch leads to the next step; a provider that leads on for ever is cut short.
  for (int hops = 0; hops < 8 && step && std::holds_alternative<identity::Fetch>(*step); ++hops) {
    identity::Fetch wanted = std::get<identity::Fetch>(std::move(*step));
    net::FetchRequest request;
    request.method = wanted.http.method;
    request.url = wanted.http.url;
    request.body = wanted.http.body;
    request.body_max = wanted.http.answer_bytes_max;
    request.headers.add("Accept", "application/json");
    if (!request.body.empty()) request.headers.add("Content-Type", "application/x-www-form-urlencoded");
    Result<net::FetchResponse> fetched = co_await net::fetch(parts_.switchboard.loop(), std::move(request),
                                                             parts_.provider_tls, &parts_.resolver);
    Result<identity::HttpAnswer> answer =
        fetched
            ? Result<identity::HttpAnswer>(identity::HttpAnswer{fetched->status, std::move(fetched->body)})
            : Result<identity::HttpAnswer>(Failure(fetched.error()));
    asked = true;
    silent.reset();
    if (!fetched || fetched->status >= 500)
      silent = fetched ? fmt::format("it answered {}", fetched->status) : fetched.error().text();
    step = client_.answered(std::move(wanted), std::move(answer), {parts_.clock.now(), parts_.clock.tick()});
  }
  // Where a sign-in begins no person has a part in it yet: an answer that leads nowhere is the provider's
  // fault, or this node's settings'.
  if (silent) {
    provider_fault_ = fmt::format("it did not answer at {}: {}", rfc3339(parts_.clock.now()), *silent);
  } else if (asked && step) {
    provider_fault_.clear();
  } else if (asked && begins) {
    provider_fault_ =
        fmt::format("no sign-in could begin at {}: {}", rfc3339(parts_.clock.now()), step.error().text());
  }
  co_return step;
}

bool Lobby::may_begin(const std::string& peer) {
  const Tick now = parts_.clock.tick();
  const std::string source = peer.substr(0, peer.rfind(':'));
  return beginning_ < kBeginningMax && begun_by_source_.take(source, now) && begun_.take(now);
}

net::Task<void> Lobby::begin_sign_in(net::HttpCall& call, std::string return_to) {
  if (!may_begin(call.peer())) {
    parts_.switchboard.stranger_refused();
    co_await page(call, 429,
                  plain_page(frame(nullptr), "Too many sign-ins at once",
                             "More people sign in here now than can be let through. Try again in a minute.",
                             names_.lobby_origin() + "/"));
    co_return;
  }
  ++beginning_;
  if (return_to.size() > kReturnBytesMax) return_to = "/";
  Result<identity::OidcStep> begun =
      client_.begin(std::move(return_to), {parts_.clock.now(), parts_.clock.tick()});
  Result<identity::OidcStep> step = co_await walk(std::move(begun), true);
  --beginning_;
  if (!step || !std::holds_alternative<identity::Redirect>(*step)) {
    const std::string code = step ? "oidc.provider_down" : step.error().code();
    log(LogLevel::warning, "exchange", "a sign-in could not begin",
        {{"code", code}, {"why", step ? "" : step.error().what()}});
    co_await page(
        call, 503,
        plain_page(
            frame(nullptr), "Your identity provider does not answer",
            fmt::format("{} cannot be reached now, so nobody can sign in. Nothing is wrong with your rights. "
                        "Try again in a minute. [{}]",
                        provider_name_, code),
            names_.lobby_origin() + "/"));
    co_return;
  }
  const auto& redirect = std::get<identity::Redirect>(*step);
  net::ResponseHead head = redirect_head(redirect.url);
  head.headers.add("Set-Cookie", set_cookie(kLoginCookie, redirect.browser_token, identity::kSignInLife));
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), "");
}

net::Task<void> Lobby::finish_sign_in(net::HttpCall& call, std::string query) {
  const std::string browser = cookie_of(call.head().headers, kLoginCookie).value_or("");
  Result<identity::OidcStep> begun =
      client_.callback(query, browser, {parts_.clock.now(), parts_.clock.tick()});
  Result<identity::OidcStep> step = co_await walk(std::move(begun), false);
  if (step && std::holds_alternative<identity::SignedIn>(*step)) {
    co_await admit(call, std::get<identity::SignedIn>(std::move(*step)));
    co_return;
  }
  // Two pages that began side by side, and the other one is through: this browser is signed in.
  if (!step && signed_in(call.head().headers).sign_in != nullptr) co_return co_await go_to(call, "/");
  const Error error =
      step ? Error{"oidc.answer", "the provider's answer leads nowhere", {}, {}} : step.error();
  log(LogLevel::warning, "exchange", "a sign-in was refused",
      {{"code", error.code()}, {"why", error.what()}});
  parts_.switchboard.stranger_refused();
  Refusal refusal{coalition::Refusal::credential_dead, "You could not be signed in", {}, {}};
  refusal.reasons.push_back(
      {coalition::Layer::structure, error.code(), "The sign-in could not be verified.",
       fmt::format("Start again from the lobby; if it happens again, tell your own help desk: {}.",
                   error.code()),
       provider_name_});
  co_await page(call, 403, refusal_page(frame(nullptr), refusal, names_.lobby_origin() + "/"));
}

net::Task<void> Lobby::admit(net::HttpCall& call, identity::SignedIn who) {
  const coalition::World& world = parts_.world();
  const coalition::Partner* self = world.partner(world.self());
  const Instant now = parts_.clock.now();
  const int64_t ceiling = self == nullptr ? 0 : coalition::level_of(self->ceiling).value_or(0);
  Result<coalition::Facts> facts = crosswalk_.apply({who.issuer, who.claims, ceiling, now});
  if (facts && facts->empty())
    facts = fail("crosswalk.empty", "nothing of what the provider says is used here");
  const PersonId id = identity::person_id(world.self(), who.issuer, who.subject);
  if (!facts) co_return co_await unusable(call, id, who.issuer, facts.error());
  SignIn sign_in;
  sign_in.person.id = id;
  sign_in.person.partner = world.self();
  sign_in.person.facts = *facts;
  sign_in.end = now + kSignInMost;
  for (const auto& [name, fact] : *facts) sign_in.end = std::min(sign_in.end, fact.end);
  if (sign_in.end <= parts_.decisions.now()) co_return co_await clock_is_ahead(call, id, who.issuer);
  sign_in.person.facts.insert_or_assign(
      "signed_in_at",
      coalition::Fact{now.time_since_epoch().count(), "node:" + world.self().text(), sign_in.end});
  sign_in.display = display_name(who.claims, who.subject);
  sign_in.form_token = crypto::random_token(16);
  const Seconds life = std::chrono::floor<Seconds>(sign_in.end - now);
  const Instant end = sign_in.end;
  const Arrival arrival(arriving_, sign_in.person.id);
  Leaf leaf{"sign-in", {{"person", id.text()}, {"issuer", who.issuer}}};
  if (const Signed old = signed_in(call.head().headers); old.sign_in != nullptr) {
    leaf.fields.emplace_back("replaces", token_digest(old.token));
    const Result<void> durable = co_await replace(old);
    if (!durable) co_return co_await not_recorded(call);
  }
  const Acting newcomer = acting(sign_in);
  co_await parts_.access.arrived(newcomer);
  if (arrival.left) {  // meanwhile, by their provider or in another browser
    co_await page(call, 403,
                  plain_page(frame(nullptr), "You were signed out meanwhile", "Sign in again.",
                             names_.lobby_origin() + "/"));
    co_return;
  }
  const std::string token = crypto::random_token(kTokenBytes);
  leaf.fields.emplace_back("token", token_digest(token));
  leaf.fields.emplace_back("facts", coalition::facts_to_json(sign_in.person.facts));
  leaf.fields.emplace_back("end", rfc3339(end));
  parts_.archive.append(std::move(leaf), false, [](const Result<void>&) {});
  parts_.access.signed_in(acting(sign_in));
  const std::optional<SignIn> displaced =
      parts_.browsers.sign_ins.put(crypto::sha256(token), std::move(sign_in), end);
  if (displaced) {
    sign_ins_changed(displaced->person.id);
    leave(*displaced, {.which = coalition::Refusal::credential_dead,
                       .what = "More people signed in than this node can hold.",
                       .change = "Sign in again.",
                       .policies = "sign-ins-full"});
  }
  net::ResponseHead head = redirect_head(names_.lobby_origin() + safe_return(who.return_to));
  head.headers.add("Set-Cookie", set_cookie(kLobbyCookie, token, life));
  head.headers.add("Set-Cookie", set_cookie(kLoginCookie, "", std::nullopt));
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), "");
}

// A sign-in replaces what this browser had: neither an old cookie nor somebody else's open apps live on
// beside it. Durable before anybody is inside anew: else a restart would give this browser back to whom it
// was.
net::Task<Result<void>> Lobby::replace(Signed old) {
  leave(*old.sign_in, {coalition::Refusal::credential_dead,
                       "You signed in again.",
                       "Open the app again from the lobby.",
                       {},
                       {},
                       "sign-in"});
  const PersonId before = old.sign_in->person.id;
  Leaf gone{"sign-out", {{"person", before.text()}, {"token", token_digest(old.token)}}};
  parts_.browsers.sign_ins.erase(old.token);
  sign_ins_changed(before);
  const Result<void> durable = co_await recorded(std::move(gone));
  co_return durable;
}

void Lobby::note_refused(const PersonId& id, const std::string& issuer, std::string_view code) {
  Leaf leaf{"sign-in.refused", {{"person", id.text()}, {"issuer", issuer}, {"why", code}}};
  parts_.archive.append(std::move(leaf), false, [](const Result<void>&) {});
}

// What their provider says of them leads to nothing that is used here.
net::Task<void> Lobby::unusable(net::HttpCall& call, const PersonId& id, const std::string& issuer,
                                const Error& why) {
  note_refused(id, issuer, why.code());
  log(LogLevel::warning, "exchange", "a person was refused at sign-in",
      {{"code", why.code()}, {"why", why.what()}});
  Refusal refusal{coalition::Refusal::credential_dead, "Your sign-in does not say what is needed", {}, {}};
  refusal.reasons.push_back(
      {coalition::Layer::structure, why.code(),
       "What your identity provider says of you cannot be used here.",
       fmt::format("Your own identity provider's help desk can put it right. Tell them: {}.", why.code()),
       provider_name_});
  co_await page(call, 403, refusal_page(frame(nullptr), refusal, names_.lobby_origin() + "/"));
}

// What is said of them has ended by the time this node's decisions go by: as one of the signed-in they would
// open nothing and not know why.
net::Task<void> Lobby::clock_is_ahead(net::HttpCall& call, const PersonId& id, const std::string& issuer) {
  static constexpr const char* kCode = "exchange.clock-behind";
  note_refused(id, issuer, kCode);
  log(LogLevel::warning, "exchange", "a person was refused at sign-in",
      {{"code", kCode}, {"ahead_s", int64_t{parts_.switchboard.ahead().count() / 1'000}}});
  co_await page(
      call, 503,
      plain_page(frame(nullptr), "This node's clock is being put right",
                 fmt::format("It ran ahead, and nobody can sign in until an operator of this node has "
                             "said that it is right now. Nothing is wrong with your rights. Try again "
                             "in a while; your own help desk can tell the operators. [{}]",
                             kCode),
                 names_.lobby_origin() + "/"));
}

// Who signs out is out everywhere, also where they are just coming in.
void Lobby::forget(const PersonId& person) {
  parts_.access.forget(person);
  parts_.browsers.sign_ins.erase_if([&](const SignIn& one) { return one.person.id == person; });
  sign_ins_changed(person);
  if (parts_.objects != nullptr) parts_.objects->signed_out(person);
  for (Arrival* arrival : arriving_)
    if (arrival->person == person) arrival->left = true;
}

void Lobby::sign_out_all() {
  std::set<PersonId> people;
  parts_.browsers.sign_ins.each([&](const SignIn& one) { people.insert(one.person.id); });
  parts_.browsers.sign_ins.erase_if([](const SignIn&) { return true; });
  for (const PersonId& person : people) sign_ins_changed(person);
  for (Arrival* arrival : arriving_) arrival->left = true;
}

// Ends what was opened by this sign-in. The sessions' ends change the sign-in's own list meanwhile.
void Lobby::leave(const SignIn& sign_in, const Ending& why) {
  const std::map<coalition::AppRef, SessionId> open = sign_in.sessions;
  for (const auto& [app, session] : open) parts_.switchboard.close(session, why);
}

// From the provider, not from a browser: only its signature counts. All that the person has open ends.
net::Task<void> Lobby::provider_signed_out(net::HttpCall& call) {
  net::ResponseHead head;
  head.headers.set("Cache-Control", "no-store");
  head.status = 400;
  Result<std::string> body = co_await call.read_all(kFormBytesMax);
  const Result<net::Pairs> form = body ? net::parse_form(*body) : Result<net::Pairs>(Failure(body.error()));
  std::string token = form ? query_value(*form, "logout_token") : "";
  // Whoever begins sign-ins in crowds must not keep a provider's word from being heard: with the keys at hand
  // it costs nothing of what they may use up.
  const Tick tick = parts_.clock.tick();
  Result<identity::OidcStep> step = client_.logged_out(std::move(token), {parts_.clock.now(), tick});
  if (step && std::holds_alternative<identity::Fetch>(*step)) {
    if (logout_fetches_.take(tick)) {
      step = co_await walk(std::move(step), false);
    } else {
      step = fail("oidc.token", "too many logout tokens of unknown keys");
    }
  }
  if (step && std::holds_alternative<identity::LoggedOut>(*step)) {
    const auto& left = std::get<identity::LoggedOut>(*step);
    const PersonId person = identity::person_id(parts_.world().self(), left.issuer, left.subject);
    forget(person);
    parts_.switchboard.sign_out(person, {coalition::Refusal::credential_dead,
                                         "Your identity provider signed you out.",
                                         "Sign in again.",
                                         {},
                                         {},
                                         "sign-out"});
    Leaf leaf{"sign-out",
              {{"person", person.text()}, {"by", left.issuer}, {"at", rfc3339(parts_.decisions.now())}}};
    const Result<void> durable = co_await recorded(std::move(leaf));
    if (durable) {
      head.status = 200;
    } else {
      client_.forget_logout(left.jti);  // it is for the provider to say again
    }
  } else {
    log(LogLevel::warning, "exchange", "a logout token was refused",
        {{"code", step ? "oidc.token" : step.error().code()}, {"why", step ? "" : step.error().what()}});
    parts_.switchboard.stranger_refused();
  }
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), "");
}

net::Task<void> Lobby::sign_out(net::HttpCall& call) {
  const std::optional<Posted> form = co_await posted(call);
  if (!form) co_return;
  const Signed& again = form->who;
  const PersonId person = again.sign_in->person.id;
  forget(person);
  parts_.switchboard.sign_out(
      person, {coalition::Refusal::credential_dead, "You signed out.", "Sign in again.", {}, {}, "sign-out"});
  Leaf leaf{"sign-out", {{"person", person.text()}, {"at", rfc3339(parts_.decisions.now())}}};
  const Result<void> durable = co_await recorded(std::move(leaf));
  if (!durable) {
    co_await not_recorded(call);
    co_return;
  }
  net::ResponseHead head = redirect_head(names_.lobby_origin() + "/signed-out");
  head.headers.add("Set-Cookie", set_cookie(kLobbyCookie, "", std::nullopt));
  head.headers.set("Clear-Site-Data", "\"cache\", \"storage\"");
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), "");
}

net::Task<void> Lobby::show_signed_out(net::HttpCall& call) {
  const bool is_in = signed_in(call.head().headers).sign_in != nullptr;
  if (is_in) {
    [[maybe_unused]] const Result<void> sent =
        co_await call.answer(redirect_head(names_.lobby_origin() + "/"), "");
    co_return;
  }
  co_await page(call, 200, signed_out_page(frame(nullptr), provider_name_, "/sign-in"));
}

}  // namespace entente::exchange
