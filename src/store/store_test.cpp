#include "store/store.h"

#include "base/scratch_for_test.h"
#include "crypto/key.h"
#include "store/database.h"
#include "store/failing_disk_for_test.h"

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::store;

namespace {

Sign signer(const crypto::PrivateKey& key) {
  return [key](ByteView message) { return key.sign(crypto::SignatureAlg::EdDSA, message); };
}

Verify verifier(const crypto::PublicKey& key) {
  return [key](ByteView message, ByteView signature) {
    return key.verify(crypto::SignatureAlg::EdDSA, message, signature);
  };
}

// A store in a folder of its own, with a genesis of one record.
struct House {
  Scratch folder;
  crypto::PrivateKey genesis_key = crypto::PrivateKey::generate(crypto::KeyKind::ed25519);
  crypto::PrivateKey node_key = crypto::PrivateKey::generate(crypto::KeyKind::ed25519);

  [[nodiscard]] Options options() const {
    Options out;
    out.folder = folder.path();
    out.sign = signer(node_key);
    out.verify = verifier(node_key.public_key());
    out.verify_genesis = verifier(genesis_key.public_key());
    return out;
  }
  void found() const {
    const auto made =
        Store::found(options(), {.ops = {{"partner/XAA", "{\"name\":\"Aldoria\"}"}}, .author = "founder"},
                     signer(genesis_key));
    REQUIRE_MESSAGE(made, (made ? "" : made.error().text()));
    CHECK(made->rev == Revision{1});
  }
  [[nodiscard]] std::unique_ptr<Store> open() const { return open(options()); }
  [[nodiscard]] static std::unique_ptr<Store> open(Options with) {
    auto opened = Store::open(std::move(with));
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().text()));
    return *std::move(opened);
  }
  [[nodiscard]] Result<Loaded> audit() const {
    return load_all(folder.path(), verifier(node_key.public_key()), verifier(genesis_key.public_key()));
  }
  // What somebody with access to the file could do.
  void tamper(const char* sql) const {
    auto database = Database::open(folder.path() / "store.db", "", Database::Mode::write);
    REQUIRE(database);
    const auto done = database->run(sql);
    REQUIRE_MESSAGE(done, (done ? "" : done.error().text()));
  }
};

Commit put(std::string key, std::string value) {
  return {.ops = {{std::move(key), std::move(value)}}, .author = "test"};
}

void must_commit(Store& store, Commit commit) {
  const auto done = store.commit_and_wait(std::move(commit));
  REQUIRE_MESSAGE(done, (done ? "" : done.error().text()));
}

// Collects what a watch says.
struct Listener {
  std::mutex mutex;
  std::condition_variable said;
  std::vector<Change> changes;
  std::vector<Revision> beats;
  std::vector<Revision> compacted;

  WatchEvents events() {
    const auto add = [this](auto call) {
      const std::scoped_lock lock(mutex);
      call();
      said.notify_all();
    };
    return {.change = [=, this](const Change& change) { add([&] { changes.push_back(change); }); },
            .heartbeat = [=, this](Heartbeat beat) { add([&] { beats.push_back(beat.head); }); },
            .compacted = [=, this](Compacted gone) { add([&] { compacted.push_back(gone.snapshot); }); }};
  }
  template <class Condition>
  bool wait(Condition condition) {
    std::unique_lock lock(mutex);
    return said.wait_for(lock, std::chrono::seconds(60), condition);
  }
};

}  // namespace

TEST_CASE("a store without a signed genesis is not opened") {
  const House house;
  CHECK(Store::open(house.options()).error().code() == "store.no-genesis");
  house.found();
  SUBCASE("twice") {
    CHECK(Store::found(house.options(), {}, signer(house.genesis_key)).error().code() == "store.exists");
  }
  SUBCASE("of a key that nobody trusts") {
    Options other = house.options();
    other.verify_genesis = verifier(house.node_key.public_key());
    CHECK(Store::open(other).error().code() == "store.genesis");
    CHECK(load_all(house.folder.path(), other.verify, other.verify_genesis).error().code() ==
          "store.genesis");
  }
}

TEST_CASE("an empty database file is not taken for a store") {
  const House house;
  std::filesystem::create_directories(house.folder.path());
  {
    REQUIRE(Database::open(house.folder.path() / "store.db", "", Database::Mode::create));
  }
  CHECK(!Store::open(house.options()));
}

