// Refusals that are recorded one by one only up to a budget and counted from there on. One thread. Private to
// the room.
#pragma once

#include "base/time.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace entente::data {

// How many of whom, until somebody takes the count away to record it.
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
