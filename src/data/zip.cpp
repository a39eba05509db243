#include "data/zip.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <libdeflate.h>

namespace entente::data {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocatorSignature = 0x07064b50;
constexpr uint32_t kDescriptorSignature = 0x08074b50;
constexpr size_t kLocalBytes = 30;
constexpr size_t kCentralBytes = 46;
constexpr size_t kEndBytes = 22;
constexpr size_t kEnd64Bytes = 56;
constexpr size_t kLocatorBytes = 20;
constexpr size_t kExtraBytesMax = 1024;  // of one header; writers use up to 60
constexpr size_t kDirectoryBytesMax = 2 * (kCentralBytes + 32 + kExtraBytesMax);
constexpr uint16_t kExtra64 = 1;
constexpr uint16_t kFull16 = 0xffff;
constexpr uint32_t kFull32 = 0xffffffff;
constexpr uint16_t kFlagDescriptor = 1 << 3;
// How it would be compressed (1 and 2), a descriptor behind the data, names in UTF-8. All others are of
// encryption, patches and masked headers, or reserved: none of it is ours.
constexpr uint16_t kFlagsKnown = 1 << 1 | 1 << 2 | kFlagDescriptor | 1 << 11;
constexpr uint16_t kVersion = 20;
constexpr uint16_t kVersion64 = 45;
constexpr uint16_t kFirstDay = 1 << 5 | 1;  // 1980-01-01, the format's own zero

Failure zip_fail(std::string what, uint64_t at) {
  return fail(
      "data.zip", std::move(what), fmt::format("byte {}", at),
      "A sealed object is a ZIP of 0.payload and 0.manifest.json, stored. Get it again from its author.");
}

uint32_t crc_of(ByteView bytes, uint32_t before = 0) {
  return libdeflate_crc32(before, bytes.data(), bytes.size());
}

// Little-endian fields one after another. Reading behind the end gives zeros and is remembered.
class FieldReader {
 public:
  explicit FieldReader(ByteView bytes) : bytes_(bytes) {}
  uint16_t u16() { return static_cast<uint16_t>(number(2)); }
  uint32_t u32() { return static_cast<uint32_t>(number(4)); }
  uint64_t u64() { return number(8); }
  ByteView bytes(size_t length) {
    const size_t taken = std::min(length, bytes_.size());
    short_ = short_ || taken < length;
    const ByteView out = bytes_.first(taken);
    bytes_ = bytes_.subspan(taken);
    return out;
  }
  [[nodiscard]] size_t left() const { return bytes_.size(); }
  [[nodiscard]] bool ended_early() const { return short_; }

 private:
  uint64_t number(size_t length) {
    const ByteView part = bytes(length);
    uint64_t out = 0;
    for (size_t i = part.size(); i > 0; --i) out = out << 8 | part[i - 1];
    return part.size() == length ? out : 0;
  }
  ByteView bytes_;
  bool short_ = false;
};

class FieldWriter {
 public:
  FieldWriter& u16(uint64_t value) { return number(value, 2); }
  FieldWriter& u32(uint64_t value) { return number(value, 4); }
  FieldWriter& u64(uint64_t value) { return number(value, 8); }
  FieldWriter& text(std::string_view value) {
    out.insert(out.end(), value.begin(), value.end());
    return *this;
  }
  Bytes out;

