// Getting in, staying in and losing it: two cores, hand to hand.
#include "exchange/exchange_test.h"

namespace entente::exchange::testing {
namespace {

TEST_CASE("a person gets in when both nodes permit and both have it on disk") {
  Pair pair;
  pair.open(kCop);
  pair.talk();
  CHECK(pair.host.open_gates() == 0);  // permitted, not durable
  pair.write(pair.host);
  CHECK(pair.host.open_gates() == 1);
  pair.talk();
  CHECK(pair.home.opened.empty());
  pair.write(pair.home);
  REQUIRE(pair.home.opened.size() == 1);
  CHECK(pair.home.opened[0].opening == 1);
  CHECK(pair.home.opened[0].pass.gate->passes());
  const Session* const held = pair.host.core->session(pair.home.opened[0].pass.at_host);
  REQUIRE(held != nullptr);
  CHECK(held->side == Side::host);
  CHECK(held->partner == kHome);
  CHECK(pair.home.leaves_of("admission") == 1);
  CHECK(pair.host.leaves_of("admission") == 1);
}

TEST_CASE("a person of this nation opens an own app without any link") {
  Pair pair;
  pair.home.take(pair.home.core->link_down(pair.at, kHost, Way::asking));
  pair.open(kOwn);
  CHECK(pair.home.open_gates() == 0);
  pair.write(pair.home);
  CHECK(pair.home.open_gates() == 1);
}

TEST_CASE("race: a commit that narrows between the decision and the durable admission keeps the person out") {
  Pair pair;
  pair.open(kCop);
  pair.talk();
  SUBCASE("at the host") {
    pair.publish(pair.host, [](TestRules& rules) { rules.denied_roles.insert("planner"); });
    pair.settle();
    CHECK(pair.host.leaves_of("refusal") == 1);
  }
  SUBCASE("at the home, while the host answers") {
    pair.write(pair.host);
    pair.talk();
    pair.publish(pair.home, [](TestRules& rules) { rules.denied_roles.insert("planner"); });
    pair.settle();
    CHECK(pair.host.ended.size() == 1);  // it had gone live there, and was told
  }
  SUBCASE("the time itself narrows") {
    pair.at.now += std::chrono::hours(3);
    pair.settle();
  }
  CHECK(pair.home.opened.empty());
  REQUIRE(pair.home.refused.size() == 1);
  CHECK(pair.home.open_gates() + pair.host.open_gates() == 0);
}

TEST_CASE("a cut link ends the home's sessions by the lease and the host's by silence") {
  Pair pair;
  pair.admit();
  const std::shared_ptr<Gate> gate = pair.home.opened[0].pass.gate;
  pair.pass(Millis(4'000), false);
  CHECK(pair.home.open_gates() == 1);
  CHECK_FALSE(gate->passes(pair.at.tick + Millis(2'000)));  // even if nobody ticked
  pair.pass(Millis(1'500), false);
  CHECK(pair.home.open_gates() == 0);
  REQUIRE(pair.home.ended.size() == 1);
  CHECK(pair.home.ended[0].ending.which == coalition::Refusal::lease_ended);
  pair.pass(Millis(5'000), false);
  CHECK(pair.host.open_gates() == 0);
}

TEST_CASE("beats that were on the way for long lengthen nothing") {
  Pair pair;
  pair.admit();
  pair.pass(Millis(1'100), false);
  while (pair.deliver(pair.home)) {  // the pulse arrives, the beat is stuck
  }
  pair.pass(Millis(3'700), false);
  CHECK(pair.home.open_gates() == 1);
  while (pair.deliver(pair.host)) {
  }
  pair.pass(Millis(900), false);
  CHECK(pair.home.open_gates() == 1);  // 5.7 s: the second pulse's lease
  pair.pass(Millis(600), false);
  CHECK(pair.home.open_gates() == 0);
}

TEST_CASE("a lost notice stops the lease until the lists were compared again") {
  Pair pair;
  pair.admit();
  pair.host.take(pair.host.core->session_closed(pair.at, pair.host.opened[0].pass.id, {}));
  REQUIRE(pair.host.outbox.size() == 1);
  pair.host.outbox.clear();  // lost
  CHECK(pair.home.open_gates() == 1);
  pair.pass(Millis(1'500));
  CHECK(pair.home.open_gates() == 0);
  CHECK(pair.home.ended.size() == 1);
}

TEST_CASE("a lost ending from home is found by the host") {
  Pair pair;
  pair.admit();
  pair.home.take(pair.home.core->person_signed_out(pair.at, PersonId("p1"), {}));
  pair.home.outbox.clear();
  CHECK(pair.host.open_gates() == 1);
  pair.pass(Millis(1'500));
  CHECK(pair.host.open_gates() == 0);
}

TEST_CASE("a lost statement is sent again, and nobody is admitted out of order") {
  Pair pair;
  pair.open(kCop, 1);
  REQUIRE(pair.home.outbox.size() == 1);
  pair.home.outbox.clear();
  pair.open(kCop, 2);
  pair.talk();
  CHECK(pair.host.core->sessions().empty());
  pair.pass(Millis(4'000));
  CHECK(pair.host.open_gates() == 2);
  CHECK(pair.home.open_gates() == 2);
}

TEST_CASE(
    "statements that are no longer kept are given up: what rested on older ones ends, then all goes on") {
  Pair pair;
  pair.admit(1);
  for (uint64_t i = 0; i < 3; ++i) {  // said, and never heard
    pair.open(kCop, 2 + i);
    pair.home.outbox.clear();
  }
  pair.home.statements.kept.clear();  // and no longer kept
  pair.pass(Millis(4'000));
  CHECK(pair.home.leaves_of("statements-reset") == 1);
  CHECK(pair.host.leaves_of("statements-reset") == 1);
  CHECK(pair.host.ended.size() == 1);  // who was inside on an older word
  CHECK(pair.home.ended.size() == 1);
  CHECK(pair.host.open_gates() == 3);  // who waited is in
  CHECK(pair.home.open_gates() == 3);
}

TEST_CASE("messages that come twice do nothing the second time") {
  Pair pair;
  pair.open(kCop);
  pair.home.outbox.push_back(pair.home.outbox.front());
  pair.settle();
  CHECK(pair.host.core->sessions().size() == 1);
  CHECK(pair.home.refused.empty());
  CHECK(pair.home.open_gates() == 1);
}

TEST_CASE("a reconnect compares the lists: what one side no longer has, ends at the other") {
  Pair pair;
  pair.admit(1);
  pair.admit(2);
  const auto reconnect = [&] {
    pair.home.take(pair.home.core->link_down(pair.at, kHost, Way::asking));
    pair.host.take(pair.host.core->link_down(pair.at, kHome, Way::serving));
    pair.host.take(pair.host.core->link_up(pair.at, kHome, Way::serving));
    pair.home.take(pair.home.core->link_up(pair.at, kHost, Way::asking));
    pair.settle();
  };
  SUBCASE("within the lease both sides keep theirs") {
    CHECK(pair.home.open_gates() == 2);
  }
  SUBCASE("the home ended one in between") {
    pair.home.take(pair.home.core->link_down(pair.at, kHost, Way::asking));
    pair.home.take(pair.home.core->person_signed_out(pair.at, PersonId("p1"), {}));
    reconnect();
    CHECK(pair.host.open_gates() == 1);
    return;
  }
  SUBCASE("the host was killed") {
    pair.host = TestNode(kHost);
    reconnect();
    CHECK(pair.home.open_gates() == 0);
    CHECK(pair.home.ended.size() == 2);
    return;
  }
  CHECK(pair.home.welcomed.size() == 1);
  reconnect();
  CHECK(pair.host.open_gates() == 2);
  CHECK(pair.home.open_gates() == 2);
  CHECK(pair.home.welcomed == std::vector<PartnerCode>(2, kHost));  // what waits to be told is told again
}

TEST_CASE("facts replaced at home reach the host, which asks again") {
  Pair pair;
  pair.admit();
  pair.publish(pair.host, [](TestRules& rules) { rules.denied_roles.insert("clerk"); });
  pair.settle();
  REQUIRE(pair.host.open_gates() == 1);
  const coalition::Facts clerk = pair.opening(kCop, 1, "clerk").who.facts;
  const std::shared_ptr<Gate> gate = pair.host.core->sessions().front()->gate;
  const uint64_t edition = gate->edition();
  pair.home.take(pair.home.core->facts_replaced(pair.at, PersonId("p1"), clerk));
  CHECK(pair.home.open_gates() == 1);
  pair.talk();
  CHECK(pair.host.open_gates() == 0);  // held; the facts count once their number is durable
  pair.write(pair.host);
  CHECK(gate->edition() > edition);  // no loop goes on with the pass it has
  pair.settle();
  CHECK(pair.host.open_gates() == 0);
  CHECK(pair.home.open_gates() == 0);
}

TEST_CASE("a verdict's end passes: asked again, and a clock set back gives no time back") {
  Pair pair;
  pair.admit();
  SUBCASE("the time passes") {
    pair.publish(pair.home, [&](TestRules& rules) { rules.end = pair.at.now + Millis(1'000); });
    CHECK(pair.home.core->next_due() == pair.at.now + Millis(1'000));
    pair.pass(Millis(1'100));
  }
  SUBCASE("the clock steps forward") {
    pair.at.now += std::chrono::hours(3);
    pair.home.take(pair.home.core->tick(pair.at));
    CHECK(pair.home.alarms.size() == 1);
  }
  SUBCASE("the clock was set back") {
    pair.publish(pair.home, [&](TestRules& rules) { rules.end = pair.at.now + Millis(3'000); });
    pair.at.now -= std::chrono::hours(1);
    pair.home.take(pair.home.core->tick(pair.at));
    CHECK(pair.home.open_gates() == 1);
    pair.pass(Millis(3'200));
  }
  CHECK(pair.home.open_gates() == 0);
}

TEST_CASE("a partner vouches for its own people only") {
  Pair pair;
  coalition::Person foreign = pair.opening(kCop).who;
  foreign.partner = kHost;  // XBB says that somebody is a person of XAA
  said.push_back(foreign);
  const std::string statement = fmt::format("1 {} cop", said.size() - 1);
  const link::Envelope forged{static_cast<uint64_t>(5 * 3'600'000), 3, link::AskAdmission{"r", statement}};
  pair.host.take(pair.host.core->received(pair.at, kHome, Way::serving, link::to_json(forged)));
  CHECK(pair.host.core->sessions().empty());
  pair.write(pair.host);
  CHECK(pair.host.opened.empty());
}

TEST_CASE("requests are counted in numbered batches within a second") {
  Pair pair;
  pair.admit();
  for (int i = 0; i < 3; ++i) (void)pair.host.opened[0].pass.gate->count_request();
  pair.pass(Millis(1'100));
  (void)pair.host.opened[0].pass.gate->count_request();
  pair.pass(Millis(1'100));
  std::vector<std::string> batches;
  for (const Leaf& leaf : pair.host.leaves) {
    if (leaf.kind != "requests") continue;
    Json fields(leaf.fields);
    const Json& one = fields.find("sessions")->items()[0];
    batches.push_back(fmt::format("{}: {}-{}", fields.find("batch")->integer(), one.find("first")->integer(),
                                  one.find("last")->integer()));
  }
  CHECK(batches == std::vector<std::string>{"1: 1-3", "2: 4-4"});
}

TEST_CASE(
    "attack: a person, a partner and everybody together have room for so many sessions, and others for "
    "theirs") {
  Limits few;
  const auto last = [](const Pair& pair) {
    return pair.home.refused.empty() ? std::string() : pair.home.refused.back().ending.what;
  };
  SUBCASE("a person") {
    few.sessions_per_person_max = 1;
    Pair pair(few);
    pair.open(kOwn, 1);
    pair.settle();
    pair.open(kCop, 1);
    pair.settle();
    CHECK(pair.home.refused.size() == 1);
    CHECK(last(pair) == "You have too many sessions open.");
    CHECK(pair.home.refused.back().ending.change == "End one of them under My things.");
    pair.open(kCop, 2);
    pair.settle();
    CHECK(pair.home.refused.size() == 1);
    CHECK(pair.home.open_gates() == 2);
  }
  SUBCASE("with a partner, as its own node counts") {
    few.sessions_per_partner_max = 1;
    Pair pair(few, Limits());
    pair.admit();
    pair.open(kCop, 2);
    pair.settle();
    CHECK(pair.home.refused.size() == 1);
    CHECK(last(pair) == "There is no room for another session with this partner.");
    pair.open(kOwn, 2);
    pair.settle();
    CHECK(pair.home.open_gates() == 2);
    CHECK(pair.host.open_gates() == 1);
  }
  SUBCASE("of a partner whose node does not count") {
    few.sessions_per_partner_max = 1;
    Pair pair(Limits(), few);
    pair.admit();
    pair.open(kCop, 2);
    pair.settle();
    CHECK(pair.home.refused.size() == 1);
    CHECK(pair.host.open_gates() == 1);
    CHECK(pair.host.core->sessions().size() == 1);
  }
  SUBCASE("everybody") {
    few.sessions_max = 2;
    Pair pair(few);
    pair.open(kOwn, 1);
    pair.open(kOwn, 2);
    pair.settle();
    pair.open(kOwn, 3);
    CHECK(pair.home.refused.size() == 1);
    CHECK(last(pair) == "The node has no room for another session.");
    pair.home.take(pair.home.core->person_signed_out(pair.at, PersonId("p1"), {}));
    pair.open(kOwn, 3);
    pair.settle();
    CHECK(pair.home.open_gates() == 2);
    CHECK(pair.home.refused.size() == 1);
  }
}

TEST_CASE("a connector that ends is dropped then, and does not come back with a clock that is set back") {
  Pair pair;
  pair.host.rules->connectors_end = pair.at.now + Seconds(60);
  pair.pass(Millis(59'000));
  CHECK(pair.host.dropped.empty());
  pair.pass(Millis(2'000));
  CHECK(pair.host.dropped == std::vector<ConnectorId>{ConnectorId("one")});
  pair.at.now -= Seconds(3'600);
  CHECK_FALSE(pair.host.core->connector_up(pair.at, ConnectorId("one"), "tp"));
}

TEST_CASE("no link, no connector, no room: the app is down, and nobody who is denied learns of it") {
  Pair pair;
  pair.host.take(pair.host.core->connector_down(pair.at, ConnectorId("one")));
  pair.open(kCop, 1);
  pair.settle();
  REQUIRE(pair.home.refused.size() == 1);
  CHECK(pair.home.refused[0].ending.which == coalition::Refusal::app_down);
  pair.publish(pair.home, [](TestRules& rules) { rules.denied_roles.insert("planner"); });
  pair.home.take(pair.home.core->link_down(pair.at, kHost, Way::asking));
  pair.open(kCop, 2);
  REQUIRE(pair.home.refused.size() == 2);
  CHECK(pair.home.refused[1].ending.which == coalition::Refusal::denied);
}

}  // namespace
}  // namespace entente::exchange::testing
