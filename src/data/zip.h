// The ZIP around a sealed object (PKWARE APPNOTE 6.3.10): exactly two entries, stored, in either order. What
// is read was written by anybody: the directory at the end is believed only where everything else agrees with
// it, and reading it costs the same for every file. Errors: "data.zip" with the offset in `where`.
#pragma once

#include "data/io.h"

#include <functional>

namespace entente::data {

inline constexpr std::string_view kPayloadName = "0.payload";
inline constexpr std::string_view kManifestName = "0.manifest.json";

struct ZipEntry {
  uint64_t header_at = 0;
  uint64_t data_at = 0;
  uint64_t size = 0;
  uint32_t crc = 0;
  uint16_t flags = 0;
  uint64_t end = 0;  // behind its data, and its descriptor where it has one
};

struct ObjectZip {
  ZipEntry payload;
  ZipEntry manifest;
};

// Checked: both headers of each entry name the same sizes, nothing overlaps, nothing is compressed or
// encrypted, the directory ends where its end record begins, and that record ends the file. Between entries
// there may be bytes that belong to nothing, as some software leaves them. The manifest's CRC is
// read_manifest_text's to check; the payload's needs none, since each segment is authenticated.
[[nodiscard]] Result<ObjectZip> read_zip(const Source& source);
// Longer than `bytes_max` or another CRC: refused.
[[nodiscard]] Result<std::string> read_manifest_text(const Source& source, const ObjectZip& zip,
                                                     size_t bytes_max);

// Writes payload, manifest and directory, in that order, to a sink that only grows. No times are written.
class ZipWriter {
 public:
  explicit ZipWriter(Sink& sink) : sink_(sink) {}
  // Goes on behind the `size` bytes of a file that holds `payload`: for a new manifest.
  ZipWriter(Sink& sink, uint64_t size, const ZipEntry& payload) : sink_(sink), at_(size), payload_(payload) {}

  // `large`: the payload may reach 4 GiB.
  [[nodiscard]] Result<void> begin_payload(bool large);
  [[nodiscard]] Result<void> payload(ByteView bytes);
  [[nodiscard]] Result<void> end_payload();
  // `write` is called twice, once to measure; it must write the same bytes each time.
  [[nodiscard]] Result<void> finish(const std::function<Result<void>(Sink&)>& write);

 private:
  [[nodiscard]] Result<void> put(ByteView bytes);

  Sink& sink_;
  uint64_t at_ = 0;
  bool large_ = false;
  ZipEntry payload_;
};

}  // namespace entente::data
