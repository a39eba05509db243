#include "coalition/decide.h"

#include "coalition/example_test.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace entente::coalition {
namespace {

using namespace example;

std::vector<std::string> split(std::string_view text, char by) {
  std::vector<std::string> out;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(by, start), text.size());
    std::string_view part = text.substr(start, end - start);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    out.emplace_back(part);
    start = end + 1;
  }
  return out;
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

std::optional<int64_t> number(std::string_view text) {
  int64_t value = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Millis> days(std::string_view text) {
  if (text.size() < 3 || !text.ends_with('d') || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const auto count = number(text.substr(0, text.size() - 1));
  if (!count) return std::nullopt;
  return std::chrono::days(*count);
}

std::optional<std::vector<std::string>> list(std::string_view text) {
  if (!text.starts_with('[') || !text.ends_with(']')) return std::nullopt;
  text = text.substr(1, text.size() - 2);
  return text.empty() ? std::vector<std::string>() : split(text, ',');
}

Json to_json(const std::string& text) {
  if (const auto offset = days(text)) return rfc3339(kNow + *offset);
  const auto items = list(text);
  if (!items) return text;
  Json out = Json::array();
  for (const std::string& item : *items) out.push(item);
  return out;
}

FactValue to_fact(const std::string& text) {
  if (const auto value = number(text)) return *value;
  if (const auto items = list(text)) return *items;
  return text == "TOP-SECRET" ? "TOP SECRET" : text;
}

// fact=value, -fact, fact!ended
void change_fact(Facts& facts, const std::string& word) {
  if (word.starts_with('-')) {
    facts.erase(word.substr(1));
  } else if (word.ends_with("!ended")) {
    facts[word.substr(0, word.size() - 6)].end = kNow;
  } else {
    const size_t equals = word.find('=');
    REQUIRE_MESSAGE(equals != std::string::npos, word);
    // A fact that the post does not bring along lives as long as those that it does.
    const Fact added{false, "idp", kNow + std::chrono::hours(1)};
    facts.try_emplace(word.substr(0, equals), added).first->second.value = to_fact(word.substr(equals + 1));
  }
}

void change_records(Records& records, const std::string& column) {
  for (const std::string& change : split(column, ';')) {
    if (change.empty()) continue;
    if (change.starts_with("drop ")) {
      REQUIRE(records.erase(change.substr(5)) == 1);
      continue;
    }
    if (change.starts_with("recall ")) {
      records["recall/" + change.substr(7)] =
          Json::object({{"reason", "EXERCISE: sent by mistake."}, {"by", "lena"}, {"at", rfc3339(kNow)}});
      continue;
    }
    const size_t equals = change.find('=');
    REQUIRE_MESSAGE(equals != std::string::npos, change);
    const size_t dot = change.rfind('.', equals);
    REQUIRE_MESSAGE(dot != std::string::npos, change);
    const auto record = records.find(change.substr(0, dot));
    REQUIRE_MESSAGE(record != records.end(), change);
    record->second.set(change.substr(dot + 1, equals - dot - 1), to_json(change.substr(equals + 1)));
  }
}

Person to_person(const World& world, const std::string& column) {
  const std::vector<std::string> said = words(column);
  REQUIRE(said.size() >= 2);
  if (said[0] == "operator") return operator_person(world, OperatorName(said[1]));
  Person who = person(said[0], said[1]);
  for (size_t i = 2; i < said.size(); ++i) change_fact(who.facts, said[i]);
  return who;
}

Action to_action(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(Action::recall); ++i) {
    if (action_name(static_cast<Action>(i)) == name) return static_cast<Action>(i);
  }
  FAIL("no action: " << name);
  return Action::open;
}

Target to_target(const std::string& text) {
  if (text.starts_with("partner:")) return PartnerCode(text.substr(8));
  if (text.starts_with("node:")) return NodeRef{PartnerCode(text.substr(5))};
  if (text.starts_with("mission:")) return MissionId(text.substr(8));
  return app(text.substr(0, 3), text.substr(4));
}

// classification=secret,originator=xaa, ...; dissem, label and id are the object's own, all else attributes.
Ask ask_of_object(Person who, Action action, const std::string& spec) {
  Ask out = ask_object(std::move(who), action, {});
  for (const std::string& part : split(spec, ',')) {
    if (part.empty()) continue;
    const size_t equals = part.find('=');
    REQUIRE_MESSAGE(equals != std::string::npos, part);
    const std::string name = part.substr(0, equals);
    const std::string value = part.substr(equals + 1);
    if (name == "dissem") {
      out.object->dissem.push_back(value);
    } else if (name == "label") {
      out.object->label.emplace();
      out.object->label->policy = "HARBOR LIGHT";
      out.object->label->classification = value;
    } else {
      out.object->attributes.push_back(fqn(name, value));
    }
  }
  return out;
}

void change_moment(Ask& out, const std::string& column) {
  for (const std::string& word : words(column)) {
    const size_t colon = word.find(':');
    if (word.starts_with("at=")) {
      out.now = kNow + *days(word.substr(3));
    } else if (word == "bearer") {
      out.by->device.clear();
    } else if (word.starts_with("named=")) {
      out.by->named.push_back(word.substr(6));
    } else if (word == "inside") {
      out.inside = true;
    } else if (word == "unwraps") {
      out.by->unwraps = true;
    } else if (word == "whole") {
      out.object->in_shares = false;
    } else if (word.starts_with("for=")) {
      out.by->mission = MissionId(word.substr(4));
    } else if (colon != std::string::npos) {
      out.http = HttpFacts{word.substr(0, colon), word.substr(colon + 1)};
    } else {
      change_fact(out.context, word);
    }
  }
}

std::string told(const Verdict& verdict) {
  std::string out = verdict.permit ? "permit" : "deny " + rules(verdict);
  for (const Obligation& duty : verdict.obligations) out += " " + duty.name;
  if (verdict.hidden) out += " hidden";
  if (verdict.refusal == Refusal::credential_dead) out += " credential";
  return out;
}

TEST_CASE("decide.case: each ask is answered as the table says") {
  std::istringstream table(read_source("src/coalition/decide.case"));
  size_t rows = 0;
  size_t line_number = 0;
  for (std::string line; std::getline(table, line);) {
    ++line_number;
    if (line.empty() || line.starts_with('#')) continue;
    CAPTURE(line_number);
    CAPTURE(line);
    const std::vector<std::string> columns = split(line, '|');
    REQUIRE(columns.size() == 6);
    Records changed = records(columns[0]);
    change_records(changed, columns[4]);
    const World under = world(changed);
    const std::vector<std::string> question = words(columns[2]);
    REQUIRE(question.size() == 2);
    const bool sealed = question[1].starts_with("object:");
    Ask asked =
        sealed ? ask_of_object(to_person(under, columns[1]), to_action(question[0]), question[1].substr(7))
               : ask(to_person(under, columns[1]), to_action(question[0]), to_target(question[1]));
    change_moment(asked, columns[3]);
    const Verdict verdict = decide(under, asked);
    CHECK(told(verdict) == columns[5]);
    CHECK(verdict.permit == (verdict.refusal == Refusal::none));
    CHECK(verdict.valid_until > asked.now);
    for (const Reason& reason : verdict.reasons) CHECK_FALSE(reason.text.empty());
    ++rows;
  }
  CHECK(rows >= 60);
}

TEST_CASE("what a person may not know of is refused in the words of what does not exist") {
  const World under = world(records("XAA"));
  const Verdict unknown = shown(decide(under, ask(person("XBB", "clerk"), Action::open, app("XAA", "none"))));
  for (const Action action : {Action::open, Action::view, Action::edit, Action::share}) {
    const Verdict full = decide(under, ask(person("XBB", "clerk"), action, app("XAA", "cop")));
    CHECK(full.hidden);
    const Verdict hidden = shown(full);
    CHECK(hidden.reasons == unknown.reasons);
    CHECK(hidden.refusal == unknown.refusal);
    CHECK(hidden.to_json() == unknown.to_json());
    for (const Reason& reason : full.reasons) {
      CHECK(reason.text == unknown.reasons.front().text);
      CHECK(reason.change == unknown.reasons.front().change);
      CHECK(reason.who_decides == unknown.reasons.front().who_decides);
    }
  }
}

TEST_CASE("a refusal about the person is the same for an app that exists and one that does not") {
  Records changed = records("XAA");
  changed["partner/XBB"].set("state", "suspended").set("state_reason", "Key material is missing.");
  const World under = world(changed);
  const Verdict there = decide(under, ask(person("XBB", "clerk"), Action::open, app("XAA", "cop")));
  const Verdict not_there = decide(under, ask(person("XBB", "clerk"), Action::open, app("XAA", "none")));
  CHECK(there.to_json() == not_there.to_json());
  CHECK(there.reasons.front().text.find("Key material is missing.") != std::string::npos);
  CHECK(there.reasons.front().who_decides == "Aldoria (XAA)");
}

TEST_CASE("a permit holds until the first end it stands on") {
  Records changed = records("XAA");
  const auto end_of = [&](const Ask& asked) { return decide(world(changed), asked).valid_until; };
  Ask asked = ask(person("XBB", "planner"), Action::open, app("XAA", "cop"));
  CHECK(end_of(asked) == kNow + std::chrono::minutes(5));  // the risk
  asked.context["risk"].end = kNow + std::chrono::days(900);
  CHECK(end_of(asked) == kNow + std::chrono::hours(1));  // the person's facts
  for (auto& [name, fact] : asked.who.facts) fact.end = kNow + std::chrono::days(900);
  asked.context["network"].end = kNow + std::chrono::days(900);
  CHECK(end_of(asked) == parse_rfc3339("2027-01-31T00:00:00Z"));  // the app
  changed["app/cop"].set("end", "2028-01-31T00:00:00Z");
  CHECK(end_of(asked) == parse_rfc3339("2027-02-01T00:00:00Z"));  // the mission
  changed["mission/harbor-light"].set("end", "2028-01-31T00:00:00Z");
  CHECK(end_of(asked) == parse_rfc3339("2027-06-01T00:00:00Z"));  // the membership
}

TEST_CASE("a denial holds until what was too early begins") {
  Records changed = records("XAA");
  changed["mission/harbor-light"].set("start", rfc3339(kNow + std::chrono::minutes(2)));
  const World under = world(changed);
  Ask asked = ask(person("XBB", "planner"), Action::open, app("XAA", "cop"));
  const Verdict early = decide(under, asked);
  CHECK_FALSE(early.permit);
  CHECK(early.valid_until == kNow + std::chrono::minutes(2));
  asked.now = early.valid_until;
  CHECK(decide(under, asked).permit);
}

TEST_CASE("attack: a partner vouches for another nation's person") {
  const World under = world(records("XAA"));
  Person stolen = person("XAA", "officer");
  stolen.partner = PartnerCode("XBB");  // XBB's provider says: this is an officer of XAA
  const Verdict verdict = decide(under, ask(stolen, Action::open, app("XAA", "cop")));
  CHECK_FALSE(verdict.permit);
  CHECK(rules(verdict) == "nationality-not-vouched");
  CHECK(verdict.errors.size() == 1);
}

TEST_CASE("attack: a statement gives a clearance above the partner's ceiling; it is refused, not clipped") {
  Records changed = records("XAA");
  changed["partner/XBB"].set("ceiling", "RESTRICTED");
  const World under = world(changed);
  const Verdict verdict = decide(under, ask(person("XBB", "planner"), Action::open, app("XAA", "cop")));
  CHECK_FALSE(verdict.permit);  // although RESTRICTED would do for this app
  CHECK(rules(verdict) == "clearance-above-ceiling");
  CHECK(verdict.errors.size() == 1);
}

TEST_CASE("attack: a fact at its end is no fact, to the millisecond") {
  const World under = world(records("XAA"));
  for (const std::string_view name : kIdentityFacts) {
    Ask asked = ask(person("XBB", "planner"), Action::open, app("XAA", "cop"));
    asked.who.facts.find(name)->second.end = kNow + Millis(1);
    const Verdict before = decide(under, asked);
    CHECK(before.permit);
    CHECK(before.valid_until == kNow + Millis(1));
    asked.now = kNow + Millis(1);
    const Verdict after = decide(under, asked);
    CHECK_FALSE(after.permit);
    CHECK(after.refusal == Refusal::credential_dead);
  }
}

TEST_CASE("a role counts in its phases of the mission only, and who loses it is told why") {
  Records all = records("XAA");
  all["mission/harbor-light"].set("roles", Json::object({{"logistics", Json::array({"plan", "recover"})}}));
  const auto under = [&](const char* phase) {
    all["mission/harbor-light"].set("phase", phase);
    return world(all);
  };
  const Ask lena = ask(person("XAA", "logistics"), Action::open, app("XAA", "cop"));
  CHECK(decide(under("plan"), lena).permit);
  CHECK(decide(under("recover"), lena).permit);
  const Verdict refused = decide(under("execute"), lena);
  CHECK_FALSE(refused.permit);
  CHECK_FALSE(refused.hidden);
  REQUIRE_FALSE(refused.reasons.empty());
  CHECK(refused.reasons[0].policy == "role-rests");
  CHECK(refused.reasons[0].text ==
        "Your role (logistics) does not count while Harbor Light is in phase execute.");
  CHECK(refused.reasons[0].change == "It counts in phase plan, recover.");
  // Asked again when the mission moves on.
  const policy::EntityUid mission{"Entente::Mission", "harbor-light"};
  CHECK(std::ranges::find(refused.reach.entities, mission) != refused.reach.entities.end());
  // Others, and what was known before, stay as they are.
  CHECK(decide(under("execute"), ask(person("XAA", "officer"), Action::open, app("XAA", "cop"))).permit);
  CHECK(decide(under("execute"), ask(person("XAA", "logistics"), Action::view, app("XAA", "cop"))).permit);
  // A role beside it counts on.
  Ask both = lena;
  both.who.facts["role"].value = std::vector<std::string>{"logistics", "planner"};
  CHECK(decide(under("execute"), both).permit);
  // Who may not know of the app learns nothing of phases.
  all["mission/harbor-light"].set("roles", Json::object({{"clerk", Json::array({"plan"})}}));
  const Verdict clerk =
      decide(under("execute"), ask(person("XBB", "clerk"), Action::open, app("XAA", "cop")));
  CHECK(clerk.hidden);
  for (const Reason& reason : clerk.reasons) CHECK(reason.policy != "role-rests");
}

TEST_CASE("attack: an officer whose role rests answers no request") {
  Records all = records("XAA");
  Ask asked = ask(person("XAA", "officer"), Action::approve, app("XAA", "cop"));
  asked.request.emplace();
  asked.request->partner = PartnerCode("XBB");
  asked.request->person = PersonId("p-analyst");
  asked.request->minutes = 60;
  REQUIRE(decide(world(all), asked).permit);
  all["mission/harbor-light"].set("roles", Json::object({{"officer", Json::array({"plan"})}}));
  CHECK_FALSE(decide(world(all), asked).permit);
}

TEST_CASE("phases of roles that cannot be read are refused") {
  Records all = records("XAA");
  for (const char* wrong : {R"([])", R"({"planner": "plan"})", R"({"planner": ["Plan A"]})",
                            R"({"planner": ["plan", "plan"]})", R"({"": ["plan"]})"}) {
    all["mission/harbor-light"].set("roles", *Json::parse(wrong));
    CHECK_MESSAGE(refused(all).code().starts_with("field."), wrong);
  }
  // A mission that names its phases has no others.
  all["mission/harbor-light"].set("roles", *Json::parse(R"({"planner": ["plna"]})"));
  REQUIRE(world(all).mission(MissionId("harbor-light")) != nullptr);
  all["mission/harbor-light"].set("phases", *Json::parse(R"(["plan", "execute"])"));
  CHECK(refused(all).code().starts_with("field."));
}

TEST_CASE("attack: leaving the risk out does not help") {
  const World under = world(records("XAA"));
  Ask asked = ask(person("XBB", "planner"), Action::open, app("XAA", "cop"));
  asked.context.erase("risk");
  CHECK_FALSE(decide(under, asked).permit);
  asked.context["risk"] = {false, "node", kNow + std::chrono::hours(1)};
  CHECK_FALSE(decide(under, asked).permit);
}

TEST_CASE("attack: claiming to be an operator by facts or by name of another nation") {
  const World under = world(records("XAA"));
  Person claimed = person("XBB", "planner");
  claimed.id = PersonId("operator/asha.lind");
  claimed.facts["role"].value = "security-officer";
  const Verdict verdict = decide(under, ask(claimed, Action::administer, PartnerCode("XBB")));
  CHECK_FALSE(verdict.permit);
  CHECK(rules(verdict) == "operator-unknown");
}

TEST_CASE("reasons carry the policies' own words, change and who decides") {
  const World under = world(records("XAA"));
  const Verdict verdict = decide(under, ask(person("XBB", "analyst"), Action::open, app("XAA", "cop")));
  REQUIRE(verdict.reasons.size() == 1);
  CHECK(verdict.reasons[0].layer == Layer::host);
  CHECK(verdict.reasons[0].text ==
        "Analysts may open the operational picture for as long as an officer lets them.");
  CHECK(verdict.reasons[0].change == "Ask for it, with a word about what for.");
  CHECK(verdict.reasons[0].who_decides == "Aldoria's officers");
}

TEST_CASE("attack: a policy that reads the request, however it is spelled, ties the verdict to it") {
  Records all = records("XAA");
  const auto any_request = [&](std::string_view when) {
    all["policy/host/cop"] =
        Json::object({{"text", fmt::format("permit (principal, action, resource) when {{ {} }};", when)}});
    const Verdict verdict =
        decide(world(all), ask(person("XBB", "planner"), Action::open, app("XAA", "cop")));
    CHECK_MESSAGE(verdict.permit, when);
    return verdict.any_request;
  };
  CHECK(any_request("context.risk < 50 && context[\"risk\"] < 50 && context has network"));
  for (const char* other : {
           "principal has clearance",
           "context has risk // context.http\n",
           "context.purpose != \"context has http && context.http.path\"",
           "principal.partner != Entente::Partner::\"http\"",
           "(context) has risk",
           "context // between\n has risk",
       })
    CHECK_MESSAGE(any_request(other), other);
  for (const char* reads : {
           "if context has http then context.http.method == \"GET\" else true",
           "if context has \"http\" then context[\"http\"][\"path\"] like \"/*\" else true",
           "if context has \"ht\\u{74}p\" then context[\"ht\\u{74}p\"].path != \"/x\" else true",
           "context == context",
           "[context].contains(context)",
           "{all: context}.all has risk",
           "(if context.risk < 0 then context else context) has risk",
           "context has http.path || true",
           "context has \"http\" || true",
           "principal.clearance > 99 || context // between\n has http || true",
           "true || {asked: context}.asked has http",
           "true || [{asked: [context]}] == []",
       })
    CHECK_FALSE_MESSAGE(any_request(reads), reads);
}

TEST_CASE("attack: a duty is offered to nobody who did not prove to carry it out") {
  Records all = records("XAA");
  all["policy/host/objects"] = Json::object(
      {{"text", "@obligation(\"watermark\") permit (principal, action, resource is Entente::Object);"}});
  Ask asked = ask_object(
      person("XBB", "planner"), Action::open,
      {fqn("classification", "restricted"), fqn("originator", "xaa"), fqn("releasable-to", "xbb")});
  const World under = world(all);
  const Verdict refused = decide(under, asked);
  CHECK(told(refused) == "deny obligation-unproved");
  Ask shown = asked;
  shown.action = Action::view;
  CHECK(told(decide(under, shown)) == "deny obligation-unproved");
  asked.context["enforces"] = {std::vector<std::string>{"view-only"}, "node", kNow + std::chrono::hours(1)};
  CHECK_FALSE(decide(under, asked).permit);
  asked.context["enforces"] = {std::vector<std::string>{"watermark"}, "node", kNow + std::chrono::hours(1)};
  CHECK(told(decide(under, asked)) == "permit watermark");
  asked.context["enforces"].end = kNow;
  CHECK_FALSE(decide(under, asked).permit);
}

TEST_CASE("an object's policies read the program, the device and the mission of whoever asks") {
  for (const auto& [reads, other] : std::initializer_list<std::pair<const char*, void (*)(KeyUse&)>>{
           {"context has client && context.client == \"viewer\"", [](KeyUse& by) { by.client = "another"; }},
           {"context has device && context.device == \"device-7\"",
            [](KeyUse& by) { by.device = "device-8"; }},
           {"context has mission && context.mission == Entente::Mission::\"harbor-light\"",
            [](KeyUse& by) { by.mission = {}; }}}) {
    CAPTURE(reads);
    Records all = records("XAA");
    all["policy/host/objects"] = Json::object(
        {{"text",
          fmt::format("@id(\"so\") permit (principal, action, resource is Entente::Object) when {{ {} }};",
                      reads)}});
    const World under = world(all);
    Ask asked = ask_object(
        person("XBB", "planner"), Action::open,
        {fqn("classification", "restricted"), fqn("originator", "xaa"), fqn("releasable-to", "xbb")});
    asked.by->client = "viewer";
    asked.by->device = "device-7";
    asked.by->mission = MissionId("harbor-light");
    CHECK(told(decide(under, asked)) == "permit");
    other(*asked.by);
    CHECK(told(decide(under, asked)) == "deny so");
  }
}

TEST_CASE("facts survive their text form, and a fact without an end is refused") {
  const Facts facts = person("XBB", "planner").facts;
  const auto read = facts_from_json(facts_to_json(facts));
  REQUIRE(read);
  CHECK(*read == facts);
  const auto open_ended = Json::parse(R"({"clearance": {"value": "SECRET", "source": "idp"}})");
  CHECK(facts_from_json(*open_ended).error().code() == "field.missing");
}

TEST_CASE("attack: roles that a nation writes are names, and few: no line of them says more than they are") {
  const World made = world(records("XAA"));
  Ask asked = ask(person("XBB", "planner"), Action::open, app("XAA", "cop"));
  REQUIRE(decide(made, asked).permit);
  std::vector<std::string> many{"planner"};
  for (int i = 0; i < 32; ++i) many.push_back("r" + std::to_string(i));
  for (const std::vector<std::string>& roles :
       {std::vector<std::string>{"planner", "officer, SECRET, of Aldoria (XAA)"},
        std::vector<std::string>{"planner", "\u202eofficer"}, std::vector<std::string>{"planner", ""},
        many}) {
    asked.who.facts["role"].value = roles;
    const Verdict verdict = decide(made, asked);
    CHECK_FALSE(verdict.permit);
    CHECK(verdict.reasons.at(0).policy == "missing-identity");
  }
  many.pop_back();
  asked.who.facts["role"].value = many;
  CHECK(decide(made, asked).permit);
}

}  // namespace
}  // namespace entente::coalition
