#include "ledger/segment.h"

#include "base/file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <nmmintrin.h>
#endif

namespace entente::ledger {
namespace {

constexpr std::string_view kFrameMagic = "EBAT";
constexpr size_t kAlign = 8;
constexpr size_t kChunk = 1 << 20;
constexpr size_t kSegmentBytesMax = 1 << 30;
constexpr std::string_view kNext = "next.seg";

constexpr std::array<std::array<uint32_t, 256>, 8> make_tables() {
  std::array<std::array<uint32_t, 256>, 8> tables{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
    tables[0][i] = crc;
  }
  for (uint32_t i = 0; i < 256; ++i) {
    for (size_t t = 1; t < 8; ++t)
      tables[t][i] = (tables[t - 1][i] >> 8U) ^ tables[0][tables[t - 1][i] & 0xffU];
  }
  return tables;
}
constexpr auto kTables = make_tables();

template <class Number>
void put(Bytes& out, Number value) {
  for (int shift = (static_cast<int>(sizeof(Number)) - 1) * 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<uint8_t>(value >> shift));
  }
}

template <class Number>
Number get(ByteView bytes, size_t at) {
  Number out = 0;
  for (size_t i = 0; i < sizeof(Number); ++i)
    out = static_cast<Number>((uint64_t{out} << 8U) | bytes[at + i]);
  return out;
}

bool all_zero(ByteView bytes) {
  return std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; });
}

Failure corrupt(std::string what, std::string where) {
  return fail("ledger.corrupt", std::move(what), std::move(where), "restore the ledger from a copy");
}

Failure io(const std::string& what, const std::string& where = {}) {
  const int code = errno;
  if (code == ENOSPC || code == EDQUOT) {
    return fail("ledger.full", "the disk that holds the ledger has no space left", where, "free some space");
  }
  return fail("ledger.io", what + ": " + std::strerror(code), where);
}

Result<void> sync_folder(const std::filesystem::path& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return io("the folder can't be opened", folder);
  const int code = ::fsync(file);
  ::close(file);
  if (code != 0) return io("the folder can't be synced", folder);
  return {};
}

}  // namespace

Bytes segment_header(std::string_view magic, const SegmentStart& start, uint64_t file_bytes) {
  Bytes out(magic.begin(), magic.end());
  put(out, start.number);
  put(out, uint32_t{0});
  put(out, file_bytes);
  put(out, start.batch);
  put(out, start.index);
  out.resize(kSegmentHeaderBytes - 4);
  put(out, crc32c(out));
  return out;
}

uint32_t crc32c_by_table(ByteView bytes, uint32_t before) {
  uint32_t crc = ~before;
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, sizeof word);
    word ^= crc;
    crc = 0;
    for (size_t t = 0; t < 8; ++t) crc ^= kTables[7 - t][(word >> (8 * t)) & 0xffU];
  }
  for (; i < bytes.size(); ++i) crc = (crc >> 8U) ^ kTables[0][(crc ^ bytes[i]) & 0xffU];
  return ~crc;
}

#ifdef __x86_64__
namespace {

__attribute__((target("crc32"))) uint32_t crc32c_by_instruction(ByteView bytes, uint32_t before) {
  uint64_t crc = ~before;
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, sizeof word);
    crc = _mm_crc32_u64(crc, word);
  }
  for (; i < bytes.size(); ++i) crc = _mm_crc32_u8(static_cast<uint32_t>(crc), bytes[i]);
  return ~static_cast<uint32_t>(crc);
}

bool has_instruction() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) == 1 && (c & bit_SSE4_2) != 0;
}

}  // namespace

uint32_t crc32c(ByteView bytes, uint32_t before) {
  static const bool has_it = has_instruction();
  return has_it ? crc32c_by_instruction(bytes, before) : crc32c_by_table(bytes, before);
}
#else
uint32_t crc32c(ByteView bytes, uint32_t before) {
  return crc32c_by_table(bytes, before);
}
#endif

size_t frame_bytes(size_t payload) {
  return (kFrameHeaderBytes + payload + kAlign - 1) / kAlign * kAlign;
}

Result<SegmentReader> SegmentReader::open(ByteView file, std::string_view magic, const SegmentStart& start) {
  if (file.size() < kSegmentHeaderBytes) return corrupt("a segment is shorter than its header", "offset 0");
  const Bytes wanted = segment_header(magic, start, file.size());
  const auto [at, _] = std::ranges::mismatch(wanted, file.first(kSegmentHeaderBytes));
  if (at != wanted.end()) {
    return corrupt("a segment does not follow the one before it",
                   "offset " + std::to_string(at - wanted.begin()));
  }
  return SegmentReader(file, start.batch);
}

