#include "crypto/key.h"

#include "crypto/openssl.h"
#include "crypto/spki.h"

#include <algorithm>
#include <array>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>

namespace entente::crypto {
namespace {

constexpr int kRsaBitsMin = 2048;
constexpr int kRsaBitsMax = 8192;  // beyond it one verification costs an attacker nothing and us a lot

struct AlgRow {
  SignatureAlg alg;
  std::string_view name;
  const char* md;  // nullptr: the key brings its own
  enum { ecdsa, pss, pkcs1, eddsa } scheme;
  std::optional<KeyKind> only;
};
constexpr std::array<AlgRow, 10> kAlgs{{
    {SignatureAlg::ES256, "ES256", "SHA256", AlgRow::ecdsa, KeyKind::p256},
    {SignatureAlg::ES384, "ES384", "SHA384", AlgRow::ecdsa, KeyKind::p384},
    {SignatureAlg::ES512, "ES512", "SHA512", AlgRow::ecdsa, KeyKind::p521},
    {SignatureAlg::PS256, "PS256", "SHA256", AlgRow::pss, KeyKind::rsa},
    {SignatureAlg::PS384, "PS384", "SHA384", AlgRow::pss, KeyKind::rsa},
    {SignatureAlg::PS512, "PS512", "SHA512", AlgRow::pss, KeyKind::rsa},
    {SignatureAlg::RS256, "RS256", "SHA256", AlgRow::pkcs1, KeyKind::rsa},
    {SignatureAlg::RS384, "RS384", "SHA384", AlgRow::pkcs1, KeyKind::rsa},
    {SignatureAlg::RS512, "RS512", "SHA512", AlgRow::pkcs1, KeyKind::rsa},
    {SignatureAlg::EdDSA, "EdDSA", nullptr, AlgRow::eddsa, KeyKind::ed25519},
}};

const AlgRow& row(SignatureAlg alg) {
  return kAlgs[static_cast<size_t>(alg)];
}

size_t coordinate_length(KeyKind kind) {
  switch (kind) {
    case KeyKind::p256:
      return 32;
    case KeyKind::p384:
      return 48;
    default:
      return 66;
  }
}

// The moduli of a broken smart card library: n is a power of 65537 modulo every one of these
// (CVE-2017-15361).
bool is_roca(const BIGNUM* n) {
  constexpr std::array<unsigned, 17> kPrimes{11, 13, 17,  19,  37,  53,  61,  71, 73,
                                             79, 97, 103, 107, 109, 127, 151, 157};
  for (const unsigned prime : kPrimes) {
    const BN_ULONG rest = BN_mod_word(n, prime);
    bool is_power = false;
    unsigned power = 1;
    do {
      is_power = is_power || power == rest;
      power = power * (65537 % prime) % prime;
    } while (power != 1);
    if (!is_power) return false;
  }
  return true;
}

BigNumber number_of(const EVP_PKEY* key, const char* name) {
  BIGNUM* out = nullptr;
  EVP_PKEY_get_bn_param(key, name, &out);
  return BigNumber(out);
}

Result<void> check_rsa(EVP_PKEY* key) {
  const int bits = EVP_PKEY_get_bits(key);
  if (bits < kRsaBitsMin || bits > kRsaBitsMax)
    return openssl_fail("crypto.key_weak", "The RSA key has " + std::to_string(bits) + " bits.",
                        "Use 2048 to 8192 bits, or P-256.");
  const BigNumber e = number_of(key, OSSL_PKEY_PARAM_RSA_E);
  const BigNumber n = number_of(key, OSSL_PKEY_PARAM_RSA_N);
  if (!e || !n) return openssl_fail("crypto.key", "The RSA key has no modulus or exponent.");
  if (!BN_is_odd(e.get()) || BN_get_word(e.get()) < 65537 || BN_num_bits(e.get()) > 32)
    return openssl_fail("crypto.key_weak", "The RSA key's public exponent is not safe.", "Use 65537.");
  if (!BN_is_odd(n.get()) || is_roca(n.get()))
    return openssl_fail("crypto.key_weak", "The RSA key's modulus can be factored.",
                        "Make a new key pair elsewhere.");
  return {};
}

Result<KeyKind> check_ec(EVP_PKEY* key) {
  std::array<char, 32> group{};
  int is_explicit = 0;
  EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &is_explicit);
  if (is_explicit != 0 || EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group.data(),
                                                         group.size(), nullptr) != 1)
    return openssl_fail("crypto.key", "The EC key does not name its curve.", "Use P-256, P-384 or P-521.");
  const PKeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  if (!context || EVP_PKEY_public_check(context.get()) != 1)
    return openssl_fail("crypto.key", "The EC key's point is not on its curve.");
  const std::string_view curve(group.data());
  if (curve == "prime256v1") return KeyKind::p256;
  if (curve == "secp384r1") return KeyKind::p384;
  if (curve == "secp521r1") return KeyKind::p521;
  return openssl_fail("crypto.key", "The EC key's curve is not one we use.", "Use P-256, P-384 or P-521.");
}

