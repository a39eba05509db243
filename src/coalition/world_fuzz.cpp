// Record text of any kind, read strictly: a first byte says under which key. What is accepted is put into a
// world.
#include "coalition/world.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using entente::Json;
using entente::Revision;
using entente::coalition::Record;
using entente::coalition::World;

constexpr std::array<const char*, 14> kKeys{
    "node/self",       "partner/XBB",   "mission/m",    "segment/s",       "app/a",
    "offer/XBB/a",     "connector/c",   "operator/a.b", "crosswalk/XBB",   "policy/coalition/p",
    "grant/XAA/p/g/r", "request/XAA/r", "asked/XAA/r",  "delegation/g/p/r"};

const World& base() {
  static const World world = [] {
    const auto json = [](const char* text) { return *Json::parse(text); };
    const std::vector<Record> records{
        {"node/self", json(R"({"partner": "XAA"})")},
        {"partner/XAA", json(R"({"name": "Aldoria", "state": "active", "member_since": "2026-06-01T00:00:00Z",
                                 "member_until": "2027-06-01T00:00:00Z", "ceiling": "SECRET"})")},
        {"mission/m", json(R"({"name": "M", "partners": ["XAA"], "phase": "p", "threat": "low",
                               "start": "2026-06-01T00:00:00Z", "end": "2027-06-01T00:00:00Z"})")},
        {"segment/s", json(R"({"name": "S", "mission": "m"})")},
        {"app/g", json(R"({"owner": "XAA", "name": "G", "banner": "EXERCISE", "classification": "RESTRICTED",
                           "mission": "m", "segment": "s", "end": "2027-06-01T00:00:00Z"})")}};
    return *World::load(records, Revision{1});
  }();
  return world;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string key = kKeys[static_cast<uint8_t>(data[0] - '0') % kKeys.size()];
  const auto json = Json::parse({reinterpret_cast<const char*>(data) + 1, size - 1});
  if (!json) return 0;
  const std::vector<Record> change{{key, *json}};
  const auto next = base().with(change, Revision{2});
  if (!next) return next.error().code().empty() ? __builtin_trap(), 0 : 0;
  // What was taken is there, and goes again.
  if (next->world.raw(key) == nullptr) __builtin_trap();
  const std::vector<Record> removal{{key, std::nullopt}};
  (void)next->world.with(removal, Revision{3});
  return 0;
}
