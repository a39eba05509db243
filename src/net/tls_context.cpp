// Certificates, keys and contexts for both sides of TLS.
#include "crypto/digest.h"
#include "net/tls_internal.h"

#include <openssl/err.h>
#include <openssl/pem.h>

namespace entente::net {
namespace {

constexpr size_t kPemBytesMax = 64 * 1024;
constexpr long kPeerChainBytesMax = 16 * 1024;

struct BioFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioPtr = std::unique_ptr<BIO, BioFree>;
struct KeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, KeyFree>;

BioPtr memory_bio(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

}  // namespace

std::string openssl_reason() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* reason = error ? ERR_reason_error_string(error) : nullptr;
  return reason ? reason : "no reason given";
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
  SSL_CTX_set_max_cert_list(context.get(), kPeerChainBytesMax);
  return context;
}

Thumbprint thumbprint_of(X509* certificate) {
  unsigned char* der = nullptr;
  const int length = i2d_X509(certificate, &der);
  ENTENTE_CHECK(length > 0);
  const Thumbprint thumbprint = crypto::sha256(ByteView(der, static_cast<size_t>(length)));
  OPENSSL_free(der);
  return thumbprint;
}

}  // namespace entente::net
