#include "store/store.h"

#include "base/log.h"
#include "store/audit.h"
#include "store/commit.h"
#include "store/disk.h"
#include "store/rows.h"
#include "store/watchers.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include <sys/stat.h>

namespace entente::store {
namespace {

constexpr size_t kBatchCommitsMax = 512;  // one transaction, one sync
constexpr size_t kBatchBytesMax = 16 << 20;
constexpr size_t kQueueBytesMax = 256 << 20;
constexpr size_t kScanMax = 1 << 20;
constexpr uint64_t kCheckpointCommits = 1000;  // commits between moving the log into the database file

std::string database_path(const std::filesystem::path& folder) {
  return folder / "store.db";
}

// Which file it is, whatever its name; none: {0, 0}.
std::pair<dev_t, ino_t> identity_of(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino};
}

}  // namespace

class Store::Inside {
 public:
  Inside(Options options, LockFile lock)
      : options_(std::move(options)),
        lock_(std::move(lock)),
        reserve_(options_.folder / "store.reserve", options_.reserve_bytes) {}
  ~Inside() { stop(); }

  Result<void> start();
  void commit(Commit commit, Done done);
  void post(std::function<void()> task);
  void lease(std::string name, std::string holder, Millis ttl, std::function<void(Result<Lease>)> done);
  Watch watch(Revision after, WatchEvents events);
  void integrated(Revision rev);
  Revision head() const { return {head_rev_.load(std::memory_order_acquire)}; }
  Result<Loaded> load() const;
  void stop();

  template <class Call>
  auto read(Call call) const {
    const std::scoped_lock lock(reader_mutex_);
    return call(*reader_rows_);
  }

 private:
  struct Item {
    Commit commit;
    Done done;
    Result<Committed> result = Failure(Error{});
    size_t bytes = 0;
  };
  struct Held {
    std::string holder;
    Revision token;
    Tick until;
    bool taking = false;  // its commit is under way
  };

  Result<void> open_writer();
  Result<void> open_first();
  Result<void> reopen_writer();
  Result<void> open_reader();
  Result<void> load_leases();
  void run();
  bool wait_for_work(bool lagging);
  void take_batch();
  bool serve();
  void write_batch();
  Result<void> attempt(bool narrowing_only);
  Result<void> attempt_open(bool narrowing_only);
  Result<void> write_items(bool narrowing_only, Head& head);
  Result<void> write_progress(const Head& head);
  void give_up(const Error& error, bool narrowing_too);
  void bury();
  void decide_lease(const std::string& name, const std::string& holder, Millis ttl,
                    std::function<void(Result<Lease>)> done);
  void beat();

  const Options options_;
  LockFile lock_;
  Reserve reserve_;

  mutable std::mutex reader_mutex_;
  mutable std::optional<Database> reader_;
  mutable std::optional<Rows> reader_rows_;

  std::mutex mutex_;  // guards queue_, tasks_, queued_bytes_, integrated_, stopping_
  std::condition_variable wake_;
  std::deque<Item> queue_;
  std::deque<std::function<void()>> tasks_;
  size_t queued_bytes_ = 0;
  Revision integrated_;
  bool stopping_ = false;

  std::atomic<uint64_t> head_rev_ = 0;

  // Of the writer thread alone.
  std::pair<dev_t, ino_t> identity_{};
  std::optional<Database> writer_;
  std::optional<Rows> rows_;
  Head head_;
  Progress progress_;
  Progress next_progress_;
  Watchers watchers_;
  std::map<std::string, Held> leases_;
  std::deque<Item> batch_;
  std::vector<Change> fresh_;
  uint64_t since_checkpoint_ = 0;
  bool reserve_missing_ = false;
  Tick next_beat_;
  std::thread thread_;
};

Result<void> Store::Inside::open_writer() {
  rows_.reset();
  writer_.reset();
  TRY(Database database, Database::open(database_path(options_.folder), options_.vfs, Database::Mode::write));
  writer_.emplace(std::move(database));
  TRY(Rows rows, Rows::open(*writer_));
  rows_.emplace(std::move(rows));
  TRY(head_.rev, rows_->head());
  if (head_.rev == Revision{}) return fail("store.no-genesis", "the store has no genesis", options_.folder);
  TRY(const SignedManifest newest, rows_->manifest(head_.rev));
  head_.manifest = crypto::sha256(newest.body);
  TRY(progress_, rows_->progress());
  head_rev_.store(head_.rev.value, std::memory_order_release);
  return {};
}

