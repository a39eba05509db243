// How a change becomes the next world when the disk does not take it: what narrows acts all the same, what
// widens does not, and whatever a restart finds fits together.
#include "node/records.h"

#include "base/file.h"
#include "exchange/access_desk_for_test.h"
#include "ledger/segment.h"
#include "node/audit.h"
#include "node/clock.h"
#include "node/genesis.h"

#include <atomic>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

using namespace entente;
using namespace entente::node;

namespace {

const Instant kNow = from_unix_seconds(1'795'262'400);  // 2026-11-21
const PartnerCode kAldoria("XAA"), kBorealis("XBB");

Json json(std::string_view text) {
  Result<Json> read = Json::parse(text);
  REQUIRE(read);
  return *std::move(read);
}

class BrokenDisk : public ledger::Disk {  // of the ledger alone
 public:
  Result<void> write(int file, uint64_t offset, ByteView bytes) override {
    if (broken && on_write) on_write();
    if (broken) return fail("ledger.io", "the test's disk is broken");
    return Disk::write(file, offset, bytes);
  }
  std::atomic<bool> broken = false;
  std::function<void()> on_write{};  // on the ledger's own thread: set it before `broken`
};

Json app(std::string_view name) {
  Json out = json(R"({"owner": "XAA", "banner": "EXERCISE RESTRICTED", "classification": "RESTRICTED",
      "mission": "harbor-light", "segment": "maritime", "end": "2027-01-31T00:00:00Z", "shares": ["role"],
      "offered_to": ["XBB"]})");
  out.set("name", name);
  return out;
}

// A founded node's records, opened again as often as a test likes.
class House {
 public:
  House() : path_(std::filesystem::temp_directory_path() / fmt::format("entente-records-{}", ::getpid())) {
    std::filesystem::remove_all(path_);
    config.partner = kAldoria;
    config.data = path_;
    config.genesis_key = path_ / "nation.pem";
    Result<Keys> made = make_keys(path_, kAldoria, kNow);
    REQUIRE(made);
    keys_.emplace(std::move(*made));
    const crypto::PrivateKey nation = crypto::PrivateKey::generate(crypto::KeyKind::ed25519);
    REQUIRE(write_file(config.genesis_key, nation.public_key().pem()));
    Json first = Json::array();
    const auto put = [&](std::string_view key, Json value) {
      first.push(Json::object({{"key", key}, {"value", std::move(value)}}));
    };
    put("node/self", Json::object({{"partner", "XAA"}}));
    for (const PartnerCode& code : {kAldoria, kBorealis}) {
      Json partner = json(R"({"state": "active", "member_since": "2026-06-01T00:00:00Z", "ceiling": "SECRET",
                              "member_until": "2027-06-01T00:00:00Z"})");
      put("partner/" + code.text(), partner.set("name", code.text()));
    }
    put("mission/harbor-light",
        json(R"({"name": "Harbor Light", "partners": ["XAA", "XBB"], "phase": "one", "threat": "low",
                 "start": "2026-11-01T00:00:00Z", "end": "2027-02-28T00:00:00Z"})"));
    put("segment/maritime", json(R"({"name": "Maritime picture", "mission": "harbor-light"})"));
    put("app/cop", app("Picture"));
    put("app/relief", app("Relief desk"));
    const Json genesis = Json::object({{"v", 1}, {"partner", "XAA"}, {"records", std::move(first)}});
    const Result<std::string> jws = sign_genesis(genesis, nation);
    REQUIRE(jws);
    const Result<void> founded = Records::found(config, *keys_, *jws, kNow);
    REQUIRE_MESSAGE(founded, (founded ? "" : founded.error().text()));
    open();
  }
  ~House() {
    records.reset();
    std::filesystem::remove_all(path_);
  }
  Result<std::unique_ptr<Records>> start() {
    records.reset();
    return Records::open(config, *keys_, loop, &disk);
  }
  // As after a stop or a kill: what the store holds is all there is.
  void open() {
    auto opened = start();
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().text()));
    records = std::move(*opened);
    records->on_published([this](const coalition::World&, const coalition::World&, const coalition::Touch&) {
      ++told;
      return size_t{0};
    });
  }
  Result<Outcome> commit(std::vector<coalition::Record> changes, bool narrowing,
                         std::vector<store::Precondition> preconditions = {}) {
    Change change;
    change.records = std::move(changes);
    change.preconditions = std::move(preconditions);
    change.leaves = {ledger::Record{.event_class = "partner.suspend", .time = kNow, .fields = {}}};
    change.author = "operator/asha.lind";
    change.narrowing = narrowing;
    std::optional<Result<Outcome>> answer;
    loop.post([&] {
      records->commit(std::move(change), [&](Result<Outcome> outcome) {
        answer = std::move(outcome);
        loop.stop();
      });
      acted = records->world();  // as it is before anything can have been written
    });
    loop.run();
    REQUIRE(answer);
    return *std::move(answer);
  }
  void wait(const std::function<bool()>& done) {
    for (int turn = 0; turn < 400 && !done(); ++turn) {
      const net::Timer timer = loop.after(Millis(25), [this] { loop.stop(); });
      loop.run();
    }
    REQUIRE(done());
  }
  coalition::Record suspension() {
    Json partner = *records->world().raw("partner/XBB");
    return {"partner/XBB", partner.set("state", "suspended").set("state_reason", "exercise")};
  }
  void batch(int64_t last) {  // of requests: always number 1
    Json items = Json::array();
    items.push(Json::object({{"session", "s1"}, {"first", 1}, {"last", last}}));
    ledger::Record leaf{.event_class = "requests", .time = kNow, .fields = {}};
    leaf.fields.emplace_back("batch", 1);
    leaf.fields.emplace_back("sessions", std::move(items));
    REQUIRE(records->ledger().append_and_wait({std::move(leaf)}));
  }
  bool suspended() const {
    return records->world().partner(kBorealis)->state == coalition::PartnerState::suspended;
  }

  net::Loop loop;
  NodeConfig config;
  BrokenDisk disk;
  std::unique_ptr<Records> records;
  std::optional<coalition::World> acted;
  int told = 0;

 private:
  std::filesystem::path path_;
  std::optional<Keys> keys_;
};

}  // namespace

