#include "label/crosswalk.h"

#include "label/policies_for_test.h"
#include "label/prover.h"

#include <algorithm>
#include <array>
#include <random>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace entente;
using namespace entente::label;

namespace {

constexpr auto kPermissive = CategoryType::permissive;
constexpr auto kRestrictive = CategoryType::restrictive;
constexpr auto kInformative = CategoryType::informative;

const Instant kFrom = time_for_test("2026-01-01T00:00:00Z");
const Instant kUntil = time_for_test("2027-01-01T00:00:00Z");

std::shared_ptr<const LabelPolicies> both() {
  auto out = std::make_shared<LabelPolicies>();
  REQUIRE(out->add(std::make_shared<LabelPolicy>(policy_for_test(kXaaSpif))));
  REQUIRE(out->add(std::make_shared<LabelPolicy>(policy_for_test(kXbbSpif))));
  return out;
}

Mapping of_spifs(const LabelPolicies& policies, std::string_view from, std::string_view to) {
  auto made = mapping_of_spifs(*policies.find(from), *policies.find(to), "harbor-light/3", kFrom, kUntil);
  if (!made) throw std::runtime_error(made.error().text());
  return *std::move(made);
}

// A policy of classifications alone, lowest first.
std::shared_ptr<LabelPolicy> ladder(std::string name, std::vector<std::string> classes) {
  PolicyData data;
  data.id = "2.999.9." + std::to_string(name[2]);
  data.name = std::move(name);
  for (size_t i = 0; i < classes.size(); ++i) {
    Classification one;
    one.name = classes[i];
    one.hierarchy = static_cast<int64_t>(i);
    data.classifications.push_back(one);
  }
  return std::make_shared<LabelPolicy>(LabelPolicy::from_data(std::move(data)).value());
}

Mapping ladder_mapping(std::string agreement, std::string from, std::string to,
                       std::vector<std::pair<std::string, std::string>> rules) {
  Mapping out;
  out.agreement = std::move(agreement);
  out.from = std::move(from);
  out.to = std::move(to);
  out.valid_from = kFrom;
  out.valid_until = kUntil;
  for (auto& [a, b] : rules) out.classifications.push_back({a, b, {}});
  return out;
}

// ACP 122: a nation without RESTRICTED handles it as CONFIDENTIAL, and passes it on as that.
struct Creep {
  std::shared_ptr<LabelPolicies> policies = std::make_shared<LabelPolicies>();
  std::vector<Mapping> mappings;
  explicit Creep(bool mended) {
    (void)policies->add(ladder("XAA", {"UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET"}));
    (void)policies->add(ladder("XCC", {"UNCLASSIFIED", "CONFIDENTIAL", "SECRET"}));
    (void)policies->add(ladder("XDD", {"UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET"}));
    std::vector<std::pair<std::string, std::string>> down{
        {"UNCLASSIFIED", "UNCLASSIFIED"}, {"CONFIDENTIAL", "CONFIDENTIAL"}, {"SECRET", "SECRET"}};
    auto straight = down;
    straight.push_back({"RESTRICTED", "RESTRICTED"});
    mappings.push_back(ladder_mapping("aldoria-dunmore", "XAA", "XDD", straight));
    mappings.push_back(ladder_mapping("cassia-dunmore", "XCC", "XDD", down));
    if (!mended) down.push_back({"RESTRICTED", "CONFIDENTIAL"});
    mappings.push_back(ladder_mapping("aldoria-cassia", "XAA", "XCC", down));
  }
};

std::string refused(const LabelPolicies& policies, Mapping mapping) {
  const auto made = checked(mapping, *policies.find(mapping.from), *policies.find(mapping.to));
  return made ? "" : made.error().what();
}

}  // namespace

