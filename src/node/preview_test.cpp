#include "node/preview.h"

#include "coalition/decide.h"
#include "coalition/example_test.h"
#include "node/operators.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::node;
namespace example = coalition::example;
using coalition::RequestState;
using example::kNow;
using exchange::Session;
using exchange::Side;
using exchange::Stage;

namespace {

const PartnerCode kAldoria("XAA");
const PartnerCode kBorealis("XBB");

// Aldoria's node, and what stands there.
struct Scene {
  std::map<SessionId, Session> sessions{};
  std::map<std::string, data::View> views{};
  std::vector<exchange::ConnectorRoster::Entry> connectors{};
  coalition::World before = example::world(example::records("XAA"));
  size_t asked = 0;

  void come_in(const std::string& id, coalition::Person who, Stage stage = Stage::live) {
    Session& one = sessions[SessionId(id)];
    one.id = SessionId(id);
    one.side = who.partner == kAldoria ? Side::local : Side::host;
    one.stage = stage;
    one.app = example::app("XAA", "cop");
    one.who = std::move(who);
  }
  void look(const std::string& id, const coalition::Ask& ask) {
    views[id].id = id;
    views[id].ask = ask;
  }
  [[nodiscard]] coalition::World with(const std::vector<coalition::Record>& records) const {
    const auto next = before.with(records, Revision{before.revision().value + 1});
    REQUIRE_MESSAGE(next, (next ? "" : next.error().text()));
    return next->world;
  }
  void has(const std::vector<coalition::Record>& records) { before = with(records); }

  Foreseen preview(const std::vector<coalition::Record>& records, size_t at_once = 1) {
    Preview::Ways ways;
    ways.session = [this](const SessionId& id) {
      const auto found = sessions.find(id);
      return found == sessions.end() ? nullptr : &found->second;
    };
    ways.goes_on = [this](const Session& session, const exchange::Rules& rules) {
      ++asked;
      return rules.decide(example::ask(session.who, coalition::Action::open, session.app)).permit;
    };
    ways.view = [this](const std::string& id) {
      const auto found = views.find(id);
      return found == views.end() ? nullptr : &found->second;
    };
    ways.opens = [](const coalition::AccessRequest& request, const coalition::World& world) {
      return world.partner(request.partner)->is_open();
    };
    ways.approvals = [](const coalition::AccessRequest& request, const coalition::World& world) {
      return world.delegations().empty() ? size_t{0} : request.approvals.size();
    };
    Preview::Stands stands;
    for (const auto& [id, session] : sessions) stands.sessions.push_back(id);
    stands.sessions.emplace_back("gone-meanwhile");
    for (const auto& [id, view] : views) stands.views.push_back(id);
    stands.views.emplace_back("gone-meanwhile");
    stands.connectors = connectors;
    Preview out(std::move(ways), std::move(stands), before, with(records), kNow);
    while (out.step(at_once)) {
    }
    return out.counted();
  }

