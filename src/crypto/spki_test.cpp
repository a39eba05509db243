#include "crypto/spki.h"

#include <algorithm>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace entente;
using namespace entente::crypto;

namespace {

constexpr std::array kCurveKinds{KeyKind::p256, KeyKind::p384, KeyKind::p521};

const PublicKey& rsa() {
  static const PublicKey made = PrivateKey::generate(KeyKind::rsa, 2048).public_key();
  return made;
}
PublicKey key_of(KeyKind kind) {
  return kind == KeyKind::rsa ? rsa() : PrivateKey::generate(kind).public_key();
}

Bytes with(Bytes der, size_t at, uint8_t octet) {
  der.at(at) = octet;
  return der;
}
Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const Bytes& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}
Bytes wrapped(uint8_t tag, const Bytes& inside) {
  const auto low = static_cast<uint8_t>(inside.size());
  const auto high = static_cast<uint8_t>(inside.size() >> 8);
  if (inside.size() < 0x80) return joined({{tag, low}, inside});
  if (inside.size() < 0x100) return joined({{tag, 0x81, low}, inside});
  return joined({{tag, 0x82, high, low}, inside});
}
Bytes rsa_spki(const Bytes& modulus, const Bytes& exponent) {
  const Bytes algorithm = *from_hex("300d06092a864886f70d0101010500");
  const Bytes numbers = wrapped(0x30, joined({wrapped(0x02, modulus), wrapped(0x02, exponent)}));
  return wrapped(0x30, joined({algorithm, wrapped(0x03, joined({{0}, numbers}))}));
}
// A key of OpenSSL's own making, of a kind or in a form that is rarely seen.
Bytes made_by_openssl(PKey key) {
  REQUIRE(key);
  uint8_t* der = nullptr;
  const int size = i2d_PUBKEY(key.get(), &der);
  REQUIRE(size > 0);
  Bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}
PKey curve_key(const char* curve, const char* parameter, const char* value) {
  PKey key(EVP_EC_gen(curve));
  REQUIRE(EVP_PKEY_set_utf8_string_param(key.get(), parameter, value) == 1);
  return key;
}

std::string refused(const Bytes& der) {
  const auto key = PublicKey::from_spki(der);
  const auto theirs = decoded_spki(der);
  CHECK(key.has_value() == theirs.has_value());
  const auto pem = PublicKey::from_pem(write_public_pem(der));
  CHECK(pem.has_value() == key.has_value());
  return key ? "accepted" : key.error().code();
}

}  // namespace

TEST_CASE("keys as everybody writes them are read without OpenSSL's decoder, and are the same keys") {
  for (const KeyKind kind : {KeyKind::p256, KeyKind::p384, KeyKind::p521, KeyKind::ed25519, KeyKind::rsa}) {
    const PublicKey key = key_of(kind);
    CHECK(read_plain_spki(key.spki()).value().kind == kind);
    CHECK(*PublicKey::from_spki(key.spki()) == *decoded_spki(key.spki()));
    CHECK(PublicKey::from_spki(key.spki())->spki() == decoded_spki(key.spki())->spki());
    CHECK(PublicKey::from_pem(key.pem())->pem() == decoded_pem(key.pem())->pem());
    CHECK(PublicKey::from_pem(key.pem())->thumbprint() == decoded_pem(key.pem())->thumbprint());
  }
}

TEST_CASE("a key with a byte more, a byte less or a length of another form is none") {
  for (const KeyKind kind : {KeyKind::p256, KeyKind::p384, KeyKind::p521, KeyKind::ed25519, KeyKind::rsa}) {
    const Bytes good = key_of(kind).spki();
    CHECK(refused(joined({good, {0}})) == "crypto.key");
    CHECK(refused(Bytes(good.begin(), good.end() - 1)) == "crypto.key");
    CHECK(refused(Bytes(good.begin() + 1, good.end())) == "crypto.key");
    CHECK(refused(with(good, 0, 0x31)) == "crypto.key");
    for (size_t length = 0; length < good.size(); length += 7)
      CHECK(refused(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length))) == "crypto.key");
  }
}

TEST_CASE("a point that is not on its curve is no key") {
  for (const KeyKind kind : kCurveKinds) {
    const Bytes good = key_of(kind).spki();
    const size_t coordinate = kind == KeyKind::p256 ? 32 : kind == KeyKind::p384 ? 48 : 66;
    const auto x = good.end() - static_cast<std::ptrdiff_t>(2 * coordinate);
    CHECK(refused(with(good, good.size() - 1, good.back() ^ 1)) == "crypto.key");
    Bytes zero = good;
    std::fill(zero.end() - static_cast<std::ptrdiff_t>(2 * coordinate), zero.end(), 0);
    CHECK(refused(zero) == "crypto.key");
    Bytes beyond = good;  // no member of the field
    std::fill(beyond.end() - static_cast<std::ptrdiff_t>(2 * coordinate), beyond.end(), 0xff);
    CHECK(refused(beyond) == "crypto.key");
    const Bytes before(good.begin(), x - 1);
    CHECK(refused(joined({before, {0}})) == "crypto.key");  // infinity, in a length that does not fit
    const auto begin = good.begin() + (good[1] > 0x80 ? 3 : 2);
    const Bytes algorithm(begin, begin + 2 + begin[1]);  // and in one that does
    CHECK(refused(wrapped(0x30, joined({algorithm, wrapped(0x03, {0, 0})}))) == "crypto.key");
  }
  // x = 5 has a point of P-256; x + p is its name twice.
  const Bytes twice = *from_hex(
      "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
      "ffffffff00000001000000000000000000000001000000000000000000000004"
      "459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc");
  CHECK(refused(twice) == "crypto.key");
}