 private:
  FieldWriter& number(uint64_t value, size_t length) {
    for (size_t i = 0; i < length; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
    return *this;
  }
};

Result<Bytes> read_at(const Source& source, uint64_t at, size_t length) {
  if (at > source.size() || length > source.size() - at) return zip_fail("The file ends too early.", at);
  Bytes out(length);
  TRY_VOID(source.read(at, out));
  return out;
}

// Where the directory is, by the records that end the file.
struct DirectoryPlace {
  uint64_t at = 0;
  uint64_t size = 0;
  uint64_t end = 0;  // where the first of the end records begins
};

// The end record's numbers: full ones are in the ZIP64 record, others must be the same there.
bool same_or_full(uint64_t narrow, uint64_t full, uint64_t wide) {
  return narrow == full || narrow == wide;
}

Result<DirectoryPlace> find_directory(const Source& source) {
  if (source.size() < kEndBytes) return zip_fail("The file is too short for a ZIP.", 0);
  const uint64_t end_at = source.size() - kEndBytes;
  TRY(const Bytes end, read_at(source, end_at, kEndBytes));
  FieldReader r(end);
  const uint32_t signature = r.u32();
  const uint32_t disks = r.u32();  // two numbers of 16 bits, both 0
  const uint16_t here = r.u16();
  const uint16_t count = r.u16();
  const uint32_t size = r.u32();
  const uint32_t at = r.u32();
  const uint16_t comment = r.u16();
  if (signature != kEndSignature || comment != 0)
    return zip_fail("The file does not end as a ZIP without a comment does.", end_at);

  std::optional<uint64_t> wide_at;
  if (end_at >= kLocatorBytes + kEnd64Bytes) {
    TRY(const Bytes locator, read_at(source, end_at - kLocatorBytes, kLocatorBytes));
    FieldReader l(locator);
    if (l.u32() == kLocatorSignature) {
      const uint32_t disk = l.u32();
      wide_at = l.u64();
      if (disk != 0 || l.u32() != 1 || *wide_at != end_at - kLocatorBytes - kEnd64Bytes)
        return zip_fail("The ZIP64 locator leads elsewhere than to the record before it.",
                        end_at - kLocatorBytes);
    }
  }
  if (!wide_at) {
    if (disks != 0 || here != 2 || count != 2)
      return zip_fail("The directory does not list two entries.", end_at);
    return DirectoryPlace{at, size, end_at};
  }
  TRY(const Bytes record, read_at(source, *wide_at, kEnd64Bytes));
  FieldReader w(record);
  const uint32_t wide_signature = w.u32();
  const uint64_t length = w.u64();
  w.u32();  // versions
  const uint64_t wide_disks = w.u64();
  const uint64_t wide_here = w.u64();
  const uint64_t wide_count = w.u64();
  const uint64_t wide_size = w.u64();
  const uint64_t wide_directory = w.u64();
  if (wide_signature != kEnd64Signature || length != kEnd64Bytes - 12 || wide_disks != 0 || wide_here != 2 ||
      wide_count != 2)
    return zip_fail("The ZIP64 end record does not list two entries.", *wide_at);
  if ((disks != 0 && disks != kFull32) || !same_or_full(here, kFull16, 2) ||
      !same_or_full(count, kFull16, 2) || !same_or_full(size, kFull32, wide_size) ||
      !same_or_full(at, kFull32, wide_directory))
    return zip_fail("The two end records contradict each other.", end_at);
  return DirectoryPlace{wide_directory, wide_size, *wide_at};
}

// One header's numbers, before and after its ZIP64 field was looked at.
struct Numbers {
  uint64_t size = 0;    // uncompressed
  uint64_t packed = 0;  // compressed: must be the same
  uint64_t at = 0;      // of the local header; central only
};

// Others' extra fields are passed over. A ZIP64 field holds the full numbers' real values, in order; or, as
// some write it, all of them, which then must agree.
Result<Numbers> widen(Numbers narrow, bool central, bool later, ByteView extra, uint64_t where) {
  FieldReader r(extra);
  std::optional<ByteView> wide;
  while (r.left() > 0) {
    const uint16_t id = r.u16();
    const uint16_t length = r.u16();
    const ByteView field = r.bytes(length);
    if (r.ended_early()) return zip_fail("An extra field is longer than its header says.", where);
    if (id != kExtra64) continue;
    if (wide) return zip_fail("A header has two ZIP64 fields.", where);
    wide = field;
  }
  const std::array<uint64_t*, 3> all{&narrow.size, &narrow.packed, &narrow.at};
  const size_t fields = central ? 3 : 2;
  size_t full = 0;
  for (size_t i = 0; i < fields; ++i) full += *all[i] == kFull32;
  if (full == 0 && (!wide || wide->size() < 8 * fields)) return narrow;
  if (!wide && later) return narrow;
  if (!wide) return zip_fail("A header's ZIP64 field is missing.", where);
  const bool complete = wide->size() >= 8 * fields;
  if (!complete && wide->size() < 8 * full) return zip_fail("A header's ZIP64 field is too short.", where);
  FieldReader w(*wide);
  for (size_t i = 0; i < fields; ++i) {
    if (!complete && *all[i] != kFull32) continue;
    const uint64_t value = w.u64();
    if (*all[i] != kFull32 && *all[i] != value)
      return zip_fail("A header and its ZIP64 field contradict each other.", where);
    *all[i] = value;
  }
  return narrow;
}

// What the directory and the header before the data both say, in this order.
struct Common {
  uint16_t flags = 0;
  uint32_t crc = 0;
  Numbers numbers;
  uint16_t name_length = 0;
  uint16_t extra_length = 0;
  bool plain = false;  // neither compressed nor encrypted by ZIP
};

Common read_common(FieldReader& r) {
  Common out;
  out.flags = r.u16();
  const uint16_t method = r.u16();
  r.u32();  // time
  out.crc = r.u32();
  out.numbers.packed = r.u32();
  out.numbers.size = r.u32();
  out.name_length = r.u16();
  out.extra_length = r.u16();
  out.plain = method == 0 && (out.flags & ~kFlagsKnown) == 0;
  return out;
}

struct Central {
  std::string name;
  ZipEntry entry;
};

Result<Central> read_central(FieldReader& r, uint64_t where) {
  const uint32_t signature = r.u32();
  r.u32();  // versions
  const Common said = read_common(r);
  Numbers numbers = said.numbers;
  const uint16_t comment_length = r.u16();
  const uint16_t disk = r.u16();
  r.u16();  // internal and
  r.u32();  // external attributes: nothing here becomes a file
  numbers.at = r.u32();
  const std::string name(as_text(r.bytes(said.name_length)));
  const ByteView extra = r.bytes(said.extra_length);
  if (r.ended_early() || signature != kCentralSignature || comment_length != 0 || disk != 0)
    return zip_fail("The directory holds what is no entry.", where);
  if (!said.plain) return zip_fail("An entry is compressed or encrypted by ZIP.", where);
  TRY(numbers, widen(numbers, true, false, extra, where));
  if (numbers.size != numbers.packed) return zip_fail("A stored entry has two sizes.", where);
  Central out{name, {}};
  out.entry.header_at = numbers.at;
  out.entry.size = numbers.size;
  out.entry.crc = said.crc;
  out.entry.flags = said.flags;
  return out;
}

// With or without its signature, with sizes of 32 or 64 bits. Returns its length, or 0 when none fits.
size_t descriptor_length(ByteView bytes, const ZipEntry& entry) {
  for (const bool marked : {true, false}) {
    for (const bool wide : {false, true}) {
      const size_t length = (marked ? 4u : 0u) + 4u + (wide ? 16u : 8u);
      if (bytes.size() < length) continue;
      FieldReader r(bytes);
      if (marked && r.u32() != kDescriptorSignature) continue;
      if (r.u32() != entry.crc) continue;
      const uint64_t packed = wide ? r.u64() : r.u32();
      const uint64_t size = wide ? r.u64() : r.u32();
      if (packed == entry.size && size == entry.size) return length;
    }
  }
  return 0;
}

// The header before the data must say the same as the directory.
Result<void> check_local(const Source& source, const std::string& name, ZipEntry& entry,
                         uint64_t directory_at) {
  const uint64_t where = entry.header_at;
  TRY(const Bytes head, read_at(source, where, kLocalBytes));
  FieldReader r(head);
  const uint32_t signature = r.u32();
  r.u16();  // version
  const auto [flags, crc, narrow, name_length, extra_length, plain] = read_common(r);
  if (signature != kLocalSignature || name_length != name.size() || extra_length > kExtraBytesMax)
    return zip_fail("The directory leads to what is no entry.", where);
  if (!plain) return zip_fail("An entry is compressed or encrypted by ZIP.", where);
  TRY(const Bytes rest, read_at(source, where + kLocalBytes, size_t{name_length} + extra_length));
  if (as_text(ByteView(rest).first(name_length)) != name)
    return zip_fail("An entry has one name in the directory and another at its place.", where);
  const bool descriptor = (flags & kFlagDescriptor) != 0;
  TRY(const Numbers numbers, widen(narrow, false, descriptor, ByteView(rest).subspan(name_length), where));

  // Where a descriptor follows, its numbers may be left open here.
  const auto agrees = [&](uint64_t local, uint64_t central) {
    return local == central || (descriptor && (local == 0 || local == kFull32));
  };
  if (!agrees(numbers.size, entry.size) || !agrees(numbers.packed, entry.size) || !agrees(crc, entry.crc))
    return zip_fail("An entry's header and the directory contradict each other.", where);
  entry.flags = flags;
  entry.data_at = where + kLocalBytes + name_length + extra_length;
  if (entry.data_at > directory_at || entry.size > directory_at - entry.data_at)
    return zip_fail("An entry reaches into the directory.", where);
  entry.end = entry.data_at + entry.size;
  if (!descriptor) return {};
  constexpr uint64_t longest = 24;
  TRY(const Bytes behind,
      read_at(source, entry.end, static_cast<size_t>(std::min(longest, directory_at - entry.end))));
  const size_t length = descriptor_length(behind, entry);
  if (length == 0) return zip_fail("An entry's data descriptor contradicts the directory.", entry.end);
  entry.end += length;
  return {};
}

Bytes local_header(std::string_view name, uint16_t flags, bool large, uint32_t crc, uint64_t size) {
  FieldWriter w;
  w.u32(kLocalSignature).u16(large ? kVersion64 : kVersion).u16(flags).u16(0).u16(0).u16(kFirstDay).u32(crc);
  w.u32(large ? kFull32 : size).u32(large ? kFull32 : size);
  w.u16(name.size()).u16(large ? 20 : 0).text(name);
  if (large) w.u16(kExtra64).u16(16).u64(size).u64(size);
  return std::move(w.out);
}

void add_central(FieldWriter& w, std::string_view name, const ZipEntry& entry) {
  const bool large = entry.size >= kFull32 || entry.header_at >= kFull32;
  const uint16_t version = large ? kVersion64 : kVersion;
  w.u32(kCentralSignature)
      .u16(version)
      .u16(version)
      .u16(entry.flags)
      .u16(0)
      .u16(0)
      .u16(kFirstDay)
      .u32(entry.crc);
  w.u32(large ? kFull32 : entry.size).u32(large ? kFull32 : entry.size);
  w.u16(name.size()).u16(large ? 28 : 0).u16(0).u16(0).u16(0).u32(0).u32(large ? kFull32 : entry.header_at);
  w.text(name);
  if (large) w.u16(kExtra64).u16(24).u64(entry.size).u64(entry.size).u64(entry.header_at);
}

// Measures what is written to it.
class MeasuringSink final : public Sink {
 public:
  Result<void> write(ByteView bytes) override {
    crc = crc_of(bytes, crc);
    size += bytes.size();
    return {};
  }
  uint32_t crc = 0;
  uint64_t size = 0;
};

// Hands on, and tells whether the same was written as was measured.
class CheckingSink final : public Sink {
 public:
  explicit CheckingSink(Sink& next) : next_(next) {}
  Result<void> write(ByteView bytes) override {
    TRY_VOID(measured.write(bytes));
    return next_.write(bytes);
  }
  MeasuringSink measured;

