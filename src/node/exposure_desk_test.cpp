#include "node/exposure_desk.h"

#include "coalition/example_test.h"
#include "data/exposure_check.h"
#include "ledger/verify.h"

#include <filesystem>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

using namespace entente;
using namespace entente::node;
namespace example = coalition::example;

namespace {

ledger::Record release(size_t number) {
  ledger::Record out{.event_class = "key.release", .time = example::kNow + Millis(number), .fields = {}};
  out.fields = {
      {"partner", number % 2 == 0 ? "XBB" : "XCC"},
      {"person", fmt::format("reader-{}", number % 10)},
      {"device", fmt::format("device-{}", number % 10)},
      {"object", fmt::format("object-{}", number)},
      {"key", fmt::format("digest-{}", number)},
      {"kid", "key-1"},
      {"verdict", "v-1"},
      {"attributes", Json::array({example::fqn("classification", "restricted"),
                                  example::fqn("originator", "xaa"), example::fqn("releasable-to", "xbb")})}};
  return out;
}

struct House {
  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / fmt::format("entente-exposure-desk-{}", ::getpid());
  crypto::PrivateKey key = crypto::PrivateKey::generate(crypto::KeyKind::ed25519);
  coalition::World world = example::world(example::records("XAA"));
  std::unique_ptr<ledger::Ledger> ledger;
  net::Loop loop;
  size_t releases = 0;

  House() {
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    ledger = ledger::Ledger::open({.folder = folder,
                                   .origin = "entente.xaa/ledger",
                                   .key = key,
                                   .segment_bytes = 1 << 20,
                                   .reserve_bytes = 64 << 10})
                 .value();
  }
  ~House() {
    ledger.reset();
    std::filesystem::remove_all(folder);
  }
  void append(size_t count) {
    constexpr size_t kAtOnce = 300;
    while (count > 0) {
      std::vector<ledger::Record> batch;
      for (; count > 0 && batch.size() < kAtOnce; --count) batch.push_back(release(releases++));
      REQUIRE(ledger->append_and_wait(std::move(batch)));
    }
  }
  // As a node does before it runs.
  void start(ExposureDesk& desk) const {
    const auto report = ledger::verify(
        folder, ledger->verifier(),
        {.at_start = true,
         .seen = [&](uint64_t entry, const ledger::Record& record) { desk.take(record, entry); }});
    REQUIRE_MESSAGE(report, (report ? "" : report.error().text()));
    desk.follow(*ledger);
  }
  Json ask(ExposureDesk& desk, data::ExposureFilter filter) {
    const Result<Json> said = loop.run_until(desk.answer(std::move(filter), world, example::kNow));
    REQUIRE_MESSAGE(said, (said ? "" : said.error().text()));
    return *said;
  }
};

int64_t number(const Json& report, const char* name) {
  return report.find(name)->integer();
}

}  // namespace

