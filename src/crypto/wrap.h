// Secrets carried under public keys: RSA-OAEP (RFC 8017 section 7.1) and ECDH over the NIST curves (SP
// 800-56A). Errors: "crypto.wrap" (the key can't do this), "crypto.unwrap": the same words for every fault of
// a private operation, so that nobody learns from them what was wrong inside.
#pragma once

#include "crypto/key.h"

namespace entente::crypto {

enum class Oaep {
  sha1,
  sha256
};  // the hash of OAEP and of its MGF1; SHA-1 is sound here and what others use

[[nodiscard]] Result<Bytes> oaep_encrypt(const PublicKey& to, Oaep hash, ByteView secret);
[[nodiscard]] Result<Secret> oaep_decrypt(const PrivateKey& key, Oaep hash, ByteView wrapped);

// The x coordinate of the shared point, as long as the curve's field. Both keys are of one curve.
[[nodiscard]] Result<Secret> agree(const PrivateKey& mine, const PublicKey& theirs);

// The sender's half with a key made for this once.
struct Agreed {
  Secret shared;
  std::string ephemeral;  // its public key, PEM SubjectPublicKeyInfo
};
[[nodiscard]] Result<Agreed> agree_once(const PublicKey& theirs);

}  // namespace entente::crypto