TEST_CASE("what narrows acts before any disk, whatever it is about") {
  House house;
  const Result<Outcome> outcome = house.commit({{"app/relief", std::nullopt}}, true);
  REQUIRE_MESSAGE(outcome, (outcome ? "" : outcome.error().text()));
  CHECK(outcome->durable);
  CHECK(house.acted->app({kAldoria, AppId("relief")}) == nullptr);
  CHECK(house.acted->app({kAldoria, AppId("cop")}) != nullptr);
  const Result<Outcome> wide = house.commit({{"app/relief", app("Relief desk")}}, false);
  REQUIRE(wide);
  CHECK(house.acted->app({kAldoria, AppId("relief")}) == nullptr);  // what widens waits
  CHECK(house.records->world().app({kAldoria, AppId("relief")}) != nullptr);
}

TEST_CASE("attack: what waits behind a narrowing change does not bring its records back") {
  House house;
  const auto later = [&](std::vector<coalition::Record> changes, bool narrowing, std::string& said) {
    Change change;
    change.records = std::move(changes);
    change.leaves = {ledger::Record{.event_class = "partner.suspend", .time = kNow, .fields = {}}};
    change.author = "exchange";
    change.narrowing = narrowing;
    house.records->commit(std::move(change), [&said](const Result<Outcome>& outcome) {
      said = outcome ? "done" : outcome.error().code();
    });
  };
  std::string first, count, other, taken;
  house.loop.post([&] {
    Json renamed = app("Picture of the bay");
    later({{"app/cop", renamed}}, false, first);                           // being written
    later({{"app/relief", app("Relief desk, once more")}}, false, count);  // waits
    later({{"app/cop", app("Picture")}}, false, other);
    later({{"app/relief", std::nullopt}}, true, taken);  // taken back meanwhile
  });
  house.wait([&] { return !first.empty() && !count.empty() && !other.empty() && !taken.empty(); });
  CHECK(first == "done");
  CHECK(other == "done");
  CHECK(taken == "done");
  CHECK(count == "store.precondition");
  CHECK(house.records->world().app({kAldoria, AppId("relief")}) == nullptr);
  house.open();
  CHECK(house.records->world().app({kAldoria, AppId("relief")}) == nullptr);
}