  [[nodiscard]] std::vector<coalition::Record> suspension() const {
    return partner_state_change(before, kBorealis, coalition::PartnerState::suspended, "exercise", {}, {},
                                kNow)
        .records;
  }
};

coalition::Person another(coalition::Person who, const char* id) {
  who.id = PersonId(id);
  return who;
}

coalition::Record grant(const char* id, const char* partner, Instant end, int64_t used) {
  coalition::Grant one;
  one.id = RequestId(id);
  one.partner = PartnerCode(partner);
  one.person = PersonId("sd9MOQ2vTD0wyxXnyq3FZRTAbMEP2XzmMuVFMcLUUFk");
  one.app = AppId("cop");
  one.purpose = "exercise";
  one.start = kNow - Seconds(60);
  one.end = end;
  one.count = 3;
  one.used = used;
  one.approved_by = {"operator/lena"};
  return {record_key(one), to_json(one)};
}

coalition::AccessRequest request(const char* id, Instant end, RequestState state = RequestState::open) {
  coalition::AccessRequest one;
  one.id = RequestId(id);
  one.partner = kBorealis;
  one.person = PersonId("sd9MOQ2vTD0wyxXnyq3FZRTAbMEP2XzmMuVFMcLUUFk");
  one.owner = kAldoria;
  one.app = AppId("cop");
  one.purpose = "exercise";
  one.minutes = 60;
  one.asked = kNow - Seconds(60);
  one.end = end;
  one.state = state;
  one.approvals_needed = 2;
  one.approvals = {{"p-helper", "p-officer", kNow - Seconds(30), VerdictId("v-9"), {}, {}}};
  return one;
}
coalition::Record kept(const coalition::AccessRequest& one) {
  return {record_key(one, kAldoria), to_json(one)};
}

// Under originator control, and let go to Borealis.
coalition::Release release(const char* id, RequestState state) {
  coalition::Release one;
  one.id = RequestId(id);
  one.partner = kBorealis;
  one.object = "object-1";
  one.rights = {"open"};
  one.purpose = "exercise";
  one.minutes = 60;
  one.by = "operator/asha.lind";
  one.asked = kNow - Seconds(60);
  one.end = kNow + Seconds(3600);
  one.state = state;
  one.attributes = {example::fqn("classification", "restricted"), example::fqn("originator", "xaa"),
                    example::fqn("releasable-to", "xaa"), example::fqn("handling", "orcon")};
  if (state == RequestState::granted) {
    one.approvals = {{"operator/asha.lind", "", kNow - Seconds(30), VerdictId("v-9"), {}, {}}};
    one.start = kNow - Seconds(30);
    one.until = kNow + Seconds(3600);
  }
  return one;
}
coalition::Record kept(const coalition::Release& one) {
  return {record_key(one), to_json(one)};
}

Tally of(const PartnerCode& nation, int64_t number) {
  Tally out;
  for (int64_t i = 0; i < number; ++i) out.add(nation);
  return out;
}

}  // namespace

TEST_CASE("a preview counts who is inside, and who is being let in, of those alone whom the change refuses") {
  Scene scene;
  scene.come_in("one", example::person("XBB", "planner"));
  scene.come_in("two", another(example::person("XBB", "planner"), "p-second"));
  scene.come_in("coming", another(example::person("XBB", "planner"), "p-third"), Stage::recording);
  scene.come_in("own", example::person("XAA", "officer"));
  scene.come_in("refused-already", example::person("XBB", "clerk"));  // held, and cut with the next wave
  const Foreseen counted = scene.preview(scene.suspension());
  Foreseen right;
  right.sessions = of(kBorealis, 2);
  right.admissions = of(kBorealis, 1);
  CHECK(counted == right);
  CHECK(foreseen_text(counted) ==
        "Would end now: 2 sessions (XBB 2), 1 admission under way (XBB 1). Nothing was changed.");
  CHECK(scene.preview(scene.suspension(), 100) == right);
  CHECK(scene.preview({}) == Foreseen{});
}

TEST_CASE("a preview counts grants that open something, and requests that could still be granted") {
  Scene scene;
  scene.has({grant("one", "XBB", kNow + Seconds(60), 2), grant("over", "XBB", kNow, 0),
             grant("used-up", "XBB", kNow + Seconds(60), 3), kept(request("waits", kNow + Seconds(60))),
             kept(request("too-late", kNow)),
             kept(request("denied", kNow + Seconds(60), RequestState::denied))});
  Foreseen right;
  right.grants = of(kBorealis, 1);
  right.requests = of(kBorealis, 1);
  CHECK(scene.preview(scene.suspension()) == right);
  // By its end, whatever it opens.
  CHECK(scene.preview({{grant("one", "XBB", kNow, 0).key, std::nullopt}}).grants == right.grants);
  coalition::AccessRequest closed = request("waits", kNow + Seconds(60), RequestState::denied);
  CHECK(scene.preview({kept(closed)}).requests == right.requests);
}

TEST_CASE("a preview of a delegation's end counts the approvals that rest on it") {
  Scene scene;
  coalition::Delegation lent;
  lent.id = RequestId("lent");
  lent.app = AppId("cop");
  lent.from = PersonId("p-officer");
  lent.to = PersonId("p-helper");
  lent.start = kNow - Seconds(60);
  lent.end = kNow + Seconds(3600);
  scene.has({{record_key(lent), to_json(lent)}, kept(request("waits", kNow + Seconds(60)))});
  const Foreseen counted = scene.preview({{record_key(lent), std::nullopt}});
  Foreseen right;
  right.delegations = 1;
  right.approvals = 1;
  CHECK(counted == right);
  CHECK(foreseen_text(counted) ==
        "Would end now: 1 delegation. 1 approval of requests that wait would count no more. Nothing was "
        "changed.");
}

