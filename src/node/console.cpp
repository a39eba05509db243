#include "node/console.h"

#include "base/file.h"
#include "base/log.h"
#include "coalition/levels.h"
#include "exchange/app_headers.h"
#include "exchange/lobby.h"
#include "net/url.h"
#include "node/api_answers.h"
#include "node/config.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace entente::node {
namespace {

using exchange::Browsers;
using exchange::ConsoleEntry;

constexpr Millis kLookEvery{1'000};
constexpr Seconds kRecordMax{5};
constexpr Millis kBeat{5'000};  // to a page that hears none, nothing is live
constexpr std::string_view kTokenHeader = "Entente-Token";
// Its own files and its own node, nothing inline, and no text that becomes markup or script.
constexpr std::string_view kContentPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action "
    "'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

std::string_view type_of(const std::filesystem::path& file) {
  const std::string kind = file.extension().string();
  if (kind == ".html") return "text/html; charset=utf-8";
  if (kind == ".js") return "text/javascript; charset=utf-8";
  if (kind == ".css") return "text/css; charset=utf-8";
  return {};
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view take_part(std::string_view& rest) {
  const size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view part = rest.substr(0, slash);
  rest.remove_prefix(std::min(slash + 1, rest.size()));
  return part;
}

}  // namespace

// A partner writes its apps' banners: of those only the level counts.
std::string marking_of(const coalition::World& world) {
  constexpr std::string_view kExercise = "EXERCISE ";
  std::string_view marking;
  int64_t own = -1;
  int64_t highest = -1;
  bool exercise = true;
  for (const coalition::App* app : world.apps()) {
    const int64_t level = coalition::level_of(app->classification).value_or(0);
    highest = std::max(highest, level);
    if (app->ref.owner != world.self()) continue;
    exercise = exercise && app->banner.starts_with(kExercise);
    if (level <= own) continue;
    own = level;
    marking = app->banner;
  }
  if (highest <= own) return std::string(marking);
  const std::string_view level = coalition::kLevels[static_cast<size_t>(highest)];
  return fmt::format("{}{}", exercise && own >= 0 ? kExercise : "", level);
}

ConsoleFiles read_console_files(const std::filesystem::path& folder) {
  ConsoleFiles files;
  if (folder.empty()) return files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string_view type = type_of(entry.path());
    if (type.empty() || files.size() >= kConsoleFilesMax) continue;
    Result<std::string> text = read_file(entry.path(), kConsoleFileBytesMax);
    if (!text) continue;
    const std::string name = entry.path().filename().string();
    files.emplace(name == "index.html" ? "/" : "/" + name, ConsoleFile{type, std::move(*text)});
  }
  if (files.contains("/")) return files;
  log(LogLevel::warning, "node", "there is no console: its folder has no index.html",
      {{"folder", folder.string()}});
  return {};
}

bool is_ledger_file(std::string_view path) {
  if (path == "checkpoint") return true;
  if (take_part(path) != "tile") return false;
  const std::string_view level = take_part(path);
  const bool known = level == "entries" || (level.size() == 1 && level[0] >= '0' && level[0] <= '7');
  if (!known) return false;
  for (int parts = 0; parts < 8 && !path.empty(); ++parts) {
    std::string_view part = take_part(path);
    const bool more = part.starts_with('x');
    if (more) part.remove_prefix(1);
    const bool partial = !more && part.ends_with(".p");
    if (partial) part.remove_suffix(2);
    if (part.size() != 3 || !all_digits(part)) return false;
    if (more) continue;
    if (!partial) return path.empty();
    return all_digits(path) && path.size() <= 3 && path[0] != '0';
  }
  return false;
}

Console::Console(Parts parts, exchange::HostNames names, ConsoleFiles files)
    : parts_(std::move(parts)), names_(std::move(names)), files_(std::move(files)) {}

std::optional<Console::Operator> Console::operator_of(const coalition::Person& person) const {
  const coalition::World& world = parts_.records.world();
  const coalition::Operator* known =
      files_.empty() || person.id.empty() ? nullptr : world.operator_by_person(person.id);
  if (known == nullptr) return std::nullopt;
  Operator found{{operator_person(world, known->name), "door"}, known->display, {}};
  found.by.who.facts = person.facts;  // how sure the sign-in was
  coalition::Target node = coalition::NodeRef{world.self()};
  const coalition::Ask ask = operator_ask(found.by, coalition::Action::view, std::move(node),
                                          "open the console", parts_.clock.now());
  found.verdict = coalition::decide(world, ask);
  if (!found.verdict.permit) return std::nullopt;
  return found;
}

std::optional<Console::Admitted> Console::admitted(const net::Headers& headers) const {
  const Instant now = parts_.clock.now();
  const std::optional<std::string> cookie = exchange::cookie_of(headers, exchange::kConsoleCookie);
  const ConsoleEntry* entry = cookie ? parts_.browsers.consoles.find(*cookie, now) : nullptr;
  if (entry == nullptr) return std::nullopt;
  const exchange::SignIn* sign_in = parts_.browsers.sign_ins.at(entry->sign_in);
  if (sign_in == nullptr || sign_in->end <= now || sign_in->person.id != entry->person) return std::nullopt;
  std::optional<Operator> who = operator_of(sign_in->person);
  if (!who) return std::nullopt;
  return Admitted{std::move(*who), entry->person, entry->token, sign_in->end};
}

net::Task<bool> Console::handle(net::HttpCall& call, net::NormalTarget target) {
  const net::RequestHead& head = call.head();
  if (target.path == "/.entente/enter" && head.method == "GET") {
    const bool entered = co_await enter(call, target.query);
    co_return entered;
  }
  std::optional<Admitted> who = admitted(head.headers);
  if (!who || target.path.starts_with("/.entente/") || !call.upgrade().empty()) co_return false;
  // A browser that says nothing of a request's mode says nothing of where it comes from either.
  const bool sure = !head.headers.get("Sec-Fetch-Mode").empty() ||
                    (head.headers.get("Sec-Fetch-Site").empty() && head.headers.count("Origin") == 0);
  const bool navigates = target.path == "/" && sure && exchange::is_own_navigation(head);
  const bool script = net::equal_no_case(head.headers.get("Service-Worker"), "script");
  // Another page that asks in this person's name gets what anybody gets: from a refusal of the console's own
  // it would learn who is an operator.
  if (script || (!navigates && !comes_from_own_page(head))) {
    parts_.switchboard.stranger_refused();
    co_return false;
  }
  if (!budgets_.take(who->person, parts_.clock.tick())) {
    Api::Answer many = refusal(
        429,
        {"console.budget", "this operator asks too much at once", {}, "wait a moment, or close some pages"});
    co_await Api::send(call, std::move(many));
  } else if (head.method == "POST") {
    co_await change(call, target.text(), std::move(*who));
  } else if (head.method == "GET") {
    co_await show(call, std::move(target), std::move(*who));
  } else {
    Api::Answer wrong = refusal(405, {"api.method", "the console is read and posted to"});
    co_await Api::send(call, std::move(wrong));
  }
  co_return true;
}

// Browsers say where a request comes from. What changes something must say it; a reader's page that was
// opened by hand has nothing to say.
bool Console::comes_from_own_page(const net::RequestHead& head) const {
  const std::string_view site = head.headers.get("Sec-Fetch-Site");
  const bool own_site = site.empty() || site == "same-origin" || (site == "none" && head.method == "GET");
  const size_t origins = head.headers.count("Origin");
  const bool own_origin = origins == 1 && head.headers.get("Origin") == names_.console_origin();
  return own_site && (own_origin || (origins == 0 && head.method == "GET"));
}

// From the lobby, with its code: as into an app.
net::Task<bool> Console::enter(net::HttpCall& call, std::string query) {
  const Result<net::Pairs> pairs = net::parse_form(query);
  const std::string code = pairs ? exchange::query_value(*pairs, "code") : "";
  const std::string path = pairs ? exchange::query_value(*pairs, "path") : "";
  const std::string bind = exchange::cookie_of(call.head().headers, exchange::kBindCookie).value_or("");
  const Instant now = parts_.clock.now();
  std::optional<ConsoleEntry> entry = parts_.browsers.console_hand_offs.take(code, parts_.wall.now());
  const bool fits = entry && !bind.empty() && net::normal_target(path) &&
                    crypto::equal_constant_time(exchange::bind_digest(bind), entry->bind_digest);
  const exchange::SignIn* sign_in = fits ? parts_.browsers.sign_ins.at(entry->sign_in) : nullptr;
  const std::optional<Operator> who =
      sign_in != nullptr && sign_in->end > now ? operator_of(sign_in->person) : std::nullopt;
  if (!who) co_return false;
  const Instant end = sign_in->end;
  const coalition::Facts context = operator_context(who->by.network, now);
  ledger::Record record = verdict_record(who->verdict, who->by.who, "view", context, now);
  record.fields.emplace_back("purpose", "open the console");
  // Nobody is inside before it is written that they came in.
  auto written = std::make_shared<net::Event>(parts_.switchboard.loop());
  auto answer = std::make_shared<Result<void>>(fail("node.slow", "the disk has not taken it in time"));
  parts_.records.append({std::move(record)}, false, [written, answer](const Result<ledger::Appended>& done) {
    *answer = done ? Result<void>() : Result<void>(Failure(done.error()));
    written->set();
  });
  [[maybe_unused]] const bool heard = co_await written->wait(kRecordMax);
  if (!*answer) {
    Api::Answer later = refusal(503, answer->error());
    co_await Api::send(call, std::move(later));
    co_return true;
  }
  const std::string token = parts_.browsers.consoles.issue(std::move(*entry), end);
  net::ResponseHead head = exchange::redirect_head(names_.console_origin() + path);
  const Seconds life = std::chrono::floor<Seconds>(end - now);
  head.headers.add("Set-Cookie", exchange::set_cookie(exchange::kConsoleCookie, token, life));
  head.headers.add("Set-Cookie", exchange::set_cookie(exchange::kBindCookie, "", std::nullopt));
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), "");
  co_return true;
}

