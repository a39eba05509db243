#include "node/view_desk.h"

#include "coalition/example_test.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace entente;
using namespace entente::node;
namespace example = coalition::example;

namespace {

const PartnerCode kXaa("XAA");
const PartnerCode kXbb("XBB");
const std::string kNothingEnded = R"({"status":200,"body":{"ended":[]}})";

class HandClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return example::kNow + passed; }
  [[nodiscard]] Tick tick() const override { return Tick{} + std::chrono::hours(1) + passed; }
  Millis passed{0};
};

// Aldoria's desk; Borealis answers what the test says.
struct Looking {
  net::Loop loop;
  HandClock clock;
  example::Records records = example::records("XAA");
  coalition::World world = example::world(records);
  std::vector<std::string> rules;  // by which views ended
  std::vector<std::string> words;  // what pages were told
  std::vector<std::string> asked;  // of Borealis
  std::function<std::string()> answer = [] { return kNothingEnded; };
  ViewDesk desk{
      {[this]() -> const coalition::World& { return world; }, [this](ledger::Record leaf) { note(leaf); },
       clock, loop, kXaa, [this](PartnerCode, std::string body) { return give(std::move(body)); },
       [](const std::string&) { return true; },
       [this](const PersonId&, const std::string&, const std::string& why) { words.push_back(why); }}};

  void note(const ledger::Record& leaf) {
    for (const auto& [name, value] : leaf.fields)
      if (name == "rule") rules.push_back(value.string());
  }
  net::Task<Result<std::string>> give(std::string body) {
    asked.push_back(std::move(body));
    co_await loop.sleep(Millis(1));
    co_return answer();
  }
  data::View open(const std::string& nation, const std::string& post, std::string there = {},
                  std::string person = {}) {
    data::View view;
    view.ask = example::ask_object(example::person(nation, post), coalition::Action::open,
                                   {example::fqn("classification", "restricted"),
                                    example::fqn("originator", "xaa"), example::fqn("releasable-to", "xbb")});
    if (!person.empty()) view.ask.who.id = PersonId(std::move(person));
    view.end = kNever;
    if (nation == "XAA") view.page = "page";
    if (!there.empty()) view.service = kXbb;
    view.there = std::move(there);
    const coalition::Verdict verdict = coalition::decide(world, view.ask);
    REQUIRE(verdict.permit);
    return desk.views().open(std::move(view), verdict, {clock.now(), clock.tick()}).value();
  }
  void publish(const std::string& key, Json value) {
    const std::vector<coalition::Record> change{{key, std::move(value)}};
    auto next = world.with(change, Revision{world.revision().value + 1});
    REQUIRE(next);
    world = std::move(next->world);
    desk.world_published(world, next->touch);
  }
  // Runs until that holds. Patience ends the test where it never does.
  bool until(const std::function<bool()>& holds) {
    for (int turn = 0; turn < 5'000; ++turn) {
      if (holds()) return true;
      loop.run_until(loop.sleep(Millis(1)));
    }
    return false;
  }
  [[nodiscard]] static net::Task<void> keep(net::Task<Result<Json>> watch, std::optional<Result<Json>>& out) {
    Result<Json> said = co_await std::move(watch);
    out = std::move(said);
  }
  void watch(std::vector<std::string> ids, std::optional<Result<Json>>& out) {
    loop.spawn(keep(desk.watched(kXbb, std::move(ids), {}), out));
  }
};

size_t ended(const Result<Json>& said) {
  return said ? said->find("ended")->items().size() : size_t{0};
}

}  // namespace