TEST_CASE("what SPIFs say becomes a mapping in one direction, with an agreement and an end") {
  const auto policies = both();
  const Mapping there = of_spifs(*policies, "XAA", "XBB");
  CHECK(there.classifications.size() == 4);
  CHECK(there.rule("CONFIDENTIAL")->adds.size() == 1);
  CHECK(there.rule("TOP SECRET") == nullptr);
  CHECK(there.rule(CategoryRef{"Releasable To", kPermissive, "XDD"})->to.empty());
  const Mapping back = of_spifs(*policies, "XBB", "XAA");
  CHECK(back.classifications.size() == 3);
  CHECK(mapping_of_spifs(*policies->find("XAA"), *policies->find("XBB"), "", kFrom, kUntil).error().code() ==
        "label.mapping");
  CHECK(mapping_of_spifs(*policies->find("XAA"), *policies->find("XBB"), "a", kUntil, kFrom).error().code() ==
        "label.mapping");
}

TEST_CASE("a label is translated by the agreement, and what is left out only narrows or informs") {
  const auto policies = both();
  const auto crosswalk = Crosswalk::make(policies, {of_spifs(*policies, "XAA", "XBB")}, time_for_test());
  REQUIRE_MESSAGE(crosswalk.has_value(), crosswalk.error().text());
  Label label = label_for_test("SECRET", {{"Releasable To", kPermissive, {"XAA", "XBB", "XDD"}},
                                          {"Caveats", kRestrictive, {"ORCON"}},
                                          {"Handling", kInformative, {"STAFF"}}});
  label.originator = {"planner", ""};
  const Translation made = crosswalk->translate(label, "XBB", time_for_test()).value();
  CHECK(made.agreement == "harbor-light/3");
  CHECK(made.label.policy == "XBB");
  CHECK(made.label.classification == "SEALED-B");
  CHECK(made.label.caveats() == std::vector<std::string>{"OWNER CONSENT"});
  CHECK(made.label.releasable_to() == std::vector<std::string>{"XAA", "XBB"});
  CHECK(made.label.originator.id == "planner");
  CHECK(made.left_out == std::vector<std::string>{"STAFF (Handling)", "XDD (Releasable To)"});
  const Translation added =
      crosswalk->translate(label_for_test("CONFIDENTIAL"), "XBB", time_for_test()).value();
  CHECK(added.label.classification == "CLOSED-B");
  CHECK(added.label.caveats() == std::vector<std::string>{"TRADE"});
}

TEST_CASE("there is no equivalent in the other direction, before or after, or without every restriction") {
  const auto policies = both();
  const Crosswalk crosswalk =
      Crosswalk::make(policies, {of_spifs(*policies, "XAA", "XBB")}, time_for_test()).value();
  const auto code = [&](const Label& label, std::string_view to, Instant at) {
    const auto made = crosswalk.translate(label, to, at);
    return made ? "" : made.error().code();
  };
  const Label secret = label_for_test("SECRET");
  CHECK(code(secret, "XBB", time_for_test()).empty());
  CHECK(code(label_for_test("SEALED-B", {}, "XBB"), "XAA", time_for_test()) == "label.no-equivalent");
  CHECK(code(secret, "XBB", kUntil) == "label.no-equivalent");
  CHECK(code(secret, "XBB", kFrom - Millis(1)) == "label.no-equivalent");
  CHECK(code(label_for_test("SECRET", {{"Caveats", kRestrictive, {"NATIONAL"}}}), "XBB", time_for_test()) ==
        "label.no-equivalent");
  CHECK(code(label_for_test("SECRET", {{"Programmes", kRestrictive, {"ALPHA"}}}), "XBB", time_for_test()) ==
        "label.no-equivalent");
  CHECK(code(label_for_test("TOP SECRET", {{"Releasable To", kPermissive, {"XAA", "XBB"}}}), "XBB",
             time_for_test()) == "label.no-equivalent");
  CHECK(code(secret, "XEE", time_for_test()) == "label.policy");
  CHECK(code(label_for_test("SECRET", {{"Caveats", kRestrictive, {"NATIONAL"}},
                                       {"Releasable To", kPermissive, {"XAA", "XBB"}}}),
             "XBB", time_for_test()) == "label.rule");
}

