// What passes between a browser and an app, and what never does. Pure.
#pragma once

#include "net/http_message.h"

#include <optional>
#include <string>

namespace entente::exchange {

inline constexpr std::string_view kSessionHeader =
    "entente-session";  // home to host: the host's id of the session
inline constexpr std::string_view kRefusalHeader =
    "entente-refusal";  // host to home: a refusal of ours, as JSON

// From a browser towards an app: no hop-by-hop fields, nothing that claims an identity or an address, none of
// our cookies.
void clean_request(net::Headers& headers);
// From an app towards a browser: no hop-by-hop fields, none of our names, cookies for this one origin only,
// nothing kept in caches, no service workers.
void clean_response(net::Headers& headers);
// A Set-Cookie value without its Domain; nothing when the cookie would shadow one of ours.
[[nodiscard]] std::optional<std::string> own_origin_cookie(std::string_view set_cookie);

// Methods that pass to an app: none that opens a tunnel, none whose answer repeats the request.
[[nodiscard]] bool is_relayed_method(std::string_view method);
// Upgrades that pass to an app (empty: none was asked for): none into HTTP or TLS, inside of which requests
// would pass that nobody decided, and none of the names that nodes use among themselves.
[[nodiscard]] bool is_relayed_upgrade(std::string_view protocol);

// Methods that change nothing, CalDAV's reading ones (RFC 4918, RFC 3253) among them: no form of another site
// can send those, and scripts of one always say their Origin. For all others the Origin has to be the app's
// own.
[[nodiscard]] bool is_safe_method(std::string_view method);
// A person's own way to a page: no script's and no frame's. Browsers without Sec-Fetch are believed.
[[nodiscard]] bool is_own_navigation(const net::RequestHead& head);
// Exactly the app's own origin; for safe methods that are no upgrades a missing Origin is fine. Never what a
// page elsewhere embeds: another app could read scripts and pictures of this one, or show it as its own.
[[nodiscard]] bool origin_fits(const net::RequestHead& head, std::string_view own_origin, bool upgrade);

}  // namespace entente::exchange