 private:
  Sink& next_;
};

}  // namespace

Result<ObjectZip> read_zip(const Source& source) {
  TRY(const DirectoryPlace place, find_directory(source));
  if (place.at > place.end || place.size != place.end - place.at)
    return zip_fail("The directory does not end where its end record begins.", place.end);
  if (place.size > kDirectoryBytesMax)
    return zip_fail("The directory is too long for two entries.", place.at);
  TRY(const Bytes directory, read_at(source, place.at, static_cast<size_t>(place.size)));
  FieldReader r(directory);
  TRY(Central first, read_central(r, place.at));
  TRY(Central second, read_central(r, place.at));
  if (r.left() != 0) return zip_fail("The directory holds more than its entries.", place.at);
  if (first.name == kManifestName) std::swap(first, second);
  if (first.name != kPayloadName || second.name != kManifestName)
    return zip_fail("The entries are not 0.payload and 0.manifest.json.", place.at);
  ObjectZip out{first.entry, second.entry};
  TRY_VOID(check_local(source, first.name, out.payload, place.at));
  TRY_VOID(check_local(source, second.name, out.manifest, place.at));
  const bool apart = out.payload.end <= out.manifest.header_at || out.manifest.end <= out.payload.header_at;
  if (!apart || out.payload.end > place.at || out.manifest.end > place.at)
    return zip_fail("The entries overlap.", out.manifest.header_at);
  return out;
}

Result<std::string> read_manifest_text(const Source& source, const ObjectZip& zip, size_t bytes_max) {
  if (zip.manifest.size > bytes_max) return zip_fail("The manifest is too long.", zip.manifest.header_at);
  std::string text(static_cast<size_t>(zip.manifest.size), '\0');
  TRY_VOID(source.read(zip.manifest.data_at, {reinterpret_cast<uint8_t*>(text.data()), text.size()}));
  if (crc_of(as_bytes(text)) != zip.manifest.crc)
    return zip_fail("The manifest's checksum does not fit.", zip.manifest.data_at);
  return text;
}

Result<void> ZipWriter::put(ByteView bytes) {
  TRY_VOID(sink_.write(bytes));
  at_ += bytes.size();
  return {};
}

Result<void> ZipWriter::begin_payload(bool large) {
  large_ = large;
  payload_ = ZipEntry{.header_at = at_, .flags = kFlagDescriptor};
  TRY_VOID(put(local_header(kPayloadName, kFlagDescriptor, large, 0, 0)));
  payload_.data_at = at_;
  return {};
}

Result<void> ZipWriter::payload(ByteView bytes) {
  payload_.crc = crc_of(bytes, payload_.crc);
  payload_.size += bytes.size();
  if (!large_ && payload_.size >= kFull32)
    return fail("data.zip", "The payload became larger than was announced.", {},
                "Seal it as one of unknown size.");
  return put(bytes);
}

Result<void> ZipWriter::end_payload() {
  FieldWriter w;
  w.u32(kDescriptorSignature).u32(payload_.crc);
  if (large_)
    w.u64(payload_.size).u64(payload_.size);
  else
    w.u32(payload_.size).u32(payload_.size);
  TRY_VOID(put(w.out));
  payload_.end = at_;
  return {};
}

Result<void> ZipWriter::finish(const std::function<Result<void>(Sink&)>& write) {
  MeasuringSink measured;
  TRY_VOID(write(measured));
  if (measured.size >= kFull32) return fail("data.zip", "The manifest is too long.");
  ZipEntry manifest{.header_at = at_, .size = measured.size, .crc = measured.crc};
  TRY_VOID(put(local_header(kManifestName, 0, false, manifest.crc, manifest.size)));
  CheckingSink checking(sink_);
  TRY_VOID(write(checking));
  ENTENTE_CHECK(checking.measured.size == measured.size && checking.measured.crc == measured.crc);
  at_ += measured.size;

  FieldWriter w;
  add_central(w, kPayloadName, payload_);
  add_central(w, kManifestName, manifest);
  const uint64_t directory_at = at_;
  const size_t directory_size = w.out.size();
  const bool large = directory_at >= kFull32;
  if (large) {
    const uint64_t record_at = at_ + directory_size;
    w.u32(kEnd64Signature).u64(kEnd64Bytes - 12).u16(kVersion64).u16(kVersion64).u32(0).u32(0);
    w.u64(2).u64(2).u64(directory_size).u64(directory_at);
    w.u32(kLocatorSignature).u32(0).u64(record_at).u32(1);
  }
  w.u32(kEndSignature)
      .u16(0)
      .u16(0)
      .u16(2)
      .u16(2)
      .u32(directory_size)
      .u32(large ? kFull32 : directory_at)
      .u16(0);
  return put(w.out);
}

}  // namespace entente::data
