// Marking lines as people and machines disguise them, in one form.
#include "label/marking.h"

#include <algorithm>
#include <array>

namespace entente::label {
namespace {

struct Alike {
  char32_t from;
  char to;
};
// Cyrillic and Greek letters that look like Latin capitals.
constexpr auto kAlike = std::to_array<Alike>(
    {{0x391, 'A'}, {0x392, 'B'}, {0x395, 'E'}, {0x396, 'Z'}, {0x397, 'H'}, {0x399, 'I'}, {0x39a, 'K'},
     {0x39c, 'M'}, {0x39d, 'N'}, {0x39f, 'O'}, {0x3a1, 'P'}, {0x3a4, 'T'}, {0x3a5, 'Y'}, {0x3a7, 'X'},
     {0x3bf, 'O'}, {0x405, 'S'}, {0x406, 'I'}, {0x408, 'J'}, {0x410, 'A'}, {0x412, 'B'}, {0x415, 'E'},
     {0x41a, 'K'}, {0x41c, 'M'}, {0x41d, 'H'}, {0x41e, 'O'}, {0x420, 'P'}, {0x421, 'C'}, {0x422, 'T'},
     {0x423, 'Y'}, {0x425, 'X'}, {0x430, 'A'}, {0x432, 'B'}, {0x435, 'E'}, {0x43a, 'K'}, {0x43c, 'M'},
     {0x43d, 'H'}, {0x43e, 'O'}, {0x440, 'P'}, {0x441, 'C'}, {0x442, 'T'}, {0x443, 'Y'}, {0x445, 'X'},
     {0x455, 'S'}, {0x456, 'I'}, {0x458, 'J'}, {0x4ae, 'Y'}, {0x4bb, 'H'}, {0x4c0, 'I'}, {0x51a, 'Q'},
     {0x51b, 'Q'}, {0x51c, 'W'}, {0x51d, 'W'}});

bool is_space(char32_t c) {
  return c == 0x20 || (c >= 9 && c <= 13) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

bool is_invisible(char32_t c) {
  return c == 0xad || (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
         (c >= 0x2060 && c <= 0x2069) || c == 0xfeff || c == 0x180e || (c >= 0xfe00 && c <= 0xfe0f);
}

bool is_dash(char32_t c) {
  return (c >= 0x2010 && c <= 0x2015) || c == 0x2212 || c == 0xfe58 || c == 0xfe63;
}

// The next code point of strict UTF-8; nothing when there is none.
std::optional<char32_t> next(std::string_view& text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  const size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (length == 0 || first > 0xf4 || text.size() < length) return std::nullopt;
  char32_t out = length == 1 ? first : first & (0xffU >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return std::nullopt;
    out = (out << 6U) | (byte(i) & 0x3fU);
  }
  const bool long_way = (length == 3 && out < 0x800) || (length == 4 && (out < 0x10000 || out > 0x10ffff));
  if (long_way || (out >= 0xd800 && out <= 0xdfff)) return std::nullopt;
  text.remove_prefix(length);
  return out;
}

void append(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0U | (c >> 6U));
    out += static_cast<char>(0x80U | (c & 0x3fU));
  } else {
    if (c < 0x10000) {
      out += static_cast<char>(0xe0U | (c >> 12U));
    } else {
      out += static_cast<char>(0xf0U | (c >> 18U));
      out += static_cast<char>(0x80U | ((c >> 12U) & 0x3fU));
    }
    out += static_cast<char>(0x80U | ((c >> 6U) & 0x3fU));
    out += static_cast<char>(0x80U | (c & 0x3fU));
  }
}

char32_t plain(char32_t c, LetterCase letters) {
  if (c >= 0xff01 && c <= 0xff5e) c -= 0xfee0;  // full width
  if (is_dash(c)) return '-';
  const auto alike = std::lower_bound(kAlike.begin(), kAlike.end(), c,
                                      [](const Alike& one, char32_t wanted) { return one.from < wanted; });
  if (alike != kAlike.end() && alike->from == c) return static_cast<char32_t>(alike->to);
  return letters == LetterCase::folded && c >= 'a' && c <= 'z' ? c - 32 : c;
}

}  // namespace

std::optional<std::string> folded_marking(std::string_view text, std::vector<uint32_t>* columns,
                                          LetterCase letters) {
  std::string out;
  uint32_t column = 0;
  bool space = false;
  uint32_t space_column = 0;
  const auto put = [&](char32_t c, uint32_t from) {
    append(out, c);
    if (columns != nullptr) columns->resize(out.size(), from);
  };
  while (!text.empty()) {
    const auto read = next(text);
    if (!read) return std::nullopt;
    ++column;
    if (is_invisible(*read)) continue;
    if (is_space(*read)) {
      if (!space) space_column = column;
      space = true;
      continue;
    }
    const char32_t c = plain(*read, letters);
    // Spaces beside a slash say nothing: " / / " is "//".
    if (space && c != '/' && !out.ends_with('/')) put(' ', space_column);
    space = false;
    put(c, column);
  }
  if (space && !out.ends_with('/')) put(' ', space_column);
  if (columns != nullptr) columns->push_back(column + 1);
  return out;
}

}  // namespace entente::label
