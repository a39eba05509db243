#include "ledger/request_match.h"

#include "base/scratch_for_test.h"
#include "crypto/key.h"
#include "ledger/ledger.h"
#include "ledger/merkle.h"
#include "ledger/note.h"
#include "ledger/segment.h"
#include "ledger/verify.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::ledger;

namespace {

struct Span {
  std::string_view session;
  int64_t first;
  int64_t last;
};

Json batch(int64_t number, std::initializer_list<Span> spans) {
  Json items = Json::array();
  for (const Span& one : spans)
    items.push(Json::object({{"session", one.session}, {"first", one.first}, {"last", one.last}}));
  return Json::object({{"batch", number}, {"sessions", std::move(items)}});
}

Json ended(std::string_view session, int64_t requests) {
  return Json::object({{"session", session}, {"requests", requests}});
}

// What a ledger is made of, one after the other.
struct Log {
  explicit Log(bool moving = false) : match(moving) {}
  Log& requests(int64_t number, std::initializer_list<Span> spans) {
    match.feed(index++, "requests", batch(number, spans));
    return *this;
  }
  Log& ending(std::string_view session, int64_t requests) {
    match.feed(index++, "ending", ended(session, requests));
    return *this;
  }
  Log& lost(int64_t records) {
    match.feed(index++, "unrecorded", Json::object({{"lost", records}}));
    return *this;
  }
  Log& restart() {
    match.feed(index++, "restart", Json::object({{"kept", "yes"}}));
    return *this;
  }
  std::string fault() {
    const Result<void> result = match.finish();
    return result ? "" : std::string(result.error().what());
  }
  RequestMatch match;
  uint64_t index = 0;
};

}  // namespace

TEST_CASE("requests of sessions side by side are whole, also when a batch came late") {
  const auto begun = [] {
    Log log;
    log.requests(1, {{"a", 1, 5}, {"b", 1, 1}}).requests(3, {{"a", 9, 12}, {"b", 2, 2}});
    log.match.feed(9, "verdict", Json::object({{"session", "a"}}));
    log.requests(5, {{"a", 15, 20}}).requests(2, {{"a", 6, 8}});
    return log;
  };
  CHECK_FALSE(begun().fault().empty());
  Log log = begun();
  log.requests(4, {{"a", 13, 14}});
  log.ending("a", 23).ending("never-counted", 0);  // three since the last batch
  CHECK(log.fault().empty());
}

TEST_CASE("attack: a batch of requests that is left out, counted twice or counts nothing is found") {
  const auto after = [](std::initializer_list<Span> spans) {
    Log log;
    return log.requests(1, {{"a", 1, 5}}).requests(3, {{"a", 11, 15}}).requests(2, spans).fault();
  };
  CHECK(after({{"a", 6, 10}}).empty());
  for (const Span& span : {Span{"a", 5, 6}, Span{"a", 1, 5}, Span{"a", 10, 11}, Span{"a", 12, 13},
                           Span{"a", 15, 16}, Span{"a", 6, 20}, Span{"a", 11, 15}})
    CHECK(after({span}).ends_with("are counted twice"));
  CHECK(after({{"a", 6, 7}, {"a", 7, 8}}) == "requests 7 to 8 of session a are counted twice");
  for (const Span& span : {Span{"a", 6, 5}, Span{"a", 0, 5}, Span{"a", -5, 5}, Span{"", 6, 7}})
    CHECK(after({span}) == "a batch of requests that counts nothing");
  CHECK(Log().requests(1, {{"a", 1, 5}, {"b", 3, 4}}).requests(2, {{"a", 7, 9}}).fault() ==
        "requests 6 to 6 of session a are in no batch");
}

TEST_CASE("attack: what is counted beyond a session's ending is found, before it and after it") {
  CHECK(Log().requests(1, {{"a", 1, 5}}).ending("a", 4).fault() ==
        "session a ends with 4 requests, but 5 were counted");
  CHECK(Log().requests(1, {{"a", 1, 5}}).ending("a", 7).requests(2, {{"a", 6, 8}}).fault() ==
        "session a ended with 7 requests, but 8 were counted");
  CHECK(Log().ending("a", 0).requests(1, {{"a", 1, 1}}).fault() ==
        "session a ended with 0 requests, but 1 were counted");
  CHECK(Log().ending("a", 9).ending("a", 4).fault() == "session a ends twice, with 9 requests and with 4");
  CHECK(Log().requests(1, {{"a", 1, 5}}).ending("a", 7).requests(2, {{"a", 6, 7}}).fault().empty());
}

