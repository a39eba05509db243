// Requests, grants and delegations: what operators look at and answer, all through the desk that people's
// pages use too.
#include "base/fields.h"
#include "exchange/switchboard.h"
#include "node/api_answers.h"
#include "node/api_core.h"
#include "node/api_pages.h"
#include "node/operators.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace entente::node {
namespace {

using coalition::AccessRequest;
using coalition::AppRef;

exchange::Acting acting(const Caller& by, Instant now) {
  return {by.who, operator_context(by.network, now)};
}

// Whoever answers says which request they read, as the list shows it.
Result<exchange::AccessDesk::Said> read_answer(const Json& body) {
  Fields fields(body, "");
  exchange::AccessDesk::Said said;
  said.seen = take_line(fields, "seen");
  if (fields.has("words")) said.words = take_line(fields, "words");
  TRY_VOID(fields.done());
  return said;
}

// An answer may come with a word to whoever asked.
Result<std::string> read_words(const Json& body) {
  if (body.is_null()) return std::string();
  Fields fields(body, "");
  std::string words = fields.has("words") ? take_line(fields, "words") : std::string();
  TRY_VOID(fields.done());
  return words;
}

Json approvals_json(const AccessRequest& request) {
  Json out = Json::array();
  for (const coalition::Approval& one : request.approvals) {
    Json approval = Json::object({{"by", one.by}, {"at", rfc3339(one.at)}, {"verdict", one.verdict.text()}});
    if (!one.authority.empty()) approval.set("authority", one.authority);
    out.push(std::move(approval));
  }
  return out;
}

Json preview_json(const exchange::AccessDesk::Preview& preview) {
  Json out = Json::object({{"opens", preview.opens}, {"until", rfc3339(preview.until)}});
  if (!preview.why_not.empty()) out.set("why_not", preview.why_not);
  Json obligations = Json::array();
  for (const coalition::Obligation& one : preview.obligations) obligations.push(one.name);
  out.set("obligations", std::move(obligations));
  return out;
}

std::string_view state_text(const AccessRequest& request, bool out_of_time) {
  return out_of_time ? "over" : coalition::state_name(request.state);
}

struct AccessCalls {
  ApiCore& api;
  Records& records;
  exchange::Switchboard& switchboard;
  exchange::AccessDesk& access;
  const Clock& decisions;
  PartnerCode self;
  std::function<bool(const PersonId&)> is_in;

  Json request_json(const AccessRequest& request) const;
  Json request_row(const Caller& by, const AccessRequest& one) const;
  net::Task<Answer> list_requests(ApiRequest request);
  net::Task<Answer> show_request(ApiRequest request);
  // Why an answer to somebody's request came to nothing: what decide() says of it, where it says no.
  Answer unanswered(const ApiRequest& request, const AppId& app, const Error& why);
  net::Task<Answer> approve_request(ApiRequest request);
  net::Task<Answer> deny_request(ApiRequest request);
  net::Task<Answer> list_grants(ApiRequest request);
  net::Task<Answer> revoke_grant(ApiRequest request);
  net::Task<Answer> list_delegations(ApiRequest request);
  net::Task<Answer> add_delegation(ApiRequest request);
  net::Task<Answer> end_delegation(ApiRequest request);
};

}  // namespace

std::vector<ApiRoute> access_routes(ApiCore& api, const Api::Parts& parts) {
  using enum ApiRoute::Also;
  return routes_of(AccessCalls{api, parts.records, parts.switchboard, parts.access, parts.decisions,
                               parts.self, parts.is_in},
                   {
                       {"GET", "/v1/requests", &AccessCalls::list_requests},
                       {"GET", "/v1/requests/{}", &AccessCalls::show_request},
                       {"POST", "/v1/requests/{}/approve", &AccessCalls::approve_request},
                       {"POST", "/v1/requests/{}/deny", &AccessCalls::deny_request},
                       {"GET", "/v1/grants", &AccessCalls::list_grants},
                       {"POST", "/v1/grants/{}/revoke", &AccessCalls::revoke_grant, preview},
                       {"GET", "/v1/delegations", &AccessCalls::list_delegations},
                       {"POST", "/v1/delegations", &AccessCalls::add_delegation},
                       {"POST", "/v1/delegations/{}/end", &AccessCalls::end_delegation, preview},
                   });
}

