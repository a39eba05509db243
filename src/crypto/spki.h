// Private to this room: public keys as everybody writes them (SubjectPublicKeyInfo, RFC 5280
// section 4.1.2.7), read and written without OpenSSL's decoders, which look through every format they know:
// half a millisecond of CPU for a key in PEM, before anything of it is checked. Only the one canonical form
// of each kind is read here. "Another form" means no more than that: OpenSSL's decoder says then whether it
// is a key, as it always did.
#pragma once

#include "crypto/openssl.h"

#include <optional>

namespace entente::crypto {

struct PlainKey {
  KeyKind kind = KeyKind::p256;
  ByteView point{};    // of EC 04||x||y, not checked yet; of Ed25519 its 32 bytes
  ByteView modulus{};  // of RSA, big-endian and without a zero before them
  ByteView exponent{};
};
// Points into `der`. Nothing of it is checked but its form.
[[nodiscard]] std::optional<PlainKey> read_plain_spki(ByteView der);
// DER of a PUBLIC KEY alone (RFC 7468 section 13), lines of 64, nothing before or behind it.
[[nodiscard]] std::optional<Bytes> read_plain_pem(std::string_view pem);

// Any form OpenSSL reads.
[[nodiscard]] Result<PublicKey> decoded_spki(ByteView der);
[[nodiscard]] Result<PublicKey> decoded_pem(std::string_view pem);

// EC and Ed25519.
[[nodiscard]] Bytes write_spki(KeyKind kind, ByteView point);
[[nodiscard]] std::string write_public_pem(ByteView spki);

// Points are checked: coordinates in their field, on the curve. That is all of SP 800-56A section 5.6.2.3.3,
// since these curves' cofactor is one: each of their points but infinity, which has no 04 form, has the
// order.
[[nodiscard]] PKey plain_pkey(const PlainKey& key);  // nullptr: no such key
// For a point of a curve, without making a key: this thread's, lent until the next one is asked for.
// OpenSSL's providers notice that it is another point; an engine's key keeps what it saw of the first.
[[nodiscard]] EVP_PKEY* lent_pkey(KeyKind kind, ByteView point);  // nullptr: no such point

[[nodiscard]] PKey new_curve_pkey(KeyKind kind);  // P-256, P-384 or P-521

// Public point of a key of a curve, 04||x||y.
[[nodiscard]] Bytes plain_point(const EVP_PKEY* key);

}  // namespace entente::crypto
