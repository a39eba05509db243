// The caveat truth table: 1,000 drawn labels and clearances, judged by the room and by an oracle that knows
// only bits. The policy's rules stand twice as well: as data, and as bit rules.
#include "label/dominance.h"

#include "label/policies_for_test.h"

#include <array>
#include <bit>
#include <map>
#include <random>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::label;

namespace {

constexpr std::array<const char*, 5> kClasses{"UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET",
                                              "TOP SECRET"};
constexpr std::array<const char*, 4> kHouses{"XAA", "XBB", "XCC", "XDD"};

// Bits 0-3 caveats, 4-7 programmes, 8-11 releasable to, 12-15 communities, 16-17 notes.
struct Group {
  const char* tag;
  CategoryType type;
  unsigned first;
  std::vector<const char*> values;
};
const std::vector<Group>& groups() {
  static const std::vector<Group> out{
      {"Caveats", CategoryType::restrictive, 0, {"ORCON", "PROPIN", "NATIONAL", "CRATES"}},
      {"Programmes", CategoryType::restrictive, 4, {"ALPHA", "BRAVO", "CHARLIE", "DELTA"}},
      {"Releasable To", CategoryType::permissive, 8, {kHouses.begin(), kHouses.end()}},
      {"Community", CategoryType::permissive, 12, {"RELIEF", "SAR", "PORTS", "FUEL"}},
      {"Notes", CategoryType::informative, 16, {"STAFF", "MEDICAL"}}};
  return out;
}

LabelPolicy table_policy() {
  PolicyData data;
  data.name = "TABLE";
  data.id = "2.999.7";
  for (size_t i = 0; i < kClasses.size(); ++i) {
    Classification one;
    one.name = kClasses[i];
    one.hierarchy = static_cast<int64_t>(i);
    data.classifications.push_back(one);
  }
  for (const Group& group : groups()) {
    Tag tag;
    tag.type = group.type;
    for (const char* name : group.values) {
      TagValue value;
      value.name = name;
      tag.values.push_back(value);
    }
    data.tag_sets.push_back({group.tag, std::string("2.999.7.") + std::to_string(group.first), {tag}, {}});
  }
  auto& caveats = data.tag_sets[0].tags[0].values;
  caveats[2].excluded.push_back({"Releasable To", CategoryType::permissive, ""});  // NATIONAL
  caveats[0].excluded_classes.push_back("UNCLASSIFIED");                           // ORCON
  auto& programmes = data.tag_sets[1].tags[0].values;
  programmes[1].required.push_back(
      {Requirement::Operation::all, {{"Caveats", CategoryType::restrictive, "ORCON"}}});  // BRAVO
  programmes[3].required_class = "SECRET";                                                // DELTA
  return LabelPolicy::from_data(std::move(data)).value();
}

std::vector<Category> categories_of(uint32_t bits) {
  std::vector<Category> out;
  for (const Group& group : groups()) {
    Category category{group.tag, group.type, {}};
    for (unsigned i = 0; i < group.values.size(); ++i)
      if ((bits >> (group.first + i) & 1U) != 0) category.values.push_back(group.values[i]);
    if (!category.values.empty()) out.push_back(category);
  }
  return out;
}

struct Drawn {
  unsigned label_class;
  uint32_t label;
  unsigned clearance_classes;  // bits
  uint32_t clearance;
  bool ended;
};

// Knows nothing of labels.
std::string oracle(const Drawn& it) {
  const bool orcon_low = (it.label & 1U) != 0 && it.label_class == 0;
  const bool national_released = (it.label & 4U) != 0 && (it.label & 0xf00U) != 0;
  const bool bravo_alone = (it.label & 0x20U) != 0 && (it.label & 1U) == 0;
  const bool delta_elsewhere = (it.label & 0x80U) != 0 && it.label_class != 3;
  if (orcon_low || national_released || bravo_alone || delta_elsewhere) return "label";
  if (it.ended) return "expired";
  if ((it.clearance_classes & (1U << it.label_class)) == 0) return "classification";
  const bool all_held = std::popcount(it.label & 0xffU & ~it.clearance) == 0;
  const auto meets = [&](uint32_t mask) {
    return (it.label & mask) == 0 || std::popcount(it.label & it.clearance & mask) > 0;
  };
  if (all_held && meets(0xf00) && meets(0xf000)) return "covered";
  return all_held ? "permissive" : "held";
}

uint32_t draw_bits(std::mt19937& dice, unsigned often) {
  uint32_t out = 0;
  for (unsigned i = 0; i < 18; ++i)
    if (dice() % 100 < often) out |= 1U << i;
  return out;
}

Drawn draw(std::mt19937& dice) {
  Drawn out{};
  out.label_class = static_cast<unsigned>(dice() % 5);
  out.label = draw_bits(dice, 16) & draw_bits(dice, 85);
  out.clearance_classes = dice() % 4 == 0 ? static_cast<unsigned>(dice() % 32) : 31;
  out.clearance = draw_bits(dice, dice() % 2 == 0 ? 60 : 95);
  out.ended = dice() % 16 == 0;
  return out;
}

Clearance clearance_of(const LabelPolicy& policy, const Drawn& it) {
  Clearance out;
  out.policy = "TABLE";
  for (unsigned i = 0; i < 5; ++i)
    if ((it.clearance_classes >> i & 1U) != 0) out.classifications.push_back(kClasses[i]);
  out.categories = categories_of(it.clearance);
  out.until = time_for_test(it.ended ? "2026-01-01T00:00:00Z" : "2027-01-01T00:00:00Z");
  return spelled(policy, out).value();
}

}  // namespace

