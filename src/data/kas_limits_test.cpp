// What the key service lets nobody take from everybody else, and rules of single keys.
#include "data/kas_for_test.h"

#include <algorithm>

using namespace entente;
using namespace entente::data;
using namespace entente::data::for_test;

TEST_CASE("attack: a partner names people without end, and has one budget for all of them") {
  Desk desk({.partner_objects_burst = 3, .partner_objects_per_second = 1});
  const Json body = Desk::first(restricted(), desk.access(restricted()));
  for (int i = 0; i < 3; ++i)
    CHECK(desk.finish(vouched(desk, fmt::format("made-up-{}", i), body)).status != 429);
  CHECK(desk.finish(vouched(desk, "made-up-3", body)).status == 429);
  CHECK(desk.ask(body).status == 200);
}

TEST_CASE("attack: a partner names more people than can be kept, and ours are served all the same") {
  Desk desk({.callers_max = 2});
  const Json body = Desk::first(restricted(), desk.access(restricted()));
  for (int i = 0; i < 4; ++i) (void)desk.finish(vouched(desk, fmt::format("made-up-{}", i), body));
  CHECK(desk.ask(body).status == 200);
}

TEST_CASE("attack: refusals without end are counted from some number on, and the count is recorded") {
  for (const bool partner : {false, true}) {
    CAPTURE(partner);
    Desk desk({.refusals_burst = 2, .partner_refusals_burst = 2});
    for (int i = 0; i < 5; ++i) {
      Json access = desk.access(too_high());
      access.set("wrappedKey", base64(Bytes(256, static_cast<uint8_t>(i))));  // never the same event twice
      const Json body = Desk::first(too_high(), access);
      const KasAnswer answer =
          partner ? desk.finish(vouched(desk, fmt::format("made-up-{}", i), body)) : desk.ask(body);
      CHECK(answer.status == 403);
    }
    CHECK(desk.kinds() == "key.refusal key.refusal");
    CHECK(desk.kas.counts());
    const std::vector<KasLeaf> counted = desk.kas.counted(example::kNow);
    REQUIRE(counted.size() == 1);
    CHECK(counted[0].kind == "key.refusals");
    const Json leaf(counted[0].fields);
    CHECK(leaf.text_or("partner", "") == (partner ? "XBB" : "XAA"));
    CHECK(leaf.text_or("person", "-") == (partner ? "" : "p-officer"));
    CHECK(leaf.find("count")->integer() == 3);
    CHECK_FALSE(desk.kas.counts());
  }
}

TEST_CASE("attack: who waits for a partner that stalls, or never comes back, leaves room for the others") {
  Desk desk({.pending_max = 8});
  const Json body = Desk::first(restricted(), desk.access(restricted()));
  std::vector<Kas::Step> held;
  const auto waits = [&](Kas::Step step) {
    held.push_back(std::move(step));
    return std::holds_alternative<Kas::Write>(held.back());
  };
  CHECK(waits(vouched(desk, "one", body)));
  CHECK(waits(vouched(desk, "two", body)));
  CHECK_FALSE(waits(vouched(desk, "three", body)));  // XBB's quarter
  CHECK(waits(desk.take(desk.signed_request(body))));
  CHECK(waits(desk.take(desk.signed_request(body))));
  CHECK_FALSE(waits(desk.take(desk.signed_request(body))));  // one person's
  held.clear();
  CHECK(desk.kas.pending() == 0);
  CHECK(waits(desk.take(desk.signed_request(body))));
}

TEST_CASE("private operations are a few in each turn, and others have the loop in between") {
  Desk desk({.operations_per_turn = 2});
  std::vector<Json> accesses;
  for (int i = 0; i < 5; ++i)
    accesses.push_back(desk.access(restricted(), "2026-11-01-rsa", fmt::format("{}", i)));
  const KasAnswer answer = desk.ask(Desk::second({Desk::wanted("a", restricted(), accesses)}));
  for (size_t i = 0; i < 5; ++i) CHECK(result_of(answer, 0, i).text_or("status", "") == "permit");
  CHECK(desk.pauses == 2);
  CHECK(desk.kas.keys().operations() == 5);
}

