#include "label/label_policy.h"

#include "label/label_json.h"
#include "label/label_xml.h"
#include "label/policies_for_test.h"

#include <cctype>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace entente;
using namespace entente::label;

namespace {

constexpr auto kPermissive = CategoryType::permissive;
constexpr auto kRestrictive = CategoryType::restrictive;
constexpr auto kInformative = CategoryType::informative;

std::string verdict(const LabelPolicy& policy, const Label& label, Use use = Use::read,
                    std::string_view at = "2026-11-22T02:00:00Z") {
  const auto checked = policy.check(label, use, time_for_test(at));
  return checked ? "" : checked.error().code();
}

// The SPIF of XAA with something else in it.
Result<LabelPolicy> changed(std::string_view from, std::string_view to) {
  std::string spif(kXaaSpif);
  const size_t at = spif.find(from);
  REQUIRE(at != std::string::npos);
  spif.replace(at, from.size(), to);
  return LabelPolicy::from_spif(spif);
}

std::string refusal(std::string_view from, std::string_view to) {
  const auto read = changed(from, to);
  return read ? "" : read.error().code();
}

}  // namespace

TEST_CASE("a label comes back in the policy's spelling, whatever the case of its names") {
  const LabelPolicy policy = policy_for_test(kXaaSpif);
  const auto checked =
      policy.check(label_for_test("secret", {{"releasable to", kPermissive, {"xaa", "xbb"}}}, "xaa"),
                   Use::create, time_for_test());
  REQUIRE_MESSAGE(checked.has_value(), checked.error().text());
  CHECK(checked->policy == "XAA");
  CHECK(checked->policy_id == "2.999.1.1");
  CHECK(checked->classification == "SECRET");
  CHECK(checked->releasable_to() == std::vector<std::string>{"XAA", "XBB"});
}

TEST_CASE("labels of another policy, and names the policy does not have, are refused") {
  const LabelPolicy policy = policy_for_test(kXaaSpif);
  CHECK(verdict(policy, label_for_test("SECRET", {}, "XBB")) == "label.policy");
  Label mixed = label_for_test("SECRET");
  mixed.policy_id = "2.999.2.1";
  CHECK(verdict(policy, mixed) == "label.policy");
  mixed.policy_id = "urn:oid:2.999.1.1";
  CHECK(verdict(policy, mixed).empty());
  mixed.policy.clear();
  CHECK(verdict(policy, mixed).empty());
  CHECK(verdict(policy, label_for_test("SEKRET")) == "label.unknown");
  CHECK(verdict(policy, label_for_test("SECRET", {{"Programmes", kRestrictive, {"DELTA"}}})) ==
        "label.unknown");
  CHECK(verdict(policy, label_for_test("SECRET", {{"Programmes", kInformative, {"ALPHA"}}})) ==
        "label.unknown");
}

TEST_CASE("each kind of rule is kept") {
  const LabelPolicy policy = policy_for_test(kXaaSpif);
  const Category orcon{"Caveats", kRestrictive, {"ORCON"}};
  const Category national{"Caveats", kRestrictive, {"NATIONAL"}};
  const Category rel{"Releasable To", kPermissive, {"XAA", "XBB"}};
  const auto programme = [](std::vector<std::string> values) {
    return Category{"Programmes", kRestrictive, std::move(values)};
  };
  CHECK(verdict(policy, label_for_test("SECRET", {programme({"ALPHA"})})).empty());
  CHECK(verdict(policy, label_for_test("RESTRICTED", {programme({"ALPHA"})})) == "label.rule");
  CHECK(verdict(policy, label_for_test("SECRET", {programme({"BRAVO"})})) == "label.rule");
  CHECK(verdict(policy, label_for_test("SECRET", {programme({"BRAVO"}), orcon})).empty());
  CHECK(verdict(policy, label_for_test("CONFIDENTIAL", {programme({"BRAVO-TWO"})})) == "label.rule");
  CHECK(verdict(policy, label_for_test("SECRET", {programme({"BRAVO-TWO"})})).empty());
  CHECK(verdict(policy, label_for_test("SECRET", {programme({"ALPHA", "BRAVO", "BRAVO-TWO", "CHARLIE"}),
                                                  orcon})) == "label.rule");
  CHECK(verdict(policy, label_for_test("SECRET", {national, rel})) == "label.rule");
  CHECK(verdict(policy, label_for_test("SECRET", {national})).empty());
  CHECK(verdict(policy, label_for_test("SECRET", {{"Releasable To", kPermissive, {"XAA"}}})) == "label.rule");
  CHECK(verdict(policy, label_for_test("SECRET", {{"Releasable To", kPermissive, {"XBB"}}})) == "label.rule");
  CHECK(verdict(policy, label_for_test("TOP SECRET")) == "label.rule");
  CHECK(verdict(policy, label_for_test("TOP SECRET", {rel})).empty());
  CHECK(verdict(policy, label_for_test("SECRET", {{"Handling", kInformative, {"STAFF", "MEDICAL"}}})) ==
        "label.rule");
}