net::Task<void> Console::show(net::HttpCall& call, net::NormalTarget target, Admitted who) {
  constexpr std::string_view kLedger = "/ledger/";
  if (const auto file = files_.find(target.path); file != files_.end()) {
    co_await send_file(call, file->second.type, file->second.text);
  } else if (target.path == "/hello") {
    Api::Answer answer{200, hello(who)};
    co_await Api::send(call, std::move(answer));
  } else if (target.path == "/events") {
    co_await send_events(call, who.person);
  } else if (target.path.starts_with(kLedger) && is_ledger_file(target.path.substr(kLedger.size()))) {
    co_await send_ledger_file(call, target.path.substr(kLedger.size()));
  } else {
    Caller by = std::move(who.who.by);
    std::string path = target.text();
    Api::Answer answer = co_await parts_.api.call(std::move(by), "GET", std::move(path), Json());
    co_await Api::send(call, std::move(answer));
  }
}

net::Task<void> Console::change(net::HttpCall& call, std::string target, Admitted who) {
  const std::string token(call.head().headers.get(kTokenHeader));
  Result<Json> body = co_await Api::read_body(call);
  // The body may have taken its time: whoever signed out meanwhile changes nothing.
  std::optional<Admitted> still = admitted(call.head().headers);
  Api::Answer answer;
  if (!still || still->person != who.person || !crypto::equal_constant_time(token, still->token)) {
    parts_.switchboard.stranger_refused();
    answer = refusal(403, {"console.token",
                           "this was not done: the page's token is not this sign-in's",
                           {},
                           "load the console again"});
  } else if (!body) {
    answer = refusal(400, body.error());
  } else {
    Caller by = std::move(still->who.by);
    answer = co_await parts_.api.call(std::move(by), "POST", std::move(target), std::move(*body));
  }
  co_await Api::send(call, std::move(answer));
}

