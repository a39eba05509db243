#include "coalition/example_test.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace entente::coalition::example {
namespace {

Json json(std::string_view text) {
  auto parsed = Json::parse(text);
  REQUIRE_MESSAGE(parsed, text);
  return *std::move(parsed);
}

Json partner(const std::string& name, const std::string& ceiling, char print) {
  Json out = json(R"({"state": "active", "member_since": "2026-06-01T00:00:00Z",
                      "member_until": "2027-06-01T00:00:00Z"})");
  out.set("name", name).set("ceiling", ceiling);
  return out.set("link_thumbprints", Json::array({std::string(42, print) + "A"}));
}

void add_policy(Records& out, const std::string& key, const std::string& path) {
  out[key] = Json::object({{"text", read_source("demo/coalition/policies/" + path)}});
}

// What objects' policies are read in, as the demonstration has it.
void add_vocabulary(Records& out) {
  const Json members = json(read_source("demo/coalition/members.json"));
  for (const auto& [key, value] : members.members()) {
    const bool wanted = key.starts_with("attribute/") || key.starts_with("domain/") ||
                        key.starts_with("label-policy/") || key.starts_with("key-service/");
    if (!wanted) continue;
    out[key] = value;
    // The launcher puts the services' public keys in here; nothing that is decided reads them.
    if (key.starts_with("key-service/"))
      std::erase_if(out[key].members(), [](const Json::Member& member) {
        return member.first == "keys" || member.first == "originator_keys";
      });
  }
  Json& policy = out["label-policy/harbor-light"];
  std::erase_if(policy.members(), [](const Json::Member& member) { return member.first == "file"; });
  policy.set("spif", read_source("demo/coalition/labels/harbor-light.spif.xml"));
}

Json app_record(const std::string& owner, const std::string& name, const std::string& offered_to) {
  Json out =
      json(R"({"banner": "EXERCISE RESTRICTED", "classification": "RESTRICTED", "mission": "harbor-light",
                      "segment": "maritime", "end": "2027-01-31T00:00:00Z",
                      "shares": ["clearance", "nationality", "role", "assurance", "missions"]})");
  return out.set("owner", owner).set("name", name).set("offered_to", Json::array({offered_to}));
}

Fact fact(FactValue value, const std::string& source) {
  return {std::move(value), source, kNow + std::chrono::hours(1)};
}

}  // namespace

std::string read_source(const std::string& path) {
  const char* root = std::getenv("ENTENTE_SOURCE");
  const std::string full = std::string(root == nullptr ? "." : root) + "/" + path;
  std::ifstream in(full, std::ios::binary);
  REQUIRE_MESSAGE(in, full);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

Records records(const std::string& node) {
  const std::string other = node == "XAA" ? "XBB" : "XAA";
  const std::string lower = node == "XAA" ? "xaa" : "xbb";
  Records out;
  out["node/self"] = Json::object({{"partner", node}});
  out["partner/XAA"] = partner("Aldoria", "SECRET", 'a');
  out["partner/XBB"] = partner("Borealis", "SECRET", 'b');
  out["partner/XCC"] = partner("Cassia", "RESTRICTED", 'c');
  out["mission/harbor-light"] =
      json(R"({"name": "Harbor Light", "partners": ["XAA", "XBB"], "phase": "execute",
      "threat": "low", "start": "2026-11-01T00:00:00Z", "end": "2027-02-01T00:00:00Z"})");
  out["segment/maritime"] = json(R"({"name": "Maritime picture", "mission": "harbor-light"})");
  out[node == "XAA" ? "app/cop" : "offer/XAA/cop"] = app_record("XAA", "Common operational picture", "XBB");
  out[node == "XBB" ? "app/tides" : "offer/XBB/tides"] = app_record("XBB", "Tides", "XAA");
  out["connector/one"] = json(R"({"end": "2027-01-31T00:00:00Z"})");
  out["connector/one"].set("thumbprint", std::string(42, 'k') + "A");
  out["connector/one"].set("apps", Json::array({node == "XAA" ? "cop" : "tides"}));
  out["operator/asha.lind"] = json(R"({"display": "Asha Lind", "uids": [1000], "roles": ["security-officer"],
                                       "end": "2027-03-01T00:00:00Z"})");
  out["operator/ben.roth"] = json(R"({"display": "Ben Roth", "uids": [1001], "roles": ["auditor"],
                                      "end": "2027-03-01T00:00:00Z"})");
  out["crosswalk/" + other] = Json::object({{"carried", true}});
  out["schema"] = Json::object({{"text", read_source("demo/coalition/policies/schema.cedarschema")}});
  add_policy(out, "policy/coalition/base", "coalition/base.cedar");
  add_policy(out, "policy/coalition/objects", "coalition/objects.cedar");
  add_policy(out, "policy/host/objects", lower + "/host/objects.cedar");
  add_policy(out, "policy/home/objects", lower + "/home/objects.cedar");
  add_vocabulary(out);
  if (node == "XAA") add_policy(out, "policy/host/cop", "xaa/host/cop.cedar");
  add_policy(out, "policy/host/operators", lower + "/host/operators.cedar");
  add_policy(out, "policy/home/people", lower + "/home/people.cedar");
  return out;
}

