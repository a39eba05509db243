// News of releases (coalition/releases.h) for whoever asked for one. At the originator: their home is told
// once an operator has answered, and when it looks. At the home: whose wish waits where is kept for a day,
// and what the originator says of it goes to that person's pages. It may be lost on its way, or with a
// restart: whoever asks for the object again is told the same (docs/wire-formats/kas.md). Lives on the
// control loop.
#pragma once

#include "coalition/releases.h"
#include "exchange/exchange.h"

#include <functional>
#include <map>
#include <string>
#include <utility>

namespace entente::node {

class ReleaseDesk {
 public:
  struct Parts {
    std::function<const coalition::World&()> world;
    std::function<void(const PartnerCode&, exchange::Way, exchange::link::Told)> tell;
    std::function<void(const PersonId&, Json)> announce;  // to the pages of that person
    const Clock& clock;                                   // of decisions
  };
  explicit ReleaseDesk(Parts parts);

  // One of this node's people waits for that nation's answer, by this name there.
  void waits(const PartnerCode& service, const RequestId& id, const PersonId& who);
  void heard(const exchange::Heard& heard);
  // An operator's answer acts: whoever asked is told.
  void answered(const coalition::Release& release);
  // Looks how those stand of which nothing was heard for a while. Each few seconds.
  void sweep();
  // That nation is reached again: its answers may have been lost.
  void reached(const PartnerCode& service);
  [[nodiscard]] size_t waiting() const { return waiting_.size(); }

  static constexpr std::string_view kTopics = "release-";  // all of them begin so
  static constexpr std::string_view kLook = "release-look";
  static constexpr std::string_view kState = "release-state";
  static constexpr std::string_view kUnknown = "unknown";
  static constexpr size_t kWaitingMax = 4'096;
  static constexpr size_t kWaitingOfOneMax = 16;
  static constexpr size_t kLooksAtOnce = 16;
  static constexpr Millis kLookAgainAfter{30'000};
  static constexpr Millis kKept = std::chrono::hours(25);  // longer than a wish lasts

 private:
  struct Waiting {
    PersonId who{};
    std::string state{};
    Tick noted{};
    Tick looked{};
  };
  using Name = std::pair<PartnerCode, RequestId>;
  void look(const Name& name, Waiting& one);
  void make_room(const PersonId& who);
  void take_look(const exchange::Heard& heard);
  void take_state(const exchange::Heard& heard);

  Parts parts_;
  std::map<Name, Waiting> waiting_;
};

}  // namespace entente::node
