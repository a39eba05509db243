#include "node/operators.h"

#include "base/scratch_for_test.h"
#include "crypto/digest.h"

#include <algorithm>
#include <future>
#include <map>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::node;

namespace {

const Instant kNow = from_unix_seconds(1'795'262'400);  // 2026-11-21

coalition::World world_with(std::vector<coalition::Record> more) {
  std::vector<coalition::Record> records = std::move(more);
  records.push_back({"node/self", Json::object({{"partner", "XAA"}})});
  Result<Json> partner = Json::parse(R"({"name": "Aldoria", "state": "active", "ceiling": "SECRET",
      "member_since": "2026-06-01T00:00:00Z", "member_until": "2027-06-01T00:00:00Z"})");
  REQUIRE(partner);
  records.push_back({"partner/XAA", std::move(*partner)});
  Result<coalition::World> made = coalition::World::load(records, Revision{1});
  REQUIRE_MESSAGE(made, (made ? "" : made.error().text()));
  return *std::move(made);
}

}  // namespace

TEST_CASE("an enrolment token works for a day, for its own connector, and is told by nothing in the record") {
  const coalition::Person who{PersonId("operator/asha.lind"), PartnerCode("XAA"), {}};
  const std::string token = crypto::random_token(32);
  const Change expected =
      enrolment_change("cop-1", {"cop"}, {}, std::chrono::days(90), token, who, coalition::Verdict{}, kNow);
  CHECK(expected.records[0].value->dump().find(token) == std::string::npos);
  const coalition::World world = world_with(expected.records);
  const std::string print(43, 'A');
  const auto tried = [&](const char* id, std::string_view shown, Instant when) {
    const Result<Change> change = enrol_connector(world, id, shown, print, when);
    return change ? std::string("enrolled") : change.error().code();
  };
  CHECK(tried("cop-1", token, kNow) == "enrolled");
  CHECK(tried("cop-1", token, kNow + kEnrolmentLife - Seconds(1)) == "enrolled");
  CHECK(tried("cop-1", token, kNow + kEnrolmentLife) == "enrol.refused");
  CHECK(tried("cop-1", token, kNow + std::chrono::days(30)) == "enrol.refused");
  CHECK(tried("cop-2", token, kNow) == "enrol.refused");
  CHECK(tried("cop-1", crypto::random_token(32), kNow) == "enrol.refused");
  const Result<Change> enrolled = enrol_connector(world, "cop-1", token, print, kNow);
  REQUIRE(enrolled);
  CHECK_FALSE(enrolled->records[0].value);  // used up in the same commit
  CHECK(enrolled->records[1].value->find("for") == nullptr);
  const Change theirs = enrolment_change("cop-1", {"cop"}, {"XBB"}, std::chrono::days(90), token, who,
                                         coalition::Verdict{}, kNow);
  const Result<Change> near = enrol_connector(world_with(theirs.records), "cop-1", token, print, kNow);
  REQUIRE(near);
  CHECK(*near->records[1].value->find("for") == Json::array({"XBB"}));
}

TEST_CASE(
    "attack: a token that was taken back enrols nobody, nor does one left open by a connector that was cut") {
  const coalition::Person who{PersonId("operator/asha.lind"), PartnerCode("XAA"), {}};
  const std::string token = crypto::random_token(32);
  const auto expect = [&](const char* id) {
    return enrolment_change(id, {"cop"}, {"XAA"}, std::chrono::days(90), token, who, coalition::Verdict{},
                            kNow);
  };
  coalition::World world = world_with(expect("cop-1").records);
  REQUIRE(expected_connectors(world, kNow).size() == 1);
  CHECK(expected_connectors(world, kNow)[0].id == "cop-1");
  CHECK(expected_connectors(world, kNow)[0].until == kNow + kEnrolmentLife);
  CHECK(expected_connectors(world, kNow + kEnrolmentLife).empty());
  REQUIRE(may_enrol(world, "cop-1", token, kNow));
  const Change cut = connector_cut("cop-1", "exercise", who, coalition::Verdict{}, kNow);
  CHECK(cut.narrowing);
  const Result<coalition::World::Next> after = world.with(cut.records, Revision{2});
  REQUIRE(after);
  CHECK(expected_connectors(after->world, kNow).empty());
  CHECK_FALSE(may_enrol(after->world, "cop-1", token, kNow));
  CHECK_FALSE(enrol_connector(after->world, "cop-1", token, std::string(43, 'A'), kNow));
}

