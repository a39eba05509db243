#include "base/budget.h"

#include <string>

#include <doctest/doctest.h>

namespace {

using namespace entente;
using Names = Budgets<std::string>;

constexpr Tick kStart{std::chrono::hours(1)};

}  // namespace

TEST_CASE("a budget gives so many at once and so many a second") {
  Budget budget(3, 2);
  for (int i = 0; i < 3; ++i) CHECK(budget.take(kStart));
  CHECK_FALSE(budget.take(kStart));
  CHECK_FALSE(budget.take(kStart + Millis(499)));
  CHECK(budget.take(kStart + Millis(500)));
  CHECK_FALSE(budget.take(kStart + Millis(500)));
  int taken = 0;
  while (budget.take(kStart + std::chrono::hours(24))) ++taken;
  CHECK(taken == 3);
}

TEST_CASE("a budget by the minute, of which many are taken at once or none") {
  Budget budget = Budget::by_minute(6, 3);
  CHECK_FALSE(budget.take(kStart, 7));
  CHECK(budget.take(kStart, 6));
  CHECK_FALSE(budget.take(kStart + Seconds(19)));
  CHECK(budget.take(kStart + Seconds(20)));
  CHECK_FALSE(budget.take(kStart + Seconds(59), 2));
  CHECK(budget.take(kStart + Seconds(60), 2));
}

TEST_CASE("attack: with new names nobody has more than one name's budget") {
  Names names(Budget(2, 1), 2, Names::Crowded::refuse);
  CHECK(names.take("a", kStart, 2));
  CHECK_FALSE(names.take("a", kStart));
  CHECK(names.take("b", kStart, 2));
  CHECK_FALSE(names.take("c", kStart));
  CHECK_FALSE(names.take("a", kStart));
  // Who took nothing for long enough is as good as new and makes room.
  CHECK(names.take("a", kStart + Seconds(1)));
  CHECK_FALSE(names.take("c", kStart + Seconds(1)));
  CHECK(names.take("c", kStart + Seconds(2)));
  CHECK_FALSE(names.take("a", kStart + Seconds(2), 2));
}

TEST_CASE("where all may be forgotten, newcomers are let in, and whoever is full goes first") {
  Names names(Budget(2, 1), 2, Names::Crowded::forget);
  CHECK(names.take("a", kStart, 2));
  CHECK(names.take("b", kStart + Seconds(2), 2));
  CHECK(names.take("c", kStart + Seconds(2), 2));
  CHECK_FALSE(names.take("b", kStart + Seconds(2)));
  CHECK(names.take("d", kStart + Seconds(2), 2));
  CHECK(names.take("b", kStart + Seconds(2), 2));
}
