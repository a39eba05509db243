#include "node/clock.h"

#include "exchange/access_desk_for_test.h"

#include <algorithm>

using namespace entente;
using namespace entente::node;
using exchange::office::Office;
using std::chrono::hours;
using std::chrono::minutes;

namespace {

void look(Office& office) {
  office.board.world_published(exchange::rules_of(office.book.world), {});
}

}  // namespace

TEST_CASE(
    "what operators and keys are asked by is never behind what was seen, and never ahead of both clocks") {
  Office office("XAA");
  const DecisionClock decisions(office.clock, office.board);
  const Instant begun = office.clock.now();
  look(office);
  CHECK(decisions.now() == begun);
  office.clock.instant = begun + hours(2);
  CHECK(decisions.now() == begun + hours(2));
  look(office);
  office.clock.instant = begun;
  CHECK(decisions.now() == begun + hours(2));  // before the board looks again
  look(office);
  CHECK(decisions.now() == begun + hours(2));
  // Forward again, and the board has not looked yet.
  office.clock.instant = begun + hours(2);
  CHECK(decisions.now() == begun + hours(2));
  look(office);
  CHECK(office.board.ahead() == Millis(0));
  office.clock.instant += minutes(1);
  CHECK(decisions.now() == begun + hours(2) + minutes(1));
}
