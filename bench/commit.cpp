// bench_commit POLICIES FOLDER ENTITIES ROUNDS: what one record's change costs beside ENTITIES others, in
// memory and on the disk, beside SQLite doing the one thing it cannot do without, and the disk's own sync.
// Interleaved; prints medians as a line of JSON. FOLDER is made and left behind.
#include "ledger/ledger.h"
#include "store/store.h"
#include "world.h"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <functional>
#include <future>

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

namespace {

using namespace entente;

struct Cost {
  double wall_us = 0;
  double cpu_us = 0;
};

double clock_us(clockid_t which) {
  timespec now{};
  clock_gettime(which, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

// `cpu`: of all threads, or, where what is measured keeps to its own, of this one (others may still be at
// work on what came before).
Cost cost_of(const std::function<void()>& what, clockid_t cpu = CLOCK_PROCESS_CPUTIME_ID) {
  const double wall = clock_us(CLOCK_MONOTONIC);
  const double used = clock_us(cpu);
  what();
  return {clock_us(CLOCK_MONOTONIC) - wall, clock_us(cpu) - used};
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

Json summary(const std::vector<Cost>& costs) {
  std::vector<double> wall, cpu;
  for (const Cost& cost : costs) {
    wall.push_back(cost.wall_us);
    cpu.push_back(cost.cpu_us);
  }
  return Json::object({{"wall_us", median(std::move(wall))}, {"cpu_us", median(std::move(cpu))}});
}

template <class T>
T must(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "bench_commit: {}\n", result.error().text());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

class Sqlite {
 public:
  explicit Sqlite(const std::filesystem::path& file) {
    if (sqlite3_open(file.c_str(), &database_) != SQLITE_OK) std::exit(1);
    run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE record(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;");
  }
  ~Sqlite() { sqlite3_close(database_); }
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;
  void run(const char* sql) {
    char* why = nullptr;
    if (sqlite3_exec(database_, sql, nullptr, nullptr, &why) == SQLITE_OK) return;
    fmt::print(stderr, "bench_commit: {}\n", why);
    std::exit(1);
  }
  void put(const std::string& key, const std::string& value) {
    if (put_ == nullptr)
      sqlite3_prepare_v2(database_, "INSERT OR REPLACE INTO record VALUES(?1, ?2)", -1, &put_, nullptr);
    sqlite3_bind_text(put_, 1, key.c_str(), -1, SQLITE_STATIC);
    sqlite3_bind_text(put_, 2, value.c_str(), -1, SQLITE_STATIC);
    if (sqlite3_step(put_) != SQLITE_DONE) std::exit(1);
    sqlite3_reset(put_);
  }

 private:
  sqlite3* database_ = nullptr;
  sqlite3_stmt* put_ = nullptr;
};

store::Options store_options(const std::filesystem::path& folder, const crypto::PrivateKey& key) {
  store::Options out;
  out.folder = folder;
  out.sign = [key](ByteView message) { return key.sign(crypto::SignatureAlg::EdDSA, message); };
  out.verify = [key = key.public_key()](ByteView message, ByteView signature) {
    return key.verify(crypto::SignatureAlg::EdDSA, message, signature);
  };
  out.verify_genesis = out.verify;
  return out;
}

store::Commit one_change(const coalition::Record& change, bool leaf) {
  store::Commit commit;
  commit.ops.push_back({change.key, change.value->dump()});
  commit.author = "bench";
  if (leaf) {
    ledger::Record record{.event_class = "change", .time = system_clock().now(), .fields = {}};
    record.fields.emplace_back("key", change.key);
    commit.leaves.push_back(record.encode());
  }
  return commit;
}

void fill_store(store::Store& store, const std::vector<coalition::Record>& records) {
  store::Commit commit;
  for (const coalition::Record& record : records) {
    commit.ops.push_back({record.key, record.value->dump()});
    if (commit.ops.size() < 50'000 && &record != &records.back()) continue;
    commit.author = "bench";
    must(store.commit_and_wait(std::move(commit)));
    commit = {};
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "bench_commit: POLICIES FOLDER ENTITIES ROUNDS are needed\n");
    return 2;
  }
  const std::filesystem::path folder = argv[2];
  const size_t entities = std::strtoul(argv[3], nullptr, 10);
  const size_t rounds = std::strtoul(argv[4], nullptr, 10);
  for (const char* name : {"store", "ledger"}) std::filesystem::create_directories(folder / name);
  const std::vector<coalition::Record> records = bench::records(argv[1], entities);

  std::optional<coalition::World> world;
  const Cost load = cost_of([&] { world = must(coalition::World::load(records, Revision{1})); });

  const auto key = crypto::PrivateKey::generate(crypto::KeyKind::ed25519);
  const store::Options options = store_options(folder / "store", key);
  must(store::Store::found(options, {.ops = {{"node/genesis", "{}"}}, .author = "bench"}, options.sign));
  auto store = must(store::Store::open(options));
  fill_store(*store, records);
  auto ledger =
      must(ledger::Ledger::open({.folder = folder / "ledger", .origin = "entente.xaa/ledger", .key = key}));
  must(ledger::recover(*store, *ledger));
  Sqlite sqlite(folder / "peer.db");
  sqlite.run("BEGIN");
  for (const coalition::Record& record : records) sqlite.put(record.key, record.value->dump());
  sqlite.run("COMMIT");
  const int synced = ::open((folder / "sync").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);

  std::vector<Cost> in_memory, stored, recorded, peer, disk;
  const std::string block(4096, 'e');
  for (size_t round = 0; round < rounds; ++round) {
    const coalition::Record change = bench::app(fmt::format("a{}", round * 7919 % entities), round + 2);
    const std::string text = change.value->dump();
    in_memory.push_back(cost_of(
        [&] {
          const Revision next{world->revision().value + 1};
          world = must(world->with(std::span(&change, 1), next)).world;
        },
        CLOCK_THREAD_CPUTIME_ID));
    recorded.push_back(cost_of([&] {
      const store::Committed committed = must(store->commit_and_wait(one_change(change, true)));
      std::promise<Result<ledger::Appended>> done;
      ledger->append_commit(committed.outgoing, ledger::Space::ordinary,
                            [&](Result<ledger::Appended> appended) { done.set_value(std::move(appended)); });
      must(done.get_future().get());
      store->integrated(committed.rev);
    }));
    peer.push_back(cost_of([&] { sqlite.put(change.key, text); }));
    disk.push_back(cost_of([&] {
      if (::write(synced, block.data(), block.size()) < 0 || ::fdatasync(synced) != 0) std::exit(1);
    }));
  }
  // The store without its ledger: afterwards, since the ledger takes revisions without a gap.
  for (size_t round = 0; round < rounds; ++round) {
    const coalition::Record change = bench::app(fmt::format("a{}", round * 104'729 % entities), round + 2);
    stored.push_back(cost_of([&] { must(store->commit_and_wait(one_change(change, false))); }));
  }
  ::close(synced);
  fmt::print("{}\n", Json::object({{"entities", static_cast<int64_t>(entities)},
                                   {"load_all_s", load.wall_us / 1e6},
                                   {"in_memory", summary(in_memory)},
                                   {"store_and_ledger", summary(recorded)},
                                   {"store", summary(stored)},
                                   {"sqlite", summary(peer)},
                                   {"fdatasync", summary(disk)}})
                         .dump());
  return 0;
}
