// What the desk makes of a clock that was wrong, and of people who sign out while it writes.
#include "exchange/access_desk_for_test.h"

#include <algorithm>

namespace entente::exchange {

using namespace office;
using std::chrono::hours;

namespace {

// Has them asked, and the clock at `leap` past what it is.
Instant leap(Office& office, std::chrono::hours by) {
  office.clock.instant += by;
  office.board.world_published(rules_of(office.book.world), {});
  const Instant seen = office.board.now();
  office.clock.instant -= by;
  office.board.world_published(rules_of(office.book.world), {});
  return seen;
}

void put_right(Office& office, Instant seen) {
  AccessDesk::Closing closing = office.desk.clock_closing(seen, office.clock.now());
  office.book.commit({.ops = closing.records}, [](const Result<void>&) {});
  office.settle();
  office.desk.put_right(closing);
  office.settle();
}

TEST_CASE(
    "attack: a grant, a request and a delegation that ended while the clock was ahead do not begin again") {
  Office office("XAA");
  const Acting officer = office.person("o1", "XAA", "officer");
  office.told("XBB", "request", "r1", "p1");
  REQUIRE(office.approve(officer, "r1"));
  office.told("XBB", "request", "r2", "p2");
  const PersonId other("p" + std::string(42, 'A'));
  const auto lent = office.loop.run_until(office.desk.delegate(officer, AppId("charts"), other, 120));
  REQUIRE_MESSAGE(lent, lent.error().text());
  SUBCASE("a day: all of it was over") {
    put_right(office, leap(office, hours(25)));
    CHECK(office.book.world.grants().empty());
    CHECK(office.book.world.delegations().empty());
    CHECK(office.request("r1")->state == RequestState::revoked);
    CHECK(office.request("r2")->state == RequestState::denied);
    CHECK_FALSE(office.approve(officer, "r2"));
  }
  SUBCASE("a few minutes: nothing was") {
    office.clock.instant += std::chrono::minutes(5);
    office.board.world_published(rules_of(office.book.world), {});
    const Instant seen = office.board.now();
    office.clock.instant -= std::chrono::minutes(5);
    put_right(office, seen);
    CHECK(office.book.world.grants().size() == 1);
    CHECK(office.book.world.delegations().size() == 1);
    CHECK(office.request("r2")->state == RequestState::open);
  }
}

TEST_CASE("attack: what was given while the clock was ahead does not wait for its time to come") {
  Office office("XAA");
  office.clock.instant += hours(24);
  office.board.world_published(rules_of(office.book.world), {});
  const Instant seen = office.board.now();
  office.told("XBB", "request", "r1", "p1");
  REQUIRE(office.approve(office.person("o1", "XAA", "officer"), "r1"));
  office.told("XBB", "request", "r2", "p2");
  office.clock.instant -= hours(24);
  put_right(office, seen);
  CHECK(office.book.world.grants().empty());
  CHECK(office.request("r1")->state == RequestState::revoked);
  CHECK(office.request("r2")->state == RequestState::denied);
}

TEST_CASE("attack: an approval from before the clock was put right counts no more with a later one") {
  Office office("XAA");
  office.book.commit({.ops = {rules("clerk")}}, [](const Result<void>&) {});
  office.told("XBB", "request", "r1", "p1");
  REQUIRE(office.approve(office.person("c1", "XAA", "clerk"), "r1"));
  put_right(office, office.clock.now() + hours(1));
  const auto second = office.approve(office.person("o1", "XAA", "officer"), "r1");
  REQUIRE_MESSAGE(second, second.error().text());
  CHECK(second->state == RequestState::open);
}

Result<RequestId> ask(Office& office, const Acting& person) {
  AccessDesk::Wish wish;
  wish.app = {PartnerCode("XAA"), AppId("charts")};
  wish.purpose = "charts";
  wish.minutes = 30;
  return office.loop.run_until(office.desk.ask(person, wish));
}

TEST_CASE("attack: a request of somebody who signs out while it is written is vouched for no more") {
  Office office("XBB");
  const Acting planner = office.person("p1", "XBB", "planner");
  office.book.meanwhile = [&] { office.desk.forget(PersonId("p1")); };
  REQUIRE(ask(office, planner));
  CHECK(office.desk.remembered() == 0);
  CHECK(office.request(office.desk.asked_by(PersonId("p1")).front().id.text().c_str()) != nullptr);
  office.desk.signed_in(planner);  // they do it again themselves
  CHECK(office.desk.remembered() == 1);
}

TEST_CASE(
    "attack: an approval of somebody who signs out while it is written counts no more with a later one") {
  Office office("XAA");
  office.book.commit({.ops = {rules("clerk")}}, [](const Result<void>&) {});
  office.told("XBB", "request", "r1", "p1");
  office.book.meanwhile = [&] { office.desk.forget(PersonId("c1")); };
  REQUIRE(office.approve(office.person("c1", "XAA", "clerk"), "r1"));
  office.settle();
  const auto second = office.approve(office.person("o1", "XAA", "officer"), "r1");
  REQUIRE_MESSAGE(second, second.error().text());
  CHECK(second->state == RequestState::open);
}

TEST_CASE(
    "a delegation ends whatever the disk says, by whoever lent it or answers by it; attack: by nobody else") {
  Office office("XAA");
  const Acting officer = office.person("o1", "XAA", "officer");
  const PersonId other("p" + std::string(42, 'A'));
  const auto lent = office.loop.run_until(office.desk.delegate(officer, AppId("charts"), other, 120));
  REQUIRE_MESSAGE(lent, lent.error().text());
  CHECK_FALSE(office.book.narrowed);
  CHECK(office.desk.delegation_end(office.person("o2", "XAA", "officer"), *lent).error().code() ==
        "access.unknown");
  CHECK(office.desk.delegation_end(office.person("o1", "XBB", "officer"), *lent).error().code() ==
        "access.unknown");
  Acting by = officer;
  SUBCASE("who lent it") {}
  SUBCASE("who answers by it") {
    by = office.person(other.text().c_str(), "XAA", "planner");
  }
  REQUIRE(office.loop.run_until(office.desk.end_delegation(by, *lent)));
  CHECK(office.book.narrowed);
  CHECK(office.book.world.delegations().empty());
}

TEST_CASE("what is kept beside requests goes when they go, however they do") {
  Office office("XBB");
  const Acting planner = office.person("p1", "XBB", "planner");
  for (int i = 0; i < 10; ++i) {
    const Result<RequestId> asked = ask(office, planner);
    REQUIRE_MESSAGE(asked, asked.error().text());
    Heard heard;
    heard.partner = PartnerCode("XAA");
    heard.way = Way::asking;
    heard.told = {
        "state",
        *asked,
        Json::object({{"state", "open"}, {"minutes", 30}, {"approvals", 0}, {"approvals_needed", 1}}),
        {}};
    office.desk.heard(heard);
    office.settle();
    const coalition::Record gone{"asked/XAA/" + asked->text(), std::nullopt};
    office.book.commit({.ops = {gone}}, [](const Result<void>&) {});
    office.settle();
    REQUIRE(office.request(asked->text().c_str()) == nullptr);
  }
  office.desk.sweep();
  CHECK(office.desk.remembered() == 0);
}

TEST_CASE("a reminder is remembered for as long as its request waits") {
  Office office("XAA");
  office.told("XBB", "request", "r1", "p1");
  office.clock.instant += AccessDesk::kRequestLife / 2;
  office.board.world_published(rules_of(office.book.world), {});
  office.desk.sweep();
  CHECK(office.desk.remembered() == 1);
  office.told("XBB", "withdraw", "r1");
  office.desk.sweep();
  CHECK(office.desk.remembered() == 0);
}

}  // namespace
}  // namespace entente::exchange
