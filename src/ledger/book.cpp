#include "ledger/book.h"

#include "ledger/batch.h"
#include "ledger/store_match.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace entente::ledger {
namespace {

constexpr uint64_t kPublishLeaves = 64 * kTileWidth;  // in one step, so that memory stays small

Failure corrupt(std::string what, std::string where) {
  return fail("ledger.corrupt", std::move(what), std::move(where), "restore the ledger from a copy");
}

std::string at(uint64_t index) {
  return "entry " + std::to_string(index);
}

Result<void> make_folders(const std::filesystem::path& folder) {
  std::error_code error;
  for (const char* part : {"log", "own"}) std::filesystem::create_directories(folder / part, error);
  if (!error) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  if (error) return fail("ledger.io", "the ledger's folder can't be made: " + error.message(), folder);
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file >= 0) {
    ::fsync(file);
    ::close(file);
  }
  return {};
}

Result<LockFile> lock_folder(const std::filesystem::path& folder) {
  auto lock = LockFile::take(lock_path(folder));
  if (lock) return *std::move(lock);
  if (lock.error() == LockFile::Refusal::io)
    return fail("ledger.io", std::string("the ledger's folder can't be used: ") + std::strerror(errno),
                folder);
  return fail("ledger.locked", "another process has this ledger open", folder,
              "stop the node that uses this folder first");
}

std::vector<std::string> entries_of(std::span<const Sealed* const> items) {
  std::vector<std::string> out;
  out.reserve(items.size());
  for (const Sealed* item : items) out.push_back(item->leaf.encode());
  return out;
}

constexpr size_t kNoteRoom = 1024;  // more than any note of ours needs

}  // namespace

Result<std::unique_ptr<Book>> Book::open(Settings settings) {
  TRY_VOID(make_folders(settings.folder));
  TRY(LockFile lock, lock_folder(settings.folder));
  std::unique_ptr<Book> out(new Book(std::move(settings)));
  out->lock_ = std::move(lock);
  TRY_VOID(out->recover());
  return out;
}

Result<void> Book::recover() {
  TRY(FolderReader log, FolderReader::open(settings_.folder / "log", kSegmentMagicLog));
  TRY(FolderReader own, FolderReader::open(settings_.folder / "own", kSegmentMagicOwn));
  TRY_VOID(replay(log, own));
  if (tree_.size() > 0) {
    TRY(const Note note, Note::parse(note_));
    TRY_VOID(note.verify(verifier()));
  }
  TRY_VOID(check_published());
  const uint64_t index = tree_.size();
  const auto settings_for = [this](const char* part, std::string_view magic) {
    return SegmentWriter::Settings{.folder = settings_.folder / part,
                                   .magic = magic,
                                   .segment_bytes = settings_.segment_bytes,
                                   .reserve_bytes = settings_.reserve_bytes,
                                   .disk = settings_.disk};
  };
  TRY(own_, SegmentWriter::open(settings_for("own", kSegmentMagicOwn), own, batch_, index));
  TRY(log_, SegmentWriter::open(settings_for("log", kSegmentMagicLog), log, batch_, index));
  if (note_.empty()) {
    const Checkpoint empty{.origin = verifier().name(), .size = 0, .root = empty_root()};
    TRY(note_, settings_.signer.sign(empty.text()));
  }
  return {};
}

Result<void> Book::replay(FolderReader& log, FolderReader& own) {
  while (true) {
    const uint64_t index = tree_.size();
    TRY(const std::optional<Frame> frame, log.next(index));
    TRY(const std::optional<Frame> mine, own.next(index));
    if (!frame) {
      if (!mine) return {};
      // The owner's side is made durable first, so it may have the one batch that was never acknowledged.
      TRY(const OwnBatch batch, OwnBatch::parse(mine->payload));
      const Frame extra{
          .batch = mine->batch, .first_index = mine->first_index, .payload = {}, .offset = mine->offset};
      const std::string where = own.place(extra.offset);
      TRY(const std::optional<Frame> second, own.next(index + batch.items.size()));
      if (second) return corrupt("the log lost batches that its owner's side still has", where);
      own.unread(extra);
      return {};
    }
    if (!mine) return corrupt("the owner's side lost a batch", log.place(frame->offset));
    log_places_.push_back({.first_index = index, .segment = log.segment(), .offset = frame->offset});
    own_places_.push_back({.first_index = index, .segment = own.segment(), .offset = mine->offset});
    if (Result<void> done = replay_batch(*frame, *mine); !done) {
      if (done.error().where().empty()) done.error().where() = log.place(frame->offset);
      return done;
    }
  }
}