TEST_CASE("obsolete names stay readable and can't be used anew; values end with their time") {
  const LabelPolicy policy = policy_for_test(kXaaSpif);
  const Label old = label_for_test("SECRET", {{"Programmes", kRestrictive, {"OLDTIME"}}});
  CHECK(verdict(policy, old, Use::read).empty());
  CHECK(verdict(policy, old, Use::create) == "label.time");
  Label flotilla = label_for_test("SECRET", {{"Releasable To", kPermissive, {"XAA", "FLOTILLA"}}});
  CHECK(verdict(policy, flotilla).empty());
  CHECK(verdict(policy, flotilla, Use::read, "2027-06-01T00:00:00Z") == "label.time");
  flotilla.created = time_for_test();
  CHECK(verdict(policy, flotilla, Use::read, "2027-06-01T00:00:00Z").empty());
  CHECK(verdict(policy, flotilla, Use::create, "2027-06-01T00:00:00Z") == "label.time");
}

TEST_CASE("values that people write are taken as far as their kind allows") {
  const LabelPolicy policy = policy_for_test(kXaaSpif);
  CHECK(verdict(policy, label_for_test("SECRET", {{"Convoy", kInformative, {"HX 229"}}})).empty());
  CHECK(verdict(policy, label_for_test("SECRET", {{"Convoy", kInformative, {std::string(65, 'x')}}})) ==
        "label.unknown");
}

TEST_CASE("a successor is checked like the label itself") {
  const LabelPolicy policy = policy_for_test(kXaaSpif);
  Label label = label_for_test("SECRET");
  label.succeeded = time_for_test();
  label.successor.push_back(label_for_test("NOTHING"));
  CHECK(verdict(policy, label) == "label.unknown");
  label.successor.front() = label_for_test("RESTRICTED");
  CHECK(verdict(policy, label).empty());
}

TEST_CASE("a SPIF that contradicts itself, or says what we do not know, is refused whole") {
  CHECK(refusal("hierarchy=\"4\"", "hierarchy=\"5\"") == "label.spif");
  CHECK(refusal("name=\"SECRET\"", "name=\"restricted\"") == "label.spif");
  CHECK(refusal("name=\"CHARLIE\"", "name=\"alpha\"") == "label.spif");
  CHECK(refusal("name=\"CHARLIE\" lacv=\"4\"", "name=\"CHARLIE\" lacv=\"01\"") == "label.format");
  CHECK(refusal("requiredClass=\"SECRET\"", "requiredClass=\"SEKRET\"") == "label.spif");
  CHECK(refusal("<spif:excludedClass>RESTRICTED<", "<spif:excludedClass>UNCLASSIFIED<") == "label.spif");
  CHECK(refusal("<spif:excludedClass>RESTRICTED<", "<spif:excludedClass>LIMITED<") == "label.spif");
  CHECK(refusal("tagSetRef=\"Caveats\" tagType=\"restrictive\" all",
                "tagSetRef=\"Cats\" tagType=\"restrictive\" all") == "label.spif");
  CHECK(refusal("tagSetRef=\"Caveats\" tagType=\"restrictive\" lacv=\"1\"",
                "tagSetRef=\"Caveats\" tagType=\"restrictive\" lacv=\"77\"") == "label.spif");
  CHECK(refusal("operation=\"oneOrMore\"", "operation=\"mostly\"") == "label.format");
  CHECK(refusal("schemaVersion=\"2.1\"", "schemaVersion=\"9\"") == "label.format");
  CHECK(refusal("<spif:tagCategory name=\"CHARLIE\" lacv=\"4\"/>",
                "<spif:tagCategory name=\"CHARLIE\" lacv=\"4\"><spif:deniedPerson/></spif:tagCategory>") ==
        "label.format");
  CHECK(refusal("tagType=\"restrictive\" maxSelection", "tagType=\"notApplicable\" maxSelection") ==
        "label.format");
  CHECK(refusal("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<!DOCTYPE SPIF>") == "label.doctype");
}