std::vector<Record> as_list(const Records& records) {
  std::vector<Record> out;
  for (const auto& [key, value] : records) out.push_back({key, value});
  return out;
}

World world(const Records& records) {
  auto made = World::load(as_list(records), Revision{1});
  REQUIRE_MESSAGE(made, made.error().text());
  return *std::move(made);
}

Error refused(const Records& records) {
  const auto made = World::load(as_list(records), Revision{1});
  REQUIRE_FALSE(made);
  return made.error();
}

Person person(const std::string& partner, const std::string& post) {
  const std::map<std::string, std::pair<std::string, int64_t>> posts{{"planner", {"CONFIDENTIAL", 3}},
                                                                     {"clerk", {"UNCLASSIFIED", 1}},
                                                                     {"analyst", {"SECRET", 3}},
                                                                     {"officer", {"SECRET", 3}},
                                                                     {"logistics", {"RESTRICTED", 3}}};
  const auto found = posts.find(post);
  REQUIRE_MESSAGE(found != posts.end(), post);
  const std::string source = "idp." + partner;
  Person out;
  out.id = PersonId("p-" + post);
  out.partner = PartnerCode(partner);
  out.facts["clearance"] = fact(found->second.first, source);
  out.facts["nationality"] = fact(partner, source);
  out.facts["role"] = fact(post, source);
  out.facts["assurance"] = fact(found->second.second, source);
  out.facts["missions"] = fact(std::vector<std::string>{"harbor-light"}, source);
  return out;
}

Ask ask(Person who, Action action, Target target) {
  Ask out;
  out.id = VerdictId("v-1");
  out.action = action;
  out.who = std::move(who);
  out.target = std::move(target);
  out.now = kNow;
  out.context["risk"] = {int64_t{10}, "node", kNow + std::chrono::minutes(5)};
  out.context["network"] = {std::string("office"), "node", kNow + std::chrono::hours(1)};
  return out;
}

std::string fqn(std::string_view attribute, std::string_view value) {
  return fmt::format("https://harbor-light.example/attr/{}/value/{}", attribute, value);
}

Ask ask_object(Person who, Action action, std::vector<std::string> attributes) {
  Ask out = ask(std::move(who), action, ObjectRef{"object-1"});
  out.object = SealedObject{};
  out.object->attributes = std::move(attributes);
  out.object->key_digest = "digest-1";
  out.object->kid = "key-1";
  out.by = KeyUse{.device = "device-1", .client = "entente-cli"};
  return out;
}

std::string rules(const Verdict& verdict) {
  std::string out;
  for (const Reason& reason : verdict.reasons) out += (out.empty() ? "" : ",") + reason.policy;
  return out;
}

}  // namespace entente::coalition::example