Json AccessCalls::request_json(const AccessRequest& request) const {
  Json out = Json::object({{"id", request.id.text()},
                           {"app", fmt::format("{}/{}", request.owner.text(), request.app.text())},
                           {"partner", request.partner.text()},
                           {"person", request.person.text()},
                           {"who", exchange::person_text(records.world(), request.partner, request.facts)},
                           {"purpose", request.purpose},
                           {"minutes", request.minutes},
                           {"scope", coalition::scope_text(request.scope)},
                           {"asked", rfc3339(request.asked)},
                           {"seen", exchange::mark_of(records.world(), request)},
                           {"end", rfc3339(request.end)},
                           {"state", state_text(request, access.out_of_time(request))},
                           {"approvals", approvals_json(request)},
                           {"approvals_needed", request.approvals_needed},
                           {"answer", request.answer}});
  if (request.granted_until) out.set("granted_until", rfc3339(*request.granted_until));
  return out;
}

// With what approving would open, and whether it is theirs to answer.
Json AccessCalls::request_row(const Caller& by, const AccessRequest& one) const {
  Json row = request_json(one);
  const bool open = one.state == coalition::RequestState::open && !access.out_of_time(one);
  if (open) row.set("preview", preview_json(access.preview(one)));
  row.set("may_answer", open && access.may_answer(acting(by, decisions.now()), one));
  return row;
}

net::Task<Answer> AccessCalls::list_requests(ApiRequest request) {
  if (auto no = api.may_not_view(request, "list requests")) co_return *no;
  const Result<PageAsked> asked = read_page_asked(request.query);
  if (!asked) co_return refusal(400, asked.error());
  const coalition::World& world = records.world();
  const coalition::Page<AccessRequest> page = asked->all
                                                  ? world.requests(asked->after, kPageMax)
                                                  : world.waiting(switchboard.now(), asked->after, kPageMax);
  Json out = Json::array();
  for (const AccessRequest* one : page.items) out.push(request_row(request.by, *one));
  Json body = Json::object({{"requests", std::move(out)}});
  say_rest(body, page);
  co_return Answer{200, std::move(body)};
}

net::Task<Answer> AccessCalls::show_request(ApiRequest request) {
  if (auto no = api.may_not_view(request, "read request " + request.name)) co_return *no;
  const AccessRequest* known = records.world().request(RequestId(request.name));
  if (known == nullptr)
    co_return not_found(fmt::format("there is no request {} here", request.name), "request ls");
  co_return Answer{200, request_row(request.by, *known)};
}

Answer AccessCalls::unanswered(const ApiRequest& request, const AppId& app, const Error& why) {
  coalition::Verdict verdict;
  if (why.code() == "access.unknown") {
    if (auto no = api.refused(request, coalition::Action::approve, AppRef{self, app},
                              "answer " + request.name, verdict))
      return *no;
  }
  return refusal(status_of(why), why);
}

net::Task<Answer> AccessCalls::approve_request(ApiRequest request) {
  Result<exchange::AccessDesk::Said> said = read_answer(request.body);
  if (!said) co_return refusal(400, said.error());
  const AccessRequest* known = records.world().request(RequestId(request.name));
  if (known == nullptr)
    co_return not_found(fmt::format("there is no request {} here", request.name), "request ls");
  const AppId app = known->app;
  exchange::Acting by = acting(request.by, decisions.now());
  RequestId id(request.name);
  const Result<AccessRequest> made = co_await access.approve(std::move(by), std::move(id), std::move(*said));
  if (!made) co_return unanswered(request, app, made.error());
  Json body = request_json(*made);
  const std::string what =
      made->granted_until
          ? fmt::format("granted: {}/{} is open to this person of {} until {}", self.text(), app.text(),
                        made->partner.text(), rfc3339(*made->granted_until))
          : fmt::format("approved: {} of {} approvals", made->approvals.size(), made->approvals_needed);
  body.set("text", what);
  body.set("verdict", made->approvals.back().verdict.text());
  co_return Answer{200, std::move(body)};
}

