#include "exchange/pass_memo.h"

#include "exchange/lane.h"
#include "exchange/statements_for_test.h"

#include <doctest/doctest.h>

namespace entente::exchange {
namespace {

Instant at(int64_t ms) {
  return from_unix_seconds(1'800'000'000) + Millis(ms);
}

std::optional<coalition::HttpFacts> http(std::string method, std::string path) {
  return coalition::HttpFacts{std::move(method), std::move(path)};
}

std::shared_ptr<coalition::Verdict> permit(uint64_t revision, Instant until, bool any_request = false) {
  auto out = std::make_shared<coalition::Verdict>();
  out->permit = true;
  out->revision = {revision};
  out->valid_until = until;
  out->any_request = any_request;
  return out;
}

// The clock of a test.
struct Hands final : Clock {
  Instant wall = at(0);
  Instant now() const override { return wall; }
  Tick tick() const override { return Tick(std::chrono::seconds(1'000)); }
};

struct Paper final : Archive {
  std::vector<Leaf> leaves;
  void commit(Write, Done) override {}
  void append(Leaf leaf, bool, Done) override { leaves.push_back(std::move(leaf)); }
};

// A world whose policy lets everybody read and nobody post under /admin; closed, it lets nobody do anything.
struct AdminRules final : Rules {
  PartnerCode code{"XAA"};
  uint64_t number = 1;
  bool closed = false;
  Instant until = kNever;
  mutable int asked = 0;
  Revision revision() const override { return {number}; }
  const PartnerCode& self() const override { return code; }
  coalition::Verdict decide(const coalition::Ask& ask) const override {
    ++asked;
    coalition::Verdict verdict;
    verdict.id = ask.id;
    const bool changes = ask.http && ask.http->method == "POST" && ask.http->path.starts_with("/admin");
    verdict.permit = !closed && !changes && ask.now < until && !ask.who.facts.contains("barred");
    verdict.refusal = verdict.permit ? coalition::Refusal::none : coalition::Refusal::denied;
    verdict.revision = {number};
    verdict.valid_until = until;
    return verdict;
  }
  Standing standing(const PartnerCode&) const override { return Standing::active; }
  std::string standing_reason(const PartnerCode&) const override { return {}; }
  std::string partner_name(const PartnerCode& partner) const override { return partner.text(); }
  std::vector<AppId> connector_apps(const ConnectorId&, std::string_view, Instant) const override {
    return {};
  }
};

struct Bench {
  net::Loop loop;
  Hands clock;
  Paper paper;
  testing::NoStatements statements;
  std::shared_ptr<AdminRules> rules = std::make_shared<AdminRules>();
  Switchboard board{loop, clock, paper, statements, rules};
  Lane lane{loop, 0, clock, board};
  Pass pass;

  Bench() {
    pass.app = {PartnerCode("XAA"), AppId("cop")};
    pass.memo = std::make_shared<PassMemo>();
    tick();
  }
  void tick() { board.world_published(rules, {}); }  // takes the clock's time over
  bool allowed(std::string method, std::string path) {
    return lane.decide_request(pass, http(std::move(method), std::move(path)))->permit;
  }
};

}  // namespace

TEST_CASE("a verdict serves the same request again, and no other one") {
  PassMemo memo;
  memo.keep(permit(1, at(100)), http("GET", "/admin"), at(0));
  CHECK(memo.verdict({1}, http("GET", "/admin"), at(99)) != nullptr);
  CHECK(memo.verdict({1}, http("POST", "/admin"), at(1)) == nullptr);
  CHECK(memo.verdict({1}, http("GET", "/admin/"), at(1)) == nullptr);
  CHECK(memo.verdict({1}, std::nullopt, at(1)) == nullptr);
  CHECK(memo.verdict({2}, http("GET", "/admin"), at(1)) == nullptr);    // another world
  CHECK(memo.verdict({1}, http("GET", "/admin"), at(100)) == nullptr);  // its time is over
  CHECK(memo.verdict({1}, http("GET", "/admin"), at(-1)) == nullptr);   // a clock set back
}

TEST_CASE("a verdict that no policy could tie to the request serves every request") {
  PassMemo memo;
  memo.keep(permit(1, at(100), true), http("GET", "/"), at(0));
  CHECK(memo.verdict({1}, http("POST", "/admin"), at(1)) != nullptr);
  CHECK(memo.verdict({1}, std::nullopt, at(1)) == nullptr);  // opaque bytes are no request
  CHECK(memo.verdict({2}, http("GET", "/"), at(1)) == nullptr);
}

TEST_CASE("a memo is bounded: many paths push the oldest out, and long ones are not kept") {
  PassMemo memo;
  for (size_t i = 0; i <= PassMemo::kVerdictsKept; ++i)
    memo.keep(permit(1, kNever), http("GET", "/" + std::to_string(i)), at(0));
  CHECK(memo.verdict({1}, http("GET", "/0"), at(1)) == nullptr);
  CHECK(memo.verdict({1}, http("GET", "/1"), at(1)) != nullptr);
  const std::string lengthy = "/" + std::string(PassMemo::kPathBytesMax, 'x');
  memo.keep(permit(1, kNever), http("GET", lengthy), at(0));
  CHECK(memo.verdict({1}, http("GET", lengthy), at(1)) == nullptr);
}

TEST_CASE("a refusal is never kept") {
  PassMemo memo;
  auto no = permit(1, kNever, true);
  no->permit = false;
  memo.keep(no, http("GET", "/"), at(0));
  CHECK(memo.verdict({1}, http("GET", "/"), at(0)) == nullptr);
}

TEST_CASE("an assertion goes out again only for its connector, under its world, in its time") {
  PassMemo memo;
  const ConnectorId one("cop-1"), two("cop-2");
  memo.keep({"jws", at(15'000)}, {1}, one, at(0));
  REQUIRE(memo.assertion({1}, one, at(14'999)) != nullptr);
  CHECK(*memo.assertion({1}, one, at(0)) == "jws");
  CHECK(memo.assertion({1}, one, at(15'000)) == nullptr);
  CHECK(memo.assertion({1}, one, at(-1)) == nullptr);
  CHECK(memo.assertion({1}, two, at(1)) == nullptr);
  CHECK(memo.assertion({2}, one, at(1)) == nullptr);
  memo.keep({"single use", at(1)}, {1}, two, at(1));  // an app that wants one for each request
  CHECK(memo.assertion({1}, two, at(1)) == nullptr);
}

TEST_CASE("attack: what was permitted to be read is not thereby permitted to be written") {
  Bench bench;
  CHECK(bench.allowed("GET", "/admin"));
  CHECK(bench.allowed("GET", "/admin"));
  CHECK(bench.rules->asked == 1);
  CHECK_FALSE(bench.allowed("POST", "/admin"));
  CHECK_FALSE(bench.allowed("POST", "/admin/users"));
  CHECK(bench.allowed("POST", "/notes"));
  CHECK(bench.paper.leaves.size() == 2);
}

TEST_CASE("attack: a request right after the world changed is decided under the new one") {
  Bench bench;
  CHECK(bench.allowed("GET", "/"));
  auto next = std::make_shared<AdminRules>();
  next->number = 2;
  next->closed = true;
  bench.rules = next;
  bench.tick();
  CHECK_FALSE(bench.allowed("GET", "/"));
}

TEST_CASE("attack: a permit does not outlive the instant at which it ends") {
  Bench bench;
  bench.rules->until = at(1'000);
  CHECK(bench.allowed("GET", "/"));
  bench.clock.wall = at(1'000);
  bench.tick();
  CHECK_FALSE(bench.allowed("GET", "/"));
}

TEST_CASE("attack: new facts about a person are not met with an old verdict") {
  Bench bench;
  CHECK(bench.allowed("GET", "/"));
  Session changed;
  changed.app = bench.pass.app;
  changed.who.facts["barred"] = {true, "idp", kNever};
  bench.pass = pass_of(changed);
  CHECK_FALSE(bench.allowed("GET", "/"));
}

}  // namespace entente::exchange
