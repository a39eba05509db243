#include "coalition/random_world_test.h"

#include <array>

#include <fmt/format.h>

namespace entente::coalition::example {
namespace {

const std::vector<std::string> kCodes{"XAA", "XBB", "XCC", "XDD"};
const std::vector<std::string> kMissions{"one", "two", "three"};
const std::vector<std::string> kApps{"cop", "tides", "stores"};
const std::vector<std::string> kRoles{"planner", "officer", "analyst", "clerk"};
const std::vector<std::string> kLevelNames{"UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET"};

std::string time_text(Dice& dice, size_t from, size_t to) {
  return rfc3339(grid(from + dice.below(to - from)));
}

Json codes_json(Dice& dice, bool all_likely) {
  Json out = Json::array();
  for (const std::string& code : kCodes) {
    if (code != "XDD" && (all_likely ? !dice.once_in(6) : dice.once_in(2))) out.push(code);
  }
  if (out.items().empty()) out.push("XAA");
  return out;
}

Json random_partner(Dice& dice, const std::string& code) {
  const bool suspended = code != "XAA" && dice.once_in(8);
  return Json::object({{"name", "Nation " + code},
                       {"state", suspended ? "suspended" : "active"},
                       {"member_since", time_text(dice, 0, dice.once_in(6) ? 16 : 2)},
                       {"member_until", time_text(dice, dice.once_in(6) ? 17 : 20, 24)},
                       {"ceiling", dice.one_of(kLevelNames)}});
}

Json random_mission(Dice& dice) {
  Json roles = Json::object();
  if (dice.once_in(3)) roles.set("planner", Json::array({dice.once_in(2) ? "plan" : "execute"}));
  return Json::object({{"name", "A mission"},
                       {"roles", std::move(roles)},
                       {"partners", codes_json(dice, true)},
                       {"phase", dice.once_in(2) ? "plan" : "execute"},
                       {"threat", dice.once_in(3) ? "high" : "low"},
                       {"start", time_text(dice, 0, dice.once_in(5) ? 15 : 3)},
                       {"end", time_text(dice, dice.once_in(5) ? 15 : 20, 24)}});
}

Json random_app(Dice& dice, const std::string& owner) {
  const std::string& mission = dice.one_of(kMissions);
  Json offered = codes_json(dice, true);
  bool has_self = false;
  for (const Json& code : offered.items()) has_self = has_self || code.string() == "XAA";
  if (!has_self) offered.push("XAA");
  return Json::object({{"owner", owner},
                       {"name", "An app"},
                       {"banner", "EXERCISE"},
                       {"classification", kLevelNames[dice.below(3)]},
                       {"mission", mission},
                       {"segment", "s-" + mission},
                       {"offered_to", std::move(offered)},
                       {"shares", Json::array()},
                       {"end", time_text(dice, dice.once_in(5) ? 12 : 18, 24)}});
}

Json random_record(Dice& dice, const std::string& key) {
  if (key.starts_with("partner/")) return random_partner(dice, key.substr(8));
  if (key.starts_with("mission/")) return random_mission(dice);
  if (key.starts_with("app/")) return random_app(dice, "XAA");
  if (key.starts_with("offer/")) return random_app(dice, key.substr(6, 3));
  if (key.starts_with("operator/")) {
    return Json::object({{"display", "Somebody"},
                         {"roles", Json::array({dice.once_in(2) ? "security-officer" : "auditor"})},
                         {"end", time_text(dice, 10, 24)}});
  }
  return Json::object({{"number", static_cast<int64_t>(dice.below(5))}});
}

Fact random_fact(Dice& dice, FactValue value) {
  return {std::move(value), "test", grid(dice.once_in(8) ? dice.below(24) : 18 + dice.below(6))};
}

}  // namespace

Instant grid(size_t step) {
  return kNow + std::chrono::hours(static_cast<int64_t>(step) - kGridSteps / 2);
}

std::vector<PolicyLine> policy_pool() {
  std::vector<PolicyLine> pool;
  const auto add = [&](const std::string& layer, const std::string& effect, const std::string& scope,
                       const std::string& when) {
    pool.push_back({layer, fmt::format("@reason(\"because\")\n{} ({}) when {{ {} }};", effect, scope, when),
                    effect == "permit"});
  };
  const std::string any = "principal, action, resource";
  const std::string app = "principal, action, resource is Entente::App";
  for (const std::string layer : {"coalition", "host", "home"}) {
    add(layer, "permit", any, "context.risk <= 60");
    add(layer, "permit", app, "principal.clearance >= resource.classification");
    add(layer, "permit", app, R"(principal.roles.contains("planner") && resource.mission.phase == "plan")");
    add(layer, "permit", app, fmt::format("context.now < datetime(\"{}\")", rfc3339(grid(16))));
    add(layer, "permit", app, fmt::format("datetime(\"{}\") <= context.now", rfc3339(grid(14))));
    add(layer, "permit", app, R"(resource in Entente::Mission::"two")");
    add(layer, "permit", any, "principal.operator");
    add(layer, "forbid", app, R"(resource.mission.threat == "high" && principal.assurance < 3)");
    add(layer, "forbid", app, "resource.end < context.now");
    add(layer, "forbid", app, fmt::format("context.now >= datetime(\"{}\")", rfc3339(grid(19))));
    add(layer, "forbid", app, R"(resource.owner.ceiling < resource.classification)");
    add(layer, "forbid", app,
        R"(Entente::Partner::"XDD" has state && Entente::Partner::"XDD".state == "active")");
    add(layer, "forbid", any, R"(principal in Entente::Partner::"XBB" && context.risk > 30)");
    add(layer, "forbid", app, fmt::format("context.now <= datetime(\"{}\")", rfc3339(grid(8))));
  }
  return pool;
}

Records random_records(Dice& dice) {
  Records out;
  out["node/self"] = Json::object({{"partner", "XAA"}});
  std::vector<std::string> keys{"app/cop", "offer/XBB/tides", "operator/one", "crosswalk/XBB"};
  for (const std::string code : {"XAA", "XBB", "XCC"}) keys.push_back("partner/" + code);
  for (const std::string& mission : kMissions) keys.push_back("mission/" + mission);
  if (dice.once_in(2)) keys.emplace_back("app/tides");
  if (dice.once_in(2)) keys.emplace_back("offer/XCC/stores");
  if (dice.once_in(4)) keys.emplace_back("partner/XDD");
  for (const std::string& key : keys) out[key] = random_record(dice, key);
  for (const std::string& mission : kMissions) {
    out["segment/s-" + mission] = Json::object({{"name", "Segment"}, {"mission", mission}});
  }
  out["schema"] = Json::object({{"text", read_source("demo/coalition/policies/schema.cedarschema")}});
  size_t number = 0;
  for (const PolicyLine& line : policy_pool()) {
    ++number;
    if (!dice.once_in(line.permit ? 2 : 4)) continue;
    out[fmt::format("policy/{}/p{}", line.layer, number)] =
        Json::object({{"text", fmt::format("@id(\"p{}\")\n{}", number, line.text)}});
  }
  return out;
}

Ask random_ask(Dice& dice) {
  Ask out;
  out.id = VerdictId("v");
  out.now = grid(dice.once_in(4) ? dice.below(24) : 6 + dice.below(12));
  if (dice.once_in(4)) out.now += Millis(1);
  const std::string partner = dice.once_in(8) ? "XDD" : kCodes[dice.below(3)];
  out.who.partner = PartnerCode(partner);
  out.who.id = PersonId("p");
  out.who.facts["clearance"] = random_fact(dice, kLevelNames[dice.below(dice.once_in(3) ? 4 : 2)]);
  out.who.facts["nationality"] = random_fact(dice, dice.once_in(20) ? "XCC" : partner);
  out.who.facts["role"] = random_fact(dice, dice.one_of(kRoles));
  out.who.facts["assurance"] = random_fact(dice, static_cast<int64_t>(1 + dice.below(4)));
  out.who.facts["missions"] = random_fact(dice, std::vector<std::string>{dice.one_of(kMissions)});
  out.context["risk"] = random_fact(dice, static_cast<int64_t>(dice.below(80)));
  out.context["network"] = random_fact(dice, std::string("office"));
  out.action = dice.once_in(2) ? Action::open : Action::view;
  out.target = app(dice.once_in(2) ? "XAA" : kCodes[dice.below(4)], dice.one_of(kApps));
  if (dice.once_in(8)) {
    out.action = Action::administer;
    out.who.id = PersonId(dice.once_in(4) ? "operator/two" : "operator/one");
    out.who.partner = PartnerCode("XAA");
    if (dice.once_in(2)) out.target = PartnerCode("XBB");
  }
  return out;
}

std::vector<Record> random_change(Dice& dice, const Records& records) {
  static const std::vector<std::string> new_keys{"partner/XDD",  "app/stores",   "offer/XCC/cop",
                                                 "operator/two", "mission/four", "app/tides",
                                                 "crosswalk/XCC"};
  if (dice.once_in(4)) {
    const std::string& key = dice.one_of(new_keys);
    return {{key, random_record(dice, key)}};
  }
  auto chosen = records.begin();
  std::advance(chosen, static_cast<std::ptrdiff_t>(dice.below(records.size())));
  const std::string& key = chosen->first;
  if (key == "schema" || key == "node/self" || key.starts_with("segment/")) return {};
  if (dice.once_in(4) || key.starts_with("policy/")) return {{key, std::nullopt}};
  return {{key, random_record(dice, key)}};
}

void apply(Records& records, const std::vector<Record>& changes) {
  for (const Record& change : changes) {
    if (change.value) {
      records[change.key] = *change.value;
    } else {
      records.erase(change.key);
    }
  }
}

}  // namespace entente::coalition::example
