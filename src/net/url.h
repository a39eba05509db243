// Addresses, read strictly (RFC 3986 as far as https needs it). Pure. Errors "url.*".
#pragma once

#include "base/form.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace entente::net {

struct Authority {
  std::string host;   // lower case; IPv6 without its brackets
  uint16_t port = 0;  // 0 when not given
  bool is_ipv6 = false;
  [[nodiscard]] std::string text() const;  // host[:port], as Host and :authority want it
  bool operator==(const Authority&) const = default;
};
// host[:port]: names of letters, digits, "-" and "_" in labels of at most 63, IPv4, or IPv6 in brackets. No
// user part, no percent codes, no trailing dot.
[[nodiscard]] Result<Authority> parse_authority(std::string_view text);
[[nodiscard]] bool is_authority(std::string_view text);

struct Url {
  std::string scheme;  // "https" or "http"
  std::string host;    // lower case; IPv6 without its brackets
  uint16_t port = 0;   // the scheme's own when not given
  std::string path;    // begins with "/"
  std::string query;   // without "?"
  bool has_query = false;
  bool is_ipv6 = false;
  [[nodiscard]] std::string authority() const;  // host, and the port unless it is the scheme's own
  [[nodiscard]] std::string target() const;     // path?query
  [[nodiscard]] std::string origin() const;     // scheme://authority (RFC 6454 section 6.2)
  [[nodiscard]] std::string text() const;
  bool operator==(const Url&) const = default;
};
// http and https only; no user part, no fragment, at most 8 KiB.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

using entente::find_pair;
using entente::Pairs;
using entente::parse_form;
using entente::percent_decode;
using entente::percent_encode;

}  // namespace entente::net
