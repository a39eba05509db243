// Connectors: which are up, expecting one and cutting one.
#include "base/fields.h"
#include "crypto/digest.h"
#include "exchange/switchboard.h"
#include "node/api_answers.h"
#include "node/api_core.h"
#include "node/operators.h"

#include <fmt/format.h>

namespace entente::node {
namespace {

struct ConnectorCalls {
  ApiCore& api;
  Records& records;
  exchange::Switchboard& switchboard;
  const Clock& clock;
  const Clock& decisions;
  PartnerCode self;

  net::Task<Answer> list(ApiRequest request);
  net::Task<Answer> expect(ApiRequest request);
  net::Task<Answer> cut(ApiRequest request);
};

}  // namespace

std::vector<ApiRoute> connectors_routes(ApiCore& api, const Api::Parts& parts) {
  using enum ApiRoute::Also;
  return routes_of(
      ConnectorCalls{api, parts.records, parts.switchboard, parts.clock, parts.decisions, parts.self},
      {
          {"GET", "/v1/connectors", &ConnectorCalls::list},
          {"POST", "/v1/connectors", &ConnectorCalls::expect, socket_only},
          {"POST", "/v1/connectors/{}/cut", &ConnectorCalls::cut, preview},
      });
}

net::Task<Answer> ConnectorCalls::list(ApiRequest request) {
  if (auto no = api.may_not_view(request, "list connectors")) co_return *no;
  Json out = Json::array();
  const auto up = switchboard.core().connectors();
  std::vector<Expected> expected = expected_connectors(records.world(), decisions.now());
  for (const coalition::Connector* connector : records.world().connectors()) {
    Json apps = Json::array();
    for (const AppId& app : connector->apps) apps.push(app.text());
    Json row = Json::object({{"id", connector->id.text()},
                             {"apps", std::move(apps)},
                             {"end", rfc3339(connector->end)},
                             {"state", "down"}});
    for (const auto& entry : up) {
      if (entry.id != connector->id) continue;
      row.set("state", entry.failures == 0 ? "up" : "failing");
      row.set("round_trip", round_trip_json(entry.round_trip_us));
    }
    std::erase_if(expected, [&](const Expected& token) {
      if (token.id != connector->id.text()) return false;
      row.set("token_until", rfc3339(token.until));
      return true;
    });
    out.push(std::move(row));
  }
  for (Expected& token : expected) {  // who would be new
    out.push(Json::object({{"id", token.id},
                           {"apps", std::move(token.apps)},
                           {"state", "expected"},
                           {"token_until", rfc3339(token.until)}}));
  }
  co_return Answer{200, Json::object({{"connectors", std::move(out)}})};
}

net::Task<Answer> ConnectorCalls::expect(ApiRequest request) {
  Fields fields(request.body, "");
  const std::string id = fields.text("id", 63);
  const std::vector<std::string> apps = fields.texts("apps", 64);
  const std::vector<std::string> nations = fields.texts_or_none("for", 64);
  const int64_t days = fields.integer_or("days", 90, 1, 400);
  const Result<void> read = fields.done();
  if (!read) co_return refusal(400, read.error());
  coalition::Verdict verdict;
  if (auto no = api.refused(request, coalition::Action::administer, coalition::NodeRef{self},
                            "expect connector " + id, verdict))
    co_return *no;
  const Result<void> known = check_connector(records.world(), id, apps, nations);
  if (!known) co_return refusal(400, known.error());
  const std::string token = crypto::random_token(32);
  ApiCore::Words words{id, token, verdict.id, clock.now()};
  Answer answer = co_await api.change(request,
                                      enrolment_change(id, apps, nations, std::chrono::days(days), token,
                                                       request.by.who, verdict, clock.now()),
                                      std::move(words));
  if (answer.status == 200) {
    answer.body.set("text", token);
    answer.body.set("id", id);
    answer.body.set("token", token);
    answer.body.set("valid_until", rfc3339(clock.now() + kEnrolmentLife));
  }
  co_return answer;
}

net::Task<Answer> ConnectorCalls::cut(ApiRequest request) {
  const Result<std::string> reason = read_reason(request.body, request.preview);
  if (!reason) co_return refusal(400, reason.error());
  const coalition::World& world = records.world();
  if (world.connector(ConnectorId(request.name)) == nullptr &&
      world.raw(enrolment_key(request.name)) == nullptr)
    co_return not_found(fmt::format("this node knows no connector {}", request.name), "connector list");
  coalition::Verdict verdict;
  if (auto no = api.refused(request, coalition::Action::administer, coalition::NodeRef{self},
                            "cut connector " + request.name + ": " + *reason, verdict))
    co_return *no;
  ApiCore::Words words{request.name,
                       request.name + " is cut: neither its certificate nor a token counts for anything here",
                       verdict.id, clock.now()};
  Answer answer = co_await api.change(
      request, connector_cut(request.name, *reason, request.by.who, verdict, clock.now()), std::move(words));
  co_return answer;
}

}  // namespace entente::node
