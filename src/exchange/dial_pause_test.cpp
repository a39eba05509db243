#include "exchange/dial_pause.h"

#include <doctest/doctest.h>

namespace entente::exchange {

TEST_CASE("the first dial waits for nothing, each further one for longer, up to a limit") {
  DialPause pause;
  Tick now{};
  CHECK(pause.is_over(now));
  for (const int64_t ms : {100, 200, 400, 800, 1500, 1500}) {
    CHECK(pause.dialed(now) == Millis(ms));
    CHECK_FALSE(pause.is_over(now + Millis(ms - 1)));
    now += Millis(ms);
    CHECK(pause.is_over(now));
  }
}

TEST_CASE("attack: who takes each connection, and closes it soon, is not dialed without a pause") {
  DialPause pause;
  Tick now = Tick{} + std::chrono::hours(1);
  for (int i = 0; i < 8; ++i) {
    pause.dialed(now);
    pause.up_since(now, now);
    pause.up_since(now, now + DialPause::kHolds - Millis(1));
    now += DialPause::kMost;
  }
  CHECK(pause.dialed(now) == DialPause::kMost);
}

TEST_CASE("a connection that held is dialed again soon once it is lost") {
  DialPause pause;
  const Tick now = Tick{} + std::chrono::hours(1);
  for (int i = 0; i < 8; ++i) pause.dialed(now);
  pause.up_since(now, now + DialPause::kHolds);
  CHECK(pause.is_over(now + DialPause::kMost));
  CHECK(pause.dialed(now + DialPause::kHolds) == DialPause::kFirst);
}

}  // namespace entente::exchange
