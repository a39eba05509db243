// bench_exposure POLICIES FOLDER RELEASES [ROOM]: how long a node takes to say what it released, by the desk
// that answers in the product: what it takes to read a ledger of that many releases (and as many attempts)
// that it has not looked at yet, and then each question, first and again, with JSON; and for how long any of
// it holds up a turn of the loop. With a ROOM of so many bytes, of which most are left out: then a question
// is answered from the ledger, read for it. A line of JSON. FOLDER is made and left behind.
#include "node/exposure_desk.h"
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

double cpu_us() {
  return bench::clock_us(CLOCK_THREAD_CPUTIME_ID);
}

// Beside whatever else the loop does: the most that came between two of its own turns. What a turn takes is
// this thread's CPU time: the machine is shared.
net::Task<void> watch_turns(net::Loop* loop, const bool* done, double* longest_ms) {
  for (double before = cpu_us(); !*done;) {
    co_await loop->sleep(Millis(0));
    const double now = cpu_us();
    *longest_ms = std::max(*longest_ms, (now - before) / 1e3);
    before = now;
  }
}

template <class Task>
auto timed(net::Loop& loop, Task task, Cost& cost) {
  bool done = false;
  const double wall = bench::clock_us(CLOCK_MONOTONIC);
  const double used = cpu_us();
  loop.spawn(watch_turns(&loop, &done, &cost.turn_ms));
  auto result = loop.run_until(std::move(task));
  cost.wall_ms = (bench::clock_us(CLOCK_MONOTONIC) - wall) / 1e3;
  cost.cpu_ms = (cpu_us() - used) / 1e3;
  done = true;
  while (loop.tasks() > 0) loop.run_until(loop.sleep(Millis(1)));
  return result;
}

// As the route does, to the text that leaves the node.
net::Task<Result<std::string>> ask(node::ExposureDesk* desk, ExposureFilter filter, coalition::World world,
                                   Json* said) {
  Result<Json> answer = co_await desk->answer(std::move(filter), std::move(world), bench::kNow);
  if (!answer) co_return Failure(answer.error());
  *said = *std::move(answer);
  co_return said->dump();
}

int64_t memory_bytes() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return int64_t{used.ru_maxrss} * 1024;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) return 2;
  const auto releases = static_cast<size_t>(std::strtoull(argv[3], nullptr, 10));
  const size_t room = argc == 5 ? std::strtoull(argv[4], nullptr, 10) : kExposureBytesMax;
  ledger::Options options{.folder = argv[2],
                          .origin = "entente.xaa/ledger",
                          .key = crypto::PrivateKey::generate(crypto::KeyKind::ed25519)};
  std::filesystem::create_directories(options.folder);
  auto ledger = must(ledger::Ledger::open(std::move(options)));
  if (ledger->size() == 0) fill(*ledger, releases);
  must(Result<bool>(ledger->publish().has_value()));
  const coalition::World world = bench::object_world(argv[1]);

  const int64_t before = memory_bytes();
  net::Loop loop;
  node::ExposureDesk desk(loop, PartnerCode("XAA"), room);
  desk.follow(*ledger);
  Cost reading;
  Json said;
  must(timed(loop, ask(&desk, {.person = "XBB/nobody"}, world, &said), reading));
  Json out = Json::object({{"entries", static_cast<int64_t>(ledger->size())}, {"read", reading.json()}});

  // Each first and again. What is of one reader and one object: as the ledger was filled.
  const std::string reader = digest_text("reader 4");
  const std::array<std::pair<const char*, ExposureFilter>, 5> questions{
      {{"all", {}},
       {"partner", {.partner = "XBB"}},
       {"person", {.person = "XBB/" + reader}},
       {"device", {.device = digest_text("device 4")}},
       {"object", {.object = fmt::format("5e0f3a52-0000-4000-8000-{:012}", 4)}}}};
  for (const auto& [name, filter] : questions) {
    Cost first, again;
    must(timed(loop, ask(&desk, filter, world, &said), first));
    must(timed(loop, ask(&desk, filter, world, &said), again));
    Json row = Json::object({{"first", first.json()}, {"again", again.json()}});
    for (const char* figure : {"releases", "incomplete", "openable", "more"})
      row.set(figure, *said.find(figure));
    out.set(name, std::move(row));
  }
  out.set("grown_bytes", memory_bytes() - before);
  fmt::print("{}\n", out.dump());
  return 0;
}
