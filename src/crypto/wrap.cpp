#include "crypto/wrap.h"

#include "crypto/openssl.h"
#include "crypto/spki.h"

#include <openssl/rsa.h>

namespace entente::crypto {
namespace {

bool is_curve(KeyKind kind) {
  return kind == KeyKind::p256 || kind == KeyKind::p384 || kind == KeyKind::p521;
}

Failure unwrap_fail() {
  return openssl_fail("crypto.unwrap", "The wrapped secret does not open with this key.");
}

PKeyContext context_of(EVP_PKEY* key) {
  return PKeyContext(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
}

bool use_oaep(EVP_PKEY_CTX* context, Oaep hash) {
  const EVP_MD* const md = hash == Oaep::sha1 ? EVP_sha1() : EVP_sha256();
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_oaep_md(context, md) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(context, md) == 1;
}

PKeyContext deriving_context(EVP_PKEY* mine) {
  PKeyContext out = context_of(mine);
  if (!out || EVP_PKEY_derive_init(out.get()) != 1) return nullptr;
  return out;
}

// Keys of ours were checked when they became values (key.h), so OpenSSL need not check the peer again.
Result<Secret> derive(EVP_PKEY_CTX* context, EVP_PKEY* theirs) {
  size_t length = 0;
  if (context == nullptr || EVP_PKEY_derive_set_peer_ex(context, theirs, 0) != 1 ||
      EVP_PKEY_derive(context, nullptr, &length) != 1)
    return unwrap_fail();
  Bytes shared(length);
  if (EVP_PKEY_derive(context, shared.data(), &length) != 1 || length != shared.size()) return unwrap_fail();
  return Secret(std::move(shared));
}

EVP_PKEY* peer_of(const PublicKey& theirs) {
  const ByteView point = theirs.inside().point;
  return point.empty() ? theirs.native() : lent_pkey(theirs.kind(), point);
}

}  // namespace

Result<Bytes> oaep_encrypt(const PublicKey& to, Oaep hash, ByteView secret) {
  const PKeyContext context = to.kind() == KeyKind::rsa ? context_of(to.native()) : nullptr;
  size_t length = 0;
  if (!context || EVP_PKEY_encrypt_init(context.get()) != 1 || !use_oaep(context.get(), hash) ||
      EVP_PKEY_encrypt(context.get(), nullptr, &length, secret.data(), secret.size()) != 1)
    return openssl_fail("crypto.wrap", "The key can't wrap a secret.",
                        "Use an RSA key of 2048 to 8192 bits.");
  Bytes out(length);
  if (EVP_PKEY_encrypt(context.get(), out.data(), &length, secret.data(), secret.size()) != 1)
    return openssl_fail("crypto.wrap", "The secret is too long for this key.");
  out.resize(length);
  return out;
}

Result<Secret> oaep_decrypt(const PrivateKey& key, Oaep hash, ByteView wrapped) {
  const PKeyContext context = key.kind() == KeyKind::rsa ? context_of(key.native()) : nullptr;
  size_t length = 0;
  if (!context || EVP_PKEY_decrypt_init(context.get()) != 1 || !use_oaep(context.get(), hash) ||
      EVP_PKEY_decrypt(context.get(), nullptr, &length, wrapped.data(), wrapped.size()) != 1)
    return unwrap_fail();
  // RFC 8017 section 7.1.2 step 1: exactly as long as the modulus.
  if (wrapped.size() != static_cast<size_t>(EVP_PKEY_get_size(key.native()))) return unwrap_fail();
  Bytes room(length);
  const bool good =
      EVP_PKEY_decrypt(context.get(), room.data(), &length, wrapped.data(), wrapped.size()) == 1;
  const Secret owner(std::move(room));  // cleanses whatever was written, also what a fault left behind
  if (!good) return unwrap_fail();
  return Secret(owner.bytes().first(length));
}

Result<Secret> agree(const PrivateKey& mine, const PublicKey& theirs) {
  if (!is_curve(mine.kind()) || mine.kind() != theirs.kind()) return unwrap_fail();
  const PublicKey::Inside& own = mine.inside();
  // A token's key: its engine keeps what it saw of the other one.
  if (EVP_PKEY_get0_provider(own.key()) == nullptr)
    return derive(deriving_context(own.key()).get(), theirs.native());
  PKeyContext context = own.deriving.take();
  if (!context) context = deriving_context(own.key());
  TRY(Secret shared, derive(context.get(), peer_of(theirs)));
  own.deriving.put(std::move(context));
  return shared;
}

Result<Agreed> agree_once(const PublicKey& theirs) {
  if (!is_curve(theirs.kind()))
    return openssl_fail("crypto.wrap", "The key can't agree on a secret.", "Use P-256, P-384 or P-521.");
  const PKey once = new_curve_pkey(theirs.kind());
  TRY(Secret shared, derive(deriving_context(once.get()).get(), peer_of(theirs)));
  return Agreed{std::move(shared), write_public_pem(write_spki(theirs.kind(), plain_point(once.get())))};
}

}  // namespace entente::crypto