TEST_CASE("attack: a SPIF says a rule in an attribute that we do not know") {
  for (const char* version : {"2.1", "3.0"}) {
    CAPTURE(version);
    for (const char* element :
         {"SPIF", "securityPolicyId", "securityClassifications", "securityClassification",
          "equivalentClassification", "requiredCategory", "categoryGroup", "securityCategoryTagSets",
          "securityCategoryTagSet", "securityCategoryTag", "tagCategory", "excludedClass", "excludedCategory",
          "equivalentSecCategoryTag", "equivalentPolicies", "equivalentPolicy"}) {
      CAPTURE(element);
      std::string spif(kXaaSpif);
      const std::string_view schema = "schemaVersion=\"2.1\"";
      spif.replace(spif.find(schema), schema.size(), fmt::format("schemaVersion=\"{}\"", version));
      const std::string begin = fmt::format("<spif:{}", element);
      size_t at = spif.find(begin);
      while (at != std::string::npos && std::isalpha(static_cast<unsigned char>(spif[at + begin.size()])))
        at = spif.find(begin, at + 1);
      REQUIRE(at != std::string::npos);
      spif.insert(at + begin.size(), " minimumClearance=\"SECRET\"");
      const auto read = LabelPolicy::from_spif(spif);
      REQUIRE_FALSE(read.has_value());
      CHECK(read.error().code() == "label.format");
      CHECK(read.error().what() == fmt::format("the attribute minimumClearance of {} is not known", element));
    }
  }
}

TEST_CASE("a SPIF is read as others write it: with what its schema has besides, and spaces around names") {
  CHECK(changed("name=\"SECRET\"", "color=\"red\" name=\"SECRET\"").has_value());
  CHECK(changed("name=\"CHARLIE\"", "dateFormat=\"YYYY\" name=\"CHARLIE\"").has_value());
  CHECK(
      changed("<spif:equivalentPolicy name", "<spif:equivalentPolicy docRefURI=\"urn:x\" name").has_value());
  // Attributes of another namespace, and on what is only printed.
  CHECK(changed("<spif:SPIF ",
                "<spif:SPIF xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
                "xsi:schemaLocation=\"http://www.xmlspif.org/spif x.xsd\" ")
            .has_value());
  CHECK(changed("phrase=\"PR\"", "font=\"bold\" phrase=\"PR\"").has_value());
  const auto spaced = changed("<spif:excludedClass>UNCLASSIFIED<", "<spif:excludedClass>\n  UNCLASSIFIED <");
  REQUIRE(spaced.has_value());
  const Label excluded = label_for_test("UNCLASSIFIED", {{"Programmes", kRestrictive, {"ALPHA"}}});
  CHECK(verdict(*spaced, excluded) == verdict(policy_for_test(kXaaSpif), excluded));
  CHECK(verdict(*spaced, excluded) != "");
}

