// The ledger's durable core without threads of its own: recovery, writing a batch, reading, publishing. One
// thread writes; everything else may be called from any. For this room only.
#pragma once

#include "base/lock_file.h"
#include "ledger/note.h"
#include "ledger/record.h"
#include "ledger/segment.h"
#include "ledger/tiles.h"
#include "store/store.h"

#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace entente::ledger {

class Book {
 public:
  struct Settings {
    std::filesystem::path folder{};
    NoteSigner signer;
    size_t segment_bytes = 0;
    size_t reserve_bytes = 0;
    Disk* disk = nullptr;
  };
  [[nodiscard]] static Result<std::unique_ptr<Book>> open(Settings settings);

  // The writer's.
  [[nodiscard]] Result<void> make_room(std::span<const Sealed* const> items, bool narrowing);
  // Durable, integrated and signed when it returns: the first one's index. Otherwise nothing was written.
  [[nodiscard]] Result<uint64_t> write(std::span<const Sealed* const> items, Revision store);

  // Anybody's.
  [[nodiscard]] uint64_t size() const;
  [[nodiscard]] std::string note() const;
  [[nodiscard]] Revision store_revision() const;
  [[nodiscard]] const NoteVerifier& verifier() const { return settings_.signer.verifier(); }
  [[nodiscard]] Result<Proof> inclusion_proof(uint64_t index, uint64_t size) const;
  [[nodiscard]] Result<Bytes> entry(uint64_t index) const;
  struct Plain {
    crypto::Secret key;
    std::string text{};
  };
  [[nodiscard]] Result<Plain> plain(uint64_t index) const;
  // The whole batch that entry `index` is in, as frames: both sides.
  struct Sides {
    uint64_t first_index = 0;
    Bytes log{};
    Bytes own{};
  };
  [[nodiscard]] Result<Sides> sides(uint64_t index) const;
  [[nodiscard]] Result<Disclosure> disclose(uint64_t index, std::span<const std::string> fields) const;
  [[nodiscard]] Result<void> check_store(const store::Loaded& loaded) const;

  // One thread at a time: tiles and the checkpoint file up to now.
  [[nodiscard]] Result<void> publish();
  [[nodiscard]] Result<void> prepare();

 private:
  explicit Book(Settings settings) : settings_(std::move(settings)) {}
  Result<void> recover();
  Result<void> replay(FolderReader& log, FolderReader& own);
  Result<void> replay_batch(const Frame& log, const Frame& own);
  Result<void> check_published();
  Result<void> persist(uint64_t first, std::span<const Sealed* const> items, Revision store,
                       const Bytes& log_payload);
  Result<bool> publish_some();
  Result<std::vector<TileFile>> bundles(uint64_t from, uint64_t to) const;
  [[nodiscard]] Result<FramePlace> place_of(const std::vector<FramePlace>& places, uint64_t index) const;

  Settings settings_;
  LockFile lock_;
  std::unique_ptr<SegmentWriter> log_;
  std::unique_ptr<SegmentWriter> own_;
  Edge edge_;                         // the writer's
  uint64_t batch_ = 0;                // the writer's: the next one's number
  FramePlace log_place_, own_place_;  // the writer's: of the batch being written

  mutable std::mutex mutex_;  // guards what follows
  Tree tree_;
  std::string note_{};
  Revision store_{};
  std::vector<FramePlace> log_places_{};
  std::vector<FramePlace> own_places_{};

  std::mutex publish_mutex_;  // guards what follows
  uint64_t published_ = 0;    // leaves that tiles hold
  uint64_t announced_ = 0;    // size of the checkpoint file
};

}  // namespace entente::ledger
