#include "policy/decide.h"

#include "policy/lexer.h"
#include "policy/world_for_test.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::policy;
using namespace entente::policy::test;

namespace {

enum class Outcome { yes, no, error, refused };

// What a condition comes to, unvalidated, over one user and a ghost.
Outcome outcome(const std::string& condition, const Record& context = {}) {
  const PolicySource source{"trap", "permit (principal, action, resource) when { " + condition + " };"};
  const auto policies = PolicySet::unchecked(std::span(&source, 1));
  if (!policies) return Outcome::refused;
  const Entities entities = *Entities::unchecked().with(
      {{{{"User", "a"}, {{"x", 1}, {"r", Record{{"y", 2}}}}, {{"Group", "g"}}, {{"t", "v"}}}}, {}});
  const Answer answer =
      decide(*policies, entities, {}, {{"User", "a"}, {"Action", "view"}, {"Doc", "d"}, context});
  if (!answer.errors.empty()) return Outcome::error;
  return answer.permitted() ? Outcome::yes : Outcome::no;
}

struct Trap {
  const char* condition;
  Outcome outcome;
};

void check_traps(std::initializer_list<Trap> traps) {
  for (const Trap& trap : traps) {
    CAPTURE(trap.condition);
    CHECK(outcome(trap.condition) == trap.outcome);
  }
}

}  // namespace

TEST_CASE("numbers: 64 bits, overflow is an error") {
  check_traps({{"9223372036854775807 + 1 == 0", Outcome::error},
               {"-(-9223372036854775808) == 0", Outcome::error},
               {"9223372036854775808 == 0", Outcome::refused},
               {"-9223372036854775808 < 0", Outcome::yes},
               {"- 9223372036854775808 < 0", Outcome::yes},
               {"-9223372036854775808 - 1 < 0", Outcome::error},
               {"4611686018427387904 * 2 == 0", Outcome::error},
               {"1 + 2 * 3 - 4 == 3", Outcome::yes},
               {"10 - 2 - 3 == 5", Outcome::yes},
               {"!!!!true", Outcome::yes},
               {"!!!!!true", Outcome::refused},
               {"----1 == 1", Outcome::yes},
               {"-----1 == 1", Outcome::refused}});
}

TEST_CASE("equality never fails; sets hold each value once, of any kinds") {
  check_traps({{"1 == \"1\"", Outcome::no},
               {"[1, 1, 2] == [2, 1]", Outcome::yes},
               {"[1, \"a\"].contains(\"a\")", Outcome::yes},
               {"[].containsAny([])", Outcome::no},
               {"[].containsAll([])", Outcome::yes},
               {"[].isEmpty() && ![1].isEmpty()", Outcome::yes},
               {"[1, 2].containsAll([2]) && [1, 2].containsAny([3, 2])", Outcome::yes},
               {"{a: 1, b: 2} == {b: 2, \"a\": 1}", Outcome::yes},
               {"{a: 1, a: 2}.a == 1", Outcome::refused},
               {"1.contains(1)", Outcome::error}});
}

TEST_CASE("order is for numbers and times alone") {
  check_traps({{"\"a\" < \"b\"", Outcome::error},
               {"true < false", Outcome::error},
               {"1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3", Outcome::yes},
               {"1 < 2 < 3", Outcome::refused},
               {"datetime(\"2024-01-01\") < datetime(\"2024-01-02\")", Outcome::yes},
               {"duration(\"1d\") > duration(\"23h59m\")", Outcome::yes},
               {"duration(\"1d\") > 1", Outcome::error}});
}

TEST_CASE("evaluation goes from left to right and stops when the result is known") {
  check_traps({{"!(false && (1 + \"a\" == 2))", Outcome::yes},
               {"true || 1", Outcome::yes},
               {"(1 + \"a\" == 2) || true", Outcome::error},
               {"if true then true else 1 + \"a\"", Outcome::yes},
               {"if 1 then true else true", Outcome::error},
               {"true && 1", Outcome::error}});
}

TEST_CASE("entities that do not exist") {
  check_traps(
      {{"User::\"ghost\" in User::\"ghost\"", Outcome::yes},
       {"User::\"ghost\" in Group::\"g\"", Outcome::no},
       {"User::\"ghost\" has x", Outcome::no},
       {"User::\"ghost\".x == 1", Outcome::error},
       {"User::\"ghost\".hasTag(\"t\")", Outcome::no},
       {"principal has x && principal.x == 1 && principal[\"x\"] == 1", Outcome::yes},
       {"principal.nothing == 1", Outcome::error},
       {"principal has r.y && !(principal has r.z)", Outcome::yes},
       {"principal has x.y", Outcome::error},
       {"principal.hasTag(\"t\") && principal.getTag(\"t\") == \"v\"", Outcome::yes},
       {"principal in Group::\"g\" && principal in [User::\"z\", Group::\"g\"]", Outcome::yes},
       {"principal in [User::\"a\", 1]", Outcome::error},
       {"principal is User && principal is User in Group::\"g\" && !(principal is Doc)", Outcome::yes},
       {"principal is User in Group::\"nowhere\"", Outcome::no},
       {"principal is Doc in Group::\"g\"", Outcome::no},
       {"principal is Doc in 1", Outcome::no},
       {"principal is User in 1", Outcome::error},
       {"1 is User", Outcome::error}});
}

