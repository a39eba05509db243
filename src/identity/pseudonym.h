// The id a person has at one host for one app. Without the home node's secret nobody can tell whether two of
// them, made for other apps or hosts, are one person; the home node keeps the secret for as long as apps
// should recognise people.
#pragma once

#include "base/ids.h"
#include "crypto/digest.h"

#include <string_view>

namespace entente::identity {

inline constexpr size_t kPseudonymSecretBytesMin = 32;

// `secret` has at least kPseudonymSecretBytesMin bytes, else the process ends.
[[nodiscard]] PersonId pseudonym(const crypto::Secret& secret, const PartnerCode& nation,
                                 std::string_view issuer, std::string_view subject, const PartnerCode& host,
                                 const AppId& app);

}  // namespace entente::identity
