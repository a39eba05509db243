#include "exchange/lobby.h"

#include "base/log.h"
#include "coalition/decide.h"
#include "coalition/levels.h"
#include "exchange/app_headers.h"
#include "exchange/assets.h"
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

std::string query_value(const net::Pairs& pairs, std::string_view name) {
  const std::string* found = net::find_pair(pairs, name);
  return found == nullptr ? std::string() : *found;
}

net::ResponseHead redirect_head(std::string location) {
  net::ResponseHead head;
  head.status = 303;
  add_page_headers(head.headers);
  head.headers.set("Location", std::move(location));
  return head;
}

Lobby::Lobby(Parts parts, HostNames names, std::string provider_name, identity::OidcClient client,
             identity::Crosswalk crosswalk)
    : parts_(std::move(parts)),
      names_(std::move(names)),
      provider_name_(std::move(provider_name)),
      client_(std::move(client)),
      crosswalk_(std::move(crosswalk)),
      begun_(kBurstSeconds * parts_.sign_ins_per_s, parts_.sign_ins_per_s) {}

PageFrame page_frame(const coalition::World& world) {
  PageFrame frame;
  frame.node_code = world.self().text();
  const coalition::Partner* self = world.partner(world.self());
  frame.node_name = self == nullptr ? frame.node_code : self->name;
  return frame;
}

PageFrame Lobby::frame(const SignIn* sign_in) const {
  PageFrame frame = page_frame(parts_.world());
  if (sign_in != nullptr) {
    frame.person = sign_in->display;
    frame.form_token = sign_in->form_token;
    if (opens_console(*sign_in)) frame.console_href = names_.console_origin() + "/";
  }
  return frame;
}

Lobby::Signed Lobby::signed_in(const net::Headers& headers) {
  Signed out;
  const std::optional<std::string> token = cookie_of(headers, kLobbyCookie);
  if (!token) return out;
  out.sign_in = parts_.browsers.sign_ins.find(*token, parts_.clock.now());
  if (out.sign_in != nullptr) out.token = *token;
  return out;
}

net::Task<void> Lobby::page(net::HttpCall& call, int status, std::string html, Scripts scripts) {
  net::ResponseHead head;
  head.status = status;
  add_page_headers(head.headers, scripts);
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), std::move(html));
}

net::Task<void> Lobby::handle(net::HttpCall& call, net::NormalTarget target) {
  const std::string& method = call.head().method;
  const bool reads = method == "GET" || method == "HEAD";
  // These lead somewhere or open something: only a person's own navigation, never what a page embeds.
  const bool navigates = is_own_navigation(call.head());
  if (reads && target.path == "/") {
    co_await show_home(call);
  } else if (navigates && target.path == "/sign-in") {
    co_await begin_sign_in(call, "/");
  } else if (navigates && target.path == "/callback") {
    co_await finish_sign_in(call, target.query);
  } else if (navigates && target.path == "/enter") {
    co_await enter_app(call, target.query);
  } else if (method == "POST" && target.path == "/sign-out") {
    co_await sign_out(call);
  } else if (method == "POST" && target.path == "/backchannel-logout") {
    co_await provider_signed_out(call);
  } else if (reads && target.path == "/objects") {
    co_await show_objects(call);
  } else if (method == "POST" && target.path == "/objects/keys") {
    co_await object_keys(call);
  } else if (method == "POST" && target.path == "/objects/close") {
    co_await close_object(call);
  } else if ((target.path == "/events" ? method == "GET" : reads) &&
             (target.path == "/things" || target.path == "/events" ||
              target.path.starts_with("/requests/"))) {
    co_await access_pages(call, target.path, target.query);
  } else if (method == "POST") {
    co_await access_forms(call, target.path);
  } else {
    co_await page(call, 404,
                  plain_page(frame(nullptr), "There is nothing here", "This address leads nowhere.",
                             names_.lobby_origin() + "/"));
  }
}

coalition::Facts Lobby::context(const SignIn& sign_in) const {
  // No signal sources are connected yet: risk stands at its baseline for as long as the sign-in holds.
  const std::string source = "node:" + parts_.world().self().text();
  coalition::Facts facts;
  facts.emplace("risk", coalition::Fact{int64_t{0}, source, sign_in.end});
  facts.emplace("network", coalition::Fact{std::string("door"), source, sign_in.end});
  return facts;
}