Result<void> Store::Inside::open_reader() {
  TRY(Database database, Database::open(database_path(options_.folder), options_.vfs, Database::Mode::read));
  reader_.emplace(std::move(database));
  TRY(Rows rows, Rows::open(*reader_));
  reader_rows_.emplace(std::move(rows));
  return {};
}

// On a full disk, too: what SQLite keeps beside its log while it is open needs a little space.
Result<void> Store::Inside::open_first() {
  const Result<void> opened = open_writer();
  if (opened || opened.error().code() != "store.full") return opened;
  reserve_.release();
  reserve_missing_ = true;
  return open_writer();
}

Result<void> Store::Inside::start() {
  TRY_VOID(open_first());
  identity_ = identity_of(database_path(options_.folder));
  TRY(Statement check, writer_->prepare("PRAGMA quick_check(1)"));
  TRY(const bool row, check.step());
  if (!row || check.text(0) != "ok") {
    return fail("store.corrupt", "the store's database is damaged", options_.folder,
                "restore it from a copy");
  }
  check = Statement();
  TRY(const SignedManifest genesis, rows_->manifest({1}));
  if (!options_.verify_genesis ||
      !options_.verify_genesis(manifest_message(genesis.body), genesis.signature)) {
    return fail("store.genesis", "the genesis is not signed by the key this node was told to trust",
                options_.folder, "check the genesis key in the configuration");
  }
  TRY_VOID(open_reader());
  TRY_VOID(load_leases());
  integrated_ = progress_.integrated;
  reserve_.fill();
  next_beat_ = options_.clock->tick() + options_.heartbeat;
  thread_ = std::thread([this] { run(); });
  return {};
}

Result<void> Store::Inside::load_leases() {
  TRY(const std::vector<Record> records, rows_->scan(kLeasePrefix, "", kScanMax));
  for (const Record& record : records) {
    TRY(const Json json, Json::parse(record.value));
    const Json* ttl = json.find("ttl_ms");
    const Millis life(ttl != nullptr && ttl->is_int() ? ttl->integer() : 0);
    leases_[record.key.substr(kLeasePrefix.size())] = {.holder = std::string(json.text_or("holder", "")),
                                                       .token = record.rev,
                                                       .until = options_.clock->tick() + life};
  }
  return {};
}

void Store::Inside::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Store::Inside::commit(Commit commit, Done done) {
  if (Result<void> shape = check_shape(commit, false); !shape) return done(Failure(shape.error()));
  Item item{.commit = std::move(commit), .done = std::move(done)};
  item.bytes = bytes_of(item.commit);
  const char* refused = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    // Narrowing commits queue where others are turned away.
    const size_t slack = item.commit.narrowing ? 2 : 1;
    if (stopping_) {
      refused = "store.closed";
    } else if (queue_.size() >= kQueueCommitsMax * slack ||
               queued_bytes_ + item.bytes > kQueueBytesMax * slack) {
      refused = "store.busy";
    } else {
      queued_bytes_ += item.bytes;
      queue_.push_back(std::move(item));
    }
  }
  if (refused != nullptr) {  // and then it was not moved
    return item.done(        // NOLINT(bugprone-use-after-move)
        fail(refused, "the store takes no more commits now", options_.folder, "try again in a moment"));
  }
  wake_.notify_one();
}

