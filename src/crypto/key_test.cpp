#include "crypto/key.h"

#include "base/scratch_for_test.h"

#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace entente;
using namespace entente::crypto;

namespace {

const std::vector<std::pair<KeyKind, SignatureAlg>> kPairs{
    {KeyKind::p256, SignatureAlg::ES256}, {KeyKind::p384, SignatureAlg::ES384},
    {KeyKind::p521, SignatureAlg::ES512}, {KeyKind::ed25519, SignatureAlg::EdDSA},
    {KeyKind::rsa, SignatureAlg::PS256},  {KeyKind::rsa, SignatureAlg::RS512}};

PrivateKey key_of(KeyKind kind) {
  static const PrivateKey rsa = PrivateKey::generate(KeyKind::rsa, 2048);
  return kind == KeyKind::rsa ? rsa : PrivateKey::generate(kind);
}

}  // namespace

TEST_CASE("every algorithm signs, verifies, and notices a changed bit") {
  for (const auto& [kind, alg] : kPairs) {
    CAPTURE(name(alg));
    const PrivateKey key = key_of(kind);
    Bytes signature = key.sign(alg, as_bytes("harbor light")).value();
    CHECK(key.public_key().verify(alg, as_bytes("harbor light"), signature));
    CHECK_FALSE(key.public_key().verify(alg, as_bytes("harbor lighT"), signature));
    signature.back() ^= 1;
    CHECK_FALSE(key.public_key().verify(alg, as_bytes("harbor light"), signature));
    CHECK_FALSE(key.public_key().verify(alg, as_bytes("harbor light"), {}));
  }
}

TEST_CASE("an algorithm is bound to its kind of key") {
  const PrivateKey p256 = key_of(KeyKind::p256);
  CHECK(p256.sign(SignatureAlg::ES384, {}).error().code() == "crypto.key_use");
  CHECK(p256.sign(SignatureAlg::RS256, {}).error().code() == "crypto.key_use");
  const PrivateKey rsa = key_of(KeyKind::rsa);
  const Bytes pss = rsa.sign(SignatureAlg::PS256, as_bytes("x")).value();
  CHECK_FALSE(rsa.public_key().verify(SignatureAlg::RS256, as_bytes("x"), pss));
  CHECK_FALSE(rsa.public_key().verify(SignatureAlg::PS384, as_bytes("x"), pss));
}

TEST_CASE("an ECDSA signature has one length and its numbers are in range") {
  const PrivateKey key = key_of(KeyKind::p256);
  const PublicKey& pub = key.public_key();
  const Bytes good = key.sign(SignatureAlg::ES256, as_bytes("x")).value();
  CHECK(good.size() == 64);
  CHECK_FALSE(pub.verify(SignatureAlg::ES256, as_bytes("x"), Bytes(64, 0)));
  const Bytes order = *from_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
  Bytes at_order = good;
  std::ranges::copy(order, at_order.begin());
  CHECK_FALSE(pub.verify(SignatureAlg::ES256, as_bytes("x"), at_order));
  Bytes longer = good;
  longer.insert(longer.begin(), 0);
  CHECK_FALSE(pub.verify(SignatureAlg::ES256, as_bytes("x"), longer));
}

TEST_CASE("keys survive their text forms") {
  for (const auto& [kind, alg] : kPairs) {
    CAPTURE(name(alg));
    const PrivateKey key = key_of(kind);
    const Secret pem = key.pem();
    CHECK(PrivateKey::from_pem(as_text(pem.bytes()))->public_key() == key.public_key());
    CHECK(*PublicKey::from_pem(key.public_key().pem()) == key.public_key());
    CHECK(*PublicKey::from_spki(key.public_key().spki()) == key.public_key());
    CHECK(*PublicKey::from_jwk(key.public_key().jwk()) == key.public_key());
    CHECK(PublicKey::from_jwk(key.public_key().jwk())->thumbprint() == key.public_key().thumbprint());
  }
}

