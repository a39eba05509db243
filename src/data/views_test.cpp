#include "data/views.h"

#include "coalition/example_test.h"

#include <algorithm>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace entente;
using namespace entente::data;
namespace example = coalition::example;

namespace {

const PartnerCode kXaa("XAA");
const PartnerCode kXbb("XBB");

// XAA's table, which looks after what its own people and XBB's are shown.
struct Looking {
  example::Records records = example::records("XAA");
  coalition::World world = example::world(records);
  std::set<std::string> signed_in{"page"};
  std::vector<std::pair<std::string, std::string>> ended;  // id and rule
  std::string why;
  Views views;
  ViewMoment at{example::kNow, Tick{} + std::chrono::hours(1)};

  explicit Looking(ViewLimits limits = {})
      : views(kXaa,
              {.signed_in = [this](const std::string& page) { return signed_in.contains(page); },
               .opened = [](const View&) {},
               .ended =
                   [this](const View& view, const ViewEnd& end) {
                     ended.emplace_back(view.id, end.rule);
                     why = end.why;
                   }},
              limits) {}

  [[nodiscard]] static View of(const std::string& nation, const std::string& post) {
    View out;
    out.ask = example::ask_object(example::person(nation, post), coalition::Action::open,
                                  {example::fqn("classification", "restricted"),
                                   example::fqn("originator", "xaa"), example::fqn("releasable-to", "xbb")});
    out.end = kNever;
    if (nation == "XAA") out.page = "page";
    return out;
  }
  Result<View> try_open(View view) {
    const coalition::Verdict verdict = coalition::decide(world, view.ask);
    REQUIRE(verdict.permit);
    return views.open(std::move(view), verdict, at);
  }
  View open(View view) { return try_open(std::move(view)).value(); }
  void commit(const std::string& key, std::optional<Json> value) {
    auto next = world.with(std::vector<coalition::Record>{{key, std::move(value)}},
                           Revision{world.revision().value + 1});
    REQUIRE(next);
    world = std::move(next->world);
    views.world_changed(world, next->touch, at);
  }
  void recall(const std::string& what, const Json& more = {}) {
    Json record =
        Json::object({{"reason", "EXERCISE: by mistake"}, {"by", "lena"}, {"at", rfc3339(example::kNow)}});
    if (more.is_object())
      for (const auto& [name, value] : more.members()) record.set(name, value);
    commit("recall/" + what, std::move(record));
  }
  void later(Millis time) {
    at.now += time;
    at.tick += time;
    views.time_passed(world, at);
  }
  [[nodiscard]] std::string rules() const {
    std::string out;
    for (const auto& [id, rule] : ended) out += (out.empty() ? "" : " ") + rule;
    return out;
  }
};

}  // namespace

TEST_CASE("what is recalled ends every view of it with the commit, whatever it is recalled by") {
  View view = Looking::of("XBB", "planner");
  view.ask.object->attributes.push_back(example::fqn("mission", "harbor-light"));
  view.ask.object->text_digest = "text-1";
  const std::string object = std::get<coalition::ObjectRef>(view.ask.target).id;
  const Json by_author = Json::object({{"object", object}});
  const Json by_label = Json::object({{"attributes", Json::array({example::fqn("releasable-to", "xbb")})}});
  for (const auto& [what, more] :
       std::vector<std::pair<std::string, Json>>{{"object/" + view.ask.object->key_digest, {}},
                                                 {"policy/" + object, {}},
                                                 {"partner/XBB", {}},
                                                 {"person/XBB/" + view.ask.who.id.text(), {}},
                                                 {"device/" + view.ask.by->device, {}},
                                                 {"mission/harbor-light", {}},
                                                 {"key/" + view.ask.object->kid, {}},
                                                 {"label/those", by_label},
                                                 {"author/text-1", by_author}}) {
    CAPTURE(what);
    REQUIRE_FALSE(what.ends_with('/'));
    Looking looking;
    looking.open(view);
    looking.recall(what, more);
    CHECK(looking.rules() == "object-recalled");
    CHECK(looking.why.find("EXERCISE: by mistake") != std::string::npos);
    CHECK(looking.views.size() == 0);
  }
}

TEST_CASE("a commit that touches nothing of a view leaves it, and a change of policies asks about all") {
  Looking looking;
  const View view = looking.open(Looking::of("XBB", "planner"));
  looking.recall("policy/some-other-object");
  CHECK(looking.rules().empty());
  CHECK(looking.views.find(view.id)->last.id == view.last.id);
  looking.commit(
      "policy/host/stop",
      Json::object({{"text", "@id(\"stop\") forbid (principal, action, resource is Entente::Object);"}}));
  CHECK(looking.views.size() == 0);
}

