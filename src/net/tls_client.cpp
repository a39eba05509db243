#include "crypto/digest.h"
#include "crypto/x509.h"
#include "net/tls_internal.h"

#include <algorithm>
#include <mutex>

#include <arpa/inet.h>

namespace entente::net {
namespace {

// Of one handshake: whom it means to reach, and why whoever answered is not that.
struct Sought {
  TlsTarget target;
  Result<void> found = {};
};

Result<void> check_pin(const TlsTarget& target, X509* shown) {
  const Thumbprint thumbprint = thumbprint_of(shown);
  const bool same = std::ranges::any_of(target.pins, [&](const Thumbprint& pin) {
    return crypto::equal_constant_time(ByteView(thumbprint), ByteView(pin));
  });
  if (!same) return fail("tls.untrusted", "it is none of those that are pinned");
  return {};
}

}  // namespace

struct TlsClient::Impl {
  struct Opening {
    SslPtr ssl;
    Millis handshake_timeout{};
    bool alpn_wanted = false;
  };
  Result<void> load(TlsClientConfig config);
  [[nodiscard]] Opening open();
  static int verify(X509_STORE_CTX* store, void*);

  mutable std::mutex mutex;
  Context context;
  Millis handshake_timeout{};
  bool alpn_wanted = false;
};

// With pins they decide alone; otherwise chain and host name.
int TlsClient::Impl::verify(X509_STORE_CTX* store, void*) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* sought = static_cast<Sought*>(SSL_get_app_data(ssl));
  if (!sought) return 0;
  sought->found =
      sought->target.pins.empty()
          ? crypto::verify_chain(*store, {.now = system_clock().now(), .host = sought->target.host})
          : check_pin(sought->target, X509_STORE_CTX_get0_cert(store));
  X509_STORE_CTX_set_error(store, sought->found ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
  return sought->found ? 1 : 0;
}

Result<void> TlsClient::Impl::load(TlsClientConfig config) {
  TRY(Context fresh, new_context(TLS_client_method()));
  if (config.identity) TRY_VOID(use_identity(fresh.get(), *config.identity));
  TRY(auto anchors, read_certificates(config.trust_pem, "tls.trust", "trusted certificates"));
  if (anchors.empty() && !config.trust_pem.empty()) {
    return fail("tls.trust", "no certificate among the trusted ones", "trusted certificates", "give PEM");
  }
  for (const X509Ptr& anchor : anchors)
    X509_STORE_add_cert(SSL_CTX_get_cert_store(fresh.get()), anchor.get());
  SSL_CTX_set_verify(fresh.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(fresh.get(), verify, nullptr);
  std::string names;
  for (const std::string& name : config.alpn) {
    ENTENTE_CHECK(!name.empty() && name.size() < 256);
    names += static_cast<char>(name.size());
    names += name;
  }
  if (!names.empty()) {
    SSL_CTX_set_alpn_protos(fresh.get(), reinterpret_cast<const unsigned char*>(names.data()),
                            static_cast<unsigned>(names.size()));
  }
  const std::lock_guard lock(mutex);
  std::swap(context, fresh);
  handshake_timeout = config.handshake_timeout;
  alpn_wanted = !names.empty();
  return {};
}

TlsClient::Impl::Opening TlsClient::Impl::open() {
  const std::lock_guard lock(mutex);
  SslPtr ssl(SSL_new(context.get()));
  ENTENTE_CHECK(ssl != nullptr);
  return {std::move(ssl), handshake_timeout, alpn_wanted};
}

TlsClient::TlsClient(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsClient::TlsClient(TlsClient&&) noexcept = default;
TlsClient& TlsClient::operator=(TlsClient&&) noexcept = default;
TlsClient::~TlsClient() = default;

Result<TlsClient> TlsClient::make(TlsClientConfig config) {
  auto impl = std::make_shared<Impl>();
  TRY_VOID(impl->load(std::move(config)));
  return TlsClient(std::move(impl));
}

namespace {

void ask_for(SSL* ssl, Sought& sought) {
  SSL_set_app_data(ssl, &sought);
  const std::string& host = sought.target.host;
  in6_addr scratch;
  const bool numeric =
      ::inet_pton(AF_INET, host.c_str(), &scratch) == 1 || ::inet_pton(AF_INET6, host.c_str(), &scratch) == 1;
  if (!numeric && !host.empty()) SSL_set_tlsext_host_name(ssl, host.c_str());
}

Task<Result<std::unique_ptr<Stream>>> connect_tls(Loop& loop, Socket socket, TlsTarget target,
                                                  std::shared_ptr<TlsClient::Impl> impl) {
  // Without a name there would be nothing to check the certificate against.
  if (target.pins.empty() && target.host.empty())
    co_return fail("tls.untrusted", "no host name and no pin to check the server by");
  TlsClient::Impl::Opening opening = impl->open();
  const Millis timeout =
      std::min(opening.handshake_timeout, target.timeout.value_or(opening.handshake_timeout));
  Sought sought{std::move(target)};
  SSL_set_connect_state(opening.ssl.get());
  ask_for(opening.ssl.get(), sought);
  auto stream = std::make_unique<TlsStream>(loop, std::move(socket), std::move(opening.ssl));
  Result<void> done = co_await stream->handshake(timeout, "server");
  SSL_set_app_data(stream->ssl(), nullptr);  // `sought` goes with this frame
  if (!sought.found) {
    co_return fail("tls.untrusted", "the server's certificate is refused: " + sought.found.error().what(),
                   stream->peer(), sought.found.error().hint());
  }
  CO_TRY_VOID(std::move(done));
  if (opening.alpn_wanted && stream->tls()->alpn.empty()) {
    co_return fail("tls.handshake", "the server agreed on none of the protocols offered", stream->peer());
  }
  co_return std::unique_ptr<Stream>(std::move(stream));
}

}  // namespace

Task<Result<std::unique_ptr<Stream>>> TlsClient::connect(Loop& loop, Socket socket, TlsTarget target) const {
  return connect_tls(loop, std::move(socket), std::move(target), impl_);
}

}  // namespace entente::net