TEST_CASE("attack: a session all of whose batches are left out shows by their numbers") {
  const std::string missing = "batches 2 to 3 of requests are missing";
  const auto log = [] { return Log().restart().requests(1, {{"a", 1, 5}}); };
  CHECK(log().ending("gone", 100).requests(4, {{"a", 6, 7}}).fault() == missing);
  CHECK(log().requests(4, {{"a", 6, 7}}).restart().requests(1, {{"a", 8, 9}}).fault() == missing);
  CHECK(log().requests(2, {{"a", 6, 7}}).restart().requests(1, {{"a", 8, 9}}).fault().empty());
  CHECK(log().requests(1, {{"a", 6, 7}}).fault() == "two batches of requests have the number 1");
  for (const int64_t number : {int64_t{0}, int64_t{-1}, INT64_MAX})
    CHECK(log().requests(number, {{"a", 6, 7}}).fault() ==
          "a batch of requests without a number or without sessions");
}

TEST_CASE("attack: one honest fault hides no later one: they are counted, and the newest is named") {
  const auto where = [](Log log) {
    const Result<void> result = log.match.finish();
    REQUIRE_FALSE(result);
    return result.error().where();
  };
  const auto gap = [] { return Log().restart().requests(1, {{"a", 1, 5}}).requests(3, {{"a", 9, 9}}); };
  const std::string once = where(gap());
  CHECK(once.find("2 faults") != std::string::npos);  // of the session, and of the batch
  CHECK(where(Log().requests(1, {{"a", 1, 5}}).requests(2, {{"a", 7, 9}})) == "end of the log");
  const std::string twice = where(gap().restart().requests(1, {{"b", 1, 1}}).requests(3, {{"b", 2, 2}}));
  CHECK(twice.find("3 faults") != std::string::npos);
  CHECK(twice.find("batches 2 to 2 of requests are missing (the start at entry 3)") != std::string::npos);
  CHECK(where(gap().requests(4, {{"c", 2, 3}}).requests(4, {{"c", 4, 4}})).find("4 faults") !=
        std::string::npos);
}

TEST_CASE("a batch that a disk kept and said it had refused stands twice to the letter, and counts once") {
  CHECK(
      Log().requests(1, {{"a", 1, 5}}).requests(1, {{"a", 1, 5}}).requests(2, {{"a", 6, 6}}).fault().empty());
}

TEST_CASE("what a running node has still to write, or said that it had to drop, is no fault") {
  CHECK(Log(true).requests(2, {{"a", 2, 5}}).fault().empty());
  CHECK(Log().requests(2, {{"a", 2, 5}}).lost(1).fault().empty());
  CHECK(Log().requests(1, {{"a", 1, 5}}).requests(3, {{"a", 9, 9}}).lost(3).fault().empty());
}

TEST_CASE(
    "attack: one record said to be dropped excuses no more than that, and in its own life of the node") {
  const auto lost_one = [] { return Log().restart().requests(1, {{"a", 1, 5}}).lost(1); };
  CHECK(lost_one().requests(3, {{"a", 9, 9}}).fault().empty());
  CHECK(lost_one().requests(4, {{"a", 9, 9}}).fault() == "requests 6 to 8 of session a are in no batch");
  CHECK(lost_one().requests(4, {{"b", 1, 1}}).fault() == "batches 2 to 3 of requests are missing");
  // No batch is missing where those requests must have stood.
  CHECK(lost_one().requests(2, {{"a", 9, 9}}).fault() == "requests 6 to 8 of session a are in no batch");
  CHECK(lost_one()
            .requests(2, {{"b", 1, 1}})
            .requests(4, {{"b", 2, 2}, {"c", 1, 1}})
            .requests(5, {{"c", 3, 3}})
            .fault() == "requests 2 to 2 of session c are in no batch");
  // Neither long before nor after.
  CHECK(lost_one().restart().requests(2, {{"a", 6, 9}}).fault() == "batches 1 to 1 of requests are missing");
  CHECK(lost_one().restart().requests(1, {{"a", 9, 9}}).fault() ==
        "requests 6 to 8 of session a are in no batch");
}

