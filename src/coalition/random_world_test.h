// Worlds, changes and asks drawn from a seed, all on one grid of times, for the properties that must hold in
// every world. Test only.
#pragma once

#include "coalition/example_test.h"

#include <random>
#include <vector>

namespace entente::coalition::example {

class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}
  size_t below(size_t bound) { return random_() % bound; }
  bool once_in(size_t n) { return below(n) == 0; }
  template <class Items>
  const auto& one_of(const Items& items) {
    return items[below(items.size())];
  }

 private:
  std::mt19937_64 random_;
};

inline constexpr int kGridSteps = 24;  // hours after kNow - 12 h; every time in a random world is on the grid
[[nodiscard]] Instant grid(size_t step);

struct PolicyLine {
  std::string layer;
  std::string text;
  bool permit = false;
};
// Small policies that read all sorts of things: the person, the app's owner, mission and segment, the time.
[[nodiscard]] std::vector<PolicyLine> policy_pool();

[[nodiscard]] Records random_records(Dice& dice);
[[nodiscard]] Ask random_ask(Dice& dice);
// One record changed, added or removed; empty when the world refuses it.
[[nodiscard]] std::vector<Record> random_change(Dice& dice, const Records& records);
void apply(Records& records, const std::vector<Record>& changes);

}  // namespace entente::coalition::example
