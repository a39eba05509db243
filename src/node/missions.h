// Missions while a node runs: the changes operators make, and what the nation that leads a mission tells the
// others about its phase, threat and end. Each is a change of the mission's record with a leaf, held first:
// what it refuses is held before any disk. A mission without a lead is each node's own. Lives on the control
// loop.
#pragma once

#include "base/budget.h"
#include "exchange/access_desk.h"
#include "node/records.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace entente::node {

// Errors of what an operator wants: "mission.not-lead", "mission.over", "mission.unchanged",
// "mission.unknown-word".
class MissionDesk {
 public:
  MissionDesk(Records& records, exchange::Switchboard& switchboard, exchange::AccessDesk& access,
              const Clock& wall, const Clock& decisions);

  struct Word {  // what is to be different; `end` may only come earlier
    std::optional<std::string> phase{};
    std::optional<std::string> threat{};
    std::optional<Instant> end{};
  };
  struct Step {
    Change change{};
    exchange::AccessDesk::Closing closing{};  // with the mission's end: nothing of it is left
  };
  // What an operator's word comes to, at `now` of decisions. Commit it, and call acts() once it acts.
  [[nodiscard]] Result<Step> step(const coalition::Mission& mission, const Word& word, Instant now) const;
  void acts(const exchange::AccessDesk::Closing& closing);

  // From another node: the lead's word, or how far a partner has heard ours.
  static constexpr std::string_view kTopic = "mission";
  // Each word costs a change that goes before everybody's; one that comes too soon is told again.
  static constexpr uint32_t kWordsBurst = 8, kWordsPerSecond = 1;
  static constexpr Seconds kSkew{60};  // by which clocks may differ: an end that near is now
  static constexpr std::string_view kKnownTopic = "mission-known";
  void heard(const exchange::Heard& heard);
  // Tells partners what they have not said they know, and closes what is left of missions whose end has come.
  // Each few seconds, and after a change.
  void sweep();
  // Partners of a mission led here that know its newest state.
  [[nodiscard]] std::vector<PartnerCode> known_by(const coalition::Mission& mission) const;

 private:
  void close_what_ended();
  [[nodiscard]] int64_t next_number(const coalition::Mission& mission) const;
  void take_word(const coalition::Mission& mission, const exchange::Heard& heard);
  void say_known(const PartnerCode& partner, exchange::Way way, const MissionId& id);

  Records& records_;
  exchange::Switchboard& switchboard_;
  exchange::AccessDesk& access_;
  const Clock& wall_;       // what is written, and an end that is said: never later than the right time
  const Clock& decisions_;  // what has ended
  // The number each partner said it knows, while its link is up.
  std::map<std::pair<MissionId, PartnerCode>, int64_t> known_;
  std::map<MissionId, Budget> words_;     // of each mission's lead
  std::set<MissionId> closing_;           // what they leave is on its way to the disk
  std::map<MissionId, Revision> closed_;  // nothing of theirs was left in this world
};

// The mission's record with the word in it, one number further if it is `counted`. Pure.
[[nodiscard]] coalition::Record changed_mission(const coalition::World& world,
                                                const coalition::Mission& mission,
                                                const MissionDesk::Word& word, int64_t number);
// Phases and threats are words that policies compare.
[[nodiscard]] bool is_mission_word(std::string_view word);
// Errors: "mission.unknown-word" where the mission's record names its words, and this is none: a slip of the
// keyboard would narrow nothing, and nobody would be told.
[[nodiscard]] Result<void> check_words(const coalition::Mission& mission, const MissionDesk::Word& word);

}  // namespace entente::node
