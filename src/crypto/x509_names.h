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
[[nodiscard]] std::string common_name_of(const X509_NAME* name);

// For certificates we make: "crypto" refuses to sign what others would read differently.
[[nodiscard]] Result<void> check_wanted_names(const std::string& common_name, const AlternativeNames& names);

}  // namespace entente::crypto