TEST_CASE("commits are numbered without gaps and read back") {
  const House house;
  house.found();
  auto store = house.open();
  CHECK(store->head() == Revision{1});
  CHECK(store->commit_and_wait(put("app/cop", "1"))->rev == Revision{2});
  CHECK(store->commit_and_wait(put("app/cop", "2"))->rev == Revision{3});
  CHECK(store->commit_and_wait({.ops = {{"app/cop", std::nullopt}, {"app/map", ""}}, .author = "t"})->rev ==
        Revision{4});
  CHECK(store->get("app/cop")->has_value() == false);
  CHECK(store->get("app/map")->value() == Record{"app/map", "", {4}});
  CHECK(store->get("partner/XAA")->value().rev == Revision{1});
}

TEST_CASE("a precondition that does not hold changes nothing and uses no revision") {
  const House house;
  house.found();
  auto store = house.open();
  must_commit(*store, put("a", "1"));
  Commit stale = put("a", "2");
  stale.preconditions = {{"a", Revision{1}}};
  const auto refused = store->commit_and_wait(stale);
  CHECK(refused.error().code() == "store.precondition");
  CHECK(refused.error().where() == "a");
  stale.preconditions = {{"b", Revision{1}}};
  CHECK(store->commit_and_wait(stale).error().code() == "store.precondition");
  stale.preconditions = {{"a", std::nullopt}};
  CHECK(store->commit_and_wait(stale).error().code() == "store.precondition");
  CHECK(store->get("a")->value().value == "1");
  stale.preconditions = {{"a", Revision{2}}, {"b", std::nullopt}};
  CHECK(store->commit_and_wait(stale)->rev == Revision{3});
}

TEST_CASE("what does not fit is refused before it is queued") {
  const House house;
  house.found();
  auto store = house.open();
  CHECK(store->commit_and_wait(put("", "1")).error().code() == "store.key");
  CHECK(store->commit_and_wait(put("a b", "1")).error().code() == "store.key");
  CHECK(store->commit_and_wait(put("lease/x", "1")).error().code() == "store.key");
  CHECK(store->commit_and_wait({.ops = {{"a", "1"}, {"a", "2"}}}).error().code() == "store.key");
  CHECK(store->commit_and_wait(put("a", std::string(kValueBytesMax + 1, 'x'))).error().code() ==
        "store.too-large");
  CHECK(store->head() == Revision{1});
}

TEST_CASE("scan pages through one prefix") {
  const House house;
  house.found();
  auto store = house.open();
  must_commit(*store, {.ops = {{"app/a", "1"}, {"app/b", "2"}, {"app/c", "3"}, {"apq", "4"}, {"ap", "5"}}});
  const auto page = store->scan("app/", "", 2);
  REQUIRE(page->size() == 2);
  CHECK(page->back().key == "app/b");
  const auto rest = store->scan("app/", "app/b", 10);
  REQUIRE(rest->size() == 1);
  CHECK(rest->front() == Record{"app/c", "3", {2}});
  CHECK(store->scan("", "", 100)->size() == 6);
}

TEST_CASE("a store survives being closed and refuses a second opener") {
  const House house;
  house.found();
  {
    auto store = house.open();
    must_commit(*store, put("a", "1"));
    CHECK(Store::open(house.options()).error().code() == "store.locked");
  }
  auto store = house.open();
  CHECK(store->head() == Revision{2});
  CHECK(store->get("a")->value().value == "1");
}

TEST_CASE("many committers at once: every answer is a revision of its own, in order") {
  const House house;
  house.found();
  auto store = house.open();
  std::mutex mutex;
  std::vector<uint64_t> answered;
  {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 100; ++i) {
          store->commit(put("k/" + std::to_string(t) + "/" + std::to_string(i), "v"),
                        [&](Result<Committed> done) {
                          const std::scoped_lock lock(mutex);
                          answered.push_back(done ? done->rev.value : 0);
                        });
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  store->stop();
  REQUIRE(answered.size() == 400);
  for (size_t i = 0; i < answered.size(); ++i) CHECK(answered[i] == i + 2);
  CHECK(store->commit_and_wait(put("a", "1")).error().code() == "store.closed");
  const auto loaded = store->load_all();
  REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().text()));
  CHECK(loaded->records.size() == 401);
  CHECK(loaded->manifests.size() == 401);
}

