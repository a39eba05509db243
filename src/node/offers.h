// How a node tells its partners which of its apps they may know of: one signed list to each, whole,
// short-lived, newest wins. A list that no longer names an app takes the offer back. With it go the keys of
// its key service (told_keys.h). JWS ES256, typ "entente-offers+jwt". Errors: "offers.*" and those of
// crypto/jose.h.
#pragma once

#include "coalition/world.h"
#include "crypto/key.h"
#include "node/records.h"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace entente::node {

inline constexpr Seconds kOffersLife{300};

// `service_keys`: all that the own key service holds, as public_kas_keys() gives them. `served`: whether
// somebody serves that app now; without it nothing is said of that.
using Served = std::function<bool(const AppId&)>;
[[nodiscard]] Result<std::string> sign_offers(const coalition::World& world, const PartnerCode& audience,
                                              const Json& service_keys, const crypto::PrivateKey& key,
                                              Instant now, const Served& served = {});

struct HeardOffers {
  Instant issued;
  Change change;             // of offers; empty records: nothing is new
  Change keys;               // the same of its key service: what is wrong with one keeps out no other
  std::set<AppId> unserved;  // apps that nobody serves now; kept by nobody but the lobby
  std::optional<Error> keys_refused;  // the rest of the list counts all the same
};
// Checks a partner's list against its keys and against the world; `newest` is when the last list heard was
// signed.
[[nodiscard]] Result<HeardOffers> hear_offers(const coalition::World& world, const PartnerCode& from,
                                              std::string_view jws, Instant newest, Instant now);

// How much partners' lists may have this node write, each for itself: it keeps every change. What narrows is
// always taken; what is too much now is heard again with a later list.
class ListBudget {
 public:
  static constexpr size_t kBytesAnHour = 4 << 20;
  [[nodiscard]] bool take(const PartnerCode& from, const Change& change, Tick now);

 private:
  struct Hour {
    Tick begin{};
    size_t left = kBytesAnHour;
  };
  std::map<PartnerCode, Hour> hours_;
};

}  // namespace entente::node