TEST_CASE("addresses keep their host bits") {
  check_traps(
      {{"ip(\"10.0.0.1/24\") == ip(\"10.0.0.0/24\")", Outcome::no},
       {"ip(\"10.0.0.1\") == ip(\"10.0.0.1/32\")", Outcome::yes},
       {"ip(\"10.0.0.1\").isInRange(ip(\"10.0.0.7/24\"))", Outcome::yes},
       {"ip(\"10.0.0.0/8\").isInRange(ip(\"10.0.0.0/24\"))", Outcome::no},
       {"ip(\"1.2.3.4\").isInRange(ip(\"::/0\"))", Outcome::no},
       {"ip(\"127.0.0.0/8\").isLoopback() && !ip(\"127.0.0.0/7\").isLoopback()", Outcome::yes},
       {"ip(\"::1\").isLoopback() && !ip(\"::1/127\").isLoopback()", Outcome::yes},
       {"ip(\"224.0.0.1\").isMulticast() && ip(\"ff02::1\").isMulticast()", Outcome::yes},
       {"ip(\"::1\").isIpv6() && ip(\"1:2:3:4:5:6:7::\").isIpv6() && ip(\"1.2.3.4\").isIpv4()", Outcome::yes},
       {"ip(\"::ffff:1.2.3.4\").isIpv6()", Outcome::error},
       {"ip(\"01.2.3.4\").isIpv4()", Outcome::error},
       {"ip(\"1.2.3.4/00\").isIpv4()", Outcome::error},
       {"ip(\"1.2.3.4/33\").isIpv4()", Outcome::error},
       {"ip(\"fe80::1%eth0\").isIpv6()", Outcome::error},
       {"ip(\"1::2::3\").isIpv6()", Outcome::error},
       {"ip(\"1:2:3:4:5:6:7:8::\").isIpv6()", Outcome::error}});
}

TEST_CASE("decimals have one to four digits after the point") {
  check_traps({{"decimal(\"1.0\") == decimal(\"1.0000\")", Outcome::yes},
               {"decimal(\"-0.5\").lessThan(decimal(\"0.0\"))", Outcome::yes},
               {"decimal(\"922337203685477.5807\").greaterThan(decimal(\"1.0\"))", Outcome::yes},
               {"decimal(\"922337203685477.5808\").greaterThan(decimal(\"1.0\"))", Outcome::error},
               {"decimal(\"1\") == decimal(\"1.0\")", Outcome::error},
               {"decimal(\"+1.0\") == decimal(\"1.0\")", Outcome::error},
               {"decimal(\"1.00000\") == decimal(\"1.0\")", Outcome::error}});
}

TEST_CASE("datetimes and durations are strict") {
  check_traps(
      {{"datetime(\"2024-02-30\") == 1", Outcome::error},
       {"datetime(\"2024-10-15T11:35:60Z\") == 1", Outcome::error},
       {"datetime(\"2024-10-15T11:35:00+11:00\") == 1", Outcome::error},
       {"datetime(\"+12024-10-15\") == 1", Outcome::error},
       {"datetime(\"2024-10-15T11:35:00+1100\") == datetime(\"2024-10-15T00:35:00.000Z\")", Outcome::yes},
       {"datetime(\"0000-01-01\") < datetime(\"1970-01-01\")", Outcome::yes},
       {"datetime(\"1969-12-31T23:00:00Z\").toDate() == datetime(\"1969-12-31\")", Outcome::yes},
       {"datetime(\"1969-12-31T23:00:00Z\").toTime() == duration(\"23h\")", Outcome::yes},
       {"datetime(\"2024-01-02\").durationSince(datetime(\"2024-01-01\")).toHours() == 24", Outcome::yes},
       {"datetime(\"2024-01-01\").offset(duration(\"-1d\")) == datetime(\"2023-12-31\")", Outcome::yes},
       {"datetime(\"2024-01-01\").offset(duration(\"9223372036854775807ms\")) == 1", Outcome::error},
       {"duration(\"\") == 1", Outcome::error},
       {"duration(\"1h1d\") == 1", Outcome::error},
       {"duration(\"1d2h3m4s5ms\").toMilliseconds() == 93784005", Outcome::yes},
       {"duration(\"-9223372036854775808ms\").toMilliseconds() < 0", Outcome::yes},
       {"duration(\"-90m\").toHours() == -1", Outcome::yes}});
}