TEST_CASE("the truth table: 1,000 drawn cases agree with an oracle that knows only bits") {
  const LabelPolicy policy = table_policy();
  std::mt19937 dice(20261122);
  std::map<std::string, int> seen;
  for (int i = 0; i < 1000; ++i) {
    const Drawn it = draw(dice);
    const Label label = label_for_test(kClasses[it.label_class], categories_of(it.label), "TABLE");
    const Dominance said = dominates(policy, clearance_of(policy, it), label, time_for_test());
    const std::string expected = oracle(it);
    CAPTURE(i);
    CAPTURE(said.why);
    CHECK(said.holds == (expected == "covered"));
    // The room names the first category that is not held; the oracle only whether any restrictive one is.
    if (expected == "held") {
      CHECK((said.rule == "restrictive" || said.rule == "permissive"));
    } else {
      CHECK(said.rule == expected);
    }
    ++seen[expected];
  }
  for (const char* kind : {"covered", "label", "expired", "classification", "held", "permissive"})
    CHECK_MESSAGE(seen[kind] >= 25, kind);
}

TEST_CASE("whoever covers a combination covers every part of it, and it is never lower") {
  const LabelPolicy policy = table_policy();
  std::mt19937 dice(7);
  int combined = 0;
  int covered = 0;
  for (int i = 0; i < 1000; ++i) {
    std::vector<Label> parts;
    unsigned highest = 0;
    for (unsigned n = 0; n < 2 + dice() % 2; ++n) {
      const Drawn it = draw(dice);
      parts.push_back(label_for_test(kClasses[it.label_class], categories_of(it.label), "TABLE"));
      highest = std::max(highest, it.label_class);
    }
    const auto whole = combine(policy, parts, {"desk", ""}, time_for_test());
    if (!whole) continue;
    ++combined;
    CHECK(whole->classification == kClasses[highest]);
    for (int reader = 0; reader < 8; ++reader) {
      Drawn it = draw(dice);
      it.ended = false;
      const Clearance clearance = clearance_of(policy, it);
      if (!dominates(policy, clearance, *whole, time_for_test()).holds) continue;
      ++covered;
      // Classifications below the highest must be cleared on their own: a list may leave some out.
      for (const Label& part : parts) {
        const Dominance said = dominates(policy, clearance, part, time_for_test());
        CHECK((said.holds || said.rule == "classification"));
      }
    }
  }
  CHECK(combined > 100);
  CHECK(covered > 100);
}

