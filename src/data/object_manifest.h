// The manifest of a sealed object (OpenTDF 4.3.0, and 4.2.2 whose hashes are hexadecimal): who may open it,
// and what its payload must be. Nothing in it is to be believed before open.h has verified it. Errors:
// "data.manifest", "data.key-access"; of what is
// to be written, "data.assertion" too.
#pragma once

#include "data/io.h"
#include "data/key_access.h"

#include <array>

namespace entente::data {

// 24 MiB of manifest is 2^18 segments; with the longest segments that is a payload of 4 TiB, and reading it
// never takes more than 64 MiB of memory.
inline constexpr size_t kManifestBytesMax = size_t{24} << 20;
inline constexpr size_t kFrameBytesMax = size_t{4} << 20;  // of the manifest without its segments
inline constexpr size_t kFrameValuesMax = 32768;           // JSON values there: each takes up to 100 bytes
inline constexpr size_t kSegmentsMax = size_t{1} << 18;
inline constexpr uint32_t kSegmentBytesMax = uint32_t{16} << 20;
inline constexpr size_t kAssertionsMax = 64;

using SegmentTag = std::array<uint8_t, 16>;  // GMAC: the tag that ends the segment

// Kept small: a large object has hundreds of thousands.
class Segments {
 public:
  void add(const SegmentTag& tag, uint32_t plain_bytes);
  [[nodiscard]] size_t count() const { return tags_.size(); }
  [[nodiscard]] const SegmentTag& tag(size_t index) const { return tags_[index]; }
  [[nodiscard]] uint32_t plain_bytes(size_t index) const;
  // Where a segment's plain text begins; of count(): the size of all.
  [[nodiscard]] uint64_t plain_at(size_t index) const { return ends_or_zero(index); }
  [[nodiscard]] uint64_t sealed_at(size_t index) const;
  [[nodiscard]] size_t holding(
      uint64_t plain_at) const;  // which segment has that byte; count() behind the end
  [[nodiscard]] const std::vector<SegmentTag>& tags() const { return tags_; }

 private:
  [[nodiscard]] uint64_t ends_or_zero(size_t index) const { return index == 0 ? 0 : ends_[index - 1]; }
  std::vector<SegmentTag> tags_;
  std::vector<uint64_t> ends_;  // of each segment's plain text
};

struct Manifest {
  std::string schema_version = "4.3.0";  // empty: 4.2.2, which does not say
  HashForm form = HashForm::raw;         // of segment hashes and root signature
  std::string mime_type = "application/octet-stream";
  std::string policy_text = {};  // base64
  std::vector<KeyAccess> key_access = {};
  std::vector<std::string> passed_over =
      {};                      // types of those beside them that are not read, nor written again
  uint32_t segment_bytes = 0;  // plain; what most segments have
  Segments segments;
  crypto::Digest root_signature{};
  std::vector<Json> assertions = {};  // as they stand there: their hash is over each member
};

// `text` is at most kManifestBytesMax long.
[[nodiscard]] Result<Manifest> read_manifest(std::string_view text);
// The same bytes for equal manifests; never holds the whole text in memory.
[[nodiscard]] Result<void> write_manifest(const Manifest& manifest, Sink& sink);
// Whoever writes an object asks this first: what read_manifest would refuse must never be written.
[[nodiscard]] Result<void> check_readable(const Manifest& manifest);
// How long it is without its segments.
[[nodiscard]] uint64_t frame_bytes(const Manifest& manifest);

// HMAC-SHA256(key, the segments' hashes as the manifest's base64 holds them).
[[nodiscard]] crypto::Digest root_signature(const crypto::Secret& key, const Segments& segments,
                                            HashForm form);
// Those hashes, one after another: what assertions are bound to.
[[nodiscard]] Bytes aggregate_hash(const Segments& segments, HashForm form);

}  // namespace entente::data