TEST_CASE("what was released is known when the ledger was checked at the start, and kept up as it grows") {
  House house;
  house.append(300);
  ExposureDesk desk(house.loop, PartnerCode("XAA"));
  house.start(desk);
  CHECK(desk.read() == house.ledger->size());
  CHECK(number(house.ask(desk, {.partner = "XBB"}), "releases") == 150);
  house.append(1'000);
  CHECK(desk.read() == 300);
  // Nobody asks, and it is read all the same.
  for (int turn = 0; turn < 400 && desk.read() < house.ledger->size(); ++turn)
    house.loop.run_until(house.loop.sleep(Millis(25)));
  CHECK(desk.read() == house.ledger->size());
  // Whoever asks hears of what came since.
  house.append(10);
  const Json said = house.ask(desk, {.partner = "XBB"});
  CHECK(number(said, "releases") == 655);
  CHECK(number(said, "read") == 1'310);
  CHECK(number(house.ask(desk, {.partner = "XBB", .person = "XBB/reader-4"}), "releases") == 131);
  CHECK(number(house.ask(desk, {.object = "object-1309"}), "releases") == 1);
}

TEST_CASE("attack: more is released than there is room for, so that a question is answered in part") {
  House house;
  house.append(2'000);
  ExposureDesk desk(house.loop, PartnerCode("XAA"), 200 << 10);
  house.start(desk);
  // All together have no room: how many are missing is said.
  const Json all = house.ask(desk, {});
  CHECK(number(all, "incomplete") > 500);
  CHECK(number(all, "releases") + number(all, "incomplete") == 2'000);
  // What each question is about has, first and again, and for what had no room, too.
  for (int time = 0; time < 2; ++time) {
    const Json person = house.ask(desk, {.person = "XBB/reader-8"});
    CHECK(number(person, "incomplete") == 0);
    CHECK(number(person, "releases") == 200);
    for (const char* object : {"object-0", "object-1999"}) {
      const Json one = house.ask(desk, {.object = object});
      CHECK(number(one, "incomplete") == 0);
      CHECK(number(one, "releases") == 1);
    }
    const Json device = house.ask(desk, {.device = "device-3"});
    CHECK(number(device, "incomplete") == 0);
    CHECK(number(device, "releases") == 200);
  }
}

TEST_CASE(
    "attack: what is released while a report is made is in it by half, and an auditor finds it untrue") {
  House house;
  house.append(9'000);  // several turns of a loop
  ExposureDesk desk(house.loop, PartnerCode("XAA"));
  house.start(desk);
  std::optional<Result<Json>> first;
  const auto ask = [](ExposureDesk* of, coalition::World world,
                      std::optional<Result<Json>>* said) -> net::Task<void> {
    data::ExposureFilter filter{.partner = "XBB"};
    Result<Json> answer = co_await of->answer(std::move(filter), std::move(world), example::kNow);
    said->emplace(std::move(answer));
  };
  const auto know = [](ExposureDesk* of, std::string object) -> net::Task<void> {
    [[maybe_unused]] const std::optional<bool> known =
        co_await of->released_before("policy", std::move(object));
  };
  house.loop.spawn(ask(&desk, house.world, &first));
  // Recalls want to know, while more is released.
  for (int turn = 0; !first; ++turn) {
    if (turn < 40) house.append(1);
    house.loop.spawn(know(&desk, fmt::format("object-{}", house.releases - 1)));
    house.loop.run_until(house.loop.sleep(Millis(0)));
  }
  while (house.loop.tasks() > 0) house.loop.run_until(house.loop.sleep(Millis(1)));
  REQUIRE(*first);
  const auto check = [&](Json report) -> std::string {
    auto against = data::ExposureCheck::of(std::move(report), PartnerCode("XAA"));
    if (!against) return against.error().code();
    const auto verified = ledger::verify(
        house.folder, house.ledger->verifier(),
        {.remembered = against->checkpoint(),
         .at_start = true,
         .seen = [&](uint64_t entry, const ledger::Record& record) { against->take(record, entry); }});
    REQUIRE_MESSAGE(verified, (verified ? "" : verified.error().text()));
    const Result<void> done = against->finish();
    return done ? "true" : done.error().code();
  };
  CHECK(check(**first) == "true");
  // One release less, or another one, is found out.
  const auto changed = [&](auto change) {
    Json report = **first;
    for (auto& [name, value] : report.members())
      if (name == "rows") change(value.items());
    return check(std::move(report));
  };
  CHECK(changed([](Json::Array& rows) { rows.pop_back(); }) == "exposure.untrue");
  CHECK(changed([](Json::Array& rows) { rows.front().set("person", "reader-5"); }) == "exposure.untrue");
  CHECK(changed([](Json::Array& rows) { rows.front().set("count", 2); }) == "exposure.untrue");
  CHECK(changed([](Json::Array& rows) { rows.front().set("openable", false); }) == "true");
  const auto with = [&](const char* name, Json value) {
    Json report = **first;
    report.set(name, std::move(value));
    return check(std::move(report));
  };
  CHECK(with("releases", 7) == "exposure.untrue");
  CHECK(with("read", 1'000'000) == "exposure.untrue");
  CHECK(with("asked", Json::object({{"partner", "XCC"}})) == "exposure.untrue");
  CHECK(check(Json::object({{"releases", 1}})) == "exposure.report");
}
