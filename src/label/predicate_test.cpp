#include "label/predicate.h"

#include "label/policies_for_test.h"
#include "policy/decide.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::label;
using policy::Record;
using policy::Value;

namespace {

constexpr std::string_view kSchema = R"(
  type Category = {tag: String, type: String, values: Set<String>};
  entity Person = {clearance: {policy: String, classifications: Set<String>, categories: Set<Category>}};
  entity Object = {label: {policy: String, classification: String, categories: Set<Category>}};
  action open appliesTo {principal: [Person], resource: [Object], context: {now: datetime}};
)";

std::shared_ptr<const LabelPolicies> known() {
  auto out = std::make_shared<LabelPolicies>();
  REQUIRE(out->add(std::make_shared<LabelPolicy>(policy_for_test(kXaaSpif))));
  return out;
}

Clearance secret_of_xbb() {
  Clearance out;
  out.policy = "XAA";
  out.classifications = {"UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET"};
  out.categories = {{"Releasable To", CategoryType::permissive, {"XBB"}}};
  return out;
}

policy::Answer answer_of(const Clearance& clearance, const Label& label,
                         std::shared_ptr<const LabelPolicies> labels = known()) {
  const policy::Schema schema = policy::Schema::parse(kSchema, "schema").value();
  policy::NativePredicates natives;
  REQUIRE(natives.add(dominates_predicate(std::move(labels))));
  const policy::PolicySource source{"p",
                                    "permit (principal, action, resource) when { "
                                    "principal.clearance.dominates(resource.label, context.now) };"};
  const auto policies = policy::PolicySet::load(schema, std::span(&source, 1), natives);
  REQUIRE_MESSAGE(policies.has_value(), policies.error().text());
  const auto entities =
      policy::Entities(schema).with({{{{"Person", "p"}, {{"clearance", clearance_value(clearance)}}, {}, {}},
                                      {{"Object", "o"}, {{"label", label_value(label)}}, {}, {}}},
                                     {}});
  REQUIRE_MESSAGE(entities.has_value(), entities.error().text());
  auto answer = policy::decide(
      *policies, *entities, {},
      {{"Person", "p"}, {"Action", "open"}, {"Object", "o"}, Record{{"now", time_for_test()}}});
  CHECK(answer.errors.empty());
  return answer;
}

bool may_open(const Clearance& clearance, const Label& label) {
  return answer_of(clearance, label).permitted();
}

}  // namespace

TEST_CASE("policies ask for dominance with the labels' own rules") {
  const Category rel{"Releasable To", CategoryType::permissive, {"XAA", "XBB"}};
  CHECK(may_open(secret_of_xbb(), label_for_test("SECRET", {rel})));
  CHECK(may_open(secret_of_xbb(), label_for_test("RESTRICTED")));
  CHECK(!may_open(secret_of_xbb(), label_for_test("TOP SECRET", {rel})));
  CHECK(!may_open(secret_of_xbb(),
                  label_for_test("SECRET", {{"Releasable To", CategoryType::permissive, {"XAA", "XCC"}}})));
  CHECK(!may_open(secret_of_xbb(),
                  label_for_test("SECRET", {{"Caveats", CategoryType::restrictive, {"NATIONAL"}}})));
}

TEST_CASE("what dominance says holds for the moment where a name ends, and else for good") {
  const Label label = label_for_test("RESTRICTED");
  CHECK(answer_of(secret_of_xbb(), label).clock_bound);
  std::string text(kXaaSpif);
  const std::string_view end = " notAfter=\"2026-12-31T00:00:00Z\"";
  text.erase(text.find(end), end.size());
  auto undated = std::make_shared<LabelPolicies>();
  REQUIRE(undated->add(std::make_shared<LabelPolicy>(policy_for_test(text))));
  const policy::Answer free = answer_of(secret_of_xbb(), label, undated);
  CHECK(free.permitted());
  CHECK_FALSE(free.clock_bound);
  CHECK(answer_of(secret_of_xbb(), label_for_test("SECRET", {}, "XZZ"), undated).clock_bound);
}

TEST_CASE("a label that is unknown, of another policy or against its rules is covered by nobody") {
  CHECK(!may_open(secret_of_xbb(), label_for_test("SECRET", {}, "XZZ")));
  CHECK(!may_open(secret_of_xbb(), label_for_test("SEKRET")));
  CHECK(!may_open(secret_of_xbb(),
                  label_for_test("SECRET", {{"Releasable To", CategoryType::permissive, {"XBB"}}})));
  Clearance odd = secret_of_xbb();
  odd.classifications.push_back("ANYTHING");
  CHECK(!may_open(odd, label_for_test("SECRET")));
}

TEST_CASE("attack: what came out under one label policy, or at one time, is believed under another") {
  const Value clearance = clearance_value(secret_of_xbb());
  const Value label = label_value(label_for_test(
      "RESTRICTED", {{"Releasable To", CategoryType::permissive, {"FLOTILLA", "XAA", "XBB"}}}));
  const auto holds = [&](const policy::NativePredicate& predicate, Instant at) {
    const std::array<Value, 3> arguments{clearance, label, Value(at)};
    return predicate.function(arguments).value().boolean();
  };
  std::string text(kXaaSpif);
  const std::string_view end = " notAfter=\"2026-12-31T00:00:00Z\"";
  const Instant late = parse_rfc3339("2027-01-01T00:00:00Z").value();
  const auto dated = dominates_predicate(known());
  CHECK(holds(dated, time_for_test()));
  CHECK(!holds(dated, late));
  CHECK(holds(dated, time_for_test()));
  text.erase(text.find(end), end.size());
  const auto policies_of = [](std::string_view spif) {
    auto out = std::make_shared<LabelPolicies>();
    REQUIRE(out->add(std::make_shared<LabelPolicy>(policy_for_test(spif))));
    return out;
  };
  const auto undated = dominates_predicate(policies_of(text));
  CHECK(holds(undated, late));
  CHECK(holds(undated, late));
  CHECK(!holds(dated, late));
  // Of the same name, and without that classification.
  for (size_t at = text.find("RESTRICTED"); at != std::string::npos; at = text.find("RESTRICTED", at))
    text.replace(at, 10, "RESERVED");
  const auto renamed = dominates_predicate(policies_of(text));
  CHECK(!holds(renamed, late));
  CHECK(holds(undated, late));
}

TEST_CASE("values that are no label are evaluation errors, which open nothing") {
  const auto predicate = dominates_predicate(known());
  const Value good = label_value(label_for_test("SECRET"));
  for (const Value& odd : {Value(1), Value("SECRET"), Value(Record{{"policy", Value("XAA")}}),
                           Value(Record{{"policy", Value("XAA")},
                                        {"classifications", Value::texts({"SECRET"})},
                                        {"categories", Value::set({Value(1)})}})}) {
    const std::array<Value, 3> arguments{odd, good, Value(time_for_test())};
    CHECK(!predicate.function(arguments).has_value());
  }
}