TEST_CASE("numbers, truths and times of a SPIF are read by the rules of XML Schema") {
  CHECK(changed("hierarchy=\"1\"", "hierarchy=\" +1\n\"").has_value());
  CHECK(changed("hierarchy=\"1\"", "hierarchy=\"-1\"").has_value());
  CHECK_FALSE(changed("hierarchy=\"1\"", "hierarchy=\"+-1\"").has_value());
  CHECK_FALSE(changed("hierarchy=\"1\"", "hierarchy=\"1 1\"").has_value());
  CHECK(changed("maxSelection=\"3\"", "maxSelection=\"+3 \"").has_value());
  CHECK(changed("obsolete=\"true\"", "obsolete=\" true \"").has_value());
  CHECK_FALSE(changed("obsolete=\"true\"", "obsolete=\"True\"").has_value());
  const auto ends = [](const std::string& at) {
    return changed("schemaVersion=\"2.1\"", "schemaVersion=\"2.1\" notAfter=\"" + at + "\"");
  };
  const auto secret = [](const Result<LabelPolicy>& policy, std::string_view now) {
    REQUIRE_MESSAGE(policy.has_value(), policy.error().text());
    return verdict(*policy, label_for_test("SECRET"), Use::read, now);
  };
  const auto midnight = ends("2026-12-31T24:00:00Z");
  CHECK(secret(midnight, "2026-12-31T23:59:59Z").empty());
  CHECK(secret(midnight, "2027-01-01T00:00:00Z").empty());
  CHECK(secret(midnight, "2027-01-01T00:00:01Z") == "label.time");
  CHECK_FALSE(ends("2026-12-31T24:00:01Z").has_value());
  CHECK_FALSE(ends("2026-12-31T25:00:00Z").has_value());
  // Without a zone: over as soon as it is that time anywhere, and begun once it is everywhere.
  const auto bare = ends("2026-12-31T12:00:00");
  CHECK(secret(bare, "2026-12-30T22:00:00Z").empty());
  CHECK(secret(bare, "2026-12-30T22:00:01Z") == "label.time");
  const auto begins =
      changed("schemaVersion=\"2.1\"", "schemaVersion=\"2.1\" notBefore=\"2026-12-31T12:00:00\"");
  CHECK(secret(begins, "2027-01-01T01:59:59Z") == "label.time");
  CHECK(secret(begins, "2027-01-01T02:00:00Z").empty());
}

TEST_CASE(
    "a rule that says enumerated alone means the only type it can, and is refused where there are two") {
  const std::string typed =
      "tagType=\"enumerated\" enumType=\"permissive\" lacv=\"2\"/>\n            <spif:categ";
  const auto policy = changed(typed, "tagType=\"enumerated\" lacv=\"2\"/>\n            <spif:categ");
  REQUIRE_MESSAGE(policy.has_value(), policy.error().text());
  const Label alone = label_for_test("SECRET", {{"Releasable To", CategoryType::permissive, {"XAA"}}});
  CHECK(verdict(*policy, alone) == "label.rule");
  CHECK(policy->data().tag_sets[3].tags[0].values[0].required.front().of ==
        policy_for_test(kXaaSpif).data().tag_sets[3].tags[0].values[0].required.front().of);
  CHECK_FALSE(changed(typed, "tagType=\"enumerated\" lacv=\"77\"/>\n            <spif:categ").has_value());
  // A second enumerated tag of the other type, with that lacv.
  std::string both(kXaaSpif);
  both.replace(both.find(typed), typed.size(),
               "tagType=\"enumerated\" lacv=\"2\"/>\n            <spif:categ");
  const std::string_view tag = "<spif:securityCategoryTag name=\"Releasable To\"";
  both.insert(both.find(tag),
              "<spif:securityCategoryTag name=\"Eyes\" tagType=\"enumerated\" enumType=\"restrictive\">"
              "<spif:tagCategory name=\"ONE\" lacv=\"2\"/></spif:securityCategoryTag>");
  CHECK(LabelPolicy::from_spif(both).error().code() == "label.spif");
}

TEST_CASE("attack: a rule of a whole tag set names a type that the set lacks, and never holds") {
  const std::string excluded = "<spif:excludedCategory tagSetRef=\"Releasable To\" tagType=\"permissive\" ";
  for (const char* type :
       {"tagType=\"restrictive\" all=\"true\"", "tagType=\"tagType7\" all=\"true\"", "tagType=\"tagType7\"",
        "tagType=\"enumerated\" enumType=\"restrictive\" all=\"true\""}) {
    CAPTURE(type);
    const auto read = changed(excluded + "all=\"true\"",
                              fmt::format("<spif:excludedCategory tagSetRef=\"Releasable To\" {}", type));
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().code() == "label.spif");
  }
  // Of that type, but without a value.
  const std::string empty = "<spif:securityCategoryTag name=\"Nobody\" tagType=\"restrictive\"/>";
  std::string spif(kXaaSpif);
  const std::string_view tag = "<spif:securityCategoryTag name=\"Releasable To\"";
  spif.insert(spif.find(tag), empty);
  CHECK(LabelPolicy::from_spif(spif).has_value());
  spif.replace(spif.find(excluded), excluded.size(),
               "<spif:excludedCategory tagSetRef=\"Releasable To\" tagType=\"restrictive\" ");
  CHECK(LabelPolicy::from_spif(spif).error().code() == "label.spif");
  // A whole tag set's values count whether they are enumerated or not.
  const auto bare = changed(excluded + "all=\"true\"", excluded);
  REQUIRE(bare.has_value());
  CHECK(verdict(*bare, label_for_test("SECRET", {{"Caveats", kRestrictive, {"NATIONAL"}},
                                                 {"Releasable To", kPermissive, {"XAA", "XBB"}}})) ==
        "label.rule");
}