bool Lobby::may_view(const SignIn& sign_in, const coalition::AppRef& app) const {
  coalition::Ask ask;
  ask.id = VerdictId(crypto::random_token(12));
  ask.action = coalition::Action::view;
  ask.who = sign_in.person;
  ask.target = app;
  ask.now = parts_.clock.now();
  ask.context = context(sign_in);
  const coalition::Verdict verdict = parts_.switchboard.rules().decide(ask);
  if (verdict.permit) return true;
  // Whoever may know of it still finds it while this node shuts its owner out, and learns why on opening it.
  return !verdict.hidden && !verdict.reasons.empty() &&
         std::ranges::all_of(verdict.reasons, [](const coalition::Reason& reason) {
           return reason.policy == "owner-suspended" || reason.policy == "owner-isolated";
         });
}

void Lobby::look_as_if(const SignIn& sign_in) {
  const coalition::World& world = parts_.world();
  if (!stand_in_ || stand_in_of_ != world.revision()) {
    const std::vector<const coalition::App*> apps = world.apps();
    stand_in_of_ = world.revision();
    stand_in_.reset();
    if (!apps.empty()) stand_in_ = apps.front()->ref;
  }
  [[maybe_unused]] const bool unused = stand_in_ && may_view(sign_in, *stand_in_);
}

net::Task<void> Lobby::show_home(net::HttpCall& call) {
  const Signed who = signed_in(call.head().headers);
  if (who.sign_in == nullptr) {
    co_await page(call, 200, welcome_page(frame(nullptr), provider_name_, "/sign-in"));
    co_return;
  }
  const SignIn& sign_in = *who.sign_in;
  const coalition::World& world = parts_.world();
  std::vector<AppCard> cards;
  for (const coalition::App* app : world.apps()) {
    if (!may_view(sign_in, app->ref)) continue;
    AppCard card;
    card.name_label = HostNames::app_label(app->ref);
    card.name = app->name;
    card.description = app->description;
    card.banner = app->banner;
    const coalition::Partner* owner = world.partner(app->ref.owner);
    card.nation =
        owner == nullptr ? app->ref.owner.text() : fmt::format("{} ({})", owner->name, owner->code.text());
    card.open_href = names_.app_origin(app->ref) + "/";
    const auto session = sign_in.sessions.find(app->ref);
    const bool ours = app->ref.owner == world.self();
    const bool reachable = ours || parts_.switchboard.core().link_fresh(app->ref.owner, Way::asking);
    card.ready = reachable;
    const bool shut = owner != nullptr && !owner->is_open();
    card.state = shut                                ? "shut; opening it says why"
                 : !reachable                        ? "not reachable now"
                 : session != sign_in.sessions.end() ? "open now"
                                                     : "ready";
    cards.push_back(std::move(card));
  }
  const std::vector<Refusal> ended(sign_in.ended.begin(), sign_in.ended.end());
  co_await page(call, 200, lobby_page(frame(&sign_in), cards, ended));
}

net::Task<Result<identity::OidcStep>> Lobby::walk(Result<identity::OidcStep> step) {
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
    step = client_.answered(std::move(wanted), std::move(answer), {parts_.clock.now(), parts_.clock.tick()});
  }
  co_return step;
}

