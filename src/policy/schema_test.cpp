#include "policy/schema.h"

#include "policy/decide.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::policy;

namespace {

std::string fault(const std::string& text) {
  const auto schema = Schema::parse(text, "s");
  return schema ? "" : schema.error().where() + " " + schema.error().what() + " " + schema.error().hint();
}
bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("names resolve within their namespace, then without, then to Cedar's own") {
  const auto schema = Schema::parse(R"(
    type Post = String;
    entity Shared;
    namespace A {
      type Mail = Long;
      entity User in [Group] = { mail: Mail, raw: __cedar::String, shared: Shared, other: B::Mail, post: Post };
      entity Group;
      action "open it";
      action close in ["open it"] appliesTo { principal: User, resource: [Group], };
    }
    namespace B { type Mail = Set<{ x?: Bool }>; }
  )",
                                    "s");
  REQUIRE(schema.has_value());
  CHECK(schema->entity_types() == std::vector<std::string>{"A::Group", "A::User", "Shared"});
  CHECK(schema->has_action({"A::Action", "open it"}));
  CHECK(schema->applies({"A::Action", "close"}, "A::User", "A::Group"));
  CHECK_FALSE(schema->applies({"A::Action", "close"}, "A::Group", "A::User"));
  Entity user{{"A::User", "u"},
              {{"mail", 1},
               {"raw", "x"},
               {"post", "y"},
               {"shared", EntityUid{"Shared", "s"}},
               {"other", Value::set({Record{{"x", true}}})}},
              {},
              {}};
  CHECK(schema->check(user).has_value());
  user.attributes.set("mail", "text");
  CHECK_FALSE(schema->check(user).has_value());
}

