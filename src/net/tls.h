// TLS 1.3 on sockets (RFC 8446), nothing older; no early data, no renegotiation, no compression.
// Contexts may be used from any thread; reload() takes effect for the handshakes that begin after it.
// Errors of make/reload: "tls.certificate", "tls.key", "tls.mismatch", "tls.trust". Errors of handshakes:
// "net.timeout", "net.reset", "tls.handshake" (what OpenSSL says of the peer), "tls.untrusted" (the server is
// not who it should be).
#pragma once

#include "base/result.h"
#include "base/time.h"
#include "net/stream.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente::net {

struct TlsIdentity {
  std::string chain_pem{};  // own certificate first, then intermediates; at most 64 KiB
  std::string key_pem{};    // its private key, not encrypted; cleansed after use
};

struct TlsServerConfig {
  struct Protocol {
    std::string alpn{};
    // Ask for a client certificate and refuse the handshake without one. TLS checks that the peer holds its
    // key; who it is must be checked by the caller: look TlsPeer::thumbprint up (no chain is validated).
    bool client_certificate = false;
  };
  TlsIdentity identity{};
  // Shown instead on protocols that ask for a client certificate: peers pin it, browsers never see it.
  std::optional<TlsIdentity> pinned_identity{};
  std::vector<Protocol> protocols{};  // by preference; a client that names none of them is refused
  // What a client gets that sends no ALPN at all; empty refuses it. Must be one of `protocols` without
  // certificate.
  std::string default_alpn{};
  Millis handshake_timeout{10'000};
};

class TlsServer {
 public:
  [[nodiscard]] static Result<TlsServer> make(TlsServerConfig config);
  TlsServer(TlsServer&&) noexcept;
  TlsServer& operator=(TlsServer&&) noexcept;
  ~TlsServer();
  [[nodiscard]] Result<void> reload(TlsIdentity identity);  // on error the old one stays
  // The handshake on a fresh socket. Call it on `loop`. The server object may go before the stream does.
  [[nodiscard]] Task<Result<std::unique_ptr<Stream>>> accept(Loop& loop, Socket socket) const;

  struct Impl;

 private:
  explicit TlsServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

struct TlsClientConfig {
  std::optional<TlsIdentity> identity{};  // shown when the server asks
  std::string trust_pem{};                // certificate authorities; may be empty when every target is pinned
  std::vector<std::string> alpn{};        // offered, by preference; the server must choose one unless empty
  Millis handshake_timeout{10'000};
};

// Whom a client means to reach: by one of the pinned certificates when there are any, otherwise by chain and
// host name.
struct TlsTarget {
  std::string host{};  // checked against subjectAltName; sent as SNI when it is a name
  std::vector<Thumbprint> pins{};
  std::optional<Millis> timeout{};  // for the handshake, where shorter than the context's
};

class TlsClient {
 public:
  [[nodiscard]] static Result<TlsClient> make(TlsClientConfig config);
  TlsClient(TlsClient&&) noexcept;
  TlsClient& operator=(TlsClient&&) noexcept;
  ~TlsClient();
  [[nodiscard]] Task<Result<std::unique_ptr<Stream>>> connect(Loop& loop, Socket socket,
                                                              TlsTarget target) const;

  struct Impl;

 private:
  explicit TlsClient(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace entente::net
