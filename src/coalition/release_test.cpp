#include "coalition/barred.h"
#include "coalition/example_test.h"
#include "coalition/releases.h"

#include <algorithm>

#include <doctest/doctest.h>

namespace entente::coalition {
namespace {

using namespace example;
using std::chrono::minutes;

std::vector<std::string> controlled(std::vector<std::string> more = {fqn("releasable-to", "xbb")}) {
  std::vector<std::string> out{fqn("classification", "restricted"), fqn("originator", "xaa"),
                               fqn("handling", "orcon")};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

Person cassian() {
  Person out = person("XCC", "planner");
  out.facts["clearance"].value = std::string("RESTRICTED");
  return out;
}

Release release_to(const std::string& partner, std::vector<std::string> attributes = controlled()) {
  Release out;
  out.id = RequestId("r1");
  out.partner = PartnerCode(partner);
  out.object = "object-1";
  out.attributes = std::move(attributes);
  out.rights = {"open"};
  out.purpose = "EXERCISE: berths for the relief convoy";
  out.minutes = 60;
  out.by = "operator/asha.lind";
  out.asked = kNow - minutes(10);
  out.end = kNow + minutes(600);
  out.state = RequestState::granted;
  out.approvals.push_back({"operator/asha.lind", "", kNow - minutes(5), VerdictId("v1")});
  out.start = kNow - minutes(5);
  out.until = kNow + minutes(55);
  return out;
}

World with(const Release& release, const std::string& node = "XAA") {
  Records all = records(node);
  all[record_key(release)] = to_json(release);
  return world(all);
}

Ask opening(Action action = Action::open, Person who = cassian()) {
  Ask out = ask_object(std::move(who), action, controlled());
  for (auto* facts : {&out.context, &out.who.facts})
    for (auto& [name, fact] : *facts) fact.end = kNow + minutes(600);
  return out;
}

TEST_CASE("a release lets one object under originator control go to the nation it names, until it ends") {
  const World under = with(release_to("XCC"));
  const Verdict verdict = decide(under, opening());
  CHECK(verdict.permit);
  CHECK(verdict.grant.text() == "r1");
  CHECK(verdict.valid_until <= kNow + minutes(55));

  Ask late = opening();
  late.now = kNow + minutes(55);
  CHECK(rules(decide(under, late)) == "object-not-released");
  Ask early = opening();
  early.now = kNow - minutes(6);
  CHECK(rules(decide(under, early)) == "object-not-released");
  Ask other = opening();
  other.target = ObjectRef{"object-2"};
  CHECK(rules(decide(under, other)) == "object-not-released");
}

TEST_CASE(
    "attack: a release that is open, denied, revoked, for others, or approved by too few opens nothing") {
  for (const RequestState state :
       {RequestState::open, RequestState::denied, RequestState::withdrawn, RequestState::revoked}) {
    Release one = release_to("XCC");
    one.state = state;
    one.start.reset();
    one.until.reset();
    CHECK(rules(decide(with(one), opening())) == "object-not-released");
  }
  CHECK(rules(decide(with(release_to("XBB")), opening())) == "object-not-released");
  Release named = release_to("XCC");
  named.person = PersonId("somebody");
  CHECK(rules(decide(with(named), opening())) == "object-not-released");
  named.person = cassian().id;
  CHECK(decide(with(named), opening()).permit);

  Records all = records("XAA");
  Release few = release_to("XCC");
  few.approvals_needed = 2;
  all[record_key(few)] = to_json(few);
  CHECK(refused(all).where() == "release/XCC/r1/approvals");
  Release lasting = release_to("XCC");
  lasting.until = kNow + std::chrono::days(31);
  all[record_key(lasting)] = to_json(lasting);
  CHECK(refused(all).where() == "release/XCC/r1/until");
}

TEST_CASE(
    "attack: a release that was approved for what an object was said to bear opens another under its id") {
  const auto said = [](std::vector<std::string> attributes) {
    return with(release_to("XCC", std::move(attributes)));
  };
  const Ask high = opening();
  CHECK(decide(said(controlled()), high).permit);
  // Asked for as something lower; or approved, and then sealed again as something higher.
  std::vector<std::string> low = controlled();
  low[0] = fqn("classification", "unclassified");
  CHECK(rules(decide(said(low), high)) == "object-not-released");
  Ask more = opening();
  more.object->attributes.push_back(fqn("caveat", "medical"));
  CHECK(rules(decide(said(controlled()), more)) == "object-not-released");
  CHECK(rules(decide(said(more.object->attributes), high)) == "object-not-released");
  CHECK(rules(decide(said({}), high)) == "object-not-released");
  // In which order, and how often, means nothing.
  std::vector<std::string> turned = controlled();
  std::reverse(turned.begin(), turned.end());
  turned.push_back(turned.front());
  CHECK(decide(said(turned), high).permit);
}

TEST_CASE("attack: a release is said to be given that could open to nobody") {
  const auto why = [](const Records& all, const Release& release) {
    const auto reason = barred(world(all), release, kNow);
    return reason ? reason->policy : std::string();
  };
  const Records all = records("XAA");
  CHECK(why(all, release_to("XCC")) == "");
  Release named = release_to("XCC");
  named.person = cassian().id;
  CHECK(why(all, named) == "");
  CHECK(why(all, release_to("XCC", {fqn("classification", "restricted"), fqn("originator", "xaa")})) ==
        "object-not-releasable");  // under no originator's control: a release says nothing
  CHECK(why(all, release_to("XCC", controlled({fqn("mission", "no-such-mission")}))) != "");
  CHECK(why(all, release_to("XCC", controlled({fqn("colour", "blue")}))) != "");
  // Another nation's object, at this node: that nation is asked, and nobody looks here.
  CHECK(why(records("XBB"), release_to("XCC")) == "not-ours");

  Records suspended = all;
  suspended["partner/XCC"].set("state", "suspended");
  CHECK(why(suspended, release_to("XCC")) == "partner-suspended");
  CHECK(why(suspended, release_to("XBB")) == "");
  for (const char* what : {"policy/object-1", "partner/XCC", "person/XCC/"}) {
    CAPTURE(what);
    Records recalled = all;
    std::string key = std::string("recall/") + what;
    if (key.ends_with('/')) key += cassian().id.text();
    recalled[key] = Json::object({{"reason", "EXERCISE"}, {"by", "lena"}, {"at", rfc3339(kNow)}});
    CHECK(why(recalled, named) == "object-recalled");
  }
  Records over = all;
  over["mission/harbor-light"].set("end", rfc3339(kNow));
  const Release of_mission = release_to("XBB", controlled({fqn("mission", "harbor-light")}));
  CHECK(why(all, of_mission) == "");
  CHECK(why(over, of_mission) == "mission-ended");
}

TEST_CASE("attack: wishes that nobody has answered make nobody's answers be asked again") {
  Records all = records("XAA");
  const World empty = world(all);
  const auto touched = [](const World& before, const Release& release, bool there = true) {
    const std::vector<Record> change{
        {record_key(release), there ? std::optional(to_json(release)) : std::nullopt}};
    auto next = before.with(change, Revision{before.revision().value + 1});
    REQUIRE(next);
    return *std::move(next);
  };
  Release open = release_to("XCC");
  open.state = RequestState::open;
  open.start.reset();
  open.until.reset();
  const auto asked = touched(empty, open);
  CHECK(asked.touch.entities.empty());
  Release denied = open;
  denied.state = RequestState::denied;
  CHECK(touched(asked.world, denied).touch.entities.empty());
  CHECK(touched(asked.world, open, false).touch.entities.empty());
  // Given and taken back: those who asked about this object, of this nation.
  const auto given = touched(asked.world, release_to("XCC"));
  const auto concerns = [](const Touch& touch, const World& under, const Ask& ask) {
    const Verdict verdict = decide(under, ask);
    return std::ranges::any_of(touch.entities, [&](const auto& one) { return verdict.reach.touches(one); });
  };
  CHECK(concerns(given.touch, asked.world, opening()));
  Ask other = opening();
  other.target = ObjectRef{"object-2"};
  CHECK_FALSE(concerns(given.touch, asked.world, other));
  Release revoked = denied;
  revoked.state = RequestState::revoked;
  CHECK(concerns(touched(given.world, revoked).touch, given.world, opening()));
  CHECK(concerns(touched(given.world, release_to("XCC"), false).touch, given.world, opening()));
}

TEST_CASE("attack: a release overrules neither label nor clearance, mission, recall or suspension") {
  const Release release = release_to("XCC");
  // Each time for just what it bears.
  const auto refusal = [](const Ask& ask) {
    return rules(decide(with(release_to("XCC", ask.object->attributes)), ask));
  };
  // Not under originator control: the label alone decides.
  Ask plain = opening();
  plain.object->attributes = {fqn("classification", "restricted"), fqn("originator", "xaa"),
                              fqn("releasable-to", "xbb")};
  CHECK(refusal(plain) == "object-not-releasable");
  Ask high = opening();
  high.object->attributes[0] = fqn("classification", "confidential");
  CHECK(refusal(high) == "coalition-cleared-readers");
  Ask caveat = opening();
  caveat.object->attributes.push_back(fqn("caveat", "medical"));
  CHECK(refusal(caveat) == "coalition-cleared-readers");
  Ask mission = opening();
  mission.object->attributes.push_back(fqn("mission", "harbor-light"));
  CHECK(refusal(mission) == "partner-not-in-mission");

  Records all = records("XAA");
  all[record_key(release)] = to_json(release);
  all["recall/policy/object-1"] =
      Json::object({{"reason", "EXERCISE: by mistake."}, {"by", "lena"}, {"at", rfc3339(kNow)}});
  CHECK(rules(decide(world(all), opening())) == "object-recalled");
  all.erase("recall/policy/object-1");
  all["partner/XCC"].set("state", "suspended").set("state_reason", "EXERCISE: lost keys");
  CHECK(rules(decide(world(all), opening())) == "partner-suspended");
  // Lifting it restores nothing by itself.
  all["partner/XCC"].set("state", "active").set("resumed_at", rfc3339(kNow - minutes(1)));
  Ask again = opening();
  again.who.facts["signed_in_at"] = {kNow.time_since_epoch().count(), "idp", kNow + minutes(60)};
  CHECK(rules(decide(world(all), again)) == "object-not-released");
}

TEST_CASE("view, edit, forward and relabel are released one by one") {
  Release release = release_to("XCC");
  release.rights = {"forward"};
  const World under = with(release);
  CHECK(decide(under, opening(Action::forward)).permit);
  for (const Action other : {Action::open, Action::view, Action::edit, Action::relabel})
    CHECK(rules(decide(under, opening(other))) == "object-not-released");
  // A nation that the label names reads, and does no more without a release.
  Release to_borealis = release_to("XBB");
  to_borealis.rights = {"edit"};
  const auto borealis = [](Action action) { return opening(action, person("XBB", "planner")); };
  const World named = with(to_borealis);
  CHECK(decide(named, borealis(Action::open)).permit);
  CHECK(decide(named, borealis(Action::edit)).permit);
  CHECK(rules(decide(named, borealis(Action::forward))) == "coalition-originator-control");
}

TEST_CASE("named readers stay the only ones unless a release names the person") {
  Release release = release_to("XCC");
  Ask dissem = opening();
  dissem.object->dissem = {"XBB"};
  CHECK(rules(decide(with(release), dissem)) == "object-not-for-you");
  release.person = cassian().id;
  CHECK(decide(with(release), dissem).permit);
}

TEST_CASE("attack: a nation of joint origin says that its person has an address of ours") {
  const auto asked = [](const std::string& nation, std::vector<std::string> dissem) {
    Ask out =
        ask_object(person(nation, "planner"), Action::open,
                   {fqn("classification", "restricted"), fqn("originator", "xaa"), fqn("originator", "xbb")});
    out.object->in_shares = true;
    out.object->dissem = std::move(dissem);
    out.who.facts["email"] = {std::string("konrad@xaa.example"), "idp", kNow + minutes(600)};
    return out;
  };
  const World under = world(records("XAA"));
  CHECK(rules(decide(under, asked("XBB", {"konrad@xaa.example"}))) == "object-not-for-you");
  CHECK(decide(under, asked("XBB", {"XBB/konrad@xaa.example"})).permit);
  CHECK(decide(under, asked("XAA", {"konrad@xaa.example"})).permit);
}

TEST_CASE("of joint origin each nation releases its own share, and speaks for no other") {
  Ask joint = opening();
  joint.object->attributes.push_back(fqn("originator", "xbb"));
  const Release release = release_to("XCC", joint.object->attributes);
  CHECK(decide(with(release, "XAA"), joint).permit);
  CHECK(rules(decide(world(records("XBB")), joint)) == "object-not-released");
  CHECK(decide(with(release, "XBB"), joint).permit);
}

TEST_CASE("a report on what can still be opened knows when a release is over") {
  const World under = with(release_to("XCC"));
  Ask report = opening();
  CHECK_FALSE(barred(under, report));
  report.now = kNow + minutes(56);
  REQUIRE(barred(under, report));
  CHECK(barred(under, report)->policy == "object-not-released");
}

TEST_CASE("releases are given by operators whom a policy lets, nobody twice, and only on request") {
  Records all = records("XAA");
  Json second = all["operator/asha.lind"];
  second.set("uids", Json::array({4711})).set("person", "p-second");
  all["operator/asha.lind"].set("person", "p-asha");
  all["operator/second"] = second;
  const World under = world(all);
  const auto asked = [&](const std::string& name, std::vector<std::string> before) {
    Ask out = ask(operator_person(under, OperatorName(name)), Action::release, PartnerCode("XCC"));
    out.request = RequestFacts{.partner = PartnerCode("XCC"),
                               .person = {},
                               .minutes = 60,
                               .purpose = "berths",
                               .approvals_needed = 2,
                               .approved_by = std::move(before)};
    return out;
  };
  const Verdict first = decide(under, asked("asha.lind", {}));
  CHECK(first.permit);
  REQUIRE(first.terms);
  CHECK(first.terms->minutes == 10080);
  CHECK(rules(decide(under, asked("asha.lind", {"operator/asha.lind"}))) == "approved-already");
  CHECK(rules(decide(under, asked("asha.lind", {"p-asha"}))) == "approved-already");
  CHECK(decide(under, asked("second", {"operator/asha.lind", "p-asha"})).permit);
  CHECK(rules(decide(under, asked("ben.roth", {}))) == "operator-not-named");
  Ask nothing = asked("asha.lind", {});
  nothing.request.reset();
  CHECK(rules(decide(under, nothing)) == "no-request");
  Ask person_asks = asked("asha.lind", {});
  person_asks.who = person("XAA", "officer");
  CHECK(rules(decide(under, person_asks)) == "operator-unknown");
}

TEST_CASE("what was released to a nation that is let in again, or of a mission that ended, is closed") {
  const PartnerCode cassia("XCC");
  const std::string words = "It ended.";
  const Release given = release_to("XCC", controlled({fqn("mission", "harbor-light")}));
  const auto closed = closed_releases(with(given), cassia, words, kNow);
  REQUIRE(closed.size() == 1);
  CHECK(closed[0].state == RequestState::revoked);
  CHECK(closed[0].answer == words);
  CHECK_FALSE(closed[0].until);
  CHECK_NOTHROW(with(closed[0]));  // it is a record that stands
  CHECK(closed_releases(with(given), PartnerCode("XBB"), words, kNow).empty());
  CHECK(closed_releases(with(given), cassia, words, kNow + minutes(55)).empty());  // over already

  const MissionId harbor_light("harbor-light");
  CHECK(closed_releases(with(given), harbor_light, words, kNow).size() == 1);
  CHECK(closed_releases(with(given), MissionId("another"), words, kNow).empty());
  CHECK(closed_releases(with(release_to("XCC")), harbor_light, words, kNow).empty());  // of no mission
  Release wish = given;
  wish.state = RequestState::open;
  wish.start.reset();
  wish.until.reset();
  wish.approvals.clear();
  CHECK(closed_releases(with(wish), cassia, words, kNow).empty());  // it may still be answered
  const auto refused = closed_releases(with(wish), harbor_light, words, kNow);
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].state == RequestState::denied);
}

}  // namespace
}  // namespace entente::coalition
