#include "ledger/ledger.h"

#include "base/scratch_for_test.h"
#include "crypto/key.h"
#include "ledger/segment.h"
#include "ledger/verify.h"

#include <filesystem>
#include <future>
#include <random>
#include <thread>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace entente;
using namespace entente::ledger;

namespace {

constexpr const char* kOrigin = "entente.xaa/ledger";

struct House {
  Scratch folder;
  crypto::PrivateKey key = crypto::PrivateKey::generate(crypto::KeyKind::ed25519);
  crypto::PrivateKey store_key = crypto::PrivateKey::generate(crypto::KeyKind::ed25519);

  [[nodiscard]] std::filesystem::path path() const { return folder.path() / "ledger"; }
  [[nodiscard]] Options options() const {
    return {
        .folder = path(), .origin = kOrigin, .key = key, .segment_bytes = 64 << 10, .reserve_bytes = 8 << 10};
  }
  [[nodiscard]] static std::unique_ptr<Ledger> open(const Options& with) {
    auto opened = Ledger::open(with);
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().text()));
    return *std::move(opened);
  }
  [[nodiscard]] std::unique_ptr<Ledger> open() const { return open(options()); }
  [[nodiscard]] Result<VerifyReport> verify(const VerifyAgainst& against = {}) const {
    return verify(path(), against);
  }
  [[nodiscard]] Result<VerifyReport> verify(const std::filesystem::path& where,
                                            const VerifyAgainst& against) const {
    return ledger::verify(where, NoteVerifier::make(kOrigin, key.public_key()).value(), against);
  }

  [[nodiscard]] store::Options store_options() const {
    store::Options out;
    out.folder = folder.path() / "store";
    out.sign = [this](ByteView message) { return store_key.sign(crypto::SignatureAlg::EdDSA, message); };
    out.verify = [this](ByteView message, ByteView signature) {
      return store_key.public_key().verify(crypto::SignatureAlg::EdDSA, message, signature);
    };
    out.verify_genesis = out.verify;
    return out;
  }
  [[nodiscard]] std::unique_ptr<store::Store> open_store() const {
    const store::Options with = store_options();
    if (!std::filesystem::exists(with.folder)) {
      REQUIRE(store::Store::found(with, {.ops = {{"partner/XAA", "{}"}}, .author = "founder"}, with.sign));
    }
    auto opened = store::Store::open(with);
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().text()));
    return *std::move(opened);
  }
  [[nodiscard]] Result<store::Loaded> audit_store() const {
    const store::Options with = store_options();
    return store::load_all(with.folder, with.verify, with.verify_genesis);
  }
};

Record record(int n) {
  return {.event_class = "verdict",
          .time = from_unix_seconds(1'800'000'000 + n),
          .fields = {{"person", "p" + std::to_string(n)}, {"app", "cop"}, {"permit", n % 2 == 0}, {"n", n}}};
}

void must_append(Ledger& ledger, int from, int count) {
  std::vector<Record> records;
  for (int n = from; n < from + count; ++n) records.push_back(record(n));
  const auto done = ledger.append_and_wait(std::move(records));
  REQUIRE_MESSAGE(done, (done ? "" : done.error().text()));
  CHECK(done->first == static_cast<uint64_t>(from));
  CHECK(done->count == static_cast<uint64_t>(count));
}

Result<store::Committed> commit(store::Store& store, Ledger& ledger, store::Commit change) {
  const Space space = change.narrowing ? Space::narrowing : Space::ordinary;
  TRY(store::Committed committed, store.commit_and_wait(std::move(change)));
  std::promise<Result<Appended>> answer;
  ledger.append_commit(committed.outgoing, space,
                       [&](Result<Appended> r) { answer.set_value(std::move(r)); });
  const Result<Appended> appended = answer.get_future().get();
  // An earlier one is still owed: pay in order, as a node does.
  if (!appended && appended.error().code() == "ledger.gap") {
    TRY_VOID(recover(store, ledger, space));
  } else if (!appended) {
    return Failure(appended.error());
  }
  store.integrated(committed.rev);
  return committed;
}

void write_at(const std::filesystem::path& path, uint64_t offset, ByteView bytes) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(file >= 0);
  REQUIRE(::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
          static_cast<ssize_t>(bytes.size()));
  ::close(file);
}

