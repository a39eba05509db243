// How a node tells its partners which of its apps they may know of: one signed list to each, whole,
// short-lived, newest wins. A list that no longer names an app takes the offer back. JWS ES256, typ
// "entente-offers+jwt". Errors: "offers.*" and those of crypto/jose.h.
#pragma once

#include "coalition/world.h"
#include "crypto/key.h"
#include "node/records.h"

#include <optional>
#include <string>
#include <string_view>

namespace entente::node {

inline constexpr Seconds kOffersLife{300};

[[nodiscard]] Result<std::string> sign_offers(const coalition::World& world, const PartnerCode& audience,
                                              const crypto::PrivateKey& key, Instant now);

struct HeardOffers {
  Instant issued;
  Change change;  // empty records: nothing is new
};
// Checks a partner's list against its keys and against the world; `newest` is when the last list heard was
// signed.
[[nodiscard]] Result<HeardOffers> hear_offers(const coalition::World& world, const PartnerCode& from,
                                              std::string_view jws, Instant newest, Instant now);

}  // namespace entente::node