net::Task<Answer> AccessCalls::deny_request(ApiRequest request) {
  Result<exchange::AccessDesk::Said> said = read_answer(request.body);
  if (!said) co_return refusal(400, said.error());
  const AccessRequest* known = records.world().request(RequestId(request.name));
  if (known == nullptr)
    co_return not_found(fmt::format("there is no request {} here", request.name), "request ls");
  const AppId app = known->app;
  exchange::Acting by = acting(request.by, decisions.now());
  RequestId id(request.name);
  const Result<AccessRequest> made = co_await access.deny(std::move(by), std::move(id), std::move(*said));
  if (!made) co_return unanswered(request, app, made.error());
  Json body = request_json(*made);
  body.set("text", fmt::format("denied; {} is told", made->partner.text()));
  co_return Answer{200, std::move(body)};
}

net::Task<Answer> AccessCalls::list_grants(ApiRequest request) {
  if (auto no = api.may_not_view(request, "list grants")) co_return *no;
  const Result<PageAsked> asked = read_page_asked(request.query);
  if (!asked) co_return refusal(400, asked.error());
  const Instant now = switchboard.now();
  const coalition::World& world = records.world();
  const coalition::Page<coalition::Grant> page =
      asked->all ? world.grants(asked->after, kPageMax) : world.holding(now, asked->after, kPageMax);
  std::map<RequestId, int64_t> sessions;
  for (const exchange::Session* session : switchboard.core().sessions()) ++sessions[session->entered_by];
  Json out = Json::array();
  for (const coalition::Grant* grant : page.items) {
    Json by = Json::array();
    for (const std::string& one : grant->approved_by) by.push(one);
    const auto inside = sessions.find(grant->id);
    const bool over = grant->end <= now || grant->used >= grant->count;
    out.push(Json::object({{"id", grant->id.text()},
                           {"app", fmt::format("{}/{}", self.text(), grant->app.text())},
                           {"partner", grant->partner.text()},
                           {"person", grant->person.text()},
                           {"purpose", grant->purpose},
                           {"scope", coalition::scope_text(grant->scope)},
                           {"start", rfc3339(grant->start)},
                           {"end", rfc3339(grant->end)},
                           {"count", grant->count},
                           {"used", grant->used},
                           {"approved_by", std::move(by)},
                           {"sessions", inside == sessions.end() ? 0 : inside->second},
                           {"state", over ? "over" : "given"}}));
  }
  Json body = Json::object({{"grants", std::move(out)}});
  say_rest(body, page);
  co_return Answer{200, std::move(body)};
}

// Answered as whatever narrows is: it acts at once, and it is said whether the disk has it.
net::Task<Answer> AccessCalls::revoke_grant(ApiRequest request) {
  const Result<std::string> words = read_words(request.body);
  if (!words) co_return refusal(400, words.error());
  const coalition::Grant* known = records.world().grant(RequestId(request.name));
  if (known == nullptr)
    co_return not_found(fmt::format("there is no grant {} here", request.name), "grant ls");
  const AppId app = known->app;
  const Instant now = decisions.now();
  const exchange::Acting by = acting(request.by, now);
  Result<exchange::AccessDesk::Revocation> taken = access.revocation(by, RequestId(request.name), *words);
  if (!taken) co_return unanswered(request, app, taken.error());
  Change change;
  change.records = taken->records;
  change.leaves = {record_of(taken->leaf, now)};
  change.author = request.by.who.id.text();
  change.narrowing = true;
  ApiCore::Words said;
  said.what = "the grant";
  said.done = fmt::format("the grant for {}/{} is taken back", self.text(), app.text());
  said.verdict = taken->verdict;
  said.decided = now;
  Answer answer = co_await api.change(request, std::move(change), std::move(said));
  if (api.acts(request, answer)) access.revoked(*taken);
  co_return answer;
}