void Store::Inside::post(std::function<void()> task) {
  {
    const std::scoped_lock lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

Watch Store::Inside::watch(Revision after, WatchEvents events) {
  auto gate = std::make_shared<WatchGate>();
  Watch out = make_watch(gate);
  post([this, gate = std::move(gate), after, events = std::move(events)]() mutable {
    watchers_.add(std::move(gate), after, std::move(events));
  });
  return out;
}

void Store::Inside::integrated(Revision rev) {
  const std::scoped_lock lock(mutex_);
  integrated_ = std::max(integrated_, rev);
}

void Store::Inside::lease(std::string name, std::string holder, Millis ttl,
                          std::function<void(Result<Lease>)> done) {
  if (!is_key(std::string(kLeasePrefix) + name) || ttl <= Millis(0)) {
    return done(
        fail("store.key", "a lease has a name of printable ASCII and a time to live above zero", name));
  }
  post([this, name = std::move(name), holder = std::move(holder), ttl, done = std::move(done)]() mutable {
    decide_lease(name, holder, ttl, std::move(done));
  });
}

void Store::Inside::decide_lease(const std::string& name, const std::string& holder, Millis ttl,
                                 std::function<void(Result<Lease>)> done) {
  const Tick now = options_.clock->tick();
  Held& held = leases_[name];
  if (held.taking || (held.holder != holder && held.until > now)) {
    return done(fail("store.held", "the lease is held by " + held.holder, name, "wait until it runs out"));
  }
  if (held.holder == holder && held.until > now) {
    held.until = now + ttl;
    return done(Lease{.name = name, .holder = holder, .token = held.token});
  }
  held.taking = true;
  const std::string value = Json::object({{"holder", holder}, {"ttl_ms", int64_t{ttl.count()}}}).canonical();
  Item item{.commit = {.ops = {{.key = std::string(kLeasePrefix) + name, .value = value}},
                       .preconditions = {},
                       .leaves = {},
                       .author = "store",
                       .narrowing = false},
            .done = {}};
  item.done = [this, name, holder, ttl, done = std::move(done)](Result<Committed> committed) {
    Held& mine = leases_[name];
    mine.taking = false;
    if (!committed) return done(Failure(committed.error()));
    mine = {.holder = holder, .token = committed->rev, .until = options_.clock->tick() + ttl};
    done(Lease{.name = name, .holder = holder, .token = committed->rev});
  };
  batch_.push_back(std::move(item));
}

void Store::Inside::run() {
  bool lagging = false;
  while (wait_for_work(lagging)) lagging = serve();
}

// False: stopped, and nothing is left to answer.
bool Store::Inside::wait_for_work(bool lagging) {
  std::unique_lock lock(mutex_);
  const auto ready = [&] { return stopping_ || !queue_.empty() || !tasks_.empty(); };
  if (!lagging) {
    const auto pause = std::max(Tick::duration(0), next_beat_ - options_.clock->tick());
    wake_.wait_for(lock, std::min<Tick::duration>(pause, options_.heartbeat), ready);
  }
  return !stopping_ || !queue_.empty() || !tasks_.empty();
}

void Store::Inside::take_batch() {
  std::deque<std::function<void()>> tasks;
  {
    const std::scoped_lock lock(mutex_);
    tasks.swap(tasks_);
    next_progress_.integrated = std::min(integrated_, head_.rev);
    size_t bytes = 0;
    while (!queue_.empty() && batch_.size() < kBatchCommitsMax && bytes < kBatchBytesMax) {
      bytes += queue_.front().bytes;
      queued_bytes_ -= queue_.front().bytes;
      batch_.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
  }
  for (const std::function<void()>& task : tasks) task();
}

bool Store::Inside::serve() {
  take_batch();
  if (!batch_.empty()) write_batch();
  const bool lagging = rows_ && watchers_.tell(*rows_, head_.rev, fresh_);
  fresh_.clear();
  for (Item& item : batch_) item.done(std::move(item.result));
  batch_.clear();
  if (since_checkpoint_ >= kCheckpointCommits && writer_) {
    writer_->checkpoint();
    since_checkpoint_ = 0;
  }
  if (options_.clock->tick() >= next_beat_) beat();
  return lagging;
}

// All commits of the batch in one transaction. When the disk is full, those that only narrow once more alone,
// then once more with the space that was kept for them.
void Store::Inside::write_batch() {
  Result<void> wrote = attempt(false);
  if (!wrote && wrote.error().code() == "store.full") {
    give_up(wrote.error(), false);
    wrote = attempt(true);
    if (!wrote && wrote.error().code() == "store.full") {
      reserve_.release();
      reserve_missing_ = true;
      wrote = attempt(true);
    }
  }
  if (wrote) return;
  give_up(wrote.error(), true);
  if (!rows_) bury();
}

// What failed at its COMMIT may lie on the disk whole: a start after a kill would find it, though it was
// answered as failed. Where the disk works again something else is written in its place first.
void Store::Inside::bury() {
  Result<void> written = reopen_writer();
  for (const char* step : {"BEGIN IMMEDIATE", "UPDATE progress SET integrated = integrated + 1",
                           "UPDATE progress SET integrated = integrated - 1", "COMMIT"}) {
    if (written) written = writer_->run(step);
  }
  if (written) return;
  rows_.reset();
  writer_.reset();
}

void Store::Inside::give_up(const Error& error, bool narrowing_too) {
  for (Item& item : batch_) {
    const bool refused = !item.result && is_refusal(item.result.error());
    if (!refused && (narrowing_too || !item.commit.narrowing)) item.result = Failure(error);
  }
}

// Goes on only where it was: another database in its place is not written to.
Result<void> Store::Inside::reopen_writer() {
  const Head before = head_;
  const Result<void> opened =
      identity_of(database_path(options_.folder)) == identity_
          ? open_writer()
          : fail("store.io", "the store's database is not where it was", options_.folder,
                 "put it back, or restore a copy and start the node again");
  if (opened && head_.rev >= before.rev) {
    TRY(const SignedManifest kept, rows_->manifest(before.rev));
    if (crypto::sha256(kept.body) == before.manifest) return {};
  }
  head_ = before;
  head_rev_.store(head_.rev.value, std::memory_order_release);
  if (!opened) return opened;
  return fail("store.tampered", "another database stands where the store's was", options_.folder,
              "put the right one back");
}

Result<void> Store::Inside::attempt(bool narrowing_only) {
  // After a failed sync nobody knows what the disk has: read it anew before going on.
  if (!rows_) {
    if (Result<void> opened = reopen_writer(); !opened) {
      rows_.reset();
      writer_.reset();
      return opened;
    }
  }
  Result<void> wrote = writer_->moved()
                           ? fail("store.io", "the store's database was taken away while the node runs",
                                  options_.folder, "put it back, or restore a copy and start the node again")
                           : attempt_open(narrowing_only);
  if (wrote) return wrote;
  fresh_.clear();
  const bool clean = !writer_->in_transaction() || writer_->run("ROLLBACK").has_value();
  if (!clean || wrote.error().code() != "store.full") {
    rows_.reset();
    writer_.reset();
  }
  return wrote;
}

Result<void> Store::Inside::attempt_open(bool narrowing_only) {
  Head head = head_;
  TRY_VOID(writer_->run("BEGIN IMMEDIATE"));
  TRY_VOID(write_items(narrowing_only, head));
  if (head.rev == head_.rev && next_progress_.integrated == progress_.integrated)
    return writer_->run("ROLLBACK");
  TRY_VOID(write_progress(head));
  TRY_VOID(writer_->run("COMMIT"));
  since_checkpoint_ += head.rev.value - head_.rev.value + 1;
  head_ = head;
  progress_ = next_progress_;
  head_rev_.store(head_.rev.value, std::memory_order_release);
  return {};
}

Result<void> Store::Inside::write_items(bool narrowing_only, Head& head) {
  for (Item& item : batch_) {
    if (narrowing_only && !item.commit.narrowing) continue;
    const Result<void> holds = check_preconditions(*rows_, item.commit);
    if (!holds) {
      if (!is_refusal(holds.error())) return holds;
      item.result = Failure(holds.error());
      continue;
    }
    item.result = write_commit(*rows_, item.commit, head, options_.clock->now(), options_.sign);
    if (!item.result) return Failure(item.result.error());
    fresh_.push_back({.rev = head.rev, .ops = item.commit.ops});
  }
  return {};
}

Result<void> Store::Inside::write_progress(const Head& head) {
  next_progress_.oldest = progress_.oldest;
  if (head.rev.value >= progress_.oldest.value + options_.history_revisions_max) {
    next_progress_.oldest = {head.rev.value + 1 - options_.history_revisions_max};
    TRY_VOID(rows_->forget_changes(next_progress_.oldest));
  }
  next_progress_.integrated = std::max(next_progress_.integrated, progress_.integrated);
  if (next_progress_.integrated != progress_.integrated) {
    TRY_VOID(rows_->forget_leaves(next_progress_.integrated));
  }
  return rows_->set_progress(next_progress_);
}

void Store::Inside::beat() {
  watchers_.beat(head_.rev);
  next_beat_ = options_.clock->tick() + options_.heartbeat;
  if (reserve_missing_) {
    reserve_.fill();
    std::error_code error;
    reserve_missing_ = !std::filesystem::exists(options_.folder / "store.reserve", error);
  }
  if (next_progress_.integrated > progress_.integrated) {
    if (const Result<void> noted = attempt(true); !noted) {
      log(LogLevel::warning, "store", "the ledger's progress can't be noted",
          {{"error", noted.error().text()}});
    }
  }
}

Result<Loaded> Store::Inside::load() const {
  const std::scoped_lock lock(reader_mutex_);
  return audit(*reader_, {.verify = options_.verify, .verify_genesis = options_.verify_genesis},
               Signatures::head);
}

Store::Store(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
Store::~Store() = default;
void Store::stop() {
  inside_->stop();
}

Result<Committed> Store::found(const Options& options, const Commit& genesis, const Sign& sign) {
  TRY_VOID(check_shape(genesis, false));
  TRY(const LockFile lock, lock_folder(options.folder));
  TRY(Database database, Database::open(database_path(options.folder), options.vfs, Database::Mode::create));
  std::error_code error;
  std::filesystem::permissions(database_path(options.folder),
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_write,
                               error);
  TRY(const bool there, Rows::exist(database));
  if (there) return fail("store.exists", "there is a store here already", options.folder);
  TRY_VOID(database.run("BEGIN IMMEDIATE"));
  TRY_VOID(Rows::create(database));
  TRY(Rows rows, Rows::open(database));
  Head head;
  TRY(Committed committed, write_commit(rows, genesis, head, options.clock->now(), sign));
  TRY_VOID(database.run("COMMIT"));
  return committed;
}

Result<std::unique_ptr<Store>> Store::open(Options options) {
  std::error_code error;
  if (!std::filesystem::exists(database_path(options.folder), error)) {
    return fail("store.no-genesis", "there is no store here", options.folder,
                "found one with a signed genesis first");
  }
  TRY(LockFile lock, lock_folder(options.folder));
  auto inside = std::make_unique<Inside>(std::move(options), std::move(lock));
  TRY_VOID(inside->start());
  return std::unique_ptr<Store>(new Store(std::move(inside)));
}

void Store::commit(Commit commit, Done done) {
  inside_->commit(std::move(commit), std::move(done));
}

Result<Committed> Store::commit_and_wait(Commit commit) {
  auto answer = std::make_shared<std::promise<Result<Committed>>>();
  std::future<Result<Committed>> future = answer->get_future();
  inside_->commit(std::move(commit),
                  [answer](Result<Committed> result) { answer->set_value(std::move(result)); });
  return future.get();
}

Result<std::optional<Record>> Store::get(std::string_view key) const {
  return inside_->read([&](Rows& rows) { return rows.get(key); });
}

Result<std::vector<Record>> Store::scan(std::string_view prefix, std::string_view after, size_t limit) const {
  return inside_->read([&](Rows& rows) { return rows.scan(prefix, after, std::min(limit, kScanMax)); });
}

Revision Store::head() const {
  return inside_->head();
}

Watch Store::watch(Revision after, WatchEvents events) {
  return inside_->watch(after, std::move(events));
}

void Store::lease(std::string name, std::string holder, Millis ttl, std::function<void(Result<Lease>)> done) {
  inside_->lease(std::move(name), std::move(holder), ttl, std::move(done));
}

Result<std::vector<Outgoing>> Store::outbox(Revision after, size_t limit) const {
  return inside_->read([&](Rows& rows) { return rows.outbox(after, limit); });
}

void Store::integrated(Revision rev) {
  inside_->integrated(rev);
}

Result<Loaded> Store::load_all() const {
  return inside_->load();
}

Result<Loaded> load_all(const std::filesystem::path& folder, const Verify& verify,
                        const Verify& verify_genesis) {
  TRY(Database database, Database::open(database_path(folder), "", Database::Mode::read));
  return audit(database, {.verify = verify, .verify_genesis = verify_genesis}, Signatures::each);
}

}  // namespace entente::store
