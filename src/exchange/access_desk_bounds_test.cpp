// The desk where very much is asked of it: what is bounded, and for whom.
#include "exchange/access_desk_for_test.h"

namespace entente::exchange {

using namespace office;

namespace {

TEST_CASE("attack: requests are bounded for a person and for a partner, and odd ones are refused whole") {
  Office office("XAA");
  for (int i = 0; i < 20; ++i) office.told("XBB", "request", fmt::format("r{}", i).c_str(), "p1");
  CHECK(office.book.world.requests().size() == AccessDesk::kOpenPerPersonMax);
  for (Json body :
       {Json::object({{"purpose", ""}, {"minutes", 5}}), Json::object({{"purpose", " "}, {"minutes", 5}}),
        Json::object({{"purpose", "\u00a0 \u200b"}, {"minutes", 5}}), Json::object({{"purpose", "x"}}),
        Json::object({{"purpose", "x"}, {"minutes", 0}}),
        Json::object({{"purpose", "x"}, {"minutes", 5}, {"grant", true}}),
        Json::object({{"purpose", "x"},
                      {"minutes", 5},
                      {"scope", Json::object({{"paths", Json::array({"../up"})}})}})}) {
    office.told("XBB", "request", "odd", "p2", std::move(body));
    CHECK(office.request("odd") == nullptr);
  }
}

TEST_CASE("attack: pressed many times at one moment, it is asked once; in other words, it is refused") {
  Office office("XBB");
  const Acting planner = office.person("p1", "XBB", "planner");
  const coalition::AppRef charts{PartnerCode("XAA"), AppId("charts")};
  office.book.slow = true;
  std::vector<Result<RequestId>> answers;
  const auto press = [](Office& where, Acting who, AccessDesk::Wish wish,
                        std::vector<Result<RequestId>>& into) -> net::Task<void> {
    into.push_back(co_await where.desk.ask(std::move(who), std::move(wish)));
  };
  for (int i = 0; i < 5; ++i) office.loop.spawn(press(office, planner, {charts, "charts", 30, {}}, answers));
  for (int i = 0; i < 8; ++i) office.settle();
  REQUIRE(answers.size() == 5);
  for (const Result<RequestId>& one : answers) CHECK(one == answers.front());
  CHECK(office.desk.asked_by(PersonId("p1")).size() == 1);
  for (const AccessDesk::Wish& wish :
       {AccessDesk::Wish{charts, "other charts", 30, {}}, {charts, "charts", 10, {}}}) {
    const Result<RequestId> other = office.loop.run_until(office.desk.ask(planner, wish));
    REQUIRE_FALSE(other);
    CHECK(other.error().code() == "access.waits");
  }
}

TEST_CASE("attack: asking and withdrawing in turn leaves nothing, and what is kept is bounded") {
  Office office("XAA");
  for (int i = 0; i < 100; ++i) {
    const std::string id = fmt::format("r{}", i);
    office.told("XBB", "request", id.c_str(), "p1");
    office.told("XBB", "withdraw", id.c_str());
  }
  CHECK(office.book.world.requests().empty());
  for (int i = 0; i < 60; ++i) {
    const std::string id = fmt::format("d{}", i);
    office.told("XBB", "request", id.c_str(), "p1");
    const RequestId which(id);
    const AccessDesk::Said said{mark_of(office.book.world, *office.request(id.c_str())), "no"};
    REQUIRE(office.loop.run_until(office.desk.deny(office.person("o1", "XAA", "officer"), which, said)));
  }
  CHECK(office.book.world.requests().size() == AccessDesk::kKeptPerPersonMax);
}

// Records as if that many had asked before.
std::vector<coalition::Record> many(Office& office, const char* partner, const char* owner, size_t count,
                                    Seconds ago) {
  std::vector<coalition::Record> out;
  for (size_t i = 0; i < count; ++i) {
    coalition::AccessRequest one;
    one.id = RequestId(fmt::format("many{}", i));
    one.partner = PartnerCode(partner);
    one.person = PersonId(fmt::format("m{}", i));
    one.owner = PartnerCode(owner);
    one.app = AppId("charts");
    one.purpose = "charts";
    one.minutes = 30;
    one.asked = office.clock.now() - ago;
    one.end = one.asked + AccessDesk::kRequestLife;
    out.push_back({record_key(one, office.book.world.self()), to_json(one)});
  }
  return out;
}

TEST_CASE("attack: what all people of a nation ask together is bounded, at home and at the owner") {
  const coalition::AppRef charts{PartnerCode("XAA"), AppId("charts")};
  SUBCASE("at home, of one owner: what they asked of another is no matter") {
    Office office("XBB");
    size_t there = AccessDesk::kKeptPerPartnerMax;
    bool crowded = true;
    SUBCASE("full") {}
    SUBCASE("one short of it") {
      --there;
      crowded = false;
    }
    office.book.commit({.ops = many(office, "XBB", "XAA", there, Seconds(60))}, [](const Result<void>&) {});
    const Acting planner = office.person("p1", "XBB", "planner");
    const auto asked = office.loop.run_until(office.desk.ask(planner, {charts, "charts", 30, {}}));
    REQUIRE(asked.has_value() == !crowded);
    if (crowded) CHECK(asked.error().code() == "access.crowded");
    CHECK(office.book.world.asked().size() == AccessDesk::kKeptPerPartnerMax);
  }
  SUBCASE("at the owner") {
    Office office("XAA");
    auto before = many(office, "XBB", "XAA", AccessDesk::kOpenPerPartnerMax - 1, Seconds(60));
    office.book.commit({.ops = std::move(before)}, [](const Result<void>&) {});
    office.told("XBB", "request", "r1", "p1");
    CHECK(office.request("r1") != nullptr);
    office.told("XBB", "request", "r2", "p2");
    CHECK(office.request("r2") == nullptr);
    office.told("XCC", "request", "r3", "p3");
    CHECK(office.request("r3") != nullptr);
    // Out of time they wait for nobody.
    office.clock.instant += AccessDesk::kRequestLife;
    office.board.world_published(rules_of(office.book.world), {});
    office.told("XBB", "request", "r4", "p4");
    CHECK(office.request("r4") != nullptr);
  }
}

TEST_CASE("of very many that wait the oldest are shown to whoever may answer them") {
  Office office("XAA");
  for (const auto& [partner, ago] : {std::pair{"XBB", 60}, std::pair{"XCC", 120}}) {
    auto before = many(office, partner, "XAA", AccessDesk::kShownMax - 10, Seconds(ago));
    for (coalition::Record& one : before) one.key += partner;
    office.book.commit({.ops = std::move(before)}, [](const Result<void>&) {});
    office.settle();
  }
  const auto shown = office.to_answer(office.person("o1", "XAA", "officer"));
  REQUIRE(shown.size() == AccessDesk::kShownMax);
  CHECK(std::ranges::is_sorted(shown, {}, [](const coalition::AccessRequest& one) { return one.asked; }));
  CHECK(std::ranges::count(shown, PartnerCode("XBB"), &coalition::AccessRequest::partner) == 10);
  CHECK(office.to_answer(office.person("p9", "XAA", "planner")).empty());
}

TEST_CASE(
    "attack: however much waits, a first page decides about a slice of it, and says that there is more") {
  Office office("XAA");
  office.book.commit({.ops = many(office, "XBB", "XAA", 500, Seconds(60))}, [](const Result<void>&) {});
  office.settle();
  const Acting officer = office.person("o1", "XAA", "officer");
  const auto some = office.loop.run_until(office.desk.to_answer(officer, AccessDesk::kDecidedAtOnce));
  CHECK(some.requests.size() == AccessDesk::kDecidedAtOnce);
  CHECK(some.more);
  const auto all = office.loop.run_until(office.desk.to_answer(officer));
  CHECK(all.requests.size() == AccessDesk::kShownMax);
  CHECK(all.more);
  // Out of time, none of them is looked at.
  office.clock.instant += AccessDesk::kRequestLife;
  office.board.world_published(rules_of(office.book.world), {});
  office.told("XBB", "request", "r1", "p1");
  const auto later = office.loop.run_until(
      office.desk.to_answer(office.person("o1", "XAA", "officer"), AccessDesk::kDecidedAtOnce));
  REQUIRE(later.requests.size() == 1);
  CHECK(later.requests.front().id.text() == "r1");
  CHECK_FALSE(later.more);
}

TEST_CASE("a sweep looks at some of what there is, and sweeps come to all of it") {
  Office office("XAA");
  const size_t count = AccessDesk::kSweptAtOnce + 100;
  const Seconds over = AccessDesk::kRequestLife + AccessDesk::kKeptAfterEnd + Seconds(60);
  office.book.commit({.ops = many(office, "XBB", "XAA", count, over)}, [](const Result<void>&) {});
  office.told("XCC", "request", "r1", "p1");
  for (size_t i = 0; i < count && office.book.world.requests().size() > 1; ++i) {
    office.desk.sweep();
    office.settle();
  }
  REQUIRE(office.book.world.requests().size() == 1);
  CHECK(office.request("r1") != nullptr);
}

}  // namespace
}  // namespace entente::exchange
