#include "policy/document.h"

#include "policy/decide.h"
#include "policy/entities.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::policy;

namespace {

PolicyDocument document(const std::string& text) {
  auto out = PolicyDocument::parse({"p.cedar", text}, PolicyDocument::Names::numbered);
  REQUIRE_MESSAGE(out.has_value(), (out ? "" : out.error().text()));
  return *std::move(out);
}

PolicyDocument from_json(const std::string& text) {
  auto out = PolicyDocument::parse_json({"p.json", text});
  REQUIRE_MESSAGE(out.has_value(), (out ? "" : out.error().text()));
  return *std::move(out);
}

std::string fault(const std::string& json) {
  const auto out = PolicyDocument::parse_json({"p.json", json});
  return out ? std::string() : out.error().code() + " " + out.error().text();
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string when(const std::string& condition) {
  return "permit(principal, action, resource) when { " + condition + " };";
}

// text -> JSON -> text -> JSON.
void check_round(const std::string& text) {
  CAPTURE(text);
  const PolicyDocument first = document(text);
  const auto json = first.json();
  REQUIRE(json.has_value());
  const PolicyDocument second = from_json(json->dump());
  CHECK(second.text() == first.text());
  CHECK(second.json()->dump() == json->dump());
  CHECK(document(first.text()).text() == first.text());
}

}  // namespace

TEST_CASE("policies survive the way to JSON and back, every construct") {
  check_round(
      "@id(\"a\") @bare @empty(\"\") forbid(principal == U::\"a\", action == A::Action::\"x\", resource in "
      "G::\"g\");");
  check_round(
      "permit(principal is A::B, action in [Action::\"a\", Action::\"b\"], resource is R in R::\"x\") unless "
      "{ true };");
  check_round("permit(principal, action in [], resource) when { true } when { false } unless { true };");
  for (const char* condition : {"-5 == -(5)",
                                "--5 == - -context.x",
                                "-9223372036854775808 < 1",
                                "-(5).x == (-5).x",
                                "!!!!true",
                                "!(!(!(!(!true))))",
                                "1 + 2 - 3 * 4 == 1 - (2 - 3)",
                                "(1 + 2) * 3 == 9",
                                "a::b::\"c\\n\\\"\" in [A::\"x\", B::\"y\"]",
                                "principal has a",
                                "principal has a.b.c",
                                "principal has \"a b\"",
                                "principal[\"a b\"].c[\"if\"].d",
                                "principal.x like \"a*b\\*c**\"",
                                "principal is A::B",
                                "principal is A in B::\"x\"",
                                "principal is A in [B::\"x\"]",
                                "if true then 1 == 2 else (if false then true else false)",
                                "(if true then principal else resource).x",
                                "true && false && true",
                                "true && (false && true)",
                                "true || false && true",
                                "(true || false) && true",
                                "[1, \"a\", [], {a: 1, \"b c\": {}}].contains(1)",
                                "context.x.containsAll([1]) || context.x.containsAny([2])",
                                "[].isEmpty()",
                                "principal.getTag(\"x\") == principal.hasTag(\"y\")",
                                "ip(\"1.2.3.4\").isInRange(ip(\"1.0.0.0/8\"))",
                                "decimal(\"1.0\").lessThan(decimal(\"2.0\"))",
                                "datetime(\"2024-01-01\").offset(duration(\"1h\")).toDate() == context.now",
                                "ip(1, 2) == decimal()",
                                "\"\\u{1F600}\\0\\t\\\\*\" != context[\"\\u{7f}\"]",
                                "(1 == 2) == (3 != 4)",
                                "(true || true) == !(1 < 2)"})
    check_round(when(condition));
}

TEST_CASE(
    "a star in a pattern is a wildcard however it is written, unless as \\*; in JSON a literal is itself") {
  const PolicyDocument read = document(when(R"(context.x like "a\x2ab\*\u{2a}")"));
  const std::string pattern =
      R"("pattern":[{"Literal":"a"},"Wildcard",{"Literal":"b"},{"Literal":"*"},"Wildcard"])";
  CHECK(has(read.json()->dump(), pattern));
  CHECK(has(read.text(), R"(like "a*b\**")"));
  check_round(when(R"(context.x like "a\x2ab\*\u{2a}")"));
  CHECK(has(from_json(read.json()->dump()).text(), R"(like "a*b\**")"));
}

TEST_CASE("what would be too deep for JSON is refused, what is not can be read again") {
  const auto chain = [](size_t count, const std::string& first) {
    std::string text = first;
    for (size_t i = 0; i < count; ++i) text += " && true";
    return text;
  };
  check_round(when(chain(600, "true")));
  CHECK(document(when(chain(800, "true"))).json().error().code() == "policy.json");
  CHECK(document(when(chain(400, "(" + chain(400, "1 == 2") + " || false)"))).json().error().code() ==
        "policy.json");
}

TEST_CASE("a path of `has` in JSON whose names text cannot write is spelled out") {
  const PolicyDocument out = from_json(
      R"({"effect": "permit", "principal": {"op": "All"}, "action": {"op": "All"}, "resource": {"op": "All"},
          "conditions": [{"kind": "when", "body": {"has": {"left": {"Var": "principal"}, "attr": ["a", "b c"]}}}]})");
  CHECK(has(out.text(), "principal has a && principal.a has \"b c\""));
}

