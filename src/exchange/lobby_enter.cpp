// The way from the lobby into an app, and into the console.
#include "coalition/decide.h"
#include "exchange/app_headers.h"
#include "exchange/lobby.h"
#include "net/url.h"

#include <fmt/format.h>

namespace entente::exchange {

net::Task<void> Lobby::unknown_app(net::HttpCall& call, const SignIn& sign_in, std::string label) {
  co_await page(
      call, 404,
      plain_page(
          frame(&sign_in), "There is no such app for you",
          fmt::format("No app of the name {} is known to you. Check the address, or choose from your apps.",
                      label),
          names_.lobby_origin() + "/"));
}

// Comes back to where the browser was with a code that only it can use, once.
net::Task<void> Lobby::hand_off(net::HttpCall& call, std::string origin, std::string code, std::string path) {
  net::ResponseHead head = redirect_head(
      fmt::format("{}/.entente/enter?code={}&path={}", origin, code, net::percent_encode(path)));
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), "");
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
  if (!app || sight_of(*who.sign_in, *app) == Sight::nothing) {
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
      co_await show_not_opened(call, *app, std::move(*ending));
      co_return;
    }
    session = std::get<Pass>(answer).id;
    if (who.sign_in == nullptr) {
      parts_.switchboard.close(
          session, {coalition::Refusal::credential_dead, "The sign-in ended.", {}, {}, {}, "sign-out"});
      co_await begin_sign_in(call, "/enter?" + query);
      co_return;
    }
    session = only_one(who, *app, std::move(session));
  }
  std::string code = parts_.browsers.hand_offs.issue({bind, *app, session, cookie},
                                                     parts_.clock.now() + Browsers::kHandOffLife);
  std::string origin = names_.app_origin(*app);
  co_await hand_off(call, std::move(origin), std::move(code), path);
}

// The session that stands in the sign-in: of two that were opened at once, only that one ends with it.
SessionId Lobby::only_one(const Signed& who, const coalition::AppRef& app, SessionId opened) {
  SessionId& kept = who.sign_in->sessions[app];
  if (!kept.empty() && parts_.switchboard.pass(kept)) {
    parts_.switchboard.close(opened,
                             {coalition::Refusal::lease_ended, "It was opened twice.", {}, {}, {}, {}});
    return kept;
  }
  kept = opened;
  who.sign_in->forget_ended(HostNames::app_label(app));
  parts_.browsers.session_opened(opened, who.token);
  parts_.access.announcements().announce({.kind = std::string(kSessions), .person = who.sign_in->person.id});
  return opened;
}

net::Task<void> Lobby::show_not_opened(net::HttpCall& call, coalition::AppRef app, Ending ending) {
  if (ending.verdict.empty()) {
    // Refused without a decision of ours: still something a person can quote and `entente why` can find.
    ending.verdict = VerdictId(crypto::random_token(12));
    parts_.archive.append({"refusal",
                           {{"verdict", ending.verdict.text()},
                            {"app", coalition::target_text(app)},
                            {"which", coalition::refusal_name(ending.which)},
                            {"why", ending.what}}},
                          false, [](const Result<void>&) {});
  }
  Refusal refusal = refusal_of(ending);
  if (ending.terms) refusal.ask = AskForm{HostNames::app_label(app), *ending.terms};
  const int status = ending.which == coalition::Refusal::app_down ? 503 : 403;
  Signed who = signed_in(call.head().headers);
  if (who.sign_in != nullptr && ending.which == coalition::Refusal::denied) {
    refusal.asked = asked_before(*who.sign_in, app);
    if (refusal.asked && refusal.asked->waits) refusal.ask.reset();
  }
  // Of no more use: the lobby asks to sign in again. A partner's word ends no sign-in of ours; nor does one
  // nation's return, which needs a new one for its own apps alone.
  const bool for_one_nation =
      app.owner != parts_.world().self() && ending.policies.ends_with(":signed-in-before-resume");
  if (ending.which == coalition::Refusal::credential_dead && !ending.by_partner && !for_one_nation &&
      who.sign_in != nullptr) {
    const PersonId left = who.sign_in->person.id;
    leave(*who.sign_in, ending);  // or the next person of this browser would be inside as this one
    who = signed_in(call.head().headers);
    Leaf over{"sign-out", {{"token", token_digest(who.token)}}};
    parts_.archive.append(std::move(over), true, [](const Result<void>&) {});
    parts_.browsers.sign_ins.erase(who.token);
    sign_ins_changed(left);
    who.sign_in = nullptr;
  }
  co_await page(call, status, refusal_page(frame(who.sign_in), refusal, names_.lobby_origin() + "/"));
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
  std::string code = parts_.browsers.console_hand_offs.issue(std::move(entry), end);
  std::string origin = names_.console_origin();
  co_await hand_off(call, std::move(origin), std::move(code), std::move(path));
}

}  // namespace entente::exchange