TEST_CASE("a watch tells all revisions in order, from any revision on, and beats in between") {
  const House house;
  house.found();
  Options options = house.options();
  options.heartbeat = Millis(5);
  auto store = House::open(options);
  for (int i = 0; i < 600; ++i) store->commit(put("a", std::to_string(i)), [](const Result<Committed>&) {});
  must_commit(*store, {.ops = {{"a", std::nullopt}}});
  Listener early;
  Listener late;
  const Watch first = store->watch({0}, early.events());
  const Watch second = store->watch({600}, late.events());
  must_commit(*store, put("b", "1"));
  REQUIRE(early.wait([&] { return early.changes.size() == 603; }));
  REQUIRE(late.wait([&] { return late.changes.size() == 3; }));
  for (size_t i = 0; i < early.changes.size(); ++i) CHECK(early.changes[i].rev == Revision{i + 1});
  CHECK(late.changes[0].rev == Revision{601});
  CHECK(late.changes[0].ops == std::vector<Op>{{"a", "599"}});
  CHECK(late.changes[1].ops == std::vector<Op>{{"a", std::nullopt}});
  REQUIRE(late.wait([&] { return !late.beats.empty() && late.beats.back() == Revision{603}; }));
}

TEST_CASE("a released watch is told nothing more") {
  const House house;
  house.found();
  auto store = house.open();
  Listener listener;
  {
    const Watch watch = store->watch({1}, listener.events());
    must_commit(*store, put("a", "1"));
    REQUIRE(listener.wait([&] { return listener.changes.size() == 1; }));
  }
  must_commit(*store, put("a", "2"));
  must_commit(*store, put("a", "3"));
  CHECK(listener.changes.size() == 1);
}

TEST_CASE(
    "who watches from before the kept history, or from a future that never was, is told to read all anew") {
  const House house;
  house.found();
  Options options = house.options();
  options.history_revisions_max = 10;
  auto store = House::open(options);
  for (int i = 0; i < 30; ++i) must_commit(*store, put("a", std::to_string(i)));
  Listener behind;
  Listener ahead;
  Listener within;
  const Watch first = store->watch({3}, behind.events());
  const Watch second = store->watch({99}, ahead.events());
  const Watch third = store->watch({25}, within.events());
  REQUIRE(behind.wait([&] { return !behind.compacted.empty(); }));
  must_commit(*store, put("b", "1"));
  REQUIRE(behind.wait([&] { return !behind.changes.empty(); }));
  CHECK(behind.changes.front().rev.value == behind.compacted.front().value + 1);
  REQUIRE(ahead.wait([&] { return !ahead.compacted.empty(); }));
  REQUIRE(within.wait([&] { return within.changes.size() == 7; }));
  CHECK(within.compacted.empty());
  CHECK(store->load_all());
}

