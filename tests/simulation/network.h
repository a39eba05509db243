// Links as streams: what arrives, arrives in order, but for a copy that comes late; a cut loses what is on
// the way, and each end notices it in its own time.
#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/time.h"

#include <cstdint>
#include <functional>
#include <map>
#include <queue>
#include <random>
#include <vector>

namespace entente::simulation {

// Things to come, in the order of their time and then of their making.
class Agenda {
 public:
  void at(Tick when, std::function<void()> what) { queue_.push({when, ++made_, std::move(what)}); }
  [[nodiscard]] Tick next() const { return queue_.empty() ? Tick::max() : queue_.top().when; }
  // Takes the next one off and runs it.
  void run_next();

 private:
  struct Item {
    Tick when;
    uint64_t order;
    std::function<void()> what;
    bool operator>(const Item& other) const {
      return when != other.when ? when > other.when : order > other.order;
    }
  };
  std::priority_queue<Item, std::vector<Item>, std::greater<>> queue_;
  uint64_t made_ = 0;
};

struct Weather {  // per thousand messages
  uint64_t lost = 0;
  uint64_t doubled = 0;
  uint64_t slow = 0;
};

struct LinkEnds {
  PartnerCode home;
  PartnerCode host;
  auto operator<=>(const LinkEnds&) const = default;
};

// One direction of asking between two nodes: the home dials (or was dialled: that makes no difference here).
struct Connection {
  uint64_t id = 0;  // grows with each connection; what was sent on an older one never arrives
  bool wire = false;
  bool home_sees = false;
  bool host_sees = false;
  Tick to_host_after{};  // a stream: nothing overtakes
  Tick to_home_after{};
};

}  // namespace entente::simulation