TEST_CASE("attack: recalled between two turns") {
  Desk desk({.operations_per_turn = 1});
  const std::vector<Json> accesses{desk.access(restricted(), "2026-11-01-rsa", "1"),
                                   desk.access(restricted(), "2026-11-01-rsa", "2")};
  auto step = desk.take(desk.signed_request(Desk::second({Desk::wanted("a", restricted(), accesses)})));
  step = desk.kas.written(std::get<Kas::Write>(std::move(step)), {}, desk.world, Desk::at());
  REQUIRE(std::holds_alternative<Kas::Pause>(step));
  CHECK(desk.kas.keys().operations() == 1);
  desk.recall("policy/object-1");
  const KasAnswer answer = desk.finish(std::move(step));
  for (size_t i = 0; i < 2; ++i) CHECK(result_of(answer, 0, i).text_or("status", "") == "fail");
  CHECK(desk.kas.keys().operations() == 1);
}

TEST_CASE("attack: a proof from before the service began, which may have been used then") {
  Desk desk({}, false, example::kNow + Seconds(1));
  const Json body = Desk::first(restricted(), desk.access(restricted()));
  CHECK(desk.ask(body).status == 401);
  CHECK(Desk({}, false, example::kNow).ask(body).status == 200);
}

TEST_CASE("attack: refused by a clock that was ahead, and asks again once it was put right") {
  Desk desk;
  KasMoment at = Desk::at();
  const Json body = Desk::first(too_high(), desk.access(too_high()));
  const auto ask = [&] { CHECK(desk.finish(vouched(desk, "ingrid", body, {}, at)).status == 403); };
  at.now += std::chrono::minutes(40);
  ask();
  at.now = example::kNow;
  ask();
  CHECK(desk.kinds() == "key.refusal");
  desk.kas.go_on_from(at.now);
  ask();
  ask();  // a retry again
  CHECK(desk.kinds() == "key.refusal key.refusal");
}

TEST_CASE("attack: asked by a clock that was ahead, and written once it was put right") {
  Desk desk;
  for (const int writes : {0, 1}) {
    auto step = desk.take(desk.signed_request(Desk::first(restricted(), desk.access(restricted()))));
    for (int i = 0; i < writes; ++i)
      step = desk.kas.written(std::get<Kas::Write>(std::move(step)), {}, desk.world, Desk::at());
    const int64_t before = std::ssize(desk.leaves);
    desk.kas.go_on_from(desk.kas.started() + Seconds(1 + writes));
    CHECK(desk.finish(std::move(step)).status == 403);
    CHECK(std::ssize(desk.leaves) > before);
    desk.kas.go_on_from(example::kNow - Seconds(10 + writes));
  }
}

TEST_CASE(
    "attack: asked with a token that counts, and signed out while it is on its way to the disk: no key is "
    "released; nobody else's is touched") {
  const PersonId officer("p-officer");
  for (const int writes : {0, 1}) {
    for (const bool before : {false, true}) {  // a sign-out from before the token takes nothing away
      Desk desk;
      auto step = desk.take(desk.signed_request(Desk::first(restricted(), desk.access(restricted()))));
      for (int i = 0; i < writes; ++i)
        step = desk.kas.written(std::get<Kas::Write>(std::move(step)), {}, desk.world, Desk::at());
      (*desk.signed_out)[PersonId("p-other")] = example::kNow;
      (*desk.signed_out)[officer] = example::kNow - Seconds(before ? 1 : 0);
      const KasAnswer answer = desk.finish(std::move(step));
      CHECK(answer.status == (before ? 200 : 403));
      CHECK(desk.kas.keys().operations() == (before ? 1 : writes));
      if (before) continue;
      CHECK(answer.body.text_or("message", "").find("signed out") != std::string_view::npos);
      CHECK(answer.body.dump().find("WrappedKey") == std::string::npos);
      CHECK(desk.kinds() ==
            (writes == 0 ? "key.attempt key.refusal" : "key.release key.refusal key.withheld"));
    }
  }
}