TEST_CASE("a lease has one holder; a new holder has a higher token") {
  const House house;
  house.found();
  Options options = house.options();
  class Hand : public Clock {
   public:
    [[nodiscard]] Instant now() const override { return from_unix_seconds(1'800'000'000); }
    [[nodiscard]] Tick tick() const override { return Tick(Seconds(at.load())); }
    std::atomic<int> at = 0;
  } clock;
  options.clock = &clock;
  auto store = House::open(options);
  const auto take = [&](const char* holder) {
    std::promise<Result<Lease>> answer;
    store->lease("leader", holder, Seconds(5),
                 [&](Result<Lease> lease) { answer.set_value(std::move(lease)); });
    return answer.get_future().get();
  };
  CHECK(take("one")->token == Revision{2});
  CHECK(take("one")->token == Revision{2});
  CHECK(take("two").error().code() == "store.held");
  clock.at = 4;
  CHECK(take("one")->token == Revision{2});
  clock.at = 8;
  CHECK(take("two").error().code() == "store.held");
  clock.at = 9;
  CHECK(take("two")->token == Revision{3});
  store.reset();
  store = House::open(options);
  CHECK(take("one").error().code() == "store.held");
  clock.at = 20;
  CHECK(take("one")->token == Revision{4});
}

TEST_CASE("the outbox keeps each revision's leaves until they are integrated") {
  const House house;
  house.found();
  auto store = house.open();
  Commit commit = put("a", "1");
  commit.leaves = {to_bytes("one"), to_bytes("two")};
  const auto done = store->commit_and_wait(commit);
  REQUIRE(done);
  CHECK(done->outgoing.leaves == commit.leaves);
  must_commit(*store, put("b", "1"));
  const auto all = store->outbox({0}, 10);
  REQUIRE(all->size() == 3);
  CHECK((*all)[1].leaves == commit.leaves);
  CHECK((*all)[1].manifest == done->outgoing.manifest);
  CHECK((*all)[2].leaves.empty());
  CHECK(store->load_all());
  store->integrated({2});
  must_commit(*store, put("c", "1"));
  CHECK(store->outbox({1}, 10).error().code() == "store.outbox-gone");
  CHECK(store->outbox({2}, 10)->size() == 2);
  CHECK(store->load_all()->integrated == Revision{2});
}

TEST_CASE("whatever is changed in the database by hand is found and named") {
  const House house;
  house.found();
  {
    auto store = house.open();
    must_commit(*store,
                {.ops = {{"app/cop", "1"}, {"app/map", "2"}}, .leaves = {to_bytes("leaf")}, .author = "t"});
    must_commit(*store, put("app/cop", "3"));
    must_commit(*store, {.ops = {{"app/map", std::nullopt}}});
  }
  REQUIRE(house.audit());
  struct Attack {
    const char* sql;
    const char* where;
  };
  const Attack attacks[] = {
      {"INSERT INTO records VALUES('operator/eve', x'7b7d', 3)", "operator/eve"},
      {"INSERT INTO records VALUES('app/map', x'32', 2)", "app/map"},
      {"UPDATE records SET value = x'34' WHERE key = 'app/cop'", "app/cop"},
      {"UPDATE records SET value = x'31', rev = 2 WHERE key = 'app/cop'", "app/cop"},
      {"UPDATE records SET rev = 2 WHERE key = 'app/cop'", "app/cop"},
      {"DELETE FROM records WHERE key = 'app/cop'", "app/cop"},
      {"UPDATE manifests SET body = replace(CAST(body AS TEXT), 'app/cop', 'app/eve') WHERE rev = 3",
       "revision 3"},
      {"UPDATE manifests SET signature = zeroblob(64) WHERE rev = 2", "revision 2"},
      {"DELETE FROM manifests WHERE rev = 2", "revision 2"},
      {"DELETE FROM manifests WHERE rev = 1", "revision 1"},
      {"UPDATE changes SET value = x'34' WHERE rev = 3", "revision 3, record app/cop"},
      {"DELETE FROM changes WHERE rev = 3", "revision 3, record app/cop"},
      {"INSERT INTO changes VALUES(3, 1, 'app/eve', x'34')", "revision 3"},
      {"UPDATE outbox SET leaf = x'00'", "revision 2"},
      {"DELETE FROM outbox", "revision 2"},
      {"INSERT INTO outbox VALUES(4, 0, x'00')", "revision 4"},
      {"CREATE TABLE extra(a)", "extra"},
      {"CREATE TRIGGER sneaky AFTER UPDATE ON records BEGIN DELETE FROM outbox; END", "sneaky"},
      {"UPDATE progress SET integrated = 99", "table progress"},
  };
  for (const Attack& attack : attacks) {
    CAPTURE(attack.sql);
    const House copy{.folder = {}, .genesis_key = house.genesis_key, .node_key = house.node_key};
    std::filesystem::copy(house.folder.path(), copy.folder.path());
    copy.tamper(attack.sql);
    const auto found = copy.audit();
    REQUIRE(!found);
    CHECK(found.error().code() == "store.tampered");
    CHECK(found.error().where() == attack.where);
  }
}

TEST_CASE("a commit signed by somebody else's key is found") {
  const House house;
  house.found();
  Options forged = house.options();
  forged.sign = signer(house.genesis_key);
  {
    must_commit(*House::open(forged), put("a", "1"));
  }
  const auto found = house.audit();
  REQUIRE(!found);
  CHECK(found.error().where() == "revision 2");
  CHECK(!house.open()->load_all());
}

TEST_CASE(
    "when the disk is full nothing is half applied, narrowing still gets in, and all is well with space "
    "again") {
  FailingDisk disk("full-disk");
  const House house;
  house.found();
  Options options = house.options();
  options.vfs = disk.name();
  auto store = House::open(options);
  must_commit(*store, put("a", "1"));
  disk.fill(house.folder.path() / "store.reserve");
  const auto full = store->commit_and_wait(put("a", "2"));
  REQUIRE(!full);
  CHECK(full.error().code() == "store.full");
  CHECK(store->get("a")->value().value == "1");
  CHECK(store->head() == Revision{2});
  Commit narrowing = put("partner/XBB", "suspended");
  narrowing.narrowing = true;
  const auto suspended = store->commit_and_wait(narrowing);
  REQUIRE_MESSAGE(suspended, (suspended ? "" : suspended.error().text()));
  CHECK(suspended->rev == Revision{3});
  disk.mend();
  CHECK(store->commit_and_wait(put("a", "3"))->rev == Revision{4});
  store.reset();
  CHECK(house.audit());
}

TEST_CASE("when the disk fails in the middle of a commit nothing is half applied and later commits work") {
  const House house;
  house.found();
  for (int writes = 0; writes < 12; ++writes) {
    CAPTURE(writes);
    FailingDisk disk("failing-disk-" + std::to_string(writes));
    Options options = house.options();
    options.vfs = disk.name();
    auto store = House::open(options);
    const Revision before = store->head();
    const std::string value = store->get("a")->value_or(Record{}).value;
    disk.fail_after(writes);
    const auto done = store->commit_and_wait(put("a", "try " + std::to_string(writes)));
    if (!done) {
      CHECK(done.error().code() == "store.io");
      CHECK(store->head() == before);
    }
    disk.mend();
    must_commit(*store, put("b", std::to_string(writes)));
    const std::string after = store->get("a")->value_or(Record{}).value;
    CHECK(after == (done ? "try " + std::to_string(writes) : value));
    const auto loaded = store->load_all();
    REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().text()));
  }
  CHECK(house.audit());
}

