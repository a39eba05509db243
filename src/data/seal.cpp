#include "data/seal.h"

#include "crypto/aead.h"
#include "data/zip.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::data {
namespace {

constexpr uint32_t kSegmentBytes = uint32_t{2} << 20;
constexpr size_t kSegmentsWanted = 32768;  // 64 GiB of the usual segments
// One segment in the manifest at its longest, without its hash.
constexpr size_t kSegmentTextBytes =
    std::string_view(R"(,{"hash":"","segmentSize":16777216,"encryptedSegmentSize":16777244})").size();
constexpr uint64_t kLargeBytes = uint64_t{4000}
                                 << 20;  // near where ZIP's own numbers end, with room for framing

Failure seal_fail(std::string what, std::string hint = {}) {
  return fail("data.seal", std::move(what), {}, std::move(hint));
}

// Under a fresh key a counter never repeats; the random part keeps apart what else is sealed under that key.
class Nonces {
 public:
  Nonces() { crypto::random_bytes(std::span<uint8_t>(nonce_).first(4)); }
  ByteView next() {
    for (size_t i = nonce_.size(); i-- > 4;)
      if (++nonce_[i] != 0) break;
    return nonce_;
  }

 private:
  std::array<uint8_t, crypto::kAeadNonceBytes> nonce_{};
};

}  // namespace

struct Sealer::Inside {
  Inside(Sink& sink, SealPlan given, crypto::Secret fresh)
      : plan(std::move(given)), key(std::move(fresh)), aead(key.bytes()), zip(sink) {}

  Result<void> seal_segment(ByteView plain) {
    if (manifest.segments.count() == segments_max)
      return seal_fail(
          fmt::format("The object would have too many segments: its manifest has room for {}.", segments_max),
          "Seal a file instead of a stream, or with fewer assertions.");
    const std::span<uint8_t> out = std::span(sealed).first(plain.size() + crypto::kAeadFrameBytes);
    aead.seal(nonces.next(), plain, out);
    SegmentTag tag;
    std::ranges::copy(out.last(tag.size()), tag.begin());
    manifest.segments.add(tag, static_cast<uint32_t>(plain.size()));
    if (plan.originator) digests.push_back(crypto::sha256(ByteView(out)));
    return zip.payload(out);
  }
  // Into its place in the manifest: assertions first, since the originator signs them.
  Result<void> bind_assertions() {
    const BoundTo object = bound_to(manifest.segments, manifest.form);
    for (const Assertion& one : plan.assertions)
      manifest.assertions.push_back(bind_with_object_key(one, object, key));
    if (!plan.originator) return {};
    TRY(Json signature, originator_assertion(manifest, digests, key, *plan.originator));
    manifest.assertions.push_back(std::move(signature));
    return {};
  }

  // As many segments as a reader takes: each is in the manifest itself, and again in what each assertion is
  // bound by. A manifest without segments is made to measure the rest, and read as a reader would.
  Result<void> find_segments_max() {
    TRY_VOID(read_policy(manifest.policy_text));
    TRY_VOID(bind_assertions());
    TRY_VOID(check_readable(manifest));
    const size_t assertions = manifest.assertions.size();
    const uint64_t fixed = frame_bytes(manifest) + 64 * (assertions + 1);  // padding, numbers
    manifest.assertions.clear();
    const bool raw = manifest.form == HashForm::raw;
    const uint64_t in_assertions = assertions * (raw ? 16 : 32) * 16;  // nine times: base64 of base64
    const uint64_t in_list = 9 * (kSegmentTextBytes + (raw ? 24 : 44));
    if (fixed >= kFrameBytesMax) return seal_fail("The object's manifest would be too long.");
    segments_max =
        std::min<uint64_t>(kSegmentsMax, 9 * (kManifestBytesMax - fixed) / (in_list + in_assertions));
    if (assertions > 0) segments_max = std::min(segments_max, 9 * (kFrameBytesMax - fixed) / in_assertions);
    return {};
  }

  SealPlan plan;
  crypto::Secret key;
  crypto::Aead aead;
  Nonces nonces;
  uint64_t segments_max = 0;
  ZipWriter zip;
  Manifest manifest;
  SegmentDigests digests;  // where its originator signs it
  Bytes waiting;           // plain text of a segment that is not full yet
  Bytes sealed;
};

uint32_t segment_bytes_for(std::optional<uint64_t> size) {
  uint32_t out = kSegmentBytes;
  while (size && out < kSegmentBytesMax && *size / out >= kSegmentsWanted) out *= 2;
  return out;
}

