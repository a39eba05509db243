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

ledger::Record leaf(Instant now) {
  return {.event_class = std::string(exchange::kClockLeaf), .time = now, .fields = {}};
}

ClockStep step(Office& office, Instant seen) {
  const Instant now = office.clock.now();
  return clock_step(office.book.world, office.desk, seen, now, leaf(now), "lena");
}

// XBB was let in again at `when`.
void resume(Office& office, Instant when) {
  Json record = *office.book.world.raw("partner/XBB");
  record.set("resumed_at", rfc3339(when));
  office.book.commit({.ops = {{"partner/XBB", std::move(record)}}}, [](const Result<void>&) {});
  office.settle();
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

TEST_CASE("a nation that was let in again while the clock was ahead is let in once that is put right") {
  Office office("XAA");
  const Instant now = office.clock.now();
  resume(office, now + hours(23));
  ClockStep made = step(office, now + hours(24));
  CHECK(made.change.records.empty());
  let_in_from(office.book.world, now, made.change);
  REQUIRE(made.change.records.size() == 1);
  CHECK(made.change.leaves.front().fields.back() ==
        std::pair<std::string, Json>{"let_in", Json::array({"XBB"})});
  CHECK(made.change.records.front().key == "partner/XBB");
  office.book.commit({.ops = made.change.records}, [](const Result<void>&) {});
  office.settle();
  CHECK(office.book.world.partner(PartnerCode("XBB"))->resumed_at == now);
  CHECK(office.book.world.partner(PartnerCode("XBB"))->name == "XBB");
  ClockStep again = step(office, now + hours(24));
  let_in_from(office.book.world, now, again.change);
  CHECK(again.change.records.empty());
}

TEST_CASE("a partner's keys that were told while the clock was ahead are followed by newer ones") {
  Office office("XAA");
  const Instant now = office.clock.now();
  const Json service = Json::object(
      {{"url", "https://kas.xbb.example"}, {"keys", Json::array()}, {"told", rfc3339(now + hours(24))}});
  office.book.commit({.ops = {{"key-service/XBB", service}}}, [](const Result<void>&) {});
  office.settle();
  ClockStep made = step(office, now + hours(24));
  let_in_from(office.book.world, now, made.change);
  REQUIRE(made.change.records.size() == 1);
  CHECK(made.change.records.front().value->text_or("told", "") == rfc3339(now));
}

TEST_CASE("attack: a start after the clock went back lets in nobody, as nobody said that it is right") {
  Office office("XAA");
  const Instant right = office.clock.now();
  resume(office, right - minutes(10));
  // As after a start with an empty battery: everything the node knows lies ahead.
  office.clock.instant -= hours(24 * 365);
  CHECK(step(office, right).change.records.empty());
}

TEST_CASE(
    "attack: that a clock is put right lets in nobody who signed in before their nation was let in again") {
  Office office("XAA");
  const Instant then = office.clock.now() - minutes(5);
  resume(office, then);
  ClockStep made = step(office, office.clock.now() + hours(24));
  let_in_from(office.book.world, office.clock.now(), made.change);
  CHECK(made.change.records.empty());
  CHECK(office.book.world.partner(PartnerCode("XBB"))->resumed_at == then);
}