std::optional<Frame> SegmentReader::frame_at(uint64_t offset) const {
  if (offset + kFrameHeaderBytes > file_.size()) return std::nullopt;
  const ByteView header = file_.subspan(offset, kFrameHeaderBytes);
  if (as_text(header.first(4)) != kFrameMagic) return std::nullopt;
  const size_t length = get<uint32_t>(header, 4);
  if (length == 0 || frame_bytes(length) > file_.size() - offset) return std::nullopt;
  const ByteView payload = file_.subspan(offset + kFrameHeaderBytes, length);
  if (crc32c(payload, crc32c(header.first(28))) != get<uint32_t>(header, 28)) return std::nullopt;
  const size_t whole = kFrameHeaderBytes + length;
  if (!all_zero(file_.subspan(offset + whole, frame_bytes(length) - whole))) return std::nullopt;
  if (get<uint32_t>(header, 24) != 0) return std::nullopt;
  return Frame{.batch = get<uint64_t>(header, 8),
               .first_index = get<uint64_t>(header, 16),
               .payload = payload,
               .offset = offset};
}

bool SegmentReader::frame_follows() const {
  for (uint64_t at = offset_ + kAlign; at + kFrameHeaderBytes <= file_.size(); at += kAlign) {
    const auto found = frame_at(at);
    if (found && found->batch >= batch_) return true;
  }
  return false;
}

Result<std::optional<Frame>> SegmentReader::next(uint64_t index) {
  const std::optional<Frame> frame = frame_at(offset_);
  const std::string where = "offset " + std::to_string(offset_);
  if (!frame) {
    if (torn() && frame_follows()) return corrupt("a batch is damaged, and later ones follow it", where);
    return std::nullopt;
  }
  if (frame->batch != batch_) {
    return corrupt("batch " + std::to_string(batch_) + " is missing: here is " + std::to_string(frame->batch),
                   where);
  }
  if (frame->first_index != index) {
    return corrupt(
        "entry " + std::to_string(index) + " is missing: here is " + std::to_string(frame->first_index),
        where);
  }
  offset_ += frame_bytes(frame->payload.size());
  ++batch_;
  return frame;
}

void SegmentReader::unread(const Frame& frame) {
  offset_ = frame.offset;
  --batch_;
}

uint64_t SegmentReader::dirty_end() const {
  uint64_t at = file_.size();
  while (at > offset_ && file_[at - 1] == 0) --at;
  return at;
}

bool SegmentReader::unfinished() const {
  constexpr uint64_t kSector = 512;  // what a disk writes whole or not at all
  const uint64_t dirty = dirty_end();
  if (dirty <= offset_ || offset_ + kFrameHeaderBytes > file_.size()) return false;
  const ByteView header = file_.subspan(offset_, kFrameHeaderBytes);
  const auto missing = [&](uint64_t from, uint64_t to) {  // a sector in there never reached the disk
    for (uint64_t at = (from + kSector - 1) / kSector * kSector; at < to; at += kSector)
      if (all_zero(file_.subspan(at, std::min(kSector, to - at)))) return true;
    return false;
  };
  if (as_text(header.first(4)) != kFrameMagic || get<uint64_t>(header, 8) != batch_) return false;
  const size_t length = get<uint32_t>(header, 4);
  if (length == 0 || frame_bytes(length) > file_.size() - offset_) return false;
  const uint64_t end = offset_ + frame_bytes(length);
  return dirty <= end && (missing(offset_, end) || dirty + kAlign < offset_ + kFrameHeaderBytes + length);
}

std::string segment_name(uint32_t number) {
  std::string digits = std::to_string(number);
  return std::string(8 - std::min<size_t>(8, digits.size()), '0') + digits + ".seg";
}

Result<Bytes> read_whole(const std::filesystem::path& path) {
  Result<Bytes> bytes = read_bytes(path, std::numeric_limits<size_t>::max(), Symlink::refused);
  if (!bytes) return fail("ledger.io", bytes.error().what(), path);
  return bytes;
}

Result<FolderReader> FolderReader::open(std::filesystem::path folder, std::string_view magic) {
  FolderReader out;
  out.folder_ = std::move(folder);
  out.magic_ = magic;
  std::error_code error;
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(out.folder_, error)) {
    const std::string name = entry.path().filename();
    if (name == kNext || name == "next.tmp") continue;
    ++files;
  }
  while (std::filesystem::exists(out.folder_ / segment_name(out.segments_), error)) ++out.segments_;
  if (files != out.segments_) {
    return corrupt("a segment is missing, or a file is here that is none",
                   out.folder_ / segment_name(out.segments_));
  }
  return out;
}

