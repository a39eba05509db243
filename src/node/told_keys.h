// The keys of a nation's key service, told to each partner with its list of offers (offers.h): those that are
// given out now. What they name is what partners seal for; what they no longer name still opens, for as long
// as the service keeps it. Pure. docs/wire-formats/offers.md.
#pragma once

#include "coalition/world.h"

#include <optional>
#include <string_view>

namespace entente::node {

// Of the own service: {"url", "keys": [{"kid", "algorithm", "pem"}]}, the newest of each algorithm that is
// not recalled. `keys`: all that it holds, as public_kas_keys() gives them. Null where this nation has no
// service.
[[nodiscard]] Json told_keys(const coalition::World& world, const Json& keys);

// What a partner says of its own service, signed at `issued`, checked: the changed record key-service/<from>,
// or nothing when nothing is new. Where the service is and what it opens is not a partner's to change.
// Errors: "offers.keys"; "offers.authority": another nation's service; "offers.old": newer ones were heard.
[[nodiscard]] Result<std::optional<coalition::Record>> hear_keys(const coalition::World& world,
                                                                 const PartnerCode& from, const Json& said,
                                                                 Instant issued);

// The key of that algorithm that is wrapped for at another nation's service, of its record; nullptr: none.
[[nodiscard]] const Json* told_key(const Json& service, std::string_view algorithm);

}  // namespace entente::node
