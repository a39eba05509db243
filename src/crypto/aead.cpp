#include "crypto/aead.h"

#include "crypto/openssl.h"

#include <algorithm>
#include <climits>

namespace entente::crypto {
namespace {

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, Freed<EVP_CIPHER_CTX_free>>;

// Fetched once: looking it up by name costs more than sealing a small piece.
const EVP_CIPHER* aes_256_gcm() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  ENTENTE_CHECK(cipher != nullptr);
  return cipher;
}

int length_of(ByteView bytes) {
  ENTENTE_CHECK(bytes.size() <= INT_MAX);
  return static_cast<int>(bytes.size());
}

// False when OpenSSL refuses. `out` is nullptr for bytes that are only bound.
bool pass(EVP_CIPHER_CTX* context, uint8_t* out, ByteView in) {
  int written = 0;
  return in.empty() || EVP_CipherUpdate(context, out, &written, in.data(), length_of(in)) == 1;
}

Cipher sealing_with(ByteView key) {
  Cipher out(EVP_CIPHER_CTX_new());
  ENTENTE_CHECK(out && key.size() == kAeadKeyBytes);
  ENTENTE_CHECK(EVP_EncryptInit_ex2(out.get(), aes_256_gcm(), key.data(), nullptr, nullptr) == 1);
  return out;
}

Cipher opening_with(ByteView key) {
  Cipher out(EVP_CIPHER_CTX_new());
  ENTENTE_CHECK(out && key.size() == kAeadKeyBytes);
  ENTENTE_CHECK(EVP_DecryptInit_ex2(out.get(), aes_256_gcm(), key.data(), nullptr, nullptr) == 1);
  return out;
}

void seal_by(EVP_CIPHER_CTX* context, ByteView nonce, ByteView plain, std::span<uint8_t> out,
             ByteView bound) {
  ENTENTE_CHECK(nonce.size() == kAeadNonceBytes && out.size() == plain.size() + kAeadFrameBytes);
  std::ranges::copy(nonce, out.begin());
  uint8_t* const text = out.data() + kAeadNonceBytes;
  int rest = 0;
  ENTENTE_CHECK(EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) == 1);
  ENTENTE_CHECK(pass(context, nullptr, bound) && pass(context, text, plain));
  ENTENTE_CHECK(EVP_EncryptFinal_ex(context, text + plain.size(), &rest) == 1);
  ENTENTE_CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kAeadTagBytes, text + plain.size()) == 1);
}

bool open_by(EVP_CIPHER_CTX* context, ByteView sealed, std::span<uint8_t> out, ByteView bound) {
  if (sealed.size() < kAeadFrameBytes || out.size() != sealed.size() - kAeadFrameBytes) return false;
  const ByteView text = sealed.subspan(kAeadNonceBytes, out.size());
  std::array<uint8_t, kAeadTagBytes> tag{};
  std::ranges::copy(sealed.last(kAeadTagBytes), tag.begin());
  int rest = 0;
  std::array<uint8_t, kAeadTagBytes> end{};
  const bool good = EVP_DecryptInit_ex2(context, nullptr, nullptr, sealed.data(), nullptr) == 1 &&
                    pass(context, nullptr, bound) && pass(context, out.data(), text) &&
                    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kAeadTagBytes, tag.data()) == 1 &&
                    EVP_DecryptFinal_ex(context, end.data(), &rest) == 1;
  if (!good) {
    OPENSSL_cleanse(out.data(), out.size());
    ERR_clear_error();
  }
  return good;
}

}  // namespace

struct Aead::State {
  Cipher sealing;
  Cipher opening;
};

Aead::Aead(ByteView key) : state_(std::make_unique<State>(sealing_with(key), opening_with(key))) {}
Aead::Aead(Aead&&) noexcept = default;
Aead& Aead::operator=(Aead&&) noexcept = default;
Aead::~Aead() = default;

void Aead::seal(ByteView nonce, ByteView plain, std::span<uint8_t> out, ByteView bound) const {
  seal_by(state_->sealing.get(), nonce, plain, out, bound);
}

bool Aead::open(ByteView sealed, std::span<uint8_t> out, ByteView bound) const {
  return open_by(state_->opening.get(), sealed, out, bound);
}

Bytes seal_small(ByteView key, ByteView plain) {
  std::array<uint8_t, kAeadNonceBytes> nonce{};
  random_bytes(std::span<uint8_t>(nonce));
  Bytes out(plain.size() + kAeadFrameBytes);
  seal_by(sealing_with(key).get(), nonce, plain, out, {});
  return out;
}

Result<Secret> open_small(ByteView key, ByteView sealed) {
  Bytes plain(sealed.size() < kAeadFrameBytes ? 0 : sealed.size() - kAeadFrameBytes);
  if (!open_by(opening_with(key).get(), sealed, plain, {}))
    return openssl_fail("crypto.unwrap", "The bytes do not open with this key.");
  return Secret(std::move(plain));
}

}  // namespace entente::crypto
