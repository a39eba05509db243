// Random policies, entities and requests without a schema, for tests that compare two ways of deciding: every
// operator, all kinds of values, and plenty of mistakes. Private to the room.
#pragma once

#include "policy/decide.h"

#include <random>
#include <string>
#include <vector>

namespace entente::policy::test {

class RandomPolicies {
 public:
  explicit RandomPolicies(unsigned seed) : random_(seed) {}

  unsigned below(unsigned bound) { return static_cast<unsigned>(random_() % bound); }
  std::mt19937& random() { return random_; }

  [[nodiscard]] std::vector<std::string> policies(unsigned count);
  [[nodiscard]] std::string policy(const std::string& effect);
  [[nodiscard]] std::string expression(unsigned depth);
  [[nodiscard]] EntityUid uid();
  [[nodiscard]] Entity entity(const EntityUid& uid);
  [[nodiscard]] EntityChanges changes(unsigned count);
  [[nodiscard]] Value value(unsigned depth);
  [[nodiscard]] Request request();

 private:
  template <size_t N>
  std::string one_of(const char* const (&items)[N]) {
    return items[below(N)];
  }
  std::string scope(const std::string& variable);
  std::string condition();
  std::string boolean(unsigned depth);
  std::string typed(unsigned depth);

  std::mt19937 random_;
};

}  // namespace entente::policy::test
