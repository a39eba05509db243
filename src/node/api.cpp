#include "node/api.h"

#include "base/fields.h"
#include "base/log.h"
#include "net/url.h"
#include "node/operators.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <sys/socket.h>

namespace entente::node {
namespace {

constexpr size_t kBodyBytesMax = 256 * 1024;
constexpr size_t kReasonBytesMax = 1000;

Api::Answer refusal(int status, const Error& error) {
  return {status, Json::object({{"error", Json::object({{"code", error.code},
                                                        {"what", error.what},
                                                        {"where", error.where},
                                                        {"hint", error.hint}})}})};
}

Api::Answer not_found(std::string what) {
  return refusal(404, {"api.not-found", std::move(what), {}, "see `entente help`"});
}

// Which status an error of a change deserves: 409 for what is not so, 507 for no space, 503 for what may work
// later.
int status_of(const Error& error) {
  if (error.code == "store.full" || error.code == "ledger.full") return 507;
  if (error.code.starts_with("coalition.") || error.code.starts_with("field.") ||
      error.code == "store.precondition")
    return 409;
  return 503;
}

Result<std::string> read_reason(const Json& body) {
  Fields fields(body, "");
  std::string reason = fields.text("reason", kReasonBytesMax);
  const bool plain =
      std::ranges::none_of(reason, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (!plain || reason.find_first_not_of(' ') == std::string::npos)
    fields.wrong("reason", "this is no reason that can be shown", "write one line of text");
  TRY_VOID(fields.done());
  return reason;
}

}  // namespace

struct Api::Route {
  std::string_view method;
  std::string_view path;  // "{}" stands for one segment
  Handler handler;
};

std::span<const Api::Route> Api::routes() {
  static constexpr Route table[] = {
      {"GET", "/v1/status", &Api::show_status},
      {"GET", "/v1/partners", &Api::list_partners},
      {"POST", "/v1/partners/{}/suspend", &Api::suspend_partner},
      {"POST", "/v1/partners/{}/resume", &Api::resume_partner},
      {"GET", "/v1/apps", &Api::list_apps},
      {"POST", "/v1/apps/{}/withdraw", &Api::withdraw_app},
      {"GET", "/v1/sessions", &Api::list_sessions},
      {"POST", "/v1/sessions/{}/cut", &Api::cut_session},
      {"GET", "/v1/connectors", &Api::list_connectors},
      {"POST", "/v1/connectors", &Api::add_connector},
      {"GET", "/v1/verdicts/{}", &Api::show_verdict},
      {"GET", "/v1/ledger", &Api::show_ledger},
  };
  return table;
}

Api::Api(Records& records, exchange::Switchboard& switchboard, const Clock& clock, PartnerCode self,
         std::function<std::vector<LinkState>()> links)
    : records_(records),
      switchboard_(switchboard),
      clock_(clock),
      self_(std::move(self)),
      links_(std::move(links)),
      started_(clock.now()) {}

net::Task<void> Api::serve(net::Listener& listener) {
  while (true) {
    Result<net::Socket> socket = co_await listener.accept();
    if (!socket) co_return;
    switchboard_.loop().spawn(connection(std::move(*socket)));
  }
}

namespace {

struct ApiConnection {
  Api* api;
  uint32_t uid;
};

net::Task<void> handle_call(std::shared_ptr<ApiConnection> connection, net::HttpCall* call) {
  Result<std::string> text = co_await call->read_all(kBodyBytesMax);
  Api::Answer answer;
  Json body;
  Result<Json> parsed = text && !text->empty() ? Json::parse(*text) : Result<Json>(Json());
  if (!text || !parsed) {
    answer = refusal(400, text ? parsed.error() : text.error());
  } else {
    answer = co_await connection->api->call(connection->uid, call->head().method, call->head().path,
                                            std::move(*parsed));
  }
  net::ResponseHead head;
  head.status = answer.status;
  head.headers.add("Content-Type", "application/json");
  head.headers.add("Cache-Control", "no-store");
  [[maybe_unused]] const Result<void> sent =
      co_await call->answer(std::move(head), answer.body.dump() + "\n");
}

}  // namespace

net::Task<void> Api::connection(net::Socket socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket.fd(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) co_return;
  auto connection = std::make_shared<ApiConnection>(ApiConnection{this, credentials.uid});
  auto service = std::make_shared<net::HttpService>();
  service->handle = [connection](net::HttpCall& call) { return handle_call(connection, &call); };
  co_await net::serve_http(net::make_stream(switchboard_.loop(), std::move(socket)), service);
}

net::Task<Api::Answer> Api::call(uint32_t uid, std::string method, std::string path, Json body) {
  const coalition::Operator* known = records_.world().operator_by_uid(uid);
  if (known == nullptr) {
    co_return refusal(403, {"operator.unknown",
                            fmt::format("user {} of this machine is no operator of this node", uid),
                            {},
                            "an operator record in the node's world must name this user"});
  }
  Request request;
  request.who = operator_person(*known, self_);
  const size_t question = path.find('?');
  if (question != std::string::npos) request.query = path.substr(question + 1);
  const std::string_view wanted = std::string_view(path).substr(0, question);
  request.body = std::move(body);
  bool other_method = false;
  for (const Route& route : routes()) {
    const size_t hole = route.path.find("{}");
    const std::string_view head = route.path.substr(0, hole);
    const std::string_view tail =
        hole == std::string_view::npos ? std::string_view() : route.path.substr(hole + 2);
    const bool fits = hole == std::string_view::npos ? wanted == route.path
                                                     : wanted.size() > head.size() + tail.size() &&
                                                           wanted.starts_with(head) && wanted.ends_with(tail);
    if (!fits) continue;
    const std::string_view name = hole == std::string_view::npos
                                      ? std::string_view()
                                      : wanted.substr(head.size(), wanted.size() - head.size() - tail.size());
    if (name.find('/') != std::string_view::npos) continue;
    if (route.method != method) {
      other_method = true;
      continue;
    }
    request.name = std::string(name);
    Answer answer = co_await (this->*route.handler)(std::move(request));
    co_return answer;
  }
  if (other_method)
    co_return refusal(405, {"api.method", fmt::format("{} is not for {}", wanted, method), {}, {}});
  co_return not_found(fmt::format("there is no {} in this API", wanted));
}

std::optional<Api::Answer> Api::refused(const coalition::Person& who, coalition::Action action,
                                        coalition::Target target, std::string purpose,
                                        coalition::Verdict& verdict) {
  const std::string on = coalition::target_text(target);
  const coalition::Ask ask = operator_ask(who, action, std::move(target), purpose, clock_.now());
  verdict = coalition::decide(records_.world(), ask);
  ledger::Record record = verdict_record(verdict, who, action_name(action), ask.context, clock_.now());
  record.fields.emplace_back("target", on);
  record.fields.emplace_back("purpose", purpose);
  records_.append({std::move(record)}, false, [](const Result<ledger::Appended>& appended) {
    if (!appended)
      log(LogLevel::error, "node", "an operator's verdict is not in the ledger",
          {{"error", appended.error().text()}});
  });
  if (verdict.permit) return std::nullopt;
  std::string why = "an operator may not do this here";
  std::string change;
  for (const coalition::Reason& reason : verdict.reasons) {
    if (!reason.text.empty()) why = reason.text;
    if (!reason.change.empty()) change = reason.change;
  }
  return refusal(403,
                 {"operator.denied", fmt::format("{} (verdict {})", why, verdict.id.text()), {}, change});
}

net::Task<Result<Outcome>> Api::commit(Change change) {
  auto done = std::make_shared<net::Event>(switchboard_.loop());
  auto answer = std::make_shared<std::optional<Result<Outcome>>>();
  records_.commit(std::move(change), [done, answer](Result<Outcome> outcome) {
    *answer = std::move(outcome);
    done->set();
  });
  const bool heard = co_await done->wait(Seconds(30));
  if (!heard || !answer->has_value()) {
    co_return fail("node.slow", "the change was not written within 30 s", {},
                   "look at the disk; see `entente doctor`");
  }
  co_return std::move(**answer);
}

// True when it is in the ledger.
net::Task<bool> Api::record(ledger::Record leaf) {
  auto done = std::make_shared<net::Event>(switchboard_.loop());
  auto durable = std::make_shared<bool>(false);
  std::vector<ledger::Record> leaves;
  leaves.push_back(std::move(leaf));
  records_.append(std::move(leaves), true, [done, durable](const Result<ledger::Appended>& appended) {
    *durable = appended.has_value();
    done->set();
  });
  const bool heard = co_await done->wait(Seconds(30));
  co_return heard && *durable;
}

net::Task<Api::Answer> Api::list_partners(Request request) {
  coalition::Verdict verdict;
  if (auto no =
          refused(request.who, coalition::Action::view, coalition::NodeRef{self_}, "list partners", verdict))
    co_return *no;
  Json out = Json::array();
  const std::vector<LinkState> links = links_();
  for (const coalition::Partner* partner : records_.world().partners()) {
    int64_t sessions = 0;
    for (const exchange::Session* session : switchboard_.core().sessions()) {
      if (session->partner == partner->code) ++sessions;
    }
    std::string link = partner->code == self_ ? "self" : "down";
    for (const LinkState& state : links) {
      if (state.partner != partner->code) continue;
      link = state.asking && state.serving ? "both ways"
             : state.asking                ? "asking"
             : state.serving               ? "serving"
                                           : "down";
    }
    const bool fenced = switchboard_.core().fenced(partner->code);
    out.push(Json::object({{"code", partner->code.text()},
                           {"name", partner->name},
                           {"state", partner->state == coalition::PartnerState::suspended ? "suspended"
                                     : fenced                                             ? "fenced"
                                                                                          : "active"},
                           {"reason", partner->state_reason},
                           {"member_until", rfc3339(partner->member_until)},
                           {"link", link},
                           {"sessions", sessions}}));
  }
  co_return Answer{200, Json::object({{"partners", std::move(out)}})};
}

net::Task<Api::Answer> Api::suspend_partner(Request request) {
  const PartnerCode code(request.name);
  const Result<std::string> reason = read_reason(request.body);
  if (!reason) co_return refusal(400, reason.error());
  if (records_.world().partner(code) == nullptr || code == self_)
    co_return not_found(fmt::format("{} is no partner of this node", request.name));
  coalition::Verdict verdict;
  if (auto no = refused(request.who, coalition::Action::administer, code, "suspend: " + *reason, verdict))
    co_return *no;
  const Instant now = clock_.now();
  const Tick decided = clock_.tick();
  const size_t held = switchboard_.fence_partner(code, *reason);  // before any disk
  const auto held_us = std::chrono::duration_cast<std::chrono::microseconds>(clock_.tick() - decided);
  Change change = partner_state_change(records_.world(), code, coalition::PartnerState::suspended, *reason,
                                       request.who, verdict, now);
  const Result<Outcome> outcome = co_await commit(std::move(change));
  if (!outcome) {
    switchboard_.fence_failed(code, outcome.error());
    co_return Answer{
        507,
        Json::object(
            {{"text", fmt::format("{} is fenced, not yet durable: {}", code.text(), outcome.error().what)},
             {"fenced", true},
             {"durable", false},
             {"sessions", static_cast<int64_t>(held)},
             {"error",
              Json::object(
                  {{"code", "node.fenced-not-durable"},
                   {"what",
                    fmt::format("{} is fenced, not yet durable: {}", code.text(), outcome.error().what)},
                   {"where", ""},
                   {"hint", "nothing of theirs passes; make space on the disk and say it again"}})}})};
  }
  co_return Answer{200,
                   Json::object({{"text", fmt::format("{} is suspended: {} sessions ended, revision {}{}",
                                                      code.text(), held, outcome->revision.value,
                                                      outcome->durable ? "" : "; fenced, not yet durable")},
                                 {"revision", static_cast<int64_t>(outcome->revision.value)},
                                 {"durable", outcome->durable},
                                 {"sessions", static_cast<int64_t>(held)},
                                 {"fenced_at", rfc3339(now)},
                                 {"held_us", int64_t{held_us.count()}},
                                 {"verdict", verdict.id.text()}})};
}

net::Task<Api::Answer> Api::resume_partner(Request request) {
  const PartnerCode code(request.name);
  const Result<std::string> reason = read_reason(request.body);
  if (!reason) co_return refusal(400, reason.error());
  if (records_.world().partner(code) == nullptr || code == self_)
    co_return not_found(fmt::format("{} is no partner of this node", request.name));
  coalition::Verdict verdict;
  if (auto no = refused(request.who, coalition::Action::administer, code, "resume: " + *reason, verdict))
    co_return *no;
  Change change = partner_state_change(records_.world(), code, coalition::PartnerState::active, *reason,
                                       request.who, verdict, clock_.now());
  // A suspension that came meanwhile is not undone by a decision made before it.
  Result<store::Precondition> seen = records_.as_seen("partner/" + code.text());
  if (!seen) co_return refusal(status_of(seen.error()), seen.error());
  change.preconditions.push_back(*std::move(seen));
  const Result<Outcome> outcome = co_await commit(std::move(change));
  if (!outcome) co_return refusal(status_of(outcome.error()), outcome.error());
  switchboard_.lift_fence(code);  // where the suspension never became durable
  co_return Answer{
      200,
      Json::object({{"text", fmt::format("{} is active again; its people must sign in again, revision {}",
                                         code.text(), outcome->revision.value)},
                    {"revision", static_cast<int64_t>(outcome->revision.value)},
                    {"verdict", verdict.id.text()}})};
}

net::Task<Api::Answer> Api::list_apps(Request request) {
  coalition::Verdict verdict;
  if (auto no =
          refused(request.who, coalition::Action::view, coalition::NodeRef{self_}, "list apps", verdict))
    co_return *no;
  Json out = Json::array();
  for (const coalition::App* app : records_.world().apps()) {
    Json offered = Json::array();
    for (const PartnerCode& partner : app->offered_to) offered.push(partner.text());
    bool served = false;
    for (const auto& connector : switchboard_.core().connectors()) {
      for (const AppId& id : connector.apps)
        served = served || (app->ref.owner == self_ && id == app->ref.app);
    }
    out.push(Json::object({{"app", fmt::format("{}/{}", app->ref.owner.text(), app->ref.app.text())},
                           {"name", app->name},
                           {"banner", app->banner},
                           {"mission", app->mission.text()},
                           {"offered_to", std::move(offered)},
                           {"end", rfc3339(app->end)},
                           {"state", app->ref.owner != self_ ? "offered to us"
                                     : served                ? "served"
                                                             : "no connector"}}));
  }
  co_return Answer{200, Json::object({{"apps", std::move(out)}})};
}

net::Task<Api::Answer> Api::withdraw_app(Request request) {
  const coalition::AppRef ref{self_, AppId(request.name)};
  const Result<std::string> reason = read_reason(request.body);
  if (!reason) co_return refusal(400, reason.error());
  if (records_.world().app(ref) == nullptr)
    co_return not_found(fmt::format("this node has no app {}", request.name));
  coalition::Verdict verdict;
  if (auto no = refused(request.who, coalition::Action::administer, coalition::NodeRef{self_},
                        "withdraw " + request.name + ": " + *reason, verdict))
    co_return *no;
  const Result<Outcome> outcome =
      co_await commit(app_withdrawal(records_.world(), ref, *reason, request.who, verdict, clock_.now()));
  if (!outcome) co_return refusal(status_of(outcome.error()), outcome.error());
  co_return Answer{200, Json::object({{"text", fmt::format("{} is withdrawn, revision {}", request.name,
                                                           outcome->revision.value)},
                                      {"revision", static_cast<int64_t>(outcome->revision.value)}})};
}

net::Task<Api::Answer> Api::list_sessions(Request request) {
  coalition::Verdict verdict;
  if (auto no =
          refused(request.who, coalition::Action::view, coalition::NodeRef{self_}, "list sessions", verdict))
    co_return *no;
  Json out = Json::array();
  for (const exchange::Session* session : switchboard_.core().sessions()) {
    out.push(Json::object({{"id", session->id.text()},
                           {"side", exchange::side_name(session->side)},
                           {"person", session->who.id.text()},
                           {"partner", session->who.partner.text()},
                           {"app", fmt::format("{}/{}", session->app.owner.text(), session->app.app.text())},
                           {"state", session->open()       ? "live"
                                     : session->holds != 0 ? "held"
                                                           : exchange::stage_name(session->stage)},
                           {"since", rfc3339(session->opened)},
                           {"streams", static_cast<int64_t>(session->gate->streams())},
                           {"requests", static_cast<int64_t>(session->gate->requests())},
                           {"verdict", session->verdict.id.text()},
                           {"valid_until", rfc3339(session->verdict.valid_until)}}));
  }
  co_return Answer{200, Json::object({{"sessions", std::move(out)}})};
}

net::Task<Api::Answer> Api::cut_session(Request request) {
  const SessionId id(request.name);
  const Result<std::string> reason = read_reason(request.body);
  if (!reason) co_return refusal(400, reason.error());
  if (switchboard_.core().session(id) == nullptr) co_return not_found("there is no such session now");
  coalition::Verdict verdict;
  if (auto no = refused(request.who, coalition::Action::administer, coalition::NodeRef{self_},
                        "cut session: " + *reason, verdict))
    co_return *no;
  exchange::Ending ending;
  ending.which = coalition::Refusal::denied;
  ending.what = fmt::format("An operator ended this session: {}", *reason);
  ending.change = "Ask the operators of the node.";
  ending.verdict = verdict.id;
  ending.policies = "operator";
  switchboard_.close(id, std::move(ending));  // at once; then it is said when it is on the disk
  ledger::Record leaf{.event_class = "session.cut", .time = clock_.now(), .fields = {}};
  leaf.fields.emplace_back("session", id.text());
  leaf.fields.emplace_back("who", request.who.id.text());
  leaf.fields.emplace_back("verdict", verdict.id.text());
  leaf.fields.emplace_back("reason", *reason);
  const bool durable = co_await record(std::move(leaf));
  co_return Answer{
      durable ? 200 : 507,
      Json::object({{"text", durable ? "the session is cut" : "the session is cut, not yet durable"},
                    {"durable", durable},
                    {"verdict", verdict.id.text()}})};
}

net::Task<Api::Answer> Api::list_connectors(Request request) {
  coalition::Verdict verdict;
  if (auto no = refused(request.who, coalition::Action::view, coalition::NodeRef{self_}, "list connectors",
                        verdict))
    co_return *no;
  Json out = Json::array();
  const auto up = switchboard_.core().connectors();
  for (const coalition::Connector* connector : records_.world().connectors()) {
    Json apps = Json::array();
    for (const AppId& app : connector->apps) apps.push(app.text());
    Json row = Json::object({{"id", connector->id.text()},
                             {"apps", std::move(apps)},
                             {"end", rfc3339(connector->end)},
                             {"state", "down"}});
    for (const auto& entry : up) {
      if (entry.id != connector->id) continue;
      row.set("state", entry.failures == 0 ? "up" : "failing");
      row.set("round_trip", fmt::format("{:.1f} ms", static_cast<double>(entry.round_trip_us) / 1000));
    }
    out.push(std::move(row));
  }
  co_return Answer{200, Json::object({{"connectors", std::move(out)}})};
}

net::Task<Api::Answer> Api::add_connector(Request request) {
  Fields fields(request.body, "");
  const std::string id = fields.text("id", 63);
  const std::vector<std::string> apps = fields.texts("apps", 64);
  const int64_t days = fields.integer_or("days", 90, 1, 400);
  if (!is_label(id)) fields.wrong("id", "this is no connector name", "write a-z, 0-9 and single hyphens");
  const Result<void> read = fields.done();
  if (!read) co_return refusal(400, read.error());
  coalition::Verdict verdict;
  if (auto no = refused(request.who, coalition::Action::administer, coalition::NodeRef{self_},
                        "expect connector " + id, verdict))
    co_return *no;
  const std::string token = crypto::random_token(32);
  const Result<Outcome> outcome = co_await commit(
      enrolment_change(id, apps, std::chrono::days(days), token, request.who, verdict, clock_.now()));
  if (!outcome) co_return refusal(status_of(outcome.error()), outcome.error());
  co_return Answer{200, Json::object({{"text", token},
                                      {"id", id},
                                      {"token", token},
                                      {"valid_until", rfc3339(clock_.now() + kEnrolmentLife)}})};
}

net::Task<Api::Answer> Api::show_verdict(Request request) {
  coalition::Verdict verdict;
  if (auto no = refused(request.who, coalition::Action::view, coalition::NodeRef{self_},
                        "read verdict " + request.name, verdict))
    co_return *no;
  const uint64_t size = records_.ledger().size();
  std::optional<Json> found;
  for (uint64_t skip = 0; !found && skip < std::min(size, kLookBackMax); skip += kLookBackSlice) {
    found = find_verdict(records_.ledger(), request.name, size, skip, kLookBackSlice);
    co_await switchboard_.loop().sleep(Millis(0));
  }
  if (!found) co_return not_found("no verdict of that id is in the newest part of the ledger");
  co_return Answer{200, *found};
}

net::Task<Api::Answer> Api::show_ledger(Request request) {
  coalition::Verdict verdict;
  if (auto no = refused(request.who, coalition::Action::view, coalition::NodeRef{self_}, "read the ledger",
                        verdict))
    co_return *no;
  uint64_t last = 20;
  const Result<net::Pairs> query = net::parse_form(request.query);
  if (query) {
    if (const std::string* text = net::find_pair(*query, "last")) {
      std::from_chars(text->data(), text->data() + text->size(), last);
    }
  }
  co_return Answer{200, ledger_tail(records_.ledger(), std::min<uint64_t>(last, 1000))};
}

net::Task<Api::Answer> Api::show_status(Request request) {
  coalition::Verdict verdict;
  if (auto no = refused(request.who, coalition::Action::view, coalition::NodeRef{self_}, "status", verdict))
    co_return *no;
  Json checks = Json::array();
  const auto check = [&](std::string_view state, std::string_view name, std::string text, std::string hint) {
    checks.push(Json::object(
        {{"state", state}, {"name", name}, {"text", std::move(text)}, {"hint", std::move(hint)}}));
  };
  const coalition::World& world = records_.world();
  check("good", "node", fmt::format("{} since {}", self_.text(), rfc3339(started_)), "");
  check("good", "world", fmt::format("revision {}", world.revision().value), "");
  check("good", "ledger", fmt::format("{} entries", records_.ledger().size()), "");
  const std::vector<LinkState> links = links_();
  for (const coalition::Partner* partner : world.partners()) {
    if (partner->code == self_) continue;
    const bool suspended = partner->state == coalition::PartnerState::suspended;
    LinkState state{partner->code, false, false};
    for (const LinkState& link : links) {
      if (link.partner == partner->code) state = link;
    }
    const bool well = state.asking && state.serving;
    check(suspended || well ? "good" : "bad", fmt::format("link {}", partner->code.text()),
          suspended ? "suspended: " + partner->state_reason
          : well    ? "open both ways"
                    : fmt::format("asking {}, serving {}", state.asking ? "open" : "down",
                               state.serving ? "open" : "down"),
          suspended || well ? ""
                            : "check that the partner's node runs and can be reached, and that both pin each "
                              "other's link certificate");
  }
  const auto up = switchboard_.core().connectors();
  for (const coalition::Connector* connector : world.connectors()) {
    const bool is_up =
        std::any_of(up.begin(), up.end(), [&](const auto& entry) { return entry.id == connector->id; });
    check(is_up ? "good" : "bad", fmt::format("connector {}", connector->id.text()),
          is_up ? "up" : "not connected",
          is_up ? "" : "start it beside its app: entente connector --config FILE");
  }
  co_return Answer{200,
                   Json::object({{"partner", self_.text()},
                                 {"revision", static_cast<int64_t>(world.revision().value)},
                                 {"sessions", static_cast<int64_t>(switchboard_.core().sessions().size())},
                                 {"checks", std::move(checks)}})};
}

}  // namespace entente::node
