// Hashes of names and values, for tables in memory only: a hit is always compared in full. They depend on a
// secret of this process, so that nobody can choose names that meet in one place. Private to the room.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace entente::policy {

// Drawn before anything else of the program is made.
struct HashSecret {
  HashSecret();  // at random
  HashSecret(uint64_t one, uint64_t other) : first(one), second(other) {}
  uint64_t first;
  uint64_t second;
};
extern const HashSecret kHashSecret;

// Both halves of the product folded together: each bit of the result depends on all of both. The factors are
// kept in it, so that a factor of zero does not make everything the same.
inline uint64_t mix(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return (a ^ static_cast<uint64_t>(product)) ^ (b ^ static_cast<uint64_t>(product >> 64U));
}

inline uint64_t eight_bytes(const char* at) {
  uint64_t out = 0;
  std::memcpy(&out, at, 8);
  return out;
}
inline uint64_t four_bytes(const char* at) {
  uint32_t out = 0;
  std::memcpy(&out, at, 4);
  return out;
}

inline uint64_t hash_text(std::string_view text, const HashSecret& secret = kHashSecret) {
  const uint64_t second = secret.second;
  const char* at = text.data();
  size_t left = text.size();
  uint64_t seed = secret.first ^ text.size();
  for (; left > 16; at += 16, left -= 16) seed = mix(eight_bytes(at) ^ second, eight_bytes(at + 8) ^ seed);
  uint64_t low = 0;
  uint64_t high = 0;
  if (left >= 8) {
    low = eight_bytes(at);
    high = eight_bytes(at + left - 8);
  } else if (left >= 4) {
    low = four_bytes(at);
    high = four_bytes(at + left - 4);
  } else if (left > 0) {
    low = (uint64_t{static_cast<uint8_t>(at[0])} << 16U) |
          (uint64_t{static_cast<uint8_t>(at[left / 2])} << 8U) | static_cast<uint8_t>(at[left - 1]);
  }
  return mix(low ^ second, high ^ seed);
}

// ==, without a call for the lengths that names have.
inline bool same_text(std::string_view a, std::string_view b) {
  const size_t size = a.size();
  if (size != b.size()) return false;
  const char* const x = a.data();
  const char* const y = b.data();
  if (size > 16) return std::memcmp(x, y, size) == 0;
  if (size >= 8)
    return ((eight_bytes(x) ^ eight_bytes(y)) | (eight_bytes(x + size - 8) ^ eight_bytes(y + size - 8))) == 0;
  if (size >= 4)
    return ((four_bytes(x) ^ four_bytes(y)) | (four_bytes(x + size - 4) ^ four_bytes(y + size - 4))) == 0;
  for (size_t i = 0; i < size; ++i)
    if (x[i] != y[i]) return false;
  return true;
}

inline uint64_t hash_uid(uint64_t type_hash, uint64_t id_hash) {
  return mix(type_hash ^ 0x8ebc6af09c88c6e3ULL, id_hash ^ 0x589965cc75374cc3ULL);
}

}  // namespace entente::policy