TEST_CASE(
    "attack: signed out between two turns of the private key: what was opened before is withheld, too") {
  Desk desk(KasLimits{.operations_per_turn = 1});
  const std::string one = restricted(), two = policy_of({example::fqn("classification", "unclassified"),
                                                         example::fqn("originator", "xaa")},
                                                        "object-2");
  auto step = desk.take(desk.signed_request(Desk::second(
      {Desk::wanted("one", one, {desk.access(one)}), Desk::wanted("two", two, {desk.access(two)})})));
  step = desk.kas.written(std::get<Kas::Write>(std::move(step)), {}, desk.world, Desk::at());
  REQUIRE(std::holds_alternative<Kas::Pause>(step));
  (*desk.signed_out)[PersonId("p-officer")] = example::kNow;
  const KasAnswer answer = desk.finish(std::move(step));
  for (size_t i : {size_t{0}, size_t{1}}) CHECK(result_of(answer, i, 0).text_or("status", "") == "fail");
  CHECK(desk.kas.keys().operations() == 1);
}

TEST_CASE(
    "attack: signed out while another nation is about to be asked, or has been: it is not, or is not passed "
    "on") {
  const Json body = Desk::first(Pair::theirs(), Pair().wrapped_for_xbb(Pair::theirs()));
  for (const bool asked : {false, true}) {
    Pair pair;
    auto step = asked ? pair.ask(body) : pair.home.take(pair.home.signed_request(body));
    (*pair.home.signed_out)[PersonId("p-officer")] = example::kNow;
    if (!asked) {
      CHECK(pair.home.finish(std::move(step)).status == 403);
      continue;
    }
    const Json said = pair.honest(std::get<Kas::Forward>(step).request);
    CHECK(pair.hear(std::move(step), said).status == 403);
    CHECK(pair.home.kinds() == "key.attempt key.passed key.refusal key.withheld");
  }
}

TEST_CASE("attack: of joint origin, and wrapped whole for one of them") {
  const std::string policy =
      policy_of({example::fqn("classification", "restricted"), example::fqn("originator", "xaa"),
                 example::fqn("originator", "xbb")});
  Desk desk;
  CHECK(desk.ask(Desk::first(policy, desk.access(policy, "2026-11-01-rsa", "1"))).status == 200);
  CHECK(desk.ask(Desk::first(policy, desk.access(policy, "2026-11-01-rsa", ""))).status == 403);
  CHECK(desk.kas.keys().operations() == 1);
}

TEST_CASE("attack: a mission that is named and is not theirs; one that is recalled") {
  Desk desk;
  Json body = Desk::first(restricted(), desk.access(restricted()));
  CHECK(desk.ask(body.set("mission", "harbor-light")).status == 200);
  CHECK(desk.ask(body.set("mission", "other")).status == 403);
  CHECK(desk.ask(body.set("mission", 7)).status == 400);
  desk.recall("mission/harbor-light");
  CHECK(desk.ask(body.set("mission", "harbor-light")).status == 403);
}

TEST_CASE("a reader who is named opens what is another nation's, where they go by another id") {
  DataPolicy named;
  named.uuid = "object-1";
  for (const auto& fqn : {example::fqn("classification", "restricted"), example::fqn("originator", "xbb"),
                          example::fqn("releasable-to", "xaa")})
    named.attributes.push_back(parse_attribute(fqn).value());
  named.dissem = {"XAA/p-officer", "XAA/somebody-else"};
  const std::string theirs = write_policy(named);
  Pair pair;
  auto step = pair.ask(Desk::first(theirs, pair.wrapped_for_xbb(theirs)));
  auto* forward = std::get_if<Kas::Forward>(&step);
  REQUIRE(forward != nullptr);
  CHECK(forward->caller.by.named == std::vector<std::string>{"XAA/p-officer"});

  // The same, the other way round: XAA is the originator, and XBB's node says how its reader is named there.
  named.attributes.clear();
  for (const auto& fqn : {example::fqn("classification", "restricted"), example::fqn("originator", "xaa"),
                          example::fqn("releasable-to", "xbb")})
    named.attributes.push_back(parse_attribute(fqn).value());
  named.dissem = {"XBB/ingrid"};
  const std::string ours = write_policy(named);
  Desk desk;
  const Json body = Desk::first(ours, desk.access(ours));
  CHECK(desk.finish(vouched(desk, "pairwise", body, {"XBB/ingrid"})).status == 200);
  CHECK(desk.finish(vouched(desk, "pairwise", body)).status == 403);
  CHECK(desk.finish(vouched(desk, "pairwise", body, {"XAA/ingrid"})).status == 403);
}