bool Lobby::may_begin(const std::string& peer) {
  const Tick now = parts_.clock.tick();
  const std::string source = peer.substr(0, peer.rfind(':'));
  // Forgetting all is kinder to newcomers than refusing them; the budget of all sources still holds.
  if (begun_by_source_.size() >= kSourcesMax && !begun_by_source_.contains(source)) begun_by_source_.clear();
  const uint32_t each = parts_.sign_ins_per_source_per_s;
  Budget& own = begun_by_source_.try_emplace(source, kSourceBurstSeconds * each, each).first->second;
  return beginning_ < kBeginningMax && own.take(now) && begun_.take(now);
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
  Result<identity::OidcStep> begun =
      client_.begin(std::move(return_to), {parts_.clock.now(), parts_.clock.tick()});
  Result<identity::OidcStep> step = co_await walk(std::move(begun));
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
  Result<identity::OidcStep> step = co_await walk(std::move(begun));
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
  Refusal refusal{coalition::Refusal::credential_dead, "You could not be signed in", {}, error.code()};
  refusal.reasons.push_back(
      {coalition::Layer::structure, error.code(), "The sign-in could not be verified.",
       "Start again from the lobby; if it happens again, tell your own help desk the code below.",
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
  Leaf leaf{facts ? "sign-in" : "sign-in.refused", {{"person", id.text()}, {"issuer", who.issuer}}};
  if (!facts) {
    leaf.fields.emplace_back("why", facts.error().code());
    parts_.archive.append(std::move(leaf), false, [](const Result<void>&) {});
    log(LogLevel::warning, "exchange", "a person was refused at sign-in",
        {{"code", facts.error().code()}, {"why", facts.error().what()}});
    Refusal refusal{coalition::Refusal::credential_dead,
                    "Your sign-in does not say what is needed",
                    {},
                    facts.error().code()};
    refusal.reasons.push_back({coalition::Layer::structure, facts.error().code(),
                               "What your identity provider says of you cannot be used here.",
                               "Your own identity provider's help desk can put it right.", provider_name_});
    co_await page(call, 403, refusal_page(frame(nullptr), refusal, names_.lobby_origin() + "/"));
    co_return;
  }
  SignIn sign_in;
  sign_in.person.id = id;
  sign_in.person.partner = world.self();
  sign_in.person.facts = *facts;
  sign_in.end = now + kSignInMost;
  sign_in.end = std::min(sign_in.end, coalition::sign_in_end(*facts));
  sign_in.person.facts.insert_or_assign(
      "signed_in_at",
      coalition::Fact{now.time_since_epoch().count(), "node:" + world.self().text(), sign_in.end});
  sign_in.display = display_name(who.claims, who.subject);
  sign_in.form_token = crypto::random_token(16);
  const Seconds life = std::chrono::floor<Seconds>(sign_in.end - now);
  const Instant end = sign_in.end;
  const Arrival arrival(arriving_, sign_in.person.id);
  // A sign-in replaces what this browser had: neither an old cookie nor somebody else's open apps live on
  // beside it.
  if (const Signed old = signed_in(call.head().headers); old.sign_in != nullptr) {
    leave(*old.sign_in, {coalition::Refusal::credential_dead,
                         "You signed in again.",
                         "Open the app again from the lobby.",
                         {},
                         {},
                         "sign-in"});
    const std::string replaced = token_digest(old.token);
    leaf.fields.emplace_back("replaces", replaced);
    Leaf gone{"sign-out", {{"person", old.sign_in->person.id.text()}, {"token", replaced}}};
    const PersonId before = old.sign_in->person.id;
    parts_.browsers.sign_ins.erase(old.token);
    sign_ins_changed(before);
    // Durable before anybody is inside anew: else a restart would give this browser back to whom it was.
    const Result<void> durable = co_await recorded(std::move(gone));
    if (!durable) {
      co_await not_recorded(call);
      co_return;
    }
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

// Who signs out is out everywhere, also where they are just coming in.
void Lobby::forget(const PersonId& person) {
  parts_.access.forget(person);
  parts_.browsers.sign_ins.erase_if([&](const SignIn& one) { return one.person.id == person; });
  sign_ins_changed(person);
  for (Arrival* arrival : arriving_)
    if (arrival->person == person) arrival->left = true;
}

// Ends what was opened by this sign-in. The sessions' ends change the sign-in's own list meanwhile.
void Lobby::leave(const SignIn& sign_in, const Ending& why) {
  const std::map<coalition::AppRef, SessionId> open = sign_in.sessions;
  for (const auto& [app, session] : open) parts_.switchboard.close(session, why);
}

net::Task<void> Lobby::unknown_app(net::HttpCall& call, const SignIn& sign_in, std::string label) {
  co_await page(
      call, 404,
      plain_page(
          frame(&sign_in), "There is no such app for you",
          fmt::format("No app of the name {} is known to you. Check the address, or choose from your apps.",
                      label),
          names_.lobby_origin() + "/"));
}

// From an app's own name: /enter?app=cop-xaa&path=/x&bind=DIGEST. Comes back there with a code that only the
// browser holding the bind cookie can use, once.
net::Task<void> Lobby::enter_app(net::HttpCall& call, std::string query) {
  const Result<net::Pairs> pairs = net::parse_form(query);
  const std::string label = pairs ? query_value(*pairs, "app") : "";
  const std::string path = pairs ? query_value(*pairs, "path") : "";
  const std::string bind = pairs ? query_value(*pairs, "bind") : "";
  if (!pairs || label.size() > 63 || bind.size() != 43 || !net::normal_target(path)) {
    co_await page(call, 400,
                  plain_page(frame(nullptr), "This address is not whole", "Open the app from the lobby.",
                             names_.lobby_origin() + "/"));
    co_return;
  }
  Signed who = signed_in(call.head().headers);
  if (who.sign_in == nullptr) {
    co_await begin_sign_in(call, "/enter?" + query);
    co_return;
  }
  if (label == HostNames::kConsoleLabel && opens_console(*who.sign_in)) {
    co_await enter_console(call, who, path, bind);
    co_return;
  }
  const std::optional<coalition::AppRef> app = HostNames::read_app_label(label);
  if (!app || !may_view(*who.sign_in, *app)) {
    if (!app || parts_.world().app(*app) == nullptr) look_as_if(*who.sign_in);
    co_await unknown_app(call, *who.sign_in, label);
    co_return;
  }
  SessionId session;
  const std::string cookie = crypto::random_token(kTokenBytes);
  const auto open_now = who.sign_in->sessions.find(*app);
  if (open_now != who.sign_in->sessions.end() && parts_.switchboard.pass(open_now->second)) {
    session = open_now->second;
    if (entries_recorded_.take(parts_.clock.tick())) {
      Leaf entry{"app-entry", {{"session", session.text()}, {"app", coalition::target_text(*app)}}};
      entry.fields.emplace_back("cookie", token_digest(cookie));
      parts_.archive.append(std::move(entry), false, [](const Result<void>&) {});
    }
  } else {
    Opening opening;
    opening.app = *app;
    opening.who = who.sign_in->person;
    opening.context = context(*who.sign_in);
    opening.binding = bind;
    opening.sign_in = token_digest(who.token);
    opening.cookie = token_digest(cookie);
    Switchboard::OpenAnswer answer = co_await parts_.switchboard.open(std::move(opening));
    who = signed_in(call.head().headers);  // the table may have changed meanwhile
    if (Ending* ending = std::get_if<Ending>(&answer)) {
      if (ending->verdict.empty()) {
        // Refused without a decision of ours: still something a person can quote and `entente why` can find.
        ending->verdict = VerdictId(crypto::random_token(12));
        parts_.archive.append({"refusal",
                               {{"verdict", ending->verdict.text()},
                                {"app", coalition::target_text(*app)},
                                {"which", coalition::refusal_name(ending->which)},
                                {"why", ending->what}}},
                              false, [](const Result<void>&) {});
      }
      Refusal refusal = refusal_of(*ending);
      if (ending->terms) refusal.ask = AskForm{label, *ending->terms};
      const int status = ending->which == coalition::Refusal::app_down ? 503 : 403;
      // Of no more use: the lobby asks to sign in again. A partner's word ends no sign-in of ours.
      if (ending->which == coalition::Refusal::credential_dead && !ending->by_partner &&
          who.sign_in != nullptr) {
        const PersonId left = who.sign_in->person.id;
        leave(*who.sign_in, *ending);  // or the next person of this browser would be inside as this one
        who = signed_in(call.head().headers);
        Leaf over{"sign-out", {{"token", token_digest(who.token)}}};
        parts_.archive.append(std::move(over), true, [](const Result<void>&) {});
        parts_.browsers.sign_ins.erase(who.token);
        sign_ins_changed(left);
        who.sign_in = nullptr;
      }
      co_await page(call, status, refusal_page(frame(who.sign_in), refusal, names_.lobby_origin() + "/"));
      co_return;
    }
    session = std::get<Pass>(answer).id;
    if (who.sign_in == nullptr) {
      parts_.switchboard.close(
          session, {coalition::Refusal::credential_dead, "The sign-in ended.", {}, {}, {}, "sign-out"});
      co_await begin_sign_in(call, "/enter?" + query);
      co_return;
    }
    SessionId& kept = who.sign_in->sessions[*app];
    if (!kept.empty() && parts_.switchboard.pass(kept)) {
      // Opened twice at once. Only the one that stands here ends with the sign-in.
      parts_.switchboard.close(session,
                               {coalition::Refusal::lease_ended, "It was opened twice.", {}, {}, {}, {}});
      session = kept;
    } else {
      kept = session;
      parts_.browsers.session_opened(session, who.token);
      parts_.access.announcements().announce({.kind = "sessions", .person = who.sign_in->person.id});
    }
  }
  const std::string code = parts_.browsers.hand_offs.issue({bind, *app, session, cookie},
                                                           parts_.clock.now() + Browsers::kHandOffLife);
  net::ResponseHead head = redirect_head(fmt::format(
      "{}/.entente/enter?code={}&path={}", names_.app_origin(*app), code, net::percent_encode(path)));
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), "");
}

bool Lobby::opens_console(const SignIn& sign_in) const {
  return parts_.opens_console && parts_.opens_console(sign_in.person);
}

// As into an app: a code that only this browser can use, once.
net::Task<void> Lobby::enter_console(net::HttpCall& call, const Signed& who, std::string path,
                                     std::string bind) {
  ConsoleEntry entry;
  entry.bind_digest = std::move(bind);
  entry.sign_in = TokenTable<SignIn>::key_of(who.token);
  entry.person = who.sign_in->person.id;
  entry.token = crypto::random_token(kTokenBytes);
  const Instant end = parts_.clock.now() + Browsers::kHandOffLife;
  const std::string code = parts_.browsers.console_hand_offs.issue(std::move(entry), end);
  net::ResponseHead head = redirect_head(fmt::format(
      "{}/.entente/enter?code={}&path={}", names_.console_origin(), code, net::percent_encode(path)));
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), "");
}

