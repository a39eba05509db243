#include "ledger/ledger.h"

#include "base/log.h"
#include "ledger/batch.h"
#include "ledger/book.h"
#include "ledger/store_match.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <future>
#include <thread>
#include <utility>

namespace entente::ledger {
namespace {

constexpr size_t kAppendRecordsMax = 4096;
constexpr size_t kAppendBytesMax = 3 << 20;
constexpr size_t kBatchBytesMax = 4 << 20;  // one sync
constexpr size_t kBatchRecordsMax = 16'384;
constexpr size_t kSegmentBytesMin = 64 << 10;
constexpr size_t kDrainRevisions = 1024;

Result<std::vector<Sealed>> seal_all(const std::vector<Record>& records) {
  std::vector<Sealed> out;
  out.reserve(records.size());
  for (const Record& record : records) {
    TRY(Sealed sealed, seal(record, crypto::Secret::random(kRecordKeyBytes)));
    out.push_back(std::move(sealed));
  }
  return out;
}

Result<void> check_shape(const std::vector<Record>& records) {
  if (records.empty()) return fail("ledger.record", "there is nothing to record");
  if (records.size() > kAppendRecordsMax) return fail("ledger.record", "more than 4,096 records at once");
  for (const Record& record : records) {
    for (const auto& [name, value] : record.fields) {
      if (name.starts_with(kStorePrefix)) {
        return fail("ledger.record", "fields that start with store. are the store's alone", name);
      }
    }
  }
  return {};
}

size_t bytes_of(const std::vector<Sealed>& records) {
  size_t bytes = 0;
  for (const Sealed& record : records) bytes += record.plain.size() + 256;
  return bytes;
}

}  // namespace

class Ledger::Inside {
 public:
  explicit Inside(std::unique_ptr<Book> book, const Options& options)
      : book_(std::move(book)),
        publish_every_(options.publish),
        batch_bytes_(std::min(kBatchBytesMax, options.segment_bytes / 4)) {
    writer_ = std::thread([this] { run_writer(); });
    publisher_ = std::thread([this] { run_publisher(); });
  }
  ~Inside();

  void append(std::vector<Record> records, std::optional<Revision> rev, Space space, Done done);
  const Book& book() const { return *book_; }
  Result<void> publish() { return book_->publish(); }

 private:
  struct Item {
    std::vector<Sealed> records;
    std::optional<Revision> rev;  // of the store, when this is its commit
    Space space = Space::ordinary;
    Done done;
    size_t bytes = 0;
    Result<Appended> result = Appended{};
    bool chosen = false;
  };

  void run_writer();
  void run_publisher();
  bool take_batch();
  void write_batch();
  void choose(bool narrowing_only);
  std::vector<const Sealed*> chosen() const;
  Result<void> write_chosen(bool narrowing);
  void fail_rest(const Error& error, bool narrowing_too);

  std::unique_ptr<Book> book_;
  const Millis publish_every_;
  const size_t batch_bytes_;

  std::mutex mutex_;  // guards queue_, queued_bytes_, stopping_, dirty_
  std::condition_variable wake_;
  std::condition_variable wake_publisher_;
  std::deque<Item> queue_;
  size_t queued_bytes_ = 0;
  bool stopping_ = false;
  bool dirty_ = true;  // tiles are behind

  // Of the writer thread alone.
  std::deque<Item> batch_;
  Revision batch_rev_;
  std::thread writer_;
  std::thread publisher_;
};

Ledger::Inside::~Inside() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  writer_.join();
  wake_publisher_.notify_one();
  publisher_.join();
}