TEST_CASE("a wrong count of requests is told to the operator and the auditor, and keeps no node down") {
  House house;
  house.batch(5);
  house.open();
  CHECK_FALSE(house.records->miscounted());
  CHECK(audit(house.config, std::nullopt));
  house.batch(7);  // another one of that number, and no start between
  house.open();
  REQUIRE(house.records->miscounted());
  CHECK(house.records->miscounted()->code() == "ledger.requests");
  const Result<Outcome> outcome = house.commit({house.suspension()}, true);
  REQUIRE(outcome);
  CHECK(outcome->durable);
  const Result<Audit> audited = audit(house.config, std::nullopt);
  REQUIRE_FALSE(audited);
  CHECK(audited.error().code() == "ledger.requests");
}

TEST_CASE(
    "attack: a node killed on a disk that takes no more files starts, narrows, and checks all it wrote") {
  House house;
  const std::filesystem::path in_the_way = house.config.data / "ledger" / "checkpoint.tmp";
  std::filesystem::create_directory(in_the_way);  // no checkpoint file is written from here on
  REQUIRE(house.commit({{"app/relief", std::nullopt}}, true));
  house.open();
  CHECK(house.records->world().app({kAldoria, AppId("relief")}) == nullptr);
  SUBCASE("what narrows is durable there") {
    const Result<Outcome> outcome = house.commit({house.suspension()}, true);
    REQUIRE(outcome);
    CHECK(outcome->durable);
    house.open();
    CHECK(house.suspended());
    std::filesystem::remove(in_the_way);
    house.open();
    CHECK(audit(house.config, std::nullopt));
  }
  SUBCASE("what was never announced is read as well") {
    house.batch(5);
    house.batch(7);
    house.open();
    CHECK(house.records->miscounted());
  }
}

TEST_CASE("attack: a text that is no UTF-8 is refused before it is written") {
  House house;
  Json odd = app("Picture \xff");
  const Result<Outcome> outcome = house.commit({{"app/cop", odd}}, false);
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().where() == "app/cop/name");
  house.open();
}

TEST_CASE("at a start after a clock that was ahead nothing counts as closed before it is durable") {
  House house;
  exchange::office::Office office("XAA");
  coalition::Release wish;
  wish.id = RequestId("r1");
  wish.partner = kBorealis;
  wish.object = "object-1";
  wish.rights = {"open"};
  wish.purpose = "EXERCISE: berths";
  wish.minutes = 600;
  wish.by = "operator/asha.lind";
  wish.asked = kNow;
  wish.end = kNow + std::chrono::hours(9);
  REQUIRE(house.commit({{record_key(wish), to_json(wish)}}, false));
  ClosingAtStart closing(*house.records);
  CHECK_FALSE(closing.is_owed());
  const auto starts = [&] {
    const Instant seen = kNow + std::chrono::hours(10);
    house.loop.post([&, seen] { closing.begin(*house.records, office.desk, seen, kNow); });
  };
  const auto denied = [&](const coalition::World& world) {
    return world.releases().at(0)->state == coalition::RequestState::denied;
  };
  SUBCASE("not while the disk takes nothing, but once it does") {
    house.disk.broken = true;
    starts();
    house.wait([&] { return house.records->owed() > 0; });
    int turns = 0;
    house.wait([&] { return ++turns > 4; });
    CHECK(closing.is_owed());
    CHECK(denied(house.records->world()));
    house.disk.broken = false;
    house.wait([&] { return !closing.is_owed(); });
    CHECK(house.records->owed() == 0);
    CHECK(denied(house.records->durable_world()));
  }
  SUBCASE("once it is written") {
    starts();
    house.wait([&] { return denied(house.records->world()); });
    house.wait([&] { return !closing.is_owed(); });
    CHECK(denied(house.records->durable_world()));
  }
  SUBCASE("at once where nothing is left to close") {
    closing.begin(*house.records, office.desk, kNow + std::chrono::hours(1), kNow);
    CHECK_FALSE(closing.is_owed());
  }
}

