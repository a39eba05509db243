#include "label/roll_up.h"

#include "label/policies_for_test.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::label;

TEST_CASE("a banner is at least what its portions are together, or it is said where it is not") {
  const LabelPolicy policy = policy_for_test(kXaaSpif);
  const auto restrictive = [](const char* tag, const char* value) {
    return Category{tag, CategoryType::restrictive, {value}};
  };
  const auto rel = [](std::vector<std::string> houses) {
    return Category{"Releasable To", CategoryType::permissive, std::move(houses)};
  };
  const std::vector<Label> parts{
      label_for_test("RESTRICTED"), label_for_test("SECRET", {rel({"XAA", "XBB", "XCC"})}),
      label_for_test("CONFIDENTIAL", {restrictive("Programmes", "ALPHA"), rel({"XAA", "XBB"})})};
  using Said = std::vector<std::pair<size_t, std::string>>;
  const auto said = [&](const Label& banner) {
    Said out;
    const auto found = shortfalls(policy, banner, parts, time_for_test()).value();
    for (const Shortfall& one : found) out.emplace_back(one.part, one.why);
    return out;
  };
  CHECK(said(combine(policy, parts, {"desk", ""}, time_for_test()).value()).empty());
  CHECK(
      said(label_for_test("TOP SECRET", {restrictive("Programmes", "ALPHA"), rel({"XAA", "XBB"})})).empty());
  CHECK(said(label_for_test("CONFIDENTIAL", {restrictive("Programmes", "ALPHA"), rel({"XAA", "XBB"})})) ==
        Said{{1, "its classification is CONFIDENTIAL, not SECRET"}});
  CHECK(said(label_for_test("SECRET", {rel({"XAA", "XBB"})})) == Said{{2, "it lacks ALPHA (Programmes)"}});
  CHECK(said(label_for_test("SECRET", {restrictive("Programmes", "ALPHA"), rel({"XAA", "XBB", "XCC"})})) ==
        Said{{2, "it names XCC (Releasable To), who may not read there"}});
  CHECK(said(label_for_test("SECRET", {restrictive("Programmes", "ALPHA")})) ==
        Said{{1, "it names no Releasable To, and there only XAA, XBB, XCC may read"},
             {2, "it names no Releasable To, and there only XAA, XBB may read"}});
  // What is left to read both is nobody that the policy knows.
  const Said apart =
      said(label_for_test("SECRET", {restrictive("Programmes", "ALPHA"), rel({"XAA", "XCC"})}));
  REQUIRE(apart.size() == 1);
  CHECK(apart[0].first == 2);
  CHECK(apart[0].second.starts_with("these can't stand in one: "));
  CHECK(shortfalls(policy, label_for_test("NOTHING"), parts, time_for_test()).error().code() ==
        "label.unknown");
  CHECK(shortfalls(policy, label_for_test("SECRET"), std::vector{label_for_test("NOTHING")}, time_for_test())
            .error()
            .code() == "label.unknown");
}

TEST_CASE("what was right when it was made is still rolled up once a name in it has ended") {
  const LabelPolicy policy = policy_for_test(kXaaSpif);
  Label old = label_for_test("SECRET", {{"Releasable To", CategoryType::permissive, {"XAA", "FLOTILLA"}}});
  old.created = time_for_test();
  const Instant later = time_for_test("2027-06-01T00:00:00Z");
  CHECK(combine(policy, std::vector{old, old}, {"desk", ""}, later).has_value());
  const auto found =
      shortfalls(policy, old, std::vector{old, label_for_test("TOP SECRET", old.categories)}, later);
  REQUIRE_FALSE(found.has_value());  // the second says no time, so it is one of today
  CHECK(found.error().code() == "label.time");
  Label top = label_for_test("TOP SECRET", old.categories);
  top.created = old.created;
  const auto both = shortfalls(policy, old, std::vector{old, top}, later);
  REQUIRE_MESSAGE(both.has_value(), both.error().text());
  REQUIRE(both->size() == 1);
  CHECK(both->front().part == 1);
}

TEST_CASE("informative values that cannot stand together do not make a banner lower") {
  const LabelPolicy policy = policy_for_test(kXaaSpif);
  const auto handled = [](std::string_view classification, const char* value) {
    return label_for_test(classification, {{"Handling", CategoryType::informative, {value}}});
  };
  const auto found = shortfalls(
      policy, handled("SECRET", "STAFF"),
      std::vector{handled("RESTRICTED", "MEDICAL"), handled("TOP SECRET", "MEDICAL")}, time_for_test());
  CHECK_FALSE(found.has_value());  // TOP SECRET alone breaks a rule of its own
  const auto lower = shortfalls(policy, handled("RESTRICTED", "STAFF"),
                                std::vector{handled("RESTRICTED", "MEDICAL"), handled("SECRET", "MEDICAL")},
                                time_for_test());
  REQUIRE(lower.has_value());
  REQUIRE(lower->size() == 1);
  CHECK(lower->front().part == 1);
  CHECK(lower->front().why == "its classification is RESTRICTED, not SECRET");
}