TEST_CASE("a suspended partner's people are shown nothing more") {
  Looking looking;
  looking.open(Looking::of("XBB", "planner"));
  Json partner = looking.records.at("partner/XBB");
  looking.commit("partner/XBB", partner.set("state", "suspended"));
  CHECK(looking.rules() == "partner-suspended");
}

TEST_CASE("a view ends with the earliest of its facts, and never later than the limit") {
  Looking looking({.life_max = Seconds(240)});
  View short_lived = Looking::of("XAA", "officer");
  short_lived.ask.who.facts.at("clearance").end = example::kNow + Seconds(60);
  CHECK(looking.open(short_lived).end == example::kNow + Seconds(60));
  CHECK(looking.open(Looking::of("XAA", "officer")).end == example::kNow + Seconds(240));
  looking.later(Seconds(61));
  CHECK(looking.rules() == "view-over");
  CHECK(looking.views.size() == 1);
  looking.later(Seconds(180));
  CHECK(looking.rules() == "view-over view-over");
}

TEST_CASE("attack: signed out, and looks on") {
  Looking looking;
  looking.open(Looking::of("XAA", "officer"));
  looking.open(Looking::of("XBB", "planner"));
  looking.signed_in.clear();
  looking.views.sign_ins_changed(PersonId("somebody"));
  CHECK(looking.rules().empty());
  SUBCASE("told of the person") {
    looking.views.sign_ins_changed(Looking::of("XAA", "officer").ask.who.id);
  }
  SUBCASE("told of nobody") {
    looking.views.sign_ins_changed();
  }
  CHECK(looking.rules() == "signed-out");
  CHECK(looking.views.size() == 1);
  // Nor is it shown to somebody who left while it was on its way.
  const auto late = looking.try_open(Looking::of("XAA", "officer"));
  REQUIRE_FALSE(late);
  CHECK(late.error().code() == "kas.views");
}

TEST_CASE("a recall of all that bears a label, and what a changed policy reads, end views with the commit") {
  Looking looking;
  const Json all = Json::object({{"reason", "EXERCISE: by mistake"},
                                 {"by", "lena"},
                                 {"at", rfc3339(example::kNow)},
                                 {"classification", "CONFIDENTIAL"}});
  looking.open(Looking::of("XBB", "planner"));
  looking.commit("recall/label/higher", all);
  CHECK(looking.rules().empty());
  looking.commit("recall/label/all", Json(all).set("classification", "RESTRICTED"));
  CHECK(looking.rules() == "object-recalled");

  Looking other;
  other.open(Looking::of("XBB", "planner"));
  other.commit("policy/host/third",
               Json::object({{"text",
                              "@id(\"third\") forbid (principal, action, resource is "
                              "Entente::Object) when { Entente::Partner::\"XCC\".state == "
                              "\"suspended\" };"}}));
  CHECK(other.rules().empty());
  Json partner = other.records.at("partner/XCC");
  other.commit("partner/XCC", partner.set("state", "suspended"));
  CHECK(other.rules() == "third");
}

TEST_CASE("attack: somebody else closes a view, or a partner watches another's") {
  Looking looking;
  const View own = looking.open(Looking::of("XAA", "officer"));
  const View theirs = looking.open(Looking::of("XBB", "planner"));
  CHECK_FALSE(looking.views.close(PersonId("somebody"), own.id));
  CHECK_FALSE(looking.views.close(theirs.ask.who.id, theirs.id));
  CHECK(looking.views.watched(kXbb, {theirs.id}, looking.at).empty());
  // Whose it is, or whether it is, nobody else learns.
  const auto foreign = looking.views.watched(PartnerCode("XCC"), {theirs.id, own.id, "none"}, looking.at);
  REQUIRE(foreign.size() == 3);
  CHECK(foreign[0].second == foreign[2].second);
  CHECK(foreign[1].second == foreign[2].second);
  looking.recall("partner/XBB");
  CHECK(looking.views.watched(PartnerCode("XCC"), {theirs.id}, looking.at)[0].second == foreign[2].second);
  const auto told = looking.views.watched(kXbb, {theirs.id}, looking.at);
  REQUIRE(told.size() == 1);
  CHECK(told[0].second.find("EXERCISE: by mistake") != std::string::npos);
  CHECK(looking.views.close(own.ask.who.id, own.id));
  CHECK(looking.rules() == "object-recalled view-closed");
}

