// Requests and grants: what operators look at and answer, all through the desk that people's pages use too.
#include "crypto/digest.h"
#include "node/api_answers.h"
#include "node/operators.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::node {
namespace {

using coalition::AccessRequest;
using coalition::AppRef;

exchange::Acting acting(const Caller& by, Instant now) {
  return {by.who, operator_context(by.network, now)};
}

struct SaidOfRequest {
  std::string words;  // to whoever asked
  std::string seen;   // the mark of the request that was read; empty where nobody says
};
Result<SaidOfRequest> read_answer(const Json& body) {
  SaidOfRequest said;
  if (body.is_null()) return said;
  Fields fields(body, "");
  if (fields.has("words")) said.words = take_line(fields, "words");
  if (fields.has("seen")) said.seen = take_line(fields, "seen");
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

// Of all that an approver reads: a partner may take a request back and ask for something else by the same id.
std::string mark_of(const coalition::World& world, const AccessRequest& request) {
  const Json read = Json::array(
      {request.id.text(), request.owner.text(), request.app.text(), request.partner.text(),
       request.person.text(), exchange::person_text(world, request.partner, request.facts), request.purpose,
       request.minutes, coalition::scope_text(request.scope), rfc3339(request.asked)});
  return base64url(crypto::sha256(read.canonical()));
}

std::optional<Error> other_than(const std::string& seen, const coalition::World& world,
                                const AccessRequest& request) {
  if (seen.empty() || seen == mark_of(world, request)) return std::nullopt;
  return Error{
      "access.over", "this request was taken back, and another is asked by its name", {}, "read it again"};
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

const AccessRequest* find_request(const coalition::World& world, std::string_view id) {
  for (const AccessRequest* request : world.requests())
    if (request->id.text() == id) return request;
  return nullptr;
}

}  // namespace

Json Api::request_json(const AccessRequest& request) const {
  Json out = Json::object({{"id", request.id.text()},
                           {"app", fmt::format("{}/{}", request.owner.text(), request.app.text())},
                           {"partner", request.partner.text()},
                           {"person", request.person.text()},
                           {"who", exchange::person_text(records_.world(), request.partner, request.facts)},
                           {"purpose", request.purpose},
                           {"minutes", request.minutes},
                           {"scope", coalition::scope_text(request.scope)},
                           {"asked", rfc3339(request.asked)},
                           {"seen", mark_of(records_.world(), request)},
                           {"end", rfc3339(request.end)},
                           {"state", state_text(request, access_.out_of_time(request))},
                           {"approvals", approvals_json(request)},
                           {"approvals_needed", request.approvals_needed},
                           {"answer", request.answer}});
  if (request.granted_until) out.set("granted_until", rfc3339(*request.granted_until));
  return out;
}

net::Task<Api::Answer> Api::list_requests(Request request) {
  coalition::Verdict verdict;
  if (auto no =
          refused(request, coalition::Action::view, coalition::NodeRef{self_}, "list requests", verdict))
    co_return *no;
  std::vector<const AccessRequest*> found = records_.world().requests();
  std::ranges::sort(found, {}, [](const AccessRequest* one) { return one->asked; });
  std::vector<RequestId> mine;
  for (const AccessRequest& one : access_.to_answer(acting(request.by, clock_.now()))) mine.push_back(one.id);
  Json out = Json::array();
  for (const AccessRequest* one : found) {
    const bool open = one->state == coalition::RequestState::open && !access_.out_of_time(*one);
    if (!open && request.query != "all=true") continue;
    Json row = request_json(*one);
    if (open) row.set("preview", preview_json(access_.preview(*one)));
    row.set("may_answer", std::ranges::find(mine, one->id) != mine.end());
    out.push(std::move(row));
  }
  co_return Answer{200, Json::object({{"requests", std::move(out)}})};
}

Api::Answer Api::unanswered(const Request& request, const AppId& app, const Error& why) {
  coalition::Verdict verdict;
  if (why.code() == "access.unknown") {
    if (auto no = refused(request, coalition::Action::approve, AppRef{self_, app}, "answer " + request.name,
                          verdict))
      return *no;
  }
  return refusal(status_of(why), why);
}

net::Task<Api::Answer> Api::approve_request(Request request) {
  const Result<SaidOfRequest> said = read_answer(request.body);
  if (!said) co_return refusal(400, said.error());
  const AccessRequest* known = find_request(records_.world(), request.name);
  if (known == nullptr) co_return not_found(fmt::format("there is no request {} here", request.name));
  if (const std::optional<Error> other = other_than(said->seen, records_.world(), *known))
    co_return refusal(status_of(*other), *other);
  const AppId app = known->app;
  exchange::Acting by = acting(request.by, clock_.now());
  RequestId id(request.name);
  const Result<AccessRequest> made = co_await access_.approve(std::move(by), std::move(id), said->words);
  if (!made) co_return unanswered(request, app, made.error());
  Json body = request_json(*made);
  const std::string what =
      made->granted_until
          ? fmt::format("granted: {}/{} is open to this person of {} until {}", self_.text(), app.text(),
                        made->partner.text(), rfc3339(*made->granted_until))
          : fmt::format("approved: {} of {} approvals", made->approvals.size(), made->approvals_needed);
  body.set("text", what);
  body.set("verdict", made->approvals.back().verdict.text());
  co_return Answer{200, std::move(body)};
}

net::Task<Api::Answer> Api::deny_request(Request request) {
  const Result<SaidOfRequest> said = read_answer(request.body);
  if (!said) co_return refusal(400, said.error());
  const AccessRequest* known = find_request(records_.world(), request.name);
  if (known == nullptr) co_return not_found(fmt::format("there is no request {} here", request.name));
  if (const std::optional<Error> other = other_than(said->seen, records_.world(), *known))
    co_return refusal(status_of(*other), *other);
  const AppId app = known->app;
  exchange::Acting by = acting(request.by, clock_.now());
  RequestId id(request.name);
  const Result<AccessRequest> made = co_await access_.deny(std::move(by), std::move(id), said->words);
  if (!made) co_return unanswered(request, app, made.error());
  Json body = request_json(*made);
  body.set("text", fmt::format("denied; {} is told", made->partner.text()));
  co_return Answer{200, std::move(body)};
}

net::Task<Api::Answer> Api::list_grants(Request request) {
  coalition::Verdict verdict;
  if (auto no = refused(request, coalition::Action::view, coalition::NodeRef{self_}, "list grants", verdict))
    co_return *no;
  const Instant now = switchboard_.now();
  Json out = Json::array();
  for (const coalition::Grant* grant : records_.world().grants()) {
    Json by = Json::array();
    for (const std::string& one : grant->approved_by) by.push(one);
    int64_t sessions = 0;
    for (const exchange::Session* session : switchboard_.core().sessions())
      sessions += session->entered_by == grant->id ? 1 : 0;
    const bool over = grant->end <= now || grant->used >= grant->count;
    out.push(Json::object({{"id", grant->id.text()},
                           {"app", fmt::format("{}/{}", self_.text(), grant->app.text())},
                           {"partner", grant->partner.text()},
                           {"person", grant->person.text()},
                           {"purpose", grant->purpose},
                           {"scope", coalition::scope_text(grant->scope)},
                           {"start", rfc3339(grant->start)},
                           {"end", rfc3339(grant->end)},
                           {"count", grant->count},
                           {"used", grant->used},
                           {"approved_by", std::move(by)},
                           {"sessions", sessions},
                           {"state", over ? "over" : "given"}}));
  }
  co_return Answer{200, Json::object({{"grants", std::move(out)}})};
}

// Answered as whatever narrows is: it acts at once, and it is said whether the disk has it.
net::Task<Api::Answer> Api::revoke_grant(Request request) {
  const Result<std::string> words = read_words(request.body);
  if (!words) co_return refusal(400, words.error());
  std::optional<AppId> app;
  for (const coalition::Grant* grant : records_.world().grants())
    if (grant->id.text() == request.name) app = grant->app;
  if (!app) co_return not_found(fmt::format("there is no grant {} here", request.name));
  const Instant now = clock_.now();
  const exchange::Acting by = acting(request.by, now);
  Result<exchange::AccessDesk::Revocation> taken = access_.revocation(by, RequestId(request.name), *words);
  if (!taken) co_return unanswered(request, *app, taken.error());
  Change change;
  change.records = taken->records;
  change.leaves = {record_of(taken->leaf, now)};
  change.author = request.by.who.id.text();
  change.narrowing = true;
  Words said;
  said.what = "the grant";
  said.done = fmt::format("the grant for {}/{} is taken back", self_.text(), app->text());
  said.verdict = taken->verdict;
  said.decided = now;
  Answer answer = co_await this->change(std::move(change), std::move(said));
  if (answer.status == 200 || answer.status == 507) access_.revoked(*taken);
  co_return answer;
}

}  // namespace entente::node
