// A grant is good for as many admissions as it says, whatever is on its way to the disk at the same time.
#include "exchange/exchange_test.h"

namespace entente::exchange::testing {
namespace {

// Planners are in by a grant alone; used up, it admits nobody, but whoever was counted stays.
struct GrantRules final : Rules {
  TestRules base;
  coalition::Grant given{};
  Revision revision() const override { return base.revision(); }
  const PartnerCode& self() const override { return base.self(); }
  coalition::Verdict decide(const coalition::Ask& ask) const override {
    coalition::Verdict verdict = base.decide(ask);
    const bool counted = ask.entered_by == given.id;
    if (verdict.permit && !counted && given.used >= given.count) verdict.permit = false;
    if (verdict.permit) verdict.grant = given.id;
    return verdict;
  }
  std::optional<coalition::Grant> grant(const coalition::Person&, const AppId&,
                                        const RequestId& id) const override {
    return id == given.id ? std::optional(given) : std::nullopt;
  }
  Standing standing(const PartnerCode& partner) const override { return base.standing(partner); }
  std::string standing_reason(const PartnerCode&) const override { return {}; }
  std::string partner_name(const PartnerCode& partner) const override { return partner.text(); }
  std::vector<AppId> connector_apps(const ConnectorId& id, std::string_view print,
                                    Instant now) const override {
    return base.connector_apps(id, print, now);
  }
};

struct Owner {
  std::shared_ptr<GrantRules> rules = std::make_shared<GrantRules>();
  TestStatements statements;
  std::unique_ptr<Exchange> core;
  Moment at{from_unix_seconds(1'795'000'000), Tick(std::chrono::hours(5))};
  std::deque<CommitEffect> commits;
  std::vector<Opened> opened;
  std::vector<Refused> refused;
  size_t ended = 0;
  uint64_t openings = 0;

  explicit Owner(int64_t count) {
    rules->base.code = kHost;
    rules->given.id = RequestId("r1");
    rules->given.partner = kHost;
    rules->given.app = kCop.app;
    rules->given.person = PersonId("p1");
    rules->given.count = count;
    rules->given.approved_by = {"p2"};
    core = std::make_unique<Exchange>(
        rules, statements, [n = 0]() mutable { return fmt::format("id-{}", ++n); },
        Exchange::Options{.limits = {}, .defences = {}});
    REQUIRE(core->connector_up(at, ConnectorId("one"), "tp"));
  }
  void take(Effects effects) {
    for (Effect& effect : effects) {
      if (auto* commit = std::get_if<CommitEffect>(&effect)) commits.push_back(*commit);
      if (auto* one = std::get_if<Opened>(&effect)) opened.push_back(*one);
      if (auto* one = std::get_if<Refused>(&effect)) refused.push_back(*one);
      if (std::holds_alternative<Ended>(effect)) ++ended;
    }
  }
  void open() {
    Opening opening;
    opening.number = ++openings;
    opening.app = kCop;
    opening.who = {
        PersonId("p1"),
        kHost,
        {{"role",
          {.value = std::string("planner"), .source = "idp", .end = at.now + std::chrono::hours(2)}}}};
    take(core->person_opens(at, std::move(opening)));
  }
  // The disk takes the oldest commit: the world that it makes, then its answer.
  void write() {
    const CommitEffect commit = commits.front();
    commits.pop_front();
    auto next = std::make_shared<GrantRules>(*rules);
    ++next->base.number;
    for (const coalition::Record& record : commit.ops)
      if (record.key.starts_with("grant/")) next->given.used = record.value->find("used")->integer();
    rules = next;
    coalition::Touch touch;
    touch.entities = {{"Entente::Partner", kHost.text()}};
    take(core->world_published(at, next, touch));
    take(core->durable(at, commit.token));
  }
  void refuse_write() {
    const CommitEffect commit = commits.front();
    commits.pop_front();
    take(core->failed(at, commit.token, Error{"store.full", "no space", {}, {}}));
  }
};

TEST_CASE("attack: many admissions at once use a grant no oftener than it says") {
  Owner owner(2);
  for (int i = 0; i < 5; ++i) owner.open();
  CHECK(owner.refused.size() == 3);
  REQUIRE(owner.commits.size() == 2);
  owner.write();
  owner.open();  // between the two
  CHECK(owner.refused.size() == 4);
  owner.write();
  CHECK(owner.opened.size() == 2);
  CHECK(owner.rules->given.used == 2);
  owner.open();
  CHECK(owner.refused.size() == 5);
  CHECK(owner.ended == 0);  // who is inside was counted, and stays
}

TEST_CASE("attack: a clock set back an hour does not give back what has ended, nor open it anew") {
  Owner owner(5);
  owner.rules->base.end = owner.at.now + std::chrono::minutes(30);
  owner.open();
  owner.write();
  REQUIRE(owner.opened.size() == 1);
  const auto pass = [&](std::chrono::minutes by) {
    owner.at.tick += by;
    owner.at.now += by;
    owner.take(owner.core->tick(owner.at));
  };
  SUBCASE("before its end") {
    owner.at.now -= std::chrono::hours(1);
    for (int i = 0; i < 31; ++i) pass(std::chrono::minutes(1));
  }
  SUBCASE("after its end") {
    for (int i = 0; i < 31; ++i) pass(std::chrono::minutes(1));
    owner.at.now -= std::chrono::hours(1);
    pass(std::chrono::minutes(1));
  }
  CHECK(owner.ended == 1);
  owner.open();
  CHECK(owner.commits.empty());
  CHECK(owner.refused.size() == 1);
}

TEST_CASE("a clock that stepped back and forth again is the wall's again, and each step is told once") {
  Owner owner(5);
  owner.take(owner.core->tick(owner.at));
  const Instant before = owner.at.now;
  size_t alarms = 0, behind = 0;
  const auto go = [&](Millis wall) {
    owner.at.tick += Seconds(1);
    owner.at.now += Seconds(1) + wall;
    for (const Effect& effect : owner.core->tick(owner.at)) {
      const auto* alarm = std::get_if<Alarm>(&effect);
      if (alarm != nullptr) ++(alarm->code == "exchange.clock-behind" ? behind : alarms);
    }
  };
  go(-std::chrono::hours(1));
  for (int i = 0; i < 5; ++i) go(Millis(0));
  CHECK(alarms == 1);
  CHECK(owner.core->now() == before + Seconds(6));
  go(std::chrono::hours(1));
  go(Millis(0));
  CHECK(alarms == 2);
  CHECK(owner.core->now() == owner.at.now);
  go(std::chrono::hours(1));
  CHECK(alarms == 3);
  CHECK(behind == 1);
  CHECK(owner.core->now() == owner.at.now);
}

// The grant is deleted on its way to the disk: the world that acts has it no more, the durable one still
// does.
TEST_CASE("attack: an admission after a grant was taken back does not write it again") {
  Owner owner(2);
  auto durable = std::make_shared<GrantRules>(*owner.rules);
  auto acting = std::make_shared<GrantRules>(*owner.rules);
  acting->given.id = RequestId("another");  // permits, too, by something else
  coalition::Touch touch;
  touch.entities = {{"Entente::Partner", kHost.text()}};
  owner.take(owner.core->world_published(owner.at, durable, touch, acting));
  owner.open();
  CHECK(owner.commits.empty());
  CHECK(owner.refused.size() == 1);
}

TEST_CASE("a count that the disk did not take is given back") {
  Owner owner(1);
  owner.open();
  owner.refuse_write();
  CHECK(owner.opened.empty());
  owner.open();
  REQUIRE(owner.commits.size() == 1);
  owner.write();
  CHECK(owner.opened.size() == 1);
  CHECK(owner.rules->given.used == 1);
}

}  // namespace
}  // namespace entente::exchange::testing
