// Apps, and the domains they are in.
#include "exchange/switchboard.h"
#include "node/api_answers.h"
#include "node/api_core.h"
#include "node/operators.h"

#include <fmt/format.h>

namespace entente::node {
namespace {

struct AppCalls {
  ApiCore& api;
  Records& records;
  exchange::Switchboard& switchboard;
  const Clock& clock;
  PartnerCode self;

  net::Task<Answer> list(ApiRequest request);
  net::Task<Answer> withdraw(ApiRequest request);
  net::Task<Answer> list_domains(ApiRequest request);
};

}  // namespace

std::vector<ApiRoute> apps_routes(ApiCore& api, const Api::Parts& parts) {
  using enum ApiRoute::Also;
  return routes_of(AppCalls{api, parts.records, parts.switchboard, parts.clock, parts.self},
                   {
                       {"GET", "/v1/apps", &AppCalls::list},
                       {"POST", "/v1/apps/{}/withdraw", &AppCalls::withdraw, preview},
                       {"GET", "/v1/domains", &AppCalls::list_domains},
                   });
}

net::Task<Answer> AppCalls::list(ApiRequest request) {
  if (auto no = api.may_not_view(request, "list apps")) co_return *no;
  Json out = Json::array();
  for (const coalition::App* app : records.world().apps()) {
    Json offered = Json::array();
    for (const PartnerCode& partner : app->offered_to) offered.push(partner.text());
    bool served = false;
    for (const auto& connector : switchboard.core().connectors()) {
      for (const AppId& id : connector.apps)
        served = served || (app->ref.owner == self && id == app->ref.app);
    }
    const bool reached = served && switchboard.core().roster().reaches(app->ref.app, clock.tick());
    out.push(Json::object({{"app", fmt::format("{}/{}", app->ref.owner.text(), app->ref.app.text())},
                           {"name", app->name},
                           {"banner", app->banner},
                           {"mission", app->mission.text()},
                           {"offered_to", std::move(offered)},
                           {"end", rfc3339(app->end)},
                           {"state", app->ref.owner != self ? "offered to us"
                                     : reached              ? "served"
                                     : served               ? "not reached"
                                                            : "no connector"}}));
  }
  co_return Answer{200, Json::object({{"apps", std::move(out)}})};
}

net::Task<Answer> AppCalls::withdraw(ApiRequest request) {
  const coalition::AppRef ref{self, AppId(request.name)};
  const Result<std::string> reason = read_reason(request.body, request.preview);
  if (!reason) co_return refusal(400, reason.error());
  if (records.world().app(ref) == nullptr)
    co_return not_found(fmt::format("this node has no app {}", request.name), "app list");
  coalition::Verdict verdict;
  if (auto no = api.refused(request, coalition::Action::administer, coalition::NodeRef{self},
                            "withdraw " + request.name + ": " + *reason, verdict))
    co_return *no;
  ApiCore::Words words{request.name, request.name + " is withdrawn", verdict.id, clock.now()};
  Answer answer = co_await api.change(
      request, app_withdrawal(records.world(), ref, *reason, request.by.who, verdict, clock.now()),
      std::move(words));
  co_return answer;
}

net::Task<Answer> AppCalls::list_domains(ApiRequest request) {
  if (auto no = api.may_not_view(request, "list domains")) co_return *no;
  Json out = Json::array();
  for (const coalition::Domain* domain : records.world().domains()) {
    Json partners = Json::array();
    for (const PartnerCode& partner : domain->partners) partners.push(partner.text());
    out.push(Json::object({{"id", domain->id.text()},
                           {"name", domain->name},
                           {"owner", domain->owner.text()},
                           {"mission", domain->mission.text()},
                           {"partners", std::move(partners)},
                           {"highest", domain->highest}}));
  }
  co_return Answer{200, Json::object({{"domains", std::move(out)}})};
}

}  // namespace entente::node