namespace {

struct Signed {
  explicit Signed(std::initializer_list<Span> spans) {
    auto ledger = Ledger::open({.folder = path(), .origin = kOrigin, .key = key});
    REQUIRE(ledger);
    int64_t number = 0;
    for (const Span& span : spans) {
      Json fields = batch(++number, {span});
      Record record{.event_class = "requests", .time = from_unix_seconds(1'800'000'000), .fields = {}};
      for (auto& [name, value] : fields.members()) record.fields.emplace_back(name, value);
      REQUIRE((*ledger)->append_and_wait({std::move(record)}));
    }
  }
  [[nodiscard]] std::filesystem::path path() const { return folder.path() / "ledger"; }
  [[nodiscard]] std::string fault(const VerifyAgainst& against = {}) const {
    const auto verifier = NoteVerifier::make(kOrigin, key.public_key());
    REQUIRE(verifier);
    const Result<VerifyReport> verified = verify(path(), *verifier, against);
    return verified ? "" : verified.error().code();
  }
  // Of the newest file below: one bit of the last byte that says something.
  void damage(const std::string& below) const {
    std::filesystem::path file;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path() / below))
      if (entry.is_regular_file() && (file.empty() || entry.path() > file)) file = entry.path();
    Result<Bytes> bytes = read_whole(file);
    REQUIRE(bytes);
    const auto last = std::ranges::find_if(bytes->rbegin(), bytes->rend(), [](uint8_t b) { return b != 0; });
    REQUIRE(last != bytes->rend());
    *last ^= 1;
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes->data()), std::ssize(*bytes));
  }
  static constexpr const char* kOrigin = "entente.xaa/ledger";
  Scratch folder;
  crypto::PrivateKey key = crypto::PrivateKey::generate(crypto::KeyKind::ed25519);
};

}  // namespace

TEST_CASE("attack: a ledger that is signed and chained, but left requests out, does not verify") {
  CHECK(Signed({{"a", 1, 5}, {"a", 6, 9}}).fault().empty());
  CHECK(Signed({{"a", 1, 5}, {"a", 7, 9}}).fault() == "ledger.requests");
  CHECK(Signed({{"a", 1, 5}, {"a", 5, 9}}).fault() == "ledger.requests");
}

TEST_CASE("a node at its start hears of wrong counts, and of everything else as an auditor does") {
  for (const int64_t second : {7, 5}) {
    const Signed ledger({{"a", 1, 5}, {"a", second, 9}});
    const auto verifier = NoteVerifier::make(Signed::kOrigin, ledger.key.public_key());
    REQUIRE(verifier);
    const Result<VerifyReport> report = verify(ledger.path(), *verifier, {.at_start = true});
    REQUIRE(report);
    REQUIRE(report->miscounted);
    CHECK(report->miscounted->code() == "ledger.requests");
    ledger.damage("tile");
    CHECK(ledger.fault({.at_start = true}) == "ledger.tile");
  }
}

TEST_CASE("attack: requests left out once, or counted twice, hide nothing else that is wrong with a ledger") {
  for (const int64_t second : {7, 5}) {
    const Signed ledger({{"a", 1, 5}, {"a", second, 9}, {"b", 1, 2}});
    CHECK(ledger.fault() == "ledger.requests");
    // A checkpoint of the same key: of a log that went on longer, and of another one.
    const auto signer = NoteSigner::make(Signed::kOrigin, ledger.key);
    REQUIRE(signer);
    for (const uint64_t size : {uint64_t{7}, uint64_t{3}}) {
      const Checkpoint seen{.origin = Signed::kOrigin, .size = size, .root = leaf_hash(as_bytes("another"))};
      const Result<std::string> note = signer->sign(seen.text());
      REQUIRE(note);
      CHECK(ledger.fault({.remembered = *note}) == (size > 3 ? "ledger.rolled-back" : "ledger.fork"));
    }
    ledger.damage("tile");
    CHECK(ledger.fault() == "ledger.tile");
    ledger.damage("log");
    CHECK_FALSE(ledger.fault().empty());
    CHECK(ledger.fault() != "ledger.requests");
    CHECK(ledger.fault() != "ledger.tile");
  }
}

TEST_CASE(
    "a session that came back after a kill may count nothing at first, and goes on from what was recorded") {
  Json item = Json::object({{"session", "a"}, {"first", 6}, {"last", 5}, {"missing_before", "restart"}});
  Log log;
  log.requests(1, {{"a", 1, 5}}).restart();
  log.match.feed(2, "requests", Json::object({{"batch", 1}, {"sessions", Json::array({std::move(item)})}}));
  CHECK(log.requests(2, {{"a", 6, 7}}).fault().empty());
}