bool Lobby::from_own_page(net::HttpCall& call) const {
  const net::Headers& headers = call.head().headers;
  return headers.get("Origin") == names_.lobby_origin() && headers.count("Origin") == 1;
}

net::Task<std::optional<Lobby::Posted>> Lobby::read_posted(net::HttpCall& call, size_t bytes_max) {
  const bool own_origin = from_own_page(call);
  Result<std::string> body = co_await call.read_all(bytes_max);
  Result<net::Pairs> form = body ? net::parse_form(*body) : Result<net::Pairs>(Failure(body.error()));
  const std::string token = form ? query_value(*form, "token") : "";
  const Signed again = signed_in(call.head().headers);
  if (again.sign_in != nullptr && own_origin && crypto::equal_constant_time(token, again.sign_in->form_token))
    co_return Posted{again, std::move(*form)};
  parts_.switchboard.stranger_refused();
  co_return std::nullopt;
}

net::Task<std::optional<Lobby::Posted>> Lobby::posted(net::HttpCall& call) {
  std::optional<Posted> form = co_await read_posted(call, kFormBytesMax);
  if (form) co_return form;
  co_await page(
      call, 403,
      plain_page(frame(nullptr), "This was not done",
                 "The request did not come from the lobby's own page. Go to the lobby and try again.",
                 names_.lobby_origin() + "/"));
  co_return std::nullopt;
}

