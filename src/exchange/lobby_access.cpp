// The lobby's pages and forms about requests, grants and sessions, and the events that waiting pages listen
// to.
#include "coalition/decide.h"
#include "coalition/levels.h"
#include "crypto/digest.h"
#include "exchange/lobby.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace entente::exchange {

using coalition::AccessRequest;
using coalition::AppRef;
using coalition::RequestState;

namespace {

constexpr Millis kStillHere{15'000};
constexpr Millis kBeat{2'000};  // to a page that must not go on where it is not heard of any more
constexpr const char* kNowhere = "This address leads nowhere.";
constexpr std::string_view kPage = "page=";  // of such a page: the digest of its form token

std::string nation_text(const coalition::World& world, const PartnerCode& code) {
  const coalition::Partner* nation = world.partner(code);
  return nation == nullptr ? code.text() : fmt::format("{} ({})", nation->name, code.text());
}

std::string app_text(const coalition::World& world, const AppRef& ref) {
  const coalition::App* app = world.app(ref);
  return app == nullptr ? ref.app.text() : app->name;
}

// "/requests/ID/approve" in its id and what is to be done; nothing for other paths.
struct Place {
  std::string id;
  std::string verb;
};
std::optional<Place> read_place(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return std::nullopt;
  path.remove_prefix(prefix.size());
  const size_t slash = std::min(path.find('/'), path.size());
  Place place{std::string(path.substr(0, slash)), std::string(path.substr(std::min(slash + 1, path.size())))};
  if (place.id.empty() || place.id.size() > 64) return std::nullopt;
  return place;
}

int64_t number_of(const std::string& text) {
  int64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() ? value : 0;
}

// An error's words as a person reads them: a capital, and a stop.
std::string sentence(std::string_view text, bool capital = true) {
  std::string out(text);
  if (capital && !out.empty() && out.front() >= 'a' && out.front() <= 'z')
    out.front() = static_cast<char>(out.front() - 'a' + 'A');
  if (!out.empty() && std::string_view(".!?").find(out.back()) == std::string_view::npos) out += '.';
  return out;
}

}  // namespace

RequestView Lobby::view_of(const AccessRequest& request) const {
  const coalition::World& world = parts_.world();
  const AppRef app{request.owner, request.app};
  RequestView view;
  view.id = request.id.text();
  view.app = app_text(world, app);
  view.nation = nation_text(world, request.owner);
  view.purpose = request.purpose;
  view.scope = coalition::scope_text(request.scope);
  const Instant now = parts_.decisions.now();
  const bool granted = request.state == RequestState::granted;
  view.state = parts_.access.out_of_time(request)          ? "over"
               : granted && !(request.granted_until > now) ? "ended"
                                                           : coalition::state_name(request.state);
  view.asked = time_text(request.asked);
  view.until = time_text(request.granted_until.value_or(request.end));
  view.answer = request.answer;
  view.minutes = request.minutes;
  view.approvals = std::ssize(request.approvals);
  view.approvals_needed = request.approvals_needed;
  const std::string href = world.app(app) == nullptr ? "" : names_.app_origin(app) + "/";
  if (view.state == "granted") view.open_href = href;
  if (view.state != "granted" && view.state != "open" && view.state != "withdrawn") view.again_href = href;
  return view;
}

std::optional<AskedBefore> Lobby::asked_before(const SignIn& sign_in, const AppRef& app) const {
  for (const AccessRequest& request : parts_.access.asked_by(sign_in.person.id)) {
    if (request.owner != app.owner || request.app != app.app) continue;
    const RequestView view = view_of(request);
    if (view.state == "withdrawn") return std::nullopt;
    AskedBefore before{view.id, fmt::format("{}: {}", view.asked, state_text(view)), view.state == "open"};
    if (!view.answer.empty()) before.words += " The answer: " + view.answer;
    return before;
  }
  return std::nullopt;
}

std::map<PersonId, std::string> Lobby::names_here(const std::set<PersonId>& people) const {
  std::map<PersonId, std::string> out;
  parts_.browsers.sign_ins.each([&](const SignIn& one) {
    if (one.end > parts_.decisions.now() && people.contains(one.person.id))
      out.emplace(one.person.id, fmt::format("{} ({})", one.display, one.person.id.text()));
  });
  return out;
}

std::vector<SessionView> Lobby::sessions_of(const Acting& person, bool others) const {
  const coalition::World& world = parts_.world();
  std::vector<SessionView> out;
  std::map<AppId, bool> answers;
  for (const Session* session : parts_.switchboard.core().sessions()) {
    const bool own = session->side != Side::host && session->who.id == person.who.id;
    if (own == others || session->stage != Stage::live) continue;
    if (others) {
      if (session->app.owner != world.self()) continue;
      auto at = answers.find(session->app.app);
      if (at == answers.end())
        at = answers.emplace(session->app.app, parts_.access.may_answer(person, session->app.app)).first;
      if (!at->second) continue;
    }
    out.push_back({session->id.text(), HostNames::app_label(session->app), app_text(world, session->app),
                   nation_text(world, session->app.owner),
                   others ? person_text(world, session->who.partner, session->who.facts) : "",
                   time_text(session->opened), session->open() ? "open" : "held: asked again"});
  }
  return out;
}

net::Task<void> Lobby::access_pages(net::HttpCall& call, const std::string& path, std::string query) {
  const Signed who = signed_in(call.head().headers);
  if (who.sign_in == nullptr) {
    if (path == "/events") {
      co_await page(call, 403, "");
    } else {
      co_await page(call, 200, welcome_page(frame(nullptr), provider_name_, "/sign-in"));
    }
    co_return;
  }
  if (path == "/things") {
    Acting person = acting(*who.sign_in);
    co_await show_things(call, std::move(person), std::nullopt, 200);
    co_return;
  }
  if (path == "/events") co_return co_await send_events(call, who, std::move(query));
  const std::optional<Place> place = read_place(path, "/requests/");
  RequestId id;
  if (place && place->verb.empty()) id = RequestId(place->id);
  co_await show_request(call, *who.sign_in, id);
}

net::Task<void> Lobby::show_things(net::HttpCall& call, Acting person, std::optional<NotDone> not_done,
                                   int status) {
  const AccessDesk::ToAnswer to_answer = co_await parts_.access.to_answer(person);
  const Signed who = signed_in(call.head().headers);  // they may have left meanwhile
  if (who.sign_in == nullptr || who.sign_in->person.id != person.who.id) {
    co_await page(call, 200, welcome_page(frame(nullptr), provider_name_, "/sign-in"));
    co_return;
  }
  const SignIn& sign_in = *who.sign_in;
  const coalition::World& world = parts_.world();
  ThingsView things;
  things.not_done = std::move(not_done);
  things.own_id = sign_in.person.id.text();
  for (const AccessRequest& request : parts_.access.asked_by(sign_in.person.id))
    things.requests.push_back(view_of(request));
  things.more_to_answer = to_answer.more;
  for (const AccessRequest& request : to_answer.requests) {
    const AccessDesk::Preview preview = parts_.access.preview(request);
    AnswerView item{.request = view_of(request),
                    .who = person_text(world, request.partner, request.facts),
                    .opens = {},
                    .seen = mark_of(world, request),
                    .can_open = preview.opens};
    item.opens = preview.opens
                     ? fmt::format("Approving opens {} to this person until {}: {}.", item.request.app,
                                   time_text(preview.until), coalition::scope_text(request.scope))
                     : "A grant would open nothing: " + preview.why_not;
    if (preview.opens && preview.terms.approvals > 1)
      item.opens += fmt::format(" It takes {} people to approve it.", preview.terms.approvals);
    things.to_answer.push_back(std::move(item));
  }
  const AccessDesk::GrantsFor grants = parts_.access.grants_for(person);
  things.more_grants = grants.more;
  for (const coalition::Grant& grant : grants.grants) {
    const bool own = grant.person == sign_in.person.id;
    things.grants.push_back({grant.id.text(), app_text(world, {world.self(), grant.app}),
                             own ? "to you" : "to a person of " + nation_text(world, grant.partner),
                             grant.purpose, coalition::scope_text(grant.scope), time_text(grant.end),
                             fmt::format("{} of {}", grant.used, grant.count)});
  }
  std::vector<const coalition::Delegation*> lent;
  std::set<PersonId> others;
  for (const coalition::Delegation* one : world.delegations()) {
    if (one->end <= parts_.decisions.now() || (one->from != person.who.id && one->to != person.who.id))
      continue;
    lent.push_back(one);
    others.insert(one->from == person.who.id ? one->to : one->from);
  }
  const std::map<PersonId, std::string> names =
      others.empty() ? std::map<PersonId, std::string>() : names_here(others);
  const auto name_of = [&](const PersonId& id) {
    const auto found = names.find(id);
    return found == names.end() ? id.text() : found->second;
  };
  for (const coalition::Delegation* one : lent) {
    const Instant now = parts_.decisions.now();
    const bool rests = world.operator_by_person(one->from) == nullptr &&
                       coalition::lender_known_until(*one, now).value_or(now) <= now;
    things.delegations.push_back({one->id.text(), app_text(world, {world.self(), one->app}),
                                  one->from == person.who.id
                                      ? fmt::format("you let {} answer", name_of(one->to))
                                      : fmt::format("you answer for {}{}", name_of(one->from),
                                                    rests ? ", once they have signed in again" : ""),
                                  time_text(one->end)});
  }
  things.sessions = sessions_of(person, false);
  things.users = sessions_of(person, true);
  for (const coalition::App* app : world.apps()) {
    if (app->ref.owner == world.self() && parts_.access.may_answer(person, app->ref.app))
      things.own.push_back(
          {HostNames::app_label(app->ref), app->name, parts_.access.may_lend(person, app->ref.app)});
  }
  co_await page(call, status, things_page(frame(&sign_in), things), Scripts::own);
}

net::Task<void> Lobby::show_request(net::HttpCall& call, const SignIn& sign_in, const RequestId& id) {
  for (const AccessRequest& request : parts_.access.asked_by(sign_in.person.id)) {
    if (request.id != id) continue;
    std::string html = request_page(frame(&sign_in), view_of(request));
    co_await page(call, 200, std::move(html), Scripts::own);
    co_return;
  }
  const Error why{"access.unknown", "There is no such request of yours.", {}, {}};
  co_await not_done(call, &sign_in, why);
}

namespace {

int status_of(const Error& why) {
  return why.code() == "access.unknown" ? 404 : why.code() == "access.refused" ? 403 : 409;
}

std::string words_of(const Error& why) {
  std::string text = sentence(why.what());
  if (!why.hint().empty()) text += " What would help: " + sentence(why.hint(), false);
  return fmt::format("{} [{}]", text, why.code());
}

}  // namespace

net::Task<void> Lobby::not_done(net::HttpCall& call, const SignIn* sign_in, const Error& why) {
  // One's own request that stands in the way is one press from here.
  const bool waits = why.code() == "access.waits" && !why.where().empty();
  const std::string next = waits ? "/requests/" + std::string(why.where()) : "/things";
  std::string html = plain_page(frame(sign_in), "This was not done", words_of(why),
                                names_.lobby_origin() + next, waits ? "See that request" : "Go to My things");
  co_await page(call, status_of(why), std::move(html));
}

// The form again as it was filled in, with what was wrong: nobody writes it twice. How long it may be and who
// approves is as its page said: the owner has the last word.
net::Task<void> Lobby::ask_again(net::HttpCall& call, const SignIn& sign_in, const net::Pairs& fields,
                                 const Error& why) {
  constexpr int64_t kMost = coalition::kGrantLifeMax / std::chrono::minutes(1);
  AskForm form{.app_label = query_value(fields, "app"), .terms = {}};
  form.terms.minutes = std::clamp<int64_t>(number_of(query_value(fields, "most")), 1, kMost);
  form.terms.approvals =
      std::clamp<int64_t>(number_of(query_value(fields, "approvals")), 1, coalition::kApprovalsMax);
  form.purpose = query_value(fields, "purpose");
  form.minutes = number_of(query_value(fields, "minutes"));
  form.read_only = query_value(fields, "read_only") == "yes";
  Refusal refusal;
  refusal.title = "This was not done";
  refusal.reasons.push_back({coalition::Layer::structure, std::string(why.code()), words_of(why), {}, {}});
  refusal.ask = std::move(form);
  std::string html = refusal_page(frame(&sign_in), refusal, names_.lobby_origin() + "/");
  co_await page(call, status_of(why), std::move(html));
}

net::Task<void> Lobby::go_to(net::HttpCall& call, std::string path) {
  [[maybe_unused]] const Result<void> sent =
      co_await call.answer(redirect_head(names_.lobby_origin() + std::move(path)), "");
}

net::Task<Result<void>> Lobby::end_session(Acting by, SessionId id) {
  const Session* session = parts_.switchboard.core().session(id);
  const PartnerCode& self = parts_.world().self();
  const bool own = session != nullptr && session->side != Side::host && session->who.id == by.who.id;
  const bool answers =
      session != nullptr && session->app.owner == self && parts_.access.may_answer(by, session->app.app);
  if (!own && !answers) co_return fail("access.unknown", "There is no such session.");
  Ending why;
  why.what = own ? "You ended it." : "The app's owner ended the session.";
  why.change = own ? "Open it again from the lobby." : "Ask the owner.";
  if (!own) why.who = nation_text(parts_.world(), self);
  why.policies = "ended-in-lobby:" + by.who.id.text();
  parts_.switchboard.close(id, std::move(why));
  // After the ending's own leaf: with this one that is durable, too.
  Leaf leaf{"session.cut", {{"session", id.text()}, {"who", by.who.id.text()}}};
  const Result<void> durable = co_await recorded(std::move(leaf));
  co_return durable;
}

net::Task<Result<std::string>> Lobby::ask_for_access(const Posted& form) {
  const auto value = [&](std::string_view name) { return query_value(form.fields, name); };
  const std::optional<AppRef> app = HostNames::read_app_label(value("app"));
  if (!app) co_return fail("access.unknown", kNowhere);
  if (parts_.world().app(*app) == nullptr) look_as_if(*form.who.sign_in);
  AccessDesk::Wish wish{*app, value("purpose"), number_of(value("minutes")), {}};
  wish.scope.read_only = value("read_only") == "yes";
  Acting person = acting(*form.who.sign_in);
  const Result<RequestId> asked = co_await parts_.access.ask(std::move(person), std::move(wish));
  if (!asked) co_return Failure(asked.error());
  co_return "/requests/" + asked->text();
}

net::Task<Result<void>> Lobby::lend(const Posted& form) {
  const auto value = [&](std::string_view name) { return query_value(form.fields, name); };
  const std::optional<AppRef> app = HostNames::read_app_label(value("app"));
  if (!app || app->owner != parts_.world().self()) co_return fail("access.unknown", kNowhere);
  Acting person = acting(*form.who.sign_in);
  const PersonId to(value("to"));
  // A slip of the keyboard would let nobody answer, and nobody would know.
  if (parts_.access.may_lend(person, app->app) && !is_in(to))
    co_return fail("access.value", "nobody with this id is signed in here now", "to",
                   "let them sign in, and copy the id from the end of their page My things");
  const Result<RequestId> made =
      co_await parts_.access.delegate(std::move(person), app->app, to, number_of(value("minutes")));
  co_return made ? Result<void>() : Result<void>(Failure(made.error()));
}

net::Task<Result<void>> Lobby::answer_request(RequestId id, std::string verb, const Posted& form) {
  Acting person = acting(*form.who.sign_in);
  AccessDesk::Said said{query_value(form.fields, "seen"), query_value(form.fields, "words")};
  if (verb == "withdraw") {
    const Result<void> withdrawn = co_await parts_.access.withdraw(std::move(person), std::move(id));
    co_return withdrawn;
  }
  Result<AccessRequest> made = fail("access.unknown", kNowhere);
  if (verb == "approve") {
    made = co_await parts_.access.approve(std::move(person), std::move(id), std::move(said));
  } else if (verb == "deny") {
    made = co_await parts_.access.deny(std::move(person), std::move(id), std::move(said));
  }
  co_return made ? Result<void>() : Result<void>(Failure(made.error()));
}

net::Task<Result<std::string>> Lobby::take_form(const std::string& path, const Posted& form) {
  const std::string words = query_value(form.fields, "words");
  if (words.size() > coalition::kPurposeBytesMax || !is_line(words))
    co_return fail("access.value", "A word to somebody is one line of at most 500 bytes.");
  if (path == "/requests") {
    Result<std::string> next = co_await ask_for_access(form);
    co_return next;
  }
  const Acting person = acting(*form.who.sign_in);
  const std::optional<Place> grant = read_place(path, "/grants/");
  const std::optional<Place> delegation = read_place(path, "/delegations/");
  const std::optional<Place> session = read_place(path, "/sessions/");
  Result<void> done = fail("access.unknown", kNowhere);
  if (path == "/delegations") {
    done = co_await lend(form);
  } else if (const std::optional<Place> request = read_place(path, "/requests/")) {
    done = co_await answer_request(RequestId(request->id), request->verb, form);
  } else if (grant && grant->verb == "revoke") {
    done = co_await parts_.access.revoke(person, RequestId(grant->id), words);
  } else if (delegation && delegation->verb == "end") {
    done = co_await parts_.access.end_delegation(person, RequestId(delegation->id));
  } else if (session && session->verb == "end") {
    done = co_await end_session(person, SessionId(session->id));
  }
  if (!done) co_return Failure(done.error());
  co_return std::string("/things");
}

net::Task<void> Lobby::access_forms(net::HttpCall& call, const std::string& path) {
  const std::optional<Posted> form = co_await posted(call);
  if (!form) co_return;
  Result<std::string> next = co_await take_form(path, *form);
  // The sign-in may be gone by now: what was done is done, and the page asks to sign in.
  if (next) co_return co_await go_to(call, std::move(*next));
  const Error& why = next.error();
  const Signed who = signed_in(call.head().headers);
  const std::optional<Place> request = read_place(path, "/requests/");
  const bool asks = path == "/requests", lends = path == "/delegations";
  if (who.sign_in == nullptr || why.code() == "access.waits" || !(asks || lends || request)) {
    co_await not_done(call, who.sign_in, why);
  } else if (asks) {
    co_await ask_again(call, *who.sign_in, form->fields, why);
  } else {
    const auto value = [&](std::string_view name) { return query_value(form->fields, name); };
    NotDone before{.why = words_of(why)};
    if (lends) {
      before.app_label = value("app");
      before.to = value("to");
      before.minutes = number_of(value("minutes"));
    } else {
      before.request = request->id;
      before.words = value("words");
    }
    Acting again = acting(*who.sign_in);
    co_await show_things(call, std::move(again), std::move(before), status_of(why));
  }
}

net::Task<void> Lobby::send_events(net::HttpCall& call, Signed who, std::string query) {
  const net::Headers& headers = call.head().headers;
  const std::string_view site = headers.get("Sec-Fetch-Site");
  const bool elsewhere = (!site.empty() && site != "same-origin") ||
                         (headers.count("Origin") != 0 && headers.get("Origin") != names_.lobby_origin());
  // A page that another sign-in of this browser left behind would hear nothing of what it still shows.
  const bool beats = query.starts_with(kPage);
  const bool left = beats && !crypto::equal_constant_time(query.substr(kPage.size()),
                                                          token_digest(who.sign_in->form_token));
  const PersonId person = who.sign_in->person.id;
  if (elsewhere || left || !EventStream::has_room(listening_, person)) {
    co_await page(call, elsewhere || left ? 403 : 429, "");
    co_return;
  }
  Announcements& announcements = parts_.access.announcements();
  const std::string last(headers.get("Last-Event-ID"));
  uint64_t seen = last.empty() ? announcements.newest() : static_cast<uint64_t>(number_of(last));
  EventStream stream(call, listening_, person, parts_.clock, beats ? kBeat : kStillHere);
  if (!stream.start()) co_return;
  for (bool over = false; !over;) {
    const Signed now = signed_in(call.head().headers);
    over = now.sign_in == nullptr || now.sign_in->person.id != person;
    std::optional<Acting> reader;
    const auto tell = [&](const Announcement& event) {
      bool wanted = event.person == person;
      // The last thing a page hears is what has to go from it.
      if (over) wanted = wanted && event.kind == kObjectShut;
      // Asked anew each time: who may not answer any more is told no more.
      if (!over && event.person.empty()) {
        if (!reader) reader = acting(*now.sign_in);
        wanted = parts_.access.concerns(event, *reader);
      }
      if (wanted) stream.say(event.kind, event.data.is_object() ? event.data.dump() : "{}", event.number);
    };
    if (!announcements.since(seen, person, tell)) stream.say("reload", "{}", announcements.newest());
    seen = announcements.newest();
    const bool heard = co_await stream.send(seen);
    if (!heard) break;
    if (over || announcements.newest() != seen) continue;  // something came while this was sent
    [[maybe_unused]] const bool moved = co_await announcements.wait(person, stream.until_beat());
  }
  co_await stream.finish();
}

}  // namespace entente::exchange
