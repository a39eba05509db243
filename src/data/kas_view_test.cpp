#include "data/kas_for_test.h"

using namespace entente;
using namespace entente::data;
using namespace entente::data::for_test;

namespace {

// XAA's service with people who look at things in its lobby, and XBB's, which asks for its own.
struct Shown {
  Desk desk;
  bool signed_in = true;
  std::vector<std::string> opened;
  std::vector<std::string> ended;
  std::vector<std::string> given_up;
  Views views;
  Kas kas;

  explicit Shown(ViewLimits limits = {})
      : views(PartnerCode("XAA"),
              {.signed_in = [this](const std::string&) { return signed_in; },
               .opened = [this](const View& view) { opened.push_back(view.id); },
               .ended = [this](const View&, const ViewEnd& why) { ended.push_back(why.rule); },
               .given_up = [this](const PartnerCode& there) { given_up.push_back(there.text()); }},
              limits),
        kas(parts()) {}
  Kas::Parts parts() {
    Kas::Parts out = Desk::parts({}, false);
    out.views = &views;
    return out;
  }
  static KasCaller officer() {
    KasCaller out;
    out.person = example::person("XAA", "officer");
    out.context = example::ask(out.person, coalition::Action::open, PartnerCode("XAA")).context;
    out.by.device = "browser:one";
    return out;
  }
  Kas::Step take(const Json& body, KasCaller caller = officer()) {
    return kas.take_for_page(std::move(caller), "page", read_rewrap(body).value(), desk.world, Desk::at());
  }
  Kas::Step record(Kas::Step step) {
    auto& write = std::get<Kas::Write>(step);
    desk.leaves.insert(desk.leaves.end(), write.leaves.begin(), write.leaves.end());
    return kas.written(std::move(write), {}, desk.world, Desk::at());
  }
  KasAnswer finish(Kas::Step step) {
    while (std::holds_alternative<Kas::Write>(step)) step = record(std::move(step));
    KasAnswer out = std::get<KasAnswer>(std::move(step));
    desk.leaves.insert(desk.leaves.end(), out.leaves.begin(), out.leaves.end());
    return out;
  }
  [[nodiscard]] Json body() const {
    return Desk::second({Desk::wanted("a", restricted(), {desk.access(restricted())})});
  }
};

// What another nation says, with the view that it made there.
Json viewed(Json said, const std::string& name, const Json& until) {
  Json result = said.find("body")->find("responses")->items()[0].find("results")->items()[0];
  result.set("view", name).set("until", until);
  Json body = *said.find("body");
  body.set("responses", Json::array({Json::object({{"results", Json::array({std::move(result)})}})}));
  said.set("body", std::move(body));
  return said;
}

}  // namespace

TEST_CASE("what a page is shown is looked after from the answer on, and recorded as every release") {
  Shown shown;
  const KasAnswer answer = shown.finish(shown.take(shown.body()));
  const Json& result = result_of(answer, 0, 0);
  CHECK(shown.desk.gave(result.text_or("kasWrappedKey", ""), answer));
  REQUIRE(shown.opened.size() == 1);
  CHECK(result.text_or("view", "") == shown.opened[0]);
  CHECK(result.find("until")->integer() == 300);  // as long as what is said of the moment
  CHECK(result.text_or("marking", "") == "EXERCISE RESTRICTED//REL TO XAA, XBB");
  CHECK(shown.desk.kinds() == "key.attempt key.release object.view");
  shown.views.close(Shown::officer().person.id, shown.opened[0]);
  CHECK(shown.ended.size() == 1);
}

TEST_CASE("attack: what may only be viewed opens in a program, or what may only be opened is shown") {
  Shown shown;
  const auto only = [&](const char* action) {
    example::Records records = example::records("XAA");
    records["policy/host/objects"] = Json::object(
        {{"text", fmt::format("@id(\"only\") permit (principal, action == Entente::Action::\"{}\", "
                              "resource is Entente::Object);",
                              action)}});
    shown.desk.world = example::world(records);
  };
  const auto on_page = [&] {
    return result_of(shown.finish(shown.take(shown.body())), 0, 0).text_or("status", "") == "permit";
  };
  const auto in_program = [&] {
    const Kas::Issuer known = Desk::issuer();
    return result_of(shown.finish(shown.kas.take(shown.desk.signed_request(shown.body()), &known,
                                                 shown.desk.world, Desk::at())),
                     0, 0)
               .text_or("status", "") == "permit";
  };
  only("view");
  CHECK(on_page());
  CHECK_FALSE(in_program());
  only("open");
  CHECK_FALSE(on_page());
  CHECK(in_program());
  // A page asks for nothing else, either.
  for (const char* action : {"edit", "forward", "relabel"}) {
    Json body = shown.body();
    Json one = body.find("requests")->items()[0];
    one.set("action", action);
    body.set("requests", Json::array({one}));
    CHECK(shown.finish(shown.take(body)).status == 400);
  }
}

