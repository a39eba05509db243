// Strict JOSE: compact JWS (RFC 7515), JWK sets (RFC 7517), JWT claims (RFC 7519, RFC 8725). One key has one
// algorithm; the token's own `alg` only has to agree. Keys named inside a token (jwk, jku, x5u, x5c) are
// never used. Errors: "jose.shape", "jose.header", "jose.alg", "jose.key", "jose.signature", "jose.keys",
// "jwt.<claim>".
#pragma once

#include "base/json.h"
#include "base/time.h"
#include "crypto/key.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace entente::crypto {

inline constexpr size_t kTokenBytesMax = 64 * 1024;
inline constexpr size_t kKeySetKeysMax = 64;
inline constexpr size_t kKeySetBytesMax = 256 * 1024;

// A key that may verify, with the one algorithm it may be used with.
struct VerifyKey {
  std::string kid = {};  // empty when it has none: then it must be the only key of its set
  SignatureAlg alg = SignatureAlg::ES256;
  PublicKey key;
};

// A JWK set whose kids are unique. Order does not matter.
class KeySet {
 public:
  KeySet() = default;
  [[nodiscard]] static Result<KeySet> from_keys(std::vector<VerifyKey> keys);
  // A public JWK, or a set ({"keys": [...]}). Keys that can't verify signatures (use "enc", unknown kty, crv
  // or alg) are passed over as RFC 7517 section 5 asks; weak, broken, private, symmetric or doubly named keys
  // refuse the whole set. `rsa_alg`: what an RSA key without `alg` is used with; PS256 where it is none of RSA's.
  [[nodiscard]] static Result<KeySet> from_json(const Json& jwks, SignatureAlg rsa_alg = SignatureAlg::PS256);
  [[nodiscard]] static Result<KeySet> parse(std::string_view text,
                                            SignatureAlg rsa_alg = SignatureAlg::PS256);
  [[nodiscard]] Json json() const;  // {"keys": [...]} with kid, alg, use
  [[nodiscard]] const VerifyKey* find(std::string_view kid) const;
  [[nodiscard]] const std::vector<VerifyKey>& keys() const { return keys_; }

 private:
  std::vector<VerifyKey> keys_;
};

struct JwsExpect {
  std::vector<SignatureAlg> algs = {};  // must name at least one
  std::string typ = {};                 // compared as RFC 7515 4.1.9 says; empty: not looked at
  bool kid_required = false;
  size_t bytes_max = kTokenBytesMax;
  bool operator==(const JwsExpect&) const = default;
};

struct Jws {
  std::shared_ptr<const Json> header;  // never null
  std::string kid = {};
  SignatureAlg alg = SignatureAlg::ES256;
  Bytes payload;
};

[[nodiscard]] Result<Jws> verify_jws(std::string_view token, const KeySet& keys, const JwsExpect& expect);

// The protected header is {"alg","typ","kid"} without the empty ones.
struct JwsMake {
  SignatureAlg alg = SignatureAlg::ES256;
  std::string typ = {};
  std::string kid = {};
};
[[nodiscard]] Result<std::string> sign_jws(const PrivateKey& key, const JwsMake& make, ByteView payload);
[[nodiscard]] Result<std::string> sign_jwt(const PrivateKey& key, const JwsMake& make, const Json& claims);

// The `kid` of a token that is not verified yet: good for looking for a key, for nothing else.
[[nodiscard]] std::optional<std::string> unverified_kid(std::string_view token);

// `at_hash` and `c_hash` (OpenID Connect Core 3.1.3.6): the left half of the digest that belongs to `alg`,
// base64url.
[[nodiscard]] std::string half_hash(SignatureAlg alg, std::string_view text);

struct JwtExpect {
  JwsExpect jws = {};
  std::string issuer = {};    // exact; must be given
  std::string audience = {};  // must be given; `aud` names nobody else
  Instant now = {};
  Seconds skew{60};
  std::optional<Seconds> age_max = {};       // since iat
  std::optional<Seconds> lifetime_max = {};  // exp - iat
  bool comes_again = false;  // with each request: what it says and that its signature holds is remembered
};

struct Jwt {
  struct Said {
    std::shared_ptr<const Json> header;
    Json claims;
  };
  std::shared_ptr<const Said> said;  // never null, and not copied where the same token comes again
  [[nodiscard]] const Json& header() const { return *said->header; }
  [[nodiscard]] const Json& claims() const { return said->claims; }

  std::string kid = {};
  SignatureAlg alg = SignatureAlg::ES256;
  std::optional<Instant> issued;
  Instant end = kNever;  // exp without skew
  Digest digest{};       // SHA-256 of its text, where it comes again
};

[[nodiscard]] Result<Jwt> verify_jwt(std::string_view token, const KeySet& keys, const JwtExpect& expect);

}  // namespace entente::crypto
