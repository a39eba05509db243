// Who may open a sealed object, 1,500 times: drawn objects, readers and releases, judged by decide() with the
// demonstration's policies, and by an oracle of sets that knows neither labels nor policies.
#include "coalition/example_test.h"

#include <array>
#include <random>
#include <set>

#include <doctest/doctest.h>

namespace entente::coalition {
namespace {

using namespace example;

struct Drawn {
  size_t level = 0;  // of the object
  std::set<std::string> origins{"xaa"};
  std::set<std::string> named;  // releasable to
  bool medical = false;
  bool orcon = false;
  std::string reader;
  size_t clearance = 0;
  bool holds_medical = false;
  Action action = Action::open;
  size_t released = 0;       // bit 0 to XBB, bit 1 to XCC: open and forward
  bool for_another = false;  // what is released bore other attributes
};

constexpr std::array<const char*, 4> kClassifications{"unclassified", "restricted", "confidential", "secret"};
constexpr std::array<const char*, 4> kClearances{"UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET"};

class Draw {
 public:
  Drawn next() {
    Drawn out;
    out.level = below(4);
    if (below(4) == 0) out.origins.insert("xbb");
    for (const char* code : {"xaa", "xbb", "xcc"})
      if (below(3) == 0) out.named.insert(code);
    out.medical = below(4) == 0;
    out.orcon = below(2) == 0;
    out.reader = std::array<const char*, 3>{"xaa", "xbb", "xcc"}[below(3)];
    out.clearance = below(out.reader == "xcc" ? 2 : 4);  // Cassia's ceiling is RESTRICTED
    out.holds_medical = below(2) == 0;
    out.action = std::array{Action::open, Action::open, Action::forward, Action::edit}[below(4)];
    out.released = below(4);
    return out;
  }

