#include "net/url.h"

#include "net/http_message.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace entente::net {
namespace {

constexpr size_t kUrlBytesMax = 8 * 1024;
constexpr size_t kHostBytesMax = 253;
constexpr size_t kLabelBytesMax = 63;

constexpr auto kLabelBytes = [] {
  std::array<bool, 256> table{};
  for (unsigned c = '0'; c <= '9'; ++c) table[c] = true;
  for (unsigned c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (unsigned c = 'A'; c <= 'Z'; ++c) table[c] = true;
  table['-'] = table['_'] = true;
  return table;
}();

bool is_name(std::string_view host) {
  if (host.empty() || host.size() > kHostBytesMax) return false;
  size_t label = 0;
  for (const char c : host) {
    if (kLabelBytes[static_cast<unsigned char>(c)]) {
      if (++label > kLabelBytesMax) return false;
    } else {
      if (c != '.' || label == 0) return false;
      label = 0;
    }
  }
  return label > 0;
}

// Shape only: whether the groups add up is for who dials it. Zones ("%eth0") are refused.
bool is_ipv6_text(std::string_view host) {
  return host.size() >= 2 && host.size() <= 45 && std::ranges::count(host, ':') >= 2 &&
         std::ranges::all_of(host, [](char c) { return hex_value(c) >= 0 || c == ':' || c == '.'; });
}

Result<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || text.size() > 5 || fault != std::errc() || end != text.data() + text.size() ||
      port == 0 || text.front() == '0')
    return fail("url.port", "the port is not a number from 1 to 65535", std::string(text.substr(0, 16)));
  return port;
}

uint16_t default_port(std::string_view scheme) {
  return scheme == "https" ? 443 : 80;
}

}  // namespace

std::string Authority::text() const {
  std::string out = is_ipv6 ? "[" + host + "]" : host;
  if (port != 0) out += ":" + std::to_string(port);
  return out;
}

namespace {

struct AuthorityParts {
  std::string_view host;
  uint16_t port = 0;
  bool is_ipv6 = false;
};

Result<AuthorityParts> split_authority(std::string_view text) {
  AuthorityParts out;
  std::string_view& host = out.host;
  std::string_view rest;
  host = text;
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    host = close == std::string_view::npos ? std::string_view() : text.substr(1, close - 1);
    rest = close == std::string_view::npos ? std::string_view() : text.substr(close + 1);
    out.is_ipv6 = true;
    if (!rest.empty() && rest.front() != ':') host = {};
  } else if (const size_t colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  if (out.is_ipv6 ? !is_ipv6_text(host) : !is_name(host))
    return fail("url.host", "the host is not a name or an address", {}, "write it as name[:port]");
  if (!rest.empty()) {
    TRY(out.port, parse_port(rest.substr(1)));
  }
  return out;
}

}  // namespace

Result<Authority> parse_authority(std::string_view text) {
  TRY(const AuthorityParts parts, split_authority(text));
  return Authority{lower_case(parts.host), parts.port, parts.is_ipv6};
}

bool is_authority(std::string_view text) {
  return split_authority(text).has_value();
}

std::string Url::authority() const {
  std::string out = is_ipv6 ? "[" + host + "]" : host;
  if (port != default_port(scheme)) out += ":" + std::to_string(port);
  return out;
}
std::string Url::target() const {
  return has_query ? path + "?" + query : path;
}
std::string Url::origin() const {
  return scheme + "://" + authority();
}
std::string Url::text() const {
  return origin() + target();
}

Result<Url> parse_url(std::string_view text) {
  if (text.size() > kUrlBytesMax) return fail("url.length", "the address is longer than 8 KiB");
  const bool plain = std::ranges::all_of(
      text, [](char c) { return c > 0x20 && c < 0x7f && c != '\\' && c != '"' && c != '<' && c != '>'; });
  if (!plain) return fail("url.character", "the address holds a character that must be percent-encoded");
  if (text.find('#') != std::string_view::npos) return fail("url.fragment", "the address has a fragment (#)");
  Url out;
  const size_t scheme_end = text.find("://");
  out.scheme = lower_case(text.substr(0, scheme_end));
  if (scheme_end == std::string_view::npos || (out.scheme != "https" && out.scheme != "http"))
    return fail("url.scheme", "the address does not begin with https:// or http://");
  std::string_view rest = text.substr(scheme_end + 3);
  const size_t path_at = std::min(rest.find_first_of("/?"), rest.size());
  TRY(Authority authority, parse_authority(rest.substr(0, path_at)));
  rest.remove_prefix(path_at);
  const size_t question = rest.find('?');
  out.host = std::move(authority.host);
  out.is_ipv6 = authority.is_ipv6;
  out.port = authority.port != 0 ? authority.port : default_port(out.scheme);
  out.path = question == 0 || rest.empty() ? "/" : std::string(rest.substr(0, question));
  out.has_query = question != std::string_view::npos;
  if (out.has_query) out.query = std::string(rest.substr(question + 1));
  TRY_VOID(percent_decode(out.path));
  return out;
}

}  // namespace entente::net