void Ledger::Inside::append(std::vector<Record> records, std::optional<Revision> rev, Space space,
                            Done done) {
  // Sealed on the caller's thread: hashing many fields must not hold up the writer.
  Result<std::vector<Sealed>> sealed = seal_all(records);
  if (!sealed) return done(Failure(sealed.error()));
  Item item{.records = *std::move(sealed), .rev = rev, .space = space, .done = std::move(done)};
  item.bytes = bytes_of(item.records);
  if (item.bytes > kAppendBytesMax) {
    return item.done(
        fail("ledger.record", "the records are above 3 MiB together", {}, "append them in parts"));
  }
  const char* refused = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    const size_t slack = space == Space::narrowing ? 2 : 1;  // narrowing queues where others are turned away
    if (stopping_) {
      refused = "ledger.closed";
    } else if (queue_.size() >= kQueueAppendsMax * slack ||
               queued_bytes_ + item.bytes > kQueueBytesMax * slack) {
      refused = "ledger.busy";
    } else {
      queued_bytes_ += item.bytes;
      queue_.push_back(std::move(item));
    }
  }
  if (refused != nullptr) {  // and then it was not moved
    return item.done(        // NOLINT(bugprone-use-after-move)
        fail(refused, "the ledger takes no more records now", {}, "try again in a moment"));
  }
  wake_.notify_one();
}

// False: stopped, and nothing is left to answer.
bool Ledger::Inside::take_batch() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  size_t bytes = 0;
  size_t records = 0;
  while (!queue_.empty()) {
    const Item& next = queue_.front();
    const bool fits = bytes + next.bytes <= batch_bytes_ && records + next.records.size() <= kBatchRecordsMax;
    if (!batch_.empty() && !fits) break;
    bytes += next.bytes;
    records += next.records.size();
    queued_bytes_ -= next.bytes;
    batch_.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return !batch_.empty();
}

void Ledger::Inside::run_writer() {
  while (take_batch()) {
    write_batch();
    {
      const std::scoped_lock lock(mutex_);
      dirty_ = true;
    }
    for (Item& item : batch_) item.done(std::move(item.result));
    batch_.clear();
  }
}

// Decides which items of the batch are written: store revisions once each and in order.
void Ledger::Inside::choose(bool narrowing_only) {
  batch_rev_ = book_->store_revision();
  for (Item& item : batch_) {
    item.chosen = !narrowing_only || item.space == Space::narrowing;
    if (!item.chosen || !item.rev) continue;
    if (*item.rev <= batch_rev_) {
      item.chosen = false;
      item.result = Appended{};
    } else if (item.rev->value != batch_rev_.value + 1) {
      item.chosen = false;
      item.result = fail("ledger.gap", "a store revision before this one is not recorded yet",
                         "revision " + std::to_string(batch_rev_.value + 1));
    } else {
      batch_rev_ = *item.rev;
    }
  }
}

std::vector<const Sealed*> Ledger::Inside::chosen() const {
  std::vector<const Sealed*> out;
  for (const Item& item : batch_) {
    if (!item.chosen) continue;
    for (const Sealed& record : item.records) out.push_back(&record);
  }
  return out;
}

Result<void> Ledger::Inside::write_chosen(bool narrowing) {
  choose(narrowing);
  const std::vector<const Sealed*> items = chosen();
  if (items.empty()) return {};
  TRY_VOID(book_->make_room(items, narrowing));
  TRY(uint64_t next, book_->write(items, batch_rev_));
  for (Item& item : batch_) {
    if (!item.chosen) continue;
    item.result = Appended{.first = next, .count = item.records.size()};
    next += item.records.size();
  }
  return {};
}

void Ledger::Inside::fail_rest(const Error& error, bool narrowing_too) {
  for (Item& item : batch_) {
    if (item.chosen && (narrowing_too || item.space == Space::ordinary)) item.result = Failure(error);
  }
}

// Everything in one batch. When there is no room, what narrows once more alone, into the reserve.
void Ledger::Inside::write_batch() {
  Result<void> wrote = write_chosen(false);
  if (!wrote && wrote.error().code() == "ledger.full") {
    fail_rest(wrote.error(), false);
    wrote = write_chosen(true);
  }
  if (!wrote) fail_rest(wrote.error(), true);
}

