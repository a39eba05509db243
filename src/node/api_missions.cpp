// Missions: what operators see of them, and their word on phase, threat and end.
#include "net/url.h"
#include "node/api_answers.h"
#include "node/operators.h"

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

Api::Answer no_mission(std::string_view segment) {
  const Result<std::string> name = net::percent_decode(segment);
  return not_found(fmt::format("there is no one mission {} here", name ? *name : std::string(segment)),
                   "mission ls");
}

struct Said {
  std::string word;
  std::string reason;
};
Result<Said> read_said(const Json& body, std::string_view name, bool preview) {
  Fields fields(body, "");
  Said said;
  if (!name.empty()) {
    said.word = fields.text(name, 64);
    if (!is_mission_word(said.word))
      fields.wrong(name, "this is no phase or threat", "write a-z, 0-9 and hyphens");
  }
  said.reason = take_reason(fields, preview);
  TRY_VOID(fields.done());
  return said;
}

}  // namespace

Json Api::mission_json(const Mission& mission) const {
  const Instant now = parts_.switchboard.now();
  const coalition::World& world = parts_.records.world();
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
  const auto sessions = std::ranges::count_if(parts_.switchboard.core().sessions(),
                                              [&](const auto* one) { return of_it(one->app); });
  const auto grants = std::ranges::count_if(
      world.grants(), [&](const auto* one) { return one->end > now && of_it({parts_.self, one->app}); });
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
                       {"known_by", codes(parts_.missions.known_by(mission))},
                       {"start", rfc3339(mission.start)},
                       {"end", rfc3339(mission.end)},
                       {"apps", std::move(apps)},
                       {"sessions", int64_t{sessions}},
                       {"requests", int64_t{open}},
                       {"grants", int64_t{grants}}});
}

net::Task<Api::Answer> Api::list_missions(Request request) {
  if (auto no = may_not_view(request, "list missions")) co_return *no;
  Json out = Json::array();
  for (const Mission* mission : parts_.records.world().missions()) out.push(mission_json(*mission));
  co_return Answer{200, Json::object({{"missions", std::move(out)}})};
}

net::Task<Api::Answer> Api::show_mission(Request request) {
  const Mission* mission = find_mission(parts_.records.world(), request.name);
  if (mission == nullptr) co_return no_mission(request.name);
  if (auto no = may_not_view(request, "show mission", mission->id)) co_return *no;
  co_return Answer{200, mission_json(*mission)};
}

net::Task<Api::Answer> Api::say_of_mission(Request request, MissionDesk::Word word, std::string reason) {
  const Mission* mission = find_mission(parts_.records.world(), request.name);
  if (mission == nullptr) co_return no_mission(request.name);
  const Instant now = parts_.clock.now();
  std::string what = "end";
  if (word.phase) what = "phase " + *word.phase;
  if (word.threat) what = "threat " + *word.threat;
  coalition::Verdict verdict;
  if (auto no = refused(request, coalition::Action::administer, mission->id,
                        fmt::format("{}: {}", what, reason), verdict))
    co_return *no;
  Result<MissionDesk::Step> step = parts_.missions.step(*mission, word, parts_.decisions.now());
  if (!step) co_return refusal(status_of(step.error()), step.error());
  Words words;
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
  Answer answer = co_await change(request, std::move(step->change), std::move(words));
  if (acts(request, answer)) parts_.missions.acts(step->closing);
  co_return answer;
}

net::Task<Api::Answer> Api::set_phase(Request request) {
  Result<Said> said = read_said(request.body, "phase", request.preview);
  if (!said) co_return refusal(400, said.error());
  MissionDesk::Word word;
  word.phase = said->word;
  Answer answer = co_await say_of_mission(std::move(request), std::move(word), std::move(said->reason));
  co_return answer;
}

net::Task<Api::Answer> Api::set_threat(Request request) {
  Result<Said> said = read_said(request.body, "threat", request.preview);
  if (!said) co_return refusal(400, said.error());
  MissionDesk::Word word;
  word.threat = said->word;
  Answer answer = co_await say_of_mission(std::move(request), std::move(word), std::move(said->reason));
  co_return answer;
}

net::Task<Api::Answer> Api::end_mission(Request request) {
  Result<Said> said = read_said(request.body, {}, request.preview);
  if (!said) co_return refusal(400, said.error());
  MissionDesk::Word word;
  word.end = parts_.clock.now();
  Answer answer = co_await say_of_mission(std::move(request), std::move(word), std::move(said->reason));
  co_return answer;
}

}  // namespace entente::node