// Where the nth frame of a segment starts, and how long it is.
std::pair<uint64_t, uint64_t> frame_of(const std::filesystem::path& path, int n) {
  const Bytes bytes = read_whole(path).value();
  uint64_t at = kSegmentHeaderBytes;
  for (int i = 0;; ++i) {
    const uint64_t length = (uint64_t{bytes[at + 4]} << 24U) | (uint64_t{bytes[at + 5]} << 16U) |
                            (uint64_t{bytes[at + 6]} << 8U) | bytes[at + 7];
    REQUIRE(length > 0);
    if (i == n) return {at, frame_bytes(length)};
    at += frame_bytes(length);
  }
}

}  // namespace

TEST_CASE("what is appended is recorded, proved, disclosed and verified") {
  const House house;
  auto ledger = house.open();
  must_append(*ledger, 0, 3);
  must_append(*ledger, 3, 100);
  CHECK(ledger->size() == 103);
  CHECK(ledger->record(7)->fields == std::vector<std::pair<std::string, Json>>{
                                         {"app", "cop"}, {"n", 7}, {"permit", false}, {"person", "p7"}});
  const Checkpoint checkpoint = Checkpoint::open(ledger->checkpoint(), ledger->verifier()).value();
  CHECK(checkpoint.size == 103);
  CHECK(verify_inclusion(7, 103, leaf_hash(ledger->entry(7).value()), ledger->inclusion_proof(7, 103).value(),
                         checkpoint.root));
  const std::vector<std::string> names{"app"};
  const Disclosure disclosure = ledger->disclose(7, names).value();
  const Disclosure received = Disclosure::from_json(Json::parse(disclosure.json().dump()).value()).value();
  CHECK(verify_disclosure(received, ledger->verifier()));
  CHECK(received.fields.size() == 1);
  SUBCASE("a disclosed value can't be changed") {
    Disclosure lie = received;
    lie.fields[0].value = Json("map");
    CHECK(verify_disclosure(lie, ledger->verifier()).error().code() == "ledger.disclosure");
  }
  SUBCASE("a disclosed field can't be renamed") {
    Disclosure lie = received;
    lie.fields[0].name = "ap";
    CHECK(!verify_disclosure(lie, ledger->verifier()));
  }
  SUBCASE("a leaf can't be moved") {
    Disclosure lie = received;
    lie.index = 8;
    CHECK(verify_disclosure(lie, ledger->verifier()).error().code() == "ledger.proof");
  }
  ledger.reset();
  const auto report = house.verify();
  REQUIRE_MESSAGE(report, (report ? "" : report.error().text()));
  CHECK(report->checkpoint == checkpoint);
  CHECK(report->batches == 2);
}

TEST_CASE("a leaf says nothing about its fields") {
  const House house;
  auto ledger = house.open();
  must_append(*ledger, 0, 1);
  REQUIRE(ledger->append_and_wait({record(0)}));
  const Bytes first = ledger->entry(0).value();
  const Bytes second = ledger->entry(1).value();
  CHECK(first != second);  // equal records, other salts
  CHECK(as_text(first).find("cop") == std::string_view::npos);
  CHECK(as_text(first).find("person") == std::string_view::npos);
  CHECK(Leaf::parse(first)->digests.size() == 4);
}

TEST_CASE("a ledger goes on where it was, through many segments") {
  const House house;
  for (int round = 0; round < 4; ++round) {
    auto ledger = house.open();
    CHECK(ledger->size() == static_cast<uint64_t>(round * 400));
    for (int n = 0; n < 8; ++n) must_append(*ledger, round * 400 + n * 50, 50);
  }
  CHECK(std::filesystem::exists(house.path() / "log/00000002.seg"));
  CHECK(std::filesystem::exists(house.path() / "tile/0/005"));
  CHECK(std::filesystem::exists(house.path() / "tile/entries/006.p/64"));
  CHECK(!std::filesystem::exists(house.path() / "tile/entries/005.p"));
  const auto report = house.verify();
  REQUIRE_MESSAGE(report, (report ? "" : report.error().text()));
  CHECK(report->checkpoint.size == 1600);
  auto ledger = house.open();
  CHECK(ledger->record(801)->fields.size() == 4);
  CHECK(Ledger::open(house.options()).error().code() == "ledger.locked");
  const auto live = house.verify();
  CHECK_MESSAGE(live, (live ? "" : live.error().text()));
}