Result<void> Book::replay_batch(const Frame& log, const Frame& own) {
  TRY(const LogBatch batch, LogBatch::parse(log.payload));
  TRY(const OwnBatch mine, OwnBatch::parse(own.payload));
  if (mine.items.size() != batch.entries.size() || mine.store < store_) {
    return fail("ledger.corrupt", "the log and its owner's side do not hold the same batch");
  }
  for (const ByteView entry : batch.entries) {
    const Hash leaf = leaf_hash(entry);
    tree_.append(leaf);
    edge_.append(leaf);
  }
  TRY(const Note note, Note::parse(batch.note));
  TRY(const Checkpoint checkpoint, Checkpoint::parse(note.text));
  const Checkpoint wanted{.origin = verifier().name(), .size = tree_.size(), .root = edge_.root()};
  if (checkpoint.origin != wanted.origin) {
    return fail("ledger.key", "this log is " + checkpoint.origin + ", not " + wanted.origin);
  }
  if (checkpoint != wanted)
    return fail("ledger.corrupt", "the entries do not lead to the batch's checkpoint");
  note_ = batch.note;
  store_ = mine.store;
  ++batch_;
  return {};
}

// What was announced must still be there: a log that is shorter or other than its own checkpoint was put
// back.
Result<void> Book::check_published() {
  const std::filesystem::path path = settings_.folder / "checkpoint";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return {};
  TRY(const Bytes bytes, read_whole(path));
  TRY(const Checkpoint checkpoint, Checkpoint::open(as_text(bytes), verifier()));
  const Result<Hash> root = tree_.root_at(checkpoint.size);
  if (!root || *root != checkpoint.root) {
    return fail("ledger.rolled-back", "the log is not the one its checkpoint file was made from", path,
                "restore the ledger from its newest copy");
  }
  announced_ = checkpoint.size;
  published_ = std::filesystem::exists(settings_.folder / "tile", error) ? checkpoint.size : 0;
  return {};
}

Result<void> Book::make_room(std::span<const Sealed* const> items, bool narrowing) {
  size_t log_bytes = 4 + kNoteRoom;
  size_t own_bytes = 12;
  for (const Sealed* item : items) {
    log_bytes += 2 + item->leaf.encode().size();
    own_bytes += own_item_bytes(*item);
  }
  TRY_VOID(log_->make_room(log_bytes, narrowing));
  return own_->make_room(own_bytes, narrowing);
}

Result<uint64_t> Book::write(std::span<const Sealed* const> items, Revision store) {
  const std::vector<std::string> entries = entries_of(items);
  std::vector<Hash> leaves;
  Edge edge = edge_;
  const uint64_t first = edge.size();
  for (const std::string& entry : entries) {
    ENTENTE_CHECK(entry.size() <= kEntryBytesMax);
    leaves.push_back(leaf_hash(as_bytes(entry)));
    edge.append(leaves.back());
  }
  const Checkpoint checkpoint{.origin = verifier().name(), .size = edge.size(), .root = edge.root()};
  TRY(std::string note, settings_.signer.sign(checkpoint.text()));
  if (Result<void> durable = persist(first, items, store, encode_log_batch(entries, note)); !durable) {
    // The log first, so that no leaf is ever without its plaintext. What fails here make_room() tries again
    // before anything else is taken.
    own_->distrust();
    if (log_->undo()) (void)own_->undo();
    return Failure(durable.error());
  }
  edge_ = std::move(edge);
  ++batch_;
  const std::scoped_lock lock(mutex_);
  for (const Hash& leaf : leaves) tree_.append(leaf);
  note_ = std::move(note);
  store_ = store;
  log_places_.push_back(log_place_);
  own_places_.push_back(own_place_);
  return first;
}

// The owner's side first: a leaf in the log always has its plaintext.
Result<void> Book::persist(uint64_t first, std::span<const Sealed* const> items, Revision store,
                           const Bytes& log_payload) {
  TRY(own_place_, own_->append(batch_, first, encode_own_batch(items, store)));
  TRY_VOID(own_->sync());
  TRY(log_place_, log_->append(batch_, first, log_payload));
  TRY_VOID(log_->sync());
  own_->keep();
  log_->keep();
  return {};
}

uint64_t Book::size() const {
  const std::scoped_lock lock(mutex_);
  return tree_.size();
}

std::string Book::note() const {
  const std::scoped_lock lock(mutex_);
  return note_;
}

Revision Book::store_revision() const {
  const std::scoped_lock lock(mutex_);
  return store_;
}

Result<Proof> Book::inclusion_proof(uint64_t index, uint64_t size) const {
  const std::scoped_lock lock(mutex_);
  return tree_.inclusion_proof(index, size);
}

Result<FramePlace> Book::place_of(const std::vector<FramePlace>& places, uint64_t index) const {
  const std::scoped_lock lock(mutex_);
  if (index >= tree_.size()) return fail("ledger.range", "the log has no such entry", at(index));
  return *std::prev(std::ranges::upper_bound(places, index, {}, &FramePlace::first_index));
}

