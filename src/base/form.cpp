#include "base/form.h"

#include "base/json.h"

#include <algorithm>

namespace entente {
namespace {

Result<std::string> decode_form_part(std::string_view text) {
  std::string spaced(text);
  std::ranges::replace(spaced, '+', ' ');
  TRY(std::string out, percent_decode(spaced));
  const bool clean = is_utf8(out) && std::ranges::all_of(out, [](char c) {
                       const auto byte = static_cast<unsigned char>(c);
                       return (byte >= 0x20 && byte != 0x7f) || c == '\t' || c == '\n' || c == '\r';
                     });
  if (!clean) return fail("url.form", "a form field holds a control character");
  return out;
}

}  // namespace

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_unreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

Result<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0)
      return fail("url.percent", "a percent sign is not followed by two hex digits",
                  "byte " + std::to_string(i));
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (is_unreserved(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

Result<Pairs> parse_form(std::string_view text, size_t pairs_max) {
  Pairs out;
  while (!text.empty()) {
    const size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (pair.empty()) continue;
    if (out.size() == pairs_max)
      return fail("url.form", "more than " + std::to_string(pairs_max) + " form fields came");
    const size_t equals = pair.find('=');
    TRY(std::string name, decode_form_part(pair.substr(0, equals)));
    TRY(std::string value,
        decode_form_part(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1)));
    if (find_pair(out, name) != nullptr) return fail("url.form", "a form field came twice", name);
    out.emplace_back(std::move(name), std::move(value));
  }
  return out;
}

const std::string* find_pair(const Pairs& pairs, std::string_view name) {
  const auto found =
      std::ranges::find(pairs, name, [](const auto& pair) { return std::string_view(pair.first); });
  return found == pairs.end() ? nullptr : &found->second;
}

std::string write_form(const Pairs& pairs) {
  std::string out;
  for (const auto& [name, value] : pairs) {
    if (!out.empty()) out += '&';
    out += percent_encode(name) + "=" + percent_encode(value);
  }
  return out;
}

}  // namespace entente
