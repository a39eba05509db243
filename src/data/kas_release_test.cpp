#include "coalition/releases.h"
#include "data/kas_for_test.h"

using namespace entente;
using namespace entente::data;
using namespace entente::data::for_test;

namespace {

std::string controlled() {
  return policy_of({example::fqn("classification", "restricted"), example::fqn("originator", "xaa"),
                    example::fqn("releasable-to", "xbb"), example::fqn("handling", "orcon")});
}

// A nation whose home vouches, at the originator's service.
struct Vouched {
  Desk desk;

  static KasCaller caller(const std::string& partner, const std::string& id = "pairwise-1") {
    KasCaller out;
    out.person = example::person(partner, "planner");
    out.person.id = PersonId(id);
    if (partner == "XCC") out.person.facts["clearance"].value = std::string("RESTRICTED");
    out.context["risk"] = {int64_t{0}, "node", example::kNow + std::chrono::hours(1)};
    out.context["network"] = {std::string("door"), "node", example::kNow + std::chrono::hours(1)};
    out.by.device = "device-1";
    return out;
  }
  Json body(const std::string& policy, bool wishes, const std::string& action = "open") const {
    Json request = Desk::wanted("policy", policy, {desk.access(policy)});
    request.set("action", action);
    if (wishes)
      request.set("release", Json::object({{"purpose", "EXERCISE: berths for the convoy"}, {"minutes", 60}}));
    return Desk::second({request});
  }
  // To its end; what is to be written down becomes part of the world.
  KasAnswer ask(const Json& wanted, KasCaller who) {
    auto step = desk.kas.take_for(std::move(who), read_rewrap(wanted).value(), desk.world, Desk::at());
    while (auto* write = std::get_if<Kas::Write>(&step)) {
      desk.leaves.insert(desk.leaves.end(), write->leaves.begin(), write->leaves.end());
      if (!write->records.empty()) {
        auto next = desk.world.with(write->records, Revision{desk.world.revision().value + 1});
        REQUIRE(next);
        desk.world = std::move(next->world);
      }
      step = desk.kas.written(std::move(*write), {}, desk.world, Desk::at());
    }
    KasAnswer out = std::get<KasAnswer>(std::move(step));
    desk.leaves.insert(desk.leaves.end(), out.leaves.begin(), out.leaves.end());
    return out;
  }
  void give(coalition::Release release) {
    release.state = coalition::RequestState::granted;
    release.approvals.push_back({"operator/asha.lind", "", example::kNow, VerdictId("v")});
    release.start = example::kNow;
    release.until = example::kNow + std::chrono::hours(1);
    const std::vector<coalition::Record> records{{record_key(release), to_json(release)}};
    auto next = desk.world.with(records, Revision{desk.world.revision().value + 1});
    REQUIRE(next);
    desk.world = std::move(next->world);
  }
};

}  // namespace

TEST_CASE(
    "a release is asked for by whoever needs it, waits, and opens that object to that person once given") {
  Vouched there;
  const Json open = there.body(controlled(), false);
  const KasAnswer refused = there.ask(open, Vouched::caller("XCC"));
  CHECK(result_of(refused, 0, 0).text_or("status", "") == "fail");
  CHECK(there.desk.kinds() == "key.refusal");

  const KasAnswer asked = there.ask(there.body(controlled(), true), Vouched::caller("XCC"));
  CHECK(result_of(asked, 0, 0).text_or("status", "") == "asked");
  REQUIRE(there.desk.world.releases().size() == 1);
  const coalition::Release waiting = *there.desk.world.releases()[0];
  CHECK(result_of(asked, 0, 0).text_or("release", "") == waiting.id.text());
  CHECK(waiting.by == "XCC/pairwise-1");
  CHECK(waiting.rights == std::vector<std::string>{"open", "view"});
  CHECK(there.desk.kinds() == "key.refusal release.asked");
  // Asked again: the same one.
  there.ask(there.body(controlled(), true), Vouched::caller("XCC"));
  CHECK(there.desk.world.releases().size() == 1);
  // Somebody else's: one of their own.
  there.ask(there.body(controlled(), true), Vouched::caller("XCC", "pairwise-2"));
  CHECK(there.desk.world.releases().size() == 2);
  CHECK(there.desk.kas.keys().operations() == 0);
  CHECK(result_of(there.ask(open, Vouched::caller("XCC")), 0, 0).text_or("status", "") == "fail");

  there.give(waiting);
  const KasAnswer given = there.ask(open, Vouched::caller("XCC"));
  CHECK(there.desk.gave(result_of(given, 0, 0).text_or("kasWrappedKey", ""), given));
  const auto& fields = there.desk.leaves.back().fields;
  CHECK(std::ranges::any_of(fields, [&](const auto& field) {
    return field.first == "grant" && field.second.string() == waiting.id.text();
  }));
  // Nobody else of that nation, and no other right.
  CHECK(result_of(there.ask(open, Vouched::caller("XCC", "pairwise-2")), 0, 0).text_or("status", "") ==
        "fail");
  const Json forward = there.body(controlled(), false, "forward");
  CHECK(result_of(there.ask(forward, Vouched::caller("XCC")), 0, 0).text_or("status", "") == "fail");
}

