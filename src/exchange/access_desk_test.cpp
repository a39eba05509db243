// The desk at an owner and at a home, told things by a node that may be hostile.
#include "exchange/access_desk_for_test.h"
#include "exchange/access_pages.h"

namespace entente::exchange {

using namespace office;

namespace {

TEST_CASE("a partner's request waits, is approved by an officer and becomes a grant on the owner's terms") {
  Office office("XAA");
  office.told("XBB", "request", "r1", "p1", Json::object({{"purpose", "charts"}, {"minutes", 600}}));
  REQUIRE(office.request("r1") != nullptr);
  CHECK(office.request("r1")->minutes == 60);  // cut down
  const Acting officer = office.person("o1", "XAA", "officer");
  CHECK(office.to_answer(officer).size() == 1);
  CHECK(office.to_answer(office.person("o2", "XAA", "planner")).empty());
  const auto granted = office.approve(officer, "r1");
  REQUIRE_MESSAGE(granted, granted.error().text());
  CHECK(granted->state == RequestState::granted);
  REQUIRE(office.book.world.grants().size() == 1);
  CHECK(office.book.world.grants()[0]->count == 1);
  CHECK(office.book.world.grants()[0]->end == office.clock.now() + std::chrono::minutes(60));
  CHECK(office.approve(officer, "r1").error().code() == "access.over");
}

TEST_CASE("attack: an approval of somebody who lost the right since counts no more when the last one comes") {
  Office office("XAA");
  office.book.commit({.ops = {rules("clerk")}}, [](const Result<void>&) {});
  office.told("XBB", "request", "r1", "p1");
  const Acting clerk = office.person("c1", "XAA", "clerk"), officer = office.person("o1", "XAA", "officer");
  const auto first = office.approve(clerk, "r1");
  REQUIRE_MESSAGE(first, first.error().text());
  CHECK(first->state == RequestState::open);
  RequestState becomes = RequestState::open;
  SUBCASE("who kept it counts") {
    becomes = RequestState::granted;
  }
  SUBCASE("clerks may not approve any more") {
    office.book.commit({.ops = {rules("nobody")}}, [](const Result<void>&) {});
  }
  SUBCASE("what was known of them has ended") {
    office.clock.instant += std::chrono::hours(5);
    office.book.commit({.ops = {rules("clerk")}}, [](const Result<void>&) {});
  }
  office.settle();
  const Acting now = office.person("o1", "XAA", "officer");
  const auto second = office.approve(now, "r1");
  REQUIRE_MESSAGE(second, second.error().text());
  CHECK(second->state == becomes);
  CHECK(office.book.world.grants().size() == (becomes == RequestState::granted ? 1 : 0));
  if (becomes == RequestState::granted) return;
  REQUIRE(second->approvals.size() == 1);
  CHECK(second->approvals.front().by == "o1");
  const auto third = office.approve(office.person("o2", "XAA", "officer"), "r1");
  REQUIRE_MESSAGE(third, third.error().text());
  CHECK(third->state == RequestState::granted);
}

TEST_CASE("an approval that counted counts after a restart, once, while its giver would be let give it") {
  coalition::Record kept;
  {
    Office before("XAA");
    before.book.commit({.ops = {rules("clerk")}}, [](const Result<void>&) {});
    before.told("XBB", "request", "r1", "p1");
    REQUIRE(before.approve(before.person("c1", "XAA", "clerk"), "r1"));
    const coalition::AccessRequest& request = *before.request("r1");
    kept = {record_key(request, request.owner), to_json(request)};
  }
  Office office("XAA");  // it knows what the store kept, and nothing else
  office.book.commit({.ops = {rules("clerk"), kept}}, [](const Result<void>&) {});
  RequestState becomes = RequestState::granted;
  SUBCASE("they may still") {}
  SUBCASE("clerks may not approve any more") {
    becomes = RequestState::open;
    office.book.commit({.ops = {rules("nobody")}}, [](const Result<void>&) {});
  }
  SUBCASE("they signed out since") {
    becomes = RequestState::open;
    office.desk.forget(PersonId("c1"));
  }
  office.settle();
  if (becomes == RequestState::granted) {
    const auto again = office.approve(office.person("c1", "XAA", "clerk"), "r1");
    REQUIRE_FALSE(again);
    CHECK(again.error().code() == "access.refused");
  }
  const auto second = office.approve(office.person("o1", "XAA", "officer"), "r1");
  REQUIRE_MESSAGE(second, second.error().text());
  CHECK(second->state == becomes);
  CHECK(office.book.world.grants().size() == (becomes == RequestState::granted ? 1 : 0));
  CHECK(second->approvals.size() == (becomes == RequestState::granted ? 2 : 1));
  // What was known of approvers is kept no longer than it is needed.
  const std::string left = to_json(*office.request("r1")).find("approvals")->dump();
  CHECK((left.find("clearance") == std::string::npos) == (becomes == RequestState::granted));
}

TEST_CASE("an operator's approval waits longer for the second one than their call took") {
  Office office("XAA");
  const Json lena = Json::object({{"uids", Json::array({1001})},
                                  {"display", "Lena"},
                                  {"roles", Json::array({"officer"})},
                                  {"person", "p-lena"},
                                  {"end", at(office.clock.now(), std::chrono::hours(240))}});
  office.book.commit({.ops = {rules("clerk"), {"operator/lena", lena}}}, [](const Result<void>&) {});
  office.told("XBB", "request", "r1", "p1");
  Acting by;
  by.who = {PersonId("operator/lena"), PartnerCode("XAA"), {}};
  const Instant soon = office.clock.now() + Seconds(60);
  by.context["risk"] = {int64_t{0}, "node", soon};
  by.context["network"] = {std::string("socket"), "node", soon};
  const auto first = office.approve(by, "r1");
  REQUIRE_MESSAGE(first, first.error().text());
  office.clock.instant += std::chrono::minutes(30);
  office.book.commit({.ops = {rules("clerk")}}, [](const Result<void>&) {});
  SUBCASE("an operator still") {}
  SUBCASE("no operator any more") {
    office.book.commit({.ops = {{"operator/lena", std::nullopt}}}, [](const Result<void>&) {});
  }
  office.settle();
  const bool still = office.book.world.operator_named(OperatorName("lena")) != nullptr;
  const auto second = office.approve(office.person("o1", "XAA", "officer"), "r1");
  REQUIRE_MESSAGE(second, second.error().text());
  CHECK(second->state == (still ? RequestState::granted : RequestState::open));
}

TEST_CASE("an operator lets somebody answer in the name of the person whom their record names") {
  Office office("XAA");
  const auto record = [&](Json person) {
    Json lena = Json::object({{"display", "Lena"},
                              {"roles", Json::array({"officer"})},
                              {"end", at(office.clock.now(), std::chrono::hours(240))}});
    if (person.is_string()) lena.set("person", std::move(person));
    office.book.commit({.ops = {{"operator/lena", lena}}}, [](const Result<void>&) {});
    office.settle();
  };
  Acting by;
  by.who = {PersonId("operator/lena"), PartnerCode("XAA"), {}};
  by.context = office.person("o1", "XAA", "officer").context;
  const AppId app("charts");
  const auto lend = [&](const char* to) {
    const PersonId whom(to);
    return office.loop.run_until(office.desk.delegate(by, app, whom, 60));
  };
  record({});
  CHECK(lend("o2").error().code() == "access.refused");  // in whose name?
  record("p-lena");
  CHECK(lend("p-lena").error().code() == "access.value");
  CHECK(lend("o 2/x").error().code() == "access.value");
  const auto lent = lend("o2");
  REQUIRE_MESSAGE(lent, lent.error().text());
  REQUIRE(office.book.world.delegations().size() == 1);
  CHECK(office.book.world.delegations()[0]->from.text() == "p-lena");
  // Others end nothing of theirs.
  Acting other = office.person("o9", "XAA", "planner");
  CHECK(office.loop.run_until(office.desk.end_delegation(other, *lent)).error().code() == "access.unknown");
  REQUIRE(office.loop.run_until(office.desk.end_delegation(by, *lent)));
  CHECK(office.book.world.delegations().empty());
}

TEST_CASE("a request told again says who somebody is now: approvers look again, and policies use it") {
  Office office("XAA");
  office.book.commit({.ops = {rules("clerk")}}, [](const Result<void>&) {});
  office.told("XBB", "request", "r1", "p1");
  const std::string read = mark_of(office.book.world, *office.request("r1"));
  const Acting officer = office.person("o1", "XAA", "officer");
  REQUIRE(office.approve(office.person("c1", "XAA", "clerk"), "r1"));
  // Told again, all the same: nothing is written, and approvals stand.
  const Revision revision = office.book.world.revision();
  office.told("XBB", "request", "r1", "p1");
  CHECK(office.book.world.revision() == revision);
  // Attack: another person's facts, or another nation's, are not theirs.
  office.told("XBB", "request", "r1", "p2", {}, "clerk");
  office.told("XCC", "request", "r1", "p1", {}, "clerk");
  CHECK(office.book.world.revision() == revision);
  REQUIRE(office.request("r1")->approvals.size() == 1);

  office.told("XBB", "request", "r1", "p1", {}, "clerk");
  CHECK(office.request("r1")->approvals.empty());
  CHECK(office.approve_read(officer, "r1", read).error().code() == "access.changed");
  const auto refused = office.approve(officer, "r1");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == "access.refused");
  CHECK(office.book.world.grants().empty());

