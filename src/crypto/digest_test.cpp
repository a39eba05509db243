#include "crypto/digest.h"

#include <array>
#include <set>
#include <string>

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace entente;
using namespace entente::crypto;

TEST_CASE("digests agree with their standards") {
  CHECK(hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  // RFC 4231 cases 2 and 6 (a key longer than a block), a key of exactly one block, and an empty key.
  CHECK(hex(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(hex(hmac_sha256(Bytes(131, 0xaa),
                        as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK(hex(hmac_sha256(Bytes(64, 0x0b), as_bytes("Hi There"))) ==
        "21cd586aeca0579d99a1c938127c92525a371f807bc5ba6eb78bc825bd4f2be3");
  CHECK(hex(hmac_sha256({}, {})) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("hkdf agrees with RFC 5869 cases 1 and 3") {
  const Bytes secret(22, 0x0b);
  const Bytes salt = *from_hex("000102030405060708090a0b0c");
  const Bytes info = *from_hex("f0f1f2f3f4f5f6f7f8f9");
  CHECK(hex(hkdf_sha256(secret, salt, info, 42).bytes()) ==
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  CHECK(hex(hkdf_sha256(secret, {}, {}, 42).bytes()) ==
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST_CASE("a digest of parts may be asked in between") {
  Sha256 parts;
  parts.add("a");
  CHECK(parts.digest() == sha256("a"));
  parts.add("bc");
  CHECK(parts.digest() == sha256("abc"));
}

TEST_CASE("secrets move and are copied only by saying so") {
  Secret a = Secret::random(32);
  const Secret b = a.copy();
  CHECK(equal_constant_time(a.bytes(), b.bytes()));
  const Secret c = std::move(a);
  CHECK(a.empty());  // NOLINT(bugprone-use-after-move)
  CHECK(equal_constant_time(c.bytes(), b.bytes()));
  static_assert(!std::is_copy_constructible_v<Secret>);
}

TEST_CASE("attack: two processes of one make the same token") {
  (void)random_token();
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const std::string token = random_token();
    ::_exit(::write(ends[1], token.data(), token.size()) == static_cast<ssize_t>(token.size()) ? 0 : 1);
  }
  std::string theirs(22, '\0');
  CHECK(::read(ends[0], theirs.data(), theirs.size()) == 22);
  CHECK(theirs != random_token());
  int how = 0;
  REQUIRE(::waitpid(child, &how, 0) == child);
  CHECK(how == 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("tokens are fresh and as long as asked") {
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) CHECK(seen.insert(random_token(16)).second);
  CHECK(random_token(4096).size() == 5462);
  CHECK(random_token(16).size() == 22);
  CHECK(random_token() != random_token());
  for (int i = 0; i < 2000; ++i) CHECK_FALSE(random_token(12).starts_with('-'));
  CHECK(equal_constant_time("abc", "abc"));
  CHECK_FALSE(equal_constant_time("abc", "abd"));
  CHECK_FALSE(equal_constant_time("abc", "ab"));
}
