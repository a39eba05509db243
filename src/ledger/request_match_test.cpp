#include "ledger/request_match.h"

#include "base/scratch_for_test.h"
#include "crypto/key.h"
#include "ledger/ledger.h"
#include "ledger/verify.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::ledger;

namespace {

struct Span {
  std::string_view session;
  int64_t first;
  int64_t last;
};

Json batch(std::initializer_list<Span> spans) {
  Json items = Json::array();
  for (const Span& one : spans)
    items.push(Json::object({{"session", one.session}, {"first", one.first}, {"last", one.last}}));
  return Json::object({{"batch", 1}, {"sessions", std::move(items)}});
}

Json ended(std::string_view session, int64_t requests) {
  return Json::object({{"session", session}, {"requests", requests}});
}

std::string fault_of(const Result<void>& result) {
  return result ? "" : std::string(result.error().what());
}

}  // namespace

TEST_CASE("requests of sessions side by side are whole, also when a batch came late") {
  RequestMatch match;
  CHECK(match.feed(0, "requests", batch({{"a", 1, 5}, {"b", 1, 1}})));
  CHECK(match.feed(1, "verdict", Json::object({{"session", "a"}})));
  CHECK(match.feed(2, "requests", batch({{"a", 9, 12}, {"b", 2, 2}})));
  CHECK(match.feed(3, "requests", batch({{"a", 15, 20}})));
  CHECK(match.feed(4, "requests", batch({{"a", 6, 8}})));
  CHECK_FALSE(match.finish());
  CHECK(match.feed(5, "requests", batch({{"a", 13, 14}})));
  CHECK(match.feed(6, "ending", ended("a", 23)));  // three since the last batch
  CHECK(match.feed(7, "ending", ended("never-counted", 0)));
  CHECK(match.finish());
}

TEST_CASE("attack: a batch of requests that is left out, counted twice or counts nothing is found") {
  const auto after = [](std::initializer_list<Span> spans) {
    RequestMatch match;
    REQUIRE(match.feed(0, "requests", batch({{"a", 1, 5}})));
    REQUIRE(match.feed(1, "requests", batch({{"a", 11, 15}})));
    return fault_of(match.feed(2, "requests", batch(spans)));
  };
  CHECK(after({{"a", 6, 10}}).empty());
  for (const Span& span : {Span{"a", 5, 6}, Span{"a", 1, 5}, Span{"a", 10, 11}, Span{"a", 12, 13},
                           Span{"a", 15, 16}, Span{"a", 6, 20}, Span{"a", 11, 15}})
    CHECK(after({span}).ends_with("are counted twice"));
  CHECK(after({{"a", 6, 7}, {"a", 7, 8}}) == "requests 7 to 8 of session a are counted twice");
  for (const Span& span : {Span{"a", 6, 5}, Span{"a", 0, 5}, Span{"a", -5, 5}, Span{"", 6, 7}})
    CHECK(after({span}) == "a batch of requests that counts nothing");

  RequestMatch gap;
  REQUIRE(gap.feed(0, "requests", batch({{"a", 1, 5}, {"b", 3, 4}})));
  REQUIRE(gap.feed(1, "requests", batch({{"a", 7, 9}})));
  CHECK(fault_of(gap.finish()) == "requests 6 to 6 of session a are in no batch");

  RequestMatch fewer;
  REQUIRE(fewer.feed(0, "requests", batch({{"a", 1, 5}})));
  CHECK(fault_of(fewer.feed(1, "ending", ended("a", 4))) ==
        "session a ends with 4 requests, but 5 were counted");
}

TEST_CASE("what a running node has still to write, or said that it had to drop, is no fault") {
  RequestMatch running(true);
  REQUIRE(running.feed(0, "requests", batch({{"a", 2, 5}})));
  CHECK(running.finish());
  RequestMatch full;
  REQUIRE(full.feed(0, "requests", batch({{"a", 2, 5}})));
  REQUIRE(full.feed(1, "unrecorded", Json::object({{"lost", 1}})));
  CHECK(full.finish());
}

TEST_CASE("attack: a ledger that is signed and chained, but left requests out, does not verify") {
  for (const int64_t second : {6, 7, 5}) {
    const Scratch folder;
    const auto key = crypto::PrivateKey::generate(crypto::KeyKind::ed25519);
    const std::string origin = "entente.xaa/ledger";
    {
      auto ledger = Ledger::open({.folder = folder.path() / "ledger", .origin = origin, .key = key});
      REQUIRE(ledger);
      for (const auto& [first, last] : {std::pair<int64_t, int64_t>{1, 5}, {second, 9}}) {
        Json fields = batch({{"a", first, last}});
        Record record{.event_class = "requests", .time = from_unix_seconds(1'800'000'000), .fields = {}};
        for (auto& [name, value] : fields.members()) record.fields.emplace_back(name, value);
        REQUIRE((*ledger)->append_and_wait({std::move(record)}));
      }
    }
    const auto verifier = NoteVerifier::make(origin, key.public_key());
    REQUIRE(verifier);
    const Result<VerifyReport> verified = verify(folder.path() / "ledger", *verifier);
    CHECK(verified.has_value() == (second == 6));
    if (!verified) CHECK(verified.error().code() == "ledger.requests");
  }
}

TEST_CASE(
    "a session that came back after a kill may count nothing at first, and goes on from what was recorded") {
  RequestMatch match;
  Json item = Json::object({{"session", "a"}, {"first", 6}, {"last", 5}, {"missing_before", "restart"}});
  CHECK(match.feed(0, "requests", batch({{"a", 1, 5}})));
  CHECK(
      match.feed(1, "requests", Json::object({{"batch", 1}, {"sessions", Json::array({std::move(item)})}})));
  CHECK(match.feed(2, "requests", batch({{"a", 6, 7}})));
  CHECK(match.finish());
}