TEST_CASE("attack: a nation of origin that says nothing shows nothing for longer than its lease") {
  Looking looking;
  View view = Looking::of("XAA", "officer");
  view.service = kXbb;
  view.there = "there-1";
  looking.open(view);
  view.there = "there-2";
  const View second = looking.open(view);
  CHECK(looking.views.held_at(kXbb).size() == 2);
  looking.later(Millis(4900));
  CHECK(looking.rules().empty());
  // An answer counts from when it was asked for, and for what it was asked about.
  looking.views.heard(kXbb, {"there-2"}, {}, looking.at.tick);
  looking.later(Millis(200));
  CHECK(looking.rules() == "origin-silent");
  CHECK(looking.views.find(second.id) != nullptr);
  looking.views.heard(PartnerCode("XCC"), {"there-2"}, {{"there-2", "a lie"}}, looking.at.tick);
  CHECK(looking.views.find(second.id) != nullptr);
  // One that was asked earlier and comes later takes nothing back.
  looking.views.heard(kXbb, {"there-2"}, {}, looking.at.tick - Millis(4'900));
  looking.later(Millis(200));
  CHECK(looking.views.find(second.id) != nullptr);
  looking.views.heard(kXbb, {"there-2"}, {{"there-2", "recalled"}}, looking.at.tick);
  CHECK(looking.rules() == "origin-silent origin-ended");
  CHECK(looking.why == "recalled");
  CHECK(looking.views.services().empty());
}

TEST_CASE("attack: a partner names two views alike: what cannot be told apart is not shown for long") {
  Looking looking;
  View view = Looking::of("XAA", "officer");
  view.service = kXbb;
  view.there = "same";
  looking.open(view);
  looking.open(view);
  for (int i = 0; i < 4; ++i) {
    looking.views.heard(kXbb, looking.views.held_at(kXbb), {}, looking.at.tick);
    looking.later(Millis(4000));
  }
  CHECK(looking.ended.size() >= 1);
  CHECK(looking.views.size() <= 1);
}

TEST_CASE("what a partner's node asks about no more is over") {
  Looking looking;
  const View view = looking.open(Looking::of("XBB", "planner"));
  looking.later(Seconds(29));
  CHECK(looking.views.watched(kXbb, {view.id}, looking.at).empty());
  looking.later(Seconds(29));
  CHECK(looking.rules().empty());
  looking.later(Seconds(2));
  CHECK(looking.rules() == "view-unwatched");
}

TEST_CASE("what is closed here is told to its origin, which lets go of it at once") {
  Looking looking;
  View view = Looking::of("XAA", "officer");
  view.service = kXbb;
  for (const char* there : {"closed", "silent", "ended"}) {
    view.there = there;
    const View open = looking.open(view);
    if (view.there == "closed") looking.views.close(open.ask.who.id, open.id);
  }
  CHECK(looking.views.closing() == std::set{kXbb});
  CHECK(looking.views.take_closed(kXbb) == std::vector<std::string>{"closed"});
  CHECK(looking.views.take_closed(kXbb).empty());
  looking.views.heard(kXbb, {"ended"}, {{"ended", "recalled"}}, looking.at.tick);
  CHECK(looking.views.closing().empty());  // it said so itself
  looking.later(Millis(5001));
  CHECK(looking.views.take_closed(kXbb) == std::vector<std::string>{"silent"});
  // Nor was one shown for which there was no room.
  looking.signed_in.clear();
  view.there = "late";
  CHECK_FALSE(looking.try_open(view).has_value());
  CHECK(looking.views.take_closed(kXbb) == std::vector<std::string>{"late"});
}

TEST_CASE("attack: a partner closes what another's, or our own, people look at") {
  Looking looking;
  const View own = looking.open(Looking::of("XAA", "officer"));
  const View theirs = looking.open(Looking::of("XBB", "planner"));
  looking.views.closed(PartnerCode("XCC"), {theirs.id, own.id, "none"});
  looking.views.closed(kXbb, {own.id});
  looking.views.closed(kXaa, {own.id});
  CHECK(looking.rules().empty());
  looking.views.closed(kXbb, {theirs.id});
  CHECK(looking.rules() == "view-closed");
}

TEST_CASE("where the clock was put right no view goes on, whoever looks, and a partner's node hears why") {
  Looking looking;
  const View own = looking.open(Looking::of("XAA", "officer"));
  const View theirs = looking.open(Looking::of("XBB", "planner"));
  looking.views.end_all({"clock-accepted", "The clock was put right."});
  CHECK(looking.rules() == "clock-accepted clock-accepted");
  CHECK(looking.views.size() == 0);
  const auto over = looking.views.watched(kXbb, {theirs.id}, looking.at);
  REQUIRE(over.size() == 1);
  CHECK(over.front().second == "The clock was put right.");
  CHECK(looking.views.find(own.id) == nullptr);
}

TEST_CASE("many that end at once are over at once, and are told of in turns") {
  Looking looking({.turn_max = 2});
  View view = Looking::of("XAA", "officer");
  for (int i = 0; i < 5; ++i) looking.open(view);
  looking.signed_in.clear();
  looking.views.sign_ins_changed();
  CHECK(looking.views.size() == 0);
  CHECK(looking.ended.size() == 2);
  CHECK(looking.views.busy());
  CHECK(looking.views.go_on(looking.world, looking.at));
  CHECK(looking.ended.size() == 4);
  CHECK_FALSE(looking.views.go_on(looking.world, looking.at));
  CHECK(looking.rules() == "signed-out signed-out signed-out signed-out signed-out");
}

TEST_CASE(
    "attack: a partner has so much open that a commit asks in turns: it hears of nothing that it holds") {
  Looking looking({.turn_max = 2});
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(looking.open(Looking::of("XBB", "planner")).id);
  looking.recall("partner/XBB");
  CHECK(looking.ended.size() == 2);
  CHECK(looking.views.doubted(ids));
  const auto over = [&] { return looking.views.watched(kXbb, ids, looking.at).size(); };
  CHECK(over() == 2);
  for (size_t ended : {4U, 5U}) {
    looking.views.go_on(looking.world, looking.at);
    CHECK(over() == ended);
  }
  CHECK_FALSE(looking.views.doubted(ids));
  CHECK_FALSE(looking.views.busy());
  CHECK(looking.views.size() == 0);
}

TEST_CASE("what was opened together is not asked again together, and none later than the limit") {
  constexpr int64_t kViews = 100, kShort = 10;  // seconds
  Looking looking({.per_person_max = 200, .asks_per_s = kViews / kShort});
  looking.commit("policy/host/clock",
                 Json::object({{"text",
                                "@id(\"clock\") forbid (principal, action, resource is Entente::Object) "
                                "when { context.now.toTime() < duration(\"0ms\") };"}}));
  std::map<std::string, std::pair<VerdictId, int64_t>> last;  // and when it was said
  std::vector<std::string> ids;
  for (int64_t i = 0; i < kViews; ++i) {
    const View asked = Looking::of("XBB", "planner");
    coalition::Verdict verdict = coalition::decide(looking.world, asked.ask);
    verdict.valid_until = kNever;  // later ones look at the clock
    const View view = looking.views.open(asked, verdict, looking.at).value();
    last[view.id] = {view.last.id, 0};
    ids.push_back(view.id);
  }
  const auto longest = std::chrono::ceil<Seconds>(looking.views.limits().ask_again).count();
  std::map<int64_t, size_t> in_second;
  for (int64_t second = 1; second <= 2 * longest; ++second) {
    CHECK(looking.views.watched(kXbb, ids, looking.at).empty());
    looking.later(Seconds(1));
    while (looking.views.busy()) looking.views.go_on(looking.world, looking.at);
    for (auto& [id, said] : last) {
      if (const VerdictId& now = looking.views.find(id)->last.id; now != said.first) {
        const int64_t after = second - said.second;
        CHECK(after >= (said.second == 0 ? longest : kShort) / 2);
        CHECK(after <= (said.second == 0 ? longest : kShort) + 1);
        said = {now, second};
        ++in_second[second];
      }
    }
  }
  for (const auto& [second, asked] : in_second) CHECK(asked <= 3 * kViews / kShort);
  for (const auto& [id, said] : last) CHECK(said.second > longest);
}

TEST_CASE("bounded: what was closed and not told, and what is remembered of those that ended") {
  Looking looking({.per_partner_max = 2, .ended_max = 1});
  View own = Looking::of("XAA", "officer");
  own.service = kXbb;
  for (const char* there : {"a", "b", "c"}) {
    own.there = there;
    looking.open(own);
  }
  looking.later(Millis(5'001));
  CHECK(looking.views.take_closed(kXbb).size() == 2);
  const View first = looking.open(Looking::of("XBB", "planner"));
  const View second = looking.open(Looking::of("XBB", "planner"));
  looking.recall("partner/XBB");
  const auto told = looking.views.watched(kXbb, {first.id, second.id}, looking.at);
  REQUIRE(told.size() == 2);
  const auto why = [&](size_t i) { return told[i].second.find("EXERCISE: by mistake") != std::string::npos; };
  CHECK(why(0) != why(1));
}

TEST_CASE("bounded: one person's oldest goes, one partner does not crowd out the others") {
  Looking looking({.per_partner_max = 3, .per_person_max = 2});
  View person = Looking::of("XBB", "planner");
  const View first = looking.open(person);
  looking.open(person);
  looking.open(person);
  CHECK(looking.rules() == "view-oldest");
  CHECK(looking.ended.at(0).first == first.id);
  person.ask.who.id = PersonId("another");
  looking.open(person);
  CHECK(looking.try_open(person).error().code() == "kas.views");
  CHECK(looking.try_open(Looking::of("XAA", "officer")).has_value());
  // For one that comes in the place of their oldest there is room; for one that does not, nothing ends.
  person = Looking::of("XBB", "planner");
  CHECK(looking.try_open(person).has_value());
  CHECK(looking.rules() == "view-oldest view-oldest");
  Looking untold({.views_max = 2, .turn_max = 0});  // nobody's turn comes
  untold.open(Looking::of("XAA", "officer"));
  untold.open(Looking::of("XAA", "officer"));
  untold.signed_in.clear();
  untold.views.sign_ins_changed();
  untold.signed_in.insert("page");
  CHECK(untold.views.size() == 0);
  CHECK_FALSE(untold.try_open(Looking::of("XAA", "officer")).has_value());
  // Nor for one whose own sign-in is gone.
  Looking signed_out({.per_person_max = 1});
  const View other = signed_out.open(Looking::of("XAA", "officer"));
  View late = Looking::of("XAA", "officer");
  late.page = "gone";
  CHECK(signed_out.try_open(late).error().code() == "kas.views");
  CHECK(signed_out.views.find(other.id) != nullptr);
  Looking full({.views_max = 1});
  const View kept = full.open(Looking::of("XAA", "officer"));
  CHECK(full.try_open(Looking::of("XAA", "officer")).error().code() == "kas.views");
  CHECK(full.views.find(kept.id) != nullptr);
}

TEST_CASE("attack: partners together open so much that nothing is left to our own people") {
  Looking looking({.views_max = 8, .turn_max = 0});  // nobody's turn comes: what ended waits to be told
  const auto opens = [&](const char* nation) {
    View view = Looking::of("XBB", "planner");
    view.ask.who.partner = PartnerCode(nation);
    const coalition::Verdict verdict = coalition::decide(looking.world, view.ask);
    return looking.views.open(view, verdict, looking.at).has_value();
  };
  for (const char* nation : {"XBB", "XCC", "XBB", "XCC"}) CHECK(opens(nation));
  for (const char* nation : {"XBB", "XCC", "XDD"}) CHECK_FALSE(opens(nation));
  CHECK(looking.try_open(Looking::of("XAA", "officer")).has_value());
  // What ended and was not told yet takes up their half as well, not ours.
  looking.views.end_all({"view-over", "It is over."});
  CHECK(looking.views.size() == 0);
  CHECK_FALSE(opens("XBB"));
  for (int i = 0; i < 3; ++i) CHECK(looking.try_open(Looking::of("XAA", "officer")).has_value());
}

TEST_CASE("attack: an origin holds its answer back: the lease counts from when it was asked") {
  Looking looking;
  View view = Looking::of("XAA", "officer");
  view.service = kXbb;
  view.there = "there";
  view.said = looking.at.tick - Millis(4'800);
  looking.open(view);
  CHECK(looking.rules().empty());
  looking.later(Millis(300));
  CHECK(looking.rules() == "origin-silent");
  // Over before it is shown: it is not, and its origin is told.
  view.there = "late";
  view.said = looking.at.tick - Millis(5'100);
  CHECK(looking.try_open(view).error().code() == "kas.views");
  CHECK(looking.views.take_closed(kXbb) == std::vector<std::string>{"there", "late"});
  looking.views.not_told(kXbb, {"there", "late"});
  CHECK(looking.views.take_closed(kXbb).size() == 2);
}