net::Task<void> Console::send_file(net::HttpCall& call, std::string_view type, std::string text) {
  net::ResponseHead head;
  head.status = 200;
  exchange::add_page_headers(head.headers);
  head.headers.set("Content-Security-Policy", std::string(kContentPolicy));
  head.headers.set("Content-Type", std::string(type));
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), std::move(text));
}

// Salted digests and signatures: what whoever keeps a copy of the log has too.
net::Task<void> Console::send_ledger_file(net::HttpCall& call, std::string path) {
  Result<std::string> text = read_file(parts_.ledger / path, kTileBytesMax);
  if (!text) {
    Api::Answer none = not_found(fmt::format("the ledger has no {} now", path));
    co_await Api::send(call, std::move(none));
    co_return;
  }
  const std::string_view type =
      path == "checkpoint" ? "text/plain; charset=utf-8" : "application/octet-stream";
  co_await send_file(call, type, std::move(*text));
}

Json Console::hello(const Admitted& who) const {
  const coalition::World& world = parts_.records.world();
  const coalition::Partner* self = world.partner(world.self());
  return Json::object({{"operator", who.who.display},
                       {"nation", world.self().text()},
                       {"nation_name", self == nullptr ? world.self().text() : self->name},
                       {"banner", marking_of(world)},
                       {"token", who.token},
                       {"until", rfc3339(who.end)},
                       {"lobby", names_.lobby_origin() + "/"},
                       {"ledger_key", parts_.records.ledger().verifier().vkey()},
                       {"waiting", Json::object({{"requests", parts_.api.requests_due(who.who.by)},
                                                 {"releases", parts_.api.releases_due(who.who.by)}})}});
}

