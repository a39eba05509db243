#include "policy/policy_set.h"

#include "policy/world_for_test.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::policy;
using namespace entente::policy::test;

namespace {

struct Refusal {
  std::string policy;
  std::string what;  // part of the message
  std::string hint;  // part of the hint
};

void check_refused(std::initializer_list<Refusal> refusals, const std::string& code) {
  for (const Refusal& refusal : refusals) {
    CAPTURE(refusal.policy);
    const auto loaded = try_load(refusal.policy);
    REQUIRE_FALSE(loaded.has_value());
    CAPTURE(loaded.error().text());
    CHECK(loaded.error().code() == code);
    CHECK(loaded.error().what().find(refusal.what) != std::string::npos);
    CHECK(loaded.error().hint().find(refusal.hint) != std::string::npos);
    CHECK(loaded.error().where().starts_with("p.cedar:"));
  }
}

std::string when(const std::string& condition) {
  return "permit (principal is Shop::User, action == Shop::Action::\"view\", resource) when { " + condition +
         " };";
}

}  // namespace

TEST_CASE("what the schema does not know is refused, with a suggestion") {
  check_refused(
      {{"permit (principal is Shop::Usr, action, resource);", "no entity type `Shop::Usr`", "`Shop::User`"},
       {"permit (principal, action == Shop::Action::\"vew\", resource);", "no action", "view"},
       {"permit (principal in Shop::Teem::\"t\", action, resource);", "no entity type", "Shop::Team"},
       {when("principal.levl > 1"), "has no attribute `levl`", "`level`"},
       {when("context.aa == 1"), "has no attribute `aa`", "`aal`"},
       {when("resource.owner == Shop::Usr::\"x\""), "no entity type", "Shop::User"},
       {when("action == Shop::Action::\"viw\""), "no action", "view"},
       {when("principal.colour == 1"), "has no attribute `colour`", ""}},
      "policy.invalid");
}

TEST_CASE("names are checked also where no request gets to") {
  check_refused({{when("true || principal == Shop::Usr::\"x\""), "no entity type", "Shop::User"},
                 {when("true || principal is Shop::Usr"), "no entity type", "Shop::User"},
                 {when("action in principal || principal.level"), "a condition belongs here", ""}},
                "policy.invalid");
}

TEST_CASE("an optional attribute is read only behind a guard") {
  check_refused({{when("principal.boss == principal"), "`boss` is optional", "principal has boss &&"},
                 {when("principal has boss || principal.boss == principal"), "`boss` is optional", ""},
                 {when("!(principal has boss) && principal.boss == principal"), "`boss` is optional", ""},
                 {when("principal has boss && principal.boss.boss == principal"), "`boss` is optional",
                  "principal.boss has boss"},
                 {when("principal has home && principal.home.zone == 1"), "`zone` is optional", ""},
                 {when("principal.getTag(\"t\") == \"v\""), "this tag may be missing", "hasTag"}},
                "policy.invalid");
  for (const char* good :
       {"principal has boss && principal.boss == principal",
        "principal has home.zone && principal.home.zone == 1 && principal.home.city == \"x\"",
        "if principal has boss then principal.boss.level > 1 else false",
        "!(principal has boss) || principal has name",
        "(principal has boss && principal has home) && principal.boss.level > principal.level",
        "principal.hasTag(\"t\") && principal.getTag(\"t\") == \"v\"", "principal has nonsense || true",
        "context has aal && context.aal > 1"}) {
    CAPTURE(good);
    const auto loaded = try_load(when(good));
    if (!loaded) CAPTURE(loaded.error().text());
    CHECK(loaded.has_value());
  }
  CHECK(
      try_load(
          "permit (principal, action == Shop::Action::\"view\", resource) when { principal has boss } when { "
          "principal.boss.level > 1 };")
          .has_value());
}

