// The durable truth: numbered files of fixed size, written with zeros before use, filled with framed batches
// from the front. A batch is one frame; nothing behind the last frame is anything but zero. For this room
// only; bytes: docs/wire-formats/ledger.md. Errors: "ledger.corrupt", "ledger.io", "ledger.full".
#pragma once

#include "base/bytes.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace entente::ledger {

// Taken by the one process that writes this ledger; an auditor looks whether it is.
[[nodiscard]] inline std::filesystem::path lock_path(const std::filesystem::path& folder) {
  return folder / "lock";
}

inline constexpr size_t kSegmentHeaderBytes = 64;
inline constexpr size_t kFrameHeaderBytes = 32;
inline constexpr std::string_view kSegmentMagicLog = "ENTELOG1";
inline constexpr std::string_view kSegmentMagicOwn = "ENTEOWN1";

[[nodiscard]] uint32_t crc32c(ByteView bytes, uint32_t before = 0);
[[nodiscard]] uint32_t crc32c_by_table(ByteView bytes, uint32_t before = 0);  // where no instruction is
[[nodiscard]] size_t frame_bytes(size_t payload);                             // with header and padding

struct Frame {
  uint64_t batch = 0;
  uint64_t first_index = 0;
  ByteView payload;  // of the reader's file
  uint64_t offset = 0;
};

// What a file must start with to follow the one before.
struct SegmentStart {
  uint32_t number = 0;
  uint64_t batch = 0;
  uint64_t index = 0;
};

[[nodiscard]] Bytes segment_header(std::string_view magic, const SegmentStart& start, uint64_t file_bytes);

// Reads one file's bytes from the front. Everything it returns has its checksum, its place and its number
// right.
class SegmentReader {
 public:
  // `file` must outlive this.
  [[nodiscard]] static Result<SegmentReader> open(ByteView file, std::string_view magic,
                                                  const SegmentStart& start);
  // The next frame, which must begin with entry `index`; nothing at the end. "ledger.corrupt" when damage is
  // followed by a whole frame: then it is no unfinished write.
  [[nodiscard]] Result<std::optional<Frame>> next(uint64_t index);
  // The frame that next() returned last is not to count after all.
  void unread(const Frame& frame);
  [[nodiscard]] uint64_t end() const { return offset_; }  // where the next frame goes
  [[nodiscard]] uint64_t dirty_end() const;               // behind the last byte that is not zero, or end()
  [[nodiscard]] bool torn() const { return dirty_end() > offset_; }
  // Torn as a write that was broken off leaves it: one frame that begins right and is not all there. A frame
  // that is all there and does not hold, or bytes where none belong, is damage.
  [[nodiscard]] bool unfinished() const;

 private:
  SegmentReader(ByteView file, uint64_t batch) : file_(file), batch_(batch) {}
  [[nodiscard]] std::optional<Frame> frame_at(uint64_t offset) const;
  [[nodiscard]] bool frame_follows() const;

  ByteView file_;
  uint64_t offset_ = kSegmentHeaderBytes;
  uint64_t batch_ = 0;
};

// Reads a folder's files one after the other.
class FolderReader {
 public:
  [[nodiscard]] static Result<FolderReader> open(std::filesystem::path folder, std::string_view magic);
  [[nodiscard]] Result<std::optional<Frame>> next(uint64_t index);
  void unread(const Frame& frame);
  [[nodiscard]] uint32_t segment() const { return segment_; }
  [[nodiscard]] uint32_t segments() const { return segments_; }
  [[nodiscard]] const SegmentReader* last() const { return reader_ ? &*reader_ : nullptr; }
  [[nodiscard]] std::string place(uint64_t offset) const;

 private:
  Result<void> load(uint32_t number, uint64_t index);

  std::filesystem::path folder_;
  std::string_view magic_;
  uint32_t segments_ = 0;
  uint32_t segment_ = 0;
  uint64_t batch_ = 0;
  Bytes file_;
  std::optional<SegmentReader> reader_;
};

[[nodiscard]] std::string segment_name(uint32_t number);  // "00000000.seg"
[[nodiscard]] Result<Bytes> read_whole(const std::filesystem::path& path);

// The system calls that can fail, so that tests can let them.
class Disk {
 public:
  virtual ~Disk() = default;
  [[nodiscard]] virtual Result<void> write(int file, uint64_t offset, ByteView bytes);
  [[nodiscard]] virtual Result<void> sync(int file);
  [[nodiscard]] virtual Result<void> allocate(int file, uint64_t bytes);
};
[[nodiscard]] Disk& real_disk();

struct FramePlace {
  uint64_t first_index = 0;
  uint32_t segment = 0;
  uint64_t offset = 0;
};

// Appends. One thread writes; prepare() and read() may be called from others.
class SegmentWriter {
 public:
  struct Settings {
    std::filesystem::path folder;
    std::string_view magic;
    size_t segment_bytes = 0;
    size_t reserve_bytes = 0;
    Disk* disk = nullptr;
  };
  // Continues behind what `reader` has read to its end, cutting an unfinished write; makes the first file
  // when there is none.
  [[nodiscard]] static Result<std::unique_ptr<SegmentWriter>> open(Settings settings,
                                                                   const FolderReader& reader, uint64_t batch,
                                                                   uint64_t index);
  ~SegmentWriter();

  // Whether a frame of that payload fits; `narrowing` may use the reserve. Makes the next file when needed.
  [[nodiscard]] Result<void> make_room(size_t payload, bool narrowing);
  [[nodiscard]] Result<FramePlace> append(uint64_t batch, uint64_t first_index, ByteView payload);
  [[nodiscard]] Result<void> sync();
  void keep() { kept_ = end_; }  // what was appended and synced stays
  // Takes back what was appended since the last keep(). Until that works, nothing more is taken.
  [[nodiscard]] Result<void> undo();
  void distrust() { broken_ = true; }  // take back before anything else
  // Writes the next file beforehand when the current one is half full.
  [[nodiscard]] Result<void> prepare();

  [[nodiscard]] Result<Bytes> read(const FramePlace& place) const;  // a frame's payload

 private:
  explicit SegmentWriter(Settings settings) : settings_(std::move(settings)) {}
  [[nodiscard]] Result<void> open_current(uint32_t number);
  [[nodiscard]] Result<void> make_next();
  [[nodiscard]] Result<void> roll(uint64_t batch, uint64_t index);
  [[nodiscard]] Result<void> zero(uint64_t begin, uint64_t end);

  Settings settings_;
  int file_ = -1;
  uint32_t number_ = 0;
  std::atomic<uint64_t> end_ = 0;  // where the next frame goes
  uint64_t kept_ = 0;              // where it goes if what is not kept is taken back
  uint64_t file_bytes_ = 0;        // of the current file: files keep the size they were made with
  bool broken_ = false;
  std::mutex next_mutex_;  // guards next.seg
  bool next_ready_ = false;
};

}  // namespace entente::ledger