 private:
  size_t below(size_t end) { return static_cast<size_t>(random_() % end); }
  std::mt19937_64 random_{20261122};
};

bool oracle(const Drawn& one) {
  // UNCLASSIFIED bears neither caveat nor handling: such a label is none.
  if (one.level == 0 && (one.medical || one.orcon)) return false;
  std::set<std::string> may = one.named;
  may.insert(one.origins.begin(), one.origins.end());
  std::set<std::string> given;
  if (one.orcon && one.action != Action::edit && !one.for_another) {
    if ((one.released & 1) != 0) given.insert("xbb");
    if ((one.released & 2) != 0) given.insert("xcc");
  }
  may.insert(given.begin(), given.end());
  if (!may.contains(one.reader) || one.level > one.clearance) return false;
  if (one.medical && !one.holds_medical) return false;
  const bool of_origin = one.origins.contains(one.reader);
  return one.action == Action::open || !one.orcon || of_origin || given.contains(one.reader);
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(c - 'a' + 'A');
  return text;
}

World released_world(const World& before, size_t released, const std::vector<std::string>& attributes) {
  std::vector<Record> all;
  for (const auto& [bit, code] : {std::pair{1U, "XBB"}, std::pair{2U, "XCC"}}) {
    if ((released & bit) == 0) continue;
    Release one;
    one.id = RequestId("r1");
    one.partner = PartnerCode(code);
    one.object = "object-1";
    one.attributes = attributes;
    one.rights = {"open", "forward"};
    one.purpose = "EXERCISE";
    one.minutes = 60;
    one.by = "operator/asha.lind";
    one.asked = kNow - std::chrono::minutes(10);
    one.end = kNow + std::chrono::hours(10);
    one.state = RequestState::granted;
    one.approvals.push_back({"operator/asha.lind", "", kNow, VerdictId("v1")});
    one.start = kNow - std::chrono::minutes(5);
    one.until = kNow + std::chrono::hours(1);
    all.push_back({record_key(one), to_json(one)});
  }
  auto next = before.with(all, Revision{before.revision().value + 1});
  REQUIRE(next);
  return std::move(next->world);
}

Ask ask_of(const Drawn& one) {
  std::vector<std::string> attributes{fqn("classification", kClassifications.at(one.level))};
  for (const std::string& code : one.origins) attributes.push_back(fqn("originator", code));
  for (const std::string& code : one.named) attributes.push_back(fqn("releasable-to", code));
  if (one.medical) attributes.push_back(fqn("caveat", "medical"));
  if (one.orcon) attributes.push_back(fqn("handling", "orcon"));
  Person who = person(upper(one.reader), "planner");
  who.facts["clearance"].value = std::string(kClearances.at(one.clearance));
  if (one.holds_medical) {
    who.facts["caveats"] = who.facts["clearance"];
    who.facts["caveats"].value = std::string("MEDICAL");
  }
  return ask_object(std::move(who), one.action, std::move(attributes));
}

}  // namespace

TEST_CASE("truth table: 1,500 drawn objects and readers open exactly where an oracle of sets says so") {
  const World before = world(records("XAA"));
  Draw draw;
  size_t permitted = 0, by_release = 0;
  for (int i = 0; i < 1'500; ++i) {
    Drawn one = draw.next();
    one.for_another = i % 10 == 0;
    const Ask asked = ask_of(one);
    std::vector<std::string> released = asked.object->attributes;
    if (one.for_another) released.pop_back();
    // Where nothing is released the world stays the same, and what was read in it is found again.
    const World now = one.released == 0 ? before : released_world(before, one.released, released);
    const Verdict verdict = decide(now, asked);
    CHECK(decide_without_reach(now, asked).to_json() == verdict.to_json());
    INFO("case " << i << ": " << one.reader << " " << action_name(one.action) << " level " << one.level << "/"
                 << one.clearance << " orcon " << one.orcon << " medical " << one.medical << "/"
                 << one.holds_medical << " released " << one.released << " for another " << one.for_another
                 << ": " << rules(verdict));
    CHECK(verdict.permit == oracle(one));
    permitted += verdict.permit ? 1 : 0;
    by_release += verdict.permit && !verdict.grant.empty() ? 1 : 0;
  }
  CHECK(permitted > 200);
  CHECK(permitted < 1'000);
  CHECK(by_release > 20);
}

TEST_CASE("attack: what attributes and clearances mean in one world is taken for what they mean in another") {
  Records all = records("XAA");
  const World before = world(all);
  Person who = person("XBB", "planner");
  who.facts["clearance"].value = std::string("RESTRICTED");
  const Ask asked = ask_object(
      who, Action::open,
      {fqn("classification", "restricted"), fqn("originator", "xaa"), fqn("releasable-to", "xbb")});
  const auto opens = [&](const World& in) {
    const bool out = decide(in, asked).permit;
    CHECK(decide_without_reach(in, asked).permit == out);
    return out;
  };
  CHECK(opens(before));

  Json higher = all.at("attribute/classification");
  for (Json::Member& member : higher.members()) {
    if (member.first != "values") continue;
    member.second = Json::array({Json::object({{"value", "restricted"}, {"means", "SECRET"}})});
  }
  const auto raised = before.with(std::vector<Record>{{"attribute/classification", higher}}, Revision{2});
  REQUIRE_MESSAGE(raised, raised.error().text());
  CHECK(!opens(raised->world));
  CHECK(opens(before));

  // Two worlds of one revision: what is RESTRICTED there is SECRET in the coalition's terms here.
  Json terms = all.at("label-policy/harbor-light");
  terms.set("levels", Json::object({{"UNCLASSIFIED", "UNCLASSIFIED"}, {"RESTRICTED", "SECRET"}}));
  const auto renamed = before.with(std::vector<Record>{{"label-policy/harbor-light", terms}}, Revision{2});
  REQUIRE_MESSAGE(renamed, renamed.error().text());
  CHECK(!opens(renamed->world));
  CHECK(!opens(raised->world));
  CHECK(opens(before));
}

TEST_CASE("a denial by a name that is not in use yet says when it may turn out otherwise") {
  Records all = records("XAA");
  Json terms = all.at("label-policy/harbor-light");
  std::string spif(terms.text_or("spif", ""));
  const std::string name = "<spif:tagCategory name=\"MEDICAL\" lacv=\"1\"";
  const Instant begins = kNow + std::chrono::minutes(1);
  REQUIRE(spif.find(name) != std::string::npos);
  spif.insert(spif.find(name) + name.size(), " notBefore=\"" + rfc3339(begins) + "\"");
  terms.set("spif", spif);
  all["label-policy/harbor-light"] = terms;
  const World in = world(all);
  Person who = person("XBB", "planner");
  who.facts["clearance"].value = std::string("RESTRICTED");
  who.facts["caveats"] = who.facts["clearance"];
  who.facts["caveats"].value = std::string("MEDICAL");
  Ask asked = ask_object(who, Action::open,
                         {fqn("classification", "restricted"), fqn("originator", "xaa"),
                          fqn("releasable-to", "xbb"), fqn("caveat", "medical")});
  const Verdict early = decide(in, asked);
  CHECK(rules(early) == "object-label-invalid");
  CHECK(early.valid_until <= begins);
  asked.now = begins + Seconds(30);
  CHECK(decide(in, asked).permit);
  asked.now = begins - Seconds(30);
  CHECK(!decide(in, asked).permit);
}

TEST_CASE("attack: a label's higher successor is in force, and the object opens by attributes of before") {
  const auto opens = [](std::string_view before, std::string_view after, std::string_view attribute,
                        Instant from) {
    Ask one = ask_object(person("XAA", "officer"), Action::open,
                         {fqn("classification", attribute), fqn("originator", "xaa")});
    one.who.facts["clearance"].value = std::string("SECRET");
    const auto classified = [](std::string_view as) {
      label::Label out;
      out.policy = "HARBOR LIGHT";
      out.classification = as;
      return out;
    };
    one.object->label = classified(before);
    one.object->label->succeeded = from;
    one.object->label->successor.push_back(classified(after));
    return decide(world(records("XAA")), one);
  };
  const Verdict soon = opens("RESTRICTED", "SECRET", "restricted", kNow + Millis(60'000));
  CHECK(soon.permit);
  CHECK(soon.valid_until <= kNow + Millis(60'000));  // and not remembered for longer
  CHECK(rules(opens("RESTRICTED", "SECRET", "restricted", kNow)) == "object-label-disagrees");
  CHECK(opens("RESTRICTED", "SECRET", "secret", kNow).permit);
  // Lower: the attributes hold as they were sealed, or as they are after it.
  CHECK(opens("SECRET", "RESTRICTED", "secret", kNow).permit);
  CHECK(opens("SECRET", "RESTRICTED", "restricted", kNow).permit);
  CHECK(rules(opens("SECRET", "RESTRICTED", "restricted", kNow + Millis(1))) == "object-label-disagrees");
  CHECK(rules(opens("RESTRICTED", "UNCLASSIFIED", "secret", kNow)) == "object-label-disagrees");
}

TEST_CASE("attack: attributes that are other attributes when they are written in one line") {
  const World in = world(records("XAA"));
  Person who = person("XCC", "planner");
  who.facts["clearance"].value = std::string("RESTRICTED");
  std::vector<std::string> theirs{fqn("classification", "restricted"), fqn("originator", "xaa"),
                                  fqn("releasable-to", "xcc")};
  CHECK(decide(in, ask_object(who, Action::open, theirs)).permit);
  const std::string joined = theirs[1] + theirs[2];
  CHECK(!decide(in, ask_object(who, Action::open, {theirs[0], joined})).permit);
  std::swap(theirs[0], theirs[2]);
  CHECK(decide(in, ask_object(who, Action::open, theirs)).permit);
  theirs.pop_back();
  CHECK(!decide(in, ask_object(who, Action::open, theirs)).permit);
}

TEST_CASE("attack: caveats of one reader, or a nation, level or label policy, count for another") {
  const World in = world(records("XAA"));
  const std::vector<std::string> medical{fqn("classification", "restricted"), fqn("originator", "xaa"),
                                         fqn("releasable-to", "xbb"), fqn("caveat", "medical")};
  Person holds = person("XBB", "planner");
  holds.facts["clearance"].value = std::string("RESTRICTED");
  Person lacks = holds;
  holds.facts["caveats"] = holds.facts["clearance"];
  holds.facts["caveats"].value = std::vector<std::string>{"MEDICAL"};
  Person lower = holds;
  lower.facts["clearance"].value = std::string("UNCLASSIFIED");
  Person other = person("XCC", "planner");
  other.facts["clearance"].value = std::string("RESTRICTED");
  other.facts["caveats"] = holds.facts["caveats"];
  Person late = holds;
  late.facts["caveats"].end = kNow;
  for (int round = 0; round < 2; ++round) {
    CHECK(decide(in, ask_object(holds, Action::open, medical)).permit);
    CHECK(!decide(in, ask_object(lacks, Action::open, medical)).permit);
    CHECK(!decide(in, ask_object(lower, Action::open, medical)).permit);
    CHECK(!decide(in, ask_object(other, Action::open, medical)).permit);
    CHECK(!decide(in, ask_object(late, Action::open, medical)).permit);
  }
}

}  // namespace entente::coalition
