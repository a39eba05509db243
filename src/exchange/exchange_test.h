// Two cores, hand to hand: every message, every write to a disk and every tick happens when the test says so.
#pragma once

#include "exchange/exchange.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include <doctest/doctest.h>
#include <fmt/core.h>

namespace entente::exchange::testing {

inline const PartnerCode kHome("XBB"), kHost("XAA");
inline const coalition::AppRef kCop{kHost, AppId("cop")};
inline const coalition::AppRef kOwn{kHome, AppId("tides")};

struct TestRules final : Rules {
  PartnerCode code;
  uint64_t number = 1;
  std::set<PartnerCode> suspended{};
  Standing shut_as = Standing::suspended;  // and why
  std::string reason = "key compromise (exercise)";
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
    return suspended.contains(partner) ? shut_as : Standing::active;
  }
  std::string standing_reason(const PartnerCode&) const override { return reason; }
  std::string partner_name(const PartnerCode& partner) const override { return partner.text(); }
  Instant connectors_end = kNever;
  std::vector<AppId> connector_apps(const ConnectorId&, std::string_view, Instant now) const override {
    if (now >= connectors_end) return {};
    return {AppId("cop"), AppId("tides")};
  }
};

inline std::vector<coalition::Person> said;  // a statement is a place in here

struct TestStatements final : Statements {
  uint64_t sent = 0, seen = 0;
  std::string refuses{};  // a code, with which nothing is issued
  std::map<uint64_t, std::string> kept{};
  Result<Issued> issue(const PartnerCode&, const coalition::AppRef& app, const coalition::Person& who,
                       const coalition::Facts&, Instant) override {
    if (!refuses.empty()) return fail(refuses, "words for people");
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
  std::vector<PartnerCode> welcomed;
  std::vector<ConnectorId> dropped;
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
      if (auto* one = std::get_if<Welcomed>(&effect)) welcomed.push_back(one->partner);
      if (auto* one = std::get_if<ConnectorDropped>(&effect)) dropped.push_back(one->connector);
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

  explicit Pair(Limits limits = {}) : Pair(limits, limits) {}
  Pair(Limits of_home, Limits of_host) : home(kHome, of_home), host(kHost, of_host) {
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

}  // namespace entente::exchange::testing
