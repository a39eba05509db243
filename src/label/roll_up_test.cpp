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
