#include "node/missions.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::node;

namespace {

const Instant kNow = from_unix_seconds(1'795'262'400);  // 2026-11-21

coalition::World world_of_mission(std::string_view start) {
  std::vector<coalition::Record> records;
  records.push_back({"node/self", Json::object({{"partner", "XAA"}})});
  Result<Json> partner = Json::parse(R"({"name": "Aldoria", "state": "active", "ceiling": "SECRET",
      "member_since": "2026-06-01T00:00:00Z", "member_until": "2027-06-01T00:00:00Z"})");
  REQUIRE(partner);
  records.push_back({"partner/XAA", std::move(*partner)});
  records.push_back({"mission/harbor-light", Json::object({{"name", "Harbor Light"},
                                                           {"partners", Json::array({"XAA"})},
                                                           {"lead", "XAA"},
                                                           {"number", 4},
                                                           {"phase", "planning"},
                                                           {"threat", "low"},
                                                           {"start", start},
                                                           {"end", "2027-03-01T00:00:00Z"}})});
  Result<coalition::World> made = coalition::World::load(records, Revision{1});
  REQUIRE_MESSAGE(made, (made ? "" : made.error().text()));
  return *std::move(made);
}

// The mission after that word, as the world reads it.
coalition::Mission after(const coalition::World& world, const MissionDesk::Word& word) {
  const std::vector<coalition::Record> changes{
      changed_mission(world, *world.mission(MissionId("harbor-light")), word, 5)};
  const auto next = world.with(changes, Revision{2});
  REQUIRE_MESSAGE(next, (next ? "" : next.error().text()));
  return *next->world.mission(MissionId("harbor-light"));
}

}  // namespace

TEST_CASE("a word on a mission changes what it says and nothing else") {
  const coalition::World world = world_of_mission("2026-11-01T00:00:00Z");
  MissionDesk::Word word;
  word.phase = "execution";
  const coalition::Mission said = after(world, word);
  CHECK(said.phase == "execution");
  CHECK(said.threat == "low");
  CHECK(said.lead == PartnerCode("XAA"));
  CHECK(said.number == 5);
  CHECK(said.end == world.mission(said.id)->end);
}

TEST_CASE("a mission's end comes earlier or not at all, also before it began") {
  MissionDesk::Word word;
  word.end = kNow;
  CHECK(after(world_of_mission("2026-11-01T00:00:00Z"), word).end == kNow);
  CHECK(after(world_of_mission("2027-01-01T00:00:00Z"), word).end == kNow);
  const coalition::World world = world_of_mission("2026-11-01T00:00:00Z");
  word.end = kNow + std::chrono::days(200);
  CHECK(after(world, word).end == world.mission(MissionId("harbor-light"))->end);
}

TEST_CASE("where the record names its words, no other is said") {
  const coalition::World world = world_of_mission("2026-11-01T00:00:00Z");
  coalition::Mission mission = *world.mission(MissionId("harbor-light"));
  MissionDesk::Word word;
  word.threat = "hihg";
  CHECK(check_words(mission, word));  // it names none
  mission.threats = {"low", "high"};
  const Result<void> refused = check_words(mission, word);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == "mission.unknown-word");
  CHECK(refused.error().hint() == "one of: low, high");
  word.threat = "high";
  CHECK(check_words(mission, word));
  mission.phases = {"planning", "execution"};
  CHECK(check_words(mission, word));
  word.phase = "executoin";
  CHECK_FALSE(check_words(mission, word));
}

TEST_CASE("phases and threats are words that policies can compare") {
  for (const char* good : {"execution", "stand-down", "high", "phase-2"}) CHECK(is_mission_word(good));
  for (const char* bad : {"", "Execution", "in execution", "high!", "-", "a\nb"})
    CHECK_FALSE(is_mission_word(bad));
}