void Ledger::Inside::run_publisher() {
  std::unique_lock lock(mutex_);
  bool last = false;
  while (!last) {
    wake_publisher_.wait_for(lock, publish_every_, [this] { return stopping_; });
    last = stopping_;
    const bool work = std::exchange(dirty_, false);
    lock.unlock();
    Result<void> done = {};
    if (work) done = book_->prepare();
    if (work && done) done = book_->publish();
    if (!done) log(LogLevel::warning, "ledger", "tiles are behind", {{"error", done.error().text()}});
    lock.lock();
    if (!done) dirty_ = true;
  }
}

Ledger::Ledger(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
Ledger::~Ledger() = default;

Result<std::unique_ptr<Ledger>> Ledger::open(Options options) {
  if (options.segment_bytes < kSegmentBytesMin || options.reserve_bytes > options.segment_bytes / 2) {
    return fail("ledger.options", "a segment is at least 64 KiB, and its reserve at most half of it");
  }
  TRY(NoteSigner signer, NoteSigner::make(options.origin, options.key));
  Disk* disk = options.disk != nullptr ? options.disk : &real_disk();
  TRY(std::unique_ptr<Book> book, Book::open({.folder = options.folder,
                                              .signer = std::move(signer),
                                              .segment_bytes = options.segment_bytes,
                                              .reserve_bytes = options.reserve_bytes,
                                              .disk = disk}));
  return std::unique_ptr<Ledger>(new Ledger(std::make_unique<Inside>(std::move(book), options)));
}

void Ledger::append(std::vector<Record> records, Space space, Done done) {
  if (Result<void> shape = check_shape(records); !shape) return done(Failure(shape.error()));
  inside_->append(std::move(records), std::nullopt, space, std::move(done));
}

Result<Appended> Ledger::append_and_wait(std::vector<Record> records, Space space) {
  auto answer = std::make_shared<std::promise<Result<Appended>>>();
  std::future<Result<Appended>> future = answer->get_future();
  append(std::move(records), space,
         [answer](Result<Appended> result) { answer->set_value(std::move(result)); });
  return future.get();
}

void Ledger::append_commit(store::Outgoing outgoing, Space space, Done done) {
  inside_->append(records_of(outgoing), outgoing.rev, space, std::move(done));
}

Revision Ledger::store_revision() const {
  return inside_->book().store_revision();
}
Result<void> Ledger::check_store(const store::Loaded& loaded) const {
  return inside_->book().check_store(loaded);
}
std::string Ledger::checkpoint() const {
  return inside_->book().note();
}
uint64_t Ledger::size() const {
  return inside_->book().size();
}
NoteVerifier Ledger::verifier() const {
  return inside_->book().verifier();
}
Result<Bytes> Ledger::entry(uint64_t index) const {
  return inside_->book().entry(index);
}
Result<void> Ledger::publish() {
  return inside_->publish();
}

Result<Proof> Ledger::inclusion_proof(uint64_t index, uint64_t size) const {
  return inside_->book().inclusion_proof(index, size);
}

Result<Record> Ledger::record(uint64_t index) const {
  TRY(const Bytes bytes, entry(index));
  TRY(const Leaf leaf, Leaf::parse(bytes));
  TRY(const Book::Plain plain, inside_->book().plain(index));
  TRY(const Json fields, Json::parse(plain.text));
  Record out{.event_class = leaf.event_class, .time = leaf.time, .fields = {}};
  if (fields.is_object()) out.fields.assign(fields.members().begin(), fields.members().end());
  return out;
}

Result<void> Ledger::newest_first(const Wanted& wanted, const Visit& visit) const {
  for (uint64_t end = size(); end > 0;) {
    TRY(const Book::Sides sides, inside_->book().sides(end - 1));
    TRY(const LogBatch log, LogBatch::parse(sides.log));
    TRY(const OwnBatch own, OwnBatch::parse(sides.own));
    if (log.entries.size() != own.items.size() || sides.first_index >= end)
      return fail("ledger.corrupt", "the log and its owner's side do not hold the same batch");
    for (size_t at = std::min<size_t>(log.entries.size(), end - sides.first_index); at > 0; --at) {
      TRY(const Leaf leaf, Leaf::parse(log.entries[at - 1]));
      if (!wanted(leaf.event_class)) continue;
      TRY(const Json fields, Json::parse(own.items[at - 1].plain));
      Record record{.event_class = leaf.event_class, .time = leaf.time, .fields = {}};
      if (fields.is_object()) record.fields.assign(fields.members().begin(), fields.members().end());
      if (!visit(record)) return {};
    }
    end = sides.first_index;
  }
  return {};
}

Result<uint64_t> Ledger::batch(uint64_t index, const Wanted& wanted, const Read& read) const {
  TRY(const Book::Sides sides, inside_->book().sides(index));
  TRY(const LogBatch log, LogBatch::parse(sides.log));
  TRY(const OwnBatch own, OwnBatch::parse(sides.own));
  const size_t count = log.entries.size();
  if (count != own.items.size() || sides.first_index > index || index - sides.first_index >= count)
    return fail("ledger.corrupt", "the log and its owner's side do not hold the same batch");
  std::vector<Record> records;
  for (size_t at = index - sides.first_index; at < count; ++at) {
    TRY(const Glance leaf, glance(log.entries[at]));
    if (!wanted(leaf.event_class)) continue;
    TRY(Json fields, Json::parse(own.items[at].plain));
    if (!fields.is_object()) return fail("ledger.corrupt", "a record's plaintext is no object");
    records.push_back({.event_class = std::string(leaf.event_class),
                       .time = leaf.time,
                       .fields = std::move(fields.members())});
  }
  for (const Record& record : records) read(record);
  return sides.first_index + count;
}

Result<Disclosure> Ledger::disclose(uint64_t index, std::span<const std::string> fields) const {
  return inside_->book().disclose(index, fields);
}

Result<void> verify_disclosure(const Disclosure& disclosure, const NoteVerifier& verifier) {
  TRY(const Checkpoint checkpoint, Checkpoint::open(disclosure.checkpoint, verifier));
  TRY(const Leaf leaf, Leaf::parse(disclosure.entry));
  TRY_VOID(verify_inclusion(disclosure.index, checkpoint.size, leaf_hash(disclosure.entry), disclosure.proof,
                            checkpoint.root));
  return verify_fields(leaf, disclosure.fields);
}

namespace {

// What the first of several said that failed: those behind it only lack it.
class FirstFault {
 public:
  Result<Appended> after(Result<Appended> result) {
    const std::scoped_lock lock(mutex_);
    if (!result && !first_) first_ = result.error();
    return first_ ? Result<Appended>(Failure(*first_)) : std::move(result);
  }

 private:
  std::mutex mutex_;
  std::optional<Error> first_;
};

}  // namespace

Result<void> recover(store::Store& store, Ledger& ledger, Space space) {
  if (ledger.store_revision() > store.head()) {
    return fail("ledger.store",
                "the store lacks revisions that the ledger has: it was put back to an older copy",
                "revision " + std::to_string(store.head().value + 1), "restore the newest copy of the store");
  }
  while (ledger.store_revision() < store.head()) {
    TRY(std::vector<store::Outgoing> backlog, store.outbox(ledger.store_revision(), kDrainRevisions));
    if (backlog.empty()) return fail("ledger.store", "the store's outbox lacks a revision");
    auto answer = std::make_shared<std::promise<Result<Appended>>>();
    std::future<Result<Appended>> last = answer->get_future();
    const Revision end = backlog.back().rev;
    const auto fault = std::make_shared<FirstFault>();
    for (store::Outgoing& outgoing : backlog) {
      const Revision rev = outgoing.rev;
      ledger.append_commit(std::move(outgoing), space,
                           [&store, rev, end, answer, fault](Result<Appended> result) {
                             if (result) store.integrated(rev);
                             result = fault->after(std::move(result));
                             if (rev == end) answer->set_value(std::move(result));
                           });
    }
    TRY_VOID(last.get());
  }
  store.integrated(ledger.store_revision());
  return {};
}

}  // namespace entente::ledger
