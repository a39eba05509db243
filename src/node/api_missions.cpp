// Missions: what operators see of them, and their word on phase, threat and end.
#include "base/fields.h"
#include "exchange/switchboard.h"
#include "net/url.h"
#include "node/api_answers.h"
#include "node/api_core.h"
#include "node/missions.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::node {
namespace {

using coalition::Mission;

// By its id, or as people call it, percent-encoded in the path.
const Mission* find_mission(const coalition::World& world, std::string_view segment) {
  const Result<std::string> name = net::percent_decode(segment);
  if (!name) return nullptr;
  const Mission* found = nullptr;
  for (const Mission* mission : world.missions()) {
    if (mission->id.text() == *name) return mission;
    if (mission->name != *name) continue;
    if (found != nullptr) return nullptr;  // two of that name: say the id
    found = mission;
  }
  return found;
}

Answer no_mission(std::string_view segment) {
  const Result<std::string> name = net::percent_decode(segment);
  return not_found(fmt::format("there is no one mission {} here", name ? *name : std::string(segment)),
                   "mission ls");
}

struct MissionSaid {
  std::string word;
  std::string reason;
};
Result<MissionSaid> read_mission_said(const Json& body, std::string_view name, bool preview) {
  Fields fields(body, "");
  MissionSaid said;
  if (!name.empty()) {
    said.word = fields.text(name, 64);
    if (!is_mission_word(said.word))
      fields.wrong(name, "this is no phase or threat", "write a-z, 0-9 and hyphens");
  }
  said.reason = take_reason(fields, preview);
  TRY_VOID(fields.done());
  return said;
}

struct MissionCalls {
  ApiCore& api;
  Records& records;
  exchange::Switchboard& switchboard;
  MissionDesk& missions;
  const Clock& clock;
  const Clock& decisions;
  PartnerCode self;

  Json mission_json(const Mission& mission) const;
  net::Task<Answer> list(ApiRequest request);
  net::Task<Answer> show(ApiRequest request);
  // An operator's word on a mission, asked of decide() and said as every change is.
  net::Task<Answer> say(ApiRequest request, MissionDesk::Word word, std::string reason);
  net::Task<Answer> set_phase(ApiRequest request);
  net::Task<Answer> set_threat(ApiRequest request);
  net::Task<Answer> end(ApiRequest request);
};

}  // namespace

std::vector<ApiRoute> missions_routes(ApiCore& api, const Api::Parts& parts) {
  using enum ApiRoute::Also;
  return routes_of(MissionCalls{api, parts.records, parts.switchboard, parts.missions, parts.clock,
                                parts.decisions, parts.self},
                   {
                       {"GET", "/v1/missions", &MissionCalls::list},
                       {"GET", "/v1/missions/{}", &MissionCalls::show},
                       {"POST", "/v1/missions/{}/phase", &MissionCalls::set_phase, preview},
                       {"POST", "/v1/missions/{}/threat", &MissionCalls::set_threat, preview},
                       {"POST", "/v1/missions/{}/end", &MissionCalls::end, preview},
                   });
}

Json MissionCalls::mission_json(const Mission& mission) const {
  const Instant now = switchboard.now();
  const coalition::World& world = records.world();
  const auto codes = [](const std::vector<PartnerCode>& list) {
    Json out = Json::array();
    for (const PartnerCode& code : list) out.push(code.text());
    return out;
  };
  const auto of_it = [&](const coalition::AppRef& ref) {
    const coalition::App* app = world.app(ref);
    return app != nullptr && app->mission == mission.id;
  };
  const auto words = [](const std::vector<std::string>& list) {
    Json out = Json::array();
    for (const std::string& word : list) out.push(word);
    return out;
  };
  Json roles = Json::object();
  for (const auto& [role, phases] : mission.roles) roles.set(role, words(phases));
  Json apps = Json::array();
  for (const coalition::App* app : world.apps())
    if (app->mission == mission.id)
      apps.push(fmt::format("{}/{}", app->ref.owner.text(), app->ref.app.text()));
  const auto sessions =
      std::ranges::count_if(switchboard.core().sessions(), [&](const auto* one) { return of_it(one->app); });
  const auto grants = std::ranges::count_if(
      world.grants(), [&](const auto* one) { return one->end > now && of_it({self, one->app}); });
  const auto open = std::ranges::count_if(world.requests(), [&](const auto* one) {
    return one->state == coalition::RequestState::open && of_it({one->owner, one->app});
  });
  return Json::object({{"id", mission.id.text()},
                       {"name", mission.name},
                       {"state", mission.end <= now    ? "ended"
                                 : now < mission.start ? "planned"
                                                       : "under way"},
                       {"phase", mission.phase},
                       {"threat", mission.threat},
                       {"phases", words(mission.phases)},
                       {"threats", words(mission.threats)},
                       {"roles", std::move(roles)},
                       {"partners", codes(mission.partners)},
                       {"lead", mission.lead.text()},
                       {"number", mission.number},
                       {"known_by", codes(missions.known_by(mission))},
                       {"start", rfc3339(mission.start)},
                       {"end", rfc3339(mission.end)},
                       {"apps", std::move(apps)},
                       {"sessions", int64_t{sessions}},
                       {"requests", int64_t{open}},
                       {"grants", int64_t{grants}}});
}

