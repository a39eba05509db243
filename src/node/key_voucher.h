// What one node tells another with a request for keys: whose person asks, by which device, and for exactly
// which request. A JWS (typ "entente-key-request+jwt") that lives a minute, for one node, used once.
// docs/wire-formats/kas.md. Errors: "node.voucher", and those of crypto/jose.h.
#pragma once

#include "coalition/world.h"
#include "crypto/jose.h"
#include "data/kas.h"

#include <string>
#include <string_view>

namespace entente::node {

inline constexpr Seconds kVoucherLife{60};

// `pairwise`: the person's id at that nation's key service.
[[nodiscard]] Result<std::string> sign_voucher(const crypto::PrivateKey& key, const PartnerCode& self,
                                               const PartnerCode& host, const data::KasCaller& caller,
                                               const PersonId& pairwise, std::string_view request,
                                               Instant now);

struct Voucher {
  data::KasCaller caller;  // a person of `from`, whatever it says
  std::string id;
  Instant end{};
};
[[nodiscard]] Result<Voucher> check_voucher(std::string_view jws, const coalition::Partner& from,
                                            const PartnerCode& self, std::string_view request, Instant now);

}  // namespace entente::node