TEST_CASE("a preview counts the views that go blank, by a recall and by a suspension") {
  Scene scene;
  const std::vector<std::string> shared{example::fqn("classification", "restricted"),
                                        example::fqn("originator", "xaa"),
                                        example::fqn("releasable-to", "xbb")};
  for (const char* nation : {"XBB", "XAA"}) {
    coalition::Ask view = example::ask_object(
        example::person(nation, nation == std::string_view("XBB") ? "planner" : "officer"),
        coalition::Action::open, shared);
    REQUIRE_MESSAGE(decide(scene.before, view).permit, example::rules(decide(scene.before, view)));
    view.now = kNow - Seconds(30);
    scene.look(nation, view);
  }
  const Json recalled =
      Json::object({{"reason", "exercise"}, {"by", "operator/asha.lind"}, {"at", rfc3339(kNow)}});
  const Foreseen both = scene.preview({{"recall/policy/object-1", recalled}});
  CHECK(both.views.all == 2);
  CHECK(foreseen_text(both) == "Would end now: 2 open views of objects (XAA 1, XBB 1). Nothing was changed.");
  CHECK(scene.preview({{"recall/policy/object-2", recalled}}) == Foreseen{});
  // What is refused already goes blank by itself.
  scene.look("refused-already",
             example::ask_object(example::person("XBB", "clerk"), coalition::Action::open, shared));
  REQUIRE_FALSE(decide(scene.before, scene.views["refused-already"].ask).permit);
  CHECK(scene.preview({{"recall/policy/object-1", recalled}}).views.all == 2);
  CHECK(scene.preview(scene.suspension()).views == of(kBorealis, 1));
  // What another nation released ends with it, too.
  scene.views["XAA"].service = kBorealis;
  scene.views["XAA"].there = "view-there";
  CHECK(scene.preview(scene.suspension()).views.all == 2);
}

TEST_CASE("a preview counts releases that open something, and wishes for one that still could be") {
  Scene scene;
  scene.has({kept(release("given", RequestState::granted)), kept(release("wished", RequestState::open))});
  Foreseen right;
  right.releases = of(kBorealis, 1);
  right.requests = of(kBorealis, 1);
  CHECK(scene.preview(scene.suspension()) == right);
  coalition::Release back = release("given", RequestState::revoked);
  right.requests = {};
  CHECK(scene.preview({kept(back)}) == right);
}

TEST_CASE("a preview of a connector that is cut says which sessions find no other") {
  Scene scene;
  Json record = Json::object({{"thumbprint", std::string(43, 'A')},
                              {"apps", Json::array({"cop"})},
                              {"end", rfc3339(kNow + Seconds(3600))}});
  scene.has({{"connector/cop-1", record},
             {"connector/cop-2", Json(record).set("thumbprint", std::string(42, 'B') + "A")}});
  scene.connectors = {{.id = ConnectorId("cop-1"), .thumbprint = std::string(43, 'A')}};
  scene.come_in("one", example::person("XBB", "planner"));
  const std::vector<coalition::Record> cut{{"connector/cop-1", std::nullopt}};
  Foreseen right;
  right.connectors = 1;
  right.unserved = of(kBorealis, 1);
  CHECK(scene.preview(cut) == right);
  CHECK(foreseen_text(right) ==
        "1 connector would be disconnected, and what is under way there breaks off. 1 session (XBB 1) would "
        "find no connector of the app. Nothing was changed.");
  scene.connectors.push_back({.id = ConnectorId("cop-2"), .thumbprint = std::string(42, 'B') + "A"});
  right.unserved = {};
  CHECK(scene.preview(cut) == right);
}

TEST_CASE("a preview says in numbers what it says in words") {
  Foreseen counted;
  CHECK(foreseen_text(counted) ==
        "Nothing that is open, given or waiting now would end. Nothing was changed.");
  counted.grants = of(kBorealis, 2);
  counted.releases = of(kBorealis, 1);
  counted.requests.add(kAldoria);
  CHECK(
      foreseen_text(counted) ==
      "Would open nothing any more: 2 grants (XBB 2), 1 release of an object (XBB 1). Would come to nothing: "
      "1 request that waits (XAA 1). Nothing was changed.");
  const Json said = foreseen_json(counted);
  CHECK(*said.find("grants") == Json(int64_t{2}));
  CHECK(*said.find("grants_of") == Json::object({{"XBB", int64_t{2}}}));
  CHECK(*said.find("sessions") == Json(int64_t{0}));
}
