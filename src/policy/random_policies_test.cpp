#include "policy/random_policies.h"

#include <algorithm>
#include <set>

namespace entente::policy::test {

EntityUid RandomPolicies::uid() {
  static const char* const kTypes[] = {"T", "U"};
  return {one_of(kTypes), std::string(1, static_cast<char>('a' + below(6)))};
}

Value RandomPolicies::value(unsigned depth) {
  switch (below(depth == 0 ? 7 : 10)) {
    case 9:
      return below(2) == 0 ? Value("10.0.0.1") : Value(IpNet{false, 8, {10}});
    case 0:
      return below(2) == 0;
    case 1:
      return static_cast<int64_t>(below(4));
    case 2:
      return std::string(1, static_cast<char>('x' + below(3)));
    case 3:
    case 4:
      return uid();
    case 5:
      return Datetime{below(3) * 1000};
    case 6:
      return below(2) == 0 ? Value(Decimal{below(3)}) : Value(Duration{below(3)});
    case 7: {
      Value::Items items;
      for (unsigned i = 0; i < below(4); ++i) items.push_back(value(depth - 1));
      return Value::set(std::move(items));
    }
    default: {
      Record record;
      static const char* const kNames[] = {"a", "b", "c"};
      for (unsigned i = 0; i < below(3); ++i) record.set(one_of(kNames), value(depth - 1));
      return record;
    }
  }
}

Entity RandomPolicies::entity(const EntityUid& uid) {
  Entity out{uid, {}, {}, {}};
  static const char* const kNames[] = {"a", "b", "c", "d"};
  for (unsigned i = 0; i < below(5); ++i) out.attributes.set(one_of(kNames), value(2));
  if (below(2) == 0) out.attributes.set("e", uid);
  if (below(2) == 0) out.attributes.set("s", Value::set({this->uid(), this->uid()}));
  if (below(2) == 0) out.tags.set("x", value(1));
  // Parents come later in the alphabet, so that no cycle comes up.
  for (unsigned i = 0; i < below(3); ++i)
    if (const EntityUid parent = this->uid(); parent.id > uid.id) out.parents.push_back(parent);
  return out;
}

EntityChanges RandomPolicies::changes(unsigned count) {
  EntityChanges out;
  std::set<EntityUid> seen;
  for (unsigned i = 0; i < count; ++i)
    if (const EntityUid one = uid(); seen.insert(one).second) out.put.push_back(entity(one));
  return out;
}

Request RandomPolicies::request() {
  Request out{uid(), {"Action", std::string(1, static_cast<char>('a' + below(3)))}, uid(), {}};
  static const char* const kNames[] = {"a", "b", "c"};
  for (unsigned i = 0; i < below(4); ++i) out.context.set(one_of(kNames), value(2));
  return out;
}

std::string RandomPolicies::scope(const std::string& variable) {
  switch (below(7)) {
    case 0:
      return variable + " == " + uid().text();
    case 1:
    case 2:
      return variable + " in " + uid().text();
    case 3:
      return variable + " is " + uid().type;
    case 4:
      return variable + " is " + uid().type + " in " + uid().text();
    default:
      return variable;
  }
}

// Something that is most often of a kind that fits.
std::string RandomPolicies::typed(unsigned depth) {
  static const char* const kPlaces[] = {"principal",    "resource",      "principal.a", "principal.e",
                                        "resource.e",   "resource.b",    "context.a",   "context.b",
                                        "action",       "context",       "principal.s", "resource.s",
                                        "resource.a.b", "principal.e.e", "context.c.a"};
  if (below(3) != 0) return one_of(kPlaces);
  return depth == 0 ? value(1).text() : "(" + expression(depth - 1) + ")";
}

std::string RandomPolicies::boolean(unsigned depth) {
  static const char* const kOrders[] = {" < ", " <= ", " > ", " >= ", " == ", " != "};
  static const char* const kNames[] = {"a", "b", "e", "s", "a.b", "e.e.a"};
  static const char* const kSetMethods[] = {"contains", "containsAll", "containsAny"};
  static const char* const kDecimalMethods[] = {"lessThan", "greaterThanOrEqual"};
  static const char* const kIpMethods[] = {"isIpv4", "isIpv6", "isLoopback", "isMulticast"};
  static const char* const kUnits[] = {"toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"};
  static const char* const kMakers[] = {"ip", "decimal", "datetime", "duration"};
  switch (below(23)) {
    case 15:
      return typed(depth) + " is U in " + typed(depth);
    case 16:
      return typed(depth) + " is T in [" + uid().text() + ", " + typed(depth) + "]";
    case 17:
      return "-" + typed(depth) + " * " + typed(depth) + " - 1 < " + typed(depth);
    case 18:
      return "ip(\"10.0.0.1\")." + one_of(kIpMethods) + "() == " + typed(depth) + "." + one_of(kIpMethods) +
             "()";
    case 19:
      return "ip(context.a).isInRange(ip(\"10.0.0.0/8\")) || " + typed(depth) + ".isInRange(" + typed(depth) +
             ")";
    case 20:
      return typed(depth) + ".durationSince(" + typed(depth) + ")." + one_of(kUnits) +
             "() >= " + typed(depth);
    case 21:
      return typed(depth) + ".offset(duration(\"1ms\")).toDate() < " + typed(depth) + ".toTime()";
    case 22:
      return one_of(kMakers) + "(" + typed(depth) + ") == " + typed(depth) + ".getTag(context.a)";
    case 0:
    case 1:
      return typed(depth) + one_of(kOrders) + typed(depth);
    case 2:
      return typed(depth) + " == " + value(1).text();
    case 3:
      return "principal in " + typed(depth);
    case 4:
      return typed(depth) + " in " + typed(depth);
    case 5:
      return "resource in [" + uid().text() + ", " + typed(depth) + "]";
    case 6:
      return typed(depth) + " has " + one_of(kNames);
    case 7:
      return typed(depth) + "." + one_of(kSetMethods) + "(" + typed(depth) + ")";
    case 8:
      return "[" + typed(depth) + ", " + value(1).text() + "].contains(" + typed(depth) + ")";
    case 9:
      return typed(depth) + " like \"x*\"";
    case 10:
      return typed(depth) + " is T";
    case 11:
      return typed(depth) + (below(2) == 0 ? ".hasTag(\"x\")" : ".getTag(\"x\") == 1");
    case 12:
      return typed(depth) + "." + one_of(kDecimalMethods) + "(decimal(\"0.0001\"))";
    case 13:
      return "{a: " + typed(depth) + "} == {a: " + typed(depth) + "}";
    case 14:
      return typed(depth) + ".isEmpty()";
    default:
      return typed(depth) + " + 9223372036854775807 > " + typed(depth);
  }
}

std::string RandomPolicies::expression(unsigned depth) {
  if (depth == 0) return boolean(0);
  switch (below(7)) {
    case 0:
      return "(" + expression(depth - 1) + ") && (" + expression(depth - 1) + ")";
    case 1:
      return "(" + expression(depth - 1) + ") || (" + expression(depth - 1) + ")";
    case 2:
      return "!(" + expression(depth - 1) + ")";
    case 3:
      return "(if " + expression(depth - 1) + " then " + expression(depth - 1) + " else " +
             expression(depth - 1) + ")";
    default:
      return boolean(depth - 1);
  }
}

// Some conditions that many policies share, and some that begin with what an index looks for.
std::string RandomPolicies::condition() {
  static const char* const kFirst[] = {
      "principal.a == ", "resource.b == ", "context.a == ", "principal == ", "resource in "};
  switch (below(6)) {
    case 0:
      return one_of(kFirst) + value(0).text();
    case 1:
      return one_of(kFirst) + uid().text() + " && " + expression(1);
    case 2:
      return "principal.s.contains(" + uid().text() + ") && " + expression(1);
    case 3:
      return "resource.a.contains(" + value(0).text() + ")";
    default:
      return expression(2);
  }
}

std::string RandomPolicies::policy(const std::string& effect) {
  static const char* const kActions[] = {"action", "action == Action::\"a\"", "action in Action::\"b\"",
                                         "action in [Action::\"a\", Action::\"c\"]"};
  std::string out =
      effect + " (" + scope("principal") + ", " + one_of(kActions) + ", " + scope("resource") + ")";
  const unsigned conditions = below(4) == 0 ? 2 : below(4) == 0 ? 0 : 1;
  for (unsigned i = 0; i < conditions; ++i)
    out += (below(4) == 0 ? " unless { " : " when { ") + condition() + " }";
  return out + ";\n";
}

std::vector<std::string> RandomPolicies::policies(unsigned count) {
  std::vector<std::string> out;
  out.reserve(count);
  for (unsigned i = 0; i < count; ++i)
    out.push_back("@id(\"p" + std::to_string(i) + "\") " + policy(below(4) == 0 ? "forbid" : "permit"));
  return out;
}

}  // namespace entente::policy::test