TEST_CASE("attack: a node killed after a commit that the disk failed once does not find it when it starts") {
  const House house;
  house.found();
  const Scratch killed;
  size_t failed = 0;
  // Commits differ in how many pages they write: which write is the last, the sync, differs too.
  for (int round = 0; round < 60; ++round) {
    const int writes = round % 10;
    CAPTURE(writes);
    FailingDisk disk("failing-once-" + std::to_string(round));
    Options options = house.options();
    options.vfs = disk.name();
    auto store = House::open(options);
    must_commit(*store, put("a", "before"));
    const Revision before = store->head();
    disk.fail_once_after(writes);
    if (store->commit_and_wait(put("a", "failed"))) continue;
    ++failed;
    // What a kill leaves: the database and its log, without what processes shared of it.
    for (const char* name : {"store.db", "store.db-wal"})
      std::filesystem::copy_file(house.folder.path() / name, killed.path() / name,
                                 std::filesystem::copy_options::overwrite_existing);
    Options after = house.options();
    after.folder = killed.path();
    const auto found = House::open(after);
    CHECK(found->head() == before);
    CHECK(found->get("a")->value_or(Record{}).value == "before");
    must_commit(*store, put("b", std::to_string(round)));
  }
  CHECK(failed > 40);
  CHECK(house.audit());
}

TEST_CASE("a database taken away or replaced under a running store is not written to, and is found again") {
  const House house;
  house.found();
  const std::filesystem::path file = house.folder.path() / "store.db";
  const std::filesystem::path aside = house.folder.path() / "aside.db";
  auto store = house.open();
  std::filesystem::copy_file(file, aside);  // before the next commit
  must_commit(*store, put("a", "1"));
  const Revision before = store->head();
  SUBCASE("taken away, then put back") {
    std::filesystem::remove(aside);
    std::filesystem::rename(file, aside);
    const auto done = store->commit_and_wait(put("a", "2"));
    REQUIRE_FALSE(done);
    CHECK(done.error().code() == "store.io");
    CHECK_FALSE(store->commit_and_wait(put("a", "2")));
    CHECK(store->head() == before);
    std::filesystem::rename(aside, file);
    must_commit(*store, put("a", "3"));
    store.reset();
    CHECK(house.audit());
  }
  SUBCASE("another store in its place") {
    const House other;
    other.found();
    std::filesystem::rename(file, house.folder.path() / "own.db");
    std::filesystem::copy_file(other.folder.path() / "store.db", file);
    CHECK_FALSE(store->commit_and_wait(put("a", "2")));
    const auto done = store->commit_and_wait(put("a", "2"));
    REQUIRE_FALSE(done);
    CHECK(store->head() == before);
  }
}

TEST_CASE("a manifest has one text") {
  Manifest manifest{.rev = {7}, .at = from_unix_seconds(1'800'000'000), .author = "Ada \"quoted\""};
  manifest.ops = {{"a", crypto::sha256(std::string_view("x"))}, {"b", std::nullopt}};
  manifest.leaves = {crypto::sha256(std::string_view("leaf"))};
  const std::string text = manifest.encode();
  CHECK(Manifest::parse(text).value() == manifest);
  CHECK(!Manifest::parse(" " + text));
  CHECK(!Manifest::parse(text.substr(0, text.size() - 1) + ",\"x\":1}"));
}