TEST_CASE(
    "a label releasable only to those the other policy lacks has no equivalent: leaving all out widens") {
  const auto policies = both();
  Mapping mapping = of_spifs(*policies, "XAA", "XBB");
  for (auto& rule : mapping.values)
    if (rule.from.value == "XAA") rule.to.clear();
  const Crosswalk crosswalk = Crosswalk::make(policies, {mapping}, time_for_test()).value();
  const auto made = crosswalk.translate(
      label_for_test("SECRET", {{"Releasable To", kPermissive, {"XAA", "XDD"}}}), "XBB", time_for_test());
  CHECK(made.error().code() == "label.no-equivalent");
  CHECK(made.error().what().find("open to more") != std::string::npos);
}

TEST_CASE("a mapping that is not safe by itself is refused") {
  const auto policies = both();
  const Mapping good = of_spifs(*policies, "XAA", "XBB");
  CHECK(refused(*policies, good).empty());
  Mapping bad = good;
  std::swap(bad.classifications[0].to, bad.classifications[3].to);
  CHECK(refused(*policies, bad).find("keeps the order") == std::string::npos);
  CHECK(!refused(*policies, bad).empty());
  bad = good;
  bad.values.push_back({{"Programmes", kRestrictive, "ALPHA"}, {}});
  CHECK(refused(*policies, bad) == "it leaves out the restriction ALPHA");
  bad = good;
  bad.values.push_back({{"Programmes", kRestrictive, "ALPHA"}, {{"Releasable To", kPermissive, "XAA"}}});
  CHECK(refused(*policies, bad).find("changes from RESTRICTIVE to PERMISSIVE") != std::string::npos);
  bad = good;
  bad.adds.push_back({"Releasable To", kPermissive, "XCC"});
  CHECK(refused(*policies, bad) == "it adds the permissive value XCC");
  bad = good;
  bad.values.push_back(bad.values.front());
  CHECK(refused(*policies, bad).find("twice") != std::string::npos);
  bad = good;
  bad.classifications.push_back({"SECRET", "OPEN-B", {}});
  CHECK(refused(*policies, bad) == "SECRET is mapped twice");
  bad = good;
  bad.valid_until = kNever;
  CHECK(!refused(*policies, bad).empty());
  bad = good;
  bad.to = "XAA";
  CHECK(refused(*policies, bad) == "it maps a policy to itself");
}

TEST_CASE("two permissive categories never become one: one held value would then do for both") {
  PolicyData data = policy_for_test(kXaaSpif).data();
  data.name = "XCC";
  data.id = "2.999.3";
  Tag tag;
  tag.type = kPermissive;
  tag.values.push_back({});
  tag.values.back().name = "RELIEF";
  data.tag_sets.push_back({"Community", "2.999.3.7", {tag}, {}});
  LabelPolicies policies;
  REQUIRE(policies.add(std::make_shared<LabelPolicy>(LabelPolicy::from_data(std::move(data)).value())));
  REQUIRE(policies.add(std::make_shared<LabelPolicy>(policy_for_test(kXbbSpif))));
  Mapping mapping = ladder_mapping("a", "XCC", "XBB", {{"SECRET", "SEALED-B"}});
  mapping.values.push_back({{"Releasable To", kPermissive, "XAA"}, {{"Releasable To", kPermissive, "XAA"}}});
  CHECK(refused(policies, mapping).empty());
  mapping.values.push_back({{"Community", kPermissive, "RELIEF"}, {{"Releasable To", kPermissive, "XBB"}}});
  CHECK(refused(policies, mapping).find("one held value would then do for both") != std::string::npos);
}

TEST_CASE("SPIFs that disagree make no mapping") {
  std::string other(kXbbSpif);
  const std::string_view rule = "policyRef=\"XAA\" lacv=\"4\" applied=\"both\"";
  other.replace(other.find(rule), rule.size(), "policyRef=\"XAA\" lacv=\"3\" applied=\"both\"");
  const auto made = mapping_of_spifs(policy_for_test(kXaaSpif), policy_for_test(other), "a", kFrom, kUntil);
  CHECK(made.error().what() == "the SPIFs disagree: CONFIDENTIAL is CLOSED-B or SEALED-B");
}

