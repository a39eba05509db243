// Sessions: who is in which app, and cutting one.
#include "base/log.h"
#include "coalition/words.h"
#include "exchange/switchboard.h"
#include "node/api_answers.h"
#include "node/api_core.h"
#include "node/preview.h"

#include <fmt/format.h>

namespace entente::node {
namespace {

// What the verdict rests on, a sentence each.
Json reasons_json(const coalition::Verdict& verdict) {
  Json out = Json::array();
  for (const coalition::Reason& reason : verdict.reasons)
    if (!reason.text.empty()) out.push(reason.text);
  return out;
}

struct SessionCalls {
  ApiCore& api;
  Records& records;
  exchange::Switchboard& switchboard;
  const Clock& clock;
  PartnerCode self;

  net::Task<Answer> list(ApiRequest request);
  net::Task<Answer> cut(ApiRequest request);
};

}  // namespace

std::vector<ApiRoute> sessions_routes(ApiCore& api, const Api::Parts& parts) {
  using enum ApiRoute::Also;
  return routes_of(SessionCalls{api, parts.records, parts.switchboard, parts.clock, parts.self},
                   {
                       {"GET", "/v1/sessions", &SessionCalls::list},
                       {"POST", "/v1/sessions/{}/cut", &SessionCalls::cut, preview},
                   });
}

net::Task<Answer> SessionCalls::list(ApiRequest request) {
  if (auto no = api.may_not_view(request, "list sessions")) co_return *no;
  Json out = Json::array();
  for (const exchange::Session* session : switchboard.core().sessions()) {
    out.push(Json::object(
        {{"id", session->id.text()},
         {"side", exchange::side_name(session->side)},
         {"person", session->who.id.text()},
         {"partner", session->who.partner.text()},
         {"who", exchange::person_text(records.world(), session->who.partner, session->who.facts)},
         {"app", fmt::format("{}/{}", session->app.owner.text(), session->app.app.text())},
         {"state", session->open()       ? "live"
                   : session->holds != 0 ? "held"
                                         : exchange::stage_name(session->stage)},
         {"since", rfc3339(session->opened)},
         {"streams", static_cast<int64_t>(session->gate->streams())},
         {"requests", static_cast<int64_t>(session->gate->requests())},
         {"verdict", session->verdict.id.text()},
         {"reasons", reasons_json(session->verdict)},
         {"valid_until", rfc3339(session->verdict.valid_until)}}));
  }
  co_return Answer{200, Json::object({{"sessions", std::move(out)}})};
}

net::Task<Answer> SessionCalls::cut(ApiRequest request) {
  const SessionId id(request.name);
  const Result<std::string> reason = read_reason(request.body, request.preview);
  if (!reason) co_return refusal(400, reason.error());
  if (switchboard.core().session(id) == nullptr)
    co_return not_found("there is no such session now", "session ls");
  coalition::Verdict verdict;
  if (auto no = api.refused(request, coalition::Action::administer, coalition::NodeRef{self},
                            "cut session: " + *reason, verdict))
    co_return *no;
  if (request.preview) {
    const exchange::Session& session = *switchboard.core().session(id);
    Foreseen counted;
    const bool inside = session.stage == exchange::Stage::live;
    (inside ? counted.sessions : counted.admissions).add(session.who.partner);
    co_return api.foreseen(request, counted);
  }
  exchange::Ending ending;
  ending.which = coalition::Refusal::denied;
  ending.what = fmt::format("An operator ended this session: {}", *reason);
  ending.change = "It can be opened again where policies let you; its operators know more.";
  ending.who = coalition::partner_text(records.world(), self);
  ending.verdict = verdict.id;
  ending.policies = request.by.who.id.text();  // so that the ending's own leaf, which is kept for a disk that
                                               // comes back, says who it was
  switchboard.close(id, std::move(ending));    // at once; then it is said when it is on the disk
  ledger::Record leaf{.event_class = "session.cut", .time = clock.now(), .fields = {}};
  leaf.fields.emplace_back("session", id.text());
  leaf.fields.emplace_back("who", request.by.who.id.text());
  leaf.fields.emplace_back("verdict", verdict.id.text());
  leaf.fields.emplace_back("reason", *reason);
  Outcome outcome;
  outcome.held = 1;
  const auto seen = switchboard.seen_by_all();
  const Result<void> recorded = co_await api.record(std::move(leaf));
  const bool all = co_await seen->done.wait(exchange::Switchboard::kSeenMax);
  if (!all) log(LogLevel::error, "node", "a loop does not go on", {});
  outcome.durable = recorded.has_value();
  if (!recorded) outcome.why = recorded.error();
  co_return api.changed(outcome, {"the session", "the session is cut", verdict.id, clock.now()}, true);
}

}  // namespace entente::node
