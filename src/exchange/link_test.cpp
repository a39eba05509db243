#include "exchange/link.h"

#include <doctest/doctest.h>

namespace entente::exchange::link {
namespace {

Ending some_ending() {
  Ending ending;
  ending.which = coalition::Refusal::credential_dead;
  ending.what = "You signed out.";
  ending.change = "Sign in again.";
  ending.who = "Aldoria (XAA)";
  ending.verdict = VerdictId("v-1");
  return ending;
}

const std::vector<Message>& one_of_each() {
  static const Instant at = from_unix_seconds(1'795'000'000);
  static const std::vector<Message> all{
      Hello{{SessionId("a"), SessionId("b")}},
      Pulse{17},
      AskAdmission{"r", "e30.e30.AA"},
      EndSession{SessionId("a")},
      ReplaceFacts{"e30.e30.AA"},
      ResentStatements{{"e30.e30.AA", "e30.e30.AQ"}},
      Welcome{{SessionId("a")}, {SessionId("a")}},
      Beat{17, at, {9}},
      Answer{"r", SessionId("a"), at, {}},
      Answer{"r", {}, {}, some_ending()},
      HeldNotice{{SessionId("a")}},
      ReleasedNotice{{SessionId("a")}},
      CutNotice{SessionId("a"), some_ending()},
      PartnerNotice{PartnerNoticeState::suspended, "exercise"},
      PartnerNotice{PartnerNoticeState::suspended, "exercise", true},
      PartnerNotice{},
      ResendStatements{4},
      Resync{},
  };
  return all;
}

TEST_CASE("every message is read as it was written") {
  for (const Message& message : one_of_each()) {
    const Envelope envelope{7, 3, message};
    CAPTURE(to_json(envelope).dump());
    const auto again = from_json(to_json(envelope));
    REQUIRE(again);
    CHECK(*again == envelope);
  }
}

TEST_CASE("a message that lacks a member, or has one too many or of another type, is refused whole") {
  for (const Message& message : one_of_each()) {
    const Json whole = to_json({7, 3, message});
    CAPTURE(whole.dump());
    Json more = whole;
    more.set("admin", true);
    CHECK_FALSE(from_json(more));
    for (const auto& [name, value] : whole.members()) {
      const bool optional =
          name == "change" || name == "who" || name == "verdict" || name == "reason" || name == "isolated";
      Json other = whole;
      other.set(name, Json::object());
      CHECK_FALSE(from_json(other));
      if (optional) continue;
      Json::Object fewer;
      for (const auto& member : whole.members())
        if (member.first != name) fewer.push_back(member);
      CHECK_FALSE(from_json(Json(fewer)));
    }
  }
  CHECK_FALSE(from_json(Json::array()));
  CHECK(from_json(Json::object({{"v", 2}, {"epoch", 1}, {"n", 1}, {"kind", "resync"}})).error().code() ==
        "link.version");
  CHECK(from_json(Json::object({{"v", 1}, {"epoch", 1}, {"n", 1}, {"kind", "open"}})).error().code() ==
        "link.kind");
}

TEST_CASE("a long reason is cut to what the other end takes, and never inside a character") {
  CutNotice cut{SessionId("a"), some_ending()};
  cut.ending.what = std::string(1'023, 'x') + "\u00e9" + std::string(5'000, 'y');
  const auto again = from_json(to_json({1, 1, cut}));
  REQUIRE(again);
  CHECK(std::get<CutNotice>(again->message).ending.what == std::string(1'023, 'x'));
}

TEST_CASE("what the ledger knows about policies never leaves the node") {
  CutNotice cut{SessionId("a"), some_ending()};
  cut.ending.policies = "host:secret-operation";
  CHECK(to_json({1, 1, cut}).dump().find("secret") == std::string::npos);
}

TEST_CASE("numbering tells the next, the doubled, the lost and those of another epoch apart") {
  using Arrival = Numbering::Arrival;
  Numbering numbering;
  numbering.begin(5);
  CHECK(numbering.arrived({5, 1, Resync{}}) == Arrival::next);
  CHECK(numbering.arrived({5, 1, Resync{}}) == Arrival::doubled);
  CHECK(numbering.arrived({4, 2, Resync{}}) == Arrival::other_epoch);
  CHECK(numbering.arrived({5, 3, Resync{}}) == Arrival::gap);
  CHECK(numbering.missed());
  CHECK(numbering.arrived({5, 4, Resync{}}) == Arrival::gap);  // until the next epoch
  numbering.begin(6);
  CHECK_FALSE(numbering.missed());
  CHECK(numbering.stamp(Resync{}).number == 1);
  CHECK(numbering.stamp(Resync{}).number == 2);
}

TEST_CASE("only what takes access away is acted upon after a loss") {
  size_t narrowing = 0;
  for (const Message& message : one_of_each()) narrowing += narrows(message) ? 1 : 0;
  CHECK(narrowing == 5);  // end, held, cut, partner suspended, partner isolated
  CHECK_FALSE(narrows(PartnerNotice{}));
  CHECK_FALSE(narrows(ReleasedNotice{}));
}

}  // namespace
}  // namespace entente::exchange::link
