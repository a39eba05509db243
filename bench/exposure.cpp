// bench_exposure POLICIES FOLDER RELEASES: how long a node takes to say what it released: with a ledger of
// that many releases (and as many attempts) it has not looked at yet, and again; and for how long that holds
// up a turn of its loop. A line of JSON. FOLDER is made and left behind.
#include "data/exposure.h"

#include "objects.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include <sys/resource.h>

namespace {

using namespace entente;
using namespace entente::data;

constexpr size_t kReaders = 1'000;
constexpr size_t kObjects = 10'000;
constexpr size_t kAtOnce = 256;  // requests under way

template <class T>
T must(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "bench_exposure: {}\n", result.error().text());
    std::exit(1);
  }
  return *std::move(result);
}

std::string digest_text(std::string_view of) {
  return base64url(crypto::sha256(of));
}

// Each a reader and an object of its own, so that nothing falls together: the most there is to remember.
ledger::Record leaf(std::string kind, size_t number) {
  const size_t reader = number % kReaders;
  const size_t object = (number / kReaders * 37 + reader) % kObjects;
  const bool own = reader % 10 < 4;
  ledger::Record out{.event_class = std::move(kind), .time = bench::kNow + Millis(number), .fields = {}};
  const auto add = [&](std::string name, Json value) {
    out.fields.emplace_back(std::move(name), std::move(value));
  };
  add("person", digest_text(fmt::format("reader {}", reader)));
  add("partner", own ? "XAA" : std::string(reader % 10 < 6 ? "XBB" : reader % 10 < 8 ? "XCC" : "XDD"));
  add("device", digest_text(fmt::format("device {}", reader)));
  add("client", "opentdf");
  add("object", fmt::format("5e0f3a52-0000-4000-8000-{:012}", object));
  add("key", digest_text(fmt::format("key {}", object)));
  add("kid", "2026-11-01-rsa");
  add("action", "open");
  add("verdict", "AAAAAAAAAAAAAAAA");
  add("revision", int64_t{7});
  if (out.event_class == "key.release") {
    const char* level = object % 3 == 0 ? "unclassified" : object % 3 == 1 ? "restricted" : "confidential";
    Json attributes =
        Json::array({bench::object_value("classification", level), bench::object_value("originator", "xaa"),
                     bench::object_value("releasable-to", object % 2 == 0 ? "xbb" : "xcc")});
    if (object % 5 == 0) attributes.push(bench::object_value("mission", "harbor-light"));
    add("attributes", std::move(attributes));
    add("dissem", Json::array());
  }
  return out;
}

void fill(ledger::Ledger& ledger, size_t releases) {
  std::atomic<size_t> under_way = 0;
  for (size_t i = 0; i < releases; ++i) {
    for (const char* kind : {"key.attempt", "key.release"}) {
      while (under_way.load() >= kAtOnce) std::this_thread::sleep_for(std::chrono::microseconds(200));
      ++under_way;
      ledger.append({leaf(kind, i)}, ledger::Space::ordinary, [&](const Result<ledger::Appended>& done) {
        if (!done) std::exit(1);
        --under_way;
      });
    }
  }
  while (under_way.load() > 0) std::this_thread::sleep_for(Millis(1));
}

struct Cost {
  double wall_ms = 0, cpu_ms = 0, turn_ms = 0;
  [[nodiscard]] Json json() const {
    return Json::object({{"wall_ms", wall_ms}, {"cpu_ms", cpu_ms}, {"turn_ms", turn_ms}});
  }
};

// `turn`: true when there is another. What a turn takes is this thread's CPU time: the machine is shared.
template <class Turn>
Cost cost_of(Turn turn) {
  Cost out;
  const double wall = bench::clock_us(CLOCK_MONOTONIC);
  const double used = bench::clock_us(CLOCK_THREAD_CPUTIME_ID);
  for (bool more = true; more;) {
    const double began = bench::clock_us(CLOCK_THREAD_CPUTIME_ID);
    more = turn();
    out.turn_ms = std::max(out.turn_ms, (bench::clock_us(CLOCK_THREAD_CPUTIME_ID) - began) / 1e3);
  }
  out.wall_ms = (bench::clock_us(CLOCK_MONOTONIC) - wall) / 1e3;
  out.cpu_ms = (bench::clock_us(CLOCK_THREAD_CPUTIME_ID) - used) / 1e3;
  return out;
}

int64_t memory_bytes() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return int64_t{used.ru_maxrss} * 1024;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto releases = static_cast<size_t>(std::strtoull(argv[3], nullptr, 10));
  ledger::Options options{.folder = argv[2],
                          .origin = "entente.xaa/ledger",
                          .key = crypto::PrivateKey::generate(crypto::KeyKind::ed25519)};
  std::filesystem::create_directories(options.folder);
  auto ledger = must(ledger::Ledger::open(std::move(options)));
  fill(*ledger, releases);
  must(Result<bool>(ledger->publish().has_value()));
  const coalition::World world = bench::object_world(argv[1]);

  const int64_t before = memory_bytes();
  Exposure exposure(PartnerCode("XAA"));
  const uint64_t until = ledger->size();
  const Cost read = cost_of([&] { return must(exposure.read_on(*ledger, until, kExposureReadAtOnce)); });
  const int64_t grown = memory_bytes() - before;
  Json said;
  const auto told = [&](const ExposureFilter& filter) {
    ExposureReport report(exposure, filter, world, bench::kNow);
    const Cost cost = cost_of([&] { return report.step(kExposureGroupsAtOnce); });
    said = report.take();
    return cost;
  };
  const Cost whole = told({});
  const Json all = said;
  const Cost one =
      told({.partner = {}, .person = "XBB/" + digest_text("reader 4"), .object = {}, .device = {}});
  const Cost dump = cost_of([&] {
    (void)all.dump();
    return false;
  });
  const Json out = Json::object({{"releases", *all.find("releases")},
                                 {"incomplete", *all.find("incomplete")},
                                 {"openable", *all.find("openable")},
                                 {"entries", static_cast<int64_t>(until)},
                                 {"read", read.json()},
                                 {"report", whole.json()},
                                 {"one_reader", one.json()},
                                 {"dump", dump.json()},
                                 {"kept_bytes", static_cast<int64_t>(exposure.bytes())},
                                 {"grown_bytes", grown}});
  fmt::print("{}\n", out.dump());
  return 0;
}
