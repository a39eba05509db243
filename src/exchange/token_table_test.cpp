#include "exchange/token_table.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::exchange;

TEST_CASE("a token ends, is used once where asked, and gives way when the table is full") {
  TokenTable<int> table(2);
  const Instant now = from_unix_seconds(1000);
  const std::string a = table.issue(1, now + Seconds(10));
  CHECK(*table.find(a, now) == 1);
  CHECK(table.find(a, now + Seconds(10)) == nullptr);
  CHECK(table.find(a + "x", now) == nullptr);
  CHECK(table.take(a, now) == 1);
  CHECK_FALSE(table.take(a, now).has_value());

  const std::string soon = table.issue(1, now + Seconds(1));
  const std::string later = table.issue(2, now + Seconds(9));
  const std::string latest = table.issue(3, now + Seconds(5));
  CHECK(table.size() == 2);
  CHECK(table.find(soon, now) == nullptr);
  table.sweep(now + Seconds(6));
  CHECK(table.size() == 1);
  CHECK(*table.find(later, now) == 2);
  CHECK(table.find(latest, now) == nullptr);
}