TEST_CASE("strings: escapes and like") {
  check_traps({{R"("a*b" like "a\*b" && !("axb" like "a\*b"))", Outcome::yes},
               {R"("axxb" like "a*b" && "ab" like "a*b" && !("a" like "a*b"))", Outcome::yes},
               {R"("abcabc" like "*bc" && "aba" like "a*a" && !("a" like "a*a"))", Outcome::yes},
               {R"("a" like "?")", Outcome::no},
               {R"("\u{1F600}" like "*" && "\u{e9}" == "é")", Outcome::yes},
               {R"("\x41\0" like "A*")", Outcome::yes},
               // A star written by its number is a wildcard like any other; `\*` alone is a star.
               {R"("aXb" like "a\u{2a}b" && "aXb" like "a\x2Ab" && "aXb" like "a\u{00_2A}b")", Outcome::yes},
               {R"("a\x2a" == "a*" && "a*" like "a\*" && !("aX" like "a\*"))", Outcome::yes},
               {R"("a\\b" like "a\\\u{2a}" && !("a\\b" like "a\x5c\*"))", Outcome::yes},
               {R"("\u{110000}" == "")", Outcome::refused},
               {R"("\x80" == "")", Outcome::refused},
               {R"("\q" == "")", Outcome::refused},
               {R"("a\*b" == "")", Outcome::refused},
               {R"(1 like "1")", Outcome::error},
               {R"(ip("::1", 1).isIpv6())", Outcome::error},
               {"[1].contains(1, 2)", Outcome::refused}});
}