TEST_CASE("a schema that is not right is refused at its place, with a suggestion") {
  CHECK(has(fault("entity A = { x: Strin };"), "s:1:17 there is no type `Strin`"));
  CHECK(has(fault("entity A = { x: Strin };"), "did you mean `String`?"));
  CHECK(has(fault("entity A in [Bb]; entity B;"), "no entity type `Bb`"));
  CHECK(has(fault("entity A; entity A;"), "declared twice"));
  CHECK(has(fault("type T = U; type U = T;"), "made of itself"));
  CHECK(has(fault("type String = Long;"), "Cedar's own"));
  CHECK(has(fault("action a in [b]; action b in [a];"), "under itself"));
  CHECK(has(fault("entity T; namespace A { type T = Long; }"), "hides"));
  CHECK(has(fault("action a; namespace A { action a; }"), "hides"));
  CHECK(has(fault("namespace A {} namespace A {}"), "declared twice"));
  CHECK(has(fault("entity A = { if: Long };"), "word of the language"));
  CHECK(has(fault("@a @a entity A;"), "given twice"));
  CHECK(has(fault("entity A; action a appliesTo { principal: A, resource: A, context: A };"), "no type `A`"));
  CHECK(has(fault("entity A in [B,]; entity B;"), "name is expected"));
  CHECK(has(fault("action a in [c];"), "no action"));
  CHECK(has(fault("action a appliesTo { principal: [] };"), "at least one principal"));
  CHECK(has(fault("entity A"), "the text ends"));
  CHECK(has(fault("enity A;"), "did you mean `entity`?"));
  CHECK(has(fault("type T = " + std::string(10'000, '{')), ""));
  std::string deep = "type T0 = Long;";
  for (int i = 1; i < 200; ++i)
    deep += "type T" + std::to_string(i) + " = Set<T" + std::to_string(i - 1) + ">;";
  CHECK(has(fault(deep), "nest deeper"));
}

TEST_CASE("a declaration has as many annotations as policies have, and no more") {
  const auto noted = [](size_t count) {
    std::string text;
    for (size_t i = 0; i < count; ++i) text += "@a" + std::to_string(i) + "(\"x\")\n";
    return text;
  };
  CHECK(fault(noted(1024) + "entity A;").empty());
  CHECK(fault("namespace N { " + noted(1024) + "entity A = { " + noted(1024) + "x: Long }; }").empty());
  CHECK(has(fault(noted(1025) + "entity A;"), "more than 1024 annotations"));
  CHECK(has(fault(noted(900) + "@a899 entity A;"), "@a899 is given twice"));
}

TEST_CASE("an attribute may hold an action: of its namespace, or else of none, where there is one") {
  const auto schema = Schema::parse(R"(
    action B;
    action C in [B] appliesTo { principal: U, resource: U, context: { a: Action } };
    type Step = Action;
    entity U = { a: Action, s?: Set<N::Action>, t?: Step } tags Action;
    namespace N { action D; entity V = { a: Action, b: N::Action }; }
    namespace M { entity W = { a: Action }; })",
                                    "s");
  REQUIRE_MESSAGE(schema.has_value(), (schema ? "" : schema.error().text()));
  const auto holds = [&](const char* type, const EntityUid& action) {
    return schema->check(Entity{{type, "x"}, {{"a", action}}, {}, {}}).has_value();
  };
  CHECK(holds("U", {"Action", "B"}));
  CHECK_FALSE(holds("U", {"Action", "other"}));
  CHECK_FALSE(holds("U", {"N::Action", "D"}));
  CHECK(holds("M::W", {"Action", "C"}));
  CHECK_FALSE(holds("M::W", {"M::Action", "C"}));
  CHECK(schema
            ->check(Entity{{"N::V", "x"},
                           {{"a", EntityUid{"N::Action", "D"}}, {"b", EntityUid{"N::Action", "D"}}},
                           {},
                           {}})
            .has_value());
  CHECK(schema
            ->check(
                Entity{{"U", "x"}, {{"a", EntityUid{"Action", "B"}}}, {}, {{"t", EntityUid{"Action", "C"}}}})
            .has_value());
  CHECK(schema->check(Request{{"U", "u"}, {"Action", "C"}, {"U", "u"}, {{"a", EntityUid{"Action", "B"}}}})
            .has_value());
  CHECK_FALSE(
      schema->check(Request{{"U", "u"}, {"Action", "C"}, {"U", "u"}, {{"a", EntityUid{"Action", "X"}}}})
          .has_value());
  // There is no such type without an action of it, and actions are nobody's group, nor do they ask.
  CHECK(has(fault("entity U = { a: Action };"), "there is no type `Action`"));
  CHECK(has(fault("namespace N { action B; } entity U = { a: Action };"), "there is no type `Action`"));
  CHECK(has(fault("namespace N { } entity U = { a: N::Action };"), "there is no type `N::Action`"));
  CHECK(has(fault("action B; entity U = { a: __cedar::Action };"), "there is no type"));
  CHECK(has(fault("action B; entity U in [Action];"), "there is no entity type `Action`"));
  CHECK(has(fault("action B; entity U; action C appliesTo { principal: Action, resource: U };"),
            "there is no entity type `Action`"));
  CHECK(has(fault("action B; entity U; action C appliesTo { principal: U, resource: U, context: Action };"),
            "there is no type `Action`"));
}

TEST_CASE(
    "a schema in JSON becomes text though an entity and a common type have one name, unless it would mean "
    "other things") {
  const auto text = [](const std::string& commons, const std::string& attribute) {
    return schema_to_text(R"({"N": {"commonTypes": {)" + commons +
                              R"(}, "entityTypes": {"A": {}, "U": {"memberOfTypes": ["A"],
      "shape": {"type": "Record", "attributes": {"a": )" +
                              attribute + R"(}}}}, "actions": {}}})",
                          "s");
  };
  const std::string common = R"("A": {"type": "Long"})";
  CHECK(text(common, R"({"type": "EntityOrCommon", "name": "A"})").has_value());
  CHECK(text(common, R"({"type": "A"})").has_value());
  CHECK(text("", R"({"type": "Entity", "name": "A"})").has_value());
  for (const char* hidden : {R"({"type": "Entity", "name": "A"})", R"({"type": "Entity", "name": "N::A"})",
                             R"({"type": "Set", "element": {"type": "Entity", "name": "A"}})"}) {
    CAPTURE(hidden);
    REQUIRE_FALSE(text(common, hidden).has_value());
    CHECK(has(text(common, hidden).error().what(), "is an entity here and a common type as well"));
  }
}

TEST_CASE("annotations of the namespace without a name are refused: text has no place for them") {
  const auto noted = [](const std::string& annotations) {
    return Schema::parse_json(
        R"({"": {"entityTypes": {"U": {}}, "actions": {}, "annotations": )" + annotations + "}}", "s");
  };
  CHECK(noted("{}").has_value());
  const auto refused = noted(R"({"doc": "x"})");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().where() == "s//annotations");
}

TEST_CASE("of a member declared twice the last counts, as in Cedar") {
  const Schema schema = *Schema::parse("entity A = { x: Nothing, y: Long, \"x\"?: Bool };", "s");
  CHECK(schema.check(Entity{{"A", "a"}, {{"y", 1}}, {}, {}}).has_value());
  CHECK(schema.check(Entity{{"A", "a"}, {{"x", true}, {"y", 1}}, {}, {}}).has_value());
  CHECK_FALSE(schema.check(Entity{{"A", "a"}, {{"x", 1}, {"y", 1}}, {}, {}}).has_value());
}

TEST_CASE("plain JSON is read as the schema says") {
  const Schema schema = *Schema::parse(R"(
    entity Kind enum ["a", "b"];
    entity User = { at: datetime, kind: Kind, nets: Set<ipaddr>, home?: { city: String } } tags Long;
    action view appliesTo { principal: User, resource: User, context: { now: datetime, for?: duration } };
  )",
                                       "s");
  const Json json = *Json::parse(R"({"uid": {"type": "User", "id": "u"},
    "attrs": {"at": "2026-11-21T22:00:00Z", "kind": {"type": "Kind", "id": "a"}, "nets": ["10.0.0.0/8"]},
    "parents": [], "tags": {"n": 1}})");
  const auto user = schema.read_entity(json);
  REQUIRE(user.has_value());
  CHECK(user->attributes.find("kind")->entity() == EntityUid{"Kind", "a"});
  CHECK(user->attributes.find("at")->datetime().ms == 1'795'298'400'000);
  CHECK(*entity_from_json(entity_to_json(*user)) == *user);
  CHECK(schema.read_context({"Action", "view"}, *Json::parse(R"({"now": "2026-11-21"})")).has_value());
  for (const int64_t ms : {int64_t{0}, int64_t{-1}, int64_t{253'402'300'800'000}, INT64_MIN, INT64_MAX})
    CHECK(*value_from_json(value_to_json(Value(Datetime{ms}))) == Value(Datetime{ms}));
  const auto refused = schema.read_context({"Action", "view"}, *Json::parse(R"({"now": "2026-11-31"})"));
  CHECK(refused.error().where() == "/now");
  CHECK(schema.read_context({"Action", "view"}, *Json::parse(R"({"now": "2026-11-21", "x": 1})"))
            .error()
            .where() == "/x");
  CHECK(has(schema.read_context({"Action", "view"}, *Json::parse("{}")).error().what(), "`now` is missing"));
  CHECK_FALSE(schema.read_attributes("User", *Json::parse(R"({"kind": "Kind::\"c\""})")).has_value());
  CHECK_FALSE(schema.check(Entity{{"Kind", "c"}, {}, {}, {}}).has_value());
}

TEST_CASE("values in JSON that were expressions once are refused, as in Cedar") {
  for (const char* text : {R"({"__expr": "1"})", R"([{"a": {"__expr": "1 + 1"}}])"}) {
    const auto value = value_from_json(*Json::parse(text));
    REQUIRE_FALSE(value.has_value());
    CHECK(has(value.error().what(), "`__expr`"));
  }
  for (const char* text : {R"({"__expr": 1})", R"({"__expr": "1", "x": 1})"})
    CHECK(value_from_json(*Json::parse(text)).has_value());
}

TEST_CASE("an entity's text is read back") {
  const EntityUid odd{"A::B", "quo\"te\\ \n\u00e9"};
  CHECK(*parse_uid(odd.text()) == odd);
  for (const char* wrong :
       {"", "A", "A::", "A::b", "A::\"x\" y", "::\"x\"", "A::\"x", "if::\"x\"", "\"x\""}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_uid(wrong).has_value());
  }
}