net::Task<Result<void>> Lobby::recorded(Leaf leaf) {
  auto done = std::make_shared<net::Event>(parts_.switchboard.loop());
  auto answer =
      std::make_shared<Result<void>>(fail("exchange.not-recorded", "the disk has not taken it in time"));
  // What the disk refuses now is tried again for as long as the node runs.
  parts_.archive.append(leaf, true, [this, leaf, done, answer](Result<void> result) {
    if (!result) parts_.switchboard.keep(leaf);
    *answer = std::move(result);
    done->set();
  });
  [[maybe_unused]] const bool heard = co_await done->wait(kRecordMax);
  co_return *answer;
}

net::Task<void> Lobby::not_recorded(net::HttpCall& call) {
  co_await page(call, 503,
                plain_page(frame(nullptr), "Done, but not written down yet",
                           "It holds from now on, and the node could not write it down. If the node is "
                           "started again before its disk is mended, do it once more.",
                           names_.lobby_origin() + "/"));
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
      step = co_await walk(std::move(step));
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
    Leaf leaf{"sign-out", {{"person", person.text()}, {"by", left.issuer}}};
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
  Leaf leaf{"sign-out", {{"person", person.text()}}};
  const Result<void> durable = co_await recorded(std::move(leaf));
  if (!durable) {
    co_await not_recorded(call);
    co_return;
  }
  net::ResponseHead head = redirect_head(names_.lobby_origin() + "/");
  head.headers.add("Set-Cookie", set_cookie(kLobbyCookie, "", std::nullopt));
  head.headers.set("Clear-Site-Data", "\"cache\", \"storage\"");
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), "");
}

}  // namespace entente::exchange
