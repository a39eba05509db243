#include "net/tls.h"

#include "crypto/digest.h"
#include "net/fd_stream.h"

#include <algorithm>
#include <cerrno>
#include <mutex>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

namespace entente::net {

namespace {

constexpr size_t kRecordBytes = 16 * 1024;
constexpr size_t kPemBytesMax = 64 * 1024;
constexpr long kPeerChainBytesMax = 16 * 1024;

struct ContextFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Context = std::unique_ptr<SSL_CTX, ContextFree>;
struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslPtr = std::unique_ptr<SSL, SslFree>;
struct X509Free {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using X509Ptr = std::unique_ptr<X509, X509Free>;
struct BioFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioPtr = std::unique_ptr<BIO, BioFree>;
struct KeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, KeyFree>;

// The first reason OpenSSL has queued; never key material.
std::string openssl_reason() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* reason = error ? ERR_reason_error_string(error) : nullptr;
  return reason ? reason : "no reason given";
}

BioPtr memory_bio(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Result<std::vector<X509Ptr>> read_certificates(std::string_view pem, const char* code, const char* where) {
  if (pem.size() > kPemBytesMax) return fail(code, "the certificates are longer than 64 KiB", where);
  BioPtr bio = memory_bio(pem);
  std::vector<X509Ptr> all;
  ERR_clear_error();
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr))
    all.emplace_back(certificate);
  const unsigned long error = ERR_peek_last_error();
  const bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (!at_end) return fail(code, "a certificate can't be read: " + openssl_reason(), where);
  ERR_clear_error();
  return all;
}

Result<void> use_identity(SSL_CTX* context, TlsIdentity& identity) {
  TRY(auto chain, read_certificates(identity.chain_pem, "tls.certificate", "certificate chain"));
  if (chain.empty()) {
    return fail("tls.certificate", "no certificate in the chain", "certificate chain",
                "give PEM, own certificate first");
  }
  if (X509_cmp_current_time(X509_get0_notAfter(chain[0].get())) < 0) {
    return fail("tls.certificate", "the certificate has expired", "certificate chain", "renew it");
  }
  BioPtr bio = memory_bio(identity.key_pem);
  // An empty password callback: an encrypted key is an error, not a question on the terminal.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  OPENSSL_cleanse(identity.key_pem.data(), identity.key_pem.size());
  identity.key_pem.clear();
  if (!key)
    return fail("tls.key", "the private key can't be read: " + openssl_reason(), "private key",
                "give an unencrypted PEM key");
  if (SSL_CTX_use_certificate(context, chain[0].get()) != 1) {
    return fail("tls.certificate", "the certificate can't be used: " + openssl_reason(), "certificate chain");
  }
  for (size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) {
      return fail("tls.certificate", "an intermediate can't be used: " + openssl_reason(),
                  "certificate chain");
    }
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    ERR_clear_error();
    return fail("tls.mismatch", "the private key does not belong to the certificate", "private key");
  }
  return {};
}

Result<Context> new_context(const SSL_METHOD* method) {
  Context context(SSL_CTX_new(method));
  ENTENTE_CHECK(context != nullptr);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(context.get(), 1);  // one read a record instead of two
  SSL_CTX_set_max_cert_list(context.get(), kPeerChainBytesMax);
  return context;
}

Thumbprint thumbprint_of(X509* certificate, Bytes* der_out = nullptr) {
  unsigned char* der = nullptr;
  const int length = i2d_X509(certificate, &der);
  ENTENTE_CHECK(length > 0);
  const ByteView view(der, static_cast<size_t>(length));
  const Thumbprint thumbprint = crypto::sha256(view);
  if (der_out) der_out->assign(view.begin(), view.end());
  OPENSSL_free(der);
  return thumbprint;
}

// SSL_set_fd leaves closing the descriptor to the watch.
class TlsStream final : public FdStream {
 public:
  TlsStream(Loop& loop, Socket socket, SslPtr ssl) : FdStream(loop, std::move(socket)), ssl_(std::move(ssl)) {
    SSL_set_fd(ssl_.get(), watch_.fd());
  }
  TlsStream(Loop& loop, Socket socket, SSL* ssl, TlsPeer tls)
      : FdStream(loop, std::move(socket)), ssl_(ssl), tls_(std::move(tls)) {}

  Task<Result<void>> handshake(Millis timeout, const char* role) {
    const Tick deadline = loop_.tick() + timeout;
    for (;;) {
      CO_TRY_VOID(usable());
      ERR_clear_error();
      const int done = SSL_do_handshake(ssl_.get());
      if (done == 1) break;
      const int error = SSL_get_error(ssl_.get(), done);
      if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        co_return handshake_failure(error, role);
      const Millis left = std::chrono::duration_cast<Millis>(deadline - loop_.tick());
      if (left <= Millis(0)) co_return fail("net.timeout", "the TLS handshake took too long", peer_);
      Result<void> waited;
      if (error == SSL_ERROR_WANT_READ) {
        waited = co_await FdStream::wait_readable(left);
      } else {
        waited = co_await FdStream::wait_writable(left);
      }
      CO_TRY_VOID(std::move(waited));
    }
    established();
    co_return Result<void>{};
  }

