#include "node/node_settings.h"

#include "base/file.h"
#include "exchange/door.h"

#include <algorithm>
#include <thread>

namespace entente::node {
namespace {

constexpr std::string_view kIssuerKey = "issuer/main";
constexpr std::string_view kCrosswalkKey = "crosswalk/main";

}  // namespace

Result<identity::OidcClient> make_oidc(const coalition::World& world, const Keys& keys,
                                       std::string& display_name) {
  const Json* issuer = world.raw(kIssuerKey);
  if (issuer == nullptr) {
    return fail("node.issuer", "the world names no identity provider", std::string(kIssuerKey),
                "put it into the genesis");
  }
  Json settings = *issuer;
  display_name = std::string(settings.text_or("name", "your identity provider"));
  std::erase_if(settings.members(), [](const Json::Member& member) { return member.first == "name"; });
  settings.set("client_kid", key_id(keys.oidc_client));
  TRY(identity::OidcProvider provider, identity::oidc_provider_from_json(settings));
  return identity::OidcClient(std::move(provider), keys.oidc_client,
                              [](size_t count) { return crypto::random_bytes(count); });
}

Result<identity::Crosswalk> make_crosswalk(const coalition::World& world,
                                           const crypto::PublicKey& nation_key) {
  const Json* record = world.raw(kCrosswalkKey);
  if (record == nullptr) {
    return fail("node.crosswalk", "the world has no crosswalk for its identity provider",
                std::string(kCrosswalkKey), "put it into the genesis");
  }
  TRY(const crypto::KeySet keys,
      crypto::KeySet::from_keys(
          {{nation_key.thumbprint(), crypto::default_alg(nation_key.kind()), nation_key}}));
  return identity::Crosswalk::open(record->text_or("jws", ""), keys, world.self());
}

net::HttpServerLimits http_limits(const Limits& limits) {
  net::HttpServerLimits out;
  out.head_timeout = limits.head_timeout;
  out.idle_timeout = limits.idle_timeout;
  out.write_timeout = limits.write_timeout;
  out.body_timeout = limits.body_timeout;
  out.body_rate_min = static_cast<uint64_t>(limits.body_bytes_per_s_min);
  out.h2.streams_max = static_cast<uint32_t>(limits.http2_streams_max);
  out.h2.resets_max = static_cast<uint32_t>(limits.http2_resets_max);
  return out;
}

Result<net::TlsServer> make_door_tls(const NodeConfig& config, const Keys& keys) {
  net::TlsServerConfig tls;
  TRY(tls.identity.chain_pem, read_file(config.door_certificate));
  TRY(tls.identity.key_pem, read_file(config.door_key));
  const crypto::Secret link_key = keys.link.pem();
  tls.pinned_identity = net::TlsIdentity{keys.link_certificate.pem(), std::string(as_text(link_key.bytes()))};
  tls.protocols = exchange::door_protocols();
  tls.default_alpn = "http/1.1";
  tls.handshake_timeout = config.limits.head_timeout;
  return net::TlsServer::make(std::move(tls));
}

Result<net::TlsClient> make_link_tls(const Keys& keys, std::string_view alpn) {
  net::TlsClientConfig tls;
  const crypto::Secret link_key = keys.link.pem();
  tls.identity = net::TlsIdentity{keys.link_certificate.pem(), std::string(as_text(link_key.bytes()))};
  tls.alpn = {std::string(alpn)};
  return net::TlsClient::make(std::move(tls));
}

Result<net::TlsClient> make_provider_tls(const NodeConfig& config) {
  net::TlsClientConfig tls;
  TRY(tls.trust_pem, read_file(config.trust));
  tls.alpn = {"http/1.1"};
  return net::TlsClient::make(std::move(tls));
}

exchange::Exchange::Options exchange_options(const Limits& limits) {
  exchange::Exchange::Options out;
  out.limits.sessions_max = static_cast<size_t>(limits.sessions_max);
  out.limits.sessions_per_person_max = static_cast<size_t>(limits.sessions_per_person_max);
  out.limits.sessions_per_partner_max = static_cast<size_t>(limits.sessions_per_partner_max);
  out.limits.asks_per_second = static_cast<uint32_t>(limits.admissions_per_partner_per_s);
  out.limits.asks_burst = 2 * out.limits.asks_per_second;
  return out;
}

net::ListenerLimits listener_limits(const Limits& limits) {
  net::ListenerLimits out;
  out.connections_max = static_cast<size_t>(limits.connections_max);
  out.connections_per_source_max = static_cast<size_t>(limits.connections_per_source_max);
  out.half_open_max = static_cast<size_t>(limits.half_open_max);
  out.half_open_per_source_max = static_cast<size_t>(limits.half_open_per_source_max);
  return out;
}

size_t count_of_loops(const NodeConfig& config) {
  if (config.loops != 0) return static_cast<size_t>(config.loops);
  return std::clamp<size_t>(std::thread::hardware_concurrency(), 1, kLoopsByDefaultMax);
}

}  // namespace entente::node
