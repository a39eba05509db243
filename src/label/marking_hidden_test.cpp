// What a line doesn't show: no line is read as a label when another one is printed as that line, too.
#include "label/marking_shape.h"
#include "label/policies_for_test.h"

#include <random>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace entente;
using namespace entente::label;

namespace {

constexpr std::string_view kHead = R"x(<SPIF xmlns="http://www.xmlspif.org/spif" schemaVersion="2.1">
<securityPolicyId name="POL" id="2.999.9"/><securityClassifications>
<securityClassification name="EXERCISE LOW" lacv="1" hierarchy="1"/>
<securityClassification name="EXERCISE HIGH" lacv="2" hierarchy="2"/></securityClassifications>
<securityCategoryTagSets><securityCategoryTagSet name="Caveats" id="2.999.9.1">
<securityCategoryTag name="Caveats" tagType="restrictive">)x";
constexpr std::string_view kTail =
    "</securityCategoryTag></securityCategoryTagSet></securityCategoryTagSets></SPIF>";

std::string value(std::string_view name, int lacv, std::string_view inside) {
  return fmt::format(R"(<tagCategory name="{}" lacv="{}">{}</tagCategory>)", name, lacv, inside);
}
std::string phrase(std::string_view phrase, std::string_view codes) {
  std::string out = fmt::format(R"(<markingData phrase="{}">)", phrase);
  for (size_t at = 0; at < codes.size();) {
    const size_t stop = std::min(codes.find(' ', at), codes.size());
    out += fmt::format("<code>{}</code>", codes.substr(at, stop - at));
    at = stop + 1;
  }
  return out + "</markingData>";
}

LabelPolicy policy_with(const std::string& values) {
  return policy_for_test(std::string(kHead) + values + std::string(kTail));
}

Label low(std::vector<std::string> caveats) {
  std::vector<Category> categories;
  if (!caveats.empty()) categories.push_back({"Caveats", CategoryType::restrictive, std::move(caveats)});
  return label_for_test("EXERCISE LOW", std::move(categories), "POL");
}

std::string code_of(const MarkingGrammar& grammar, std::string_view line) {
  const auto read = grammar.parse(line, time_for_test());
  return read ? canonical(*read) : read.error().code();
}

// ---- Any policy ----

PolicyData draw_policy(std::mt19937& dice) {
  const auto one_in = [&](unsigned n) { return dice() % n == 0; };
  const auto pick = [&](const std::vector<std::string>& words) { return words[dice() % words.size()]; };
  const auto phrases = [&](std::vector<Phrase>& out) {
    if (one_in(3)) return;
    Phrase made;
    if (!one_in(4)) made.text = pick({"A", "B", "a", "POL", "POL A", "LOW", "A LOW", "", "A/B"});
    for (const uint32_t code : {kNoNameDisplay, kNoMarkingDisplay, kSuppressClassName, kReplacePolicy})
      if (one_in(3)) made.codes |= code;
    out.push_back(std::move(made));
  };
  PolicyData out;
  out.name = "POL";
  out.id = "2.999.9";
  phrases(out.phrases);
  for (const char* name : {"LOW", "HIGH"}) {
    out.classifications.push_back({});
    out.classifications.back().name = name;
    out.classifications.back().hierarchy = static_cast<int64_t>(out.classifications.size());
    if (one_in(2)) phrases(out.classifications.back().phrases);
  }
  for (const char* set : {"One", "Two"}) {
    TagSet made{set, fmt::format("2.999.9.{}", out.tag_sets.size()), {Tag{}}, {}};
    Tag& tag = made.tags.front();
    tag.type = static_cast<CategoryType>(dice() % 3);
    if (one_in(4)) tag.selection_max = 1;
    if (one_in(3)) tag.qualifiers.push_back({Qualifier::Part::prefix, pick({"A", "- ", "REL "}), "", false});
    for (const char* name : {"A", "B", "C"}) {
      TagValue value;
      value.name = name;
      phrases(value.phrases);
      if (one_in(4)) value.excluded_classes.push_back("HIGH");
      if (one_in(6)) value.required.push_back({Requirement::Operation::all, {{set, tag.type, "A"}}});
      if (one_in(6)) value.excluded.push_back({set, tag.type, "B"});
      if (one_in(8)) value.not_after = time_for_test("2020-01-01T00:00:00Z");
      tag.values.push_back(std::move(value));
    }
    out.tag_sets.push_back(std::move(made));
  }
  return out;
}

