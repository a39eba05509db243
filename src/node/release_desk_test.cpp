#include "node/release_desk.h"

#include "coalition/example_test.h"

#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace entente;
using namespace entente::node;
using coalition::Release;
using coalition::RequestState;
using exchange::Way;
namespace example = coalition::example;

namespace {

const PartnerCode kXbb("XBB");
const PartnerCode kXcc("XCC");
const PersonId kPlanner("p-planner");

class HandClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return example::kNow + passed; }
  [[nodiscard]] Tick tick() const override { return Tick{} + std::chrono::hours(1) + passed; }
  Millis passed{0};
};

// Aldoria's desk, and what it says: "to a nation's home", "to a nation that releases", and to pages.
struct Desk {
  HandClock clock;
  coalition::World world = example::world(example::records("XAA"));
  std::vector<std::string> said;
  std::vector<std::string> pages;
  ReleaseDesk desk{{[this]() -> const coalition::World& { return world; },
                    [this](const PartnerCode& partner, Way way, exchange::link::Told told) {
                      said.push_back(fmt::format("{} {} {} {} {}", partner.text(),
                                                 way == Way::serving ? "home" : "origin", told.topic,
                                                 told.id.text(), told.body.dump()));
                    },
                    [this](const PersonId& who, const Json& news) {
                      pages.push_back(fmt::format("{} {}", who.text(), news.dump()));
                    },
                    clock}};

  static Release release(const std::string& id = "r-1", const std::string& partner = "XBB") {
    Release out;
    out.id = RequestId(id);
    out.partner = PartnerCode(partner);
    out.person = PersonId("pairwise-1");
    out.object = "object-1";
    out.attributes = {example::fqn("classification", "restricted")};
    out.rights = {"open", "view"};
    out.purpose = "EXERCISE: berths";
    out.minutes = 60;
    out.by = partner + "/pairwise-1";
    out.asked = example::kNow;
    out.end = example::kNow + coalition::kReleaseWishLife;
    return out;
  }
  void keep(const Release& one) {
    const std::vector<coalition::Record> change{{record_key(one), to_json(one)}};
    auto next = world.with(change, Revision{world.revision().value + 1});
    REQUIRE(next);
    world = std::move(next->world);
  }
  void hears(const PartnerCode& from, Way way, std::string_view topic, const std::string& id, Json body) {
    desk.heard({from, way, {std::string(topic), RequestId(id), std::move(body), {}}, std::nullopt});
  }
  void state(const PartnerCode& from, const std::string& id, const std::string& state,
             std::string words = {}) {
    Json body = Json::object({{"release", id}, {"state", state}});
    if (!words.empty()) body.set("words", std::move(words));
    hears(from, Way::asking, ReleaseDesk::kState, id, std::move(body));
  }
};

}  // namespace

TEST_CASE("whoever asked for a release is told what an operator answered, by their home") {
  Desk there;
  Release one = Desk::release();
  there.desk.answered(one);
  CHECK(there.said.empty());  // it waits still: the first of two approvals
  one.state = RequestState::denied;
  one.answer = "EXERCISE: ask the harbour master";
  there.desk.answered(one);
  REQUIRE(there.said.size() == 1);
  CHECK(
      there.said[0] ==
      R"(XBB home release-state r-1 {"state":"denied","release":"r-1","words":"EXERCISE: ask the harbour master"})");
  one.state = RequestState::granted;
  one.until = example::kNow + std::chrono::hours(1);
  there.desk.answered(one);
  CHECK(there.said[1].find(R"("state":"granted")") != std::string::npos);
  CHECK(there.said[1].find(rfc3339(*one.until)) != std::string::npos);
  // One that an operator gave unasked is nobody's news.
  one.by = "operator/lena.brandtner";
  there.desk.answered(one);
  CHECK(there.said.size() == 2);
  // Of this nation's own: their pages.
  Release own = Desk::release("r-2", "XAA");
  own.state = RequestState::denied;
  there.desk.answered(own);
  CHECK(there.said.size() == 2);
  CHECK(there.pages == std::vector<std::string>{R"(pairwise-1 {"state":"denied","release":"r-2"})"});
}

TEST_CASE("a home looks how a wish of its people stands, and learns of no other nation's") {
  Desk there;
  there.keep(Desk::release());
  Release proposed = Desk::release("r-2");
  proposed.by = "operator/lena.brandtner";
  there.keep(proposed);
  const auto look = [&](const PartnerCode& from, const std::string& id) {
    there.said.clear();
    there.hears(from, Way::serving, ReleaseDesk::kLook, id, Json::object());
    REQUIRE(there.said.size() == 1);
    return there.said[0];
  };
  CHECK(look(kXbb, "r-1")
            .starts_with(R"(XBB home release-state r-1 {"state":"open","release":"r-1","until":)"));
  const std::string unknown = R"({"state":"unknown"})";
  CHECK(look(kXcc, "r-1") == "XCC home release-state r-1 " + unknown);
  CHECK(look(kXbb, "r-2") == "XBB home release-state r-2 " + unknown);
  CHECK(look(kXbb, "r-3") == "XBB home release-state r-3 " + unknown);
  there.clock.passed = coalition::kReleaseWishLife;
  CHECK(look(kXbb, "r-1").find(R"("state":"over")") != std::string::npos);
  // Nothing else is answered.
  there.said.clear();
  there.hears(kXbb, Way::serving, ReleaseDesk::kState, "r-1", Json::object({{"state", "denied"}}));
  CHECK(there.said.empty());
}

