#include "node/parting.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::node;
using exchange::Session;
using exchange::Side;
using exchange::Stage;

namespace {

const Instant kNow = from_unix_seconds(1'795'262'400);  // 2026-11-21
const PartnerCode kBorealis("XBB");

Session session(Side side, const char* partner, Stage stage = Stage::live) {
  Session one;
  one.side = side;
  one.partner = PartnerCode(partner);
  one.stage = stage;
  return one;
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

coalition::World world_of(std::vector<coalition::Record> records) {
  records.push_back({"node/self", Json::object({{"partner", "XAA"}})});
  for (const char* code : {"XAA", "XBB", "XCC"}) {
    records.push_back(
        {std::string("partner/") + code, Json::object({{"name", code},
                                                       {"state", "active"},
                                                       {"ceiling", "SECRET"},
                                                       {"member_since", "2026-06-01T00:00:00Z"},
                                                       {"member_until", "2027-06-01T00:00:00Z"}})});
  }
  records.push_back({"mission/harbor-light", Json::object({{"name", "Harbor Light"},
                                                           {"partners", Json::array({"XAA", "XBB", "XCC"})},
                                                           {"phase", "planning"},
                                                           {"threat", "low"},
                                                           {"start", "2026-11-01T00:00:00Z"},
                                                           {"end", "2027-03-01T00:00:00Z"}})});
  records.push_back({"segment/maritime", Json::object({{"name", "Maritime"}, {"mission", "harbor-light"}})});
  records.push_back({"app/cop", Json::object({{"owner", "XAA"},
                                              {"name", "Picture"},
                                              {"banner", "EXERCISE RESTRICTED"},
                                              {"classification", "RESTRICTED"},
                                              {"mission", "harbor-light"},
                                              {"segment", "maritime"},
                                              {"offered_to", Json::array({"XBB", "XCC"})},
                                              {"shares", Json::array()},
                                              {"end", "2027-01-31T00:00:00Z"}})});
  Result<coalition::World> made = coalition::World::load(records, Revision{1});
  REQUIRE_MESSAGE(made, (made ? "" : made.error().text()));
  return *std::move(made);
}

}  // namespace

TEST_CASE("a preview counts what would end with that partner, and nothing of anybody else's") {
  const coalition::World world = world_of(
      {grant("one", "XBB", kNow + Seconds(60), 2), grant("over", "XBB", kNow, 0),
       grant("used-up", "XBB", kNow + Seconds(60), 3), grant("other", "XCC", kNow + Seconds(60), 0)});
  const std::vector<Session> all{session(Side::host, "XBB"),  session(Side::host, "XBB"),
                                 session(Side::home, "XBB"),  session(Side::host, "XCC"),
                                 session(Side::local, "XAA"), session(Side::home, "XBB", Stage::asking)};
  std::vector<const Session*> sessions;
  for (const Session& one : all) sessions.push_back(&one);
  const Parting counted = parting(world, sessions, kBorealis, kNow);
  CHECK(counted == Parting{.theirs = 2, .ours = 1, .given = 1, .had = 0});
  CHECK(parting_text(counted, kBorealis).starts_with("3 sessions would end now: 2 of people of XBB"));
  CHECK(parting(world, sessions, PartnerCode("XCC"), kNow) == Parting{.theirs = 1, .ours = 0, .given = 1});
}
