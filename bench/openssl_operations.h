// What `openssl speed` measures of one public or private key operation, as apps/speed.c does it: contexts
// made beforehand, one operation after another. In this process, so that it can take turns with what stands
// beside it.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

namespace bench {

inline void must(bool good) {
  if (good) return;
  std::fprintf(stderr, "bench: OpenSSL refused an operation\n");
  std::abort();
}

class Operations {
 public:
  Operations() {
    must(EVP_PKEY_sign_init(rsa_) == 1);
    must(EVP_PKEY_sign_init(sign_) == 1);
    must(EVP_PKEY_sign(sign_, signature_.data(), &(length_ = signature_.size()), digest_.data(), kEcDigest) ==
         1);
    must(EVP_PKEY_verify_init(verify_) == 1);
    must(EVP_PKEY_derive_init(agree_) == 1 && EVP_PKEY_derive_set_peer(agree_, other_) == 1);
  }
  void verify() {
    must(EVP_PKEY_verify(verify_, signature_.data(), length_, digest_.data(), kEcDigest) == 1);
  }
  void sign() {
    size_t length = out_.size();
    must(EVP_PKEY_sign(sign_, out_.data(), &length, digest_.data(), kEcDigest) == 1);
  }
  void agree() {
    size_t length = out_.size();
    must(EVP_PKEY_derive(agree_, out_.data(), &length) == 1);
  }
  void rsa() {
    size_t length = out_.size();
    must(EVP_PKEY_sign(rsa_, out_.data(), &length, digest_.data(), kRsaDigest) == 1);
  }

 private:
  static constexpr size_t kEcDigest = 20, kRsaDigest = 36;  // as there
  static EVP_PKEY_CTX* on(EVP_PKEY* key) { return EVP_PKEY_CTX_new(key, nullptr); }

  // Until the process ends.
  EVP_PKEY* const key_ = EVP_EC_gen("P-256");
  EVP_PKEY* const other_ = EVP_EC_gen("P-256");
  EVP_PKEY_CTX* const rsa_ = on(EVP_RSA_gen(2048));
  EVP_PKEY_CTX* const sign_ = on(key_);
  EVP_PKEY_CTX* const verify_ = on(key_);
  EVP_PKEY_CTX* const agree_ = on(key_);
  std::array<uint8_t, kRsaDigest> digest_{1};
  std::array<uint8_t, 256> signature_{}, out_{};
  size_t length_ = 0;
};

}  // namespace bench
