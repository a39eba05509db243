// A node is killed and started again: what its ledger holds goes on, and nothing else.
#include "exchange/exchange_test.h"

namespace entente::exchange::testing {
namespace {

Kept stands(const TestNode& node, const Pair& pair) {
  Recollection recollection(node.rules->code, pair.at.now);
  for (auto leaf = node.leaves.rbegin(); leaf != node.leaves.rend(); ++leaf)
    if (!recollection.take(leaf->kind, pair.at.now, Json(leaf->fields))) break;
  return std::move(recollection).kept();
}

// With the same disk, ledger and statements, and nothing that was only in memory.
void restart(Pair& pair, TestNode& node, Way way, const std::optional<Ending>& end = std::nullopt) {
  TestNode& other = &node == &pair.home ? pair.host : pair.home;
  const Way others = way == Way::asking ? Way::serving : Way::asking;
  Kept kept = stands(node, pair);
  node.core = std::make_unique<Exchange>(
      node.rules, node.statements,
      [n = 0, code = node.rules->code]() mutable { return fmt::format("{}-again-{}", code.text(), ++n); },
      Exchange::Options{});
  node.outbox.clear();
  other.outbox.clear();
  node.writes.clear();
  REQUIRE(node.core->connector_up(pair.at, ConnectorId("one"), "tp"));
  node.take(node.core->restore(pair.at, std::move(kept.sessions), end));
  other.take(other.core->link_down(pair.at, node.rules->code, others));
}

void link(Pair& pair) {
  pair.host.take(pair.host.core->link_up(pair.at, kHome, Way::serving));
  pair.home.take(pair.home.core->link_up(pair.at, kHost, Way::asking));
  pair.settle();
}

}  // namespace

TEST_CASE("the home restarts: nothing passes before the host says it has the session, then it goes on") {
  Pair pair;
  pair.admit();
  const SessionId id = pair.home.core->sessions().front()->id;
  restart(pair, pair.home, Way::asking);
  REQUIRE(pair.home.core->sessions().size() == 1);
  CHECK(pair.home.open_gates() == 0);
  link(pair);
  CHECK(pair.home.open_gates() == 1);
  CHECK(pair.host.open_gates() == 1);
  CHECK(pair.home.core->sessions().front()->id == id);
}

TEST_CASE("the host restarts: nothing passes before the home vouches for its person anew, then it goes on") {
  Pair pair;
  pair.admit();
  restart(pair, pair.host, Way::serving);
  CHECK(pair.host.open_gates() == 0);
  pair.host.take(pair.host.core->link_up(pair.at, kHome, Way::serving));
  pair.home.take(pair.home.core->link_up(pair.at, kHost, Way::asking));
  while (pair.host.open_gates() == 0 && (pair.deliver(pair.home) || pair.deliver(pair.host)))
    CHECK(pair.host.open_gates() == 0);  // not by the hello alone
  pair.settle();
  CHECK(pair.host.open_gates() == 1);
  CHECK(pair.home.open_gates() == 1);
}

TEST_CASE("both restart: what both have goes on") {
  Pair pair;
  pair.admit();
  restart(pair, pair.home, Way::asking);
  restart(pair, pair.host, Way::serving);
  link(pair);
  CHECK(pair.home.open_gates() == 1);
  CHECK(pair.host.open_gates() == 1);
}

TEST_CASE("facts that were replaced while the host was down are those it goes on with, or not") {
  Pair pair;
  pair.admit();
  pair.publish(pair.host, [](TestRules& rules) { rules.denied_roles.insert("clerk"); });
  pair.settle();
  restart(pair, pair.host, Way::serving);
  pair.home.take(
      pair.home.core->facts_replaced(pair.at, PersonId("p1"), pair.opening(kCop, 1, "clerk").who.facts));
  pair.write(pair.home);
  link(pair);
  CHECK(pair.host.open_gates() == 0);
  CHECK(pair.home.open_gates() == 0);
}

TEST_CASE("what was narrowed while a node was down wins") {
  Pair pair;
  pair.admit();
  SUBCASE("at the host: the partner is suspended") {
    pair.host.rules->suspended.insert(kHome);
    restart(pair, pair.host, Way::serving);
    CHECK(pair.host.core->sessions().empty());
  }
  SUBCASE("at home: the role is denied") {
    pair.home.rules->denied_roles.insert("planner");
    restart(pair, pair.home, Way::asking);
    CHECK(pair.home.core->sessions().empty());
  }
  SUBCASE("at home: its facts have ended") {
    pair.at.now += std::chrono::hours(3);
    restart(pair, pair.home, Way::asking);
    CHECK(pair.home.core->sessions().empty());
  }
  CHECK(pair.home.leaves_of("ending") + pair.host.leaves_of("ending") >= 1);
  link(pair);
  CHECK(pair.home.open_gates() == 0);
  CHECK(pair.host.open_gates() == 0);
}

TEST_CASE("a session that one side ended does not come back by the other's memory") {
  Pair pair;
  pair.admit();
  Ending why;
  why.what = "cut";
  SUBCASE("the host cut it, the home was down and remembers it") {
    const SessionId id = pair.host.core->sessions().front()->id;
    restart(pair, pair.home, Way::asking);
    pair.host.take(pair.host.core->session_closed(pair.at, id, why));
  }
  SUBCASE("the home ended it, the host was down and remembers it") {
    const SessionId id = pair.home.core->sessions().front()->id;
    restart(pair, pair.host, Way::serving);
    pair.home.take(pair.home.core->session_closed(pair.at, id, why));
  }
  link(pair);
  CHECK(pair.home.core->sessions().empty());
  CHECK(pair.host.core->sessions().empty());
}

TEST_CASE("what nobody comes back for ends") {
  Pair pair;
  pair.admit();
  TestNode* node = nullptr;
  SUBCASE("the host does not come back") {
    node = &pair.home;
    restart(pair, *node, Way::asking);
  }
  SUBCASE("the home does not come back") {
    node = &pair.host;
    restart(pair, *node, Way::serving);
  }
  pair.pass(Millis(9'000), false);
  CHECK(node->core->sessions().size() == 1);
  CHECK(node->open_gates() == 0);
  pair.pass(Millis(1'500), false);
  CHECK(node->core->sessions().empty());
}

TEST_CASE("where nothing may go on all ends, and is recorded") {
  Pair pair;
  pair.admit();
  Ending why;
  why.what = "The clock went back.";
  restart(pair, pair.home, Way::asking, why);
  CHECK(pair.home.core->sessions().empty());
  CHECK(pair.home.leaves_of("ending") == 1);
  CHECK(stands(pair.home, pair).sessions.empty());
}

TEST_CASE("requests are numbered on, and a clock set back after a restart gives no time back") {
  Pair pair;
  pair.admit();
  const std::shared_ptr<Gate> gate = pair.home.core->sessions().front()->gate;
  for (int i = 0; i < 3; ++i) (void)gate->count_request();
  pair.pass(Millis(1'200));
  restart(pair, pair.home, Way::asking);
  link(pair);
  const Session& again = *pair.home.core->sessions().front();
  CHECK(again.gate->count_request() == 4);
  pair.publish(pair.home, [&](TestRules& rules) { rules.end = pair.at.now + Millis(3'000); });
  pair.at.now -= std::chrono::hours(1);
  pair.home.take(pair.home.core->tick(pair.at));
  CHECK(pair.home.open_gates() == 1);
  pair.pass(Millis(3'200));
  CHECK(pair.home.open_gates() == 0);
}

TEST_CASE(
    "requests that a kill took from the record show: the first batch after it says that some may be "
    "missing") {
  Pair pair;
  pair.admit();
  const auto newest = [&] {
    const auto leaf =
        std::ranges::find(pair.home.leaves.rbegin(), pair.home.leaves.rend(), "requests", &Leaf::kind);
    REQUIRE(leaf != pair.home.leaves.rend());
    return Json(leaf->fields).find("sessions")->items().at(0);
  };
  const auto count = [&](int requests) {
    for (int i = 0; i < requests; ++i) pair.home.core->sessions().front()->gate->count_request();
  };
  count(3);
  pair.pass(Millis(1'100));
  CHECK(newest().find("last")->integer() == 3);
  CHECK(newest().find("missing_before") == nullptr);
  count(2);  // counted, and on no disk
  restart(pair, pair.home, Way::asking);
  link(pair);
  pair.pass(Millis(1'100));
  CHECK(newest().text_or("missing_before", "") == "restart");
  CHECK(newest().find("first")->integer() == 4);
  CHECK(newest().find("last")->integer() == 3);  // also where none came since
  count(1);
  pair.pass(Millis(1'100));
  CHECK(newest().find("missing_before") == nullptr);
  CHECK(newest().find("last")->integer() == 4);
}

TEST_CASE("no batch of requests is numbered before the leaf of the start is durable") {
  Pair pair;
  pair.home.core->begins_unrecorded({std::string(kRestartLeaf), {{"kept", "no"}}});
  pair.admit();
  pair.home.writes.clear();
  const auto second = [&] {
    pair.home.core->sessions().front()->gate->count_request();
    pair.pass(Millis(1'100), false);
  };
  const auto refuse = [&] {
    while (!pair.home.writes.empty()) {
      pair.home.take(
          pair.home.core->failed(pair.at, pair.home.writes.front(), {"ledger.full", "the disk is full"}));
      pair.home.writes.pop_front();
    }
  };
  second();  // under way
  second();
  CHECK(pair.home.leaves_of("restart") == 1);
  CHECK(pair.home.leaves_of("requests") == 0);
  refuse();
  CHECK(pair.home.alarms.size() == 1);
  second();  // tried again
  CHECK(pair.home.leaves_of("restart") == 2);
  CHECK(pair.home.leaves_of("requests") == 0);
  pair.write(pair.home);
  second();
  CHECK(pair.home.leaves_of("restart") == 2);
  REQUIRE(pair.home.leaves_of("requests") == 1);
  const auto batch = std::ranges::find(pair.home.leaves, "requests", &Leaf::kind);
  const Json fields(batch->fields);
  CHECK(fields.find("batch")->integer() == 1);
  CHECK(fields.find("sessions")->items().at(0).find("first")->integer() == 1);
  CHECK(fields.find("sessions")->items().at(0).find("last")->integer() == 4);
}

TEST_CASE("a host that wants new words all the time gets them at the home's pace") {
  Pair pair;
  for (uint64_t number = 1; number <= 40; ++number) pair.admit(number);
  const uint64_t before = pair.home.statements.sent;
  link::Welcome welcome;
  for (const Session* s : pair.home.core->sessions()) welcome.sessions.push_back(s->at_host);
  welcome.vouch = welcome.sessions;
  for (int round = 0; round < 100; ++round) {
    pair.home.take(pair.home.core->link_down(pair.at, kHost, Way::asking));
    pair.home.take(pair.home.core->link_up(pair.at, kHost, Way::asking));
    const auto epoch = static_cast<uint64_t>(pair.home.outbox.back().message.find("epoch")->integer());
    pair.home.take(pair.home.core->received(pair.at, kHost, Way::asking, link::to_json({epoch, 1, welcome})));
  }
  CHECK(pair.home.statements.sent - before <= 200);
}

}  // namespace entente::exchange::testing
