// The key service as a process of its own, with a ledger on a disk, killed where it hurts: what it had told
// anybody by then is in the ledger that its next life opens.
#include "base/scratch_for_test.h"
#include "data/exposure.h"
#include "data/kas_for_test.h"
#include "ledger/ledger.h"

#include <csignal>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace entente;
using namespace entente::data;
using namespace entente::data::for_test;

namespace {

// Where it dies: at its first or second record, before that is given to the disk, while it is on its way
// there, or when it is durable and nothing else was done; or when the answer is made and not sent; or sent.
enum class Death { before, under_way, durable };
struct Point {
  const char* what;
  size_t record;  // 0: the attempt, 1: the release
  Death death;
  size_t attempts_least;  // in the ledger afterwards
  size_t releases_least;
  size_t releases_most;
  size_t unwrapped;  // private operations until then
};
constexpr std::array kPoints{
    Point{"asked, not recorded", 0, Death::before, 0, 0, 0, 0},
    Point{"attempt under way to the disk", 0, Death::under_way, 0, 0, 0, 0},
    Point{"attempt recorded, not unwrapped", 0, Death::durable, 1, 0, 0, 0},
    Point{"unwrapped, release not recorded", 1, Death::before, 1, 0, 0, 1},
    Point{"release under way to the disk", 1, Death::under_way, 1, 0, 1, 1},
    Point{"release recorded, not answered", 1, Death::durable, 1, 1, 1, 1},
};

struct House {
  Scratch scratch;
  PrivateKey key = PrivateKey::generate(KeyKind::ed25519);

  [[nodiscard]] std::unique_ptr<ledger::Ledger> open() const {
    auto out = ledger::Ledger::open({.folder = scratch.path() / "ledger",
                                     .origin = "entente.xaa/ledger",
                                     .key = key,
                                     .segment_bytes = 1 << 20,
                                     .reserve_bytes = 64 << 10});
    REQUIRE_MESSAGE(out, (out ? "" : out.error().text()));
    return *std::move(out);
  }
};

std::vector<ledger::Record> records_of(const std::vector<KasLeaf>& leaves) {
  std::vector<ledger::Record> out;
  for (const KasLeaf& leaf : leaves) {
    ledger::Record record{.event_class = leaf.kind, .time = example::kNow, .fields = {}};
    for (const auto& [name, value] : leaf.fields) record.fields.push_back({name, value});
    out.push_back(std::move(record));
  }
  return out;
}

[[noreturn]] void die() {
  ::kill(::getpid(), SIGKILL);
  ::_exit(3);  // never
}

// As a node's key desk walks: what is to be durable is, before the next step. To the answer, or to death.
std::string walk(Desk& desk, ledger::Ledger& ledger, const Json& body, const Point* point, int told) {
  Kas::Step step = desk.take(desk.signed_request(body));
  for (size_t number = 0; auto* write = std::get_if<Kas::Write>(&step); ++number) {
    const bool here = point != nullptr && point->record == number;
    const uint64_t operations = desk.kas.keys().operations();
    if (here && ::write(told, &operations, sizeof operations) != sizeof operations) ::_exit(4);
    if (here && point->death == Death::before) die();
    if (here && point->death == Death::under_way) {
      ledger.append(records_of(write->leaves), ledger::Space::ordinary, [](const auto&) {});
      die();
    }
    const auto durable = ledger.append_and_wait(records_of(write->leaves));
    if (here) die();
    step =
        desk.kas.written(std::move(*write), durable ? Result<void>() : Result<void>(Failure(durable.error())),
                         desk.world, Desk::at());
  }
  return std::get<KasAnswer>(step).body.dump();
}

struct Seen {
  size_t attempts = 0;
  size_t releases = 0;
};
Seen seen_in(const ledger::Ledger& ledger) {
  Seen out;
  REQUIRE(ledger.newest_first([](std::string_view) { return true; },
                              [&](const ledger::Record& record) {
                                out.attempts += record.event_class == "key.attempt" ? 1U : 0U;
                                out.releases += record.event_class == "key.release" ? 1U : 0U;
                                return true;
                              }));
  return out;
}
uint64_t exposed(const ledger::Ledger& ledger) {
  Exposure exposure{PartnerCode("XAA")};
  for (bool more = true; more;) {
    const auto read = exposure.read_on(ledger, ledger.size(), 100);
    REQUIRE(read);
    more = *read;
  }
  CHECK(exposure.incomplete() == 0);
  return exposure.releases();
}

// What the dead one told: how often it had used a private key when it died.
uint64_t live_and_die(const House& house, const Json& body, const Point& point) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    Desk desk;
    const auto ledger = house.open();
    (void)walk(desk, *ledger, body, &point, ends[1]);
    ::_exit(5);  // it outlived the point
  }
  ::close(ends[1]);
  uint64_t operations = 99;
  CHECK(::read(ends[0], &operations, sizeof operations) == sizeof operations);
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGKILL);
  return operations;
}

}  // namespace

TEST_CASE("attack: killed with SIGKILL around the unwrap; the ledger of its next life tells the truth") {
  for (const char* const kid : {"2026-11-01-rsa", "2026-11-01-ec"}) {
    for (const Point& point : kPoints) {
      CAPTURE(kid);
      CAPTURE(point.what);
      const House house;
      Desk next;  // its keys are the dead one's: they are files
      const Json body = Desk::first(restricted(), next.access(restricted(), kid));
      CHECK(live_and_die(house, body, point) == point.unwrapped);

      const auto ledger = house.open();
      const Seen seen = seen_in(*ledger);
      CHECK(seen.attempts >= point.attempts_least);
      CHECK(seen.attempts <= 1);
      CHECK(seen.releases >= point.releases_least);
      CHECK(seen.releases <= point.releases_most);
      CHECK(seen.releases <= seen.attempts);
      CHECK(exposed(*ledger) == seen.releases);  // an attempt is no exposure; a release is one, sent or not

      const std::string answer = walk(next, *ledger, body, nullptr, -1);
      CHECK(answer.find("entityWrappedKey") != std::string::npos);
      CHECK(seen_in(*ledger).attempts == seen.attempts + 1);
      CHECK(exposed(*ledger) == seen.releases + 1);
    }
  }
}