TEST_CASE("the id says which policy a SPIF's equivalences mean, whatever it calls it") {
  const std::string listed = R"(<equivalentPolicy name="XAA" id="2.999.1.1"/>)";
  const auto made = [&](const std::string& instead) {
    std::string other(kXbbSpif);
    other.replace(other.find(listed), listed.size(), instead);
    return mapping_of_spifs(policy_for_test(kXaaSpif), policy_for_test(other), "a", kFrom, kUntil);
  };
  CHECK(made(listed).has_value());
  // Another policy of the same name: what is said of it at decrypt is not said of this one.
  CHECK(made(R"(<equivalentPolicy name="XAA" id="2.999.77"/>)").error().what() ==
        "the SPIF of XBB means another XAA: 2.999.77");
  CHECK(made("").error().what() == "the SPIF of XBB doesn't say the id of XAA");
  CHECK(made(listed + R"(<equivalentPolicy name="xaa" id="2.999.77"/>)").error().what() ==
        "the SPIF of XBB has two ids of xaa");
  // The same policy by another name.
  std::string own(kXaaSpif);
  for (size_t at = 0; (at = own.find("policyRef=\"XBB\"", at)) != std::string::npos; ++at)
    own.replace(at, 15, "policyRef=\"THEM\"");
  own.replace(own.find("equivalentPolicy name=\"XBB\""), 27, "equivalentPolicy name=\"THEM\"");
  const auto named = mapping_of_spifs(policy_for_test(own), policy_for_test(kXbbSpif), "a", kFrom, kUntil);
  REQUIRE_MESSAGE(named.has_value(), named.error().text());
  CHECK(named->classifications.size() == 4);
  CHECK(named->values.size() == made(listed)->values.size());
}

namespace {

// XAA's SPIF with `text` put before `where`, and what both SPIFs then say of XAA to XBB.
Result<Mapping> mapping_with(std::string_view where, std::string_view text) {
  std::string spif(kXaaSpif);
  REQUIRE(spif.find(where) != std::string::npos);
  spif.insert(spif.find(where), text);
  return mapping_of_spifs(policy_for_test(spif), policy_for_test(kXbbSpif), "a", kFrom, kUntil);
}

std::vector<std::string> names_of(const std::vector<CategoryRef>& refs) {
  std::vector<std::string> out;
  for (const CategoryRef& one : refs) out.push_back(one.value);
  return out;
}

constexpr std::string_view kConsent = R"(<spif:requiredCategory operation="all">
  <spif:categoryGroup tagSetRef="Caveats" tagType="restrictive" lacv="1"/></spif:requiredCategory>)";
constexpr std::string_view kTrade = R"(<spif:requiredCategory operation="all">
  <spif:categoryGroup tagSetRef="Caveats" tagType="restrictive" lacv="2"/></spif:requiredCategory>)";

}  // namespace