TEST_CASE("attack: a program asks for a view, which nobody would look after") {
  Shown shown;
  Json body = shown.body();
  body.set("view", true);
  const Kas::Issuer known = Desk::issuer();
  const KasAnswer answer =
      shown.finish(shown.kas.take(shown.desk.signed_request(body), &known, shown.desk.world, Desk::at()));
  CHECK(result_of(answer, 0, 0).find("view") == nullptr);
  CHECK(shown.views.size() == 0);
}

TEST_CASE("attack: recalled or signed out while the release is recorded: nothing is shown") {
  for (const bool leaves : {false, true}) {
    CAPTURE(leaves);
    Shown shown;
    Kas::Step step = shown.record(shown.take(shown.body()));
    REQUIRE(std::holds_alternative<Kas::Write>(step));
    if (leaves) {
      shown.signed_in = false;
    } else {
      shown.desk.recall("policy/object-1");
    }
    const KasAnswer answer = shown.finish(std::move(step));
    CHECK(result_of(answer, 0, 0).find("kasWrappedKey") == nullptr);
    CHECK(shown.desk.kinds().find("key.withheld") != std::string::npos);
    CHECK(shown.views.size() == 0);
  }
}

TEST_CASE("attack: more is asked to be shown than is looked after") {
  Shown shown({.views_max = 0});
  const KasAnswer answer = shown.finish(shown.take(shown.body()));
  CHECK(result_of(answer, 0, 0).text_or("status", "") == "fail");
  CHECK(result_of(answer, 0, 0).find("kasWrappedKey") == nullptr);
  CHECK(shown.desk.kinds().find("key.withheld") != std::string::npos);
}

TEST_CASE("another nation's key is shown only where that nation looks after it, too") {
  for (const bool looked_after : {true, false}) {
    CAPTURE(looked_after);
    Shown shown;
    Pair pair;
    const std::string policy = Pair::theirs();
    auto step =
        shown.record(shown.take(Desk::second({Desk::wanted("a", policy, {pair.wrapped_for_xbb(policy)})})));
    auto& forward = std::get<Kas::Forward>(step);
    CHECK(forward.request.find("view")->boolean());
    Json said = pair.honest(forward.request);
    if (looked_after) said = viewed(std::move(said), "there", 60);
    const KasAnswer answer =
        shown.finish(shown.kas.forwarded(std::move(forward), said, shown.desk.world, Desk::at()));
    CHECK((result_of(answer, 0, 0).find("kasWrappedKey") != nullptr) == looked_after);
    CHECK(shown.views.size() == (looked_after ? 1 : 0));
    if (looked_after) {
      CHECK(result_of(answer, 0, 0).find("until")->integer() == 60);
      CHECK(shown.views.held_at(PartnerCode("XBB")) == std::vector<std::string>{"there"});
      CHECK(shown.desk.kinds() == "key.attempt key.passed object.view");
    }
  }
}

TEST_CASE(
    "attack: what another nation released is recalled at home, or not looked after, before it is shown") {
  for (const bool recalled : {true, false}) {
    CAPTURE(recalled);
    Shown shown(recalled ? ViewLimits() : ViewLimits{.views_max = 0});
    Pair pair;
    const std::string policy = Pair::theirs();
    auto step =
        shown.record(shown.take(Desk::second({Desk::wanted("a", policy, {pair.wrapped_for_xbb(policy)})})));
    auto& forward = std::get<Kas::Forward>(step);
    const Json said = viewed(pair.honest(forward.request), "there", 60);
    step = shown.kas.forwarded(std::move(forward), said, shown.desk.world, Desk::at());
    if (recalled) shown.desk.recall("policy/object-1");
    const KasAnswer answer = shown.finish(std::move(step));
    CHECK(result_of(answer, 0, 0).find("kasWrappedKey") == nullptr);
    CHECK(shown.desk.kinds() == "key.attempt key.passed key.refusal key.withheld");
    CHECK(shown.views.size() == 0);
    // It is open there, and nobody looks: they are told at once, and of that one once.
    CHECK(shown.given_up == std::vector<std::string>{"XBB"});
    CHECK(shown.views.take_closed(PartnerCode("XBB")) == std::vector<std::string>{"there"});
  }
}

