#include "data/open.h"

#include "crypto/aead.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace entente::data {
namespace {

// Of one share: which alternatives there are, and the best reason why none opened.
Result<crypto::Secret> open_any(const Manifest& manifest, const std::string& sid, const ShareOpener& opener) {
  Error reason("data.unwrap", "The object has no key share of that name.");
  bool told = false;
  for (const KeyAccess& access : manifest.key_access) {
    if (access.sid != sid) continue;
    auto share = opener(access);
    if (share && share->bytes().size() == kShareBytes && binds(access.binding, *share, manifest.policy_text))
      return share;
    // A binding that does not hold says more than a key that does not fit.
    if (share) {
      reason = Error("data.binding", "The object's policy is not the one that its key was bound to.", {},
                     "Refuse the object; find out who sent it.");
      told = true;
    } else if (!told) {
      reason = share.error();
    }
  }
  return Failure(reason);
}

size_t longest_segment(const Segments& segments) {
  size_t out = 0;
  for (size_t i = 0; i < segments.count(); ++i) out = std::max<size_t>(out, segments.plain_bytes(i));
  return out;
}

Result<void> check_size(const SealedObject& object) {
  const Segments& segments = object.manifest.segments;
  if (segments.sealed_at(segments.count()) == object.zip.payload.size) return {};
  return fail("data.segment", "The payload is not as long as its segments.", {},
              "Get the object again from its author.");
}

Failure segment_fail(size_t index) {
  return fail("data.segment", "A part of the object is damaged or was changed.",
              fmt::format("segment {}", index), "Get the object again from its author.");
}

}  // namespace

Result<SealedObject> read_object(const Source& source) {
  SealedObject out{&source, {}, {}};
  TRY(out.zip, read_zip(source));
  TRY(const std::string text, read_manifest_text(source, out.zip, kManifestBytesMax));
  TRY(out.manifest, read_manifest(text));
  return out;
}

ShareOpener with_keys(std::vector<crypto::PrivateKey> keys) {
  return [keys = std::move(keys)](const KeyAccess& access) -> Result<crypto::Secret> {
    for (const crypto::PrivateKey& key : keys) {
      const bool rsa = key.kind() == crypto::KeyKind::rsa;
      if (rsa != (access.type == WrapType::wrapped)) continue;
      if (auto share = unwrap_share(access, key)) return share;
    }
    return fail("data.unwrap", "None of the given keys opens the object.", access.url,
                "`entente inspect` says whose it takes, one for each share.");
  };
}

Result<crypto::Secret> collect_key(const Manifest& manifest, const ShareOpener& opener) {
  std::vector<std::string> sids;
  for (const KeyAccess& access : manifest.key_access)
    if (std::ranges::find(sids, access.sid) == sids.end()) sids.push_back(access.sid);
  std::vector<crypto::Secret> shares;
  for (const std::string& sid : sids) {
    auto share = open_any(manifest, sid, opener);
    if (!share && sids.size() > 1)
      share.error().what() +=
          fmt::format(" That is share {} of {}, and all are needed.", shares.size() + 1, sids.size());
    if (!share) return Failure(share.error());
    shares.push_back(*std::move(share));
  }
  return join_shares(shares);
}

Result<SegmentDigests> digests_of(const SealedObject& object, const Progress& progress) {
  TRY_VOID(check_size(object));
  const Segments& segments = object.manifest.segments;
  Bytes room(longest_segment(segments) + crypto::kAeadFrameBytes);
  SegmentDigests out;
  out.reserve(segments.count());
  for (size_t i = 0; i < segments.count(); ++i) {
    const std::span<uint8_t> sealed =
        std::span(room).first(segments.plain_bytes(i) + crypto::kAeadFrameBytes);
    TRY_VOID(object.source->read(object.zip.payload.data_at + segments.sealed_at(i), sealed));
    out.push_back(crypto::sha256(ByteView(sealed)));
    if (progress) progress(segments.plain_at(i + 1));
  }
  return out;
}

Result<OriginatorJudged> judge_originator(const SealedObject& object, const OpenExpect& expect,
                                          const Progress& progress) {
  OriginatorKeys known = expect.originators;
  known.insert(expect.known.begin(), expect.known.end());
  OriginatorJudged out;
  const auto claimed = claimed_originator(object.manifest);
  if (claimed && known.contains(*claimed)) {
    TRY(out.digests, digests_of(object, progress));
  }
  if (!expect.originators.empty())
    TRY_VOID(verify_originator(object.manifest, out.digests, expect.originators));
  TRY(out.seen, look_at_originator(object.manifest, out.digests, known));
  return out;
}

struct OpenObject::Inside {
  Inside(const SealedObject& object, crypto::Secret secret)
      : source(object.source),
        payload(object.zip.payload),
        segments(object.manifest.segments),
        key(std::move(secret)),
        aead(key.bytes()) {}

