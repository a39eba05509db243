#include "base/text.h"

namespace entente {
namespace {

// How many bytes the character at `i` has, if it steers; else 0.
size_t steering_at(std::string_view text, size_t i) {
  const auto at = [&](size_t ahead) {
    return i + ahead < text.size() ? static_cast<unsigned char>(text[i + ahead]) : 0U;
  };
  const unsigned first = at(0);
  if (first < 0x20 || first == 0x7f) return 1;
  if (first == 0xc2 && at(1) >= 0x80 && at(1) < 0xa0) return 2;  // U+0080 to U+009F
  if (first == 0xd8 && at(1) == 0x9c) return 2;                  // U+061C
  if (first != 0xe2) return 0;
  const bool general = at(1) == 0x80 && (at(2) == 0x8e || at(2) == 0x8f ||   // U+200E, U+200F
                                         (at(2) >= 0xa8 && at(2) <= 0xae));  // U+2028 to U+202E
  const bool isolates = at(1) == 0x81 && at(2) >= 0xa6 && at(2) <= 0xa9;     // U+2066 to U+2069
  return general || isolates ? 3 : 0;
}

}  // namespace

bool is_line(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i)
    if (steering_at(text, i) != 0) return false;
  return true;
}

std::string printable(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t bytes = steering_at(text, i);
    out.push_back(bytes == 0 ? text[i] : '?');
    i += bytes == 0 ? 1 : bytes;
  }
  return out;
}

}  // namespace entente
