// What holds before any disk, and what nobody may cost others: two cores, hand to hand.
#include "exchange/exchange_test.h"

namespace entente::exchange::testing {
namespace {

TEST_CASE("race: a suspension between the statement and the admission wins") {
  Pair pair;
  pair.open(kCop);
  SUBCASE("before the statement is read") {
    pair.fence(pair.host);
    pair.talk();
    CHECK(pair.host.statements.seen == 0);  // refused unread
  }
  SUBCASE("before the admission is durable") {
    pair.talk();
    pair.fence(pair.host);
  }
  pair.settle();
  CHECK(pair.home.opened.empty());
  CHECK(pair.host.opened.empty());
  REQUIRE(pair.home.refused.size() == 1);
  CHECK(pair.home.refused[0].ending.which == coalition::Refusal::denied);
}

TEST_CASE("race: after a hold no write passes, though the wave that asks is still on its way") {
  Limits limits;
  limits.wave_max = 1;
  Pair pair(limits);
  for (uint64_t i = 1; i <= 5; ++i) pair.admit(i);
  std::vector<Pass> streams;
  for (const Opened& one : pair.host.opened) streams.push_back(one.pass);
  pair.publish(pair.host, [](TestRules& rules) { rules.denied_roles.insert("planner"); });
  CHECK(pair.host.core->busy());
  for (const Pass& stream : streams) CHECK_FALSE(stream.gate->passes());
  CHECK(pair.host.ended.size() == 1);
  while (pair.host.core->busy()) pair.host.take(pair.host.core->step(pair.at));
  CHECK(pair.host.ended.size() == 5);
  for (const Pass& stream : streams) CHECK(stream.gate->is_cut());
}

TEST_CASE("what a commit touches and still may goes on after the wave; what only widens is not held") {
  Limits limits;
  limits.wave_max = 1;
  Pair pair(limits);
  pair.admit(1);
  pair.admit(2);
  const VerdictId recorded = pair.host.core->sessions().front()->verdict.id;
  pair.publish(pair.host, [](TestRules& rules) { rules.denied_roles.insert("clerk"); });
  CHECK(pair.host.open_gates() == 1);  // the other one still waits
  pair.talk();
  CHECK(pair.home.open_gates() == 1);  // and the home was told
  pair.host.take(pair.host.core->step(pair.at));
  pair.talk();
  CHECK(pair.host.open_gates() == 2);
  CHECK(pair.home.open_gates() == 2);
  CHECK(pair.host.core->sessions().front()->verdict.id == recorded);  // the one that can be looked up
  pair.publish(pair.host, [](TestRules&) {}, true);
  CHECK(pair.host.open_gates() == 2);
}

TEST_CASE("a suspension holds before any disk, stays when the disk fails, and cuts when it is durable") {
  Pair pair;
  pair.admit();
  pair.open(kOwn, 2);
  pair.settle();
  pair.fence(pair.host);
  CHECK(pair.host.open_gates() == 0);
  REQUIRE(pair.host.fences.size() == 1);
  CHECK_FALSE(pair.host.fences[0].durable);
  CHECK(pair.host.fences[0].sessions == 1);
  pair.talk();
  CHECK(pair.home.open_gates() == 1);  // only their own app goes on
  pair.pass(Millis(2'000));
  CHECK(pair.host.open_gates() == 0);
  CHECK(pair.host.core->fenced(kHome));
  CHECK(pair.host.ended.empty());  // fenced, not yet durable
  pair.publish(pair.host, [](TestRules& rules) { rules.suspended.insert(kHome); });
  CHECK(pair.host.ended.size() == 1);
  CHECK(pair.host.fences.back().durable);
  pair.settle();
  REQUIRE(pair.home.ended.size() == 1);
  CHECK(pair.home.ended[0].ending.what.find("key compromise") != std::string::npos);
  CHECK(pair.home.ended[0].ending.who == "XAA");
  REQUIRE(pair.home.core->told_shut(kHost));  // also those who are not inside
  CHECK(pair.home.core->told_shut(kHost)->find("key compromise") != std::string::npos);

  // Resuming restores nothing by itself.
  pair.publish(pair.host, [](TestRules& rules) { rules.suspended.clear(); });
  pair.pass(Millis(2'000));
  CHECK_FALSE(pair.host.core->fenced(kHome));
  CHECK_FALSE(pair.home.core->told_shut(kHost));
  CHECK(pair.host.core->sessions().empty());
  pair.open(kCop, 3);
  pair.settle();
  CHECK(pair.host.open_gates() == 1);
}

TEST_CASE("whether the two are isolated or one is suspended is told by its kind, never by anybody's words") {
  const std::string words = "the two are isolated from each other: review (exercise)";
  Pair pair;
  pair.admit();
  const auto shut = [&](Standing as) {
    pair.publish(pair.host, [&](TestRules& rules) {
      rules.suspended.insert(kHome);
      rules.shut_as = as;
      rules.reason = words;
    });
    pair.settle();
    REQUIRE(pair.home.core->told_shut(kHost));
    return *pair.home.core->told_shut(kHost);
  };
  CHECK(shut(Standing::suspended) == "XAA has suspended XBB: " + words);
  REQUIRE(pair.home.ended.size() == 1);
  CHECK(pair.home.ended[0].ending.what == "XAA has suspended XBB: " + words);
  // One act ends and the other stays: what is told changes with it.
  CHECK(shut(Standing::isolated) == "XAA and XBB are isolated from each other: " + words);
  pair.open(kCop, 2);
  pair.settle();
  REQUIRE(pair.home.refused.size() == 1);
  CHECK(pair.home.refused[0].ending.what == "XAA and XBB are isolated from each other: " + words);
}

TEST_CASE("an app that is gone is no dead sign-in, by the code of what went wrong") {
  for (const auto& [code, which] : {std::pair(kStatementApp, coalition::Refusal::denied),
                                    std::pair(kStatementGap, coalition::Refusal::credential_dead)}) {
    Pair pair;
    pair.home.statements.refuses = std::string(code);
    pair.open(kCop);
    pair.settle();
    REQUIRE(pair.home.refused.size() == 1);
    CHECK(pair.home.refused[0].ending.which == which);
    CHECK(pair.home.refused[0].ending.change.empty() == (which == coalition::Refusal::denied));
  }
}

TEST_CASE(
    "what a partner's node said of shutting this nation out is not told as if now once it is not heard") {
  Pair pair;
  pair.publish(pair.host, [](TestRules& rules) { rules.suspended.insert(kHome); });
  pair.settle();
  REQUIRE(pair.home.core->told_shut(kHost));
  SUBCASE("the link is down") {
    pair.home.take(pair.home.core->link_down(pair.at, kHost, Way::asking));
  }
  SUBCASE("it is up again, and nothing was said on it") {
    pair.home.take(pair.home.core->link_down(pair.at, kHost, Way::asking));
    pair.home.take(pair.home.core->link_up(pair.at, kHost, Way::asking));
  }
  CHECK_FALSE(pair.home.core->told_shut(kHost));
}

TEST_CASE("a fence that is lifted asks everybody before anything passes again") {
  Pair pair;
  pair.admit();
  pair.fence(pair.host);
  pair.talk();
  CHECK(pair.home.open_gates() == 0);
  pair.narrow(pair.host, {});
  pair.talk();
  CHECK(pair.host.open_gates() == 1);
  CHECK(pair.home.open_gates() == 1);
}

TEST_CASE("whatever narrows holds before any disk: nobody stays or gets in against it until it is lifted") {
  Pair pair;
  pair.admit(1);
  const auto no_planners = [](TestRules& rules) { rules.denied_roles.insert("planner"); };
  SUBCASE("held, and let go when it is lifted") {
    pair.narrow(pair.host, no_planners);
    CHECK(pair.host.open_gates() == 0);
    pair.talk();
    CHECK(pair.home.open_gates() == 0);
    pair.open(kCop, 2);
    pair.settle();
    CHECK(pair.home.refused.size() == 1);
    pair.pass(Millis(2'000));
    CHECK(pair.host.open_gates() == 0);
    CHECK(pair.host.ended.empty());
    pair.narrow(pair.host, {});
    pair.settle();
    CHECK(pair.host.open_gates() == 1);
    CHECK(pair.home.open_gates() == 1);
  }
  SUBCASE("cut when it is durable") {
    pair.narrow(pair.host, no_planners);
    pair.publish(pair.host, no_planners);
    CHECK(pair.host.ended.size() == 1);
    CHECK(pair.host.core->sessions().empty());
  }
  SUBCASE("who may stay goes on") {
    pair.narrow(pair.host, [](TestRules& rules) { rules.denied_roles.insert("clerk"); });
    CHECK(pair.host.open_gates() == 1);
  }
  SUBCASE("an admission on its way to the disk does not slip through") {
    pair.open(kCop, 2);
    pair.talk();
    pair.narrow(pair.host, no_planners);
    pair.settle();
    CHECK(pair.home.opened.size() == 1);
    CHECK(pair.home.refused.size() == 1);
  }
  SUBCASE("what it makes end sooner ends sooner") {
    pair.narrow(pair.host, [&](TestRules& rules) { rules.end = pair.at.now + Millis(1'000); });
    CHECK(pair.host.open_gates() == 1);
    pair.pass(Millis(1'200));
    CHECK(pair.host.open_gates() == 0);
  }
}

TEST_CASE("a failing disk lets nobody in and keeps the endings until it takes them") {
  Pair pair;
  pair.admit();
  const Error full{"store.full", "the disk is full", "", ""};
  pair.home.take(pair.home.core->person_signed_out(pair.at, PersonId("p1"), {}));
  CHECK(pair.home.open_gates() == 0);
  REQUIRE(pair.home.writes.size() == 1);
  pair.home.take(pair.home.core->failed(pair.at, pair.home.writes.front(), full));
  pair.home.writes.clear();
  const size_t endings = pair.home.leaves_of("ending");
  pair.open(kOwn, 2);
  pair.home.take(pair.home.core->failed(pair.at, pair.home.writes.front(), full));
  pair.home.writes.pop_front();
  CHECK(pair.home.refused.size() == 1);
  CHECK(pair.home.open_gates() == 0);
  pair.pass(Millis(1'100));
  CHECK(pair.home.leaves_of("ending") == endings + 1);  // tried again
}

TEST_CASE("what a failing disk made the node drop is in the ledger as a number once the disk takes records") {
  Limits limits;
  limits.unrecorded_max = 1;
  Pair pair(limits);
  for (uint64_t person = 1; person <= 3; ++person) pair.open(kOwn, person);
  pair.settle();
  REQUIRE(pair.home.open_gates() == 3);
  const Error full{"ledger.full", "the disk is full", "", ""};
  for (const char* person : {"p1", "p2", "p3"}) {
    pair.home.take(pair.home.core->person_signed_out(pair.at, PersonId(person), {}));
    REQUIRE(pair.home.writes.size() == 1);
    pair.home.take(pair.home.core->failed(pair.at, pair.home.writes.front(), full));
    pair.home.writes.clear();
  }
  CHECK(pair.home.leaves_of("unrecorded") == 0);
  for (int second = 0; second < 3; ++second) pair.pass(Millis(1'100));
  REQUIRE(pair.home.leaves_of("unrecorded") == 1);
  for (const Leaf& leaf : pair.home.leaves)
    if (leaf.kind == "unrecorded") CHECK(leaf.fields.at(1) == Json::Member{"lost", 2});
}

TEST_CASE("one partner's flood is turned away without a disk write, and costs others nothing") {
  Limits limits;
  limits.asks_burst = 4;
  limits.asks_per_second = 1;
  Pair pair(limits);
  for (uint64_t i = 1; i <= 20; ++i) pair.open(kCop, i);
  pair.talk();
  CHECK(pair.host.leaves_of("refusal") == 0);
  CHECK(pair.host.core->sessions().size() == 4);
  coalition::AppRef mine{kHost, AppId("cop")};
  Opening own = pair.opening(mine, 99);
  own.who.partner = kHost;
  pair.host.take(pair.host.core->person_opens(pair.at, own));
  pair.write(pair.host);
  CHECK(std::ranges::any_of(pair.host.opened, [](const Opened& one) { return one.opening == 99; }));
}

TEST_CASE("attack: a partner that greets without end costs no more than one that greets now and then") {
  Pair pair;
  for (uint64_t number = 1; number <= 3; ++number) pair.admit(number);
  const auto greet = [&](uint64_t epoch) {
    link::Hello hello;
    for (const Session* s : pair.host.core->sessions()) hello.sessions.push_back(s->id);
    link::Envelope envelope{.epoch = epoch, .number = 1, .message = hello};
    pair.host.take(pair.host.core->received(pair.at, kHome, Way::serving, link::to_json(envelope)));
  };
  const uint64_t epoch = 1'000'000'000;
  for (uint64_t i = 0; i < 10'000; ++i) greet(epoch + i);
  CHECK(pair.host.outbox.size() <= 100);
  CHECK(pair.host.open_gates() == 3);
  pair.host.outbox.clear();
  pair.at.tick += Millis(1'000);
  pair.at.now += Millis(1'000);
  greet(epoch + 20'000);  // and is heard again soon
  CHECK(pair.host.outbox.size() == 1);
}

TEST_CASE("one person opens apps no faster than a person would, and what is beyond that costs no disk") {
  Limits limits;
  limits.openings_burst = 3;
  limits.openings_per_second = 1;
  Pair pair(limits);
  pair.publish(pair.home, [](TestRules& rules) { rules.denied_roles.insert("planner"); });
  for (int i = 0; i < 50; ++i) pair.open(kCop, 1);
  CHECK(pair.home.leaves_of("refusal") == 3);
  CHECK(pair.home.refused.size() == 50);
  pair.open(kCop, 2);  // somebody else
  CHECK(pair.home.leaves_of("refusal") == 4);
  pair.pass(Millis(2'100));
  pair.open(kCop, 1);
  CHECK(pair.home.leaves_of("refusal") == 5);
}

}  // namespace
}  // namespace entente::exchange::testing
