// Two cores, hand to hand: every message, every write to a disk and every tick happens when the test says so.
#include "exchange/exchange.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include <doctest/doctest.h>
#include <fmt/core.h>

namespace entente::exchange {
namespace {

const PartnerCode kHome("XBB"), kHost("XAA");
const coalition::AppRef kCop{kHost, AppId("cop")};
const coalition::AppRef kOwn{kHome, AppId("tides")};

struct TestRules final : Rules {
  PartnerCode code;
  uint64_t number = 1;
  std::set<PartnerCode> suspended{};
  std::set<std::string> denied_roles{};
  Instant end = kNever;

  Revision revision() const override { return {number}; }
  const PartnerCode& self() const override { return code; }
  coalition::Verdict decide(const coalition::Ask& ask) const override {
    coalition::Verdict verdict;
    verdict.id = ask.id;
    const auto role = ask.who.facts.find("role");
    const bool known = role != ask.who.facts.end() && role->second.end > ask.now;
    const std::string name = known ? std::get<std::string>(role->second.value) : "";
    const auto& app = std::get<coalition::AppRef>(ask.target);
    verdict.permit = known && ask.now < end && !denied_roles.contains(name) &&
                     !suspended.contains(ask.who.partner) && !suspended.contains(app.owner);
    verdict.refusal = verdict.permit ? coalition::Refusal::none : coalition::Refusal::denied;
    verdict.revision = {number};
    verdict.valid_until = std::min(end > ask.now ? end : kNever, known ? role->second.end : kNever);
    verdict.reach.entities = {{"Entente::Partner", ask.who.partner.text()}};
    return verdict;
  }
  Standing standing(const PartnerCode& partner) const override {
    if (partner != kHome && partner != kHost) return Standing::unknown;
    return suspended.contains(partner) ? Standing::suspended : Standing::active;
  }
  std::string standing_reason(const PartnerCode&) const override { return "key compromise (exercise)"; }
  std::string partner_name(const PartnerCode& partner) const override { return partner.text(); }
  std::vector<AppId> connector_apps(const ConnectorId&, std::string_view, Instant) const override {
    return {AppId("cop"), AppId("tides")};
  }
};

std::vector<coalition::Person> said;  // a statement is a place in here

struct TestStatements final : Statements {
  uint64_t sent = 0, seen = 0;
  std::map<uint64_t, std::string> kept{};
  Result<Issued> issue(const PartnerCode&, const coalition::AppRef& app, const coalition::Person& who,
                       const coalition::Facts&, Instant) override {
    said.push_back(who);
    ++sent;
    kept[sent] = fmt::format("{} {} {}", sent, said.size() - 1, app.app.text());
    return Issued{kept[sent], sent, std::nullopt};
  }
  std::vector<std::string> resend(const PartnerCode&, uint64_t from, uint64_t to) override {
    std::vector<std::string> again;
    const bool begins = !kept.empty() && kept.begin()->second.starts_with("reset");
    if (kept.empty() || (kept.begin()->first > from && !begins)) return again;
    for (const auto& [number, text] : kept)
      if ((number >= from || begins) && number <= to) again.push_back(text);
    return again;
  }
  Result<Issued> reset(const PartnerCode&, Instant) override {
    kept.clear();
    ++sent;
    kept[sent] = fmt::format("reset {}", sent);
    return Issued{kept[sent], sent, coalition::Record{"sent/XAA", Json(sent)}};
  }
  Result<Vouched> verify(const PartnerCode&, std::string_view text, Instant) override {
    if (text.starts_with("reset ")) {
      const uint64_t jump = std::stoull(std::string(text.substr(6)));
      if (jump <= seen) return fail("identity.statement-seen", "the statement was seen before");
      seen = jump;
      Vouched reset;
      reset.reset = true;
      reset.remember = coalition::Record{"seq/XBB", Json(jump)};
      return reset;
    }
    const size_t first = text.find(' '), second = text.rfind(' ');
    const uint64_t number = std::stoull(std::string(text.substr(0, first)));
    if (number > seen + 1) return fail(std::string(kStatementGap), "statements are missing");
    if (number <= seen) return fail("identity.statement-seen", "the statement was seen before");
    seen = number;
    coalition::Person who = said.at(std::stoull(std::string(text.substr(first + 1, second - first - 1))));
    return Vouched{
        who, {}, AppId(std::string(text.substr(second + 1))), coalition::Record{"seq/XBB", Json(number)}};
  }
  uint64_t expected(const PartnerCode&) const override { return seen + 1; }
};

struct TestNode {
  std::shared_ptr<TestRules> rules = std::make_shared<TestRules>();
  TestStatements statements;
  std::unique_ptr<Exchange> core;
  std::deque<SendControl> outbox;
  std::deque<uint64_t> writes;  // tokens not yet durable
  std::vector<Opened> opened;
  std::vector<Refused> refused;
  std::vector<Ended> ended;
  std::vector<Leaf> leaves;
  std::vector<FenceNoted> fences;
  std::vector<Alarm> alarms;