TEST_CASE("the thumbprint is RFC 7638's") {
  const Json jwk = *Json::parse(
      R"({"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"})");
  CHECK(PublicKey::from_jwk(jwk)->thumbprint() == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

TEST_CASE("weak and odd keys never become a value") {
  const Json good = key_of(KeyKind::rsa).public_key().jwk();
  const auto changed = [](Json jwk, const char* member, Json value) {
    jwk.set(member, std::move(value));
    return PublicKey::from_jwk(jwk);
  };
  CHECK(changed(good, "e", "AQ").error().code() == "crypto.key_weak");        // 1
  CHECK(changed(good, "e", "Aw").error().code() == "crypto.key_weak");        // 3
  CHECK(changed(good, "e", "AQAA").error().code() == "crypto.key_weak");      // even
  CHECK(changed(good, "e", "AQAAAAAB").error().code() == "crypto.key_weak");  // huge
  CHECK(changed(good, "e", "AAEAAQ").error().code() == "crypto.key");         // leading zero
  CHECK(changed(good, "n", base64url(Bytes(128, 0xff))).error().code() == "crypto.key_weak");
  const Json point = key_of(KeyKind::p256).public_key().jwk();
  CHECK(changed(point, "y", base64url(Bytes(32, 7))).error().code() == "crypto.key");
  CHECK(changed(point, "crv", "P-384").error().code() == "crypto.key");
  CHECK(changed(point, "kty", "RSA").error().code() == "crypto.key");
  CHECK(changed(point, "crv", "secp256k1").error().code() == "crypto.key");
}

TEST_CASE("what a JWK says about its use is kept to") {
  const Json good = key_of(KeyKind::p256).public_key().jwk();
  const auto code = [&](const char* member, Json value) {
    Json jwk = good;
    jwk.set(member, std::move(value));
    auto key = PublicKey::from_jwk(jwk);
    return key ? std::string("accepted") : key.error().code();
  };
  CHECK(code("use", "sig") == "accepted");
  CHECK(code("use", "enc") == "crypto.key_use");
  CHECK(code("alg", "ES256") == "accepted");
  CHECK(code("alg", "ES384") == "crypto.key_use");
  CHECK(code("alg", "ECDH-ES") == "crypto.key_use");
  CHECK(code("key_ops", Json::array({"verify"})) == "accepted");
  CHECK(code("key_ops", Json::array({"encrypt"})) == "crypto.key_use");
  CHECK(code("key_ops", "verify") == "crypto.key");
  CHECK(code("d", "AA") == "crypto.key");
}

TEST_CASE("a private key whose halves do not match is refused") {
  Json jwk = key_of(KeyKind::p256).public_key().jwk();
  jwk.set("d", base64url(Bytes(32, 9)));
  CHECK_FALSE(PrivateKey::from_jwk(jwk).has_value());
}

TEST_CASE("a private key file is ours alone") {
  const Scratch scratch;
  const std::filesystem::path& folder = scratch.path();
  const std::string path = folder / "node.key";
  const PrivateKey key = key_of(KeyKind::p256);
  REQUIRE(save_private_key(path, key).has_value());
  struct stat about{};
  REQUIRE(::stat(path.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
  CHECK(load_private_key(path)->public_key() == key.public_key());
  CHECK(std::distance(std::filesystem::directory_iterator(folder), {}) == 1);

  ::chmod(path.c_str(), 0644);
  CHECK(load_private_key(path).error().code() == "crypto.key_file");
  CHECK(load_private_key(folder / "none.key").error().code() == "crypto.key_file");
  CHECK(save_private_key(folder / "no" / "node.key", key).error().code() == "crypto.key_file");
}

TEST_CASE("text that is no key is refused calmly") {
  CHECK(PublicKey::from_pem("").error().code() == "crypto.key");
  CHECK(
      PrivateKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").error().code() ==
      "crypto.key");
  CHECK(PublicKey::from_jwk(Json("x")).error().code() == "crypto.key");
  CHECK(PublicKey::from_spki({}).error().code() == "crypto.key");
}
