// What the TLS server, the client and their stream share. Inside this room only.
#pragma once

#include "net/fd_stream.h"
#include "net/tls.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/ssl.h>

namespace entente::net {

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

[[nodiscard]] std::string openssl_reason();  // the first it has queued; never key material
[[nodiscard]] Result<std::vector<X509Ptr>> read_certificates(std::string_view pem, const char* code,
                                                             const char* where);
[[nodiscard]] Result<void> use_identity(SSL_CTX* context, TlsIdentity& identity);
[[nodiscard]] Result<Context> new_context(const SSL_METHOD* method);
[[nodiscard]] Thumbprint thumbprint_of(X509* certificate);

// A socket under TLS. OpenSSL reads and writes through this object (a BIO of its own): many records go out in
// one call and come in with one, and a socket known to have nothing is not asked.
class TlsStream final : public FdStream {
 public:
  TlsStream(Loop& loop, Socket socket, SslPtr ssl);
  TlsStream(Loop& loop, Parked::Impl& parked);

  [[nodiscard]] Task<Result<void>> handshake(Millis timeout, const char* role);
  [[nodiscard]] Result<Attempt> try_read(std::span<uint8_t> into) override;
  [[nodiscard]] Task<Result<void>> wait_readable(Millis timeout) override;
  [[nodiscard]] const TlsPeer* tls() const override { return &tls_; }
  [[nodiscard]] Result<Bytes> tls_exporter(std::string_view label, ByteView context, size_t bytes) override;
  [[nodiscard]] Result<Parked> park() override;
  void set_default_alpn(std::string alpn) { tls_.alpn = std::move(alpn); }
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }

 protected:
  [[nodiscard]] Result<Attempt> do_write(const Gather& parts) override;
  [[nodiscard]] Result<Attempt> do_shutdown() override;

 private:
  friend struct TlsBio;
  struct Passing;
  enum class Shaken : uint8_t { done, wants_read, wants_write };
  [[nodiscard]] Result<Shaken> shake_on(const char* role);
  void keep_rest();
  [[nodiscard]] Result<bool> send_sealed();
  [[nodiscard]] Result<bool> send_answers();
  [[nodiscard]] static ByteView first_record(const Gather& parts);
  [[nodiscard]] Result<size_t> seal(Gather parts);
  [[nodiscard]] Result<Attempt> read_stopped(int got, size_t total);
  [[nodiscard]] Failure failure(int error) const;
  [[nodiscard]] Failure handshake_failure(int error, const char* role) const;
  void established();

  SslPtr ssl_;
  TlsPeer tls_;
  Bytes received_;  // records, or a part of one, that OpenSSL has not taken yet; mostly empty
  size_t received_at_ = 0;
  Bytes unsent_;  // sealed, not taken by the socket yet; mostly empty
  size_t unsent_at_ = 0;
  size_t sealed_bytes_ = 0;  // of what the caller offered, in `unsent_`
  bool drained_ = false;     // OpenSSL holds at most a part of a record: only the socket can bring more
  bool ended_ = false;       // the socket's end was read
  int fault_ = 0;            // errno of the socket's last failure
};

}  // namespace entente::net
