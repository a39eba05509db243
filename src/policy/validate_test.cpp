#include "policy/validate.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace entente;
using namespace entente::policy;

namespace {

const Schema& schema() {
  static const Schema kSchema = *Schema::parse(
      "entity G; entity U in [G] = { n: Long, boss: U, home?: D, ip: ipaddr, r: { to: U } } tags U;"
      "entity D in [G] = { owner: U, n: String, size: Long };"
      "action view appliesTo { principal: [U, D], resource: D, context: { u: U, at: datetime } };"
      "action edit appliesTo { principal: U, resource: [U, D], context: { u: U, at: datetime } };",
      "s");
  return kSchema;
}

Validation checked(const std::string& text, ValidationOptions options = {}) {
  const auto document = PolicyDocument::parse({"p", text}, PolicyDocument::Names::numbered);
  REQUIRE_MESSAGE(document.has_value(), (document ? "" : document.error().text()));
  return validate(*document, schema(), options);
}

std::string edit(const std::string& condition) {
  return "permit(principal, action == Action::\"edit\", resource is D) when { " + condition + " };";
}

bool strict(const std::string& condition) {
  return checked(edit(condition)).passed();
}
bool permissive(const std::string& condition) {
  return checked(edit(condition), {.how = Validating::permissive, .level = {}}).passed();
}

bool within(uint32_t level, const std::string& text) {
  return checked(text, {.how = Validating::strict, .level = level}).passed();
}

}  // namespace

TEST_CASE("permissive validation lets types meet that strict validation keeps apart") {
  for (const char* condition :
       {"principal.n == \"1\"", "[].isEmpty()", "[].contains(principal)",
        "(if context.u == principal then principal else resource) == principal",
        "(if context.u == principal then {a: 1} else {a: 1, b: 2}).a == 1", "ip(resource.n).isLoopback()",
        "[principal, resource].contains(principal)", "principal in [principal, resource]"}) {
    CAPTURE(condition);
    CHECK_FALSE(strict(condition));
    CHECK(permissive(condition));
  }
  // What is wrong either way: an attribute that only one of two has, an order of texts, a constructor's wrong
  // text.
  for (const char* condition :
       {"(if context.u == principal then principal else resource).boss == principal", "\"a\" < \"b\"",
        "ip(\"1.2.3\").isLoopback()", "principal.nn == 1", "1 && true", "[1, \"a\"].contains(1)",
        "(if context.u == principal then {a: 1} else {a: 1, b: 2}).b == 1"}) {
    CAPTURE(condition);
    CHECK_FALSE(strict(condition));
    CHECK_FALSE(permissive(condition));
  }
}

TEST_CASE("levels: how far from the request's entities a policy may read") {
  const auto all = [](const std::string& condition) {
    return "permit(principal is U, action, resource is D) when { " + condition + " };";
  };
  CHECK(within(0, all("context.at == datetime(\"2024-01-01\")")));
  CHECK_FALSE(within(0, all("principal.n == 1")));
  CHECK(within(1, all("principal.n == 1 && resource.size == 2")));
  CHECK_FALSE(within(1, all("principal.boss.n == 1")));
  CHECK(within(2, all("principal.boss.n == 1")));
  CHECK(within(1, all("principal.r.to == principal")));
  CHECK_FALSE(within(1, all("principal.r.to.n == 1")));
  CHECK(within(2, all("principal.r.to.n == 1")));
  CHECK_FALSE(within(0, all("context.u.n == 1")));
  CHECK(within(1, all("context.u.n == 1")));
  CHECK_FALSE(within(0, all("principal in G::\"g\"")));
  CHECK(within(1, all("principal in G::\"g\"")));
  CHECK_FALSE(within(1, all("principal.boss in G::\"g\"")));
  CHECK_FALSE(within(1, all("principal.hasTag(\"t\") && principal.getTag(\"t\").n == 1")));
  CHECK(within(2, all("principal.hasTag(\"t\") && principal.getTag(\"t\").n == 1")));
  CHECK_FALSE(within(9, all("U::\"a\".n == 1")));
  CHECK(within(2, all("(if principal.n == 1 then principal.boss else context.u).n == 1")));
  CHECK_FALSE(within(1, all("(if principal.n == 1 then principal.boss else context.u).n == 1")));
  CHECK(within(1, all("{a: principal, b: principal.n}.a.n == 1")));
  CHECK_FALSE(within(0, "permit(principal in G::\"g\", action, resource);"));
  CHECK(within(1, "permit(principal in G::\"g\", action, resource);"));
  CHECK_FALSE(within(1, all("principal has home.owner.boss")));
  CHECK(within(3, all("principal has home.owner.boss")));
  CHECK(within(0, all("false && principal.boss.boss.n == 1")));
}