// Once for all pages that listen at the same time.
uint64_t Console::state_now() {
  const Tick now = parts_.clock.tick();
  if (now - looked_ >= kLookEvery / 2) {
    looked_ = now;
    state_ = look();
  }
  return state_;
}

uint64_t Console::look() const {
  uint64_t state = 0xcbf29ce484222325;
  const auto mix = [&](uint64_t value) { state = (state ^ value) * 0x100000001b3; };
  const coalition::World& world = parts_.records.world();
  mix(world.revision().value);
  mix(parts_.access.announcements().newest());
  for (const exchange::Session* session : parts_.switchboard.core().sessions()) {
    mix(session->serial);
    mix(session->open() ? 1 : 2);
    mix(static_cast<uint64_t>(session->verdict.valid_until.time_since_epoch().count()));
  }
  for (const coalition::Partner* partner : world.partners()) {
    for (const exchange::Way way : {exchange::Way::asking, exchange::Way::serving})
      mix(parts_.switchboard.link_is_up(partner->code, way) ? 3 : 4);
    mix(parts_.switchboard.core().fenced(partner->code) ? 5 : 6);
  }
  mix(parts_.switchboard.core().connectors().size());
  return state;
}

// "changed" when what a page shows may have. What it shows, the page asks for as ever.
net::Task<void> Console::send_events(net::HttpCall& call, PersonId person) {
  if (!exchange::EventStream::has_room(listening_, person)) {
    Api::Answer many = refusal(
        429,
        {"console.pages", "this operator has too many pages of the console open", {}, "close some of them"});
    co_await Api::send(call, std::move(many));
    co_return;
  }
  exchange::EventStream stream(call, listening_, std::move(person), parts_.clock, kBeat);
  if (!stream.start()) co_return;
  for (uint64_t shown = state_now();;) {
    const bool heard = co_await stream.send();
    if (!heard) break;
    [[maybe_unused]] const bool moved = co_await parts_.access.announcements().wait(kLookEvery);
    if (!admitted(call.head().headers)) break;
    const uint64_t now = state_now();
    if (std::exchange(shown, now) != now) stream.say("changed");
  }
  co_await stream.finish();
}

}  // namespace entente::node