TEST_CASE("many callers at once each get their own indices") {
  const House house;
  auto ledger = house.open();
  std::atomic<uint64_t> next = 0;
  std::atomic<int> out_of_order = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        ledger->append({record(i), record(i)}, Space::ordinary, [&](const Result<Appended>& done) {
          if (!done || done->first != next.fetch_add(2)) ++out_of_order;
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ledger.reset();
  CHECK(out_of_order == 0);
  CHECK(house.verify()->checkpoint.size == 800);
}

TEST_CASE("what can't be recorded is refused and changes nothing") {
  const House house;
  auto ledger = house.open();
  CHECK(ledger->append_and_wait({}).error().code() == "ledger.record");
  CHECK(ledger->append_and_wait({{.event_class = "Bad Class"}}).error().code() == "ledger.record");
  CHECK(ledger->append_and_wait({{.event_class = "a", .fields = {{"x", 1}, {"x", 2}}}}).error().code() ==
        "ledger.record");
  CHECK(ledger->append_and_wait({{.event_class = "a", .fields = {{"store.rev", 1}}}}).error().code() ==
        "ledger.record");
  CHECK(ledger->append_and_wait({{.event_class = "a", .fields = {{"x", std::string(kRecordBytesMax, 'x')}}}})
            .error()
            .code() == "ledger.record");
  CHECK(ledger->size() == 0);
}

TEST_CASE("each flipped byte of a ledger is found") {
  const House house;
  {
    auto ledger = house.open();
    for (int n = 0; n < 3; ++n) must_append(*ledger, n * 2, 2);
  }
  REQUIRE(house.verify());
  std::mt19937_64 random(7);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(house.path())) {
    if (!entry.is_regular_file()) continue;
    const Bytes original = read_whole(entry.path()).value();
    // Every byte that is used, and one in a hundred of those that are not.
    size_t used = original.size();
    while (used > 0 && original[used - 1] == 0) --used;
    for (size_t at = 0; at < original.size(); at += at < used ? 1 : 1 + random() % 200) {
      const uint8_t flipped = static_cast<uint8_t>(original[at] ^ (1U << (random() % 8)));
      write_at(entry.path(), at, ByteView(&flipped, 1));
      const bool found = !house.verify().has_value();
      write_at(entry.path(), at, ByteView(&original[at], 1));
      if (!found) FAIL_CHECK("not found: " << entry.path().string() << " at " << at);
    }
  }
  REQUIRE(house.verify());
}

TEST_CASE("removed, reordered and cut entries are found, by an auditor and on opening") {
  const House house;
  {
    auto ledger = house.open();
    for (int n = 0; n < 4; ++n) must_append(*ledger, n, 1);
  }
  const auto segment = house.path() / "log/00000000.seg";
  const Bytes original = read_whole(segment).value();
  SUBCASE("an inner batch removed") {
    const auto [at, length] = frame_of(segment, 1);
    Bytes cut(original.begin(), original.begin() + static_cast<ptrdiff_t>(at));
    cut.insert(cut.end(), original.begin() + static_cast<ptrdiff_t>(at + length), original.end());
    cut.resize(original.size());
    write_at(segment, 0, cut);
    CHECK(house.verify().error().code() == "ledger.corrupt");
    CHECK(Ledger::open(house.options()).error().code() == "ledger.corrupt");
  }
  SUBCASE("two batches swapped") {
    const auto [at, length] = frame_of(segment, 1);
    const auto [next, next_length] = frame_of(segment, 2);
    REQUIRE(length == next_length);
    write_at(segment, at, ByteView(original).subspan(next, length));
    write_at(segment, next, ByteView(original).subspan(at, length));
    CHECK(house.verify().error().code() == "ledger.corrupt");
    CHECK(Ledger::open(house.options()).error().code() == "ledger.corrupt");
  }
  SUBCASE("the last batch zeroed") {
    const auto [at, length] = frame_of(segment, 3);
    write_at(segment, at, Bytes(length));
    CHECK(!house.verify());
    CHECK(Ledger::open(house.options()).error().code() == "ledger.rolled-back");
  }
  SUBCASE("the last batch zeroed on both sides") {
    const auto own = house.path() / "own/00000000.seg";
    write_at(segment, frame_of(segment, 3).first, Bytes(frame_of(segment, 3).second));
    write_at(own, frame_of(own, 3).first, Bytes(frame_of(own, 3).second));
    CHECK(house.verify().error().code() == "ledger.rolled-back");
    CHECK(Ledger::open(house.options()).error().code() == "ledger.rolled-back");
  }
  SUBCASE("an inner byte flipped") {
    write_at(segment, frame_of(segment, 1).first + 40, to_bytes("!"));
    CHECK(Ledger::open(house.options()).error().code() == "ledger.corrupt");
  }
  SUBCASE("a file cut short") {
    std::filesystem::resize_file(segment, original.size() - 8);
    CHECK(!house.verify());
    CHECK(Ledger::open(house.options()).error().code() == "ledger.corrupt");
  }
  SUBCASE("a tile gone") {
    std::filesystem::remove(house.path() / "tile/0/000.p/4");
    CHECK(house.verify().error().code() == "ledger.tile");
  }
}

TEST_CASE("an unfinished write at the end is cut, and nothing before it") {
  const House house;
  {
    auto ledger = house.open();
    must_append(*ledger, 0, 5);
  }
  for (const char* part : {"log", "own"}) {
    const auto segment = house.path() / part / "00000000.seg";
    const auto [at, length] = frame_of(segment, 0);
    const Bytes begun = read_whole(segment).value();
    // The next batch's first half, as a crash leaves it.
    Bytes half(begun.begin() + static_cast<ptrdiff_t>(at),
               begun.begin() + static_cast<ptrdiff_t>(at + length / 2));
    half[15] = 1;
    write_at(segment, at + length, half);
  }
  const auto verified = house.verify();
  REQUIRE_MESSAGE(verified, (verified ? "" : verified.error().text()));
  CHECK_FALSE(verified->unfinished.empty());
  CHECK(verified->checkpoint.size == 5);
  {
    auto ledger = house.open();
    CHECK(ledger->size() == 5);
    must_append(*ledger, 5, 1);
  }
  CHECK(house.verify()->checkpoint.size == 6);
  CHECK(house.verify()->unfinished.empty());
}

TEST_CASE(
    "what no unfinished write leaves behind the last batch is damage, also where nothing was announced yet") {
  const House house;
  const auto checkpoint = house.path() / "checkpoint";
  {
    auto ledger = house.open();
    must_append(*ledger, 0, 5);
  }
  const Bytes announced = read_whole(checkpoint).value();
  {
    auto ledger = house.open();
    must_append(*ledger, 5, 1);
  }
  write_at(checkpoint, 0, announced);  // as a kill leaves it within the second after the last batch
  std::filesystem::resize_file(checkpoint, announced.size());
  const auto segment = house.path() / "log" / "00000000.seg";
  const auto [at, length] = frame_of(segment, 1);
  const Bytes whole = read_whole(segment).value();
  for (uint64_t byte = 0; byte < length; byte += byte < 32 ? 1 : 7) {
    if (byte >= 4 && byte < 8) continue;  // its length: then nothing tells where it should have ended
    CAPTURE(byte);
    Bytes flipped{static_cast<uint8_t>(whole[at + byte] ^ 0x10)};
    if (at + byte + 8 >= at + length) break;  // padding
    write_at(segment, at + byte, flipped);
    const auto found = house.verify();
    CHECK_FALSE(found);
    write_at(segment, at + byte, Bytes{whole[at + byte]});
  }
  CHECK(house.verify());
  write_at(segment, at + length + 4096, Bytes{1});
  CHECK(house.verify().error().code() == "ledger.tail");
}

TEST_CASE("a folder put back to an older copy shows against a checkpoint that was seen") {
  const House house;
  const House other{.folder = {}, .key = house.key};
  {
    auto ledger = house.open();
    must_append(*ledger, 0, 5);
  }
  Scratch old;
  std::filesystem::copy(house.path(), old.path(), std::filesystem::copy_options::recursive);
  VerifyAgainst seen;
  {
    auto ledger = house.open();
    must_append(*ledger, 5, 5);
    seen.remembered = ledger->checkpoint();
  }
  CHECK(house.verify(old.path(), {}));
  CHECK(house.verify(old.path(), seen).error().code() == "ledger.rolled-back");
  CHECK(house.verify(seen));
  {
    auto ledger = other.open();
    must_append(*ledger, 0, 12);
  }
  CHECK(other.verify(seen).error().code() == "ledger.fork");
}

TEST_CASE("a ledger is not opened with another key or under another name") {
  const House house;
  {
    auto ledger = house.open();
    must_append(*ledger, 0, 1);
  }
  Options other = house.options();
  other.key = house.store_key;
  CHECK(Ledger::open(other).error().code() == "ledger.signature");
  Options renamed = house.options();
  renamed.origin = "entente.xbb/ledger";
  CHECK(Ledger::open(renamed).error().code() == "ledger.key");
}

TEST_CASE("store commits are recorded once each, in order, and both sides agree") {
  const House house;
  {
    auto store = house.open_store();
    auto ledger = house.open();
    REQUIRE(recover(*store, *ledger));
    CHECK(ledger->store_revision() == Revision{1});
    store::Commit change{
        .ops = {{"app/cop", "{}"}}, .leaves = {record(1).encode(), to_bytes("no record")}, .author = "ada"};
    REQUIRE(commit(*store, *ledger, change));
    CHECK(ledger->size() == 3);
    const Record kept = ledger->record(1).value();
    CHECK(kept.event_class == "verdict");
    CHECK(ledger->record(2)->event_class == "store.opaque");
    REQUIRE(ledger->append_and_wait({record(2)}));
    // Once more, as after a crash between ledger and store: answered, not recorded again.
    std::promise<Result<Appended>> again;
    ledger->append_commit({.rev = {2}}, Space::ordinary,
                          [&](Result<Appended> r) { again.set_value(std::move(r)); });
    CHECK(again.get_future().get()->count == 0);
    // Committed while the ledger was away: recorded before the next one.
    REQUIRE(store->commit_and_wait({.ops = {{"app/cop", "{\"a\":1}"}}}));
    REQUIRE(store->commit_and_wait({.ops = {{"app/cop", "{\"a\":2}"}}}));
    const auto done = commit(*store, *ledger, {.ops = {{"app/cop", "{\"a\":3}"}}});
    REQUIRE_MESSAGE(done, (done ? "" : done.error().text()));
    CHECK(ledger->store_revision() == Revision{5});
    const auto agreed = ledger->check_store(store->load_all().value());
    CHECK_MESSAGE(agreed, (agreed ? "" : agreed.error().text()));
    store->stop();
  }
  const auto loaded = house.audit_store();
  REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().text()));
  CHECK(house.verify({.store = &*loaded})->store_revision == Revision{5});
  SUBCASE("a store put back to an older copy") {
    store::Loaded older = *loaded;
    older.head = {4};
    older.manifests.pop_back();
    CHECK(house.verify({.store = &older}).error().code() == "ledger.store");
  }
  SUBCASE("a store whose history was written anew with its own key") {
    store::Loaded other = *loaded;
    other.manifests[3].digest[0] ^= 1;
    const auto found = house.verify({.store = &other});
    CHECK(found.error().code() == "ledger.store");
    CHECK(found.error().what().find("revision 4") != std::string::npos);
  }
  SUBCASE("a ledger that lacks what it was given") {
    std::filesystem::remove_all(house.path());
    auto store = house.open_store();
    auto ledger = house.open();
    CHECK(!recover(*store, *ledger));
  }
}

