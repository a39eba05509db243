// A release that was recorded and then not given.
#include "data/exposure_for_test.h"

#include <random>

using namespace entente;
using namespace entente::data;
using namespace entente::data::exposure_test;

namespace {

// Releases to two readers, some of them withheld when others have come meanwhile, and those that stood.
struct Stream {
  std::vector<ledger::Record> all, stood;
  std::vector<uint64_t> entries;  // of `stood`
};

Stream stream_of(uint32_t seed) {
  Stream out;
  std::mt19937 draw(seed);
  std::vector<std::pair<ledger::Record, uint64_t>> under_way;
  const auto settle = [&](size_t at, bool withheld) {
    auto [record, entry] = under_way[at];
    under_way.erase(under_way.begin() + static_cast<ptrdiff_t>(at));
    if (!withheld) {
      out.stood.push_back(record);
      out.entries.push_back(entry);
      return;
    }
    record.event_class = "key.withheld";
    record.time += Millis(7);
    std::erase_if(record.fields, [](const Json::Member& one) { return one.first == "attributes"; });
    out.all.push_back(std::move(record));
  };
  for (int i = 0; i < 40; ++i) {
    ledger::Record of = leaf("key.release", draw() % 3 == 0 ? "olav" : "ingrid", "plan", Millis(1'000 * i));
    field_of(of, "verdict") = fmt::format("v-{}", i);
    if (draw() % 4 == 0) field_of(of, "attributes") = Json::array({example::fqn("originator", "xaa")});
    under_way.emplace_back(of, out.all.size());
    out.all.push_back(std::move(of));
    while (under_way.size() > draw() % 5) settle(draw() % under_way.size(), draw() % 2 == 0);
  }
  while (!under_way.empty()) settle(0, draw() % 2 == 0);
  return out;
}

}  // namespace

TEST_CASE("what was withheld is taken back whole: count, times, entries and verdict are of what was given") {
  const coalition::World world = example::world(example::records("XAA"));
  for (uint32_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    const Stream stream = stream_of(seed);
    Exposure read{PartnerCode("XAA")}, stood{PartnerCode("XAA")};
    for (uint64_t i = 0; i < stream.all.size(); ++i) read.add(stream.all[i], i);
    std::map<uint64_t, const ledger::Record*> given;  // in the order of the ledger
    for (size_t i = 0; i < stream.stood.size(); ++i) given.emplace(stream.entries[i], &stream.stood[i]);
    for (const auto& [entry, record] : given) stood.add(*record, entry);
    const Json said = report_of(read, {}, world), right = report_of(stood, {}, world);
    CHECK(number(said, "releases") == static_cast<int64_t>(stream.stood.size()));
    CHECK(number(said, "readers") == number(right, "readers"));
    CHECK(said.find("rows")->dump() == right.find("rows")->dump());
  }
}

TEST_CASE("what is withheld too late to be known stays counted, whatever part of the ledger is read") {
  const coalition::World world = example::world(example::records("XAA"));
  for (const uint64_t later : {kWithheldWithinEntries, kWithheldWithinEntries + 1}) {
    for (const ExposureFilter& only : {ExposureFilter{}, ExposureFilter{.person = "XBB/ingrid"}}) {
      Exposure exposure(PartnerCode("XAA"), only);
      exposure.add(leaf("key.release", "ingrid", "plan"), 5);
      for (uint64_t i = 1; i < 100; ++i) exposure.add(leaf("key.release", "olav", "plan"), 5 + i);
      exposure.add(leaf("key.withheld", "ingrid", "plan"), 5 + later);
      const Json said = report_of(exposure, {.person = "XBB/ingrid"}, world);
      CHECK(number(said, "releases") == (later == kWithheldWithinEntries ? 0 : 1));
    }
  }
}

TEST_CASE("a release that had no room is taken back once, and from its own nation's alone") {
  Exposure exposure(PartnerCode("XAA"), 16 << 10);
  const auto of = [](const char* kind, const char* partner, int i) {
    ledger::Record out = leaf(kind, "ingrid", fmt::format("object-{}", i));
    field_of(out, "partner") = partner;
    field_of(out, "verdict") = fmt::format("{} {}", partner, i);
    return out;
  };
  for (int i = 0; i < 200; ++i) add(exposure, of("key.release", "XBB", i));
  for (int i = 0; i < 200; ++i) add(exposure, of("key.release", "XCC", i));
  const uint64_t of_xbb = exposure.incomplete({.partner = "XBB"});
  const uint64_t of_xcc = exposure.incomplete({.partner = "XCC"});
  REQUIRE(of_xbb > 10);
  REQUIRE(of_xcc > 10);
  add(exposure, of("key.withheld", "XBB", 199));
  CHECK(exposure.incomplete({.partner = "XBB"}) == of_xbb - 1);
  add(exposure, of("key.withheld", "XBB", 199));  // once, and nothing for one that was never released
  ledger::Record other = of("key.withheld", "XCC", 900);
  add(exposure, other);
  field_of(other, "verdict") = "XBB 198";
  add(exposure, other);
  CHECK(exposure.incomplete({.partner = "XBB"}) == of_xbb - 1);
  CHECK(exposure.incomplete({.partner = "XCC"}) == of_xcc);
  CHECK(exposure.incomplete() == of_xbb + of_xcc - 1);
  CHECK(exposure.releases() == 399);
}