TEST_CASE("the ledger says for which apps, for whom and until when a connector was expected and enrolled") {
  const coalition::Person who{PersonId("operator/asha.lind"), PartnerCode("XAA"), {}};
  const std::string token = crypto::random_token(32);
  const Change expected = enrolment_change("cop-1", {"cop"}, {"XBB"}, std::chrono::days(90), token, who,
                                           coalition::Verdict{}, kNow);
  const Result<Change> enrolled =
      enrol_connector(world_with(expected.records), "cop-1", token, std::string(43, 'A'), kNow);
  REQUIRE(enrolled);
  const auto told = [](const Change& change, std::string_view name) {
    for (const auto& [field, value] : change.leaves[0].fields)
      if (field == name) return value.dump();
    return std::string("nothing");
  };
  const std::string end = Json(rfc3339(kNow + std::chrono::days(90))).dump();
  CHECK(told(expected, "apps") == R"(["cop"])");
  CHECK(told(expected, "for") == R"(["XBB"])");
  CHECK(told(expected, "connector_end") == end);
  CHECK(told(expected, "token_sha256") == "nothing");
  CHECK(told(*enrolled, "apps") == R"(["cop"])");
  CHECK(told(*enrolled, "for") == R"(["XBB"])");
  CHECK(told(*enrolled, "end") == end);
}

TEST_CASE("a connector that the world would refuse is not expected: its token would be used up in vain") {
  Result<Json> app = Json::parse(R"({"owner": "XAA", "name": "Picture", "banner": "EXERCISE",
      "classification": "RESTRICTED", "mission": "harbor-light", "segment": "maritime", "offered_to": [],
      "shares": [], "end": "2027-01-31T00:00:00Z"})");
  Result<Json> mission = Json::parse(R"({"name": "Harbor Light", "partners": ["XAA"], "phase": "one",
      "threat": "low", "start": "2026-11-01T00:00:00Z", "end": "2027-02-28T00:00:00Z"})");
  REQUIRE(app);
  REQUIRE(mission);
  const Json segment = Json::object({{"name", "Maritime"}, {"mission", "harbor-light"}});
  const coalition::World world =
      world_with({{"app/cop", *app}, {"mission/harbor-light", *mission}, {"segment/maritime", segment}});
  using Names = std::vector<std::string>;
  CHECK(check_connector(world, "cop-1", {"cop"}, {}));
  CHECK(check_connector(world, "cop-1", {"cop"}, {"XAA"}));
  const auto where = [&](const std::string& id, const Names& apps, const Names& nations) {
    const Result<void> checked = check_connector(world, id, apps, nations);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code() == "field.value");
    return checked.error().where();
  };
  CHECK(where("cop-1", {"cop"}, {"XAA", "XAA"}) == "for");
  CHECK(where("cop-1", {"cop"}, {"XZZ"}) == "for");
  CHECK(where("cop-1", {"cop", "cop"}, {}) == "apps");
  CHECK(where("cop-1", {"relief"}, {}) == "apps");
  CHECK(where("cop-1", {}, {}) == "apps");
  CHECK(where("Cop 1", {"cop"}, {}) == "id");
}