Result<KeyKind> kind_of(EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC:
      return check_ec(key);
    case EVP_PKEY_ED25519:
      return KeyKind::ed25519;
    case EVP_PKEY_RSA: {
      TRY_VOID(check_rsa(key));
      return KeyKind::rsa;
    }
    default:
      return openssl_fail("crypto.key", "The key is of a kind we do not use.",
                          "Use EC P-256/384/521, Ed25519 or RSA.");
  }
}

// r||s, each as long as the curve's order (RFC 7518 section 3.4), from and to OpenSSL's DER.
using EcdsaPair = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

Bytes joined_from_der(ByteView der, size_t length) {
  const uint8_t* at = der.data();
  const EcdsaPair pair(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  ENTENTE_CHECK(pair != nullptr);
  Bytes out(2 * length);
  ENTENTE_CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), out.data(), static_cast<int>(length)) >= 0);
  ENTENTE_CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), out.data() + length, static_cast<int>(length)) >=
                0);
  return out;
}

// SEQUENCE of two INTEGERs, in as few octets as they need.
Bytes der_from_joined(ByteView joined, size_t length) {
  Bytes numbers;
  numbers.reserve(2 * length + 6);
  for (ByteView number : {joined.first(length), joined.subspan(length)}) {
    while (number.size() > 1 && number.front() == 0) number = number.subspan(1);
    const bool sign = number.front() >= 0x80;
    numbers.push_back(0x02);
    numbers.push_back(static_cast<uint8_t>(number.size() + (sign ? 1 : 0)));
    if (sign) numbers.push_back(0);
    numbers.insert(numbers.end(), number.begin(), number.end());
  }
  Bytes out{0x30};
  out.reserve(numbers.size() + 3);
  if (numbers.size() >= 0x80) out.push_back(0x81);
  out.push_back(static_cast<uint8_t>(numbers.size()));
  out.insert(out.end(), numbers.begin(), numbers.end());
  return out;
}

// The algorithm's own digest: each of these goes with one curve.
bool verify_ecdsa(const PublicKey::Inside& key, ByteView message, ByteView joined) {
  const size_t length = coordinate_length(key.kind);
  if (joined.size() != 2 * length) return false;
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned size = sizeof(Digest);
  if (key.kind == KeyKind::p256) {
    std::ranges::copy(sha256(message), digest.begin());
  } else {
    const EVP_MD* const md = key.kind == KeyKind::p384 ? EVP_sha384() : EVP_sha512();
    ENTENTE_CHECK(EVP_Digest(message.data(), message.size(), digest.data(), &size, md, nullptr) == 1);
  }
  PKeyContext context = key.verifying.take();
  if (!context) {
    context.reset(EVP_PKEY_CTX_new_from_pkey(nullptr, key.key(), nullptr));
    if (!context || EVP_PKEY_verify_init(context.get()) != 1) return false;
  }
  const Bytes der = der_from_joined(joined, length);
  if (EVP_PKEY_verify(context.get(), der.data(), der.size(), digest.data(), size) != 1) return false;
  key.verifying.put(std::move(context));
  return true;
}

bool pad(const AlgRow& alg, EVP_PKEY_CTX* context) {
  if (alg.scheme == AlgRow::pkcs1) return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
  if (alg.scheme != AlgRow::pss) return true;
  // RFC 7518 section 3.5: the salt is as long as the digest, and MGF1 uses the same digest.
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

}  // namespace

std::string_view name(SignatureAlg alg) {
  return row(alg).name;
}

Result<SignatureAlg> signature_alg(std::string_view text) {
  for (const AlgRow& alg : kAlgs)
    if (alg.name == text) return alg.alg;
  return fail("crypto.alg", "The signature algorithm is not one we use.", {},
              "Use ES256, ES384, ES512, EdDSA, PS256, PS384, PS512, RS256, RS384 or RS512.");
}

bool fits(SignatureAlg alg, KeyKind kind) {
  return row(alg).only == kind;
}

SignatureAlg default_alg(KeyKind kind) {
  switch (kind) {
    case KeyKind::p256:
      return SignatureAlg::ES256;
    case KeyKind::p384:
      return SignatureAlg::ES384;
    case KeyKind::p521:
      return SignatureAlg::ES512;
    case KeyKind::ed25519:
      return SignatureAlg::EdDSA;
    case KeyKind::rsa:
      return SignatureAlg::PS256;
  }
  ENTENTE_CHECK(false);
  return SignatureAlg::ES256;
}