TEST_CASE("values in JSON become what policies write") {
  const PolicyDocument out = from_json(
      R"({"effect": "permit", "principal": {"op": "All"}, "action": {"op": "All"}, "resource": {"op": "All"},
          "conditions": [{"kind": "when", "body": {"==": {"left": {"Value": [1, {"a": {"__entity": {"type": "U", "id": "x"}}}]},
          "right": {"Value": {"__extn": {"fn": "ip", "arg": "::1"}}}}}}]})");
  CHECK(has(out.text(), "[1, {a: U::\"x\"}] == ip(\"::1\")"));
}

TEST_CASE("a scope that admits all is written All or all") {
  const PolicyDocument out = from_json(
      R"({"effect": "permit", "principal": {"op": "all"}, "action": {"op": "All"}, "resource": {"op": "all"},
          "conditions": []})");
  CHECK(has(out.text(), "permit(principal, action, resource);"));
}

TEST_CASE("JSON that is no policy is refused at its place") {
  const auto policy = [](const std::string& body, const std::string& principal = R"({"op": "All"})") {
    return R"({"effect": "permit", "principal": )" + principal +
           R"(, "action": {"op": "All"}, "resource": {"op": "All"}, "conditions": [{"kind": "when", "body": )" +
           body + "}]}";
  };
  CHECK(has(fault(policy(R"({"Vaule": 1})")),
            "policy.json p.json/conditions/0/body/Vaule: there is no operation"));
  CHECK(has(fault(policy(R"({"Var": "x"})")), "no such variable"));
  CHECK(has(fault(policy(R"({"==": {"left": {"Value": 1}}})")), "`right` is missing"));
  CHECK(has(fault(policy(R"({"Value": 1.5})")), "Cedar has no such value"));
  CHECK(has(fault(policy(R"({"Value": null})")), "Cedar has no such value"));
  CHECK(has(fault(policy(R"({"Slot": "?principal"})")), "in the scope only"));
  CHECK(has(fault(policy(R"({"Value": {"__expr": "1"}})")), "no longer"));
  CHECK(has(fault(policy(R"({"has": {"left": {"Var": "context"}, "attr": []}})")), "at least one"));
  CHECK(has(fault(policy("{}")), "one member"));
  CHECK(has(fault(policy(R"({"Value": 1})", R"({"op": "=="})")), "`entity` or `slot`"));
  CHECK(has(fault(policy(R"({"Value": 1})", R"({"op": "==", "slot": "?resource"})")), "only ?principal"));
  CHECK(has(fault(policy(R"({"Value": 1})", R"({"op": "is", "entity_type": "a b"})")), "is no type"));
  CHECK(has(fault(policy(R"({"Value": 1})", R"({"op": "==", "entity": {"type": "if", "id": ""}})")),
            "is no type"));
  CHECK(has(fault("[1"), "policy.json"));
  CHECK(has(fault(R"({"policies": {}})"), "no `policies`"));
  std::string deep = R"({"Value": true})";
  for (int i = 0; i < 700; ++i) deep.insert(0, R"({"!": {"arg": )").append("}}");
  CHECK(has(fault(policy(deep)), "deep"));
}

