#include "net/tls_internal.h"

#include <algorithm>
#include <mutex>
#include <optional>

namespace entente::net {
namespace {

// The names a ClientHello offers (RFC 7301 section 3.1), or nullopt when the list is malformed.
std::optional<std::vector<std::string_view>> parse_alpn(ByteView extension) {
  if (extension.size() < 2 || size_t{extension[0]} * 256 + extension[1] != extension.size() - 2)
    return std::nullopt;
  std::vector<std::string_view> names;
  ByteView rest = extension.subspan(2);
  while (!rest.empty()) {
    const size_t length = rest[0];
    if (length == 0 || length >= rest.size()) return std::nullopt;
    names.push_back(as_text(rest.subspan(1, length)));
    rest = rest.subspan(1 + length);
  }
  if (names.empty()) return std::nullopt;
  return names;
}

}  // namespace

// Only the context changes at a reload; callbacks read the rest, which never changes.
struct TlsServer::Impl {
  Result<Context> serving_context(TlsIdentity identity);
  Result<void> load(TlsIdentity identity);
  [[nodiscard]] SslPtr new_ssl() const;
  [[nodiscard]] const TlsServerConfig::Protocol* choose(SSL* ssl, int* alert) const;
  static int on_client_hello(SSL* ssl, int* alert, void* self);
  static int on_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
                     unsigned in_length, void* self);

  std::vector<TlsServerConfig::Protocol> protocols;
  std::string default_alpn;
  Millis handshake_timeout{};
  mutable std::mutex mutex;
  Context context;
  Context pinned;  // never changes; null when there is no identity for pinning
};

Result<Context> TlsServer::Impl::serving_context(TlsIdentity identity) {
  TRY(Context fresh, new_context(TLS_server_method()));
  TRY_VOID(use_identity(fresh.get(), identity));
  SSL_CTX_set_num_tickets(fresh.get(), 1);
  SSL_CTX_set_client_hello_cb(fresh.get(), on_client_hello, this);
  SSL_CTX_set_alpn_select_cb(fresh.get(), on_alpn, this);
  // Any certificate will do here: TLS proves that the peer holds its key, the caller knows whose it is.
  SSL_CTX_set_cert_verify_callback(
      fresh.get(),
      [](X509_STORE_CTX* store, void*) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
      },
      nullptr);
  return fresh;
}

Result<void> TlsServer::Impl::load(TlsIdentity identity) {
  TRY(Context fresh, serving_context(std::move(identity)));
  const std::lock_guard lock(mutex);
  std::swap(context, fresh);
  return {};
}

SslPtr TlsServer::Impl::new_ssl() const {
  const std::lock_guard lock(mutex);
  SslPtr ssl(SSL_new(context.get()));
  ENTENTE_CHECK(ssl != nullptr);
  return ssl;
}

const TlsServerConfig::Protocol* TlsServer::Impl::choose(SSL* ssl, int* alert) const {
  const unsigned char* data = nullptr;
  size_t length = 0;
  *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
  const auto named = [this](std::string_view name) -> const TlsServerConfig::Protocol* {
    const auto found =
        std::find_if(protocols.begin(), protocols.end(), [&](const auto& p) { return p.alpn == name; });
    return found == protocols.end() ? nullptr : &*found;
  };
  if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data, &length)) {
    return default_alpn.empty() ? nullptr : named(default_alpn);
  }
  const auto offered = parse_alpn({data, length});
  if (!offered) {
    *alert = SSL_AD_DECODE_ERROR;
    return nullptr;
  }
  for (const auto& protocol : protocols) {
    if (std::find(offered->begin(), offered->end(), protocol.alpn) != offered->end()) return &protocol;
  }
  return nullptr;
}

int TlsServer::Impl::on_client_hello(SSL* ssl, int* alert, void* self) {
  const auto* protocol = static_cast<Impl*>(self)->choose(ssl, alert);
  if (!protocol) return SSL_CLIENT_HELLO_ERROR;
  SSL_set_app_data(ssl, const_cast<TlsServerConfig::Protocol*>(protocol));
  const Context& pinned = static_cast<Impl*>(self)->pinned;
  if (protocol->client_certificate && pinned) SSL_set_SSL_CTX(ssl, pinned.get());
  // A ticket earned without a certificate must not open a door that asks for one: other context, and no
  // tickets there.
  const std::string_view context = protocol->client_certificate ? "entente-certificate" : "entente";
  SSL_set_session_id_context(ssl, reinterpret_cast<const unsigned char*>(context.data()),
                             static_cast<unsigned>(context.size()));
  if (protocol->client_certificate) {
    SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_set_num_tickets(ssl, 0);
    SSL_set_options(ssl, SSL_OP_NO_TICKET);
  }
  return SSL_CLIENT_HELLO_SUCCESS;
}

int TlsServer::Impl::on_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_length,
                             const unsigned char*, unsigned, void*) {
  const auto* protocol = static_cast<const TlsServerConfig::Protocol*>(SSL_get_app_data(ssl));
  if (!protocol) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = reinterpret_cast<const unsigned char*>(protocol->alpn.data());
  *out_length = static_cast<unsigned char>(protocol->alpn.size());
  return SSL_TLSEXT_ERR_OK;
}

TlsServer::TlsServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsServer::TlsServer(TlsServer&&) noexcept = default;
TlsServer& TlsServer::operator=(TlsServer&&) noexcept = default;
TlsServer::~TlsServer() = default;

Result<TlsServer> TlsServer::make(TlsServerConfig config) {
  auto impl = std::make_shared<Impl>();
  bool default_found = config.default_alpn.empty();
  for (const auto& protocol : config.protocols) {
    ENTENTE_CHECK(!protocol.alpn.empty() && protocol.alpn.size() < 256);
    default_found = default_found || (protocol.alpn == config.default_alpn && !protocol.client_certificate);
  }
  ENTENTE_CHECK(default_found);
  impl->protocols = std::move(config.protocols);
  impl->default_alpn = std::move(config.default_alpn);
  impl->handshake_timeout = config.handshake_timeout;
  if (config.pinned_identity) {
    TRY(impl->pinned, impl->serving_context(*std::move(config.pinned_identity)));
  }
  TRY_VOID(impl->load(std::move(config.identity)));
  return TlsServer(std::move(impl));
}

Result<void> TlsServer::reload(TlsIdentity identity) {
  return impl_->load(std::move(identity));
}

namespace {

Task<Result<std::unique_ptr<Stream>>> accept_tls(Loop& loop, Socket socket,
                                                 std::shared_ptr<TlsServer::Impl> impl) {
  SslPtr ssl = impl->new_ssl();
  SSL_set_accept_state(ssl.get());
  auto stream = std::make_unique<TlsStream>(loop, std::move(socket), std::move(ssl));
  Result<void> done = co_await stream->handshake(impl->handshake_timeout, "client");
  CO_TRY_VOID(std::move(done));
  // Without ALPN on the wire OpenSSL has nothing to report.
  if (stream->tls()->alpn.empty()) stream->set_default_alpn(impl->default_alpn);
  SSL_set_app_data(stream->ssl(), nullptr);  // the protocols go with `impl`
  co_return std::unique_ptr<Stream>(std::move(stream));
}

}  // namespace

Task<Result<std::unique_ptr<Stream>>> TlsServer::accept(Loop& loop, Socket socket) const {
  return accept_tls(loop, std::move(socket), impl_);
}

}  // namespace entente::net