TEST_CASE("attack: what a SPIF adds at an equivalence is left out of the mapping, and the label widens") {
  using Names = std::vector<std::string>;
  // A classification that is said twice: what either adds.
  const auto twice = mapping_with("<spif:equivalentClassification policyRef=\"XBB\" lacv=\"12\"",
                                  fmt::format("<spif:equivalentClassification policyRef=\"XBB\" lacv=\"12\" "
                                              "applied=\"encrypt\">{}</spif:equivalentClassification>",
                                              kConsent));
  REQUIRE_MESSAGE(twice.has_value(), twice.error().text());
  CHECK(names_of(twice->rule("CONFIDENTIAL")->adds) == Names{"OWNER CONSENT", "TRADE"});
  // A policy that is named twice: what either adds.
  const auto policies = mapping_with(
      "<spif:equivalentPolicy name=\"XBB\"",
      fmt::format("<spif:equivalentPolicy name=\"XBB\" id=\"2.999.2.1\">{}</spif:equivalentPolicy>"
                  "<spif:equivalentPolicy name=\"xbb\" id=\"2.999.2.1\">{}</spif:equivalentPolicy>",
                  kTrade, kConsent));
  REQUIRE_MESSAGE(policies.has_value(), policies.error().text());
  CHECK(names_of(policies->adds) == Names{"TRADE", "OWNER CONSENT"});
  // A value: a mapping has no place for what it adds.
  for (const std::string_view applied : {"encrypt", "both"}) {
    const auto value = mapping_with(
        "<spif:markingData phrase=\"PR\">",
        fmt::format("<spif:equivalentSecCategoryTag policyRef=\"XBB\" tagSetId=\"2.999.2.1.1\" "
                    "tagType=\"restrictive\" lacv=\"2\" applied=\"{}\">{}</spif:equivalentSecCategoryTag>",
                    applied, kConsent));
    REQUIRE_FALSE(value.has_value());
    CHECK(value.error().what() == "its SPIF adds values to the equivalence of PROPIN");
  }
  std::string other(kXbbSpif);
  const std::string_view end = "lacv=\"2\" applied=\"encrypt\"/>\n        </tagCategory>\n        <markingQ";
  REQUIRE(other.find(end) != std::string::npos);
  other.insert(other.find(end) + 30,
               "<equivalentSecCategoryTag policyRef=\"XAA\" tagSetId=\"2.999.1.1.3\" tagType=\"restrictive\" "
               "lacv=\"2\" applied=\"decrypt\"><requiredCategory operation=\"all\"><categoryGroup "
               "tagSetRef=\"Caveats\" tagType=\"restrictive\" lacv=\"1\"/></requiredCategory>"
               "</equivalentSecCategoryTag>");
  const auto back = mapping_of_spifs(policy_for_test(kXaaSpif), policy_for_test(other), "a", kFrom, kUntil);
  REQUIRE_FALSE(back.has_value());
  CHECK(back.error().what() == "its SPIF adds values to the equivalence of TRADE");
}

TEST_CASE("attack: two SPIFs disagree about a value, and the wider of the two holds") {
  using Names = std::vector<std::string>;
  // What Aldoria says that its XCC is there, and what Borealis says that it is here.
  const auto made = [](std::vector<int> encrypt, std::vector<int> decrypt) {
    std::string own(kXaaSpif);
    std::string other(kXbbSpif);
    const auto replace = [](std::string& in, std::string_view from, const std::string& by) {
      REQUIRE(in.find(from) != std::string::npos);
      in.replace(in.find(from), from.size(), by);
    };
    std::string said;
    for (const int lacv : encrypt)
      said += fmt::format(
          R"(<spif:equivalentSecCategoryTag policyRef="XBB" tagSetId="2.999.2.1.2" tagType="enumerated"
              enumType="permissive" lacv="{}" applied="encrypt"/>)",
          lacv);
    replace(
        own,
        R"(<spif:equivalentSecCategoryTag policyRef="XBB" tagSetId="2.999.2.1.2" tagType="enumerated" enumType="permissive" lacv="3" applied="encrypt"/>)",
        said);
    // Below 0: discarded there.
    for (const int lacv : decrypt) {
      const std::string tag = R"(tagSetId="2.999.1.1.4" tagType="enumerated" enumType="permissive" lacv=)";
      const std::string at = fmt::format(R"({}"{}" applied="encrypt"/>)", tag, std::abs(lacv));
      replace(other, at,
              fmt::format(R"({}<equivalentSecCategoryTag policyRef="XAA" {}"3" applied="decrypt"{}/>)", at,
                          tag, lacv < 0 ? " action=\"discard\"" : ""));
    }
    return mapping_of_spifs(policy_for_test(own), policy_for_test(other), "a", kFrom, kUntil);
  };
  const CategoryRef cassia{"Releasable To", kPermissive, "XCC"};
  const auto names = [&](const Result<Mapping>& mapping) {
    REQUIRE_MESSAGE(mapping.has_value(), mapping.error().text());
    const Mapping::ValueRule* rule = mapping->rule(cassia);
    return rule == nullptr ? Names{} : names_of(rule->to);
  };
  CHECK(names(made({3}, {})) == Names{"XCC"});
  CHECK(names(made({3}, {3})) == Names{"XCC"});
  CHECK(names(made({}, {3})) == Names{"XCC"});
  CHECK(names(made({3, 2}, {2, 3})) == Names{"XCC", "XBB"});
  const auto disagree = [&](const Result<Mapping>& mapping) {
    REQUIRE_FALSE(mapping.has_value());
    CHECK(mapping.error().what() == "the SPIFs disagree about XCC");
  };
  disagree(made({2, 3}, {3}));  // the target names fewer
  disagree(made({3}, {2, 3}));  // or more
  disagree(made({3}, {2}));
  disagree(made({}, {2, 3}));  // or doesn't know itself
  disagree(made({3}, {-3}));   // or leaves it out
  CHECK(names(made({}, {-3})).empty());
  disagree(made({3}, {-3}));  // or leaves it out
  CHECK(names(made({}, {-3})).empty());
}