std::vector<Label> every_label(const LabelPolicy& policy, Instant now) {
  std::vector<Label> out;
  const PolicyData& data = policy.data();
  for (unsigned chosen = 0; chosen < 128; ++chosen) {
    Label label;
    label.policy = data.name;
    label.classification = data.classifications[chosen & 1U].name;
    for (unsigned bit = 0; bit < 6; ++bit) {
      const TagSet& set = data.tag_sets[bit / 3];
      if ((chosen >> (bit + 1) & 1U) != 0)
        label.categories.push_back({set.name, set.tags[0].type, {set.tags[0].values[bit % 3].name}});
    }
    if (auto good = policy.check(label, Use::read, now)) out.push_back(*std::move(good));
  }
  return out;
}

}  // namespace

TEST_CASE("a value that stands for the policy hides another: the line is not read as one of them") {
  const MarkingGrammar grammar(
      policy_with(value("ALPHA", 1, phrase("POL/ALPHA", "noNameDisplay replacePolicy")) +
                  value("BRAVO", 2, phrase("POL/BRAVO", "noNameDisplay replacePolicy"))),
      {});
  const auto line = grammar.print(low({"ALPHA", "BRAVO"}), time_for_test()).value();
  CHECK(line == "POL/BRAVO EXERCISE LOW");  // as the policy has it
  CHECK(code_of(grammar, line) == "label.ambiguous");
  // What nothing after it can hide is one label.
  CHECK(grammar.parse("POL/ALPHA EXERCISE LOW", time_for_test()).value().caveats() ==
        std::vector<std::string>{"ALPHA"});
  CHECK(grammar.parse("POL EXERCISE LOW", time_for_test()).value().categories.empty());
}

TEST_CASE("a restriction that the policy never shows makes each line ambiguous that it could stand behind") {
  for (const char* codes : {"noMarkingDisplay", "noNameDisplay noMarkingDisplay"}) {
    const MarkingGrammar grammar(
        policy_with(value("ALPHA", 1, phrase("A", codes) + "<excludedClass>EXERCISE HIGH</excludedClass>") +
                    value("BRAVO", 2, "")),
        {});
    CHECK(code_of(grammar, "POL EXERCISE LOW") == "label.ambiguous");
    CHECK(code_of(grammar, "POL EXERCISE LOW BRAVO") == "label.ambiguous");
    CHECK(grammar.parse("POL EXERCISE HIGH BRAVO", time_for_test()).has_value());
  }
}

TEST_CASE("a hidden value out of use may have been printed while it was in use") {
  std::string spif =
      std::string(kHead) + value("ALPHA", 1, phrase("A", "noMarkingDisplay")) + std::string(kTail);
  spif.replace(spif.find("lacv=\"1\">"), 9, "lacv=\"1\" notAfter=\"2020-01-01T00:00:00Z\">");
  CHECK(code_of(MarkingGrammar(policy_for_test(spif), {}), "POL EXERCISE LOW") == "label.ambiguous");
}

TEST_CASE("a text of people's own is read as it is written, and is not printed where it would change") {
  const MarkingGrammar grammar(policy_for_test(kXaaSpif), {});
  const auto convoy = [](const char* number) {
    return label_for_test("RESTRICTED", {{"Convoy", CategoryType::informative, {number}}});
  };
  for (const char* number : {"HX 229", "hx 229", "Hx-229"}) {
    const auto line = grammar.print(convoy(number), time_for_test()).value();
    CHECK(grammar.parse(line, time_for_test()).value().categories == convoy(number).categories);
  }
  CHECK(grammar.print(convoy("\u041dX 229"), time_for_test()).error().code() == "label.marking");
}

TEST_CASE("no line of any policy is read as one label when another prints as that line") {
  std::mt19937 dice(20261123);
  const Instant now = time_for_test();
  size_t read = 0;
  size_t ambiguous = 0;
  for (int round = 0; round < 400; ++round) {
    CAPTURE(round);
    const LabelPolicy policy = LabelPolicy::from_data(draw_policy(dice)).value();
    const MarkingGrammar grammar(policy, {});
    const MarkingShape shape = shape_of(policy, {});
    for (const Label& label : every_label(policy, now)) {
      const std::string line = lay_out(policy, shape, {}, label);
      INFO(line << " of " << canonical(label));
      const auto back = grammar.parse(line, now);
      CHECK_MESSAGE((!back || *back == label), canonical(*back));
      const auto printed = grammar.print(label, now);
      CHECK((!printed || *printed == line));
      read += back ? 1 : 0;
      ambiguous += !back && back.error().code() == "label.ambiguous" ? 1 : 0;
    }
  }
  CHECK(read > 500);
  CHECK(ambiguous > 5000);
}