namespace {

// A disk that can be full, or fail from the nth write or sync on.
class BadDisk : public Disk {
 public:
  Result<void> write(int file, uint64_t offset, ByteView bytes) override {
    TRY_VOID(step());
    return Disk::write(file, offset, bytes);
  }
  Result<void> sync(int file) override {
    TRY_VOID(step());
    return Disk::sync(file);
  }
  Result<void> allocate(int file, uint64_t bytes) override {
    if (full) return fail("ledger.full", "the test's disk is full");
    return Disk::allocate(file, bytes);
  }
  std::atomic<bool> full = false;
  std::atomic<int> left = INT32_MAX;

 private:
  Result<void> step() {
    if (left.fetch_sub(1) > 0) return {};
    left = 0;
    return fail("ledger.io", "the test's disk fails");
  }
};

}  // namespace

TEST_CASE("on a full disk ordinary records are refused while narrowing ones still get in") {
  const House house;
  BadDisk disk;
  Options options = house.options();
  options.disk = &disk;
  options.publish = Seconds(3600);
  auto ledger = House::open(options);
  disk.full = true;
  int n = 0;
  Result<Appended> done = ledger->append_and_wait({record(n)});
  while (done && n < 1000) done = ledger->append_and_wait({record(++n)});
  REQUIRE(!done);
  CHECK(done.error().code() == "ledger.full");
  const uint64_t size = ledger->size();
  CHECK(ledger->append_and_wait({record(n)}, Space::narrowing)->first == size);
  CHECK(!ledger->append_and_wait({record(n)}));
  disk.full = false;
  CHECK(ledger->append_and_wait({record(n)})->first == size + 1);
  ledger.reset();
  CHECK(house.verify()->checkpoint.size == size + 2);
}

