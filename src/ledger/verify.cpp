#include "ledger/verify.h"

#include "base/lock_file.h"
#include "ledger/batch.h"
#include "ledger/request_match.h"
#include "ledger/segment.h"
#include "ledger/store_match.h"
#include "ledger/tiles.h"

#include <algorithm>
#include <charconv>

namespace entente::ledger {
namespace {

constexpr size_t kTilePathDepthMax = 10;

Failure fault(std::string code, std::string what, std::string where, std::string hint = {}) {
  return fail("ledger." + code, std::move(what), std::move(where), std::move(hint));
}

std::string at(uint64_t index) {
  return "entry " + std::to_string(index);
}

struct TileName {
  int level = 0;  // -1: entries
  uint64_t index = 0;
  uint64_t width = kTileWidth;
};

std::optional<uint64_t> number(std::string_view text) {
  uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

// The tile that a path below the ledger's folder names; nothing when no tile is written like that.
std::optional<TileName> tile_named(const std::string& path) {
  std::vector<std::string> parts;
  for (const auto& part : std::filesystem::path(path)) parts.push_back(part);
  if (parts.size() < 3 || parts.size() > kTilePathDepthMax) return std::nullopt;
  TileName out;
  const auto level = number(parts[1]);
  if (parts[1] == "entries") {
    out.level = -1;
  } else if (level && *level < kTileLevelsMax) {
    out.level = static_cast<int>(*level);
  } else {
    return std::nullopt;
  }
  size_t end = parts.size();
  if (parts[end - 2].ends_with(".p")) {
    const auto width = number(parts.back());
    if (!width || *width == 0 || *width >= kTileWidth) return std::nullopt;
    out.width = *width;
    --end;
    parts[end - 1].resize(parts[end - 1].size() - 2);
  }
  for (size_t i = 2; i < end; ++i) {
    std::string_view digits = parts[i];
    if (digits.starts_with('x')) digits.remove_prefix(1);
    const auto value = number(digits);
    if (!value || digits.size() != 3 || out.index > UINT64_MAX / 2000) return std::nullopt;
    out.index = out.index * 1000 + *value;
  }
  // One spelling for each tile.
  if (tile_path(out.level, out.index, out.width) != path) return std::nullopt;
  return out;
}

class Audit {
 public:
  Audit(std::filesystem::path folder, const NoteVerifier& verifier, const VerifyAgainst& against)
      : folder_(std::move(folder)),
        verifier_(verifier),
        against_(against),
        live_(LockFile::is_taken(lock_path(folder_))),
        match_(against.store, live_),
        requests_(live_ && !against.at_start) {}

  Result<VerifyReport> run() {
    TRY_VOID(read_announced());
    if (against_.remembered) {
      const Result<Checkpoint> seen = Checkpoint::open(*against_.remembered, verifier_);
      brought_ = seen ? seen->size : 0;  // else a fault, behind what is wrong in the ledger itself
    }
    TRY(FolderReader log, FolderReader::open(folder_ / "log", kSegmentMagicLog));
    TRY(FolderReader own, FolderReader::open(folder_ / "own", kSegmentMagicOwn));
    if (log.segments() == 0) return fault("corrupt", "there is no ledger here", folder_);
    TRY_VOID(batches(log, own));
    if (!live_) TRY_VOID(tails(log, own));
    TRY_VOID(match_.finish());
    TRY_VOID(check_announced());
    TRY_VOID(check_remembered());
    TRY_VOID(tiles());
    // Last: a gap in the numbers stays in a ledger for good, and must not hide what else is found later.
    if (const Result<void> counts = requests_.finish(); !counts) {
      if (!against_.at_start) return Failure(counts.error());
      out_.miscounted = counts.error();
    }
    out_.checkpoint = {.origin = verifier_.name(), .size = tree_.size(), .root = tree_.root()};
    out_.store_revision = match_.newest();
    return std::move(out_);
  }

 private:
  // While a node writes, only what it announced before we began is sure to hold still, or what a checkpoint
  // of its says that somebody brings.
  [[nodiscard]] bool enough() const {
    return live_ && !against_.at_start && tree_.size() >= std::max(announced_.size, brought_);
  }

  Result<void> read_announced() {
    const std::filesystem::path path = folder_ / "checkpoint";
    std::error_code error;
    announced_ = {.origin = verifier_.name(), .size = 0, .root = empty_root()};
    if (!std::filesystem::exists(path, error)) return {};
    TRY(const Bytes bytes, read_whole(path));
    Result<Checkpoint> opened = Checkpoint::open(as_text(bytes), verifier_);
    if (!opened) {
      opened.error().where() = path;
      return Failure(opened.error());
    }
    announced_ = *opened;
    return {};
  }

  Result<void> batches(FolderReader& log, FolderReader& own) {
    while (!enough()) {
      const uint64_t index = tree_.size();
      TRY(const std::optional<Frame> frame, log.next(index));
      TRY(const std::optional<Frame> mine, own.next(index));
      if (!frame && !mine) return {};
      if (!frame) {
        // The owner's side is written first: one batch more there was never answered for.
        TRY(const OwnBatch extra, OwnBatch::parse(mine->payload));
        TRY(const std::optional<Frame> second, own.next(index + extra.items.size()));
        const std::string where = own.place(mine->offset);
        if (second) return fault("corrupt", "the log lost batches that its owner's side still has", where);
        out_.unfinished = where;
        return {};
      }
      if (!mine) return fault("plaintext", "the owner's side lacks a batch", log.place(frame->offset));
      if (Result<void> done = batch(*frame, *mine); !done) {
        done.error().where() += (done.error().where().empty() ? "" : ", ") + log.place(frame->offset);
        return done;
      }
      ++out_.batches;
    }
    return {};
  }

  Result<void> batch(const Frame& log_frame, const Frame& own_frame) {
    TRY(const LogBatch log, LogBatch::parse(log_frame.payload));
    TRY(const OwnBatch own, OwnBatch::parse(own_frame.payload));
    if (log.entries.size() != own.items.size()) {
      return fault("plaintext", "the owner's side holds another number of records", at(tree_.size()));
    }
    for (size_t i = 0; i < log.entries.size(); ++i) {
      const uint64_t index = tree_.size();
      TRY_VOID(record(index, log.entries[i], own.items[i]));
      tree_.append(leaf_hash(log.entries[i]));
    }
    if (own.store != match_.newest()) {
      return fault("plaintext", "the owner's side names another store revision", at(tree_.size() - 1));
    }
    return note(log.note);
  }

  Result<void> record(uint64_t index, ByteView entry, const OwnBatch::Item& item) {
    const Result<Leaf> leaf = Leaf::parse(entry);
    if (!leaf) return fault("corrupt", "the entry is no leaf: " + leaf.error().what(), at(index));
    const Result<Leaf> again = reseal(*leaf, item.key, item.plain);
    if (!again || *again != *leaf)
      return fault("plaintext", "the record is not the one in the log", at(index));
    TRY(Json fields, Json::parse(item.plain));
    requests_.feed(index, leaf->event_class, fields);
    TRY_VOID(match_.feed(index, fields));
    if (against_.seen)
      against_.seen(
          index,
          {.event_class = leaf->event_class, .time = leaf->time, .fields = std::move(fields.members())});
    return {};
  }

  Result<void> note(std::string_view text) {
    const std::string where = "checkpoint of size " + std::to_string(tree_.size());
    const Result<Note> parsed = Note::parse(text);
    const Result<Checkpoint> checkpoint = Checkpoint::open(text, verifier_);
    if (!parsed || parsed->signatures.size() != 1 || !checkpoint) {
      return fault("signature",
                   checkpoint ? "the checkpoint is not as we write it" : checkpoint.error().what(), where);
    }
    const Checkpoint wanted{.origin = verifier_.name(), .size = tree_.size(), .root = tree_.root()};
    if (*checkpoint != wanted) return fault("root", "the entries do not lead to the signed root", where);
    out_.note = text;
    return {};
  }

  Result<void> tails(const FolderReader& log, const FolderReader& own) {
    for (const FolderReader* reader : {&log, &own}) {
      if (reader->last() == nullptr || !reader->last()->torn()) continue;
      const std::string where = reader->place(reader->last()->end());
      if (!reader->last()->unfinished()) {
        return fault(
            "tail", "behind the last whole batch there is something that no unfinished write leaves", where,
            "after a loss of power start the node once and verify again; else keep the folder as evidence");
      }
      out_.unfinished = where;
    }
    for (const char* part : {"log", "own"}) {
      const std::filesystem::path next = folder_ / part / "next.seg";
      std::error_code error;
      if (!std::filesystem::exists(next, error)) continue;
      TRY(const Bytes bytes, read_whole(next));
      if (std::ranges::any_of(bytes, [](uint8_t byte) { return byte != 0; })) {
        return fault("tail", "the segment kept ready is not empty", next);
      }
    }
    return {};
  }

  Result<void> check_announced() const {
    const Result<Hash> root = tree_.root_at(announced_.size);
    if (!root) {
      return fault(
          "rolled-back", "the log ends before its own checkpoint: entries were removed",
          "size " + std::to_string(tree_.size()) + ", checkpoint " + std::to_string(announced_.size));
    }
    if (*root != announced_.root) {
      return fault("root", "the entries do not lead to the root of the checkpoint file",
                   "size " + std::to_string(announced_.size));
    }
    return {};
  }

  Result<void> check_remembered() const {
    if (!against_.remembered) return {};
    TRY(const Checkpoint seen, Checkpoint::open(*against_.remembered, verifier_));
    const std::string where = "checkpoint of size " + std::to_string(seen.size);
    const Result<Hash> root = tree_.root_at(seen.size);
    if (!root) return fault("rolled-back", "the log is older than a checkpoint that was seen", where);
    if (*root != seen.root) return fault("fork", "the log is not the one that was seen", where);
    return {};
  }

  Result<void> tiles() const {
    std::error_code error;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "tile", error)) {
      if (entry.is_directory(error) || entry.path().extension() == ".tmp") continue;
      const std::string path = entry.path().lexically_relative(folder_);
      const std::optional<TileName> name = tile_named(path);
      if (!name) return fault("tile", "a file is here that is no tile", entry.path());
      if (live_ && name->index * kTileWidth + name->width > row_size(*name)) continue;
      TRY_VOID(tile(*name, entry.path()));
    }
    for (int level = -1; level < static_cast<int>(kTileLevelsMax) && !live_; ++level) {
      const uint64_t row =
          level <= 0 ? announced_.size : announced_.size >> (8 * static_cast<unsigned>(level));
      for (uint64_t index = 0; index * kTileWidth < row; ++index) {
        const std::string path = tile_path(level, index, std::min(kTileWidth, row - index * kTileWidth));
        const bool whole = std::filesystem::exists(folder_ / tile_path(level, index, kTileWidth), error);
        if (!whole && !std::filesystem::exists(folder_ / path, error)) {
          return fault("tile", "a tile is missing", folder_ / path,
                       "remove the folder tile; the node makes it anew");
        }
      }
    }
    return {};
  }

