// A coalition of any size for measurements: Aldoria's node, Borealis as its partner, and `apps` apps.
#pragma once

#include "base/file.h"
#include "coalition/decide.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace bench {

using namespace entente;

inline const Instant kNow = from_unix_seconds(1795262400);  // 2026-11-21T12:00:00Z

inline Json json(std::string_view text) {
  auto parsed = Json::parse(text);
  if (!parsed) {
    fmt::print(stderr, "{}\n", parsed.error().text());
    std::exit(2);
  }
  return *std::move(parsed);
}

inline std::string whole_file(const std::filesystem::path& path) {
  auto text = read_file(path);
  if (!text) {
    fmt::print(stderr, "{}\n", text.error().text());
    std::exit(2);
  }
  return *std::move(text);
}

inline Json text_record(const std::string& policies, const std::string& name) {
  return Json::object({{"text", whole_file(policies + "/" + name)}});
}

inline Json partner(const std::string& name, char print) {
  Json out = json(R"({"state": "active", "member_since": "2026-06-01T00:00:00Z",
                      "member_until": "2027-06-01T00:00:00Z", "ceiling": "SECRET"})");
  out.set("name", name);
  return out.set("link_thumbprints", Json::array({std::string(42, print) + "A"}));
}

inline coalition::Record app(const std::string& name, size_t version) {
  Json value = json(R"({"owner": "XAA", "classification": "RESTRICTED", "mission": "harbor-light",
                        "segment": "maritime", "end": "2027-01-31T00:00:00Z", "offered_to": ["XBB"],
                        "shares": ["clearance", "nationality", "role", "assurance", "missions"]})");
  value.set("name", fmt::format("App {}", name))
      .set("banner", fmt::format("EXERCISE RESTRICTED {}", version));
  return {"app/" + name, std::move(value)};
}

// `policies`: the folder of the demonstration's policies.
inline std::vector<coalition::Record> records(const std::string& policies, size_t apps) {
  std::vector<coalition::Record> out;
  out.push_back({"node/self", json(R"({"partner": "XAA"})")});
  out.push_back({"partner/XAA", partner("Aldoria", 'a')});
  out.push_back({"partner/XBB", partner("Borealis", 'b')});
  out.push_back({"mission/harbor-light",
                 json(R"({"name": "Harbor Light", "partners": ["XAA", "XBB"], "phase": "execute",
                          "threat": "low", "start": "2026-11-01T00:00:00Z", "end": "2027-02-01T00:00:00Z"})")});
  out.push_back({"segment/maritime", json(R"({"name": "Maritime picture", "mission": "harbor-light"})")});
  out.push_back({"schema", text_record(policies, "schema.cedarschema")});
  out.push_back({"policy/coalition/base", text_record(policies, "coalition/base.cedar")});
  out.push_back({"policy/host/cop", text_record(policies, "xaa/host/cop.cedar")});
  out.push_back({"policy/host/operators", text_record(policies, "xaa/host/operators.cedar")});
  out.push_back({"policy/home/people", text_record(policies, "xaa/home/people.cedar")});
  out.push_back(app("cop", 1));
  for (size_t i = 0; i < apps; ++i) out.push_back(app(fmt::format("a{}", i), 1));
  return out;
}

inline coalition::Fact fact(coalition::FactValue value) {
  return {std::move(value), "idp.XBB", kNow + std::chrono::hours(1)};
}

// A planner of `partner` asks to GET `path` of the map.
inline coalition::Ask planner(const std::string& partner, std::string path) {
  coalition::Ask ask;
  ask.id = VerdictId("bench");
  ask.action = coalition::Action::open;
  ask.who.id = PersonId("p-planner");
  ask.who.partner = PartnerCode(partner);
  ask.who.facts["clearance"] = fact(std::string("CONFIDENTIAL"));
  ask.who.facts["nationality"] = fact(partner);
  ask.who.facts["role"] = fact(std::string("planner"));
  ask.who.facts["assurance"] = fact(int64_t{3});
  ask.who.facts["missions"] = fact(std::vector<std::string>{"harbor-light"});
  ask.target = coalition::AppRef{PartnerCode("XAA"), AppId("cop")};
  ask.now = kNow;
  ask.context["risk"] = fact(int64_t{0});
  ask.context["network"] = fact(std::string("door"));
  ask.http = coalition::HttpFacts{"GET", std::move(path)};
  return ask;
}

}  // namespace bench