TEST_CASE("curves by their parameters and curves nobody uses here are refused") {
  CHECK(refused(made_by_openssl(curve_key("P-256", "encoding", "explicit"))) == "crypto.key");
  for (const char* const curve : {"secp256k1", "brainpoolP256r1", "secp224r1"})
    CHECK(refused(made_by_openssl(curve_key(curve, "encoding", "named_curve"))) == "crypto.key");
  CHECK(refused(made_by_openssl(PKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519")))) == "crypto.key");
  CHECK(refused(made_by_openssl(PKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED448")))) == "crypto.key");
}

TEST_CASE("points in fewer bytes stay keys, by OpenSSL's decoder") {
  for (const char* const form : {"compressed", "hybrid"}) {
    const Bytes der = made_by_openssl(curve_key("P-256", "point-format", form));
    CHECK_FALSE(read_plain_spki(der));
    CHECK(PublicKey::from_spki(der)->kind() == KeyKind::p256);
  }
}

TEST_CASE("RSA keys in odd forms are read as OpenSSL reads them, and weak ones are refused") {
  const Bytes modulus = [] {
    const Bytes der = rsa().spki();
    const auto read = read_plain_spki(der);
    return Bytes(read->modulus.begin(), read->modulus.end());
  }();
  const Bytes n = joined({{0}, modulus});
  CHECK(refused(rsa_spki(n, {1, 0, 1})) == "accepted");
  CHECK(refused(rsa_spki(n, {3})) == "crypto.key_weak");
  CHECK(refused(rsa_spki(n, {1, 0, 0})) == "crypto.key_weak");
  CHECK(refused(rsa_spki(n, {0x7f, 0xff, 0xff, 0xff, 0xff})) == "crypto.key_weak");
  CHECK(refused(rsa_spki(with(n, n.size() - 1, n.back() & 0xfe), {1, 0, 1})) == "crypto.key_weak");
  CHECK(refused(rsa_spki(Bytes(n.begin(), n.begin() + 129), {1, 0, 1})) == "crypto.key_weak");
  CHECK(refused(rsa_spki(joined({n, Bytes(1024, 0xff)}), {1, 0, 1})) == "crypto.key_weak");
  CHECK(refused(rsa_spki({}, {1, 0, 1})) != "accepted");
  for (const Bytes& odd : {joined({{0}, n}), modulus, Bytes{}})  // a zero more; negative; none
    CHECK_FALSE(read_plain_spki(rsa_spki(odd, {1, 0, 1})));
  CHECK_FALSE(read_plain_spki(rsa_spki(n, {0, 1, 0, 1})));
  CHECK_FALSE(read_plain_spki(rsa_spki(n, {0})));
  Bytes unused = rsa_spki(n, {1, 0, 1});
  unused[23] = 1;  // bits of the bit string that are none
  CHECK_FALSE(read_plain_spki(unused));
  CHECK(refused(unused) != "accepted");
  CHECK(refused(made_by_openssl(PKey(EVP_RSA_gen(1024)))) == "crypto.key_weak");
}

TEST_CASE("PEM that is one public key is read; any other text is left to OpenSSL") {
  const PublicKey key = key_of(KeyKind::p256);
  const std::string pem = key.pem();
  std::string crlf;
  for (const char c : pem) crlf.append(c == '\n' ? "\r\n" : std::string(1, c));
  for (const std::string& text : {pem, crlf, pem.substr(0, pem.size() - 1)}) {
    CHECK(read_plain_pem(text).value() == key.spki());
    CHECK(*PublicKey::from_pem(text) == key);
  }
  const std::string other = key_of(KeyKind::p256).pem();
  for (const std::string& text : {"said before\n" + pem, pem + "said behind\n", pem + other, "\n" + pem}) {
    CHECK_FALSE(read_plain_pem(text));
    CHECK(*PublicKey::from_pem(text) == key);
  }
  const std::string head = "-----BEGIN PUBLIC KEY-----\n", tail = "-----END PUBLIC KEY-----\n";
  for (const std::string& text :
       {head, head + tail, fmt::format("{}AAAA\n{}", head, tail), tail + pem.substr(head.size()),
        fmt::format("{}\n{}", head, tail), pem.substr(0, pem.size() - tail.size())}) {
    CHECK(PublicKey::from_pem(text).error().code() == "crypto.key");
  }
}