  office.told("XBB", "request", "r1", "p1");
  REQUIRE(office.approve_read(officer, "r1", read));
  const auto granted = office.approve(office.person("o2", "XAA", "officer"), "r1");
  REQUIRE_MESSAGE(granted, granted.error().text());
  CHECK(granted->state == RequestState::granted);
  office.told("XBB", "request", "r1", "p1", {}, "clerk");  // answered: what they are counts when they come
  CHECK(office.request("r1")->state == RequestState::granted);
}

TEST_CASE("attack: a node speaks for its own people's requests only") {
  Office office("XAA");
  office.told("XBB", "request", "r1", "p1");
  // Another nation takes the id for its own, withdraws it, asks how it stands.
  office.told("XCC", "request", "r1", "p9");
  office.told("XCC", "withdraw", "r1");
  REQUIRE(office.request("r1") != nullptr);
  CHECK(office.request("r1")->partner.text() == "XBB");
  CHECK(office.request("r1")->person.text() == "p1");
  CHECK(office.request("r1")->state == RequestState::open);
  // The same nation, another person: the first keeps it.
  office.told("XBB", "request", "r1", "p2");
  CHECK(office.request("r1")->person.text() == "p1");
  // Without a statement there is no person, so no request.
  office.told("XBB", "request", "r2");
  CHECK(office.request("r2") == nullptr);
  office.told("XBB", "withdraw", "r1");
  CHECK(office.request("r1") == nullptr);  // nobody had answered it: nothing is left
}

TEST_CASE("attack: a withdrawn grant is gone, and a request that was told again does not bring it back") {
  Office office("XAA");
  office.told("XBB", "request", "r1", "p1");
  REQUIRE(office.approve(office.person("o1", "XAA", "officer"), "r1"));
  office.told("XBB", "request", "r1", "p1");
  CHECK(office.request("r1")->state == RequestState::granted);
  office.told("XBB", "withdraw", "r1");
  CHECK(office.book.world.grants().empty());
  office.told("XBB", "request", "r1", "p1");
  CHECK(office.request("r1")->state == RequestState::withdrawn);
  CHECK(office.approve(office.person("o1", "XAA", "officer"), "r1").error().code() == "access.over");
}

TEST_CASE("the end of a mission closes what is open or granted, and leaves no grant and no delegation") {
  Office office("XAA");
  office.told("XBB", "request", "r1", "p1");
  office.told("XBB", "request", "r2", "p2");
  const Acting officer = office.person("o1", "XAA", "officer");
  REQUIRE(office.approve(officer, "r1"));
  const AppId app("charts");
  const PersonId deputy("o2");
  REQUIRE(office.loop.run_until(office.desk.delegate(officer, app, deputy, 60)));
  CHECK(office.desk.closing(MissionId("another"), "It has ended.").records.empty());
  const AccessDesk::Closing closing = office.desk.closing(MissionId("harbor-light"), "It has ended.");
  const auto next = office.book.world.with(closing.records, Revision{office.book.world.revision().value + 1});
  REQUIRE_MESSAGE(next, next.error().text());
  office.book.world = next->world;
  office.desk.closed(closing);
  CHECK(office.book.world.grants().empty());
  CHECK(office.book.world.delegations().empty());
  CHECK(office.request("r1")->state == RequestState::revoked);
  CHECK_FALSE(office.request("r1")->granted_until);
  CHECK(office.request("r2")->state == RequestState::denied);
  CHECK(office.request("r2")->answer == "It has ended.");
  CHECK(office.desk.closing(MissionId("harbor-light"), "It has ended.").records.empty());
}

TEST_CASE("what a nation's people were given before it is let in again is gone, and nobody else's is") {
  Office office("XAA");
  office.told("XBB", "request", "r1", "p1");
  office.told("XBB", "request", "r2", "p2");
  const Acting officer = office.person("o1", "XAA", "officer");
  REQUIRE(office.approve(officer, "r1"));
  CHECK(office.desk.closing(PartnerCode("XCC"), "It ended.").records.empty());
  const AccessDesk::Closing closing = office.desk.closing(PartnerCode("XBB"), "It ended.");
  const auto next = office.book.world.with(closing.records, Revision{office.book.world.revision().value + 1});
  REQUIRE_MESSAGE(next, next.error().text());
  office.book.world = next->world;
  CHECK(office.book.world.grants().empty());
  CHECK(office.request("r1")->state == RequestState::revoked);
  CHECK(office.request("r1")->answer == "It ended.");
  CHECK(office.request("r2")->state == RequestState::open);  // it may still be answered
}

TEST_CASE("while a change is not durable, both worlds must permit, and no refusal outlives it") {
  Office office("XAA");
  const Acting asker = office.person("p1", "XBB", "planner");
  const auto with = [&](std::string_view policies) {
    const std::vector<coalition::Record> records{{"policy/host/charts", text_record(policies)}};
    const auto next = office.book.world.with(records, Revision{office.book.world.revision().value + 1});
    REQUIRE_MESSAGE(next, next.error().text());
    return rules_of(next->world);
  };
  coalition::Ask ask;
  ask.id = VerdictId("v1");
  ask.action = coalition::Action::open;
  ask.who = asker.who;
  ask.context = asker.context;
  ask.target = coalition::AppRef{PartnerCode("XAA"), AppId("charts")};
  ask.now = office.clock.now();
  const auto closed = rules_of(office.book.world);
  const auto open = with(kAll);
  CHECK_FALSE(closed->decide(ask).permit);
  REQUIRE(open->decide(ask).permit);
  const coalition::Verdict waits = rules_of_both(closed, open)->decide(ask);
  CHECK_FALSE(waits.permit);
  CHECK(waits.revision == closed->revision());  // nobody keeps it for the world that is to come
  CHECK_FALSE(rules_of_both(open, closed)->decide(ask).permit);
  CHECK(rules_of_both(open, open)->decide(ask).permit);
}

TEST_CASE("attack: by an id of another partner's request nothing is learned, withdrawn or asked") {
  Office office("XAA");
  office.told("XBB", "request", "r1", "p1");
  office.told("XCC", "request", "r1", "p1");
  office.told("XCC", "withdraw", "r1");
  REQUIRE(office.book.world.requests().size() == 1);
  CHECK(office.request("r1")->partner == PartnerCode("XBB"));
  CHECK(office.request("r1")->state == RequestState::open);
}

TEST_CASE("who may answer is reminded of a request at half of its time, once") {
  Office office("XAA");
  office.told("XBB", "request", "r1", "p1");
  const uint64_t first = office.desk.announcements().newest();
  const auto reminders = [&] {
    std::vector<Json> heard;
    const auto visit = [&](const Announcement& event) {
      if (event.kind != "reminder") return;
      CHECK(office.desk.concerns(event, office.person("o1", "XAA", "officer")));
      CHECK_FALSE(office.desk.concerns(event, office.person("o2", "XAA", "planner")));
      heard.push_back(event.data);
    };
    CHECK(office.desk.announcements().since(first, PersonId("o1"), visit));
    return heard;
  };
  const auto later = [&](Millis by) {
    office.clock.instant += by;
    office.clock.at += by;
    office.board.world_published(rules_of(office.book.world), {});  // the node's clock goes on
    office.desk.sweep();
  };
  const std::string since = time_text(office.clock.now());
  later(AccessDesk::kRequestLife / 2 - Seconds(60));
  CHECK(reminders().empty());
  later(Seconds(120));
  REQUIRE(reminders().size() == 1);
  CHECK(reminders().front() == Json::object({{"app", "Charts"}, {"since", since}}));
  later(Seconds(3600));
  CHECK(reminders().size() == 1);
}

TEST_CASE("out of time, a request is answered no more") {
  Office office("XAA");
  office.told("XBB", "request", "r1", "p1");
  const Acting officer = office.person("o1", "XAA", "officer");
  office.clock.instant += AccessDesk::kRequestLife;
  office.clock.at += AccessDesk::kRequestLife;
  office.loop.run_until(Office::turn(office.loop));
  office.board.world_published(rules_of(office.book.world), {});  // the node's clock goes on
  Acting awake = office.person("o1", "XAA", "officer");
  CHECK(office.to_answer(awake).empty());
  CHECK(office.approve(awake, "r1").error().code() == "access.over");
  CHECK(office.book.world.grants().empty());
}

TEST_CASE(
    "what an owner was not told, or may have answered meanwhile, is told and asked when it is reached") {
  Office office("XBB");
  const PartnerCode owner("XAA");
  std::vector<std::string> topics;
  const auto asked = [&] {
    const AccessDesk::Wish wish{{owner, AppId("charts")}, "charts", 30, {}};
    const Result<RequestId> id =
        office.loop.run_until(office.desk.ask(office.person("p1", "XBB", "planner"), wish));
    REQUIRE_MESSAGE(id, id.error().text());
    office.settle();
    return *id;
  };
  // The owner's node comes, as after it was started again.
  const auto comes = [&] {
    topics.clear();
    office.board.link_down(owner, Way::asking);
    office.board.link_up(owner, Way::asking, [&](const Json& message) {
      const Result<link::Envelope> read = link::from_json(message);
      REQUIRE_MESSAGE(read, read.error().text());
      const auto* told = std::get_if<link::Told>(&read->message);
      if (std::holds_alternative<link::Hello>(read->message))
        office.loop.post([&office, owner, epoch = read->epoch] {
          office.board.received(owner, Way::asking, link::to_json({epoch, 1, link::Welcome{}}));
        });
      if (told != nullptr) topics.push_back(told->topic);
    });
    office.settle();
  };
  office.board.watch({.ended = {},
                      .connector_dropped = {},
                      .alarm = {},
                      .heard = {},
                      .welcomed = [&](const PartnerCode& who) { office.desk.reached(who); }});
  const RequestId id = asked();  // while it is away
  comes();
  CHECK(topics == std::vector<std::string>{"request"});
  const auto says = [&](const char* state) {
    Json body = Json::object({{"state", state}, {"minutes", 30}, {"approvals", 0}, {"approvals_needed", 1}});
    office.desk.heard({owner, Way::asking, {"state", id, std::move(body), {}}, std::nullopt});
    office.settle();
  };
  says("open");
  comes();
  CHECK(topics == std::vector<std::string>{"look"});
  SUBCASE("what is over is not asked for") {
    says("denied");
    comes();
    CHECK(topics.empty());
  }
  SUBCASE("another partner's coming says nothing of it") {
    topics.clear();
    office.desk.reached(PartnerCode("XCC"));
    office.settle();
    CHECK(topics.empty());
  }
}

TEST_CASE("attack: an owner speaks of its own apps only, and never against a withdrawal") {
  Office office("XBB");
  const Acting planner = office.person("p1", "XBB", "planner");
  AccessDesk::Wish wish;
  wish.app = {PartnerCode("XAA"), AppId("charts")};
  wish.purpose = "charts";
  wish.minutes = 30;
  const auto asked = office.loop.run_until(office.desk.ask(planner, wish));
  REQUIRE_MESSAGE(asked, asked.error().text());
  const auto state = [&](const char* from, Json body) {
    Heard heard;
    heard.partner = PartnerCode(from);
    heard.way = Way::asking;
    heard.told = {"state", *asked, std::move(body), {}};
    office.desk.heard(heard);
    office.settle();
    return office.request(asked->text().c_str())->state;
  };
  const auto body = [&](const char* name) {
    return Json::object({{"state", name}, {"minutes", 30}, {"approvals", 1}, {"approvals_needed", 1}});
  };
  CHECK(state("XCC", body("granted")) == RequestState::open);
  CHECK(state("XAA", Json::object({{"state", "granted"}, {"minutes", -1}})) == RequestState::open);
  REQUIRE(office.loop.run_until(office.desk.withdraw(planner, *asked)));
  CHECK(state("XAA", body("granted")) == RequestState::withdrawn);
  const Acting other = office.person("p2", "XBB", "planner");
  CHECK(office.loop.run_until(office.desk.withdraw(other, *asked)).error().code() == "access.unknown");
}

}  // namespace
}  // namespace entente::exchange