TEST_CASE("what another nation released and no disk here took is not shown, and that nation is told") {
  Shown shown;
  Pair pair;
  const std::string policy = Pair::theirs();
  auto step =
      shown.record(shown.take(Desk::second({Desk::wanted("a", policy, {pair.wrapped_for_xbb(policy)})})));
  auto& forward = std::get<Kas::Forward>(step);
  const Json said = viewed(pair.honest(forward.request), "there", 60);
  step = shown.kas.forwarded(std::move(forward), said, shown.desk.world, Desk::at());
  const auto none = shown.kas.written(std::move(std::get<Kas::Write>(step)), fail("ledger.full", "no room"),
                                      shown.desk.world, Desk::at());
  CHECK(std::get<KasAnswer>(none).status == 503);
  CHECK(shown.given_up == std::vector<std::string>{"XBB"});
  CHECK(shown.views.take_closed(PartnerCode("XBB")) == std::vector<std::string>{"there"});
}

TEST_CASE(
    "attack: a nation gains time by holding its answer back: what it gives lasts from when it was asked") {
  Shown shown;
  Pair pair;
  const std::string policy = Pair::theirs();
  auto step =
      shown.record(shown.take(Desk::second({Desk::wanted("a", policy, {pair.wrapped_for_xbb(policy)})})));
  auto& forward = std::get<Kas::Forward>(step);
  const Json said = viewed(pair.honest(forward.request), "there", 60);
  KasMoment later = Desk::at();
  later.now += Seconds(4);
  later.tick += Seconds(4);
  step = shown.kas.forwarded(std::move(forward), said, shown.desk.world, later);
  const auto out = shown.kas.written(std::move(std::get<Kas::Write>(step)), {}, shown.desk.world, later);
  CHECK(result_of(std::get<KasAnswer>(out), 0, 0).find("until")->integer() == 56);
  shown.views.time_passed(shown.desk.world, {later.now + Seconds(2), later.tick + Seconds(2)});
  CHECK(shown.ended == std::vector<std::string>{"origin-silent"});
}

TEST_CASE("attack: another nation names a view by what is no name, or for no time") {
  for (const auto& [name, until] : std::vector<std::pair<std::string, Json>>{{"", 60},
                                                                             {std::string(5'000, 'x'), 60},
                                                                             {"there", -1},
                                                                             {"there", int64_t{1} << 40},
                                                                             {"there", "60"}}) {
    CAPTURE(name);
    Shown shown;
    Pair pair;
    const std::string policy = Pair::theirs();
    auto step =
        shown.record(shown.take(Desk::second({Desk::wanted("a", policy, {pair.wrapped_for_xbb(policy)})})));
    auto& forward = std::get<Kas::Forward>(step);
    const Json said = viewed(pair.honest(forward.request), name, until);
    const KasAnswer answer =
        shown.finish(shown.kas.forwarded(std::move(forward), said, shown.desk.world, Desk::at()));
    CHECK(result_of(answer, 0, 0).text_or("status", "") == "fail");
    CHECK(shown.views.size() == 0);
  }
}

TEST_CASE("a partner's person is shown what their node looks after, by a name of ours") {
  Shown shown;
  KasCaller planner = Shown::officer();
  planner.person = example::person("XBB", "planner");
  Json body = shown.body();
  body.set("view", true);
  const auto ask = [&] {
    return shown.finish(shown.kas.take_for(planner, read_rewrap(body).value(), shown.desk.world, Desk::at()));
  };
  const KasAnswer answer = ask();
  const std::string view(result_of(answer, 0, 0).text_or("view", ""));
  REQUIRE(!view.empty());
  CHECK(shown.views.watched(PartnerCode("XBB"), {view}, {example::kNow, Desk::at().tick}).empty());
  body.set("view", false);
  CHECK(result_of(ask(), 0, 0).find("view") == nullptr);
  CHECK(shown.views.size() == 1);
}
