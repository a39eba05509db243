// Rights that somebody lent, and what becomes of them.
#include "exchange/access_desk_for_test.h"

namespace entente::exchange {

using namespace office;

namespace {

TEST_CASE("what somebody lent ends when they sign in without the right") {
  Office office("XAA");
  const Acting officer = office.person("o1", "XAA", "officer");
  REQUIRE(office.loop.run_until(office.desk.delegate(officer, AppId("charts"), PersonId("o2"), 60)));
  office.loop.run_until(office.desk.arrived(officer));
  office.loop.run_until(office.desk.arrived(office.person("o2", "XAA", "planner")));
  CHECK(office.book.world.delegations().size() == 1);
  office.loop.run_until(office.desk.arrived(office.person("o1", "XAA", "planner")));
  CHECK(office.book.world.delegations().empty());
}

TEST_CASE("what somebody lent goes by who they were when they signed in last") {
  Office office("XAA");
  const std::string lent = std::string(kPolicies) + R"(
@id("lent") permit (principal, action == Entente::Action::"approve", resource)
  when { context has delegation };)";
  office.book.commit({.ops = {{"policy/host/charts", text_record(lent)}}}, [](const Result<void>&) {});
  office.settle();
  office.told("XBB", "request", "r1", "p1");
  const auto at = [&](std::chrono::hours ago) {
    Acting officer = office.person("o1", "XAA", "officer");
    const Instant then = office.clock.now() - ago;
    officer.who.facts["signed_in_at"] = {then.time_since_epoch().count(), "idp",
                                         then + std::chrono::hours(8)};
    for (auto& [name, fact] : officer.who.facts) fact.end = then + std::chrono::hours(8);
    return officer;
  };
  REQUIRE(office.loop.run_until(
      office.desk.delegate(at(std::chrono::hours(1)), AppId("charts"), PersonId("o2"), 30 * 24 * 60)));
  const Acting deputy = office.person("o2", "XAA", "planner");
  CHECK(office.to_answer(deputy).size() == 1);
  office.clock.instant += std::chrono::hours(72);  // the request is a new one by then
  office.board.world_published(rules_of(office.book.world), {});
  office.told("XBB", "request", "r2", "p2");
  const Acting later = office.person("o2", "XAA", "planner");
  CHECK(office.to_answer(later).empty());
  const auto refused = office.approve(later, "r2");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == "access.refused");
  CHECK(refused.error().what().find("has not signed in here for three days") != std::string::npos);
  office.loop.run_until(office.desk.arrived(at(std::chrono::hours(0))));
  CHECK(office.to_answer(later).size() == 1);
  CHECK(office.approve(later, "r2"));
}

}  // namespace
}  // namespace entente::exchange