TEST_CASE("whoever is refused for want of a release hears that they may ask, and then how it stands") {
  Vouched there;
  const auto wish_of = [&](const Json& wanted, const std::string& who = "pairwise-1") {
    const KasAnswer answer = there.ask(wanted, Vouched::caller("XCC", who));
    const Json* wish = result_of(answer, 0, 0).find("wish");
    return wish == nullptr ? Json::object({{"state", "nothing"}}) : *wish;
  };
  const auto state_of = [&](const Json& wanted, const std::string& who = "pairwise-1") {
    return std::string(wish_of(wanted, who).text_or("state", ""));
  };
  const auto answered = [&](coalition::RequestState state, std::string words) {
    coalition::Release release = *there.desk.world.releases()[0];
    release.state = state;
    release.answer = std::move(words);
    release.start.reset();
    release.until.reset();
    const std::vector<coalition::Record> records{{record_key(release), to_json(release)}};
    auto next = there.desk.world.with(records, Revision{there.desk.world.revision().value + 1});
    REQUIRE(next);
    there.desk.world = std::move(next->world);
  };
  const Json open = there.body(controlled(), false);
  Json shown = open;
  shown.set("view", true);
  CHECK(state_of(open) == "none");
  CHECK(state_of(shown) == "none");
  const Json asked = wish_of(there.body(controlled(), true));
  CHECK(asked.text_or("state", "") == "open");
  REQUIRE(there.desk.world.releases().size() == 1);
  const std::string id = there.desk.world.releases()[0]->id.text();
  CHECK(asked.text_or("release", "") == id);
  CHECK(wish_of(open).text_or("release", "") == id);
  // Asked for to open it: that is to be shown it, too.
  CHECK(state_of(shown) == "open");
  CHECK(state_of(there.body(controlled(), false, "forward")) == "none");
  // Somebody else's is nobody's business, nor is one of other attributes.
  CHECK(state_of(open, "pairwise-2") == "none");
  const std::string other = policy_of({example::fqn("classification", "restricted"),
                                       example::fqn("originator", "xaa"), example::fqn("handling", "orcon")});
  CHECK(state_of(there.body(other, false)) == "none");
  // What one of several approvers wrote is not said before it is answered.
  answered(coalition::RequestState::open, "EXERCISE: a first word");
  CHECK(wish_of(open).text_or("words", "") == "");

  answered(coalition::RequestState::denied, "EXERCISE: ask the harbour master");
  CHECK(wish_of(open).text_or("state", "") == "denied");
  CHECK(wish_of(open).text_or("words", "") == "EXERCISE: ask the harbour master");
  CHECK(state_of(open, "pairwise-2") == "none");
  there.give(*there.desk.world.releases()[0]);
  CHECK(state_of(open) == "nothing");  // it opens
  const Json given = wish_of(there.body(controlled(), true));
  CHECK(given.text_or("state", "") == "granted");
  CHECK(given.text_or("until", "") == rfc3339(example::kNow + std::chrono::hours(1)));
  answered(coalition::RequestState::revoked, "");
  CHECK(state_of(open) == "revoked");
  // Answered, it can be asked for anew.
  CHECK(state_of(there.body(controlled(), true)) == "open");
  CHECK(there.desk.world.releases().size() == 2);
  // Where none would help nothing is said of any.
  CHECK(state_of(there.body(restricted(), false)) == "nothing");
  const std::string high = policy_of({example::fqn("classification", "secret"),
                                      example::fqn("originator", "xaa"), example::fqn("handling", "orcon")});
  CHECK(state_of(there.body(high, false)) == "nothing");
}

