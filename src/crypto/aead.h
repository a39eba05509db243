// AES-256-GCM with a 96-bit nonce and a 128-bit tag (NIST SP 800-38D), the one cipher of sealed objects.
// Errors: "crypto.unwrap", the same for every fault.
#pragma once

#include "crypto/digest.h"

#include <memory>

namespace entente::crypto {

inline constexpr size_t kAeadKeyBytes = 32;
inline constexpr size_t kAeadNonceBytes = 12;
inline constexpr size_t kAeadTagBytes = 16;
// What a sealed piece is longer than its plain text: nonce before it, tag behind it.
inline constexpr size_t kAeadFrameBytes = kAeadNonceBytes + kAeadTagBytes;

// One key for many pieces; the key's schedule is computed once and cleansed with it. One thread at a time.
class Aead {
 public:
  explicit Aead(ByteView key);  // kAeadKeyBytes long
  Aead(Aead&&) noexcept;
  Aead& operator=(Aead&&) noexcept;
  ~Aead();

  // Writes nonce ‖ ciphertext ‖ tag; `out` is plain.size() + kAeadFrameBytes long and does not overlap
  // `plain`. A nonce must never come twice under one key.
  void seal(ByteView nonce, ByteView plain, std::span<uint8_t> out, ByteView bound = {}) const;
  // `out` is sealed.size() - kAeadFrameBytes long; it may be the middle of `sealed` itself. When the tag does
  // not fit, `out` is all zero and the answer is false: nothing that was not verified is left in it.
  [[nodiscard]] bool open(ByteView sealed, std::span<uint8_t> out, ByteView bound = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The same for one small piece, with a random nonce.
[[nodiscard]] Bytes seal_small(ByteView key, ByteView plain);
[[nodiscard]] Result<Secret> open_small(ByteView key, ByteView sealed);

}  // namespace entente::crypto