TEST_CASE("a write that fails is not recorded, and the ledger goes on when the disk does") {
  const House house;
  uint64_t acknowledged = 0;
  for (int steps = 0; steps < 8; ++steps) {
    CAPTURE(steps);
    BadDisk disk;
    Options options = house.options();
    options.disk = &disk;
    options.publish = Seconds(3600);
    auto ledger = House::open(options);
    CHECK(ledger->size() == acknowledged);
    disk.left = steps;
    if (ledger->append_and_wait({record(1), record(2)})) acknowledged += 2;
    CHECK(ledger->size() == acknowledged);
    disk.left = INT32_MAX;
    const auto done = ledger->append_and_wait({record(3)});
    REQUIRE_MESSAGE(done, (done ? "" : done.error().text()));
    CHECK(done->first == acknowledged);
    ++acknowledged;
  }
  const auto report = house.verify();
  REQUIRE_MESSAGE(report, (report ? "" : report.error().text()));
  CHECK(report->checkpoint.size == acknowledged);
}

TEST_CASE("nothing acknowledged is lost when the process is killed") {
  const House house;
  std::mt19937_64 random(11);
  uint64_t least = 0;
  for (int round = 0; round < 12; ++round) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      auto ledger = Ledger::open(house.options());
      if (!ledger) ::_exit(1);
      for (int n = 0;; ++n) {
        (*ledger)->append({record(n)}, Space::ordinary, [&](const Result<Appended>& done) {
          const uint64_t size = done ? done->first + done->count : 0;
          if (::write(ends[1], &size, sizeof size) != sizeof size) ::_exit(2);
        });
        if (n % 16 == 0) std::this_thread::yield();
        if (n % 4096 == 0) (void)(*ledger)->append_and_wait({record(n)});
      }
    }
    ::close(ends[1]);
    const uint64_t wanted = 1 + random() % 300;
    uint64_t size = 0;
    for (uint64_t got = 0; got < wanted && ::read(ends[0], &size, sizeof size) == sizeof size; ++got) {
      least = std::max(least, size);
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    while (::read(ends[0], &size, sizeof size) == sizeof size) least = std::max(least, size);
    ::close(ends[0]);
    auto ledger = house.open();
    CHECK(ledger->size() >= least);
    least = ledger->size();
  }
  const auto report = house.verify();
  REQUIRE_MESSAGE(report, (report ? "" : report.error().text()));
  CHECK(report->checkpoint.size == least);
}