TEST_CASE("ACP 122: RESTRICTED becomes CONFIDENTIAL becomes CONFIDENTIAL, and the prover prints that chain") {
  const Creep creep(false);
  const Proof proof = prove(*creep.policies, creep.mappings, time_for_test()).value();
  REQUIRE(proof.chain.has_value());
  CHECK(proof.chain->text() ==
        "XAA RESTRICTED -> XCC CONFIDENTIAL (aldoria-cassia) -> XDD CONFIDENTIAL (cassia-dunmore): raised, "
        "since "
        "agreement aldoria-dunmore says XDD RESTRICTED");
  CHECK(Crosswalk::make(creep.policies, creep.mappings, time_for_test()).error().code() == "label.crosswalk");
  const Creep mended(true);
  CHECK(!prove(*mended.policies, mended.mappings, time_for_test())->chain);
  CHECK(Crosswalk::make(mended.policies, mended.mappings, time_for_test()).has_value());
}

TEST_CASE("a way home that raises, lowers or widens is found; a direct refusal can't be walked around") {
  Creep creep(true);
  auto& mappings = creep.mappings;
  const auto text = [&] {
    const auto chain = prove(*creep.policies, mappings, time_for_test())->chain;
    return chain ? chain->text() : "";
  };
  mappings.push_back(ladder_mapping("dunmore-aldoria", "XDD", "XAA", {{"RESTRICTED", "CONFIDENTIAL"}}));
  CHECK(text() ==
        "XAA RESTRICTED -> XDD RESTRICTED (aldoria-dunmore) -> XAA CONFIDENTIAL (dunmore-aldoria): raised, "
        "since "
        "it began as XAA RESTRICTED");
  mappings.back() = ladder_mapping("dunmore-aldoria", "XDD", "XAA", {{"SECRET", "RESTRICTED"}});
  CHECK(text().find("XAA RESTRICTED (dunmore-aldoria): widened") != std::string::npos);
  mappings.back() = ladder_mapping("dunmore-aldoria", "XDD", "XAA", {{"SECRET", "SECRET"}});
  CHECK(text().empty());
  // Aldoria and Cassia agreed on nothing for RESTRICTED; through Dunmore it must not get there.
  mappings.push_back(ladder_mapping("dunmore-cassia", "XDD", "XCC", {{"RESTRICTED", "CONFIDENTIAL"}}));
  CHECK(text() ==
        "XAA RESTRICTED -> XDD RESTRICTED (aldoria-dunmore) -> XCC CONFIDENTIAL (dunmore-cassia): widened, "
        "since "
        "agreement aldoria-cassia has no equivalent for it");
}

