// What a commit signs: which keys it wrote, by digest, chained to the commit before. Canonical JSON (RFC
// 8785):
// {"at","author","leaves":[sha256],"ops":[{"key","sha256"} |
// {"deleted":true,"key"}],"prev":sha256,"rev","v":1} with digests as base64url. The signature covers
// "entente.store/manifest/v1\n" and these bytes. Errors: "store.manifest".
#pragma once

#include "base/bytes.h"
#include "base/ids.h"
#include "base/time.h"
#include "crypto/digest.h"

#include <optional>
#include <string>
#include <vector>

namespace entente::store {

struct ManifestOp {
  std::string key{};
  std::optional<crypto::Digest> value{};  // absent: deleted
  bool operator==(const ManifestOp&) const = default;
};

struct Manifest {
  Revision rev{};
  crypto::Digest previous{};  // of the manifest of rev - 1; zero for revision 1
  Instant at{};
  std::string author{};
  std::vector<ManifestOp> ops{};
  std::vector<crypto::Digest> leaves{};
  bool operator==(const Manifest&) const = default;

  [[nodiscard]] std::string encode() const;
  [[nodiscard]] static Result<Manifest> parse(std::string_view text);  // refuses all but the canonical text
};

struct ManifestMark {
  Revision rev{};
  crypto::Digest digest{};  // SHA-256 of the manifest's text
  bool operator==(const ManifestMark&) const = default;
};

[[nodiscard]] Bytes manifest_message(std::string_view manifest);  // the bytes to sign

}  // namespace entente::store
