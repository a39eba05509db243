#include "crypto/digest.h"

#include "base/result.h"
#include "crypto/openssl.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>

namespace entente::crypto {
namespace {

// Fetched once: looking an algorithm up by name costs as much as hashing a few hundred bytes.
const EVP_MD* sha256_md() {
  static const EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  ENTENTE_CHECK(md != nullptr);
  return md;
}

MdContext new_context() {
  MdContext context(EVP_MD_CTX_new());
  ENTENTE_CHECK(context != nullptr);
  return context;
}

// A thread's own, begun anew. Without naming the algorithm again: OpenSSL would ask each time whether an
// engine has another one.
EVP_MD_CTX* begun_sha256() {
  thread_local const MdContext context = [] {
    MdContext out = new_context();
    ENTENTE_CHECK(EVP_DigestInit_ex2(out.get(), sha256_md(), nullptr) == 1);
    return out;
  }();
  ENTENTE_CHECK(EVP_DigestInit_ex2(context.get(), nullptr, nullptr) == 1);
  return context.get();
}

}  // namespace

Secret::Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) {
  other.bytes_.clear();
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    OPENSSL_cleanse(bytes_.data(), bytes_.size());
    bytes_ = std::move(other.bytes_);
    other.bytes_.clear();
  }
  return *this;
}

Secret::~Secret() {
  OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

Secret Secret::random(size_t length) {
  return Secret(random_bytes(length));
}

Digest sha256(ByteView bytes) {
  EVP_MD_CTX* const context = begun_sha256();
  Digest out;
  ENTENTE_CHECK(EVP_DigestUpdate(context, bytes.data(), bytes.size()) == 1);
  ENTENTE_CHECK(EVP_DigestFinal_ex(context, out.data(), nullptr) == 1);
  return out;
}

struct Sha256::State {
  MdContext context = new_context();
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  ENTENTE_CHECK(EVP_DigestInit_ex2(state_->context.get(), sha256_md(), nullptr) == 1);
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

Sha256& Sha256::add(ByteView bytes) {
  ENTENTE_CHECK(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
  return *this;
}

Digest Sha256::digest() const {
  const MdContext copy = new_context();
  Digest out;
  ENTENTE_CHECK(EVP_MD_CTX_copy_ex(copy.get(), state_->context.get()) == 1);
  ENTENTE_CHECK(EVP_DigestFinal_ex(copy.get(), out.data(), nullptr) == 1);
  return out;
}

// RFC 2104 over our own contexts: OpenSSL's HMAC() looks its algorithms up at each call, which costs three
// times the hashing.
Digest hmac_sha256(ByteView key, ByteView message) {
  constexpr size_t block = 64;
  std::array<uint8_t, block> pad{};
  if (key.size() > block) {
    Digest short_key = sha256(key);
    std::ranges::copy(short_key, pad.begin());
    OPENSSL_cleanse(short_key.data(), short_key.size());
  } else {
    std::ranges::copy(key, pad.begin());
  }
  const auto hash = [&](uint8_t with, uint8_t before, ByteView text) {
    for (uint8_t& byte : pad) byte = static_cast<uint8_t>(byte ^ before ^ with);
    EVP_MD_CTX* const context = begun_sha256();
    Digest out;
    ENTENTE_CHECK(EVP_DigestUpdate(context, pad.data(), pad.size()) == 1);
    ENTENTE_CHECK(EVP_DigestUpdate(context, text.data(), text.size()) == 1);
    ENTENTE_CHECK(EVP_DigestFinal_ex(context, out.data(), nullptr) == 1);
    return out;
  };
  const Digest inner = hash(0x36, 0, message);
  const Digest out = hash(0x5c, 0x36, inner);
  OPENSSL_cleanse(pad.data(), pad.size());
  return out;
}

Secret hkdf_sha256(ByteView secret, ByteView salt, ByteView info, size_t length) {
  ENTENTE_CHECK(length <= 255 * sizeof(Digest));
  Digest key = hmac_sha256(salt, secret);
  Bytes out;
  out.reserve(length);  // never grows, so no copy is left behind
  Bytes block;
  for (uint8_t counter = 1; out.size() < length; ++counter) {
    block.insert(block.end(), info.begin(), info.end());
    block.push_back(counter);
    Digest part = hmac_sha256(key, block);
    out.insert(out.end(), part.begin(),
               part.begin() + static_cast<std::ptrdiff_t>(std::min(part.size(), length - out.size())));
    OPENSSL_cleanse(block.data(), block.size());
    block.assign(part.begin(), part.end());
    OPENSSL_cleanse(part.data(), part.size());
  }
  OPENSSL_cleanse(block.data(), block.size());
  OPENSSL_cleanse(key.data(), key.size());
  return Secret(std::move(out));
}

void random_bytes(std::span<uint8_t> out) {
  ENTENTE_CHECK(RAND_bytes_ex(nullptr, out.data(), out.size(), 0) == 1);
}

Bytes random_bytes(size_t length) {
  Bytes out(length);
  random_bytes(std::span<uint8_t>(out));
  return out;
}

namespace {

// What names and tokens are taken from: the generator costs about as much for sixteen bytes as for some
// thousand. Each byte is overwritten when it is taken, and no other process has the same: keys and nonces,
// for which more hangs on that, come from the generator itself.
class Reserve {
 public:
  Reserve() {
    static const int once = pthread_atfork(nullptr, nullptr, [] { reserve().drop(); });
    ENTENTE_CHECK(once == 0);
  }
  ~Reserve() { drop(); }
  Reserve(const Reserve&) = delete;
  Reserve& operator=(const Reserve&) = delete;
  static Reserve& reserve() {
    thread_local Reserve one;
    return one;
  }
  void take(std::span<uint8_t> out) {
    if (out.size() > bytes_.size()) return random_bytes(out);
    if (out.size() > left_) {
      random_bytes(bytes_);
      left_ = bytes_.size();
    }
    left_ -= out.size();
    std::memcpy(out.data(), bytes_.data() + left_, out.size());
    OPENSSL_cleanse(bytes_.data() + left_, out.size());
  }

 private:
  void drop() {
    OPENSSL_cleanse(bytes_.data(), bytes_.size());
    left_ = 0;
  }
  std::array<uint8_t, 4096> bytes_{};
  size_t left_ = 0;
};

}  // namespace

std::string random_token(size_t length) {
  Bytes raw(length);
  std::string out;
  do {
    Reserve::reserve().take(raw);
    out = base64url(raw);
  } while (out.starts_with('-'));  // on a command line that is an option
  return out;
}

bool equal_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace entente::crypto