  explicit TestNode(const PartnerCode& code, Limits limits = {}) {
    rules->code = code;
    core = std::make_unique<Exchange>(
        rules, statements, [n = 0, code]() mutable { return fmt::format("{}-{}", code.text(), ++n); },
        Exchange::Options{.limits = limits, .defences = {}});
  }
  void take(Effects effects) {
    for (Effect& effect : effects) {
      if (auto* send = std::get_if<SendControl>(&effect)) outbox.push_back(*send);
      if (auto* commit = std::get_if<CommitEffect>(&effect)) {
        writes.push_back(commit->token);
        if (commit->leaf) leaves.push_back(*commit->leaf);
      }
      if (auto* append = std::get_if<AppendEffect>(&effect)) {
        writes.push_back(append->token);
        leaves.push_back(append->leaf);
      }
      if (auto* one = std::get_if<Opened>(&effect)) opened.push_back(*one);
      if (auto* one = std::get_if<Refused>(&effect)) refused.push_back(*one);
      if (auto* one = std::get_if<Ended>(&effect)) ended.push_back(*one);
      if (auto* one = std::get_if<FenceNoted>(&effect)) fences.push_back(*one);
      if (auto* one = std::get_if<Alarm>(&effect)) alarms.push_back(*one);
    }
  }
  size_t open_gates() const {
    size_t open = 0;
    for (const Session* s : core->sessions()) open += s->gate->passes() ? 1 : 0;
    return open;
  }
  size_t leaves_of(std::string_view kind) const {
    return static_cast<size_t>(
        std::ranges::count_if(leaves, [&](const Leaf& leaf) { return leaf.kind == kind; }));
  }
};

struct Pair {
  TestNode home, host;
  Moment at{from_unix_seconds(1'795'000'000), Tick(std::chrono::hours(5))};

  explicit Pair(Limits limits = {}) : home(kHome, limits), host(kHost, limits) {
    for (TestNode* node : {&home, &host}) {
      REQUIRE(node->core->connector_up(at, ConnectorId("one"), "tp"));
    }
    host.take(host.core->link_up(at, kHome, Way::serving));
    home.take(home.core->link_up(at, kHost, Way::asking));
    settle();
  }
  bool deliver(TestNode& from) {
    if (from.outbox.empty()) return false;
    const SendControl control = from.outbox.front();
    from.outbox.pop_front();
    TestNode& to = &from == &home ? host : home;
    to.take(to.core->received(at, from.rules->code, control.way == Way::asking ? Way::serving : Way::asking,
                              control.message));
    return true;
  }
  void write(TestNode& node) {
    while (!node.writes.empty()) {
      const uint64_t token = node.writes.front();
      node.writes.pop_front();
      node.take(node.core->durable(at, token));
    }
  }
  void talk() {
    while (deliver(home) || deliver(host)) {
    }
  }
  void settle() {
    for (int round = 0; round < 8; ++round) {
      talk();
      write(home);
      write(host);
    }
  }
  void pass(Millis by, bool connected = true) {
    for (Millis passed{0}; passed < by; passed += Millis(100)) {
      at.now += Millis(100);
      at.tick += Millis(100);
      for (TestNode* node : {&home, &host}) {
        node->core->connector_measured(at, ConnectorId("one"), std::chrono::microseconds(500));
        node->take(node->core->tick(at));
      }
      if (connected) settle();
    }
  }
  Opening opening(const coalition::AppRef& app, uint64_t number = 1, std::string role = "planner") const {
    Opening o;
    o.number = number;
    o.app = app;
    o.who = {PersonId("p" + std::to_string(number)),
             kHome,
             {{"role", {.value = std::move(role), .source = "idp", .end = at.now + std::chrono::hours(2)}}}};
    return o;
  }
  void open(const coalition::AppRef& app, uint64_t number = 1) {
    home.take(home.core->person_opens(at, opening(app, number)));
  }
  void admit(uint64_t number = 1) {
    open(kCop, number);
    settle();
    REQUIRE(home.open_gates() == number);
    REQUIRE(host.open_gates() == number);
  }
  // Decided and not durable: the same world for what is written, `change` for what acts. No change: lifted.
  void narrow(TestNode& node, const std::function<void(TestRules&)>& change) {
    std::shared_ptr<TestRules> acting;
    if (change) {
      acting = std::make_shared<TestRules>(*node.rules);
      ++acting->number;
      change(*acting);
    }
    coalition::Touch touch;
    touch.entities = {{"Entente::Partner", "XBB"}};
    node.take(node.core->world_published(at, node.rules, touch, acting));
  }
  void fence(TestNode& node) {
    narrow(node, [](TestRules& rules) { rules.suspended.insert(kHome); });
  }
  // The next world of a node, made by `change`; touches the partner's people.
  void publish(TestNode& node, const std::function<void(TestRules&)>& change, bool only_widens = false) {
    auto next = std::make_shared<TestRules>(*node.rules);
    ++next->number;
    change(*next);
    node.rules = next;
    coalition::Touch touch;
    touch.entities = {{"Entente::Partner", "XBB"}};
    touch.only_widens = only_widens;
    node.take(node.core->world_published(at, next, touch));
  }
};

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
  CHECK(pair.host.core->session_for(kHome, pair.home.opened[0].pass.at_host) != nullptr);
  CHECK(pair.host.core->session_for(kHost, pair.home.opened[0].pass.at_host) == nullptr);  // not theirs
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
  for (const Pass& stream : streams) CHECK(stream.gate->word() == Gate::kCut);
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

  // Resuming restores nothing by itself.
  pair.publish(pair.host, [](TestRules& rules) { rules.suspended.clear(); });
  pair.pass(Millis(2'000));
  CHECK_FALSE(pair.host.core->fenced(kHome));
  CHECK(pair.host.core->sessions().empty());
  pair.open(kCop, 3);
  pair.settle();
  CHECK(pair.host.open_gates() == 1);
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
  reconnect();
  CHECK(pair.host.open_gates() == 2);
  CHECK(pair.home.open_gates() == 2);
}

TEST_CASE("facts replaced at home reach the host, which asks again") {
  Pair pair;
  pair.admit();
  pair.publish(pair.host, [](TestRules& rules) { rules.denied_roles.insert("clerk"); });
  pair.settle();
  REQUIRE(pair.host.open_gates() == 1);
  const coalition::Facts clerk = pair.opening(kCop, 1, "clerk").who.facts;
  pair.home.take(pair.home.core->facts_replaced(pair.at, PersonId("p1"), clerk));
  CHECK(pair.home.open_gates() == 1);
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
}  // namespace entente::exchange