TEST_CASE("types must fit") {
  check_refused({{when("principal.level"), "a condition belongs here; this is a Long", ""},
                 {when("principal.name > 1"), "this is a String", ""},
                 {when("principal.level == \"1\""), "never equal", ""},
                 {when("principal.level + true == 2"), "a Long belongs here; this is a Bool", ""},
                 {when("principal.level like \"1\""), "a String belongs here", ""},
                 {when("principal.level.contains(1)"), "a Set belongs here; this is a Long", ""},
                 {when("principal.tags.contains(1)"), "a String belongs here", ""},
                 {when("principal in principal.tags"), "an entity or a set of entities", ""},
                 {when("[1, \"a\"].contains(1)"), "in a set of Long", ""},
                 {when("[].isEmpty()"), "empty set", ""},
                 {when("context.now < 5"), "a datetime belongs here", ""},
                 {when("context.now < datetime(\"2024-13-01\")"), "is no datetime", ""},
                 {when("context.now < datetime(principal.name)"), "as written", ""},
                 {when("if principal.level > 1 then 1 else \"a\""), "one branch", ""},
                 {when("principal.name.city == \"x\""), "has no attributes", ""}},
                "policy.invalid");
}

TEST_CASE("a scope that no request can meet is refused; one that never comes true is told") {
  check_refused(
      {{"permit (principal is Shop::Doc, action, resource);", "no request can meet this scope", ""},
       {"permit (principal, action == Shop::Action::\"list\", resource is Shop::Doc);", "no request", ""},
       {"permit (principal, action == Shop::Action::\"all\", resource);", "no request", ""}},
      "policy.invalid");
  CHECK(load("permit (principal, action, resource) when { principal is Shop::Doc };").warnings().size() == 1);
  CHECK(load("permit (principal, action, resource) when { resource is Shop::Doc };").warnings().empty());
}

TEST_CASE("a condition is checked for each kind of request, but not where it cannot be reached") {
  check_refused({{"permit (principal, action, resource) when { resource.secret };",
                  "Shop::Folder has no attribute `secret`", ""}},
                "policy.invalid");
  CHECK(try_load("permit (principal, action, resource) when { resource is Shop::Doc && resource.secret };")
            .has_value());
  CHECK(try_load("permit (principal, action, resource) when { action in [Shop::Action::\"all\"] && "
                 "resource.secret };")
            .has_value());
}

TEST_CASE("text that does not parse is refused where it goes wrong") {
  check_refused(
      {{"permit (principal, action, resource)", "where `when`, `unless` or `;` is expected", ""},
       {"permitt (principal, action, resource);", "`permit` or `forbid`", "`permit`"},
       {"permit (principal, action);", "`,` is expected", ""},
       {"permit (principal == ?resource, action, resource);", "`?principal`", "its own slot"},
       {"permit (principal, action == ?action, resource);", "no slot", "name the action"},
       {"permit (principal, action, resource) when { principal == ?principal };", "in the scope only", ""},
       {"permit (principal, action == Shop::User::\"x\", resource);", "is no action", ""},
       {"permit (principal, action, resource) when { principle.level > 1 };", "no variable", "`principal`"},
       {"permit (principal, action, resource) when { principal.tags.contain(\"x\") };", "no method",
        "`contains`"},
       {"permit (principal, action, resource) when { principal.level = 1 };", "no operator", "=="},
       {"permit (principal, action, resource) when { if.x };", "", ""},
       {"permit (principal, action, resource) when { \"open };", "does not end", ""},
       {"@a @a permit (principal, action, resource);", "twice", ""},
       {"permit (principal, action, resource) when { ~ };", "no place", ""}},
      "policy.syntax");
}

TEST_CASE("an error shows the line, a caret and the place") {
  const auto loaded = try_load("// first\n" + when("\n  principal.levl > 1"));
  REQUIRE_FALSE(loaded.has_value());
  CHECK(loaded.error().where() == "p.cedar:3:3");
  CHECK(
      loaded.error().what() ==
      "policy p.cedar#0: Shop::User has no attribute `levl`\n    principal.levl > 1 };\n    ^^^^^^^^^^^^^^");
}

TEST_CASE("ids come from @id or the place in the file; one id twice is refused") {
  const PolicySet policies =
      load("permit (principal, action, resource); @id(\"x\") @note forbid (principal, action, resource);");
  CHECK(policies.size() == 2);
  CHECK(policies[*policies.find("p.cedar#0")].effect == Effect::permit);
  CHECK(policies[*policies.find("x")].annotation("note") == "");
  CHECK_FALSE(policies[*policies.find("x")].annotation("other").has_value());
  CHECK_FALSE(policies.find("y").has_value());
  CHECK(
      try_load(
          "@id(\"x\") permit (principal, action, resource); @id(\"x\") forbid (principal, action, resource);")
          .error()
          .code() == "policy.doubled");
}