  [[nodiscard]] uint64_t row_size(const TileName& name) const {
    return name.level < 0 ? tree_.size() : tree_.row(static_cast<unsigned>(name.level)).size();
  }

  Result<void> tile(const TileName& name, const std::filesystem::path& path) const {
    const auto wrong = [&] { return fault("tile", "the tile is not what the log says", path); };
    const uint64_t begin = name.index * kTileWidth;
    if (begin + name.width > row_size(name)) return wrong();
    auto bytes = read_whole(path);
    if (!bytes && live_) return {};  // a partial tile that the node has replaced meanwhile
    if (!bytes) return Failure(bytes.error());
    ByteView left = *bytes;
    for (uint64_t i = begin; i < begin + name.width; ++i) {
      if (name.level >= 0) {
        const Hash& hash = tree_.row(static_cast<unsigned>(name.level))[i];
        if (left.size() < hash.size() || !std::ranges::equal(left.first(hash.size()), hash)) return wrong();
        left = left.subspan(hash.size());
        continue;
      }
      const size_t length = left.size() < 2 ? 0 : static_cast<size_t>((left[0] << 8U) | left[1]);
      if (left.size() < 2 + length || leaf_hash(left.subspan(2, length)) != tree_.row(0)[i]) return wrong();
      left = left.subspan(2 + length);
    }
    if (!left.empty()) return wrong();
    return {};
  }

  const std::filesystem::path folder_;
  const NoteVerifier& verifier_;
  const VerifyAgainst& against_;
  const bool live_;
  StoreMatch match_;
  RequestMatch requests_;
  Checkpoint announced_;
  uint64_t brought_ = 0;  // size of the checkpoint that is remembered
  Tree tree_;
  VerifyReport out_;
};

}  // namespace

Result<VerifyReport> verify(const std::filesystem::path& folder, const NoteVerifier& verifier,
                            const VerifyAgainst& against) {
  return Audit(folder, verifier, against).run();
}

}  // namespace entente::ledger