TEST_CASE("attack: an origin's words would be part of a page, or fill it") {
  Looking looking;
  looking.open("XAA", "officer", "there");
  const std::string evil = "<img src=x>\n\x1b[2J" + std::string(5'000, 'x');
  const Json one = Json::object({{"view", "there"}, {"why", evil}});
  const Json body = Json::object({{"ended", Json::array({one})}});
  looking.answer = [&] { return Json::object({{"status", 200}, {"body", body}}).dump(); };
  REQUIRE(looking.until([&] { return !looking.words.empty(); }));
  CHECK(looking.rules == std::vector<std::string>{"origin-ended"});
  CHECK(looking.words[0].starts_with("img src=x[2Jxxx"));
  CHECK(looking.words[0].size() <= 400);
}

TEST_CASE("attack: an origin answers its watch with what is no answer: nothing stays open by that") {
  for (const char* said :
       {"", "7", "{}", R"({"status":500,"body":{"ended":[]}})", R"({"status":"200","body":{"ended":[]}})",
        R"({"body":{"ended":[]}})", R"({"status":200,"body":{}})", R"({"status":200,"body":{"ended":{}}})",
        R"({"status":200,"body":{"ended":[7]}})"}) {
    CAPTURE(said);
    Looking looking;
    looking.open("XAA", "officer", "there");
    looking.answer = [said] { return std::string(said); };
    REQUIRE(looking.until([&] { return looking.asked.size() > 1; }));
    looking.clock.passed += Millis(5'001);
    looking.loop.run_until(looking.loop.sleep(2 * ViewDesk::kTickEvery));
    CHECK(looking.rules == std::vector<std::string>{"origin-silent"});
  }
}

TEST_CASE("what is watched stays for as long as each watch is answered") {
  Looking looking;
  looking.open("XAA", "officer", "there");
  for (int i = 0; i < 4; ++i) {
    const size_t before = looking.asked.size();
    looking.clock.passed += Millis(2'000);
    REQUIRE(looking.until([&] { return looking.asked.size() > before + 2; }));
  }
  CHECK(looking.rules.empty());
}

TEST_CASE("an origin is told what is closed, once") {
  Looking looking;
  const data::View view = looking.open("XAA", "officer", "there");
  looking.desk.close(view.ask.who.id, view.id);
  const auto told = [&] { return std::ranges::count(looking.asked, R"({"watch":[],"closed":["there"]})"); };
  REQUIRE(looking.until([&] { return told() > 0; }));
  looking.loop.run_until(looking.loop.sleep(2 * ViewDesk::kAgain));
  CHECK(told() == 1);
}

TEST_CASE("an origin that took no word of what is closed is told again, and not for ever") {
  Looking looking;
  const data::View view = looking.open("XAA", "officer", "there");
  REQUIRE(looking.until([&] { return !looking.asked.empty(); }));
  bool takes = false;
  looking.answer = [&] { return takes ? kNothingEnded : R"({"status":429,"body":{}})"; };
  looking.desk.close(view.ask.who.id, view.id);
  const auto told = [&] { return std::ranges::count(looking.asked, R"({"watch":[],"closed":["there"]})"); };
  REQUIRE(looking.until([&] { return told() > 1; }));
  SUBCASE("it takes it at last") {
    takes = true;
    looking.loop.run_until(looking.loop.sleep(2 * ViewDesk::kAgain));
    const auto so_far = told();
    CHECK(so_far < static_cast<long>(ViewDesk::kToldAgainMax));
    looking.loop.run_until(looking.loop.sleep(2 * ViewDesk::kAgain));
    CHECK(told() == so_far);
  }
  SUBCASE("it never does") {
    const auto most = static_cast<long>(ViewDesk::kToldAgainMax) + 1;
    REQUIRE(looking.until([&] { return told() >= most; }));
    looking.loop.run_until(looking.loop.sleep(2 * ViewDesk::kAgain));
    CHECK(told() == most);
  }
}

TEST_CASE("an origin is told of what was given up while nothing is open") {
  Looking looking;
  looking.desk.views().give_up(kXbb, "late");
  REQUIRE(looking.until(
      [&] { return std::ranges::count(looking.asked, R"({"watch":[],"closed":["late"]})") == 1; }));
}

TEST_CASE("attack: a partner watches without end") {
  Looking looking;
  size_t refused = 0;
  for (uint32_t i = 0; i < ViewDesk::kWatchesBurst + 20; ++i) {
    const Result<Json> said = looking.loop.run_until(looking.desk.watched(kXbb, {"none"}, {}));
    if (!said) ++refused;
  }
  CHECK(refused == 20);
}

TEST_CASE("a newer watch makes the older answer at once, and what ends makes the newest") {
  Looking looking;
  const data::View view = looking.open("XBB", "planner");
  std::optional<Result<Json>> older, newer;
  looking.watch({view.id}, older);
  looking.watch({view.id}, newer);
  REQUIRE(looking.until([&] { return older.has_value(); }));
  CHECK(ended(*older) == 0);
  CHECK_FALSE(newer);
  looking.publish(
      "recall/partner/XBB",
      Json::object({{"reason", "EXERCISE: by mistake"}, {"by", "lena"}, {"at", rfc3339(example::kNow)}}));
  REQUIRE(looking.until([&] { return newer.has_value(); }));
  CHECK(ended(*newer) == 1);
}

TEST_CASE("attack: among thousands of views that a recall ends, no watch is told that one of them holds") {
  Looking looking;
  std::vector<std::string> ids;
  for (int i = 0; i < 300; ++i)
    ids.push_back(looking.open("XBB", "planner", {}, fmt::format("p-{}", i / 30)).id);
  looking.publish(
      "recall/partner/XBB",
      Json::object({{"reason", "EXERCISE: by mistake"}, {"by", "lena"}, {"at", rfc3339(example::kNow)}}));
  CHECK(looking.rules.size() < ids.size());  // bounded work for the one who recalls
  std::optional<Result<Json>> said;
  looking.watch(ids, said);
  REQUIRE(looking.until([&] { return said.has_value(); }));
  CHECK(ended(*said) == ids.size());
  REQUIRE(looking.until([&] { return looking.rules.size() == ids.size(); }));
}