TEST_CASE("a policy has up to 1024 annotations, each once") {
  const auto read = [](size_t count, const std::string& more) {
    std::string text;
    for (size_t i = 0; i < count; ++i) text += "@a" + std::to_string(i) + (i % 2 == 0 ? "\n" : "(\"x\")\n");
    const PolicySource source{"p.cedar", text + more + "permit (principal, action, resource);"};
    return PolicySet::unchecked(std::span(&source, 1));
  };
  const auto all = read(1024, "");
  REQUIRE_MESSAGE(all.has_value(), (all ? "" : all.error().text()));
  CHECK((*all)[PolicyIndex{0}].annotations.size() == 1024);
  CHECK((*all)[PolicyIndex{0}].annotation("a1023") == "x");
  CHECK((*all)[PolicyIndex{0}].annotation("a1022") == "");
  CHECK(read(1025, "").error().what().find("more than 1024 annotations") != std::string::npos);
  CHECK(read(1000, "@a999 ").error().what().find("@a999 is given twice") != std::string::npos);
}

TEST_CASE("check tells every faulty policy") {
  const PolicySource source{"p.cedar",
                            when("principal.levl > 1") + when("true") + when("principal.name > 1")};
  CHECK(PolicySet::check(schema(), std::span(&source, 1)).size() == 2);
}

TEST_CASE("which members of the context an action's policies read is known, however they are written") {
  const auto reads = [](const std::string& text, std::string_view member, const char* asked = "view") {
    return load(text).reads_context(action(asked), member);
  };
  for (const char* by : {"context.aal == 1", "context[\"aal\"] == 1", "context[\"a\\u{61}l\"] == 1",
                         "context has aal", "context has \"aal\"", "true || {inner: context}.inner has aal"})
    CHECK_MESSAGE(
        reads(when(std::string(by).starts_with("context.") || std::string(by).starts_with("context[")
                       ? "context has aal && " + std::string(by)
                       : std::string(by)),
              "aal"),
        by);
  CHECK_FALSE(reads(when("context.now > datetime(\"2026-01-01\")"), "aal"));
  CHECK(reads(when("context.now > datetime(\"2026-01-01\")"), "now"));
  CHECK_FALSE(reads(when("principal.name != \"context.aal\" // context has aal\n"), "aal"));
  CHECK_FALSE(reads("@note(\"context.aal\") " + when("principal has name"), "aal"));
  // As a whole: all of it may matter.
  for (const char* whole :
       {"context == context", "[context].contains(context)", "{all: context} == {all: context}",
        "(if principal.level > 1 then context else context) has now"}) {
    CHECK_MESSAGE(reads(when(whole), "aal"), whole);
    CHECK_MESSAGE(reads(when(whole), "no such"), whole);
  }
  // Of another action, or of no template's link: not read by this one.
  CHECK_FALSE(reads(when("context has aal"), "aal", "list"));
  CHECK_FALSE(reads(when("context has aal"), "aal", "unknown"));
  const auto with_link = [](const char* links) {
    return load(
        R"({"staticPolicies": {}, "templates": {"t": "permit (principal == ?principal, )"
        R"(action == Shop::Action::\"view\", resource) when { context has aal };"}, "templateLinks": [)" +
        std::string(links) + "]}");
  };
  CHECK_FALSE(with_link("").reads_context(action("view"), "aal"));
  CHECK(
      with_link(
          R"({"templateId": "t", "newId": "l", "values": {"?principal": {"type": "Shop::User", "id": "u"}}})")
          .reads_context(action("view"), "aal"));
}

TEST_CASE("which entities policies name is known") {
  const PolicySet set = load(
      "@id(\"note\") " +
      when("principal in [Shop::Team::\"t\"] || {a: [resource]} == {a: [Shop::Doc::\"\\u{64}\"]} // x\n") +
      "@id(\"b\") forbid (principal in Shop::Team::\"scope\", action, resource);");
  for (const char* named : {"t", "d", "scope", "view"}) CHECK_MESSAGE(set.names_entity(named), named);
  for (const char* other : {"x", "note", "b", "scop"}) CHECK_FALSE_MESSAGE(set.names_entity(other), other);
}