TEST_CASE("attack: a single selection that also says a maximum takes more than one value") {
  const Label two = label_for_test("SECRET", {{"Handling", kInformative, {"STAFF", "MEDICAL"}}});
  for (const char* most : {"5", "unbounded", "1"}) {
    CAPTURE(most);
    const auto both = changed("singleSelection=\"true\"",
                              fmt::format("singleSelection=\"true\" maxSelection=\"{}\"", most));
    REQUIRE(both.has_value());
    CHECK(verdict(*both, two) == "label.rule");
  }
  CHECK(refusal("maxSelection=\"3\"", "maxSelection=\"3\" minSelection=\"4\"") == "label.spif");
  CHECK(refusal("singleSelection=\"true\"", "singleSelection=\"true\" minSelection=\"2\"") == "label.spif");
  CHECK(refusal("maxSelection=\"3\"", "maxSelection=\"3\" minSelection=\"3\"").empty());
}

TEST_CASE("a SPIF of schema 3.0 is read as far as it says what 2.1 can say") {
  CHECK(changed("schemaVersion=\"2.1\"", "schemaVersion=\"3.0\"").has_value());
}

TEST_CASE("a policy outside its own time says no label is right") {
  const auto policy =
      changed("schemaVersion=\"2.1\"",
              "schemaVersion=\"2.1\" notBefore=\"2026-01-01T00:00:00Z\" notAfter=\"2026-12-01T00:00:00Z\"");
  REQUIRE(policy.has_value());
  CHECK(verdict(*policy, label_for_test("SECRET")).empty());
  CHECK(verdict(*policy, label_for_test("SECRET"), Use::read, "2027-01-01T00:00:00Z") == "label.time");
}

TEST_CASE("policies are found by name and id, and a label that mixes two finds none") {
  LabelPolicies policies;
  REQUIRE(policies.add(std::make_shared<LabelPolicy>(policy_for_test(kXaaSpif))).has_value());
  REQUIRE(policies.add(std::make_shared<LabelPolicy>(policy_for_test(kXbbSpif))).has_value());
  CHECK(policies.add(std::make_shared<LabelPolicy>(policy_for_test(kXaaSpif))).error().code() ==
        "label.policy");
  CHECK(policies.find("urn:oid:2.999.2.1")->name() == "XBB");
  Label label = label_for_test("SECRET");
  CHECK((*policies.of(label))->name() == "XAA");
  label.policy_id = "2.999.2.1";
  CHECK(policies.of(label).error().code() == "label.policy");
}