TEST_CASE("attack: what was taken back does not read like what happened, in the list or by its verdict") {
  const Scratch folder;
  Result<std::unique_ptr<ledger::Ledger>> opened =
      ledger::Ledger::open({.folder = folder.path() / "ledger",
                            .origin = "entente.xaa/ledger",
                            .key = crypto::PrivateKey::generate(crypto::KeyKind::ed25519)});
  REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().text()));
  ledger::Ledger& ledger = **opened;
  const auto commit = [&](uint64_t rev, const char* kind, std::pair<std::string, Json> field) {
    ledger::Record leaf{.event_class = kind, .time = kNow, .fields = {}};
    leaf.fields.push_back(std::move(field));
    store::Outgoing outgoing{
        .rev = Revision{rev}, .manifest = {}, .at = kNow, .author = "lena", .leaves = {}};
    outgoing.leaves = {leaf.encode()};
    std::promise<bool> took;
    ledger.append_commit(outgoing, ledger::Space::ordinary,
                         [&](const Result<ledger::Appended>& done) { took.set_value(done.has_value()); });
    REQUIRE(took.get_future().get());
  };
  commit(1, "grant", {"verdict", "v1"});
  commit(2, "approval", {"verdict", "v2"});
  commit(3, "change.undone", {"undone", 2});
  commit(4, "approval", {"verdict", "v4"});
  const uint64_t size = ledger.size();
  REQUIRE(size == 4);
  const auto by = [](const Json& what) -> int64_t {
    const Json* entry = what.find("taken_back_by");
    return entry == nullptr ? -1 : entry->integer();
  };
  // In slices of one, as a long search goes.
  for (const auto& [id, entry] : std::map<std::string, int64_t>{{"v1", -1}, {"v2", 2}, {"v4", -1}}) {
    CAPTURE(id);
    TakenBack taken_back;
    std::optional<Json> found;
    for (uint64_t skip = 0; !found && skip < size; ++skip)
      found = find_verdict(ledger, id, size, skip, 1, taken_back);
    REQUIRE(found);
    CHECK(by(*found) == entry);
  }
  const Json tail = ledger_tail(ledger, 10, true);
  const Json::Array& rows = tail.find("records")->items();
  REQUIRE(rows.size() == 4);
  for (size_t at = 0; at < rows.size(); ++at) {
    CHECK(rows[at].find("index")->integer() == static_cast<int64_t>(at));
    CHECK(by(rows[at]) == (at == 1 ? 2 : -1));
    CHECK(rows[at].text_or("summary", "").starts_with("taken back by entry 2, never acted: ") == (at == 1));
  }
  // Whoever checks the list finds that, too: the revision, and what takes it back.
  const Json* fields = rows[1].find("disclosure")->find("fields");
  CHECK(std::ranges::any_of(fields->items(),
                            [](const Json& one) { return one.text_or("name", "") == "store.rev"; }));
}

TEST_CASE("in the ledger's list no value looks like another field, and every index is there with its proof") {
  const Scratch folder;
  {
    Result<std::unique_ptr<ledger::Ledger>> ledger =
        ledger::Ledger::open({.folder = folder.path() / "ledger",
                              .origin = "entente.xaa/ledger",
                              .key = crypto::PrivateKey::generate(crypto::KeyKind::ed25519)});
    REQUIRE_MESSAGE(ledger, (ledger ? "" : ledger.error().text()));
    for (const char* purpose : {"plain/words", "x who=operator/lena", "x\" who=\"y"}) {
      ledger::Record record{.event_class = "verdict", .time = kNow, .fields = {}};
      record.fields.emplace_back("purpose", purpose);
      REQUIRE((*ledger)->append_and_wait({std::move(record)}));
    }
    const Json tail = ledger_tail(**ledger, 3, true);
    const Json::Array& rows = tail.find("records")->items();
    REQUIRE(rows.size() == 3);
    CHECK(rows[0].text_or("summary", "") == "purpose=plain/words");
    CHECK(rows[1].text_or("summary", "") == R"(purpose="x who=operator/lena")");
    CHECK(rows[2].text_or("summary", "") == R"(purpose="x\" who=\"y")");
    const int64_t first = rows[0].find("index")->integer();
    for (size_t at = 0; at < rows.size(); ++at) {
      CHECK(rows[at].find("index")->integer() == first + static_cast<int64_t>(at));
      const Json* shown = rows[at].find("disclosure");
      REQUIRE(shown != nullptr);
      const Result<ledger::Disclosure> read = ledger::Disclosure::from_json(*shown);
      REQUIRE(read);
      CHECK(ledger::verify_disclosure(*read, (*ledger)->verifier()));
    }
    CHECK(ledger_tail(**ledger, 3).find("records")->items()[0].find("disclosure") == nullptr);
  }
}