namespace {

// Two families of common types, T and U: each type is a record of types of the layer below it, those of the
// lowest are `bottom`. Which ones is as good as random, so that from layer to layer other pairs meet.
std::string families(size_t layers, size_t width, const std::string (&bottom)[2]) {
  std::string out = fmt::format("type T0 = {}; type U0 = {};\n", bottom[0], bottom[1]);
  for (size_t i = 1; i < width; ++i) out += fmt::format("type T0x{0} = T0; type U0x{0} = U0;\n", i);
  const auto name = [](char family, size_t layer, size_t at) {
    return at == 0 ? fmt::format("{}{}", family, layer) : fmt::format("{}{}x{}", family, layer, at);
  };
  for (size_t layer = 1; layer < layers; ++layer) {
    for (size_t at = 0; at < width; ++at) {
      for (const char family : {'T', 'U'}) {
        out += fmt::format("type {} = {{ ", name(family, layer, at));
        for (size_t member = 0; member < 4; ++member) {
          const size_t below =
              family == 'T' ? at * at * 7 + at + 31 * member : at * at * at + 97 * member + 3;
          out += fmt::format("m{}: {}, ", member, name(family, layer - 1, below % width));
        }
        out += "};\n";
      }
    }
  }
  return out + fmt::format("entity E = {{ t: T{0}, u: U{0} }};", layers - 1) +
         "action a appliesTo { principal: E, resource: E, context: { c: Bool } };";
}

Validation meet(const std::string& schema, const std::string& condition, Validating how) {
  const auto read = Schema::parse(schema, "s");
  REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().text()));
  const auto document =
      PolicyDocument::parse({"p", "permit(principal, action, resource) when { " + condition + " };"},
                            PolicyDocument::Names::numbered);
  REQUIRE(document.has_value());
  return validate(*document, *read, {.how = how, .level = {}});
}

}  // namespace

TEST_CASE("types that share their parts are compared by their parts, not by the ways that lead to them") {
  // 4^40 ways, which no test would come to the end of.
  const std::string alike = families(40, 1, {"{ q: Long }", "{ q: Long }"});
  const std::string apart = families(40, 1, {"{ q: Long }", "{ r: Long }"});
  const std::string wider = families(40, 1, {"{ q: Long }", "{ q?: Long }"});
  for (const char* condition :
       {"principal.t == principal.u", "[principal.t, principal.u].contains(principal.t)",
        "(if context.c then principal.t else principal.u).m0 == principal.t.m1"}) {
    CAPTURE(condition);
    CHECK(meet(alike, condition, Validating::strict).passed());
    CHECK_FALSE(meet(apart, condition, Validating::strict).passed());
    CHECK_FALSE(meet(wider, condition, Validating::strict).passed());
    for (const std::string& schema : {alike, apart, wider})
      CHECK(meet(schema, condition, Validating::permissive).passed());
  }
}

TEST_CASE("what would take too many comparisons of types is refused, and says so") {
  const std::string wide = families(13, 251, {"{ q: Long }", "{ q?: Long }"});
  const std::string condition = "[principal.t, principal.u].contains(principal.t)";
  const Validation found = meet(wide, condition, Validating::permissive);
  REQUIRE(found.errors.size() == 1);
  CHECK(found.errors[0].error.what().find("take more than 262144 comparisons") != std::string::npos);
  CHECK(meet(families(13, 8, {"{ q: Long }", "{ q?: Long }"}), condition, Validating::permissive).passed());
}

TEST_CASE("every fault of a policy is told once, and impossible policies are warned of") {
  const Validation found =
      checked(edit("principal.nn == 1") + edit("principal has nn && principal.nn == 1") +
              "permit(principal is U, action, resource) when { principal.x && resource.y };");
  CHECK(found.errors.size() >= 2);
  CHECK(found.errors[0].policy == "policy0");
  CHECK(found.warnings.size() == 1);
  CHECK(found.warnings[0].policy == "policy1");
  CHECK(found.warnings[0].error.code() == "policy.impossible");
}

TEST_CASE("text that could be taken for other text is warned of") {
  const auto warned = [](const std::string& condition) {
    const Validation found = checked(edit(condition));
    size_t count = 0;
    for (const Finding& one : found.warnings)
      if (one.error.code() == "policy.confusable") ++count;
    return count;
  };
  CHECK(warned("resource.n == \"say \xd2\xbb"
               "ello\"") == 1);  // a Cyrillic letter among Latin ones
  CHECK(warned("resource.n == \"a\xe2\x80\xae"
               "b\"") == 1);  // right-to-left override
  CHECK(warned("principal == U::\"is\xe2\x80\x8b"
               "Admin\"") == 1);  // zero-width space
  CHECK(warned("principal == U::\"a\\nb\"") == 1);
  CHECK(warned("resource.n == \"caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac\"") == 1);
  CHECK(warned("resource.n == \"caf\xc3\xa9\" || resource.n == \"\xe6\x97\xa5\xe6\x9c\xac\xe3\x81\xae\"") ==
        0);
  CHECK(warned("resource.n like \"*\xd2\xbb"
               "ello*\"") == 1);
  CHECK(warned("principal == U::\"http://example.com/x?y={z}\"") == 0);
}

TEST_CASE("a link's entities have to fit the schema") {
  auto document =
      PolicyDocument::parse({"p", "permit(principal in ?principal, action, resource == ?resource);"},
                            PolicyDocument::Names::numbered);
  REQUIRE(document.has_value());
  const auto linked = [&](const EntityUid& principal, const EntityUid& resource) {
    PolicyDocument one = *document;
    REQUIRE(one.link({"policy0", "l", {{"?principal", principal}, {"?resource", resource}}}).has_value());
    const Validation found = validate(one, schema());
    return found.passed() ? std::string() : found.errors[0].policy + ": " + found.errors[0].error.what();
  };
  CHECK(linked({"G", "g"}, {"D", "d"}).empty());
  CHECK(linked({"X", "g"}, {"D", "d"}).find("l: policy l: there is no entity type `X`") == 0);
  CHECK(linked({"G", "g"}, {"G", "d"}).find("no request can meet") != std::string::npos);
}
