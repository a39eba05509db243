// What one node tells another with a request for keys: whose person asks, by which device, and for exactly
// which request. A JWS (typ "entente-key-request+jwt") that lives a minute, for one node, used once.
// docs/wire-formats/kas.md. Errors: "node.voucher", and those of crypto/jose.h.
#pragma once

#include "base/used_once.h"
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
  Instant begin{};
  Instant end{};
};
[[nodiscard]] Result<Voucher> check_voucher(std::string_view jws, const coalition::Partner& from,
                                            const PartnerCode& self, std::string_view request, Instant now);

// Which vouchers were used, until they end: each counts once. Each nation fills its own part alone. Errors:
// "node.voucher" (used before, or made before `started`: it may have been used in an earlier life),
// "node.vouchers-full" (of that nation, at once).
class UsedVouchers {
 public:
  static constexpr size_t kOfOneMax = 50'000;
  explicit UsedVouchers(Instant started, size_t of_one_max = kOfOneMax)
      : started_(started), used_(SIZE_MAX, of_one_max) {}
  [[nodiscard]] Result<void> use(const PartnerCode& from, const Voucher& voucher, Instant now);
  // The clock was put right: what was used before is forgotten by time, so nothing from before counts.
  void go_on_from(Instant started) { started_ = started; }

 private:
  Instant started_;
  UsedOnce used_;
};

}  // namespace entente::node