TEST_CASE("the pages of whoever waits are told once, from the nation that they wait for") {
  Desk home;
  home.desk.waits(kXbb, RequestId("r-1"), kPlanner);
  home.state(kXbb, "r-1", "open");
  CHECK(home.pages.empty());
  home.state(kXcc, "r-1", "denied");  // another nation's word
  home.state(kXbb, "r-2", "denied");  // nobody waits for that one
  CHECK(home.pages.empty());
  home.state(kXbb, "r-1", "granted", "EXERCISE: for the convoy");
  home.state(kXbb, "r-1", "granted", "EXERCISE: for the convoy");
  const std::string granted =
      R"(p-planner {"state":"granted","release":"r-1","words":"EXERCISE: for the convoy"})";
  CHECK(home.pages == std::vector<std::string>{granted});
  home.state(kXbb, "r-1", "revoked");
  REQUIRE(home.pages.size() == 2);
  CHECK(home.desk.waiting() == 0);
  home.state(kXbb, "r-1", "granted");
  CHECK(home.pages.size() == 2);
}

TEST_CASE("attack: an origin's words would steer, or be of a wish of somebody else") {
  Desk home;
  home.desk.waits(kXbb, RequestId("r-1"), kPlanner);
  home.desk.waits(kXbb, RequestId("r-1"),
                  PersonId("p-other"));  // named alike by the origin: it was the first's
  const auto body = [&](Json said) {
    home.hears(kXbb, Way::asking, ReleaseDesk::kState, "r-1", std::move(said));
  };
  for (Json said :
       {Json::object({{"state", "denied"}}), Json::object({{"state", "denied"}, {"release", "r-2"}}),
        Json::object({{"state", "<b>"}, {"release", "r-1"}}), Json::object({{"state", 7}}), Json::array()})
    body(std::move(said));
  CHECK(home.pages.empty());
  CHECK(home.desk.waiting() == 1);
  home.state(kXbb, "r-1", "denied", "a\x1b[2J");
  CHECK(home.pages == std::vector<std::string>{R"(p-planner {"state":"denied","release":"r-1"})"});
}

TEST_CASE("a wish of which nothing is heard is looked after, each half minute, and forgotten after a day") {
  Desk home;
  home.desk.waits(kXbb, RequestId("r-1"), kPlanner);
  home.desk.sweep();
  CHECK(home.said.empty());
  home.clock.passed += ReleaseDesk::kLookAgainAfter;
  home.desk.sweep();
  home.desk.sweep();
  CHECK(home.said == std::vector<std::string>{"XBB origin release-look r-1 {}"});
  home.hears(kXbb, Way::asking, ReleaseDesk::kState, "r-1", Json::object({{"state", "unknown"}}));
  CHECK(home.desk.waiting() == 0);
  home.desk.waits(kXbb, RequestId("r-2"), kPlanner);
  home.clock.passed += ReleaseDesk::kKept;
  home.desk.sweep();
  CHECK(home.desk.waiting() == 0);
}

TEST_CASE("a nation that is reached again is asked at once, for what was granted too") {
  Desk home;
  home.desk.waits(kXbb, RequestId("r-1"), kPlanner);
  home.desk.waits(kXcc, RequestId("r-2"), kPlanner);
  home.state(kXbb, "r-1", "granted");
  home.desk.reached(kXbb);
  CHECK(home.said == std::vector<std::string>{"XBB origin release-look r-1 {}"});
  home.state(kXbb, "r-1", "revoked");
  CHECK(home.pages.size() == 2);
  home.desk.reached(kXbb);
  CHECK(home.said.size() == 1);
}

TEST_CASE("attack: wishes without end push out nobody else's, and fill nothing") {
  Desk home;
  home.desk.waits(kXbb, RequestId("first"), PersonId("p-quiet"));
  for (int i = 0; i < 100; ++i) {
    home.clock.passed += Millis(1);
    home.desk.waits(kXbb, RequestId(fmt::format("r-{}", i)), kPlanner);
  }
  CHECK(home.desk.waiting() == ReleaseDesk::kWaitingOfOneMax + 1);
  home.state(kXbb, "first", "denied");
  home.state(kXbb, "r-99", "denied");
  home.state(kXbb, "r-0", "denied");
  CHECK(home.pages.size() == 2);
  for (size_t i = 0; i < ReleaseDesk::kWaitingMax + 10; ++i)
    home.desk.waits(kXbb, RequestId(fmt::format("m-{}", i)), PersonId(fmt::format("p-{}", i)));
  CHECK(home.desk.waiting() == ReleaseDesk::kWaitingMax);
  home.said.clear();
  home.clock.passed += ReleaseDesk::kLookAgainAfter;
  home.desk.sweep();
  CHECK(home.said.size() == ReleaseDesk::kLooksAtOnce);
}