net::Task<Answer> AccessCalls::list_delegations(ApiRequest request) {
  if (auto no = api.may_not_view(request, "list delegations")) co_return *no;
  const Result<PageAsked> asked = read_page_asked(request.query);
  if (!asked) co_return refusal(400, asked.error());
  const Instant now = switchboard.now();
  const coalition::Page<coalition::Delegation> page =
      page_of(records.world().delegations(), *asked, [&](const coalition::Delegation& one) {
        if (asked->all) return std::optional(one.start);
        return one.end > now ? std::optional(one.end) : std::nullopt;
      });
  Json out = Json::array();
  for (const coalition::Delegation* one : page.items) {
    Json row = Json::object({{"id", one->id.text()},
                             {"app", fmt::format("{}/{}", self.text(), one->app.text())},
                             {"from", one->from.text()},
                             {"to", one->to.text()},
                             {"start", rfc3339(one->start)},
                             {"end", rfc3339(one->end)},
                             {"state", one->end <= now ? "over" : "given"}});
    // An operator's right is their record, which is looked at each time.
    const bool by_record = records.world().operator_by_person(one->from) != nullptr;
    const std::optional<Instant> until = coalition::lender_known_until(*one, now);
    if (!by_record) row.set("known_until", until ? Json(rfc3339(*until)) : Json());
    out.push(std::move(row));
  }
  Json body = Json::object({{"delegations", std::move(out)}});
  say_rest(body, page);
  co_return Answer{200, std::move(body)};
}

// In the name of the person whom the operator's record names.
net::Task<Answer> AccessCalls::add_delegation(ApiRequest request) {
  Fields fields(request.body, "");
  AppId app(fields.text("app", 64));
  PersonId to(take_line(fields, "to"));
  const int64_t minutes =
      fields.integer("minutes", 1, coalition::kDelegationLifeMax / std::chrono::minutes(1));
  const Result<void> read = fields.done();
  if (!read) co_return refusal(400, read.error());
  if (records.world().app(AppRef{self, app}) == nullptr)
    co_return not_found(fmt::format("this node has no app {}", app.text()), "app list");
  exchange::Acting by = acting(request.by, decisions.now());
  const Result<RequestId> made = co_await access.delegate(std::move(by), app, to, minutes);
  if (!made) co_return unanswered(request, app, made.error());
  // They may come later: a slip is not refused, but it would let nobody answer, and nobody would know.
  const std::string_view unseen =
      !is_in(to)
          ? ". Nobody with this id is signed in here now: compare it with the end of their page My things"
          : "";
  co_return Answer{200, Json::object({{"id", made->text()},
                                      {"text", fmt::format("{} answers requests for {}/{} in your name{}",
                                                           to.text(), self.text(), app.text(), unseen)}})};
}

// It narrows: answered as taking a grant back is.
net::Task<Answer> AccessCalls::end_delegation(ApiRequest request) {
  const coalition::Delegation* known = records.world().delegation(RequestId(request.name));
  if (known == nullptr)
    co_return not_found(fmt::format("there is no delegation {} here", request.name), "delegation ls");
  const AppId app = known->app;
  const Instant now = decisions.now();
  Result<exchange::AccessDesk::DelegationEnd> taken =
      access.delegation_end(acting(request.by, now), RequestId(request.name));
  if (!taken) co_return unanswered(request, app, taken.error());
  Change change;
  change.records = std::move(taken->records);
  change.leaves = {record_of(std::move(taken->leaf), now)};
  change.author = request.by.who.id.text();
  change.narrowing = true;
  ApiCore::Words said;
  said.what = "the end of the delegation";
  said.done = "the delegation has ended";
  said.verdict = taken->verdict;
  said.decided = now;
  Answer answer = co_await api.change(std::move(request), std::move(change), std::move(said));
  co_return answer;
}

Json Api::requests_due(const Caller& by) const {
  const auto page = parts_.records.world().waiting(parts_.switchboard.now(), {}, kCountedMax);
  const auto theirs = std::ranges::count_if(page.items, [&](const AccessRequest* one) {
    return parts_.access.may_answer(acting(by, parts_.decisions.now()), *one);
  });
  return Json::object({{"count", theirs}, {"more", page.more > 0}});
}

}  // namespace entente::node
