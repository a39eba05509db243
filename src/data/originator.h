// The originator's own signature over an object: its payload, its policy, its assertions. What is bound with
// the object's key could be any reader's, and so could a payload that fits the same tags: whoever has the key
// can make one. This only the originating nation could make, and it is over the sealed bytes themselves.
// It travels as an assertion like the others, so that other software opens the object as well. Errors:
// "data.originator".
#pragma once

#include "data/assertion.h"

namespace entente::data {

inline constexpr std::string_view kOriginatorAssertionId = "entente-originator";

// SHA-256 of each sealed segment as it lies there, nonce, ciphertext and tag: so that one that is read can be
// held against what was signed without the others.
using SegmentDigests = std::vector<crypto::Digest>;

struct OriginatorKey {
  std::string originator = {};  // who says it: "XAA"
  crypto::PrivateKey key;       // P-256: ES256
};
// Whether such a key, under such a name, can sign.
[[nodiscard]] Result<void> check_originator_key(const OriginatorKey& by);
// `manifest` is complete but for this assertion: it covers the payload of these digests, the policy, the
// media type and every assertion there. Key access objects are not covered, so that shares can be wrapped
// anew for others by who holds them.
[[nodiscard]] Result<Json> originator_assertion(const Manifest& manifest, const SegmentDigests& digests,
                                                const crypto::Secret& key, const OriginatorKey& by);

// By originator: whose keys speak for whom, any one of them.
using OriginatorKeys = std::multimap<std::string, crypto::PublicKey, std::less<>>;
// Who signed, as it stands in the object; nothing when there is no such assertion. Says nothing about truth.
[[nodiscard]] std::optional<std::string> claimed_originator(const Manifest& manifest);

// Who signed an object, and whether that is so: by a key that is known of them, over exactly what is there.
struct OriginatorSeen {
  std::string said = {};  // as it stands there; empty: nobody
  bool verified = false;
};
// An object that nobody signed, or somebody of whom no key is known, is told as such: whoever holds its key
// can make one of it. Refused is one that says a known originator's name and does not bear their signature
// over what is there; no two assertions may have one id. `digests` are looked at only where a key of whom it
// names is known.
[[nodiscard]] Result<OriginatorSeen> look_at_originator(const Manifest& manifest,
                                                        const SegmentDigests& digests,
                                                        const OriginatorKeys& known);
// Who it is from. Refused is also what nobody of these signed.
[[nodiscard]] Result<std::string> verify_originator(const Manifest& manifest, const SegmentDigests& digests,
                                                    const OriginatorKeys& keys);

}  // namespace entente::data
