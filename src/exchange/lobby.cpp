#include "exchange/lobby.h"

#include "coalition/decide.h"
#include "exchange/app_headers.h"
#include "exchange/assets.h"
#include "net/url.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

namespace entente::exchange {

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
      begun_(kBurstSeconds * parts_.sign_ins_per_s, parts_.sign_ins_per_s),
      begun_by_source_(
          Budget(kSourceBurstSeconds * parts_.sign_ins_per_source_per_s, parts_.sign_ins_per_source_per_s),
          kSourcesMax, Budgets<std::string>::Crowded::forget) {}

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
  out.sign_in = parts_.browsers.sign_ins.find(*token, parts_.decisions.now());
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
  } else if (reads && target.path == "/signed-out") {
    co_await show_signed_out(call);
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
  return coalition::calm_moment(coalition::kDoorNetwork, "node:" + parts_.world().self().text(), sign_in.end);
}

namespace {

using Rules = std::span<const std::string_view>;

bool only(const coalition::Verdict& verdict, Rules rules) {
  return std::ranges::all_of(verdict.reasons, [&](const coalition::Reason& reason) {
    return std::ranges::find(rules, reason.policy) != rules.end();
  });
}

}  // namespace

Lobby::Sight Lobby::sight_of(const SignIn& sign_in, const coalition::AppRef& app) const {
  coalition::Ask ask;
  ask.id = VerdictId(crypto::random_token(12));
  ask.action = coalition::Action::view;
  ask.who = sign_in.person;
  ask.target = app;
  ask.now = parts_.decisions.now();
  ask.context = context(sign_in);
  const coalition::Verdict verdict = parts_.switchboard.rules().decide(ask);
  if (verdict.permit) return Sight::open;
  // Whoever may know of it still finds it while this node shuts its owner out, or did when they signed in,
  // and learns why on opening it. Reasons that lie in the person are none of these: they are the same for
  // names of nothing. Our own nation is never shut out here, so that signing in again is about the owner.
  static constexpr std::string_view kShut[] = {"owner-suspended", "owner-isolated",
                                               "signed-in-before-resume"};
  static constexpr std::string_view kOver[] = {
      "owner-suspended",  "owner-isolated", "signed-in-before-resume",
      "owner-not-member", "app-ended",      "mission-ended"};
  const bool resumed = parts_.world().partner(parts_.world().self())->resumed_at.has_value();
  if (verdict.hidden || verdict.reasons.empty() || resumed) return Sight::nothing;
  return only(verdict, kShut) ? Sight::card : only(verdict, kOver) ? Sight::why : Sight::nothing;
}

bool Lobby::answers(const Acting& person) const {
  const coalition::World& world = parts_.world();
  return std::ranges::any_of(world.apps(), [&](const coalition::App* app) {
    return app->ref.owner == world.self() && parts_.access.may_answer(person, app->ref.app);
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
  [[maybe_unused]] const bool unused = stand_in_ && sight_of(sign_in, *stand_in_) == Sight::open;
}

bool Lobby::reachable(const coalition::AppRef& app) const {
  const Exchange& core = parts_.switchboard.core();
  if (app.owner == parts_.world().self())
    return core.roster().reaches(app.app, parts_.switchboard.moment().tick);
  return core.link_fresh(app.owner, Way::asking) && !(parts_.unserved && parts_.unserved(app));
}

net::Task<void> Lobby::show_home(net::HttpCall& call) {
  Signed who = signed_in(call.head().headers);
  std::optional<AnswersDue> waiting;
  if (who.sign_in != nullptr && answers(acting(*who.sign_in))) {
    Acting person = acting(*who.sign_in);
    // Everybody's first page: one slice of looks, however much waits.
    const AccessDesk::ToAnswer due =
        co_await parts_.access.to_answer(std::move(person), AccessDesk::kDecidedAtOnce);
    waiting = AnswersDue{due.requests.size(), due.more};
    who = signed_in(call.head().headers);  // they may have left meanwhile
  }
  if (who.sign_in == nullptr) {
    co_await page(call, 200, welcome_page(frame(nullptr), provider_name_, "/sign-in"));
    co_return;
  }
  const SignIn& sign_in = *who.sign_in;
  const coalition::World& world = parts_.world();
  std::vector<AppCard> cards;
  for (const coalition::App* app : world.apps()) {
    const Sight sight = sight_of(sign_in, app->ref);
    if (sight != Sight::open && sight != Sight::card) continue;
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
    const bool reached = reachable(app->ref);
    const bool shut =
        (owner != nullptr && !owner->is_open()) || parts_.switchboard.core().told_shut(app->ref.owner);
    const bool anew = !shut && sight == Sight::card;
    card.ready = reached && !shut && !anew;
    card.state = shut                                ? "shut; opening it says why"
                 : anew                              ? "sign in again to open it"
                 : !reached                          ? "not reachable now"
                 : session != sign_in.sessions.end() ? "open now"
                                                     : "ready";
    cards.push_back(std::move(card));
  }
  const std::vector<Refusal> ended(sign_in.ended.begin(), sign_in.ended.end());
  std::string html = lobby_page(frame(&sign_in), cards, ended, waiting);
  co_await page(call, 200, std::move(html), waiting ? Scripts::own : Scripts::none);
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

}  // namespace entente::exchange
