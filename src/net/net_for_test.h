// What this room's tests share: certificates for a small coalition, and connected pairs.
#pragma once

#include "base/time.h"
#include "crypto/key.h"
#include "crypto/x509.h"
#include "net/listener.h"
#include "net/tls.h"

#include <algorithm>
#include <string>

namespace entente::net::testing {

struct Authority {
  crypto::PrivateKey key = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  crypto::Certificate certificate = make_authority(key, spec("EXERCISE Root", {}, 48)).value();

  static crypto::CertificateSpec spec(std::string name, std::vector<std::string> dns_names, int hours = 24) {
    const Instant now = system_clock().now();
    return {.common_name = std::move(name),
            .organization = "EXERCISE",
            .dns_names = std::move(dns_names),
            .uris = {},
            .use = crypto::CertificateUse::server_and_client,
            .begin = now - std::chrono::hours(hours),
            .end = now + std::chrono::hours(hours)};
  }
  [[nodiscard]] TlsIdentity issue(const std::string& name, std::vector<std::string> dns_names) const {
    const auto own = crypto::PrivateKey::generate(crypto::KeyKind::p256);
    const auto issued =
        crypto::issue_certificate(certificate, key, own.public_key(), spec(name, std::move(dns_names)));
    const crypto::Secret pem = own.pem();
    return {.chain_pem = issued->pem(), .key_pem = std::string(as_text(pem.bytes()))};
  }
};

inline const Authority& authority() {
  static const Authority one;
  return one;
}

inline TlsIdentity door_identity() {
  return authority().issue("door", {"door.xbb.localhost", "*.xbb.localhost"});
}

// Of the first certificate in it.
inline Thumbprint thumbprint_of(const TlsIdentity& identity) {
  const auto chain = crypto::Certificate::chain_from_pem(identity.chain_pem).value();
  const Bytes bytes = from_base64url(chain.at(0).thumbprint()).value();
  Thumbprint out{};
  std::ranges::copy(bytes, out.begin());
  return out;
}

// Asks for a client certificate on links, never of browsers.
inline TlsServerConfig door_config() {
  return {.identity = door_identity(),
          .protocols = {{.alpn = "entente-link/1", .client_certificate = true}, {.alpn = "http/1.1"}},
          .default_alpn = "http/1.1",
          .handshake_timeout = Millis(5'000)};
}

inline TlsClientConfig browser_config() {
  return {.identity = std::nullopt, .trust_pem = authority().certificate.pem(), .alpn = {"http/1.1"}};
}

}  // namespace entente::net::testing
