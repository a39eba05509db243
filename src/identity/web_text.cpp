#include "identity/web_text.h"

#include <algorithm>

namespace entente::identity {
namespace {

constexpr size_t kUrlBytesMax = 2048;

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
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

}  // namespace entente::identity