TEST_CASE("what nobody may read together, or the policy forbids together, is not combined") {
  const LabelPolicy policy = policy_for_test(kXaaSpif);
  const auto rel = [](std::vector<std::string> houses) {
    return label_for_test("SECRET", {{"Releasable To", CategoryType::permissive, std::move(houses)}});
  };
  const Instant now = time_for_test();
  const auto join = [&](std::vector<Label> parts) { return combine(policy, parts, {"desk", ""}, now); };
  CHECK(join({rel({"XAA", "XBB", "XCC"}), rel({"XAA", "XCC", "XDD"})})->releasable_to() ==
        std::vector<std::string>{"XAA", "XCC"});
  CHECK(join({rel({"XAA", "XBB"}), rel({"XAA", "XCC"})}).error().code() == "label.combination");
  CHECK(join({rel({"XAA", "XBB"}),
              label_for_test("SECRET", {{"Caveats", CategoryType::restrictive, {"NATIONAL"}}})})
            .error()
            .code() == "label.combination");
  CHECK(join({}).error().code() == "label.combination");
  CHECK(join({label_for_test("NOTHING")}).error().code() == "label.unknown");
  // A part that says nothing of releasability does not lift what another says.
  CHECK(join({rel({"XAA", "XBB"}), label_for_test("RESTRICTED")})->releasable_to().size() == 2);
}

TEST_CASE("a combination keeps the earliest review and loses every successor") {
  const LabelPolicy policy = policy_for_test(kXaaSpif);
  Label a = label_for_test("SECRET");
  a.review = time_for_test("2027-05-01T00:00:00Z");
  a.succeeded = time_for_test("2027-01-01T00:00:00Z");
  a.successor.push_back(label_for_test("UNCLASSIFIED"));
  Label b = label_for_test("RESTRICTED");
  b.review = time_for_test("2027-02-01T00:00:00Z");
  const std::vector<Label> parts{a, b};
  const Label whole = combine(policy, parts, {"desk", ""}, time_for_test()).value();
  CHECK(whole.review == b.review);
  CHECK(whole.successor.empty());
  CHECK(whole.originator.id == "desk");
  CHECK(combine(policy, parts, {"desk", ""}, *a.succeeded)->classification == "RESTRICTED");
}

TEST_CASE("a clearance of another policy, or one not spelled by the policy, covers nothing") {
  const LabelPolicy policy = policy_for_test(kXaaSpif);
  const LabelPolicy other = policy_for_test(kXbbSpif);
  Clearance loose;
  loose.policy = "xaa";
  loose.classifications = {"secret"};
  const Label label = label_for_test("SECRET");
  CHECK(!dominates(policy, loose, label, time_for_test()).holds);
  CHECK(spelled(other, loose).error().code() == "label.policy");
  CHECK(dominates(policy, spelled(policy, loose).value(), label, time_for_test()).holds);
  CHECK(up_to(policy, "Confidential")->size() == 3);
  loose.classifications = {"above"};
  CHECK(spelled(policy, loose).error().code() == "label.unknown");
}

TEST_CASE("a clearance is read from JSON, strictly") {
  const auto read = clearance_from_json(*Json::parse(
      R"({"policy": "XAA", "classifications": ["SECRET"], "until": "2027-01-01T00:00:00Z",
          "categories": [{"tag": "Caveats", "type": "RESTRICTIVE", "values": ["ORCON"]}]})"));
  REQUIRE(read.has_value());
  CHECK(read->categories.size() == 1);
  CHECK(
      !clearance_from_json(*Json::parse(R"({"policy": "XAA", "classifications": ["SECRET"], "all": true})")));
}