  Result<Attempt> try_read(std::span<uint8_t> into) override {
    TRY_VOID(usable());
    size_t total = 0;
    for (;;) {
      ERR_clear_error();
      const size_t room = std::min(into.size() - total, kReadMax);
      const int got = SSL_read(ssl_.get(), into.data() + total, static_cast<int>(room));
      if (got <= 0) return read_stopped(got, total);
      total += static_cast<size_t>(got);
      bytes_read_ += static_cast<size_t>(got);
      drained_ = false;
      // Whole records come from a stream of them: the next may be here already.
      if (total == into.size() || static_cast<size_t>(got) < kRecordBytes) return Attempt{total, Next::done};
    }
  }

  Task<Result<void>> wait_readable(Millis timeout) override {
    if (!drained_ && !aborted_ && SSL_has_pending(ssl_.get())) co_return Result<void>{};
    drained_ = false;
    Result<void> waited = co_await FdStream::wait_readable(timeout);
    co_return waited;
  }

  [[nodiscard]] const TlsPeer* tls() const override { return &tls_; }

  Result<Bytes> tls_exporter(std::string_view label, ByteView context, size_t bytes) override {
    Bytes out(bytes);
    if (!SSL_export_keying_material(ssl_.get(), out.data(), out.size(), label.data(), label.size(),
                                    context.data(), context.size(), 1)) {
      return fail("net.tls", "the key exporter failed: " + openssl_reason(), peer_);
    }
    return out;
  }

  Result<Parked> park() override {
    TRY_VOID(usable());
    return park_with(ssl_.release(), std::move(tls_));
  }

  void set_default_alpn(std::string alpn) { tls_.alpn = std::move(alpn); }
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }

 protected:
  Result<Attempt> do_write(const Gather& parts) override {
    TRY_VOID(usable());
    if (write_ended_) return fail("net.closed", "written after the stream's end", peer_);
    thread_local std::array<uint8_t, kRecordBytes> record;
    const ByteView bytes = first_record(parts, record);
    if (bytes.empty()) return Attempt{};
    ERR_clear_error();
    const int sent = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (sent > 0) return Attempt{static_cast<size_t>(sent), Next::done};
    const int error = SSL_get_error(ssl_.get(), sent);
    if (error == SSL_ERROR_WANT_WRITE) return Attempt{0, Next::writable};
    if (error == SSL_ERROR_WANT_READ) return Attempt{0, Next::readable};
    return failure(error);
  }

  Result<Attempt> do_shutdown() override {
    TRY_VOID(usable());
    write_ended_ = true;
    ERR_clear_error();
    const int done = (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) ? 1 : SSL_shutdown(ssl_.get());
    if (done < 0) {
      const int error = SSL_get_error(ssl_.get(), done);
      if (error == SSL_ERROR_WANT_WRITE) return Attempt{0, Next::writable};
      if (error != SSL_ERROR_WANT_READ) return failure(error);
    }
    ::shutdown(watch_.fd(), SHUT_WR);
    return Attempt{};
  }

 private:
  static constexpr size_t kReadMax = 1 << 20;

  // What one SSL_write takes: small pieces are put together so that they share a record. Depends on the bytes
  // alone, so that a repeated write offers the same ones.
  static ByteView first_record(const Gather& parts, std::span<uint8_t> record) {
    const auto first =
        std::find_if(parts.parts.begin(), parts.parts.end(), [](ByteView p) { return !p.empty(); });
    if (first == parts.parts.end()) return {};
    if (first->size() >= record.size())
      return first->first(kReadMax < first->size() ? kReadMax : first->size());
    if (first->size() == parts.bytes() - bytes_before(parts, first)) return *first;
    size_t used = 0;
    for (auto part = first; part != parts.parts.end() && used < record.size(); ++part) {
      const size_t taken = std::min(part->size(), record.size() - used);
      std::copy_n(part->begin(), taken, record.begin() + static_cast<std::ptrdiff_t>(used));
      used += taken;
    }
    return record.first(used);
  }
  static size_t bytes_before(const Gather& parts, std::array<ByteView, 4>::const_iterator until) {
    size_t sum = 0;
    for (auto part = parts.parts.begin(); part != until; ++part) sum += part->size();
    return sum;
  }

  Result<Attempt> read_stopped(int got, size_t total) {
    const int error = SSL_get_error(ssl_.get(), got);
    if (error == SSL_ERROR_WANT_READ) {
      drained_ = true;
      if (total > 0) return Attempt{total, Next::done};
      return Attempt{0, Next::readable};
    }
    if (total > 0) {  // the fault or the end shows again on the next read
      drained_ = false;
      return Attempt{total, Next::done};
    }
    if (error == SSL_ERROR_WANT_WRITE) return Attempt{0, Next::writable};
    if (error == SSL_ERROR_ZERO_RETURN) return Attempt{0, Next::end};
    return failure(error);
  }

  [[nodiscard]] Failure failure(int error) const {
    if (error == SSL_ERROR_SYSCALL && errno != 0) return fail_with_errno(errno, peer_);
    const unsigned long reason = ERR_peek_error();
    if (error == SSL_ERROR_SYSCALL || ERR_GET_REASON(reason) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
      ERR_clear_error();
      return fail("net.reset", "the other side ended the connection without saying so in TLS", peer_);
    }
    return fail("net.tls", "TLS failed: " + openssl_reason(), peer_);
  }

  [[nodiscard]] Failure handshake_failure(int error, const char* role) const {
    if (const long verify = SSL_get_verify_result(ssl_.get());
        verify != X509_V_OK && !SSL_is_server(ssl_.get())) {
      ERR_clear_error();
      return fail(
          "tls.untrusted",
          std::string("the server's certificate is refused: ") + X509_verify_cert_error_string(verify),
          peer_);
    }
    const unsigned long reason = ERR_peek_error();
    if (error == SSL_ERROR_SYSCALL || ERR_GET_REASON(reason) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
      ERR_clear_error();
      return fail("net.reset", "the other side broke off during the TLS handshake", peer_);
    }
    return fail("tls.handshake",
                std::string("the TLS handshake with the ") + role + " failed: " + openssl_reason(), peer_);
  }

  void established() {
    const unsigned char* name = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &length);
    if (length > 0) tls_.alpn.assign(reinterpret_cast<const char*>(name), length);
    if (X509Ptr certificate(SSL_get1_peer_certificate(ssl_.get())); certificate) {
      tls_.thumbprint = thumbprint_of(certificate.get(), &tls_.certificate_der);
    }
    if (slot_) slot_->established();
  }

  SslPtr ssl_;
  TlsPeer tls_;
  bool drained_ = false;  // OpenSSL holds at most a part of a record: only the socket can bring more
};

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