TEST_CASE("a policy is known by its name or its id, however a label's form writes either") {
  const auto named = [](std::string_view name, std::string_view id) {
    std::string spif(kXaaSpif);
    const std::string_view own = R"(name="XAA" id="2.999.1.1")";
    spif.replace(spif.find(own), own.size(), fmt::format(R"(name="{}" id="{}")", name, id));
    return policy_for_test(spif);
  };
  const auto ocl = [](std::string_view policy) {
    return read_label_json(
               *Json::parse(fmt::format(R"({{"ocl": {{"pol": "{}", "cls": "SECRET"}}}})", policy)))
        .value();
  };
  const auto xml = [](std::string_view text, std::string_view attributes = "") {
    return read_label_xml(
               fmt::format(
                   "<ConfidentialityLabel xmlns='{}'><ConfidentialityInformation><PolicyIdentifier{}>{}"
                   "</PolicyIdentifier><Classification>SECRET</Classification>"
                   "</ConfidentialityInformation></ConfidentialityLabel>",
                   "urn:nato:stanag:4774:confidentialitymetadatalabel:1:0", attributes, text))
        .value()
        .label;
  };
  const LabelPolicy urn = named("XMM", "URN:OID:2.999.9.1");
  CHECK(verdict(urn, xml("XMM", " URI='urn:oid:2.999.9.1'")).empty());
  CHECK(verdict(urn, xml("XMM", " URI='Urn:Oid:2.999.9.1'")).empty());
  CHECK(verdict(urn, xml("2.999.9.1")).empty());
  CHECK(verdict(urn, xml("urn:oid:2.999.9.1")).empty());
  CHECK(verdict(urn, xml("urn:oid:2.999.9.1", " URI='urn:oid:2.999.9.1'")).empty());
  CHECK(verdict(urn, ocl("URN:OID:2.999.9.1")).empty());
  CHECK(verdict(urn, ocl("xmm")).empty());
  CHECK(verdict(named("2026", "2.999.9.1"), ocl("2026")).empty());
  CHECK(verdict(named("XMM:LOGISTICS", "2.999.9.1"), ocl("XMM:LOGISTICS")).empty());
  CHECK(verdict(named("XMM", "XMM:LOGISTICS"), ocl("XMM:LOGISTICS")).empty());
  CHECK(verdict(named(" XMM ", " 2.999.9.1 "), xml("XMM", " URI='urn:oid:2.999.9.1'")).empty());
  CHECK(verdict(urn, ocl("2.999.9.2")) == "label.policy");
  CHECK(verdict(urn, xml("2.999.9.2", " URI='urn:oid:2.999.9.1'")) == "label.policy");
  CHECK(verdict(urn, xml("XMM", " URI='urn:oid:2.999.9.2'")) == "label.policy");
}

TEST_CASE("attack: a policy whose name is another's id stands in for it") {
  const auto named = [](std::string_view name, std::string_view id) {
    PolicyData data = policy_for_test(kXaaSpif).data();
    data.name = name;
    data.id = id;
    return std::make_shared<const LabelPolicy>(LabelPolicy::from_data(std::move(data)).value());
  };
  for (const auto& [name, id] : {std::pair{"2.999.1.1", "2.999.1.1"},
                                 {"urn:oid:2.999.1.1", "2.999.1.1"},
                                 {"URN:OID:2.999.1.1", "urn:oid:2.999.1.1"},
                                 {"XMM:LOGISTICS", "xmm:logistics"}}) {
    CAPTURE(name);
    for (const bool real_first : {true, false}) {
      LabelPolicies policies;
      const auto real = named("XMM", id);
      const auto other = named(name, "2.999.66");
      REQUIRE(policies.add(real_first ? real : other).has_value());
      const auto second = policies.add(real_first ? other : real);
      REQUIRE_FALSE(second.has_value());
      CHECK(second.error().code() == "label.policy");
    }
  }
  // By itself it is not the policy of that id either.
  Label label = label_for_test("SECRET");
  label.policy.clear();
  label.policy_id = "2.999.1.1";
  CHECK(verdict(*named("2.999.1.1", "2.999.66"), label) == "label.policy");
  label.policy = "XBB";
  label.policy_id.clear();
  CHECK(verdict(*named("XAA", "XBB"), label) == "label.policy");
}

TEST_CASE("names are padded in a SPIF, and mean what they mean in a label") {
  const auto padded = changed("name=\"TOP SECRET\"", "name=\" TOP  SECRET \"");
  REQUIRE(padded.has_value());
  CHECK(padded->classification("TOP SECRET") != nullptr);
  const auto value = changed("name=\"CHARLIE\"", "name=\"CHARLIE  TWO \"");
  REQUIRE(value.has_value());
  CHECK(verdict(*value, label_for_test("SECRET", {{"Programmes", kRestrictive, {"CHARLIE TWO"}}})).empty());
  CHECK(refusal("name=\"CHARLIE\"", "name=\" ALPHA \"") == "label.spif");
  CHECK(refusal("name=\"CHARLIE\"", "name=\"  \"") == "label.format");
}
