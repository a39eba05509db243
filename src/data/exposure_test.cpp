#include "data/exposure.h"

#include "coalition/example_test.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace entente;
using namespace entente::data;
namespace example = coalition::example;

namespace {

ledger::Record leaf(std::string kind, std::string person, std::string object, Millis after = {}) {
  ledger::Record out{.event_class = std::move(kind), .time = example::kNow + after, .fields = {}};
  out.fields = {
      {"partner", "XBB"},
      {"person", std::move(person)},
      {"device", "device-1"},
      {"object", std::move(object)},
      {"key", "digest-1"},
      {"kid", "key-1"},
      {"verdict", "v-1"},
      {"attributes", Json::array({example::fqn("classification", "restricted"),
                                  example::fqn("originator", "xaa"), example::fqn("releasable-to", "xbb")})},
      {"dissem", Json::array()}};
  return out;
}

int64_t number(const Json& report, const char* name) {
  return report.find(name)->integer();
}

}  // namespace

TEST_CASE("exposure counts releases, and nothing else that anybody can cause") {
  Exposure exposure;
  exposure.add(leaf("key.attempt", "ingrid", "a"));
  exposure.add(leaf("key.refusal", "ingrid", "a"));
  exposure.add(leaf("key.release", "ingrid", "a"));
  exposure.add(leaf("key.release", "ingrid", "a", Millis(5)));
  exposure.add(leaf("key.release", "ingrid", "b"));
  exposure.add(leaf("key.release", "olav", "a"));
  exposure.add(leaf("key.release", "olav", "c"));
  exposure.add(leaf("key.withheld", "olav", "c"));
  const coalition::World world = example::world(example::records("XAA"));
  const Json all = exposure.report({}, world, example::kNow);
  CHECK(number(all, "releases") == 4);
  CHECK(number(all, "readers") == 2);
  CHECK(number(all, "objects") == 2);
  CHECK(number(all, "openable") == 3);
  const Json one = exposure.report({.partner = "XBB", .person = "XBB/ingrid", .object = "a", .device = {}},
                                   world, example::kNow);
  REQUIRE(one.find("rows")->items().size() == 1);
  CHECK(one.find("rows")->items()[0].find("count")->integer() == 2);
  CHECK(number(exposure.report({.partner = "XCC", .person = {}, .object = {}, .device = {}}, world,
                               example::kNow),
               "releases") == 0);
}

TEST_CASE("what was recalled, or whose nation was suspended, can be opened no more") {
  Exposure exposure;
  exposure.add(leaf("key.release", "ingrid", "a"));
  exposure.add(leaf("key.release", "ingrid", "b"));
  example::Records records = example::records("XAA");
  records["recall/policy/a"] =
      Json::object({{"reason", "EXERCISE"}, {"by", "lena"}, {"at", rfc3339(example::kNow)}});
  const Json recalled = exposure.report({}, example::world(records), example::kNow);
  CHECK(number(recalled, "openable") == 1);
  records["partner/XBB"].set("state", "suspended");
  const Json suspended = exposure.report({}, example::world(records), example::kNow);
  CHECK(number(suspended, "openable") == 0);
  CHECK(suspended.find("rows")->items()[0].text_or("why", "") == "partner-suspended");
}
