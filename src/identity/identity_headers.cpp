#include "identity/identity_headers.h"

#include <algorithm>
#include <array>
#include <string>

namespace entente::identity {
namespace {

// By which gateways and access proxies name a visitor, a certificate or an address to what stands behind
// them.
constexpr std::array<std::string_view, 13> kPrefixes{
    "entente-",        "x-forwarded-", "x-entente-",   "cf-access-",   "x-pomerium-",
    "x-auth-request-", "x-authentik-", "x-goog-iap-",  "x-amzn-oidc-", "x-ms-client-principal",
    "x-ssl-client-",   "ssl-client-",  "x-client-cert"};
constexpr std::array<std::string_view, 31> kNames{"forwarded",
                                                  "via",
                                                  "x-real-ip",
                                                  "x-client-ip",
                                                  "client-ip",
                                                  "x-cluster-client-ip",
                                                  "x-original-forwarded-for",
                                                  "x-originating-ip",
                                                  "x-remote-ip",
                                                  "x-remote-addr",
                                                  "true-client-ip",
                                                  "cf-connecting-ip",
                                                  "cf-connecting-ipv6",
                                                  "fastly-client-ip",
                                                  "x-envoy-external-address",
                                                  "remote-user",
                                                  "x-remote-user",
                                                  "remote-name",
                                                  "remote-email",
                                                  "remote-groups",
                                                  "x-remote-group",
                                                  "x-remote-groups",
                                                  "x-user",
                                                  "x-user-id",
                                                  "x-username",
                                                  "x-webauth-user",
                                                  "x-authenticated-user",
                                                  "x-authenticated-userid",
                                                  "x-authorization",
                                                  "client-cert",  // RFC 9440
                                                  "client-cert-chain"};

// Most names that come begin as none of these does.
constexpr auto kFirstBytes = [] {
  std::array<bool, 256> table{};
  const auto add = [&table](std::string_view name) {
    table[static_cast<unsigned char>(name.front())] = true;
    table[static_cast<unsigned char>(name.front() - 'a' + 'A')] = true;
  };
  for (std::string_view name : kPrefixes) add(name);
  for (std::string_view name : kNames) add(name);
  return table;
}();

std::string plain(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (c == '_') c = '-';
  }
  return out;
}

}  // namespace

bool is_identity_header(std::string_view name) {
  if (name.empty() || !kFirstBytes[static_cast<unsigned char>(name.front())]) return false;
  const std::string low = plain(name);
  return std::ranges::find(kNames, low) != kNames.end() ||
         std::ranges::any_of(kPrefixes, [&low](std::string_view prefix) { return low.starts_with(prefix); });
}

}  // namespace entente::identity