TEST_CASE("attack: a release is asked for where none would help, or more than one may ask for") {
  Vouched there;
  const auto status = [&](const Json& wanted, KasCaller who) {
    return std::string(result_of(there.ask(wanted, std::move(who)), 0, 0).text_or("status", ""));
  };
  // Of what is not under originator control, too high, or open to them already.
  CHECK(status(there.body(restricted(), true), Vouched::caller("XCC")) == "fail");
  CHECK(status(there.body(controlled(), true), Vouched::caller("XBB")) == "fail");
  const std::string high = policy_of({example::fqn("classification", "secret"),
                                      example::fqn("originator", "xaa"), example::fqn("handling", "orcon")});
  CHECK(status(there.body(high, true), Vouched::caller("XCC")) == "fail");
  CHECK(there.desk.world.releases().empty());
  for (size_t i = 0; i < coalition::kOpenReleasesMax; ++i) {
    const std::string policy =
        policy_of({example::fqn("classification", "restricted"), example::fqn("originator", "xaa"),
                   example::fqn("handling", "orcon")},
                  fmt::format("object-{}", i));
    CHECK(status(there.body(policy, true), Vouched::caller("XCC")) == "asked");
  }
  CHECK(status(there.body(controlled(), true, "forward"), Vouched::caller("XCC")) == "fail");
  CHECK(there.desk.world.releases().size() == coalition::kOpenReleasesMax);
  CHECK(there.desk.kas.keys().operations() == 0);
  // Nor together with a key.
  const Json one = Desk::wanted("a", controlled(), {there.desk.access(controlled())});
  Json two = one;
  two.set("release", Json::object({{"purpose", "EXERCISE"}, {"minutes", 60}}));
  CHECK_FALSE(read_rewrap(Desk::second({one, two})));
  Json doubled =
      Desk::wanted("a", controlled(), {there.desk.access(controlled()), there.desk.access(controlled())});
  CHECK(read_rewrap(Desk::second({doubled})));
  doubled.set("release", Json::object({{"purpose", "EXERCISE"}, {"minutes", 60}}));
  CHECK_FALSE(read_rewrap(Desk::second({doubled})));
  CHECK_FALSE(read_rewrap(Desk::second({two, two})));
  CHECK(read_rewrap(Desk::second({two})));
  // A line that looks like another one on an officer's terminal.
  for (const char* line : {"\xc2\x9b"
                           "2J",
                           "a \xe2\x80\xae b",
                           "a\xe2\x80\xa8"
                           "b",
                           "a\x1b[2J"}) {
    two.set("release", Json::object({{"purpose", line}, {"minutes", 60}}));
    CHECK_FALSE(read_rewrap(Desk::second({two})));
  }
  two.set("release", Json::object({{"purpose", "two\nlines"}, {"minutes", 60}}));
  CHECK_FALSE(read_rewrap(Desk::second({two})));
  two.set("release", Json::object({{"purpose", "EXERCISE"}, {"minutes", 43201}}));
  CHECK_FALSE(read_rewrap(Desk::second({two})));
}

TEST_CASE("attack: a release is asked for under other attributes than the object of that id bears") {
  Vouched there;
  const KasCaller reader = Vouched::caller("XCC");
  const std::string said = policy_of({example::fqn("classification", "restricted"),
                                      example::fqn("originator", "xaa"), example::fqn("handling", "orcon")});
  const std::string real = controlled();  // meant for Borealis alone
  CHECK(result_of(there.ask(there.body(said, true), reader), 0, 0).text_or("status", "") == "asked");
  REQUIRE(there.desk.world.releases().size() == 1);
  there.give(*there.desk.world.releases()[0]);
  CHECK(result_of(there.ask(there.body(real, false), reader), 0, 0).text_or("status", "") == "fail");
  CHECK(there.desk.kas.keys().operations() == 0);
  // Nor is it the same wish.
  CHECK(result_of(there.ask(there.body(real, true), reader), 0, 0).text_or("status", "") == "asked");
  CHECK(there.desk.world.releases().size() == 2);
  CHECK(result_of(there.ask(there.body(said, false), reader), 0, 0).text_or("status", "") == "permit");
}

