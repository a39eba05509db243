#include "coalition/world.h"

#include "coalition/example_test.h"
#include "coalition/persistent_map.h"

#include <random>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace entente::coalition {
namespace {

using namespace example;

Record put(const std::string& key, const Json& value) {
  return {key, value};
}
Record drop(const std::string& key) {
  return {key, std::nullopt};
}

World::Next next_of(const World& world, const std::vector<Record>& changes) {
  auto next = world.with(changes, Revision{world.revision().value + 1});
  REQUIRE_MESSAGE(next, next.error().text());
  return *std::move(next);
}

Error refusal_of(const World& world, const std::vector<Record>& changes) {
  const auto next = world.with(changes, Revision{world.revision().value + 1});
  REQUIRE_FALSE(next);
  return next.error();
}

// The same records with one member set, as load() and with() see them: both must refuse, at the same place.
void check_refused(const std::string& key, const std::string& member, Json value, const std::string& where) {
  Records all = records("XAA");
  const World before = world(all);
  all[key].set(member, std::move(value));
  CAPTURE(key);
  CAPTURE(member);
  const Error at_load = refused(all);
  CHECK(at_load.where() == where);
  CHECK(refusal_of(before, {put(key, all[key])}) == at_load);
}

TEST_CASE("records become typed values, found by id, certificate and user id") {
  const World made = world(records("XAA"));
  CHECK(made.self().text() == "XAA");
  REQUIRE(made.partner(PartnerCode("XBB")) != nullptr);
  CHECK(made.partner(PartnerCode("XBB"))->name == "Borealis");
  CHECK(made.partner_by_link_thumbprint(std::string(42, 'b') + "A") == made.partner(PartnerCode("XBB")));
  CHECK(made.connector_by_thumbprint(std::string(42, 'b') + "A") == nullptr);
  CHECK(made.connector_by_thumbprint(std::string(42, 'k') + "A") == made.connector(ConnectorId("one")));
  CHECK(made.operator_by_uid(1000) == made.operator_named(OperatorName("asha.lind")));
  CHECK(made.app(app("XAA", "cop"))->segment.text() == "maritime");
  CHECK(made.app(app("XBB", "tides"))->ref.owner.text() == "XBB");
  CHECK(made.segment(SegmentId("maritime"))->mission.text() == "harbor-light");
  CHECK(made.partners().size() == 3);
  CHECK(made.apps().size() == 2);
  CHECK(made.raw("crosswalk/XBB") != nullptr);
  CHECK(made.raw("crosswalk/XCC") == nullptr);
  CHECK(made.policies("host") != nullptr);
  CHECK(made.policies("elsewhere") == nullptr);
  CHECK(made.entities().find(entity_of(Target(app("XAA", "cop")))) != nullptr);
}

TEST_CASE("a record that is wrong is refused with its key and field") {
  check_refused("partner/XBB", "colour", "red", "partner/XBB/colour");
  check_refused("partner/XBB", "state", "gone", "partner/XBB/state");
  check_refused("partner/XBB", "ceiling", "COSMIC", "partner/XBB/ceiling");
  check_refused("partner/XBB", "member_until", "2027-07-07T00:00:00Z",
                "partner/XBB/member_until");  // 401 days
  check_refused("partner/XBB", "member_until", "2026-05-31T00:00:00Z", "partner/XBB/member_until");
  check_refused("partner/XBB", "link_thumbprints", Json::array({"abc"}), "partner/XBB/link_thumbprints");
  check_refused("partner/XBB", "statement_keys", "none", "partner/XBB/statement_keys");
  check_refused("partner/XAA", "state", "suspended", "partner/XAA/state");
  check_refused("mission/harbor-light", "end", "2026-10-01T00:00:00Z", "mission/harbor-light/end");
  check_refused("mission/harbor-light", "partners", Json::array(), "mission/harbor-light/partners");
  check_refused("mission/harbor-light", "lead", "XZZ", "mission/harbor-light/lead");
  check_refused("mission/harbor-light", "number", -1, "mission/harbor-light/number");
  check_refused("mission/harbor-light", "partners", Json::array({"XAA", "XAA"}),
                "mission/harbor-light/partners");
  check_refused("app/cop", "owner", "XBB", "app/cop/owner");
  check_refused("app/cop", "classification", "restricted", "app/cop/classification");
  check_refused("offer/XBB/tides", "owner", "XCC", "offer/XBB/tides/owner");
  check_refused("offer/XBB/tides", "offered_to", Json::array({"XCC"}), "offer/XBB/tides/offered_to");
  check_refused("connector/one", "thumbprint", "abc", "connector/one/thumbprint");
  check_refused("operator/asha.lind", "uids", Json::array({-1}), "operator/asha.lind/uids");
  check_refused("operator/asha.lind", "uids", 7, "operator/asha.lind/uids");
  // Clients would take the nations of origin for alternatives.
  check_refused("attribute/originator", "rule", "any_of", "attribute/originator/rule");
}

TEST_CASE("what a record names must exist") {
  check_refused("mission/harbor-light", "partners", Json::array({"XAA", "XDD"}), "mission/harbor-light");
  check_refused("segment/maritime", "mission", "nowhere", "segment/maritime");
  check_refused("app/cop", "mission", "nowhere", "app/cop");
  check_refused("app/cop", "segment", "nowhere", "app/cop");
  check_refused("app/cop", "offered_to", Json::array({"XDD"}), "app/cop");
  check_refused("connector/one", "apps", Json::array({"nothing"}), "connector/one");
  check_refused("connector/one", "apps", Json::array({"tides"}), "connector/one");  // another's app
}

TEST_CASE("nothing is without an end") {
  for (const std::string key :
       {"partner/XBB", "mission/harbor-light", "app/cop", "connector/one", "operator/ben.roth"}) {
    Records all = records("XAA");
    const std::string member = key.starts_with("partner") ? "member_until" : "end";
    std::erase_if(all[key].members(), [&](const Json::Member& each) { return each.first == member; });
    const Error error = refused(all);
    CHECK(error.code() == "field.missing");
    CHECK(error.where() == key);
  }
}

TEST_CASE("a certificate or a user id stands for one") {
  const std::string print = std::string(42, 'b') + "A";
  for (const std::string key : {"partner/XCC", "connector/one"}) {
    Records all = records("XAA");
    if (key.starts_with("partner")) all[key].set("link_thumbprints", Json::array({print}));
    if (key.starts_with("connector")) all[key].set("thumbprint", print);
    CHECK(refused(all).code() == "coalition.doubled");
    CHECK(refusal_of(world(records("XAA")), {put(key, all[key])}).code() == "coalition.doubled");
  }
  Records all = records("XAA");
  all["operator/ben.roth"].set("uids", Json::array({1000}));
  CHECK(refused(all).code() == "coalition.doubled");
  // Changing hands in one change is fine.
  Records swapped = records("XAA");
  swapped["operator/ben.roth"].set("uids", Json::array({1000}));
  swapped["operator/asha.lind"].set("uids", Json::array({1001}));
  const auto next =
      next_of(world(records("XAA")), {put("operator/ben.roth", swapped["operator/ben.roth"]),
                                      put("operator/asha.lind", swapped["operator/asha.lind"])});
  CHECK(next.world.operator_by_uid(1000)->name.text() == "ben.roth");
}

TEST_CASE("a person is one operator, found by who they are where people sign in") {
  Records all = records("XAA");
  CHECK(world(all).operator_by_person(PersonId()) == nullptr);
  CHECK(world(all).operator_by_person(PersonId("p-asha")) == nullptr);
  all["operator/asha.lind"].set("person", "p-asha");
  CHECK(world(all).operator_by_person(PersonId("p-asha"))->name.text() == "asha.lind");
  all["operator/ben.roth"].set("person", "p-asha");
  CHECK(refused(all).code() == "coalition.doubled");
}

TEST_CASE("what others still name is not removed, unless they go too") {
  const World before = world(records("XAA"));
  for (const std::string key :
       {"partner/XBB", "mission/harbor-light", "segment/maritime", "app/cop", "schema"}) {
    const Error error = refusal_of(before, {drop(key)});
    CHECK(error.code() == "coalition.reference");
    CHECK(error.where() == key);
  }
  const auto next = next_of(before, {drop("app/cop"), drop("connector/one")});
  CHECK(next.world.app(app("XAA", "cop")) == nullptr);
  CHECK(next.world.connector_by_thumbprint(std::string(42, 'k') + "A") == nullptr);
  CHECK(before.app(app("XAA", "cop")) != nullptr);
}

TEST_CASE("whose node it is does not change; a revision follows the one before") {
  const World before = world(records("XAA"));
  CHECK(refusal_of(before, {drop("node/self")}).code() == "coalition.node");
  CHECK(refusal_of(before, {put("node/self", Json::object({{"partner", "XBB"}}))}).code() ==
        "coalition.node");
  CHECK(before.with({}, Revision{3}).error().code() == "coalition.revision");
  const std::vector<Record> twice{drop("crosswalk/XBB"), drop("crosswalk/XBB")};
  CHECK(refusal_of(before, twice).code() == "coalition.doubled");
  CHECK(World::load({}, Revision{1}).error().code() == "coalition.node");
}

TEST_CASE("an app's segment is one of its mission, and stays so") {
  Records all = records("XAA");
  all["mission/second"] = all["mission/harbor-light"];
  all["segment/second"] = Json::object({{"name", "Second"}, {"mission", "second"}});
  const World before = world(all);
  Json moved = all["app/cop"];
  moved.set("segment", "second");
  CHECK(refusal_of(before, {put("app/cop", moved)}).where() == "app/cop/segment");
  Json segment = all["segment/maritime"];
  segment.set("mission", "second");
  CHECK(refusal_of(before, {put("segment/maritime", segment)}).where() == "segment/maritime/mission");
}

TEST_CASE("a change says exactly which entities it touched") {
  Records all = records("XAA");
  const World before = world(all);
  all["partner/XBB"].set("state", "suspended");
  const auto suspended =
      next_of(before, {put("partner/XBB", all["partner/XBB"]), put("app/cop", all["app/cop"])});
  CHECK(suspended.touch.entities == std::vector{entity_of(Target(PartnerCode("XBB")))});
  CHECK_FALSE(suspended.touch.policies);
  CHECK_FALSE(suspended.touch.only_widens);
  all["partner/XBB"].set("state", "active");
  const auto resumed = next_of(suspended.world, {put("partner/XBB", all["partner/XBB"])});
  CHECK_FALSE(resumed.touch.only_widens);  // a policy could forbid what is active

  const auto carried = next_of(before, {put("crosswalk/XDD", Json::object())});
  CHECK(carried.touch.entities.empty());
  all["policy/home/people"].set("text", "permit(principal, action, resource);");
  const auto policies = next_of(before, {put("policy/home/people", all["policy/home/people"])});
  CHECK(policies.touch.policies);
  CHECK_FALSE(policies.touch.only_widens);
}

TEST_CASE("only what is new and named by nobody is said only to widen") {
  Records all = records("XAA");
  Json second = all["app/cop"];
  const World before = world(all);
  CHECK(next_of(before, {put("app/second", second)}).touch.only_widens);
  CHECK(next_of(before, {put("partner/XDD", all["partner/XCC"].set("link_thumbprints", Json::array()))})
            .touch.only_widens);
  CHECK_FALSE(next_of(before, {put("app/second", second), drop("crosswalk/XBB")}).touch.only_widens);
  // The host's policies name XAA/cop: putting it back could let one of their forbids hold.
  const auto without = next_of(before, {drop("app/cop"), drop("connector/one")});
  CHECK_FALSE(without.touch.only_widens);
  CHECK_FALSE(next_of(without.world, {put("app/cop", second)}).touch.only_widens);
  const auto widens_beside = [&](std::string_view policy) {
    const auto beside = next_of(before, {put("policy/home/more", Json::object({{"text", policy}}))});
    return next_of(beside.world, {put("app/second", second)}).touch.only_widens;
  };
  CHECK(widens_beside("@id(\"XAA/second\") permit(principal, action, resource); // \"XAA/second\""));
  CHECK_FALSE(
      widens_beside("@id(\"x\") forbid(principal, action, resource) when { resource == "
                    "Entente::App::\"XAA/seco\\u{6e}d\" };"));
}

TEST_CASE("policies are parsed when their layer changes, and shared otherwise") {
  Records all = records("XAA");
  const World before = world(all);
  const auto partner = next_of(before, {put("partner/XBB", all["partner/XBB"].set("state", "suspended"))});
  CHECK(partner.world.policies("host") == before.policies("host"));
  const auto home = next_of(before, {drop("policy/home/people"), drop("policy/home/objects")});
  CHECK(home.world.policies("home") == nullptr);
  CHECK(home.world.policies("host") == before.policies("host"));
  const Error error = refusal_of(
      before, {put("policy/host/cop", Json::object({{"text", "permit(principal, action, recourse);"}}))});
  CHECK(error.where().find("policy/host/cop") != std::string::npos);
  Records bare = records("XAA");
  bare.erase("schema");
  CHECK(refused(bare).code() == "coalition.reference");
}

TEST_CASE("a world without policies permits nothing") {
  Records all = records("XAA");
  std::erase_if(all,
                [](const auto& each) { return each.first == "schema" || each.first.starts_with("policy/"); });
  const Verdict verdict = decide(world(all), ask(person("XAA", "officer"), Action::open, app("XAA", "cop")));
  CHECK_FALSE(verdict.permit);
}

TEST_CASE("the persistent map agrees with std::map and leaves old versions alone") {
  std::mt19937_64 random(7);
  PersistentMap<int> map;
  std::map<std::string, int> model;
  for (int step = 0; step < 4000; ++step) {
    const std::string key = fmt::format("{}/{}", random() % 5, random() % 300);
    const auto old_map = map;
    const auto old_model = model.find(key) == model.end() ? std::nullopt : std::optional(model[key]);
    if (random() % 3 == 0) {
      map.erase(key);
      model.erase(key);
    } else {
      map.put(key, step);
      model[key] = step;
    }
    REQUIRE(map.size() == model.size());
    REQUIRE((old_map.find(key) != nullptr) == old_model.has_value());
    if (old_model) REQUIRE(*old_map.find(key) == *old_model);
  }
  std::vector<std::pair<std::string, int>> seen;
  map.each("3/", [&](const std::string& key, int value) { seen.emplace_back(key, value); });
  std::vector<std::pair<std::string, int>> expected;
  for (const auto& each : model) {
    if (each.first.starts_with("3/")) expected.push_back(each);
  }
  CHECK(seen == expected);
  CHECK(map.count("3/") == expected.size());
  for (int step = 0; step < 300; ++step) {
    const std::string key = fmt::format("{}/{}", random() % 5, random() % 300);
    CHECK(map.below(key) == static_cast<size_t>(std::distance(model.begin(), model.lower_bound(key))));
  }
  // In pieces it is the same.
  for (const size_t most : {size_t{1}, size_t{7}, size_t{1000}}) {
    std::vector<std::pair<std::string, int>> pieces;
    for (std::string at; pieces.size() < expected.size();) {
      const size_t before = pieces.size();
      map.some("3/", at, most, [&](const std::string& key, int value) { pieces.emplace_back(key, value); });
      REQUIRE(pieces.size() - before == std::min(most, expected.size() - before));
      at = pieces.back().first;
    }
    CHECK(pieces == expected);
    std::ranges::reverse(pieces);
    std::vector<std::pair<std::string, int>> back;
    for (std::string at; back.size() < expected.size();) {
      const size_t before = back.size();
      map.last("3/", at, most, [&](const std::string& key, int value) { back.emplace_back(key, value); });
      REQUIRE(back.size() - before == std::min(most, expected.size() - before));
      at = back.back().first;
    }
    CHECK(back == pieces);
  }
}

// What a loop over all of them finds, whatever was changed before.
TEST_CASE(
    "requests and grants are found by their id and by whose they are as a look through all finds them") {
  std::mt19937_64 random(11);
  World now = world(records("XAA"));
  const Instant start = kNow;
  for (int step = 0; step < 400; ++step) {
    AccessRequest one;
    one.id = RequestId(fmt::format("r{}", random() % 40));
    one.owner = PartnerCode(random() % 2 == 0 ? "XAA" : "XBB");
    one.partner = PartnerCode(one.owner == now.self() && random() % 2 == 0 ? "XBB" : "XAA");
    // An id belongs to one person and one side.
    one.id = RequestId(one.id.text() + one.owner.text() + one.partner.text());
    one.person = PersonId(fmt::format("p{}", random() % 5));
    one.app = AppId("cop");
    one.purpose = "charts";
    one.minutes = 5;
    one.asked = start;
    one.end = start + Seconds(1 + static_cast<int64_t>(random() % 100));
    one.state = random() % 2 == 0 ? RequestState::open : RequestState::denied;
    if (random() % 2 == 0) {
      one.approvals.push_back({.by = "o1", .authority = {}, .at = start, .verdict = VerdictId("v")});
      one.approvals.back().context["risk"] = Fact{int64_t{0}, "node", start + Seconds(60)};
    }
    const std::string key = record_key(one, now.self());
    now = next_of(now, {random() % 3 == 0 ? drop(key) : put(key, to_json(one))}).world;
    const auto all = now.requests(), asked = now.asked();
    const auto id_of = [](const AccessRequest* each) { return each->id; };
    const auto count = [](const auto& list, const auto& is) {
      return static_cast<size_t>(std::ranges::count_if(list, is));
    };
    const auto here = std::ranges::find(all, one.id, id_of);
    REQUIRE(now.request(one.id) == (here == all.end() ? nullptr : *here));
    const auto there = std::ranges::find(asked, one.id, id_of);
    REQUIRE(now.asked(one.id) == (there == asked.end() ? nullptr : *there));
    REQUIRE(now.requests(one.partner, one.person).size() == count(all, [&](const auto* each) {
              return each->partner == one.partner && each->person == one.person;
            }));
    REQUIRE(now.asked(one.person).size() ==
            count(asked, [&](const auto* each) { return each->person == one.person; }));
    REQUIRE(now.asked(PartnerCode("XBB")).size() == asked.size());
    REQUIRE(now.count("request/XBB/") ==
            count(all, [](const auto* each) { return each->partner.text() == "XBB"; }));
    const Instant at = start + Seconds(static_cast<int64_t>(random() % 100));
    REQUIRE(now.open_requests(one.partner, at) == count(all, [&](const auto* each) {
              return each->partner == one.partner && each->state == RequestState::open && each->end > at;
            }));
    REQUIRE(now.approved("o1").size() == count(all, [](const auto* each) {
              return each->state == RequestState::open && !each->approvals.empty();
            }));
    REQUIRE(now.approved("o2").empty());
    const size_t waiting =
        count(all, [&](const auto* each) { return each->state == RequestState::open && each->end > at; });
    std::vector<const AccessRequest*> paged;
    for (Page<AccessRequest> page{.items = {}, .next = "0"}; !page.next.empty();) {
      page = now.waiting(at, page.next, 3);
      REQUIRE(page.items.size() <= 3);
      paged.insert(paged.end(), page.items.begin(), page.items.end());
      REQUIRE(paged.size() + page.more == waiting);
      REQUIRE(page.next.empty() == (page.more == 0));
    }
    REQUIRE(std::ranges::is_sorted(paged, {}, [](const auto* each) { return each->end; }));
    REQUIRE(std::ranges::all_of(
        paged, [&](const auto* each) { return each->state == RequestState::open && each->end > at; }));
    REQUIRE(now.waiting(AppId("cop"), at, 1'000).items.size() == waiting);
    REQUIRE(now.waiting(AppId("co"), at, 1'000).items.empty());
    REQUIRE(now.requests("", 1'000).items.size() == all.size());
    REQUIRE(now.requests("", 1).more == all.size() - std::min<size_t>(all.size(), 1));
  }
}

TEST_CASE("of grants those that hold are listed by their end, and all of them by their age") {
  Records all = records("XAA");
  all["app/tides"] = all["app/cop"];
  for (int i = 0; i < 7; ++i) {
    Grant one;
    one.id = RequestId(fmt::format("g{}", i));
    one.partner = PartnerCode("XBB");
    one.person = PersonId(fmt::format("p{}", i % 2));
    one.app = AppId(i % 3 == 0 ? "cop" : "tides");
    one.purpose = "charts";
    one.start = kNow - Seconds(100 + i);
    one.end = kNow + Seconds(10 * (i - 1));
    one.approved_by = {"o1"};
    all[record_key(one)] = to_json(one);
  }
  const World now = world(all);
  const auto ids = [](const Page<Grant>& page) {
    std::string out;
    for (const Grant* one : page.items) out += one->id.text() + " ";
    return out;
  };
  const Page<Grant> first = now.holding(kNow, "", 3);
  CHECK(ids(first) == "g2 g3 g4 ");
  CHECK(first.more == 2);
  CHECK(ids(now.holding(kNow, first.next, 3)) == "g5 g6 ");
  CHECK(now.holding(kNow, first.next, 3).next.empty());
  CHECK(ids(now.holding(AppId("cop"), kNow, 9)) == "g3 g6 ");
  const Page<Grant> newest = now.grants("", 4);
  CHECK(ids(newest) == "g0 g1 g2 g3 ");
  CHECK(newest.more == 3);
  CHECK(ids(now.grants(newest.next, 4)) == "g4 g5 g6 ");
  CHECK(ids(now.holding(kNow, "zzz", 3)).empty());
  CHECK(ids(now.grants("!", 3)).empty());
  Person who;
  who.partner = PartnerCode("XBB");
  who.id = PersonId("p1");
  CHECK(now.grants(who).size() == 3);
}

}  // namespace
}  // namespace entente::coalition
