#include "exchange/connector_roster.h"

#include "exchange/complaint.h"

#include <algorithm>

#include <doctest/doctest.h>

namespace entente::exchange {
namespace {

using std::chrono::microseconds;

struct Listing final : Rules {
  std::map<std::pair<ConnectorId, std::string>, std::vector<AppId>> listed;
  PartnerCode code{"XAA"};
  Revision revision() const override { return {1}; }
  const PartnerCode& self() const override { return code; }
  coalition::Verdict decide(const coalition::Ask&) const override { return {}; }
  Standing standing(const PartnerCode&) const override { return Standing::active; }
  std::string standing_reason(const PartnerCode&) const override { return {}; }
  std::string partner_name(const PartnerCode& partner) const override { return partner.text(); }
  std::vector<AppId> connector_apps(const ConnectorId& id, std::string_view thumbprint,
                                    Instant) const override {
    const auto at = listed.find({id, std::string(thumbprint)});
    return at == listed.end() ? std::vector<AppId>() : at->second;
  }
  std::map<ConnectorId, std::vector<PartnerCode>> theirs;
  std::vector<PartnerCode> connector_nations(const ConnectorId& id) const override {
    const auto at = theirs.find(id);
    return at == theirs.end() ? std::vector<PartnerCode>() : at->second;
  }
};

const AppId kCop("cop"), kTides("tides");
const ConnectorId kOne("one"), kTwo("two");
const PartnerCode kXbb("XBB");

struct Room {
  Listing rules;
  ConnectorRoster roster;
  Tick tick{std::chrono::hours(1)};
  Instant now = from_unix_seconds(1'795'000'000);
  Room() {
    rules.listed[{kOne, "tp-one"}] = {kCop};
    rules.listed[{kTwo, "tp-two"}] = {kCop};
  }
  bool up(const ConnectorId& id, std::string thumbprint) {
    return roster.up(rules, id, std::move(thumbprint), now, tick);
  }
  void measure(const ConnectorId& id, int64_t us, int times = 40) {
    for (int i = 0; i < times; ++i) roster.measured(id, microseconds(us), tick);
  }
};

TEST_CASE("a connector serves only the apps the world lists for its pinned certificate") {
  Room room;
  CHECK_FALSE(room.up(kOne, "tp-two"));  // a foreign certificate
  CHECK_FALSE(room.up(ConnectorId("three"), "tp-one"));
  REQUIRE(room.up(kOne, "tp-one"));
  CHECK(room.roster.serves(kOne, kCop, room.tick));
  CHECK_FALSE(room.roster.serves(kOne, kTides, room.tick));
  CHECK_FALSE(room.roster.pick(kTides, kXbb, {}, room.tick));
}

TEST_CASE("what a commit no longer lists is disconnected") {
  Room room;
  REQUIRE(room.up(kOne, "tp-one"));
  room.rules.listed.clear();
  CHECK(room.roster.world_changed(room.rules, room.now) == std::vector<ConnectorId>{kOne});
  CHECK_FALSE(room.roster.pick(kCop, kXbb, {}, room.tick));
}

TEST_CASE("the nearest is picked, and left only for one that is clearly nearer") {
  Room room;
  REQUIRE(room.up(kOne, "tp-one"));
  REQUIRE(room.up(kTwo, "tp-two"));
  room.measure(kOne, 1'000);
  CHECK(room.roster.pick(kCop, kXbb, {}, room.tick) == kOne);  // two was never measured
  room.measure(kTwo, 900);
  CHECK(room.roster.pick(kCop, kXbb, {}, room.tick) == kTwo);
  CHECK(room.roster.pick(kCop, kXbb, kOne, room.tick) == kOne);
  room.measure(kTwo, 500);
  CHECK(room.roster.pick(kCop, kXbb, kOne, room.tick) == kTwo);
}

TEST_CASE("failures in a row and silence take a connector out until it answers again") {
  Room room;
  REQUIRE(room.up(kOne, "tp-one"));
  for (uint32_t i = 0; i < kConnectorFailuresMax; ++i) {
    CHECK(room.roster.pick(kCop, kXbb, kOne, room.tick) == kOne);
    room.roster.failed(kOne);
  }
  CHECK_FALSE(room.roster.pick(kCop, kXbb, kOne, room.tick));
  room.measure(kOne, 1'000, 1);
  CHECK(room.roster.pick(kCop, kXbb, kOne, room.tick) == kOne);
  CHECK_FALSE(room.roster.pick(kCop, kXbb, kOne, room.tick + kConnectorSilenceMax));
}

TEST_CASE("a connector whose app is away comes last for that app, for a while, and stays healthy") {
  Room room;
  room.rules.listed[{kOne, "tp-one"}] = {kCop, kTides};
  REQUIRE(room.up(kOne, "tp-one"));
  REQUIRE(room.up(kTwo, "tp-two"));
  room.measure(kOne, 100);
  room.measure(kTwo, 900);
  CHECK(room.roster.pick(kCop, kXbb, kOne, room.tick) == kOne);
  room.roster.app_away(kOne, kCop, room.tick);
  CHECK(room.roster.pick(kCop, kXbb, kOne, room.tick) == kTwo);
  CHECK(room.roster.pick(kTides, kXbb, {}, room.tick) == kOne);
  room.measure(kOne, 100);
  CHECK(room.roster.pick(kCop, kXbb, kOne, room.tick) == kTwo);  // it answers pings all the while
  room.roster.app_away(kTwo, kCop, room.tick);
  CHECK(room.roster.pick(kCop, kXbb, {}, room.tick) == kOne);  // away on both: better asked than given up
  CHECK(room.roster.pick(kCop, kXbb, {}, room.tick + kAppAwayFor) == kOne);
  room.roster.down(kTwo);
  room.roster.app_away(kOne, kCop, room.tick);
  CHECK(room.roster.pick(kCop, kXbb, {}, room.tick) == kOne);
}

TEST_CASE("a nation's people come to the connector that is for them, however far, while it is healthy") {
  Room room;
  room.rules.theirs[kTwo] = {kXbb};
  REQUIRE(room.up(kOne, "tp-one"));
  REQUIRE(room.up(kTwo, "tp-two"));
  room.measure(kOne, 1'000);
  room.measure(kTwo, 90'000);
  const PartnerCode others("XCC");
  const auto pick = [&](const PartnerCode& visitor, const ConnectorId& current) {
    return room.roster.pick(kCop, visitor, current, room.tick);
  };
  CHECK(pick(kXbb, {}) == kTwo);
  CHECK(pick(kXbb, kOne) == kTwo);  // also who is with the nearer one
  CHECK(pick(kXbb, kTwo) == kTwo);
  CHECK(pick(others, {}) == kOne);
  CHECK(pick(others, kTwo) == kOne);
  room.roster.app_away(kTwo, kCop, room.tick);
  CHECK(pick(kXbb, kTwo) == kOne);
  room.tick += kAppAwayFor;
  CHECK(pick(kXbb, kOne) == kTwo);
  for (uint32_t i = 0; i < kConnectorFailuresMax; ++i) room.roster.failed(kTwo);
  CHECK(pick(kXbb, kTwo) == kOne);
  room.measure(kTwo, 90'000);
  room.rules.theirs[kTwo] = {others};  // a commit
  (void)room.roster.world_changed(room.rules, room.now);
  CHECK(pick(kXbb, kTwo) == kOne);
  CHECK(pick(others, {}) == kTwo);
}

TEST_CASE("an app that took nothing is told as not reached for a while, or until it answers there") {
  Room room;
  REQUIRE(room.up(kOne, "tp-one"));
  CHECK(room.roster.reaches(kCop, room.tick));
  CHECK_FALSE(room.roster.reaches(kTides, room.tick));
  room.roster.app_away(kOne, kCop, room.tick);
  CHECK(room.roster.took_nothing(kOne, kCop));
  CHECK_FALSE(room.roster.reaches(kCop, room.tick + kAppDoubtFor - Millis(1)));
  room.roster.app_back(kOne, kCop);
  CHECK(room.roster.reaches(kCop, room.tick));
  room.roster.app_away(kOne, kCop, room.tick);
  room.tick += kAppDoubtFor;
  room.measure(kOne, 500, 1);  // the connector itself was heard of all the time
  CHECK(room.roster.reaches(kCop, room.tick));
  room.roster.app_away(kOne, kCop, room.tick);
  REQUIRE(room.up(kTwo, "tp-two"));
  CHECK(room.roster.reaches(kCop, room.tick));  // there
  room.roster.down(kTwo);
  room.roster.down(kOne);
  CHECK_FALSE(room.roster.reaches(kCop, room.tick));
}

TEST_CASE("a complaint is made once and then once a minute, and anything else that is wrong is news") {
  Complaint complaint;
  Tick at{std::chrono::hours(1)};
  CHECK(complaint.is_due("cannot be reached", at));
  CHECK_FALSE(complaint.is_due("cannot be reached", at + Complaint::kAgain - Millis(1)));
  CHECK(complaint.is_due("is somebody else", at + Millis(1)));
  at += Millis(2);
  CHECK(complaint.is_due("cannot be reached", at));
  CHECK(complaint.is_due("cannot be reached", at + Complaint::kAgain));
  complaint.over();
  CHECK(complaint.is_due("cannot be reached", at + Complaint::kAgain + Millis(1)));
}

}  // namespace
}  // namespace entente::exchange
