#include "base/bytes.h"

#include <array>
#include <bit>
#include <cstring>

namespace entente {
namespace {

constexpr std::string_view kUrlAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kStandardAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kBad = 0xff;

constexpr std::array<uint8_t, 256> reverse(std::string_view alphabet) {
  std::array<uint8_t, 256> table{};
  for (auto& entry : table) entry = kBad;
  for (size_t i = 0; i < alphabet.size(); ++i)
    table[static_cast<uint8_t>(alphabet[i])] = static_cast<uint8_t>(i);
  return table;
}

constexpr auto kUrlReverse = reverse(kUrlAlphabet);
constexpr auto kStandardReverse = reverse(kStandardAlphabet);

std::string encode(ByteView bytes, std::string_view alphabet_text) {
  const char* const alphabet = alphabet_text.data();
  std::string out((bytes.size() * 4 + 2) / 3, '\0');
  char* to = out.data();
  size_t at = 0;
  for (; at + 3 <= bytes.size(); at += 3) {
    const uint32_t bits = uint32_t{bytes[at]} << 16 | uint32_t{bytes[at + 1]} << 8 | bytes[at + 2];
    for (int shift = 18; shift >= 0; shift -= 6) *to++ = alphabet[bits >> shift & 63U];
  }
  const size_t left = bytes.size() - at;
  if (left > 0) {
    const uint32_t bits = uint32_t{bytes[at]} << 16 | (left == 2 ? uint32_t{bytes[at + 1]} << 8 : 0U);
    *to++ = alphabet[bits >> 18 & 63U];
    *to++ = alphabet[bits >> 12 & 63U];
    if (left == 2) *to = alphabet[bits >> 6 & 63U];
  }
  return out;
}

// Sixteen digits to twelve bytes at once, on machines whose words begin with their lowest byte.
class Sixteen {
 public:
  static constexpr size_t kDigits = 16, kBytes = 12;
  static constexpr bool kHere = std::endian::native == std::endian::little;
  explicit Sixteen(std::string_view alphabet)
      : digit62_(static_cast<uint8_t>(alphabet[62])), digit63_(static_cast<uint8_t>(alphabet[63])) {}

  // Writes one byte more than these are.
  void decode(const char* from, uint8_t* to) {
    Each text;
    std::memcpy(&text, from, sizeof(text));
    const Each upper = text - 'A', lower = text - 'a', decimal = text - '0';
    const Each is_upper = Each(upper < 26), is_lower = Each(lower < 26), is_decimal = Each(decimal < 10);
    const Each is_62 = Each(text == digit62_), is_63 = Each(text == digit63_);
    known_ &= is_upper | is_lower | is_decimal | is_62 | is_63;
    const Each values = (upper & is_upper) | ((lower + 26) & is_lower) | ((decimal + 52) & is_decimal) |
                        (is_62 & 62) | (is_63 & 63);
    const auto word = Words(values);
    const Words bytes = (word << 2 & 0xfcU) | (word >> 12 & 0x3U) | (word << 4 & 0xf000U) |
                        (word >> 10 & 0xf00U) | (word << 6 & 0xc00000U) | (word >> 8 & 0x3f0000U);
    for (size_t i = 0; i < 4; ++i) {
      const uint32_t three = bytes[i];
      std::memcpy(to + 3 * i, &three, sizeof(three));
    }
  }
  [[nodiscard]] bool all_known() const {
    const auto words = Words(known_);
    return (words[0] & words[1] & words[2] & words[3]) == UINT32_MAX;
  }

 private:
  using Each [[gnu::vector_size(kDigits)]] = uint8_t;
  using Words [[gnu::vector_size(kDigits)]] = uint32_t;
  uint8_t digit62_, digit63_;
  Each known_ = ~Each{};
};

Result<Bytes> decode(std::string_view text, const std::array<uint8_t, 256>& table,
                     std::string_view alphabet) {
  if (text.size() % 4 == 1) return fail("base.base64", "the base64 text has an impossible length");
  const auto value = [from = text.data(), digits = table.data()](size_t at) -> uint32_t {
    return digits[static_cast<uint8_t>(from[at])];
  };
  Bytes out(text.size() * 3 / 4);
  uint8_t* to = out.data();
  size_t at = 0;
  Sixteen sixteen(alphabet);
  for (; Sixteen::kHere && at + Sixteen::kDigits < text.size(); at += Sixteen::kDigits, to += Sixteen::kBytes)
    sixteen.decode(text.data() + at, to);
  uint32_t seen = sixteen.all_known() ? 0 : kBad;  // its upper bits, when any is not of the alphabet
  for (; at + 4 <= text.size(); at += 4) {
    const uint32_t a = value(at), b = value(at + 1), c = value(at + 2), d = value(at + 3);
    seen |= a | b | c | d;
    const uint32_t bits = a << 18 | b << 12 | c << 6 | d;
    *to++ = static_cast<uint8_t>(bits >> 16);
    *to++ = static_cast<uint8_t>(bits >> 8);
    *to++ = static_cast<uint8_t>(bits);
  }
  uint32_t unused = 0;
  if (at < text.size()) {
    const bool two = text.size() - at == 3;
    const uint32_t a = value(at), b = value(at + 1), c = two ? value(at + 2) : 0;
    seen |= a | b | c;
    const uint32_t bits = a << 18 | b << 12 | c << 6;
    *to++ = static_cast<uint8_t>(bits >> 16);
    if (two) *to = static_cast<uint8_t>(bits >> 8);
    unused = bits & (two ? 0xffU : 0xffffU);
  }
  if (seen > 63) return fail("base.base64", "the base64 text has a character outside its alphabet");
  if (unused != 0) return fail("base.base64", "the base64 text has unused bits set");
  return out;
}

}  // namespace

std::string hex(ByteView bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const uint8_t byte : bytes) {
    out.push_back(digits[byte >> 4]);
    out.push_back(digits[byte & 15U]);
  }
  return out;
}

Result<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return fail("base.hex", "the hexadecimal text has an odd length");
  const auto nibble = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  };
  Bytes out;
  out.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = nibble(text[i]);
    const int low = nibble(text[i + 1]);
    if (high < 0 || low < 0) return fail("base.hex", "the hexadecimal text has a character outside 0-9a-f");
    out.push_back(static_cast<uint8_t>(high * 16 + low));
  }
  return out;
}

std::string base64url(ByteView bytes) {
  return encode(bytes, kUrlAlphabet);
}

Result<Bytes> from_base64url(std::string_view text) {
  return decode(text, kUrlReverse, kUrlAlphabet);
}

std::string base64(ByteView bytes) {
  std::string out = encode(bytes, kStandardAlphabet);
  while (out.size() % 4 != 0) out.push_back('=');
  return out;
}

Result<Bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return fail("base.base64", "the base64 text is not padded to a multiple of four");
  size_t padding = 0;
  while (padding < 2 && !text.empty() && text.back() == '=') {
    text.remove_suffix(1);
    ++padding;
  }
  return decode(text, kStandardReverse, kStandardAlphabet);
}

}  // namespace entente