TEST_CASE("chains run through time: a label may wait for the next agreement, never for the last one") {
  Creep creep(true);
  auto& mappings = creep.mappings;
  mappings.push_back(ladder_mapping("later", "XDD", "XAA", {{"RESTRICTED", "CONFIDENTIAL"}}));
  mappings.back().valid_from = time_for_test("2026-12-30T00:00:00Z");
  mappings.back().valid_until = time_for_test("2028-01-01T00:00:00Z");
  CHECK(prove(*creep.policies, mappings, time_for_test())->chain.has_value());
  for (Mapping& one : mappings)
    if (one.agreement != "later") one.valid_until = time_for_test("2026-12-01T00:00:00Z");
  CHECK(prove(*creep.policies, mappings, time_for_test())->chain.has_value());
  // Once the first leg has ended, nothing new can begin the chain.
  CHECK(!prove(*creep.policies, mappings, time_for_test("2026-12-15T00:00:00Z"))->chain.has_value());
  // A later agreement that replaces an earlier one is no contradiction.
  Creep renewed(true);
  renewed.mappings.push_back(ladder_mapping("renewed", "XAA", "XDD", {{"RESTRICTED", "CONFIDENTIAL"}}));
  renewed.mappings.back().valid_from = kUntil;
  renewed.mappings.back().valid_until = time_for_test("2028-01-01T00:00:00Z");
  CHECK(!prove(*renewed.policies, renewed.mappings, time_for_test())->chain.has_value());
}

namespace {

// The oracle: whole labels as bits, every chain up to a length, no shared code with the prover.
constexpr int kHouses = 3;
constexpr int kLongest = 7;
struct Bits {
  int height;
  unsigned hold, share;
  bool operator==(const Bits&) const = default;
};
struct Drawn {
  bool there = false;
  std::array<int, 3> height{};              // -1: none
  std::array<unsigned, 2> hold{}, share{};  // 0: none
};
using Table = std::array<std::array<Drawn, kHouses>, kHouses>;

std::optional<Bits> carry(const Drawn& by, const Bits& it) {
  if (!by.there || by.height[static_cast<size_t>(it.height)] < 0) return std::nullopt;
  Bits out{by.height[static_cast<size_t>(it.height)], 0, 0};
  for (size_t i = 0; i < 2; ++i) {
    if ((it.hold >> i & 1U) != 0) {
      if (by.hold[i] == 0) return std::nullopt;
      out.hold |= by.hold[i];
    }
    if ((it.share >> i & 1U) != 0) out.share |= by.share[i];
  }
  if (it.share != 0 && out.share == 0) return std::nullopt;
  return out;
}

bool wrong(const Bits& is, const std::optional<Bits>& should) {
  return !should || is.height != should->height || is.hold != should->hold ||
         (is.share & ~should->share) != 0;
}

int shortest(const Table& table) {
  int best = 0;
  const auto walk = [&](auto&& self, int start, const Bits& origin, int at, const Bits& now,
                        int length) -> void {
    if (length == kLongest || (best != 0 && length >= best)) return;
    for (int to = 0; to < kHouses; ++to) {
      const auto next = carry(table[static_cast<size_t>(at)][static_cast<size_t>(to)], now);
      if (!next) continue;
      const Drawn& direct = table[static_cast<size_t>(start)][static_cast<size_t>(to)];
      const bool judged = to == start || (direct.there && length > 0);
      if (judged && wrong(*next, to == start ? std::optional(origin) : carry(direct, origin))) {
        if (best == 0 || length + 1 < best) best = length + 1;
        continue;
      }
      if (to != start) self(self, start, origin, to, *next, length + 1);
    }
  };
  for (int start = 0; start < kHouses; ++start)
    for (int height = 0; height < 3; ++height)
      for (unsigned bits = 0; bits < 16; ++bits) {
        const Bits origin{height, bits & 3U, bits >> 2U};
        walk(walk, start, origin, start, origin, 0);
      }
  return best;
}

Table draw(std::mt19937& dice, bool total) {
  Table out;
  const bool honest = dice() % 3 != 0;
  for (size_t a = 0; a < kHouses; ++a) {
    for (size_t b = 0; b < kHouses; ++b) {
      Drawn& it = out[a][b];
      it.there = a != b && dice() % 4 != 0;
      int low = 0;
      for (size_t i = 0; i < 3; ++i) {
        low = honest && dice() % 40 != 0 ? static_cast<int>(i) : std::max(low, static_cast<int>(dice() % 3));
        it.height[i] = total || dice() % 5 != 0 ? low : -1;
      }
      for (size_t i = 0; i < 2; ++i) {
        it.hold[i] = honest && dice() % 40 != 0 ? 1U << i : static_cast<unsigned>(dice() % 4);
        it.share[i] = honest && dice() % 40 != 0 ? 1U << i : static_cast<unsigned>(dice() % 4);
      }
      // Keep the order that checked() asks for.
      for (size_t i = 1; i < 3; ++i)
        if (it.height[i] >= 0)
          it.height[i] = std::max({it.height[i], it.height[i - 1], i > 1 ? it.height[0] : 0});
    }
  }
  return out;
}

std::vector<CategoryRef> refs(std::string_view tag, CategoryType type, unsigned bits) {
  std::vector<CategoryRef> out;
  for (unsigned i = 0; i < 2; ++i)
    if ((bits >> i & 1U) != 0) out.push_back({std::string(tag), type, i == 0 ? "ONE" : "TWO"});
  return out;
}

Mapping mapping_of(const Drawn& it, size_t from, size_t to) {
  static const std::array<const char*, 3> names{"XAA", "XBB", "XCC"};
  static const std::array<const char*, 3> heights{"LOW", "MIDDLE", "HIGH"};
  Mapping out = ladder_mapping(std::string(names[from]) + names[to], names[from], names[to], {});
  for (size_t i = 0; i < 3; ++i)
    if (it.height[i] >= 0)
      out.classifications.push_back({heights[i], heights[static_cast<size_t>(it.height[i])], {}});
  for (size_t i = 0; i < 2; ++i) {
    const unsigned bit = 1U << i;
    if (it.hold[i] != 0)
      out.values.push_back({refs("Hold", kRestrictive, bit)[0], refs("Hold", kRestrictive, it.hold[i])});
    if (it.share[i] != 0)
      out.values.push_back({refs("Share", kPermissive, bit)[0], refs("Share", kPermissive, it.share[i])});
  }
  return out;
}

}  // namespace