Result<Bytes> Book::entry(uint64_t index) const {
  TRY(const FramePlace place, place_of(log_places_, index));
  TRY(const Bytes payload, log_->read(place));
  TRY(const LogBatch batch, LogBatch::parse(payload));
  const size_t n = index - place.first_index;
  if (n >= batch.entries.size()) return corrupt("a batch is shorter than it was", at(index));
  return Bytes(batch.entries[n].begin(), batch.entries[n].end());
}

Result<Book::Plain> Book::plain(uint64_t index) const {
  TRY(const FramePlace place, place_of(own_places_, index));
  TRY(const Bytes payload, own_->read(place));
  TRY(const OwnBatch batch, OwnBatch::parse(payload));
  const size_t n = index - place.first_index;
  if (n >= batch.items.size()) return corrupt("a batch is shorter than it was", at(index));
  return Plain{.key = crypto::Secret(batch.items[n].key), .text = std::string(batch.items[n].plain)};
}

Result<Book::Sides> Book::sides(uint64_t index) const {
  TRY(const FramePlace log, place_of(log_places_, index));
  TRY(const FramePlace own, place_of(own_places_, index));
  Sides out{.first_index = log.first_index};
  TRY(out.log, log_->read(log));
  TRY(out.own, own_->read(own));
  return out;
}

Result<Disclosure> Book::disclose(uint64_t index, std::span<const std::string> fields) const {
  Disclosure out;
  out.index = index;
  TRY(out.entry, entry(index));
  TRY(const Plain mine, plain(index));
  TRY(out.fields, disclose_fields(mine.key.bytes(), mine.text, fields));
  const std::scoped_lock lock(mutex_);
  TRY(out.proof, tree_.inclusion_proof(index, tree_.size()));
  out.checkpoint = note_;
  return out;
}

Result<void> Book::check_store(const store::Loaded& loaded) const {
  StoreMatch match(&loaded);
  uint64_t index = 0;
  std::vector<FramePlace> places;
  {
    const std::scoped_lock lock(mutex_);
    places = own_places_;
  }
  for (const FramePlace& place : places) {
    TRY(const Bytes payload, own_->read(place));
    TRY(const OwnBatch batch, OwnBatch::parse(payload));
    for (const OwnBatch::Item& item : batch.items) {
      TRY(const Json fields, Json::parse(item.plain));
      TRY_VOID(match.feed(index++, fields));
    }
  }
  return match.finish();
}

Result<void> Book::publish() {
  const std::scoped_lock lock(publish_mutex_);
  while (true) {
    TRY(const bool more, publish_some());
    if (!more) return {};
  }
}

Result<bool> Book::publish_some() {
  std::vector<TileFile> files;
  uint64_t size = 0;
  uint64_t to = 0;
  std::string note;
  {
    const std::scoped_lock lock(mutex_);
    size = tree_.size();
    note = note_;
    to = std::min(size, (published_ / kTileWidth * kTileWidth) + kPublishLeaves);
    files = hash_tiles(tree_, published_, to);
  }
  if (size > 0 && to > published_) {
    TRY(std::vector<TileFile> entry_files, bundles(published_, to));
    std::ranges::move(entry_files, std::back_inserter(files));
    for (const TileFile& file : files) TRY_VOID(put_file(settings_.folder / file.path, file.bytes));
    published_ = to;
  }
  if (to < size) return true;
  std::error_code error;
  if (announced_ == size && std::filesystem::exists(settings_.folder / "checkpoint", error)) return false;
  TRY_VOID(put_file(settings_.folder / "checkpoint", as_bytes(note)));
  forget_partial_tiles(settings_.folder, announced_, size);
  announced_ = size;
  return false;
}

Result<std::vector<TileFile>> Book::bundles(uint64_t from, uint64_t to) const {
  std::vector<TileFile> out;
  uint64_t index = from / kTileWidth * kTileWidth;
  while (index < to) {
    TRY(const FramePlace place, place_of(log_places_, index));
    TRY(const Bytes payload, log_->read(place));
    TRY(const LogBatch batch, LogBatch::parse(payload));
    for (size_t n = index - place.first_index; n < batch.entries.size() && index < to; ++n, ++index) {
      if (index % kTileWidth == 0) {
        const uint64_t width = std::min(kTileWidth, to - index);
        out.push_back({.path = tile_path(-1, index / kTileWidth, width), .bytes = {}});
      }
      add_to_bundle(out.back().bytes, batch.entries[n]);
    }
  }
  return out;
}

Result<void> Book::prepare() {
  TRY_VOID(own_->prepare());
  return log_->prepare();
}

}  // namespace entente::ledger
