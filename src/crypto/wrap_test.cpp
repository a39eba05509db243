#include "crypto/wrap.h"

#include "crypto/aead.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::crypto;

namespace {

std::string codes_of(const Result<Secret>& result) {
  return result ? "ok" : result.error().text();
}

}  // namespace

TEST_CASE(
    "a piece sealed with AES-256-GCM opens; any changed byte, length or bound text leaves nothing behind") {
  const Secret key = Secret::random(kAeadKeyBytes);
  const Bytes nonce = random_bytes(kAeadNonceBytes);
  for (const size_t length : {size_t{0}, size_t{1}, size_t{15}, size_t{16}, size_t{1000}}) {
    const Bytes plain = random_bytes(length);
    Bytes sealed(length + kAeadFrameBytes);
    const Aead aead(key.bytes());
    aead.seal(nonce, plain, sealed, as_bytes("bound"));
    Bytes out(length, 0xaa);
    REQUIRE(aead.open(sealed, out, as_bytes("bound")));
    CHECK(out == plain);
    CHECK_FALSE(aead.open(sealed, out, as_bytes("other")));
    CHECK(out == Bytes(length, 0));
    for (size_t at = 0; at < sealed.size(); at += 1 + sealed.size() / 40) {
      Bytes bad = sealed;
      bad[at] ^= 1;
      Bytes left(length, 0xaa);
      CHECK_FALSE(aead.open(bad, left, as_bytes("bound")));
      CHECK(left == Bytes(length, 0));
    }
  }
  Bytes none;
  CHECK_FALSE(Aead(key.bytes()).open(Bytes(kAeadFrameBytes - 1), none));
  CHECK(open_small(key.bytes(), Bytes(5)).error().code() == "crypto.unwrap");
}

TEST_CASE("RSA-OAEP opens what was wrapped; every fault of the private operation reads the same") {
  const PrivateKey key = PrivateKey::generate(KeyKind::rsa, 2048);
  const PrivateKey other = PrivateKey::generate(KeyKind::rsa, 2048);
  const Bytes secret = random_bytes(32);
  for (const Oaep hash : {Oaep::sha1, Oaep::sha256}) {
    const Bytes wrapped = oaep_encrypt(key.public_key(), hash, secret).value();
    const auto opened = oaep_decrypt(key, hash, wrapped);
    REQUIRE(opened);
    CHECK(equal_constant_time(opened->bytes(), secret));

    Bytes changed = wrapped;
    changed.back() ^= 1;
    Bytes longer = wrapped;
    longer.insert(longer.begin(), 0);
    const Oaep wrong_hash = hash == Oaep::sha1 ? Oaep::sha256 : Oaep::sha1;
    const std::string said = codes_of(oaep_decrypt(key, hash, changed));
    CHECK(said.ends_with("[crypto.unwrap]"));
    CHECK(codes_of(oaep_decrypt(key, hash, longer)) == said);
    CHECK(codes_of(oaep_decrypt(key, hash, ByteView(wrapped).first(255))) == said);
    CHECK(codes_of(oaep_decrypt(key, hash, Bytes(256, 0xff))) == said);
    CHECK(codes_of(oaep_decrypt(key, hash, Bytes())) == said);
    CHECK(codes_of(oaep_decrypt(key, wrong_hash, wrapped)) == said);
    CHECK(codes_of(oaep_decrypt(other, hash, wrapped)) == said);
    CHECK(codes_of(oaep_decrypt(PrivateKey::generate(KeyKind::p256), hash, wrapped)) == said);
  }
  CHECK(oaep_encrypt(key.public_key(), Oaep::sha1, Bytes(256)).error().code() == "crypto.wrap");
  CHECK(oaep_encrypt(PrivateKey::generate(KeyKind::p256).public_key(), Oaep::sha1, secret).error().code() ==
        "crypto.wrap");
}

TEST_CASE("two keys of one curve agree on one secret; keys of two curves on none") {
  for (const KeyKind kind : {KeyKind::p256, KeyKind::p384, KeyKind::p521}) {
    const PrivateKey mine = PrivateKey::generate(kind);
    const Agreed first = agree_once(mine.public_key()).value();
    const Agreed second = agree_once(mine.public_key()).value();
    const auto theirs = PublicKey::from_pem(first.ephemeral);
    REQUIRE(theirs);
    CHECK(theirs->kind() == kind);
    CHECK(first.ephemeral != second.ephemeral);
    CHECK(equal_constant_time(agree(mine, *theirs).value().bytes(), first.shared.bytes()));
    CHECK_FALSE(equal_constant_time(second.shared.bytes(), first.shared.bytes()));
  }
  const PrivateKey small = PrivateKey::generate(KeyKind::p256);
  CHECK_FALSE(agree(small, PrivateKey::generate(KeyKind::p384).public_key()));
  CHECK_FALSE(agree_once(PrivateKey::generate(KeyKind::ed25519).public_key()));
}

TEST_CASE("attack: agreeing with one key after another gives each its own secret, whoever came before") {
  for (const KeyKind kind : {KeyKind::p256, KeyKind::p384, KeyKind::p521}) {
    const PrivateKey mine = PrivateKey::generate(kind);
    const PrivateKey one = PrivateKey::generate(kind), two = PrivateKey::generate(kind);
    // As they come to a key service: as text, and looked at before it is known what they are for.
    const auto seen = [](const PrivateKey& of) { return PublicKey::from_pem(of.public_key().pem()).value(); };
    const PublicKey first = seen(one), second = seen(two), own = seen(mine);
    for (const auto& [theirs, half] : {std::pair(&first, &one), {&second, &two}, {&first, &one}}) {
      const Secret here = agree(mine, *theirs).value();
      CHECK(equal_constant_time(here.bytes(), agree(*half, own).value().bytes()));
    }
    CHECK_FALSE(equal_constant_time(agree(mine, first)->bytes(), agree(mine, second)->bytes()));
    const Agreed once = agree_once(first).value();
    const PublicKey ephemeral = PublicKey::from_pem(once.ephemeral).value();
    CHECK(equal_constant_time(agree(one, ephemeral)->bytes(), once.shared.bytes()));
    // What is no point of the curve leaves nothing behind that the next one meets.
    Bytes off = one.public_key().spki();
    off.back() ^= 1;
    CHECK(PublicKey::from_spki(off).error().code() == "crypto.key");
    CHECK(equal_constant_time(agree(mine, first)->bytes(), agree(one, own)->bytes()));
    CHECK(first == one.public_key());
    CHECK_FALSE(first == second);
  }
}
