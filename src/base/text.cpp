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

bool is_blank(std::string_view text) {
  while (!text.empty()) {
    size_t bytes = text.front() == ' ' ? 1 : 0;
    // U+00A0; U+2000 to U+200D and U+202F; U+2060; U+3000; U+FEFF
    for (const std::string_view wide :
         {"\xc2\xa0", "\xe2\x80\xaf", "\xe2\x81\xa0", "\xe3\x80\x80", "\xef\xbb\xbf"})
      if (text.starts_with(wide)) bytes = wide.size();
    if (text.size() > 2 && text.starts_with("\xe2\x80") && static_cast<unsigned char>(text[2]) <= 0x8d)
      bytes = 3;
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

std::string readable(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t bytes = steering_at(text, i);
    if (bytes == 0) {
      out.push_back(text[i]);
    } else {
      const bool gap = text[i] == '\n' || text[i] == '\r' || text[i] == '\t';
      out += gap ? " " : "\xef\xbf\xbd";
    }
    i += bytes == 0 ? 1 : bytes;
  }
  return out;
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
