#include "coalition/decide.h"
#include "coalition/example_test.h"

#include <algorithm>

#include <doctest/doctest.h>

namespace entente::coalition {
namespace {

using namespace example;
using std::chrono::minutes;

// Aldoria's archive opens to those whom its officers gave it, and to archivists anyway.
constexpr std::string_view kArchive = R"(
@id("archive-known") permit (principal, action == Entente::Action::"view",
  resource == Entente::App::"XAA/archive");
@id("archive-granted") @approvals("2") @minutes("120") @uses("3")
permit (principal, action == Entente::Action::"open", resource == Entente::App::"XAA/archive")
when { context has grant };
@id("archive-officers") permit (principal, action == Entente::Action::"open",
  resource == Entente::App::"XAA/archive") when { principal.roles.contains("officer") };
@id("archive-answers") permit (principal, action == Entente::Action::"approve",
  resource == Entente::App::"XAA/archive")
when { principal.roles.contains("officer") || context has delegation || principal.operator };
)";

Records archive() {
  Records out = records("XAA");
  out["app/archive"] = out["app/cop"];
  out["policy/host/archive"] = Json::object({{"text", kArchive}});
  out["policy/coalition/approvers"] = Json::object(
      {{"text", R"(permit (principal, action == Entente::Action::"approve", resource is Entente::App)
                   when { principal.partner == resource.owner };)"}});
  out["policy/home/approvers"] = Json::object(
      {{"text", R"(permit (principal, action == Entente::Action::"approve", resource is Entente::App);)"}});
  return out;
}

Grant grant_for(const Person& who) {
  Grant grant;
  grant.id = RequestId("r1");
  grant.partner = who.partner;
  grant.person = who.id;
  grant.app = AppId("archive");
  grant.purpose = "charts of the bay";
  grant.start = kNow - minutes(5);
  grant.end = kNow + minutes(55);
  grant.count = 2;
  grant.approved_by = {"p-officer"};
  return grant;
}

void give(Records& records, const Grant& grant) {
  records[record_key(grant)] = to_json(grant);
}

Ask opening(const Person& who) {
  return ask(who, Action::open, app("XAA", "archive"));
}

RequestFacts request_of(const Person& who) {
  return {.partner = who.partner, .person = who.id, .minutes = 60, .purpose = "charts", .approved_by = {}};
}

Ask answering(const Person& approver, const Person& asker) {
  Ask out = ask(approver, Action::approve, app("XAA", "archive"));
  out.request = request_of(asker);
  return out;
}

TEST_CASE("without a grant the refusal says on which terms one would open the app") {
  const World bare = world(archive());
  const Verdict verdict = decide(bare, opening(person("XBB", "planner")));
  CHECK_FALSE(verdict.permit);
  CHECK_FALSE(verdict.hidden);
  REQUIRE(verdict.terms);
  CHECK(*verdict.terms == GrantTerms{.approvals = 2, .minutes = 120, .uses = 3});
  // Where no grant would help, none is offered: a forbid stands against whatever is given.
  Ask excited = ask(person("XBB", "analyst"), Action::open, app("XAA", "cop"));
  REQUIRE(decide(bare, excited).terms);
  CHECK(*decide(bare, excited).terms == GrantTerms{.approvals = 1, .minutes = 240, .uses = 20});
  // The reason is that of the rule which a grant satisfies: what to do, and who says yes.
  const std::vector<Reason> reasons = decide(bare, excited).reasons;
  REQUIRE(reasons.size() == 1);
  CHECK(reasons[0].policy == "cop-analysts-by-grant");
  CHECK(reasons[0].change == "Ask for it, with a word about what for.");
  CHECK(reasons[0].who_decides == "Aldoria's officers");
  excited.context["risk"].value = int64_t{60};
  CHECK_FALSE(decide(bare, excited).terms);
  CHECK(decide(bare, excited).reasons[0].policy == "cop-calm-sessions-only");
  // Of what they may not know, nothing is said.
  Person clerk = person("XBB", "clerk");
  CHECK_FALSE(decide(bare, opening(clerk)).terms);
}

TEST_CASE("a grant opens its app to its person from its start to its end, and nothing else") {
  Records all = archive();
  const Person planner = person("XBB", "planner");
  give(all, grant_for(planner));
  const World given = world(all);
  const Verdict verdict = decide(given, opening(planner));
  CHECK(verdict.permit);
  CHECK(verdict.grant.text() == "r1");
  CHECK(verdict.valid_until <= kNow + minutes(55));

  Ask late = opening(planner);
  late.now = kNow + minutes(55);
  CHECK_FALSE(decide(given, late).permit);
  Ask early = opening(planner);
  early.now = kNow - minutes(6);
  CHECK_FALSE(decide(given, early).permit);

  Person other = planner;
  other.id = PersonId("p-other");
  CHECK_FALSE(decide(given, opening(other)).permit);
  Person namesake = person("XAA", "logistics");
  namesake.id = planner.id;
  CHECK_FALSE(decide(given, opening(namesake)).permit);
  CHECK(decide(given, opening(person("XAA", "officer"))).grant.empty());
}

TEST_CASE("what is permitted anyway uses no grant up") {
  Records all = archive();
  const Person officer = person("XAA", "officer");
  give(all, grant_for(officer));
  const Verdict verdict = decide(world(all), opening(officer));
  CHECK(verdict.permit);
  CHECK(verdict.grant.empty());
}

TEST_CASE("a used up grant admits nobody; who was admitted by it stays") {
  Records all = archive();
  const Person planner = person("XBB", "planner");
  Grant grant = grant_for(planner);
  grant.used = grant.count;
  give(all, grant);
  const World given = world(all);
  CHECK_FALSE(decide(given, opening(planner)).permit);
  Ask inside = opening(planner);
  inside.inside = true;
  inside.entered_by = RequestId("r1");
  CHECK(decide(given, inside).permit);
  inside.entered_by = RequestId("r2");
  CHECK_FALSE(decide(given, inside).permit);
}

TEST_CASE("attack: a session rests on no grant but the one its admission was counted on") {
  Records all = archive();
  const Person planner = person("XBB", "planner");
  Grant narrow = grant_for(planner);
  narrow.scope.read_only = true;
  Grant wide = grant_for(planner);
  wide.id = RequestId("r2");
  give(all, narrow);
  give(all, wide);
  Ask writing = opening(planner);
  writing.http = HttpFacts{"POST", "/charts"};
  writing.inside = true;
  writing.entered_by = narrow.id;
  CHECK_FALSE(decide(world(all), writing).permit);
  writing.entered_by = wide.id;
  CHECK(decide(world(all), writing).permit);
  writing.entered_by = RequestId();  // admitted by a policy that is gone
  CHECK_FALSE(decide(world(all), writing).permit);
}

TEST_CASE("a grant from before a suspension is not restored by lifting it") {
  Records all = archive();
  const Person planner = person("XBB", "planner");
  give(all, grant_for(planner));
  all["partner/XBB"].set("resumed_at", rfc3339(kNow - minutes(1)));
  Ask again = opening(planner);
  again.who.facts["signed_in_at"] = {int64_t{kNow.time_since_epoch().count()}, "node:XBB",
                                     kNow + minutes(30)};
  const Verdict verdict = decide(world(all), again);
  CHECK_FALSE(verdict.permit);
  CHECK(verdict.terms);  // nothing but the grant is missing
}

TEST_CASE("a grant's scope holds for each request inside") {
  Records all = archive();
  const Person planner = person("XBB", "planner");
  Grant grant = grant_for(planner);
  grant.scope = {.read_only = true, .paths = {"/charts"}};
  give(all, grant);
  const World given = world(all);
  CHECK(decide(given, opening(planner)).permit);
  const auto request = [&](const char* method, const char* path) {
    Ask out = opening(planner);
    out.http = HttpFacts{method, path};
    const Verdict verdict = decide(given, out);
    CHECK_FALSE(verdict.any_request);
    return verdict.permit;
  };
  CHECK(request("GET", "/charts"));
  CHECK(request("GET", "/charts/bay?full=1"));
  CHECK(request("HEAD", "/charts?x"));
  CHECK_FALSE(request("POST", "/charts"));
  CHECK_FALSE(request("GET", "/chartsroom"));
  CHECK_FALSE(request("GET", "/"));
  // What turns into a stream both ways is more than reading.
  Ask socket = opening(planner);
  socket.http = HttpFacts{"GET", "/charts", true};
  CHECK_FALSE(decide(given, socket).permit);
  grant.scope.read_only = false;
  give(all, grant);
  CHECK(decide(world(all), socket).permit);
}

TEST_CASE("opaque bytes reach only an app that says it carries them, and never by a narrow grant") {
  Records all = archive();
  const Person planner = person("XBB", "planner");
  Grant grant = grant_for(planner);
  give(all, grant);
  Ask bytes = opening(planner);
  bytes.bytes = true;
  Verdict verdict = decide(world(all), bytes);
  CHECK_FALSE(verdict.permit);
  CHECK(rules(verdict) == "bytes-not-carried");
  all["app/archive"].set("protocol", "bytes");
  CHECK(decide(world(all), bytes).permit);
  grant.scope.read_only = true;
  give(all, grant);
  CHECK_FALSE(decide(world(all), bytes).permit);
}

TEST_CASE("a change of a grant touches the sessions that rest on it") {
  Records all = archive();
  const Person planner = person("XBB", "planner");
  const World bare = world(all);
  const Verdict refused_now = decide(bare, opening(planner));
  const Grant grant = grant_for(planner);
  const Record record{record_key(grant), to_json(grant)};
  auto next = bare.with({&record, 1}, Revision{2});
  REQUIRE_MESSAGE(next, next.error().text());
  CHECK_FALSE(next->touch.only_widens);
  REQUIRE(next->touch.entities.size() == 1);
  CHECK(next->touch.entities[0] == entity_of(planner));
  const Verdict verdict = decide(next->world, opening(planner));
  CHECK(std::ranges::count(verdict.reach.entities, entity_of(planner)) == 1);
  CHECK(std::ranges::count(refused_now.reach.entities, entity_of(planner)) == 1);
  const Record gone{record.key, std::nullopt};
  auto after = next->world.with({&gone, 1}, Revision{3});
  REQUIRE_MESSAGE(after, after.error().text());
  CHECK_FALSE(decide(after->world, opening(planner)).permit);
}

TEST_CASE("who is about to give a grant sees what it would open") {
  const World bare = world(archive());
  const Person planner = person("XBB", "planner");
  Verdict verdict = decide_as_if(bare, opening(planner), grant_for(planner));
  CHECK(verdict.permit);
  REQUIRE(verdict.terms);
  CHECK(verdict.terms->approvals == 2);
  // A grant lifts nothing of the coalition's rules.
  Person outsider = planner;
  outsider.facts.erase("missions");
  CHECK_FALSE(decide_as_if(bare, opening(outsider), grant_for(outsider)).permit);
}

TEST_CASE("the owner's officers answer, and nobody answers their own") {
  const World given = world(archive());
  const Person planner = person("XBB", "planner");
  const Person officer = person("XAA", "officer");
  CHECK(decide(given, answering(officer, planner)).permit);
  CHECK(decide(given, answering(officer, person("XAA", "logistics"))).permit);
  CHECK_FALSE(decide(given, answering(person("XAA", "logistics"), planner)).permit);

  const Verdict own = decide(given, answering(officer, officer));
  CHECK_FALSE(own.permit);
  CHECK(rules(own) == "own-request");

  // Another nation's officer is not the owner's.
  Person foreign = person("XBB", "officer");
  const Verdict theirs = decide(given, answering(foreign, planner));
  CHECK_FALSE(theirs.permit);
  CHECK(rules(theirs) == "not-ours");

  Ask nothing = answering(officer, planner);
  nothing.request.reset();
  CHECK_FALSE(decide(given, nothing).permit);
}

TEST_CASE("two approvals are those of two people") {
  Records all = archive();
  const Person planner = person("XBB", "planner");
  Person officer = person("XAA", "officer");
  Ask second = answering(officer, planner);
  second.request->approvals_needed = 2;
  second.request->approved_by = {"p-somebody"};
  CHECK(decide(world(all), second).permit);
  second.request->approved_by = {officer.id.text()};
  CHECK(rules(decide(world(all), second)) == "approved-already");

  // An operator is somebody: until it is known who, they are no second person.
  Ask by_operator = answering(operator_person(world(all), OperatorName("asha.lind")), planner);
  CHECK(decide(world(all), by_operator).permit);
  by_operator.request->approvals_needed = 2;
  CHECK(rules(decide(world(all), by_operator)) == "operator-not-named");
  all["operator/asha.lind"].set("person", "p-asha");
  CHECK(decide(world(all), by_operator).permit);
  by_operator.request->approved_by = {"p-asha"};
  CHECK(rules(decide(world(all), by_operator)) == "approved-already");
  Ask own = answering(by_operator.who, person("XAA", "logistics"));
  own.request->person = PersonId("p-asha");
  CHECK(rules(decide(world(all), own)) == "own-request");
}

TEST_CASE("a delegate answers in the delegator's name, once and not for either of them") {
  Records all = archive();
  const Person planner = person("XBB", "planner");
  const Person deputy = person("XAA", "logistics");
  Delegation delegation;
  delegation.id = RequestId("d1");
  delegation.app = AppId("archive");
  delegation.from = PersonId("p-officer");
  delegation.to = deputy.id;
  delegation.start = kNow - minutes(1);
  delegation.end = kNow + minutes(2);
  delegation.facts = person("XAA", "officer").facts;
  all[record_key(delegation)] = to_json(delegation);
  const World given = world(all);
  const Verdict verdict = decide(given, answering(deputy, planner));
  CHECK(verdict.permit);
  CHECK(verdict.authority.text() == "p-officer");

  Ask after_officer = answering(deputy, planner);
  after_officer.request->approvals_needed = 2;
  after_officer.request->approved_by = {"p-officer"};
  CHECK_FALSE(decide(given, after_officer).permit);

  Person officer = person("XAA", "officer");
  CHECK_FALSE(decide(given, answering(deputy, officer)).permit);
  Ask other_time = answering(deputy, planner);  // while all that is said of them holds
  other_time.now = kNow + minutes(2) - Millis(1);
  CHECK(decide(given, other_time).permit);
  other_time.now = kNow + minutes(2);
  CHECK_FALSE(decide(given, other_time).permit);
  other_time.now = kNow - minutes(1) - Millis(1);
  CHECK_FALSE(decide(given, other_time).permit);
}

TEST_CASE("attack: a right that is gone is lent no more, whoever holds the delegation") {
  Records all = archive();
  const Person planner = person("XBB", "planner");
  const Person deputy = person("XAA", "logistics");
  const auto hours = [](int count) { return std::chrono::hours(count); };
  Delegation delegation;
  delegation.id = RequestId("d1");
  delegation.app = AppId("archive");
  delegation.from = PersonId("p-officer");
  delegation.to = deputy.id;
  delegation.start = kNow - hours(200);
  delegation.end = kNow + hours(200);
  const auto signed_in = [&](const char* role, Instant at) {
    Facts facts = person("XAA", role).facts;
    for (auto& [name, fact] : facts) fact.end = at + hours(8);
    facts["signed_in_at"] = {at.time_since_epoch().count(), "idp", at + hours(8)};
    return facts;
  };
  const auto answer = [&] {
    all[record_key(delegation)] = to_json(delegation);
    return decide(world(all), answering(deputy, planner));
  };
  const auto first = [](const Verdict& verdict) {
    return verdict.reasons.empty() ? std::string() : verdict.reasons.front().policy;
  };
  delegation.facts = signed_in("officer", kNow - hours(71));
  CHECK(answer().permit);
  CHECK(answer().valid_until <= kNow + hours(1));
  SUBCASE("they have not signed in for too long") {
    delegation.facts = signed_in("officer", kNow - kLenderKnownMax);
    CHECK_FALSE(answer().permit);
    CHECK(first(answer()) == "lender-not-known");
  }
  SUBCASE("nothing is known of them") {
    delegation.facts.clear();
    CHECK(first(answer()) == "lender-not-known");
  }
  SUBCASE("they signed in by a clock that was ahead") {
    delegation.facts = signed_in("officer", kNow + hours(1));
    for (auto& [name, fact] : delegation.facts) fact.end = kNow - hours(1);
    CHECK(first(answer()) == "lender-not-known");
  }
  SUBCASE("they are something else now") {
    delegation.facts = signed_in("logistics", kNow - hours(1));
    CHECK_FALSE(answer().permit);
    CHECK(first(answer()) == "lender-without-right");
  }
  SUBCASE("it was lent to them in turn") {
    delegation.facts = signed_in("logistics", kNow - hours(1));
    Delegation before = delegation;
    before.id = RequestId("d0");
    before.from = PersonId("p-other");
    before.to = PersonId("p-officer");
    before.facts = signed_in("officer", kNow - hours(1));
    all[record_key(before)] = to_json(before);
    CHECK(first(answer()) == "lender-without-right");
  }
  SUBCASE("an operator's right is their record, for as long as it is there") {
    delegation.from = PersonId("p-asha");
    delegation.facts.clear();
    CHECK(first(answer()) == "lender-not-known");
    all["operator/asha.lind"].set("person", "p-asha");
    CHECK(answer().permit);
    CHECK(answer().authority.text() == "p-asha");
    all["operator/asha.lind"].set("end", rfc3339(kNow));
    CHECK(first(answer()) == "lender-without-right");
  }
}

TEST_CASE("records of access are read strictly") {
  const auto with = [](const std::string& key, const Json& value) {
    Records all = archive();
    all[key] = value;
    return refused(all);
  };
  const Json grant = to_json(grant_for(person("XBB", "planner")));
  CHECK(with("grant/XBB/p/archive", grant).code() == "coalition.record");
  CHECK(with("grant/XBB/p/archive/r/more", grant).code() == "coalition.record");
  CHECK(with("grant/XBB/p p/archive/r", grant).code() == "coalition.record");
  CHECK(with("grant/XBB/p/nowhere/r", grant).code() == "coalition.reference");
  Json endless = grant;
  endless.set("end", rfc3339(kNow + kGrantLifeMax));
  CHECK(with("grant/XBB/p/archive/r", endless).where() == "grant/XBB/p/archive/r/end");
  Json nobody = grant;
  nobody.set("approved_by", Json::array());
  CHECK(with("grant/XBB/p/archive/r", nobody).where() == "grant/XBB/p/archive/r/approved_by");
  Json wide = grant;
  wide.set("scope", Json::object({{"paths", Json::array({"files"})}}));
  CHECK(with("grant/XBB/p/archive/r", wide).where() == "grant/XBB/p/archive/r/scope/paths");
  Json odd = grant;
  odd.set("scope", Json::object({{"everything", true}}));
  CHECK(with("grant/XBB/p/archive/r", odd).code() == "field.unknown");
}

TEST_CASE("what is written of a request is read back") {
  AccessRequest request;
  request.id = RequestId("r1");
  request.partner = PartnerCode("XBB");
  request.person = PersonId("p-planner");
  request.owner = PartnerCode("XAA");
  request.app = AppId("archive");
  request.purpose = "charts";
  request.minutes = 30;
  request.scope.paths = {"/charts"};
  request.asked = kNow;
  request.end = kNow + std::chrono::hours(24);
  request.state = RequestState::granted;
  request.approvals = {{"p-officer", "", kNow, VerdictId("v")}};
  request.answer = "until the ferry sails";
  request.facts = person("XBB", "planner").facts;
  request.granted_until = kNow + minutes(30);
  for (const char* owner : {"XAA", "XCC"}) {
    request.owner = PartnerCode(owner);
    Records all = archive();
    const std::string key = record_key(request, PartnerCode("XAA"));
    all[key] = to_json(request);
    const World given = world(all);
    const auto found = request.owner.text() == "XAA" ? given.requests() : given.asked();
    REQUIRE(found.size() == 1);
    CHECK(to_json(*found[0]) == to_json(request));
    CHECK(found[0]->id == request.id);
  }
}

}  // namespace
}  // namespace entente::coalition