void free_ssl(ssl_st* ssl) {
  SSL_free(ssl);
}

std::unique_ptr<Stream> make_tls_stream(Loop& loop, Socket socket, ssl_st* ssl, TlsPeer tls) {
  return std::make_unique<TlsStream>(loop, std::move(socket), ssl, std::move(tls));
}

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

// With a pin the pin decides alone; otherwise chain and host name, as OpenSSL checks them.
int TlsClient::Impl::verify(X509_STORE_CTX* store, void*) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const auto* target = static_cast<const TlsTarget*>(SSL_get_app_data(ssl));
  if (!target) return 0;
  if (!target->pin) return X509_verify_cert(store);
  const Thumbprint shown = thumbprint_of(X509_STORE_CTX_get0_cert(store));
  const bool same = crypto::equal_constant_time(ByteView(shown), ByteView(*target->pin));
  X509_STORE_CTX_set_error(store, same ? X509_V_OK : X509_V_ERR_CERT_UNTRUSTED);
  return same ? 1 : 0;
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

Result<void> TlsClient::reload(TlsClientConfig config) {
  return impl_->load(std::move(config));
}

namespace {

void set_target(SSL* ssl, TlsTarget& target) {
  SSL_set_app_data(ssl, &target);
  in6_addr scratch;
  const bool numeric = ::inet_pton(AF_INET, target.host.c_str(), &scratch) == 1 ||
                       ::inet_pton(AF_INET6, target.host.c_str(), &scratch) == 1;
  if (!numeric && !target.host.empty()) SSL_set_tlsext_host_name(ssl, target.host.c_str());
  if (target.pin) return;
  if (numeric) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), target.host.c_str());
  } else {
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    SSL_set1_host(ssl, target.host.c_str());
  }
}

Task<Result<std::unique_ptr<Stream>>> connect_tls(Loop& loop, Socket socket, TlsTarget target,
                                                  std::shared_ptr<TlsClient::Impl> impl) {
  // Without a name there would be nothing to check the certificate against.
  if (!target.pin && target.host.empty())
    co_return fail("tls.untrusted", "no host name and no pin to check the server by");
  TlsClient::Impl::Opening opening = impl->open();
  const Millis timeout =
      std::min(opening.handshake_timeout, target.timeout.value_or(opening.handshake_timeout));
  SSL_set_connect_state(opening.ssl.get());
  set_target(opening.ssl.get(), target);
  auto stream = std::make_unique<TlsStream>(loop, std::move(socket), std::move(opening.ssl));
  Result<void> done = co_await stream->handshake(timeout, "server");
  SSL_set_app_data(stream->ssl(), nullptr);  // `target` goes with this frame
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

Result<Thumbprint> thumbprint_of_pem(std::string_view pem) {
  TRY(auto all, read_certificates(pem, "tls.certificate", "certificate"));
  if (all.empty()) return fail("tls.certificate", "no certificate in the text", "certificate", "give PEM");
  return thumbprint_of(all[0].get());
}

std::string thumbprint_text(const Thumbprint& thumbprint) {
  return base64url(ByteView(thumbprint));
}

}  // namespace entente::net