TEST_CASE("a link makes a policy of a template, and decides like one") {
  PolicyDocument set = document(
      "permit(principal == ?principal, action, resource in ?resource) when { context.ok };"
      "forbid(principal is U in ?principal, action, resource) when { context.bad };");
  CHECK(set.templates().size() == 2);
  CHECK(set.policies().empty());
  REQUIRE(set.link({"policy0", "l0", {{"?principal", {"U", "a"}}, {"?resource", {"G", "g"}}}}).has_value());
  REQUIRE(set.link({"policy1", "l1", {{"?principal", {"G", "bad"}}}}).has_value());
  const auto policies = PolicySet::unchecked(set);
  REQUIRE(policies.has_value());
  CHECK(policies->size() == 2);
  const Entities entities = *Entities::unchecked().with(
      {{Entity{{"D", "d"}, {}, {{"G", "g"}}, {}}, Entity{{"U", "b"}, {}, {{"G", "bad"}}, {}}}, {}});
  const auto ask = [&](const char* who, bool bad) {
    const Answer answer = decide(*policies, entities, {},
                                 {{"U", who}, {"Action", "v"}, {"D", "d"}, {{"ok", true}, {"bad", bad}}});
    return (answer.permitted() ? "permit " : "deny ") +
           (answer.reasons.empty() ? "" : (*policies)[answer.reasons[0]].id);
  };
  CHECK(ask("a", false) == "permit l0");
  CHECK(ask("a", true) == "permit l0");
  CHECK(ask("b", true) == "deny l1");
  CHECK(ask("b", false) == "deny ");
  const std::string json = set.json()->dump();
  CHECK(from_json(json).json()->dump() == json);
  CHECK(from_json(json).links() == set.links());
}

TEST_CASE("a link that does not fit its template is refused") {
  const auto refused = [](PolicyLink link) {
    PolicyDocument set =
        document("permit(principal == ?principal, action, resource); permit(principal, action, resource);");
    const auto done = set.link(std::move(link));
    return done ? std::string() : done.error().code() + " " + done.error().what();
  };
  CHECK(refused({"policy0", "l", {{"?principal", {"U", "a"}}}}).empty());
  CHECK(has(refused({"policy9", "l", {}}), "policy.link link \"l\": there is no template"));
  CHECK(has(refused({"policy1", "l", {}}), "there is no template"));
  CHECK(has(refused({"policy0", "l", {}}), "?principal is not given"));
  CHECK(has(refused({"policy0", "l", {{"?resource", {"U", "a"}}}}), "?principal is not given"));
  CHECK(has(refused({"policy0", "l", {{"?principal", {"U", "a"}}, {"?resource", {"U", "a"}}}}),
            "does not have"));
  CHECK(has(refused({"policy0", "policy1", {{"?principal", {"U", "a"}}}}), "exists"));
}

TEST_CASE("a set in JSON may hold policies as text, as lists, by ids") {
  CHECK(from_json(R"({"staticPolicies": "permit(principal, action, resource);"})").policies()[0].id ==
        "policy0");
  CHECK(from_json(R"({"staticPolicies": ["permit(principal, action, resource);"]})").policies()[0].id ==
        "policy0");
  const PolicyDocument set = from_json(
      R"({"staticPolicies": {"x": "permit(principal, action, resource);"},
          "templates": {"t": "permit(principal == ?principal, action, resource);"},
          "templateLinks": [{"templateId": "t", "newId": "l", "values": {"?principal": {"__entity": {"type": "U", "id": "a"}}}}]})");
  CHECK(set.policies()[0].id == "x");
  CHECK(set.links()[0].values.at("?principal") == EntityUid{"U", "a"});
  CHECK(has(fault(R"({"templates": {"t": "permit(principal, action, resource);"}})"), "no slot"));
  CHECK(has(fault(R"({"staticPolicies": {"t": "permit(principal == ?principal, action, resource);"}})"),
            "has a slot"));
  CHECK(has(fault(R"({"templateLinks": [{"templateId": "t", "newId": "l", "values": {}}]})"), "policy.link"));
  CHECK(has(fault(R"({"templateLinks": [{"templateId": "t"}]})"), "a link has"));
}

TEST_CASE("sources in JSON load like text, and templates are checked though nothing links them") {
  const Schema schema =
      *Schema::parse("entity U = { n: Long }; action v appliesTo { principal: U, resource: U };", "s");
  const auto load = [&](const std::string& text) {
    const PolicySource source{"p", text};
    const auto set = PolicySet::load(schema, std::span(&source, 1));
    return set ? std::to_string(set->size()) : set.error().code() + " " + set.error().what();
  };
  const std::string good =
      R"({"templates": {"t": "permit(principal == ?principal, action, resource) when { principal.n > 1 };"},
      "templateLinks": [{"templateId": "t", "newId": "l", "values": {"?principal": {"type": "U", "id": "a"}}}]})";
  CHECK(load(good) == "1");
  CHECK(load("permit(principal == ?principal, action, resource);") == "0");
  CHECK(has(load("permit(principal == ?principal, action, resource) when { principal.m > 1 };"),
            "policy.invalid"));
  std::string bad = good;
  bad.replace(bad.find("\"type\": \"U\""), 11, "\"type\": \"W\"");
  CHECK(has(load(bad), "no entity type `W`"));
}
