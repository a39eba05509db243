// Records of the ledger, and reports of them, for tests of exposure.
#pragma once

#include "coalition/example_test.h"
#include "data/exposure.h"

#include <algorithm>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace entente::data::exposure_test {

namespace example = coalition::example;

inline ledger::Record leaf(std::string kind, std::string person, std::string object, Millis after = {}) {
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

inline Json& field_of(ledger::Record& record, std::string_view name) {
  return std::ranges::find(record.fields, name, &Json::Member::first)->second;
}

inline void add(Exposure& exposure, const ledger::Record& record) {
  static uint64_t entry = 0;
  exposure.add(record, entry++);
}

inline Json report_of(const Exposure& exposure, ExposureFilter filter, const coalition::World& world) {
  ExposureReport report(exposure, std::move(filter), world, example::kNow);
  while (report.step(3)) {
  }
  return report.take();
}

inline int64_t number(const Json& report, const char* name) {
  return report.find(name)->integer();
}

}  // namespace entente::data::exposure_test
