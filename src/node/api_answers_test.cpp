#include "node/api_answers.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::node;

TEST_CASE("a connector that was not measured yet is shown as such, never as a near one") {
  CHECK(round_trip_json(0).is_null());
  CHECK(round_trip_json(1) == Json("< 1 ms"));
  CHECK(round_trip_json(999) == Json("< 1 ms"));
  CHECK(round_trip_json(1'000) == Json("1.0 ms"));
  CHECK(round_trip_json(18'240) == Json("18.2 ms"));
}
