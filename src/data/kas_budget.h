// What the key service lets one caller use up, and one nation: token buckets by name, and refusals that are
// recorded one by one only up to a budget and counted from there on. One thread. Private to the room, but for
// the limits in kas.h.
#pragma once

#include "base/time.h"

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace entente::data {

class Budgets {
 public:
  struct Rate {
    uint32_t burst = 0;
    uint32_t per_minute = 0;
  };
  Budgets(Rate rate, size_t names_max) : rate_(rate), names_max_(names_max) {}
  // False, and nothing is taken, when there is not as much left; or when there are too many names to keep.
  [[nodiscard]] bool take(const std::string& name, size_t count, Tick now);

 private:
  struct Bucket {
    int64_t left = 0;
    Tick last{};
  };
  [[nodiscard]] bool make_room(Tick now);

  Rate rate_;
  size_t names_max_;
  Tick swept_{};
  std::unordered_map<std::string, Bucket> buckets_;
};

// Refusals beyond a budget: how many of whom, until somebody takes the count away to record it.
class Counted {
 public:
  struct Count {
    std::string partner;
    std::string person;  // empty: of several
    uint64_t refusals = 0;
    Instant since{};
  };
  void add(std::string partner, std::string person, Instant now);
  [[nodiscard]] std::vector<Count> take();
  [[nodiscard]] bool empty() const { return counts_.empty(); }

 private:
  static constexpr size_t kNamesMax = 1'000;
  std::map<std::pair<std::string, std::string>, Count> counts_;
};

}  // namespace entente::data
