#include "node/recall.h"

#include "base/scratch_for_test.h"
#include "ledger/segment.h"

#include <atomic>
#include <filesystem>

#include <doctest/doctest.h>

namespace entente::node {
namespace {

const PartnerCode kSelf("XBB");
const Instant kNow = from_unix_seconds(1'795'000'000);

class Refusing : public ledger::Disk {
 public:
  Result<void> write(int file, uint64_t offset, ByteView bytes) override {
    if (refuses) return fail("ledger.full", "the test's disk is full");
    return ledger::Disk::write(file, offset, bytes);
  }
  std::atomic<bool> refuses = false;
};

struct Disk {
  Refusing refusing;
  Scratch scratch;
  const std::filesystem::path& folder = scratch.path();
  std::unique_ptr<ledger::Ledger> ledger;
  Disk() {
    ledger::Options options{.folder = folder / "ledger",
                            .origin = "entente.xbb/ledger",
                            .key = crypto::PrivateKey::generate(crypto::KeyKind::ed25519),
                            .segment_bytes = 1 << 20,
                            .reserve_bytes = 64 << 10,
                            .disk = &refusing};
    auto opened = ledger::Ledger::open(std::move(options));
    REQUIRE(opened);
    ledger = std::move(*opened);
  }
  void signed_in(const std::string& token, Instant at) {
    ledger::Record leaf{.event_class = "sign-in", .time = at, .fields = {}};
    leaf.fields.emplace_back("person", "p1");
    leaf.fields.emplace_back("token", token);
    leaf.fields.emplace_back("facts", Json::object());
    leaf.fields.emplace_back("end", rfc3339(at + std::chrono::hours(8)));
    REQUIRE(ledger->append_and_wait({leaf}));
  }
  [[nodiscard]] Recalled at(std::optional<Instant> last, Instant now, Seconds away_max = Seconds(120)) {
    std::optional<AliveMark::Noted> noted;
    if (last) noted = {.at = *last};
    return recall(*ledger, kSelf, noted, now, away_max);
  }
};

}  // namespace

TEST_CASE("a node that was away for a moment goes on, again and again") {
  Disk disk;
  disk.signed_in("t1", kNow - Seconds(600));
  for (int start = 0; start < 3; ++start) {
    const Instant now = kNow + Seconds(60 * start);
    const Recalled recalled = disk.at(now - Seconds(5), now);
    CHECK(recalled.why_not.empty());
    CHECK(recalled.kept.sign_ins.size() == 1);
  }
}

TEST_CASE(
    "nothing goes on after a long absence, a clock set back, or an unknown time; nor at a later start") {
  Disk disk;
  disk.signed_in("t1", kNow - Seconds(600));
  std::string said;
  SUBCASE("away for too long") {
    said = disk.at(kNow - Seconds(130), kNow).why_not;
  }
  SUBCASE("the clock is behind when the node last ran") {
    said = disk.at(kNow + Seconds(3600), kNow).why_not;
  }
  SUBCASE("the clock is behind what the ledger holds") {
    disk.signed_in("t2", kNow + Seconds(3600));
    said = disk.at(kNow - Seconds(5), kNow).why_not;
  }
  SUBCASE("nobody noted when it last ran") {
    said = disk.at(std::nullopt, kNow).why_not;
  }
  SUBCASE("it is set to let nothing go on") {
    said = disk.at(kNow, kNow, Seconds(0)).why_not;
  }
  CHECK_FALSE(said.empty());
  const Recalled later = disk.at(kNow + Seconds(3700), kNow + Seconds(3701));
  CHECK(later.why_not.empty());
  CHECK(later.kept.sign_ins.empty());
}

TEST_CASE("a start after the clock went back says the latest time that was seen here, once") {
  Disk disk;
  disk.signed_in("t1", kNow + Seconds(3600));
  CHECK(disk.at(kNow - Seconds(5), kNow).seen == kNow + Seconds(3600));
  CHECK_FALSE(disk.at(kNow, kNow + Seconds(5)).seen);
}

TEST_CASE("a node goes on after its clock was put right, whatever times the ledger holds from before") {
  Disk disk;
  disk.signed_in("t1", kNow + Seconds(86'400));
  ledger::Record leaf{.event_class = std::string(exchange::kClockLeaf), .time = kNow, .fields = {}};
  REQUIRE(disk.ledger->append_and_wait({std::move(leaf)}, ledger::Space::narrowing));
  disk.signed_in("t2", kNow + Seconds(1));
  const Recalled recalled = disk.at(kNow + Seconds(2), kNow + Seconds(5));
  CHECK(recalled.why_not.empty());
  CHECK(recalled.kept.sign_ins.size() == 1);
}

TEST_CASE("a start of which the ledger takes no record lets nothing go on, and its leaf is owed") {
  Disk disk;
  disk.signed_in("t1", kNow - Seconds(600));
  disk.refusing.refuses = true;
  const Recalled recalled = disk.at(kNow - Seconds(5), kNow);
  CHECK_FALSE(recalled.why_not.empty());
  CHECK(recalled.refused.code() == "ledger.full");
  REQUIRE(recalled.owed);
  CHECK(recalled.owed->event_class == exchange::kRestartLeaf);
  CHECK(Json(recalled.owed->fields).text_or("kept", "") == "no");
  disk.refusing.refuses = false;
  CHECK_FALSE(disk.at(kNow, kNow + Seconds(5)).owed);
}

TEST_CASE("of a life whose start the ledger did not take nothing goes on; how late it was then is known") {
  Disk disk;
  disk.signed_in("t1", kNow - Seconds(600));
  const AliveMark::Noted noted{.at = kNow + Seconds(3600), .recorded = false};
  SUBCASE("soon after it") {
    const Recalled soon = recall(*disk.ledger, kSelf, noted, noted.at + Seconds(5), Seconds(120));
    CHECK_FALSE(soon.why_not.empty());
    CHECK(soon.kept.sign_ins.size() == 1);  // to be ended
    CHECK_FALSE(soon.seen);
  }
  SUBCASE("attack: with the clock set back") {
    CHECK(recall(*disk.ledger, kSelf, noted, kNow, Seconds(120)).seen == noted.at);
  }
}

TEST_CASE("the mark of a running node is the time it was noted last") {
  Disk disk;
  const std::filesystem::path file = disk.folder / "alive";
  CHECK_FALSE(AliveMark(file).last());
  AliveMark mark(file);
  mark.note({kNow, false});
  REQUIRE(AliveMark(file).last());
  CHECK_FALSE(AliveMark(file).last()->recorded);
  mark.note({kNow + Seconds(5)});
  REQUIRE(AliveMark(file).last());
  CHECK(AliveMark(file).last()->at == kNow + Seconds(5));
  CHECK(AliveMark(file).last()->recorded);
  std::filesystem::resize_file(file, 24);  // as versions before wrote it
  REQUIRE(AliveMark(file).last());
  CHECK(AliveMark(file).last()->at == kNow + Seconds(5));
  CHECK(AliveMark(file).last()->recorded);
  std::filesystem::resize_file(file, 7);
  CHECK_FALSE(AliveMark(file).last());
}

TEST_CASE("the ledger is read from its newest leaf back, and no further than asked") {
  Disk disk;
  for (int i = 0; i < 20; ++i) disk.signed_in("t" + std::to_string(i), kNow + Seconds(i));
  std::vector<std::string> seen;
  REQUIRE(disk.ledger->newest_first([](std::string_view kind) { return kind == "sign-in"; },
                                    [&](const ledger::Record& record) {
                                      for (const auto& [name, value] : record.fields)
                                        if (name == "token") seen.push_back(value.string());
                                      return seen.size() < 3;
                                    }));
  CHECK(seen == std::vector<std::string>{"t19", "t18", "t17"});
}

}  // namespace entente::node