net::Task<Answer> MissionCalls::list(ApiRequest request) {
  if (auto no = api.may_not_view(request, "list missions")) co_return *no;
  Json out = Json::array();
  for (const Mission* mission : records.world().missions()) out.push(mission_json(*mission));
  co_return Answer{200, Json::object({{"missions", std::move(out)}})};
}

net::Task<Answer> MissionCalls::show(ApiRequest request) {
  const Mission* mission = find_mission(records.world(), request.name);
  if (mission == nullptr) co_return no_mission(request.name);
  if (auto no = api.may_not_view(request, "show mission", mission->id)) co_return *no;
  co_return Answer{200, mission_json(*mission)};
}

net::Task<Answer> MissionCalls::say(ApiRequest request, MissionDesk::Word word, std::string reason) {
  const Mission* mission = find_mission(records.world(), request.name);
  if (mission == nullptr) co_return no_mission(request.name);
  const Instant now = clock.now();
  std::string what = "end";
  if (word.phase) what = "phase " + *word.phase;
  if (word.threat) what = "threat " + *word.threat;
  coalition::Verdict verdict;
  if (auto no = api.refused(request, coalition::Action::administer, mission->id,
                            fmt::format("{}: {}", what, reason), verdict))
    co_return *no;
  Result<MissionDesk::Step> step = missions.step(*mission, word, decisions.now());
  if (!step) co_return refusal(status_of(step.error()), step.error());
  ApiCore::Words words;
  words.what = mission->name;
  words.done = word.end
                   ? fmt::format("{} has ended", mission->name)
                   : fmt::format("{} is in phase {}, threat {}", mission->name,
                                 word.phase.value_or(mission->phase), word.threat.value_or(mission->threat));
  words.verdict = verdict.id;
  words.decided = now;
  ledger::Record leaf{.event_class = word.end ? "mission.end" : "mission.word", .time = now, .fields = {}};
  leaf.fields.emplace_back("who", request.by.who.id.text());
  leaf.fields.emplace_back("verdict", verdict.id.text());
  leaf.fields.emplace_back("mission", mission->id.text());
  leaf.fields.emplace_back("was_phase", mission->phase);
  leaf.fields.emplace_back("was_threat", mission->threat);
  leaf.fields.emplace_back("phase", word.phase.value_or(mission->phase));
  leaf.fields.emplace_back("threat", word.threat.value_or(mission->threat));
  if (word.end) leaf.fields.emplace_back("closed", std::ssize(step->closing.records));
  leaf.fields.emplace_back("reason", reason);
  step->change.leaves.push_back(std::move(leaf));
  step->change.author = request.by.who.id.text();
  Answer answer = co_await api.change(request, std::move(step->change), std::move(words));
  if (api.acts(request, answer)) missions.acts(step->closing);
  co_return answer;
}

net::Task<Answer> MissionCalls::set_phase(ApiRequest request) {
  Result<MissionSaid> said = read_mission_said(request.body, "phase", request.preview);
  if (!said) co_return refusal(400, said.error());
  MissionDesk::Word word;
  word.phase = said->word;
  Answer answer = co_await say(std::move(request), std::move(word), std::move(said->reason));
  co_return answer;
}

net::Task<Answer> MissionCalls::set_threat(ApiRequest request) {
  Result<MissionSaid> said = read_mission_said(request.body, "threat", request.preview);
  if (!said) co_return refusal(400, said.error());
  MissionDesk::Word word;
  word.threat = said->word;
  Answer answer = co_await say(std::move(request), std::move(word), std::move(said->reason));
  co_return answer;
}

net::Task<Answer> MissionCalls::end(ApiRequest request) {
  Result<MissionSaid> said = read_mission_said(request.body, {}, request.preview);
  if (!said) co_return refusal(400, said.error());
  MissionDesk::Word word;
  word.end = clock.now();
  Answer answer = co_await say(std::move(request), std::move(word), std::move(said->reason));
  co_return answer;
}

}  // namespace entente::node