Result<std::shared_ptr<const PublicKey::Inside>> adopt(PKey key) {
  TRY(const KeyKind kind, kind_of(key.get()));
  return std::make_shared<const PublicKey::Inside>(std::move(key), kind);
}

Result<PublicKey> adopt_plain(const PlainKey& plain) {
  const bool curve = plain.kind != KeyKind::rsa && plain.kind != KeyKind::ed25519;
  PKey key = curve ? nullptr : plain_pkey(plain);
  if (curve && lent_pkey(plain.kind, plain.point) == nullptr)
    return openssl_fail("crypto.key", "The key's point is not on its curve.");
  if (!curve && !key) return openssl_fail("crypto.key", "This is no key.");
  if (plain.kind == KeyKind::rsa) TRY_VOID(check_rsa(key.get()));
  return PublicKey(std::make_shared<const PublicKey::Inside>(std::move(key), plain.kind,
                                                             Bytes(plain.point.begin(), plain.point.end())));
}

EVP_PKEY* PublicKey::Inside::key() const {
  std::call_once(make_, [&] {
    if (!made_) made_ = plain_pkey({kind, point, {}, {}});
  });
  ENTENTE_CHECK(made_ != nullptr);
  return made_.get();
}

Result<PrivateKey> adopt_private(PKey key) {
  TRY(auto inside, adopt(std::move(key)));
  const PKeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, inside->key(), nullptr));
  if (!context || EVP_PKEY_pairwise_check(context.get()) != 1)
    return openssl_fail("crypto.key", "The key's private and public parts do not belong together.");
  TRY(PublicKey public_key, PublicKey::from_spki(PublicKey(inside).spki()));
  return PrivateKey(std::move(inside), std::move(public_key));
}

KeyKind PublicKey::kind() const {
  return inside_->kind;
}
evp_pkey_st* PublicKey::native() const {
  return inside_->key();
}
evp_pkey_st* PrivateKey::native() const {
  return inside_->key();
}

bool PublicKey::operator==(const PublicKey& other) const {
  return EVP_PKEY_eq(native(), other.native()) == 1;
}

bool PublicKey::verify(SignatureAlg alg, ByteView message, ByteView signature) const {
  const AlgRow& how = row(alg);
  if (how.only != kind()) return false;
  if (how.scheme == AlgRow::ecdsa) {
    const bool good = verify_ecdsa(*inside_, message, signature);
    if (!good) ERR_clear_error();
    return good;
  }
  const MdContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* inner = nullptr;
  const bool good =
      context &&
      EVP_DigestVerifyInit_ex(context.get(), &inner, how.md, nullptr, nullptr, native(), nullptr) == 1 &&
      pad(how, inner) &&
      EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) ==
          1;
  if (!good) ERR_clear_error();
  return good;
}

PrivateKey PrivateKey::generate(KeyKind kind, int rsa_bits) {
  EVP_PKEY* key = nullptr;
  switch (kind) {
    case KeyKind::p256:
      key = EVP_EC_gen("P-256");
      break;
    case KeyKind::p384:
      key = EVP_EC_gen("P-384");
      break;
    case KeyKind::p521:
      key = EVP_EC_gen("P-521");
      break;
    case KeyKind::ed25519:
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
      break;
    case KeyKind::rsa:
      key = EVP_RSA_gen(static_cast<unsigned>(rsa_bits));
      break;
  }
  ENTENTE_CHECK(key != nullptr);
  auto made = adopt_private(PKey(key));
  ENTENTE_CHECK(made.has_value());
  return *std::move(made);
}

Result<Bytes> PrivateKey::sign(SignatureAlg alg, ByteView message) const {
  const AlgRow& how = row(alg);
  if (how.only != kind())
    return fail("crypto.key_use", "The key can't sign with " + std::string(how.name) + ".", {},
                "Use " + std::string(name(default_alg(kind()))) + " with this key.");
  const MdContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* inner = nullptr;
  size_t length = 0;
  if (!context ||
      EVP_DigestSignInit_ex(context.get(), &inner, how.md, nullptr, nullptr, native(), nullptr) != 1 ||
      !pad(how, inner) ||
      EVP_DigestSign(context.get(), nullptr, &length, message.data(), message.size()) != 1)
    return openssl_fail("crypto.sign", "The key could not be used for signing.");
  Bytes out(length);
  if (EVP_DigestSign(context.get(), out.data(), &length, message.data(), message.size()) != 1)
    return openssl_fail("crypto.sign", "Signing failed.");
  out.resize(length);
  return how.scheme == AlgRow::ecdsa ? joined_from_der(out, coordinate_length(kind())) : out;
}

}  // namespace entente::crypto