TEST_CASE("depth has a limit, length has none worth mentioning") {
  const auto nested = [](size_t depth) { return std::string(depth, '(') + "true" + std::string(depth, ')'); };
  CHECK(outcome(nested(PolicySet::kDepthMax - 1)) == Outcome::yes);
  CHECK(outcome(nested(PolicySet::kDepthMax)) == Outcome::refused);
  CHECK(outcome(nested(100'000)) == Outcome::refused);
  std::string long_and = "true";
  for (int i = 0; i < 20'000; ++i) long_and += " && true";
  CHECK(outcome(long_and) == Outcome::yes);
  std::string long_sum = "1";
  for (int i = 0; i < 20'000; ++i) long_sum += " + 1";
  CHECK(outcome(long_sum + " > 0") == Outcome::refused);
  std::string members = "context";
  for (int i = 0; i < 20'000; ++i) members += ".a";
  CHECK(outcome(members) == Outcome::refused);
}

TEST_CASE("a forbid wins, nothing is permitted by default, and the reasons say which policies settled it") {
  const PolicySet policies = load(R"(
    @id("team") permit (principal in Shop::Team::"t", action, resource);
    @id("own") permit (principal, action == Shop::Action::"view", resource) when { resource.owner == principal };
    @id("secret") @reason("secret papers stay") forbid (principal, action in Shop::Action::"all", resource)
      when { resource.secret };
  )");
  Entity secret = a_doc("s", "a", 1);
  secret.attributes.set("secret", true);
  const Entities entities = *Entities(schema()).with(
      {{a_user("a", 1, {{"Shop::Team", "t"}}), a_user("b", 1), a_doc("d", "a", 1), std::move(secret)}, {}});
  const auto ids = [&](const Answer& answer) {
    std::vector<std::string> out;
    out.reserve(answer.reasons.size());
    for (const PolicyIndex reason : answer.reasons) out.push_back(policies[reason].id);
    return out;
  };
  CHECK(ids(decide(policies, entities, {}, view("a", "d"))) == std::vector<std::string>{"team", "own"});
  const Answer forbidden = decide(policies, entities, {}, view("a", "s"));
  CHECK_FALSE(forbidden.permitted());
  CHECK(ids(forbidden) == std::vector<std::string>{"secret"});
  CHECK(policies[forbidden.reasons[0]].annotation("reason") == "secret papers stay");
  const Answer nothing = decide(policies, entities, {}, view("b", "d"));
  CHECK_FALSE(nothing.permitted());
  CHECK(nothing.reasons.empty());
}

TEST_CASE("a forbid that fails denies, unless exactly Cedar is asked for") {
  const PolicySet policies = load(R"(
    permit (principal, action, resource);
    forbid (principal, action == Shop::Action::"view", resource) when { resource.owner.level > 3 };
  )");
  const Entities entities = *Entities(schema()).with({{a_user("a", 1), a_doc("d", "ghost", 1)}, {}});
  const Answer answer = decide(policies, entities, {}, view("a", "d"));
  CHECK_FALSE(answer.permitted());
  REQUIRE(answer.errors.size() == 1);
  CHECK(answer.errors[0].error.code() == "policy.evaluation");
  CHECK(answer.errors[0].error.what().find("ghost") != std::string::npos);
  CHECK(decide(policies, entities, {}, view("a", "d"), {.forbid_error_denies = false, .every_error = true})
            .permitted());
}

TEST_CASE("a request that the schema does not know is denied, whatever the policies say") {
  const PolicySet policies = load("permit (principal, action, resource);");
  const Entities entities(schema());
  Request unknown = view("a", "d");
  unknown.action.id = "destroy";
  const Answer answer = decide(policies, entities, {}, unknown);
  CHECK_FALSE(answer.permitted());
  CHECK(answer.errors.at(0).error.code() == "policy.request");
  Request swapped = view("a", "d");
  std::swap(swapped.principal, swapped.resource);
  CHECK_FALSE(decide(policies, entities, {}, swapped).permitted());
  CHECK(decide(policies, entities, {}, view("a", "d")).permitted());
}

TEST_CASE("the schema checks a request's context") {
  CHECK(schema().check(view("a", "d")).has_value());
  Request request = view("a", "d");
  request.context = {};
  CHECK(schema().check(request).error().what().find("context.now is missing") != std::string::npos);
  request.context = {{"now", Datetime{1}}, {"aal", "2"}};
  CHECK(schema().check(request).error().what().find("context.aal is a String where a Long belongs") !=
        std::string::npos);
}

TEST_CASE("instants that time was compared with are told, and whether they are all that matters") {
  const Entities entities = *Entities(schema()).with({{a_user("a", 1), a_doc("d", "a", 1)}, {}});
  const PolicySet compared = load(
      "permit (principal, action == Shop::Action::\"view\", resource) when { context.now < principal.until "
      "};");
  const Answer answer = decide(compared, entities, {}, view("a", "d"));
  CHECK(answer.permitted());
  CHECK(answer.instants == std::vector<Datetime>{{1000}, {5000}});
  CHECK_FALSE(answer.clock_bound);
  const PolicySet shifted = load(
      "permit (principal, action == Shop::Action::\"view\", resource) when { context.now.toTime() < "
      "duration(\"8h\") };");
  CHECK(decide(shifted, entities, {}, view("a", "d")).clock_bound);
}

TEST_CASE("a denial names the permits that came nearest and their first unmet condition") {
  const PolicySet policies = load(R"(
    @id("far") permit (principal in Shop::Team::"x", action, resource in Shop::Folder::"f");
    @id("near") permit (principal, action == Shop::Action::"view", resource)
      when { principal.level >= 1 && context has aal && context.aal >= 2 };
    @id("edits") permit (principal, action == Shop::Action::"edit", resource);
  )");
  const Entities entities = *Entities(schema()).with({{a_user("a", 1), a_doc("d", "a", 1)}, {}});
  Request request = view("a", "d");
  request.context.set("aal", 1);
  const auto misses = near_misses(policies, entities, {}, request);
  REQUIRE(misses.size() == 2);
  CHECK(policies[misses[0].policy].id == "near");
  CHECK(misses[0].condition == "context.aal >= 2");
  CHECK(misses[0].where == "p.cedar:4:57");
  CHECK(misses[0].met + 1 == misses[0].conditions);
  CHECK(misses[1].condition == "principal in Shop::Team::\"x\"");
}

TEST_CASE("native predicates are called like methods, typed, and once for the same arguments") {
  int calls = 0;
  NativePredicates natives;
  const auto added = natives.add(
      {"covers", {"Set<String>", "String"}, "Bool", [&](std::span<const Value> arguments) -> Result<Value> {
         ++calls;
         for (const Value& item : arguments[0].items())
           if (arguments[1].string().starts_with(item.string())) return Value(true);
         return Value(false);
       }});
  REQUIRE(added.has_value());
  const PolicySet policies = load(R"(
    permit (principal, action, resource) when { principal.tags.covers("xyz") };
    permit (principal, action, resource) when { principal.tags.covers("xyz") && principal.level > 5 };
    permit (principal, action, resource) when { principal.tags.covers("other") };
  )",
                                  natives);
  const Entities entities = *Entities(schema()).with({{a_user("a", 1), a_doc("d", "a", 1)}, {}});
  CHECK(decide(policies, entities, {}, view("a", "d")).permitted());
  CHECK(calls == 2);
  const PolicySource wrong{"w",
                           "permit (principal, action, resource) when { principal.level.covers(\"x\") };"};
  CHECK(PolicySet::load(schema(), std::span(&wrong, 1), natives)
            .error()
            .what()
            .find("takes a Set<String> here") != std::string::npos);
  CHECK(natives.add({"contains", {"Long"}, "Bool", [](std::span<const Value>) { return Value(true); }})
            .error()
            .code() == "policy.native");
}
