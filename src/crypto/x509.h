// Certificates as immutable values, a small certificate authority, and path validation (RFC 5280, RFC 9525).
// Errors: "x509.parse", "x509.weak", "x509.request", "x509.issue", "x509.chain", "x509.host", "x509.time",
// "x509.purpose".
#pragma once

#include "base/bytes.h"
#include "base/time.h"
#include "crypto/key.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct x509_st;            // OpenSSL's X509, for `net`
struct x509_store_ctx_st;  // OpenSSL's X509_STORE_CTX, likewise

namespace entente::crypto {

enum class CertificateUse { authority, server, client, server_and_client };

class Certificate {
 public:
  [[nodiscard]] static Result<Certificate> from_der(ByteView der);
  [[nodiscard]] static Result<Certificate> from_pem(std::string_view pem);  // exactly one
  [[nodiscard]] static Result<std::vector<Certificate>> chain_from_pem(
      std::string_view pem);  // 1 to 16, in order

  [[nodiscard]] Bytes der() const;
  [[nodiscard]] std::string pem() const;
  [[nodiscard]] std::string thumbprint() const;   // base64url SHA-256 of the DER: `x5t#S256` (RFC 8705)
  [[nodiscard]] std::string common_name() const;  // for people; never for deciding
  [[nodiscard]] std::string subject() const;      // RFC 2253 text, for people
  [[nodiscard]] std::string issuer() const;
  [[nodiscard]] std::string serial() const;  // hex
  [[nodiscard]] std::vector<std::string> dns_names() const;
  [[nodiscard]] std::vector<std::string> uris() const;
  [[nodiscard]] Instant begin() const;
  [[nodiscard]] Instant end() const;
  [[nodiscard]] PublicKey public_key() const;
  [[nodiscard]] bool is_authority() const;
  bool operator==(const Certificate& other) const;

  [[nodiscard]] x509_st* native() const;  // borrowed
  struct Inside;                          // for this room only
  explicit Certificate(std::shared_ptr<const Inside> inside) : inside_(std::move(inside)) {}

 private:
  std::shared_ptr<const Inside> inside_;
};

struct CertificateSpec {
  std::string common_name = {};
  std::string organization = {};
  std::vector<std::string> dns_names = {};  // "*.xbb.localhost" allowed
  std::vector<std::string> uris = {};
  CertificateUse use = CertificateUse::server;
  Instant begin = {};
  Instant end = {};
};

// A self-signed authority (path length 0 unless `path_length` says otherwise).
[[nodiscard]] Result<Certificate> make_authority(const PrivateKey& key, const CertificateSpec& spec,
                                                 int path_length = 0);
// `spec` alone decides names, use and life; a request is only asked for its key.
[[nodiscard]] Result<Certificate> issue_certificate(const Certificate& authority,
                                                    const PrivateKey& authority_key,
                                                    const PublicKey& subject_key,
                                                    const CertificateSpec& spec);
// Signed by its own key: for pinned peers without an authority.
[[nodiscard]] Result<Certificate> make_self_signed(const PrivateKey& key, const CertificateSpec& spec);

// A PKCS#10 request whose signature proves that the sender holds the key. Its names are wishes.
struct CertificateRequest {
  PublicKey key;
  std::string common_name;
  std::vector<std::string> dns_names;
  std::vector<std::string> uris;
};
[[nodiscard]] Result<std::string> make_request(const PrivateKey& key, const std::string& common_name,
                                               const std::vector<std::string>& dns_names = {},
                                               const std::vector<std::string>& uris = {});  // PEM
[[nodiscard]] Result<CertificateRequest> parse_request(std::string_view pem);

struct ChainExpect {
  CertificateUse use = CertificateUse::server;
  Instant now = {};
  // Checked against dNSName SANs only, an address against iPAddress ones; empty: not looked at.
  std::string host = {};
};
// Ok when a path from `leaf` to one of `anchors` that signs itself holds at `now`. Nothing else is trusted,
// and no CRL is looked at.
[[nodiscard]] Result<void> verify_chain(const Certificate& leaf, std::span<const Certificate> intermediates,
                                        std::span<const Certificate> anchors, const ChainExpect& expect);
// The same inside a TLS handshake, which has put leaf, intermediates and anchors into `context`.
[[nodiscard]] Result<void> verify_chain(x509_store_ctx_st& context, const ChainExpect& expect);

}  // namespace entente::crypto
