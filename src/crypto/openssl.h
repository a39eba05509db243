// Private to this room: OpenSSL objects that free themselves, and what is inside the room's values.
#pragma once

#include "base/bytes.h"
#include "crypto/key.h"
#include "crypto/x509.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

namespace entente::crypto {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};

using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using BigNumber = std::unique_ptr<BIGNUM, Freed<BN_clear_free>>;
using PKey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using PKeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using MdContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;

// A context that is ready for one operation with one key, from one call to the next: to make it costs a tenth
// of that operation. Whoever takes it has it alone; who finds none makes one. After a fault it is not put
// back.
class KeptContext {
 public:
  KeptContext() = default;
  KeptContext(const KeptContext&) = delete;
  KeptContext& operator=(const KeptContext&) = delete;
  ~KeptContext() { take(); }
  PKeyContext take() { return PKeyContext(idle_.exchange(nullptr, std::memory_order_acq_rel)); }
  void put(PKeyContext context) {
    const PKeyContext spare(idle_.exchange(context.release(), std::memory_order_acq_rel));
  }

 private:
  std::atomic<EVP_PKEY_CTX*> idle_{nullptr};
};

struct PublicKey::Inside {
  Inside(PKey with, KeyKind of, Bytes at = {}) : kind(of), point(std::move(at)), made_(std::move(with)) {}
  KeyKind kind;
  Bytes point;  // of a curve 04||x||y, of Ed25519 its 32 bytes; may be empty: OpenSSL has it, at a price
  mutable KeptContext verifying{};  // ECDSA over a digest
  mutable KeptContext deriving{};   // ECDH

  mutable std::once_flag named{};
  mutable std::string thumbprint{};  // once it was asked for

  // OpenSSL's own. Of a point, which was checked, it is made when it is first needed: who only agrees on a
  // secret with it needs none, and to make it costs three times what the check does.
  [[nodiscard]] EVP_PKEY* key() const;

 private:
  mutable std::once_flag make_;
  mutable PKey made_;
};

struct Certificate::Inside {
  std::unique_ptr<X509, Freed<X509_free>> certificate;
  PublicKey key;
};

// OpenSSL keeps a queue of errors per thread, which TLS code elsewhere would misread: every call that fails
// empties it.
inline Failure openssl_fail(std::string code, std::string what, std::string hint = {}) {
  ERR_clear_error();
  return fail(std::move(code), std::move(what), {}, std::move(hint));
}

inline Bio read_bio(std::string_view text) {
  Bio bio(BIO_new_mem_buf(text.empty() ? "" : text.data(), static_cast<int>(text.size())));
  ENTENTE_CHECK(bio != nullptr);
  return bio;
}

inline std::string_view bio_text(BIO* bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(length)};
}

// What was read as `plain` (spki.h), without OpenSSL's decoder.
struct PlainKey;
[[nodiscard]] Result<PublicKey> adopt_plain(const PlainKey& plain);

// Takes `key` over and says which kind it is, or why it can't be used.
[[nodiscard]] Result<std::shared_ptr<const PublicKey::Inside>> adopt(PKey key);
[[nodiscard]] Result<PrivateKey> adopt_private(PKey key);

// What `use`, `key_ops` and `alg` of a JWK (RFC 7517 section 4) say about `operation` ("sign" or "verify").
enum class JwkUse { allowed, other };  // other: a key for encryption or for an algorithm we do not know
[[nodiscard]] Result<JwkUse> jwk_use(const Json& jwk, std::string_view operation);

}  // namespace entente::crypto
