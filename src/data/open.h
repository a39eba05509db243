// Reads sealed objects. Nothing of the plain text leaves before it is verified: the policy's binding and the
// root signature before the first byte, each segment before a byte of it. Errors: "data.zip",
// "data.manifest", "data.unwrap", "data.binding", "data.root-signature", "data.segment", "data.assertion",
// "data.originator".
#pragma once

#include "data/data_policy.h"
#include "data/originator.h"
#include "data/zip.h"

#include <functional>

namespace entente::data {

// An object as it lies there, its shape checked and nothing verified. `source` must outlive it.
struct SealedObject {
  const Source* source = nullptr;
  ObjectZip zip;
  Manifest manifest;
};
[[nodiscard]] Result<SealedObject> read_object(const Source& source);

// How one share is come by: from a private key, from a key service. The binding is checked by collect_key.
using ShareOpener = std::function<Result<crypto::Secret>(const KeyAccess&)>;
[[nodiscard]] ShareOpener with_keys(std::vector<crypto::PrivateKey> keys);
// The object's key: of each share the first alternative that opens and whose binding holds.
[[nodiscard]] Result<crypto::Secret> collect_key(const Manifest& manifest, const ShareOpener& opener);

struct OpenExpect {
  PinnedKeys pinned = {};
  // When there are any, the object must be signed by one of these originators.
  OriginatorKeys originators = {};
  OriginatorKeys known = {};  // it need not be, and if it says so it is told whether that is true
};
// Called between segments, with plain bytes done so far.
using Progress = std::function<void(uint64_t done)>;

// Reads all of the payload, without its key and without telling whether it is what was sealed.
[[nodiscard]] Result<SegmentDigests> digests_of(const SealedObject& object, const Progress& progress = {});
// Who signed an object, as `expect` says whose keys are known and whose must have; and the digests, if it
// took them to tell.
struct OriginatorJudged {
  OriginatorSeen seen;
  SegmentDigests digests;
};
[[nodiscard]] Result<OriginatorJudged> judge_originator(const SealedObject& object, const OpenExpect& expect,
                                                        const Progress& progress = {});

// An object whose key is at hand and whose root signature, assertions and sizes hold. One thread at a time.
class OpenObject {
 public:
  // Where a signature has to be judged, all of the payload is read for that, which `progress` tells; and each
  // segment that is read afterwards must be the one that was signed.
  [[nodiscard]] static Result<OpenObject> open(const SealedObject& object, crypto::Secret key,
                                               const OpenExpect& expect = {}, const Progress& progress = {});
  OpenObject(OpenObject&&) noexcept;
  ~OpenObject();

  [[nodiscard]] uint64_t size() const;  // of the plain text
  // Verified, with who vouches for each; the originator's is among them.
  [[nodiscard]] const std::vector<Verified>& assertions() const;
  [[nodiscard]] const OriginatorSeen& signer() const;

  // What each segment is as it lies there, once all of them verify.
  [[nodiscard]] Result<SegmentDigests> digests(const Progress& progress = {});
  // Fills `out` from that place, within size(). Where a segment does not verify, nothing of it is in `out`,
  // and the rest of `out` is zero.
  [[nodiscard]] Result<void> read(uint64_t at, std::span<uint8_t> out);
  [[nodiscard]] Result<void> copy_to(Sink& sink, const Progress& progress = {});

 private:
  struct Inside;
  explicit OpenObject(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

}  // namespace entente::data