Result<void> FolderReader::load(uint32_t number, uint64_t index) {
  TRY(file_, read_whole(folder_ / segment_name(number)));
  segment_ = number;
  auto reader = SegmentReader::open(file_, magic_, {.number = number, .batch = batch_, .index = index});
  if (!reader) {
    reader.error().where() = folder_ / segment_name(number) / reader.error().where();
    return Failure(reader.error());
  }
  reader_.emplace(*reader);
  return {};
}

std::string FolderReader::place(uint64_t offset) const {
  return (folder_ / segment_name(segment_)).string() + ": offset " + std::to_string(offset);
}

Result<std::optional<Frame>> FolderReader::next(uint64_t index) {
  if (segments_ == 0) return std::nullopt;
  if (!reader_) TRY_VOID(load(0, index));
  while (true) {
    Result<std::optional<Frame>> frame = reader_->next(index);
    if (!frame) {
      frame.error().where() = (folder_ / segment_name(segment_)).string() + ": " + frame.error().where();
      return frame;
    }
    if (*frame) ++batch_;
    if (*frame || segment_ + 1 == segments_) return frame;
    if (reader_->torn())
      return corrupt("a batch is damaged, and later ones follow it", place(reader_->end()));
    TRY_VOID(load(segment_ + 1, index));
  }
}

void FolderReader::unread(const Frame& frame) {
  reader_->unread(frame);
  --batch_;
}

Result<void> Disk::write(int file, uint64_t offset, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return io("the ledger's disk refused a write");
    bytes = bytes.subspan(static_cast<size_t>(done));
    offset += static_cast<uint64_t>(done);
  }
  return {};
}

Result<void> Disk::sync(int file) {
  if (::fdatasync(file) != 0) return io("the ledger's disk refused to make a write durable");
  return {};
}

Result<void> Disk::allocate(int file, uint64_t bytes) {
  errno = ::posix_fallocate(file, 0, static_cast<off_t>(bytes));
  if (errno != 0) return io("the ledger's disk refused a new segment");
  return {};
}

Disk& real_disk() {
  static Disk disk;
  return disk;
}

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::open(Settings settings, const FolderReader& reader,
                                                           uint64_t batch, uint64_t index) {
  std::unique_ptr<SegmentWriter> out(new SegmentWriter(std::move(settings)));
  const std::filesystem::path next = out->settings_.folder / kNext;
  std::error_code error;
  if (std::filesystem::exists(next, error)) {
    TRY(const Bytes bytes, read_whole(next));
    out->next_ready_ = bytes.size() == out->settings_.segment_bytes && all_zero(bytes);
    if (!out->next_ready_) std::filesystem::remove(next, error);
  }
  if (reader.segments() == 0) {
    TRY_VOID(out->roll(batch, index));
    return out;
  }
  TRY_VOID(out->open_current(reader.segments() - 1));
  const SegmentReader& last = *reader.last();
  out->end_ = last.end();
  out->kept_ = last.end();
  if (last.torn()) TRY_VOID(out->zero(last.end(), last.dirty_end()));
  return out;
}

SegmentWriter::~SegmentWriter() {
  if (file_ >= 0) ::close(file_);
}

Result<void> SegmentWriter::open_current(uint32_t number) {
  const std::filesystem::path path = settings_.folder / segment_name(number);
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return io("a segment can't be opened", path);
  if (file_ >= 0) ::close(file_);
  file_ = file;
  number_ = number;
  struct stat about{};
  if (::fstat(file, &about) != 0) return io("a segment can't be read", path);
  file_bytes_ = static_cast<uint64_t>(about.st_size);
  return {};
}

Result<void> SegmentWriter::zero(uint64_t begin, uint64_t end) {
  const Bytes zeros(std::min<uint64_t>(kChunk, end - begin));
  for (uint64_t at = begin; at < end; at += zeros.size()) {
    TRY_VOID(
        settings_.disk->write(file_, at, ByteView(zeros).first(std::min<uint64_t>(zeros.size(), end - at))));
  }
  return settings_.disk->sync(file_);
}

