#include "exchange/kept.h"

#include "coalition/facts.h"

#include <doctest/doctest.h>

namespace entente::exchange {
namespace {

const PartnerCode kSelf("XBB");
const Instant kNow = from_unix_seconds(1'795'000'000);

coalition::Facts role(std::string_view name) {
  return {{"role", {.value = std::string(name), .source = "idp", .end = kNow + std::chrono::hours(2)}}};
}

struct Told {
  std::string kind;
  Json fields;
  Instant at = kNow - Seconds(60);
};

Told admission(std::string_view session, std::string_view person = "p1", std::string_view sign_in = "t1") {
  return {"admission", Json::object({{"session", session},
                                     {"side", "home"},
                                     {"partner", "XAA"},
                                     {"app", "app XAA/cop"},
                                     {"person", person},
                                     {"verdict", Json::object({{"id", "v1"}})},
                                     {"facts", coalition::facts_to_json(role("planner"))},
                                     {"context", Json::object()},
                                     {"at_host", "h1"},
                                     {"sign_in", sign_in},
                                     {"cookie", "c1"}})};
}

Told sign_in(std::string_view token, std::string_view person = "p1") {
  return {"sign-in", Json::object({{"person", person},
                                   {"token", token},
                                   {"facts", coalition::facts_to_json(role("planner"))},
                                   {"end", rfc3339(kNow + std::chrono::hours(1))}})};
}

Told of(std::string_view kind, std::initializer_list<Json::Given> fields) {
  return {std::string(kind), Json::object(fields)};
}

// What stands after these, the oldest first.
Kept after(const std::vector<Told>& all) {
  Recollection recollection(kSelf, kNow);
  for (auto told = all.rbegin(); told != all.rend(); ++told)
    if (!recollection.take(told->kind, told->at, told->fields)) break;
  return std::move(recollection).kept();
}

}  // namespace

TEST_CASE(
    "requests are counted on from the greatest number, also when its batch stands before an older one") {
  const auto batch = [](int first, int last) {
    return of(
        "requests",
        {{"sessions", Json::array({Json::object({{"session", "s1"}, {"first", first}, {"last", last}})})}});
  };
  const Kept kept = after({sign_in("t1"), admission("s1"), batch(6, 9), batch(1, 5)});
  REQUIRE(kept.sessions.size() == 1);
  CHECK(kept.sessions.front().requests == 9);
}

TEST_CASE("who was admitted and has not ended is remembered whole") {
  const Kept kept = after(
      {sign_in("t1"), admission("s1"),
       of("requests",
          {{"sessions", Json::array({Json::object({{"session", "s1"}, {"first", 1}, {"last", 7}})})}})});
  REQUIRE(kept.sessions.size() == 1);
  const KeptSession& one = kept.sessions.front();
  CHECK(one.id == SessionId("s1"));
  CHECK(one.side == Side::home);
  CHECK(one.app == coalition::AppRef{PartnerCode("XAA"), AppId("cop")});
  CHECK(one.who == coalition::Person{PersonId("p1"), kSelf, role("planner")});
  CHECK(one.at_host == SessionId("h1"));
  CHECK(one.verdict == VerdictId("v1"));
  CHECK(one.requests == 7);
  REQUIRE(kept.sign_ins.size() == 1);
  CHECK(kept.sign_ins.front().token == "t1");
  REQUIRE(kept.cookies.size() == 1);
  CHECK(kept.cookies.front().token == "c1");
}

TEST_CASE("a request that was refused inside a session does not end it") {
  const Kept kept =
      after({sign_in("t1"), admission("s1"), of("refusal", {{"session", "s1"}, {"path", "/admin"}})});
  CHECK(kept.sessions.size() == 1);
}

TEST_CASE("what ended is not remembered, by whatever it ended") {
  std::vector<Told> all{sign_in("t1"), admission("s1")};
  std::string gone;  // a sign-in that must not be there either
  SUBCASE("cut or refused at the last look") {
    all.push_back(of("ending", {{"session", "s1"}}));
  }
  SUBCASE("broken off while it was written: the refusal stands before the admission") {
    all.insert(all.begin() + 1, of("refusal", {{"session", "s1"}, {"ending", Json::object()}}));
  }
  SUBCASE("an operator cut it, and its own ending is not written yet") {
    all.push_back(of("session.cut", {{"session", "s1"}}));
  }
  SUBCASE("signed out here") {
    all.push_back(of("sign-out", {{"person", "p1"}, {"token", "t1"}}));
    gone = "t1";
  }
  SUBCASE("signed out by the provider") {
    all.push_back(of("sign-out", {{"person", "p1"}}));
    gone = "t1";
  }
  SUBCASE("signed in anew in the same browser") {
    Told again = sign_in("t2");
    again.fields.set("replaces", "t1");
    all.push_back(again);
    gone = "t1";
  }
  SUBCASE("a start let nothing go on") {
    all.push_back(of(kRestartLeaf, {{"kept", "no"}}));
  }
  SUBCASE("longer ago than any sign-in lasts") {
    for (Told& told : all) told.at = kNow - kSignInMost - Seconds(1);
  }
  const Kept kept = after(all);
  CHECK(kept.sessions.empty());
  CHECK(kept.cookies.empty());
  for (const KeptSignIn& one : kept.sign_ins) CHECK(one.token != gone);
}

TEST_CASE("signing out here closes this browser's sign-in, by the provider every one of the person's") {
  const std::vector<Told> both{sign_in("t1"), sign_in("t2"), sign_in("t3", "p2")};
  auto here = both, everywhere = both;
  here.push_back(of("sign-out", {{"person", "p1"}, {"token", "t1"}}));
  everywhere.push_back(of("sign-out", {{"person", "p1"}, {"by", "https://idp.example"}}));
  REQUIRE(after(here).sign_ins.size() == 2);
  CHECK(after(here).sign_ins.front().token == "t2");
  REQUIRE(after(everywhere).sign_ins.size() == 1);
  CHECK(after(everywhere).sign_ins.front().token == "t3");
}

TEST_CASE("who signs in again after signing out is in again") {
  const Kept kept = after({sign_in("t1"), of("sign-out", {{"person", "p1"}}), sign_in("t2")});
  REQUIRE(kept.sign_ins.size() == 1);
  CHECK(kept.sign_ins.front().token == "t2");
}

TEST_CASE(
    "who signed out of everything is known with the last time, also from before a start that let nothing go "
    "on") {
  Told first = of("sign-out", {{"person", "p1"}});
  first.at = kNow - Seconds(500);
  Told last = of("sign-out", {{"person", "p1"}, {"by", "https://idp.example"}});
  last.at = kNow - Seconds(400);
  const Kept kept = after({first, last, of("sign-out", {{"person", "p2"}, {"token", "t1"}}), sign_in("t3"),
                           of(kRestartLeaf, {{"kept", "no"}})});
  CHECK(kept.sign_ins.empty());
  CHECK(kept.sign_outs == std::map<PersonId, Instant>{{PersonId("p1"), kNow - Seconds(400)}});
  CHECK(kept.sign_outs_known_from == Instant{});
}

TEST_CASE(
    "it is said from when on sign-outs are known: not from before a clock was put right, nor longer ago than "
    "is read") {
  Told old = of("sign-out", {{"person", "p1"}});
  old.at = kNow - kSignInMost - Seconds(1);
  std::vector<Told> long_ago(kOlderReadMax + 1, old);
  long_ago.push_back(sign_in("t1"));
  CHECK(after(long_ago).sign_outs_known_from == kNow - kSignInMost);
  Told clock = of(kClockLeaf, {{"who", "operator/lena"}});
  clock.at = kNow - Seconds(30);
  const Kept kept = after({of("sign-out", {{"person", "p1"}}), clock, sign_in("t1")});
  CHECK(kept.sign_outs.empty());
  CHECK(kept.sign_outs_known_from == kNow - Seconds(30));
}

TEST_CASE("a sign-out counts from the time that decisions went by, whatever the leaf's own says") {
  const Told behind = of("sign-out", {{"person", "p1"}, {"at", rfc3339(kNow + Seconds(3600))}});
  CHECK(after({behind}).sign_outs == std::map<PersonId, Instant>{{PersonId("p1"), kNow + Seconds(3600)}});
}

TEST_CASE("attack: a start with a clock that is far behind hides no sign-out from before it") {
  Told out = of("sign-out", {{"person", "p1"}});
  Told restart = of(kRestartLeaf, {{"kept", "no"}});
  Told clock = of(kClockLeaf, {{"who", "restart"}});
  Told late = sign_in("t1");
  restart.at = clock.at = late.at = Instant{};
  const Kept kept = after({sign_in("t0"), out, restart, clock, late, sign_in("t2")});
  CHECK(kept.sign_outs.contains(PersonId("p1")));
  CHECK(kept.sign_ins.size() == 1);
  CHECK(kept.sign_outs_known_from == Instant{});
}

TEST_CASE("the newest facts are those a session goes on with") {
  Told newer = of(
      "facts",
      {{"session", "s1"}, {"facts", coalition::facts_to_json(role("clerk"))}, {"context", Json::object()}});
  const Kept kept = after({sign_in("t1"), admission("s1"), newer});
  REQUIRE(kept.sessions.size() == 1);
  CHECK(kept.sessions.front().who.facts == role("clerk"));
}

TEST_CASE("a start that let sessions go on is passed over") {
  CHECK(after({sign_in("t1"), admission("s1"), of(kRestartLeaf, {{"kept", "yes"}})}).sessions.size() == 1);
}

TEST_CASE("attack: nothing from before a clock that was put right comes back by a kill in the same moment") {
  const Kept kept =
      after({sign_in("t1"), admission("s1"), of(kClockLeaf, {{"who", "operator/lena"}}), sign_in("t2")});
  CHECK(kept.sessions.empty());
  CHECK(kept.sign_ins.size() == 1);
}

TEST_CASE("leaves that say too little, or of another shape, are nothing") {
  Told odd = admission("s1");
  odd.fields.set("facts", "all");
  Told nowhere = admission("s2");
  nowhere.fields.set("app", "node XAA");
  Told nobody = admission("");
  Told sideways = admission("s3");
  sideways.fields.set("side", "front");
  CHECK(after({odd, nowhere, nobody, sideways, {"admission", Json::array()}, {"ending", Json(1)}})
            .sessions.empty());
}

}  // namespace entente::exchange
