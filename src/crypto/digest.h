// Hashes, random bytes and secrets. SHA-256 throughout (FIPS 180-4, RFC 2104, RFC 5869). All calls are
// thread-safe.
#pragma once

#include "base/bytes.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace entente::crypto {

using Digest = std::array<uint8_t, 32>;

// Bytes that are overwritten when released. Moves freely; copied only by saying so; never printed.
class Secret {
 public:
  Secret() = default;
  explicit Secret(Bytes bytes) : bytes_(std::move(bytes)) {}
  explicit Secret(ByteView bytes) : bytes_(bytes.begin(), bytes.end()) {}
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  [[nodiscard]] static Secret random(size_t length);
  [[nodiscard]] Secret copy() const { return Secret(ByteView(bytes_)); }
  [[nodiscard]] ByteView bytes() const { return bytes_; }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }

 private:
  Bytes bytes_;
};

[[nodiscard]] Digest sha256(ByteView bytes);
[[nodiscard]] inline Digest sha256(std::string_view text) {
  return sha256(as_bytes(text));
}

// SHA-256 over parts. `digest()` may be asked at any time and does not end it.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  Sha256& add(ByteView bytes);
  Sha256& add(std::string_view text) { return add(as_bytes(text)); }
  [[nodiscard]] Digest digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

[[nodiscard]] Digest hmac_sha256(ByteView key, ByteView message);
// RFC 5869 extract and expand; `length` at most 255 * 32.
[[nodiscard]] Secret hkdf_sha256(ByteView secret, ByteView salt, ByteView info, size_t length);

// From the system's generator; ends the process when that fails, since nothing safe could follow.
void random_bytes(std::span<uint8_t> out);
[[nodiscard]] Bytes random_bytes(size_t length);
[[nodiscard]] std::string random_token(
    size_t length = 16);  // of `length` random bytes, base64url, no '-' first

// Time depends on the lengths only.
[[nodiscard]] bool equal_constant_time(ByteView a, ByteView b);
[[nodiscard]] inline bool equal_constant_time(std::string_view a, std::string_view b) {
  return equal_constant_time(as_bytes(a), as_bytes(b));
}

}  // namespace entente::crypto