TEST_CASE("attack: wishes at once, before the first is written, are more than one may have") {
  Vouched there;
  KasCaller who = Vouched::caller("XCC");
  for (int i = 0; i < 100; ++i)
    who.person.facts[fmt::format("more-{}", i)] = {std::string(100, 'x'), "idp",
                                                   example::kNow + std::chrono::hours(1)};
  const auto take = [&](size_t i) {
    const std::string policy =
        policy_of({example::fqn("classification", "restricted"), example::fqn("originator", "xaa"),
                   example::fqn("handling", "orcon")},
                  fmt::format("object-{}", i));
    return there.desk.kas.take_for(who, read_rewrap(there.body(policy, true)).value(), there.desk.world,
                                   Desk::at());
  };
  std::vector<Kas::Step> waiting;
  for (size_t i = 0; i < coalition::kOpenReleasesMax; ++i) {
    waiting.push_back(take(i));
    REQUIRE(std::holds_alternative<Kas::Write>(waiting.back()));
  }
  Kas::Step more = take(coalition::kOpenReleasesMax);
  REQUIRE(std::holds_alternative<KasAnswer>(more));
  CHECK(result_of(std::get<KasAnswer>(more), 0, 0).text_or("status", "") == "fail");
  // What was said of the person is kept as far as an officer reads it.
  const auto& records = std::get<Kas::Write>(waiting.front()).records;
  REQUIRE(records.size() == 1);
  CHECK(records.front().value->dump().size() < 2000);
  waiting.clear();  // nothing of it was written
  CHECK(std::holds_alternative<Kas::Write>(take(0)));
}

