// A wall clock that ran ahead and was put right: nothing goes back in time until somebody says that it may.
#include "exchange/exchange_test.h"

namespace entente::exchange::testing {
namespace {

Ending put_right() {
  Ending why;
  why.which = coalition::Refusal::lease_ended;
  why.what = "The node's clock was put right.";
  return why;
}

// One node with its own app; its clock leaps a day ahead, and comes back to the time it is.
struct Leap {
  Pair pair;
  std::shared_ptr<Gate> before;  // of a session from before the leap
  std::shared_ptr<Gate> during;  // of one from within it
  uint64_t number = 0;

  TestNode& node() { return pair.home; }
  std::shared_ptr<Gate> open() {
    const size_t opened = node().opened.size();
    pair.open(kOwn, ++number);
    pair.write(node());
    return node().opened.size() == opened ? nullptr : node().opened.back().pass.gate;
  }
  void tick(Millis step = Millis(0)) {
    pair.at.now += Millis(100) + step;
    pair.at.tick += Millis(100);
    node().take(node().core->tick(pair.at));
    pair.write(node());
  }
  Leap() {
    before = open();
    REQUIRE(before);
    tick(std::chrono::hours(24));
    during = open();
    REQUIRE(during);
    tick(-std::chrono::hours(24));
  }
  void accept() {
    node().take(node().core->go_on_from(pair.at, put_right()));
    pair.write(node());
  }
};

TEST_CASE("after a clock that was ahead was put right people come in once somebody says so, not before") {
  Leap leap;
  CHECK(leap.node().core->ahead() > std::chrono::hours(23));
  CHECK(std::ranges::count(leap.node().alarms, std::string("exchange.clock-behind"), &Alarm::code) == 1);
  CHECK(leap.open() == nullptr);  // what is said of them has ended by what was seen here
  leap.accept();
  CHECK(leap.node().core->ahead() == Millis(0));
  CHECK(leap.node().core->now() == leap.pair.at.now);
  CHECK(leap.open() != nullptr);
  leap.tick();
  CHECK(leap.node().core->now() == leap.pair.at.now);
}

TEST_CASE("attack: nothing that ended while the clock was ahead goes on, nor what began in that time") {
  Leap leap;
  CHECK_FALSE(leap.before->passes());
  leap.accept();
  CHECK(leap.before->is_cut());
  CHECK(leap.during->is_cut());  // what was said of them then holds for a day too long
  CHECK(leap.node().core->sessions().empty());
  CHECK(leap.node().leaves_of("ending") == 2);
  leap.tick();
  CHECK(leap.node().open_gates() == 0);
}

TEST_CASE("an admission on its way to the disk when the clock is put right comes to nothing") {
  Leap leap;
  leap.accept();
  leap.pair.open(kOwn, 9);
  const size_t opened = leap.node().opened.size();
  leap.node().take(leap.node().core->go_on_from(leap.pair.at, put_right()));
  leap.pair.write(leap.node());
  CHECK(leap.node().opened.size() == opened);
  CHECK(leap.node().open_gates() == 0);
}

TEST_CASE("a clock that catches up by itself is behind no longer") {
  Leap leap;
  leap.tick(std::chrono::hours(24) + std::chrono::minutes(1));
  CHECK(leap.node().core->ahead() == Millis(0));
  CHECK(leap.open() != nullptr);
}

}  // namespace
}  // namespace entente::exchange::testing