TEST_CASE("attack: a recall of a key of ours says nothing of another nation's key of that name") {
  Pair pair;
  pair.home.recall("key/2026-11-01-rsa");
  const auto step = pair.ask(Desk::first(Pair::theirs(), pair.wrapped_for_xbb(Pair::theirs())));
  CHECK(std::holds_alternative<Kas::Forward>(step));
}

TEST_CASE("attack: whoever an object names at length, and whatever it says twice, fills no ledger") {
  // As many readers as decisions look at, as long as a policy has room for; each attribute many times.
  constexpr size_t kLeafBytesMax = 2 * 1024;
  DataPolicy sealed;
  sealed.uuid = std::string(128, 'u');
  for (int i = 0; i < 20; ++i)
    for (const std::string& fqn : {example::fqn("classification", "restricted"),
                                   example::fqn("originator", "xaa"), example::fqn("releasable-to", "xbb")})
      sealed.attributes.push_back(parse_attribute(fqn).value());
  sealed.dissem.push_back("XAA/p-officer");
  while (sealed.dissem.size() < coalition::kDissemMax)
    sealed.dissem.push_back(fmt::format("XBB/{}{}", std::string(680, 'a'), sealed.dissem.size()));
  const std::string policy = write_policy(sealed);
  REQUIRE(policy.size() > 240'000);

  Desk desk;
  const std::vector<Json> accesses(16, desk.access(policy, "2026-11-01-ec"));
  const KasAnswer answer = desk.ask(Desk::second({Desk::wanted("a", policy, accesses)}));
  CHECK(result_of(answer, 0, 15).text_or("status", "") == "permit");
  REQUIRE(desk.leaves.size() == 2 * accesses.size());
  for (const KasLeaf& leaf : desk.leaves) CHECK(Json(leaf.fields).dump().size() <= kLeafBytesMax);
  const Json release(desk.leaves.back().fields);
  CHECK(release.find("attributes")->items().size() == 3);
  Json names = Json::array();
  for (const std::string& name : sealed.dissem) names.push(name);
  CHECK(release.text_or("dissem", "") == "256 names, sha256 " + hex(crypto::sha256(names.dump())));
}

TEST_CASE("whom an object names is in the ledger as it stands where it is short") {
  Desk desk;
  DataPolicy sealed = read_policy(restricted()).value();
  sealed.dissem = {"XAA/p-officer", "XBB"};
  const std::string policy = write_policy(sealed);
  REQUIRE(desk.ask(Desk::first(policy, desk.access(policy))).status == 200);
  const Json release(desk.leaves.back().fields);
  CHECK(release.find("dissem")->dump() == R"(["XAA/p-officer","XBB"])");
}

TEST_CASE("attack: a program with a name without end fills no ledger") {
  Desk desk;
  KasCaller caller;
  caller.person = example::person("XBB", "planner");
  for (int i = 0; i < 10'000; ++i) caller.by.client += "a\u00e9";
  const Json body = Desk::first(too_high(), desk.access(too_high()));
  (void)desk.finish(desk.kas.take_for(std::move(caller), read_rewrap(body).value(), desk.world, Desk::at()));
  REQUIRE(desk.kinds() == "key.refusal");
  const Json leaf(desk.leaves[0].fields);
  CHECK(leaf.dump().size() <= 2 * 1024);
  CHECK(is_utf8(leaf.text_or("client", "")));
  CHECK(leaf.text_or("client", "").ends_with("a..."));
}
