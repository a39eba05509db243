// Private to this room: names in certificates and requests.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

#include <openssl/x509.h>

namespace entente::crypto {

struct AlternativeNames {
  std::vector<std::string> dns;
  std::vector<std::string> uris;
};
[[nodiscard]] AlternativeNames read_alternative_names(const X509* certificate);
[[nodiscard]] AlternativeNames read_alternative_names(const STACK_OF(X509_EXTENSION) * extensions);
// Refuses names that text can't carry (a NUL inside, not ASCII), so that they read alike everywhere.
[[nodiscard]] Result<void> check_alternative_names(const X509* certificate);
// Whether the DNS names, and the DNS names of name constraints, are host names in any letter case (RFC 5280
// sections 4.2.1.6 and 4.2.1.10); a name may begin with "*.", an empty constraint covers every name.
// Constraints that constrain nothing are refused, too.
[[nodiscard]] bool has_plain_dns_names(const X509* certificate);
[[nodiscard]] std::string common_name_of(const X509_NAME* name);

// For certificates we make: "crypto" refuses to sign what others would read differently.
[[nodiscard]] Result<void> check_wanted_names(const std::string& common_name, const AlternativeNames& names);

}  // namespace entente::crypto
