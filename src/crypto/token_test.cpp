#include "crypto/token.h"

#include "crypto/token_for_test.h"
#include "crypto/wrap.h"

#include <atomic>
#include <thread>

namespace entente::crypto {
namespace {

using namespace testing;

Token access(std::string_view pin = "123456") {
  return {.module = kModule, .pin = Secret(as_bytes(pin))};
}

Result<PrivateKey> load(std::string_view label, std::string_view pin = "123456") {
  return load_token_key(access(pin), fmt::format("pkcs11:token=exercise;object={}", label));
}

}  // namespace

TEST_CASE("A token opens what was wrapped for its key, and nothing else") {
  if (token() == nullptr) return;
  const auto rsa = load("rsa");
  REQUIRE(rsa);
  const Secret secret = Secret::random(32);
  auto wrapped = *oaep_encrypt(rsa->public_key(), Oaep::sha1, secret.bytes());
  const auto back = oaep_decrypt(*rsa, Oaep::sha1, wrapped);
  REQUIRE(back);
  CHECK(equal_constant_time(back->bytes(), secret.bytes()));
  wrapped[7] ^= 1;
  const auto refused = oaep_decrypt(*rsa, Oaep::sha1, wrapped);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == "crypto.unwrap");
  for (const char* label : {"p256", "p384"}) {
    CAPTURE(label);
    const auto curve = load(label);
    REQUIRE(curve);
    for (int turn = 0; turn < 3; ++turn) {  // with another key each time: its engine keeps what it saw
      const auto made = *agree_once(curve->public_key());
      const auto shared = agree(*curve, *PublicKey::from_pem(made.ephemeral));
      REQUIRE(shared);
      CHECK(equal_constant_time(shared->bytes(), made.shared.bytes()));
    }
  }
}

TEST_CASE("A token's key that may not be used, is not there or is asked for wrongly, is no key") {
  if (token() == nullptr) return;
  for (const auto& [uri, pin] : {std::pair{"pkcs11:token=exercise;object=nobody", "123456"},
                                 {"pkcs11:token=elsewhere;object=rsa", "123456"},
                                 {"pkcs11:token=exercise;object=signs", "123456"},
                                 {"pkcs11:token=exercise;object=rsa?pin-value=123456", "123456"},
                                 {"rsa.pem", "123456"}}) {
    CAPTURE(uri);
    const auto key = load_token_key(access(pin), uri);
    REQUIRE_FALSE(key);
    CHECK(key.error().code() == "crypto.token");
    CHECK(key.error().what().find("123456") == std::string::npos);
  }
  const auto nowhere = load_token_key({.module = "/nowhere/module.so", .pin = Secret(as_bytes("1"))},
                                      "pkcs11:token=exercise;object=rsa");
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().code() == "crypto.token");
}

TEST_CASE("A token's key never leaves it") {
  if (token() == nullptr) return;
  const auto key = load("rsa");
  REQUIRE(key);
  const auto saved = save_private_key(token()->scratch.file("stolen.pem"), *key);
  REQUIRE_FALSE(saved);
  CHECK(saved.error().code() == "crypto.key_use");
  CHECK_FALSE(std::filesystem::exists(token()->scratch.file("stolen.pem")));
}

TEST_CASE("Threads use a token's key at once") {
  if (token() == nullptr) return;
  const auto key = load("rsa");
  REQUIRE(key);
  const Secret secret = Secret::random(32);
  const auto wrapped = *oaep_encrypt(key->public_key(), Oaep::sha1, secret.bytes());
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < 25; ++turn) {
        const auto back = oaep_decrypt(*key, Oaep::sha1, wrapped);
        if (back && equal_constant_time(back->bytes(), secret.bytes())) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 100);
}

}  // namespace entente::crypto