TEST_CASE("a narrowing change that is not right is refused, and its fence lifted") {
  House house;
  SUBCASE("it does not fit the world") {
    const Result<Outcome> outcome = house.commit({{"segment/maritime", std::nullopt}}, true);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code() == "coalition.reference");
  }
  SUBCASE("somebody else was faster") {
    const Result<Outcome> outcome =
        house.commit({house.suspension()}, true, {{.key = "partner/XBB", .rev = Revision{7}}});
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code() == "store.precondition");
    CHECK(house.acted->partner(kBorealis)->state == coalition::PartnerState::suspended);
  }
  CHECK_FALSE(house.suspended());
  CHECK(house.records->owed() == 0);
}

TEST_CASE("with a broken ledger nothing widens; what narrows acts, and is durable when the disk is mended") {
  House house;
  house.disk.broken = true;
  const Result<Outcome> wide = house.commit({{"app/third", app("Third")}}, false);
  CHECK_FALSE(wide);
  CHECK(house.records->world().app({kAldoria, AppId("third")}) == nullptr);
  const Result<Outcome> outcome = house.commit({house.suspension()}, true);
  REQUIRE(outcome);
  CHECK_FALSE(outcome->durable);
  CHECK_FALSE(outcome->why.what().empty());
  CHECK(house.suspended());
  CHECK(house.records->owed() > 0);
  house.disk.broken = false;
  house.wait([&] { return house.records->owed() == 0; });
  CHECK(house.suspended());
  house.open();
  CHECK(house.suspended());
}

TEST_CASE("what narrows beside a widening that was refused never makes a store that does not load") {
  House house;
  house.disk.broken = true;
  const Json connector = Json::object({{"thumbprint", std::string(43, 'A')},
                                       {"apps", Json::array({"relief"})},
                                       {"end", "2027-01-31T00:00:00Z"}});
  CHECK_FALSE(house.commit({{"connector/relief-1", connector}}, false));
  // Fits this world, where nothing serves the app; not one with the connector.
  const Result<Outcome> outcome = house.commit({{"app/relief", std::nullopt}}, true);
  REQUIRE(outcome);
  CHECK_FALSE(outcome->durable);
  CHECK(house.records->world().app({kAldoria, AppId("relief")}) == nullptr);  // it acts
  SUBCASE("killed before the disk is mended") {
    house.open();
    CHECK(house.records->world().app({kAldoria, AppId("relief")}) == nullptr);
    CHECK(house.records->owed() > 0);
    house.disk.broken = false;
    house.open();
    CHECK(house.records->world().app({kAldoria, AppId("relief")}) == nullptr);
    CHECK(house.records->world().raw("connector/relief-1") == nullptr);
  }
  SUBCASE("other narrowing goes on beside it") {
    const Result<Outcome> other = house.commit({house.suspension()}, true);
    REQUIRE(other);
    CHECK(house.suspended());
    house.disk.broken = false;
    house.open();
    CHECK(house.suspended());
  }
}

