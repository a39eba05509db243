#include "identity/web_text.h"

#include <algorithm>

namespace entente::identity {
namespace {

constexpr size_t kUrlBytesMax = 2048;
constexpr size_t kFormBytesMax = 16 * 1024;
constexpr size_t kFormFieldsMax = 32;

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Failure bad_form(std::string what) {
  return fail("oidc.answer", std::move(what));
}

Result<std::string> decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out.push_back(' ');
    } else if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) return bad_form("An escape in the form is not two hexadecimal digits.");
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return out;
}

std::string encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_unreserved(c))
      out.push_back(c);
    else
      out.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
  }
  return out;
}

}  // namespace

Result<std::string> https_authority(std::string_view url) {
  constexpr std::string_view kScheme = "https://";
  const auto wrong = fail("oidc.config", "This is not a plain https URL.", std::string(url.substr(0, 200)));
  if (url.size() > kUrlBytesMax || !url.starts_with(kScheme)) return wrong;
  if (!std::ranges::all_of(url,
                           [](char c) { return c > ' ' && c < 0x7f && c != '\\' && c != '#' && c != '"'; }))
    return wrong;
  const std::string_view rest = url.substr(kScheme.size());
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  const std::string_view host = authority.substr(0, authority.find(':'));
  if (host.empty() || !std::ranges::all_of(host, is_host_char)) return wrong;
  if (host.size() == authority.size()) return std::string(host) + ":443";
  const std::string_view port = authority.substr(host.size() + 1);
  if (port.empty() || port.size() > 5 || port.front() == '0' || !std::ranges::all_of(port, is_digit))
    return wrong;
  return std::string(authority);
}

std::string form_text(const Form& form) {
  std::string out;
  for (const auto& [name, value] : form) {
    if (!out.empty()) out.push_back('&');
    out.append(encode(name)).append("=").append(encode(value));
  }
  return out;
}

Result<Form> parse_form(std::string_view text) {
  if (text.size() > kFormBytesMax) return bad_form("The form is too long.");
  Form out;
  while (!text.empty()) {
    const std::string_view field = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), field.size() + 1));
    if (field.empty()) continue;
    const size_t equals = field.find('=');
    TRY(std::string name, decode(field.substr(0, equals)));
    TRY(std::string value,
        decode(equals == std::string_view::npos ? std::string_view() : field.substr(equals + 1)));
    if (find(out, name) != nullptr) return bad_form("A field of the form is there twice.");
    if (out.size() == kFormFieldsMax) return bad_form("The form has too many fields.");
    out.emplace_back(std::move(name), std::move(value));
  }
  return out;
}

const std::string* find(const Form& form, std::string_view name) {
  const auto at =
      std::ranges::find(form, name, [](const auto& field) -> std::string_view { return field.first; });
  return at == form.end() ? nullptr : &at->second;
}

}  // namespace entente::identity