TEST_CASE("the prover agrees with an oracle that tries whole labels along every chain") {
  LabelPolicies policies;
  for (const char* name : {"XAA", "XBB", "XCC"}) {
    PolicyData data = ladder(name, {"LOW", "MIDDLE", "HIGH"})->data();
    for (const auto& [tag_name, type] : {std::pair{"Hold", kRestrictive}, std::pair{"Share", kPermissive}}) {
      Tag tag;
      tag.type = type;
      for (const char* value : {"ONE", "TWO"}) {
        tag.values.push_back({});
        tag.values.back().name = value;
      }
      data.tag_sets.push_back({tag_name, data.id + (type == kRestrictive ? ".1" : ".2"), {tag}, {}});
    }
    REQUIRE(policies.add(std::make_shared<LabelPolicy>(LabelPolicy::from_data(std::move(data)).value())));
  }
  std::mt19937 dice(122);
  int faulty = 0;
  int proved = 0;
  for (int round = 0; round < 600; ++round) {
    const bool total = round % 2 == 0;
    const Table table = draw(dice, total);
    std::vector<Mapping> mappings;
    for (size_t a = 0; a < kHouses; ++a)
      for (size_t b = 0; b < kHouses; ++b)
        if (table[a][b].there) {
          auto made = checked(mapping_of(table[a][b], a, b),
                              *policies.find(a == 0   ? "XAA"
                                             : a == 1 ? "XBB"
                                                      : "XCC"),
                              *policies.find(b == 0   ? "XAA"
                                             : b == 1 ? "XBB"
                                                      : "XCC"));
          REQUIRE_MESSAGE(made.has_value(), made.error().text());
          mappings.push_back(*std::move(made));
        }
    const Proof proof = prove(policies, mappings, time_for_test()).value();
    const int expected = shortest(table);
    CAPTURE(round);
    if (total) {
      CHECK((proof.chain ? static_cast<int>(proof.chain->agreements.size()) : 0) == expected);
    } else if (expected != 0) {
      CHECK(proof.chain.has_value());
    }
    (expected != 0 ? faulty : proved) += 1;
  }
  CHECK(faulty > 50);
  CHECK(proved > 50);
}