TEST_CASE("attack: what was answered as failed never acts by itself, and can be taken back meanwhile") {
  House house;
  REQUIRE(house.commit({house.suspension()}, true));
  const Json suspended = *house.records->world().raw("partner/XBB");
  Json resumed = suspended;
  resumed.set("state", "active");
  house.disk.broken = true;
  const Result<Outcome> failed = house.commit({{"partner/XBB", resumed}, {"app/third", app("Third")}}, false);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code() == "ledger.io");
  CHECK(house.suspended());
  CHECK(house.records->owed() == 0);
  const auto nothing_of_it = [&] {
    CHECK(house.suspended());
    CHECK(house.records->world().app({kAldoria, AppId("third")}) == nullptr);
  };
  SUBCASE("with space again, by the next change") {
    house.disk.broken = false;
    const Result<Outcome> next = house.commit({{"app/fourth", app("Fourth")}}, false);
    REQUIRE_MESSAGE(next, (next ? "" : next.error().text()));
    nothing_of_it();
    CHECK(house.records->world().app({kAldoria, AppId("fourth")}) != nullptr);
  }
  SUBCASE("after a kill on the broken disk") {
    house.open();
    nothing_of_it();
    house.disk.broken = false;
  }
  SUBCASE("decided anew, it acts") {
    house.disk.broken = false;
    const Result<store::Precondition> seen = house.records->as_seen("partner/XBB");
    REQUIRE(seen);
    REQUIRE(house.commit({{"partner/XBB", resumed}}, false, {*seen}));
    CHECK_FALSE(house.suspended());
    return;
  }
  SUBCASE("its record is narrowed meanwhile") {
    const Result<store::Precondition> seen = house.records->as_seen("partner/XBB");
    REQUIRE(seen);
    Json isolated = suspended;
    isolated.set("isolated", "exercise");
    const Result<Outcome> outcome = house.commit({{"partner/XBB", isolated}}, true, {*seen});
    REQUIRE(outcome);
    CHECK_FALSE(outcome->durable);
    CHECK(house.records->world().partner(kBorealis)->isolated == "exercise");
    house.disk.broken = false;
    house.wait([&] { return house.records->owed() == 0; });
    CHECK(house.records->world().partner(kBorealis)->isolated == "exercise");
  }
  house.open();
  nothing_of_it();
  CHECK(audit(house.config, std::nullopt));
}

TEST_CASE(
    "attack: where the store does not take a change back either, that is said, and nothing of it acts") {
  House house;
  REQUIRE(house.commit({house.suspension()}, true));
  Json resumed = *house.records->world().raw("partner/XBB");
  resumed.set("state", "active");
  const std::filesystem::path store = house.config.data / "store" / "store.db";
  const std::filesystem::path away = house.config.data / "store" / "away.db";
  house.disk.on_write = [&, once = true]() mutable {
    if (std::exchange(once, false)) std::filesystem::rename(store, away);
  };
  house.disk.broken = true;
  const Result<Outcome> failed = house.commit({{"partner/XBB", resumed}}, false);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code() == "node.not-taken-back");
  CHECK(house.suspended());
  CHECK(house.records->owed() > 0);
  SUBCASE("it is narrowed meanwhile, and taken back once the disk is mended") {
    const Result<store::Precondition> seen = house.records->as_seen("partner/XBB");
    REQUIRE(seen);
    Json isolated = *house.records->world().raw("partner/XBB");
    isolated.set("isolated", "exercise");
    REQUIRE(house.commit({{"partner/XBB", isolated}}, true, {*seen}));
    CHECK(house.records->world().partner(kBorealis)->isolated == "exercise");
    const Result<Outcome> wide = house.commit({{"app/third", app("Third")}}, false);
    CHECK_FALSE(wide);
    std::filesystem::rename(away, store);
    house.disk.broken = false;
    house.wait([&] { return house.records->owed() == 0; });
    CHECK(house.suspended());
    house.open();
    CHECK(house.suspended());
    CHECK(house.records->world().partner(kBorealis)->isolated == "exercise");
    CHECK(audit(house.config, std::nullopt));
  }
  SUBCASE("killed before that, the node starts only when the ledger has it") {
    house.records.reset();
    std::filesystem::rename(away, store);
    CHECK_FALSE(house.start());
    house.disk.broken = false;
    house.open();
    CHECK_FALSE(house.suspended());  // as it was said
  }
}

TEST_CASE(
    "attack: a node that owes its ledger a suspension starts on a disk that takes nothing, and suspends") {
  House house;
  house.disk.broken = true;
  REQUIRE(house.commit({house.suspension()}, true));
  house.open();
  CHECK(house.suspended());
  CHECK(house.records->owed() > 0);
  const Result<Outcome> outcome = house.commit({{"app/relief", std::nullopt}}, true);
  REQUIRE(outcome);
  CHECK_FALSE(outcome->durable);
  CHECK(house.records->world().app({kAldoria, AppId("relief")}) == nullptr);
  CHECK_FALSE(house.commit({{"app/third", app("Third")}}, false));
  house.disk.broken = false;
  house.wait([&] { return house.records->owed() == 0; });
  house.open();
  CHECK(house.suspended());
  CHECK(audit(house.config, std::nullopt));
}