  // The verified plain text of one segment, in `room`; good until the next call. `into`: its digest.
  Result<ByteView> load(size_t index, SegmentDigests* into = nullptr) {
    const size_t plain = segments.plain_bytes(index);
    if (loaded == index && into == nullptr) return ByteView(room).subspan(crypto::kAeadNonceBytes, plain);
    loaded = kNone;
    room.resize(plain + crypto::kAeadFrameBytes);
    TRY_VOID(source->read(payload.data_at + segments.sealed_at(index), room));
    // The root signature covers the manifest's tag, and the cipher verifies the one in the payload.
    crypto::Digest digest{};
    if (into != nullptr || !judged.digests.empty()) digest = crypto::sha256(ByteView(room));
    if (!judged.digests.empty() && digest != judged.digests[index]) return segment_fail(index);
    if (!std::ranges::equal(ByteView(room).last(std::tuple_size_v<SegmentTag>), segments.tag(index)))
      return segment_fail(index);
    if (!aead.open(room, std::span(room).subspan(crypto::kAeadNonceBytes, plain))) return segment_fail(index);
    if (into != nullptr) into->push_back(digest);
    loaded = index;
    return ByteView(room).subspan(crypto::kAeadNonceBytes, plain);
  }

  static constexpr size_t kNone = SIZE_MAX;
  const Source* source;
  ZipEntry payload;
  Segments segments;
  crypto::Secret key;
  crypto::Aead aead;
  Bytes room;
  size_t loaded = kNone;
  std::vector<Verified> assertions;
  OriginatorJudged judged;
};

OpenObject::OpenObject(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
OpenObject::OpenObject(OpenObject&&) noexcept = default;
OpenObject::~OpenObject() {
  if (inside_ == nullptr) return;
  inside_->room.resize(inside_->room.capacity());  // a shorter segment leaves some of a longer one behind it
  const crypto::Secret rest(std::move(inside_->room));  // plain text leaves memory with it
}

Result<OpenObject> OpenObject::open(const SealedObject& object, crypto::Secret key, const OpenExpect& expect,
                                    const Progress& progress) {
  const Manifest& manifest = object.manifest;
  ENTENTE_CHECK(key.bytes().size() == kShareBytes);
  if (!crypto::equal_constant_time(root_signature(key, manifest.segments, manifest.form),
                                   manifest.root_signature))
    return fail("data.root-signature", "The object's parts are not the ones that were sealed.", {},
                "Refuse the object; find out who sent it.");
  TRY_VOID(check_size(object));
  auto inside = std::make_unique<Inside>(object, std::move(key));
  // Once for all segments: a room that grew would leave plain text where it was.
  inside->room.reserve(longest_segment(manifest.segments) + crypto::kAeadFrameBytes);
  TRY(inside->assertions, verify_assertions(manifest, inside->key, expect.pinned));
  TRY(inside->judged, judge_originator(object, expect, progress));
  return OpenObject(std::move(inside));
}

uint64_t OpenObject::size() const {
  return inside_->segments.plain_at(inside_->segments.count());
}
const std::vector<Verified>& OpenObject::assertions() const {
  return inside_->assertions;
}
const OriginatorSeen& OpenObject::signer() const {
  return inside_->judged.seen;
}

Result<SegmentDigests> OpenObject::digests(const Progress& progress) {
  SegmentDigests out;
  out.reserve(inside_->segments.count());
  for (size_t index = 0; index < inside_->segments.count(); ++index) {
    TRY_VOID(inside_->load(index, &out));
    if (progress) progress(inside_->segments.plain_at(index + 1));
  }
  return out;
}

Result<void> OpenObject::read(uint64_t at, std::span<uint8_t> out) {
  if (at > size() || out.size() > size() - at)
    return fail("data.segment", "The object is shorter than what was asked for.", {},
                fmt::format("It has {} bytes.", size()));
  const std::span<uint8_t> all = out;
  for (size_t index = inside_->segments.holding(at); !out.empty(); ++index) {
    const auto plain = inside_->load(index);
    if (!plain) {
      std::ranges::fill(all, uint8_t{0});
      return Failure(plain.error());
    }
    const ByteView wanted = plain->subspan(static_cast<size_t>(at - inside_->segments.plain_at(index)));
    const size_t taken = std::min(wanted.size(), out.size());
    if (taken > 0) std::memcpy(out.data(), wanted.data(), taken);
    out = out.subspan(taken);
    at += taken;
  }
  return {};
}

Result<void> OpenObject::copy_to(Sink& sink, const Progress& progress) {
  for (size_t index = 0; index < inside_->segments.count(); ++index) {
    TRY(const ByteView plain, inside_->load(index));
    TRY_VOID(sink.write(plain));
    if (progress) progress(inside_->segments.plain_at(index + 1));
  }
  return {};
}

}  // namespace entente::data