TEST_CASE("home says for whom a release is asked, and its own rules come first") {
  Pair pair;
  const std::string policy =
      policy_of({example::fqn("classification", "restricted"), example::fqn("originator", "xbb"),
                 example::fqn("handling", "orcon")});
  const auto wish = [&](const std::string& of) {
    Json request = Desk::wanted("policy", of, {pair.wrapped_for_xbb(of)});
    request.set("release", Json::object({{"purpose", "EXERCISE: berths"}, {"minutes", 60}}));
    return Desk::second({request});
  };
  auto step = pair.ask(wish(policy));
  REQUIRE(std::holds_alternative<Kas::Forward>(step));
  const Json& passed_on = std::get<Kas::Forward>(step).request.find("requests")->items()[0];
  CHECK(passed_on.find("release")->text_or("purpose", "") == "EXERCISE: berths");
  // A service that gives a key where none is asked for is not heard.
  Json lie = pair.honest(std::get<Kas::Forward>(step).request);
  const KasAnswer lied = pair.hear(std::move(step), lie);
  CHECK(result_of(lied, 0, 0).text_or("status", "") == "fail");
  CHECK(pair.home.kinds() == "release.asked key.refusal");

  step = pair.ask(wish(policy));
  Json result = Json::object({{"keyAccessObjectId", "k0"}, {"status", "asked"}, {"release", "r-1"}});
  Json responses = Json::array({Json::object({{"results", Json::array({result})}})});
  const KasAnswer told = pair.hear(
      std::move(step), Json::object({{"status", 200}, {"body", Json::object({{"responses", responses}})}}));
  CHECK(result_of(told, 0, 0).text_or("release", "") == "r-1");
  // Their words are shown to a person.
  step = pair.ask(wish(policy));
  result.set("release", "r\n\x1b[2J1" + std::string(5'000, 'x'));
  responses = Json::array({Json::object({{"results", Json::array({result})}})});
  const KasAnswer wordy = pair.hear(
      std::move(step), Json::object({{"status", 200}, {"body", Json::object({{"responses", responses}})}}));
  const std::string name(result_of(wordy, 0, 0).text_or("release", ""));
  CHECK(name.size() < 1'000);
  CHECK(std::ranges::all_of(name, [](char c) { return c >= ' '; }));

  const std::string high =
      policy_of({example::fqn("classification", "secret"), example::fqn("originator", "xbb"),
                 example::fqn("caveat", "medical"), example::fqn("handling", "orcon")});
  CHECK(std::holds_alternative<KasAnswer>(pair.ask(wish(high))));
}

TEST_CASE(
    "home passes on how a wish stands, notes whose it is, and believes no more than that of an origin") {
  Pair pair;
  std::vector<std::string> noted;
  Kas::Parts parts = Desk::parts({}, false);
  parts.waits = [&](const PartnerCode& service, const RequestId& id, const PersonId& who) {
    noted.push_back(fmt::format("{} {} {}", service.text(), id.text(), who.text()));
  };
  Kas home(std::move(parts));
  KasCaller caller;
  caller.person = example::person("XAA", "officer");
  caller.person.id = PersonId("p-officer");
  caller.context = Vouched::caller("XAA").context;
  caller.by.device = "browser:1";
  const std::string policy =
      policy_of({example::fqn("classification", "restricted"), example::fqn("originator", "xbb"),
                 example::fqn("handling", "orcon")});
  // What the page is told when the origin says this.
  const auto told = [&](const Json& said, bool wishes = false) {
    Json request = Desk::wanted("policy", policy, {pair.wrapped_for_xbb(policy)});
    if (wishes) request.set("release", Json::object({{"purpose", "EXERCISE: berths"}, {"minutes", 60}}));
    auto step = home.take_for_page(caller, "page", read_rewrap(Desk::second({request})).value(),
                                   pair.home.world, Desk::at());
    while (auto* write = std::get_if<Kas::Write>(&step))
      step = home.written(std::move(*write), {}, pair.home.world, Desk::at());
    REQUIRE(std::holds_alternative<Kas::Forward>(step));
    const Json& forwarded = std::get<Kas::Forward>(step).request;
    CHECK((forwarded.find("view") == nullptr) == wishes);
    Json result = said;
    result.set("keyAccessObjectId", "k0");
    const Json responses = Json::array({Json::object({{"results", Json::array({result})}})});
    const Json body = Json::object({{"status", 200}, {"body", Json::object({{"responses", responses}})}});
    step = home.forwarded(std::get<Kas::Forward>(std::move(step)), body, pair.home.world, Desk::at());
    REQUIRE(std::holds_alternative<KasAnswer>(step));
    const Json* wish = result_of(std::get<KasAnswer>(step), 0, 0).find("wish");
    return wish == nullptr ? std::string("nothing") : wish->dump();
  };
  const auto fails = [](Json wish) {
    return Json::object({{"status", "fail"}, {"error", "no"}, {"wish", std::move(wish)}});
  };
  CHECK(told(fails(Json::object({{"state", "none"}}))) == R"({"state":"none"})");
  CHECK(noted.empty());
  const Json waits = Json::object({{"state", "open"}, {"release", "r-1"}});
  CHECK(told(fails(waits)) == R"({"state":"open","release":"r-1"})");
  const Json asked = Json::object({{"status", "asked"}, {"release", "r-2"}});
  Json named = asked;
  named.set("wish", Json::object({{"state", "open"}, {"release", "r-2"}}));
  CHECK(told(named, true) == R"({"state":"open","release":"r-2"})");
  CHECK(noted == std::vector<std::string>{"XBB r-1 p-officer", "XBB r-2 p-officer"});
  named.set("wish", waits);  // another one's
  CHECK(told(named, true) == "nothing");
  CHECK(told(asked, true) == "nothing");
  const Json denied = Json::object({{"state", "denied"}, {"release", "r-1"}, {"words", "EXERCISE: no"}});
  CHECK(told(fails(denied)) == R"({"state":"denied","release":"r-1","words":"EXERCISE: no"})");

  const auto with = [&](const char* name, Json value) {
    Json out = denied;
    out.set(name, std::move(value));
    return told(fails(std::move(out)));
  };
  CHECK(with("state", "permitted") == "nothing");
  CHECK(with("state", 7) == "nothing");
  CHECK(with("release", std::string(65, 'r')) == "nothing");
  CHECK(with("release", "r\n1") == "nothing");
  CHECK(with("release", "") == "nothing");
  const std::string silent = R"({"state":"denied","release":"r-1"})";
  for (const char* steers : {"a\x1b[2J", "a \xe2\x80\xae b", "two\nlines"})
    CHECK(with("words", steers) == silent);
  CHECK(with("words", std::string(1'001, 'x')) == silent);
  CHECK(told(fails("open")) == "nothing");
  CHECK(noted.size() == 2);
}

TEST_CASE("attack: of several rights asked for at once, one that is refused refuses the key") {
  Vouched there;
  const auto asked = [&](const std::vector<std::string>& rights, const std::string& policy = restricted()) {
    Json body = there.body(policy, false);
    Json request = body.find("requests")->items()[0];
    Json names = Json::array();
    for (const std::string& right : rights) names.push(right);
    request.set("action", std::move(names));
    there.desk.leaves.clear();
    return there.ask(body.set("requests", Json::array({std::move(request)})), Vouched::caller("XBB"));
  };
  const auto said = [&](const KasAnswer& answer) {
    return std::string(result_of(answer, 0, 0).text_or("status", ""));
  };
  const auto field = [&](std::string_view name) {
    for (const auto& [key, value] : there.desk.leaves.back().fields)
      if (key == name) return value.is_string() ? value.string() : value.dump();
    return std::string();
  };
  const size_t before = there.desk.kas.keys().operations();
  for (const auto& rights : std::vector<std::vector<std::string>>{{"relabel"},
                                                                  {"forward", "relabel"},
                                                                  {"relabel", "forward"},
                                                                  {"open", "edit", "forward", "relabel"}}) {
    const KasAnswer refused = asked(rights);
    CHECK(said(refused) == "fail");
    CHECK(result_of(refused, 0, 0).text_or("error", "").find("label an object anew") != std::string::npos);
    CHECK(there.desk.kinds() == "key.refusal");
    CHECK(field("action") == fmt::format("{}", fmt::join(rights, " ")));
    CHECK(field("rules").find("coalition-labels-stay") != std::string::npos);
  }
  CHECK(there.desk.kas.keys().operations() == before);
  CHECK(said(asked({"open", "edit", "forward"})) == "permit");
  CHECK(there.desk.kinds() == "key.attempt key.release");
  CHECK(field("action") == "open edit forward");

  // Under originator control each is released by itself, and both releases stand in the ledger.
  const auto release = [&](const std::string& right) {
    there.ask(there.body(controlled(), true, right), Vouched::caller("XBB"));
    for (const coalition::Release* one : there.desk.world.releases()) {
      if (one->rights != std::vector{right}) continue;
      const coalition::Release waiting = *one;
      there.give(waiting);
      return waiting.id.text();
    }
    return std::string("none asked for");
  };
  CHECK(said(asked({"forward", "edit"}, controlled())) == "fail");
  const std::string forward = release("forward");
  const KasAnswer half = asked({"forward", "edit"}, controlled());
  CHECK(said(half) == "fail");
  CHECK(result_of(half, 0, 0).find("wish")->text_or("state", "") == "none");
  CHECK(field("grant").empty());  // a refusal rests on no release
  const std::string edit = release("edit");
  CHECK(said(asked({"forward", "edit"}, controlled())) == "permit");
  CHECK(field("grant") == forward + " " + edit);
}

TEST_CASE("attack: nobody but this node says which program carries a duty out") {
  Vouched there;
  there.desk.records["policy/host/objects"] = Json::object(
      {{"text", "@obligation(\"view-only\") permit (principal, action, resource is Entente::Object);"}});
  there.desk.world = example::world(there.desk.records);
  const coalition::Fact claimed{std::vector<std::string>{"view-only", "watermark"}, "node",
                                example::kNow + std::chrono::hours(1)};
  const auto rule = [&](const Json& body, KasCaller who) {
    const KasAnswer answer = there.ask(body, std::move(who));
    CHECK(result_of(answer, 0, 0).text_or("status", "") == "fail");
    for (const auto& [name, value] : there.desk.leaves.back().fields)
      if (name == "rules") return value.items()[0].string();
    return std::string();
  };
  // A claim of the token's, which a crosswalk took over.
  KasCaller who = Vouched::caller("XBB");
  who.person.facts["enforces"] = claimed;
  CHECK(rule(there.body(restricted(), false), who) == "obligation-unproved");
  // What a request says of itself, wherever it stands.
  Json one = Desk::wanted("policy", restricted(), {there.desk.access(restricted())});
  Json body = there.body(restricted(), false);
  for (const char* name : {"enforces", "obligations", "fulfillableObligationFQNs", "context"}) {
    const Json list = Json::array({"view-only", "https://xaa.example/obl/drm/value/view-only"});
    body.set(name, list);
    one.set(name, list);
  }
  body.set("requests", Json::array({one}));
  CHECK(rule(body, Vouched::caller("XBB", "pairwise-2")) == "obligation-unproved");
  // Looking is no way around it: it is not asked of a key service, and a page proves nothing.
  CHECK(read_rewrap(there.body(restricted(), false, "view")).error().code() == "kas.request");
  Json old = Desk::first(restricted(), there.desk.access(restricted()));
  old.set("action", "view").set("release", Json::object({{"purpose", "EXERCISE"}, {"minutes", 60}}));
  CHECK(read_rewrap(old).error().code() == "kas.request");
  Json shown = there.body(restricted(), false);
  shown.set("view", true);
  CHECK(rule(shown, Vouched::caller("XBB", "pairwise-3")) == "obligation-unproved");
  CHECK(there.desk.kas.keys().operations() == 0);
}

TEST_CASE("attack: the label under the key is left out where labels are required") {
  const auto ask = [](bool required, std::string_view metadata, bool left_out = false) {
    Desk desk;
    if (required) desk.records["key-service/XAA"].set("labels", "required");
    desk.world = example::world(desk.records);
    Json access = desk.access(open_to_all(), "2026-11-01-rsa", "", metadata);
    if (left_out)
      std::erase_if(access.members(), [](const auto& one) { return one.first == "encryptedMetadata"; });
    const int status = desk.ask(Desk::first(open_to_all(), access)).status;
    return std::pair(status, desk.kas.keys().operations());
  };
  label::Label label;
  label.policy = "HARBOR LIGHT";
  label.classification = "UNCLASSIFIED";
  const std::string said = Json::object({{"label", label::to_json(label)}}).dump();
  CHECK(ask(true, said) == std::pair(200, uint64_t{1}));
  CHECK(ask(true, said, true) == std::pair(403, uint64_t{0}));
  CHECK(ask(true, "") == std::pair(403, uint64_t{0}));
  CHECK(ask(true, "{}") == std::pair(400, uint64_t{1}));  // something, and no label
  CHECK(ask(false, said, true).first == 200);
}

TEST_CASE(
    "keys come and go without a restart: old ones open, the newest is given out, a recalled one is not") {
  Desk desk;
  const std::string policy = restricted();
  const Json old = desk.access(policy);
  const PrivateKey fresh = PrivateKey::generate(KeyKind::rsa, 2048);
  const Json newer = write_key_access(
      wrap_share(desk.share, {fresh.public_key(), std::string(kUrl), "2026-12-01-rsa", "s1"}, policy)
          .value());
  CHECK(desk.ask(Desk::first(policy, newer)).status == 400);
  const auto with = [&](bool keep) {
    std::vector<KasKey> held;
    if (keep) held.push_back({"2026-11-01-rsa", keys().rsa});
    held.push_back({"2026-12-01-rsa", fresh});
    desk.kas.use_keys(KasKeys::from(std::move(held)).value());
  };
  with(true);
  CHECK(desk.ask(Desk::first(policy, old)).status == 200);
  CHECK(desk.ask(Desk::first(policy, newer)).status == 200);
  CHECK(desk.kas.keys().newest("rsa:2048")->kid == "2026-12-01-rsa");
  const auto shut = [](const std::string& kid) { return kid == "2026-12-01-rsa"; };
  CHECK(desk.kas.keys().newest("rsa:2048", shut)->kid == "2026-11-01-rsa");
  desk.recall("key/2026-11-01-rsa");
  CHECK(desk.ask(Desk::first(policy, old)).status == 403);
  CHECK(desk.ask(Desk::first(policy, newer)).status == 200);
  // Taken away between the attempt and the unwrap.
  auto step = desk.take(desk.signed_request(Desk::first(policy, newer)));
  REQUIRE(std::holds_alternative<Kas::Write>(step));
  desk.kas.use_keys(KasKeys::from({{"2026-11-01-rsa", keys().rsa}}).value());
  CHECK(desk.finish(std::move(step)).status == 400);
}
