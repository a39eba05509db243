// Signing keys as immutable values: cheap to copy, safe to share between threads. Weak or odd keys never
// become a value: RSA below 2048 or above 8192 bits, e even or below 65537, ROCA moduli (CVE-2017-15361),
// points off their curve. Errors: "crypto.key" (text or parameters), "crypto.key_weak", "crypto.key_use"
// (use, alg or key_ops forbid it).
#pragma once

#include "base/bytes.h"
#include "base/json.h"
#include "crypto/digest.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct evp_pkey_st;  // OpenSSL's EVP_PKEY, for `net`

namespace entente::crypto {

// RFC 7518 section 3.1, RFC 8037. There is no `none` and no HMAC here.
enum class SignatureAlg { ES256, ES384, ES512, PS256, PS384, PS512, RS256, RS384, RS512, EdDSA };
enum class KeyKind { p256, p384, p521, ed25519, rsa };

[[nodiscard]] std::string_view name(SignatureAlg alg);
[[nodiscard]] Result<SignatureAlg> signature_alg(std::string_view name);  // exact case; "crypto.alg"
[[nodiscard]] bool fits(SignatureAlg alg, KeyKind kind);
[[nodiscard]] SignatureAlg default_alg(KeyKind kind);  // ES256, ES384, ES512, EdDSA; PS256 for RSA

class PublicKey {
 public:
  [[nodiscard]] static Result<PublicKey> from_spki(ByteView der);
  [[nodiscard]] static Result<PublicKey> from_pem(std::string_view pem);
  // The key of a public JWK (RFC 7517); one with private members is refused. For `kid` and `alg` see jose.h.
  [[nodiscard]] static Result<PublicKey> from_jwk(const Json& jwk);

  [[nodiscard]] KeyKind kind() const;
  [[nodiscard]] Bytes spki() const;  // DER SubjectPublicKeyInfo
  [[nodiscard]] std::string pem() const;
  [[nodiscard]] Json jwk() const;                // the members RFC 7638 hashes, nothing else
  [[nodiscard]] std::string thumbprint() const;  // RFC 7638, SHA-256, base64url
  // False for any fault: wrong length, wrong key kind, no match. ECDSA signatures are r||s (RFC 7518 3.4).
  [[nodiscard]] bool verify(SignatureAlg alg, ByteView message, ByteView signature) const;
  bool operator==(const PublicKey& other) const;

  [[nodiscard]] evp_pkey_st* native() const;  // borrowed
  struct Inside;                              // for this room only, like the next two
  [[nodiscard]] const Inside& inside() const { return *inside_; }
  explicit PublicKey(std::shared_ptr<const Inside> inside) : inside_(std::move(inside)) {}

 private:
  std::shared_ptr<const Inside> inside_;
};

class PrivateKey {
 public:
  [[nodiscard]] static PrivateKey generate(KeyKind kind, int rsa_bits = 3072);
  [[nodiscard]] static Result<PrivateKey> from_pem(
      std::string_view pem);  // PKCS#8 or traditional, not encrypted
  [[nodiscard]] static Result<PrivateKey> from_jwk(const Json& jwk);

  [[nodiscard]] KeyKind kind() const { return public_.kind(); }
  [[nodiscard]] const PublicKey& public_key() const { return public_; }
  [[nodiscard]] Secret pem() const;  // PKCS#8
  // "crypto.key_use" when `alg` does not fit the key.
  [[nodiscard]] Result<Bytes> sign(SignatureAlg alg, ByteView message) const;

  [[nodiscard]] evp_pkey_st* native() const;                                  // borrowed
  [[nodiscard]] const PublicKey::Inside& inside() const { return *inside_; }  // for this room only
  PrivateKey(std::shared_ptr<const PublicKey::Inside> inside, PublicKey public_key)
      : inside_(std::move(inside)), public_(std::move(public_key)) {}

 private:
  std::shared_ptr<const PublicKey::Inside> inside_;
  PublicKey public_;  // its own object: whoever is given it holds no secret
};

// Written to a temporary file of mode 0600 beside `path`, synced, renamed. Errors: "crypto.key_file".
[[nodiscard]] Result<void> save_private_key(const std::string& path, const PrivateKey& key);
// The same for a key that nobody may lose: only where no file is, and none is left when it fails.
[[nodiscard]] Result<void> create_private_key(const std::string& path, const PrivateKey& key);
// Refuses a file that group or others may read or write.
[[nodiscard]] Result<PrivateKey> load_private_key(const std::string& path);

}  // namespace entente::crypto