// Zeros are written out, not only allocated: a write into them then changes no metadata, and its sync is one
// flush.
Result<void> SegmentWriter::make_next() {
  const std::scoped_lock lock(next_mutex_);
  if (next_ready_) return {};
  const std::filesystem::path draft = settings_.folder / "next.tmp";
  const int file = ::open(draft.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return io("a new segment can't be made", draft);
  const auto fill = [&]() -> Result<void> {
    TRY_VOID(settings_.disk->allocate(file, settings_.segment_bytes));
    const Bytes zeros(kChunk);
    for (uint64_t at = 0; at < settings_.segment_bytes; at += kChunk) {
      const uint64_t length = std::min<uint64_t>(kChunk, settings_.segment_bytes - at);
      TRY_VOID(settings_.disk->write(file, at, ByteView(zeros).first(length)));
    }
    if (::fsync(file) != 0) return io("a new segment can't be made durable", draft);
    return {};
  };
  const Result<void> filled = fill();
  ::close(file);
  std::error_code error;
  if (!filled) {
    std::filesystem::remove(draft, error);
    return filled;
  }
  std::filesystem::rename(draft, settings_.folder / kNext, error);
  if (error) return fail("ledger.io", "a new segment can't be put in place: " + error.message(), draft);
  next_ready_ = true;
  return {};
}

Result<void> SegmentWriter::roll(uint64_t batch, uint64_t index) {
  TRY_VOID(make_next());
  const std::scoped_lock lock(next_mutex_);
  const std::filesystem::path next = settings_.folder / kNext;
  const uint32_t number = file_ < 0 ? 0 : number_ + 1;
  const int file = ::open(next.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return io("the next segment can't be opened", next);
  const Bytes header = segment_header(settings_.magic, {.number = number, .batch = batch, .index = index},
                                      settings_.segment_bytes);
  Result<void> written = settings_.disk->write(file, 0, header);
  if (written) written = settings_.disk->sync(file);
  ::close(file);
  if (!written) {
    next_ready_ = false;  // made anew next time: what is in it now is not known
    return written;
  }
  std::error_code error;
  std::filesystem::rename(next, settings_.folder / segment_name(number), error);
  next_ready_ = false;
  if (error) return fail("ledger.io", "the next segment can't be put in place: " + error.message(), next);
  TRY_VOID(sync_folder(settings_.folder));
  TRY_VOID(open_current(number));
  end_ = kSegmentHeaderBytes;
  kept_ = kSegmentHeaderBytes;
  return {};
}

Result<void> SegmentWriter::make_room(size_t payload, bool narrowing) {
  if (broken_) TRY_VOID(undo());
  const size_t need = frame_bytes(payload);
  if (need > settings_.segment_bytes - kSegmentHeaderBytes) {
    return fail("ledger.record", "the records are larger together than a segment", settings_.folder);
  }
  const size_t left = file_bytes_ - end_;
  if (need <= left && (narrowing || left - need >= settings_.reserve_bytes)) return {};
  const Result<void> next = make_next();
  if (!next && narrowing && need <= left) return {};
  return next;
}

Result<FramePlace> SegmentWriter::append(uint64_t batch, uint64_t first_index, ByteView payload) {
  ENTENTE_CHECK(!broken_ && end_ == kept_);
  const size_t need = frame_bytes(payload.size());
  if (need > file_bytes_ - end_) TRY_VOID(roll(batch, first_index));
  Bytes frame;
  frame.reserve(need);
  frame.insert(frame.end(), kFrameMagic.begin(), kFrameMagic.end());
  put(frame, static_cast<uint32_t>(payload.size()));
  put(frame, batch);
  put(frame, first_index);
  put(frame, uint32_t{0});
  put(frame, crc32c(payload, crc32c(frame)));
  frame.insert(frame.end(), payload.begin(), payload.end());
  frame.resize(need);
  const FramePlace place{.first_index = first_index, .segment = number_, .offset = end_};
  end_ += need;
  TRY_VOID(settings_.disk->write(file_, place.offset, frame));
  return place;
}

Result<void> SegmentWriter::sync() {
  return settings_.disk->sync(file_);
}

Result<void> SegmentWriter::undo() {
  broken_ = true;
  TRY_VOID(zero(kept_, end_));
  end_ = kept_;
  broken_ = false;
  return {};
}

Result<void> SegmentWriter::prepare() {
  if (end_ < settings_.segment_bytes / 2) return {};
  return make_next();
}

Result<Bytes> SegmentWriter::read(const FramePlace& place) const {
  const std::filesystem::path path = settings_.folder / segment_name(place.segment);
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return io("a segment can't be opened", path);
  Bytes header(kFrameHeaderBytes);
  Bytes out;
  const auto offset = static_cast<off_t>(place.offset);
  bool whole = ::pread(file, header.data(), header.size(), offset) == static_cast<ssize_t>(header.size()) &&
               as_text(ByteView(header).first(4)) == kFrameMagic &&
               get<uint32_t>(header, 4) <= kSegmentBytesMax;
  if (whole) {
    out.resize(get<uint32_t>(header, 4));
    whole = ::pread(file, out.data(), out.size(), offset + static_cast<off_t>(kFrameHeaderBytes)) ==
                static_cast<ssize_t>(out.size()) &&
            crc32c(out, crc32c(ByteView(header).first(28))) == get<uint32_t>(header, 28);
  }
  ::close(file);
  if (!whole)
    return corrupt("a batch is damaged", path.string() + ": offset " + std::to_string(place.offset));
  return out;
}

}  // namespace entente::ledger
