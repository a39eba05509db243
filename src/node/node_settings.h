// From configuration, keys and world to what other rooms are made with. Private to the room.
#pragma once

#include "coalition/world.h"
#include "exchange/exchange.h"
#include "identity/crosswalk.h"
#include "identity/oidc.h"
#include "net/http_server.h"
#include "net/listener.h"
#include "net/tls.h"
#include "node/config.h"
#include "node/keys.h"

#include <string>
#include <string_view>

namespace entente::node {

// `display_name` becomes what people are told their provider is called. Error "node.issuer".
[[nodiscard]] Result<identity::OidcClient> make_oidc(const coalition::World& world, const Keys& keys,
                                                     std::string& display_name);
// Error "node.crosswalk".
[[nodiscard]] Result<identity::Crosswalk> make_crosswalk(const coalition::World& world,
                                                         const crypto::PublicKey& nation_key);
[[nodiscard]] net::HttpServerLimits http_limits(const Limits& limits);
[[nodiscard]] net::ListenerLimits listener_limits(const Limits& limits);
[[nodiscard]] Result<net::TlsServer> make_door_tls(const NodeConfig& config, const Keys& keys);
[[nodiscard]] Result<net::TlsClient> make_link_tls(const Keys& keys, std::string_view alpn);
[[nodiscard]] Result<net::TlsClient> make_provider_tls(const NodeConfig& config);
[[nodiscard]] exchange::Exchange::Options exchange_options(const Limits& limits);
[[nodiscard]] size_t count_of_loops(const NodeConfig& config);

}  // namespace entente::node