Result<std::vector<KeyAccess>> wrap_key(const crypto::Secret& key, const SealPlan& plan,
                                        std::string_view policy_text) {
  size_t count = 0;
  for (const AnyOf& share : plan.shares) count += share.empty() ? kSharesMax + 1 : share.size();
  if (count == 0 || count > kSharesMax)
    return seal_fail("The object is for nobody, or for too many.",
                     fmt::format("1 to {} key services", kSharesMax));
  const auto shares = split_key(key, plan.shares.size());
  const HashForm form = HashForm::hex;  // what every reader takes, in both versions
  std::vector<KeyAccess> out;
  for (size_t i = 0; i < shares.size(); ++i) {
    for (Recipient one : plan.shares[i]) {
      one.sid = shares.size() == 1 ? "" : fmt::format("{}", i + 1);
      TRY(KeyAccess access, wrap_share(shares[i], one, policy_text, plan.metadata, form));
      out.push_back(std::move(access));
    }
  }
  return out;
}

Sealer::Sealer(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
Sealer::Sealer(Sealer&&) noexcept = default;
Sealer::~Sealer() {
  if (inside_ == nullptr) return;
  inside_->waiting.resize(inside_->waiting.capacity());    // what was cleared is still there
  const crypto::Secret rest(std::move(inside_->waiting));  // plain text leaves memory with it
}

Result<Sealer> Sealer::begin(Sink& sink, SealPlan plan, std::optional<uint64_t> size) {
  uint32_t segment = plan.segment_bytes == 0 ? segment_bytes_for(size) : plan.segment_bytes;
  if (segment > kSegmentBytesMax)
    return seal_fail("The segments are too long.", fmt::format("at most {} bytes", kSegmentBytesMax));
  auto inside = std::make_unique<Inside>(sink, std::move(plan), crypto::Secret::random(kShareBytes));
  Manifest& manifest = inside->manifest;
  if (inside->plan.version == ObjectVersion::v4_2_2) {
    manifest.schema_version.clear();
    manifest.form = HashForm::hex;
  }
  if (!inside->plan.mime_type.empty())
    manifest.mime_type = inside->plan.mime_type;  // empty reads as the usual one
  manifest.policy_text = write_policy(inside->plan.policy);
  // Before anything is written: what can't be wrapped is not sealed.
  TRY(manifest.key_access, wrap_key(inside->key, inside->plan, manifest.policy_text));
  TRY_VOID(inside->find_segments_max());
  const auto too_many = [&] {
    return size && *size / segment + (*size % segment != 0 ? 1 : 0) > inside->segments_max;
  };
  while (inside->plan.segment_bytes == 0 && too_many() && segment < kSegmentBytesMax) segment *= 2;
  if (too_many())
    return seal_fail(
        fmt::format("The object would have too many segments: its manifest has room for {} of {} bytes.",
                    inside->segments_max, segment),
        "Seal it in parts, or with fewer assertions.");
  manifest.segment_bytes = segment;
  inside->waiting.reserve(segment);
  inside->sealed.resize(segment + crypto::kAeadFrameBytes);
  TRY_VOID(inside->zip.begin_payload(!size || *size >= kLargeBytes));
  return Sealer(std::move(inside));
}

Result<void> Sealer::write(ByteView plain) {
  const size_t segment = inside_->manifest.segment_bytes;
  Bytes& waiting = inside_->waiting;
  while (!plain.empty()) {
    if (waiting.empty() && plain.size() >= segment) {
      TRY_VOID(inside_->seal_segment(plain.first(segment)));
      plain = plain.subspan(segment);
      continue;
    }
    const size_t taken = std::min(segment - waiting.size(), plain.size());
    waiting.insert(waiting.end(), plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(taken));
    plain = plain.subspan(taken);
    if (waiting.size() < segment) continue;
    TRY_VOID(inside_->seal_segment(waiting));
    waiting.clear();
  }
  return {};
}

Result<Manifest> Sealer::finish() {
  Manifest& manifest = inside_->manifest;
  if (!inside_->waiting.empty() || manifest.segments.count() == 0)
    TRY_VOID(inside_->seal_segment(inside_->waiting));
  TRY_VOID(inside_->zip.end_payload());
  manifest.root_signature = root_signature(inside_->key, manifest.segments, manifest.form);
  TRY_VOID(inside_->bind_assertions());
  TRY_VOID(check_readable(manifest));
  TRY_VOID(inside_->zip.finish([&](Sink& sink) { return write_manifest(manifest, sink); }));
  return std::move(manifest);
}

}  // namespace entente::data
