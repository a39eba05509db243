#include "crypto/x509.h"

#include "crypto/openssl.h"
#include "crypto/x509_names.h"

#include <algorithm>
#include <ctime>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace entente::crypto {
namespace {

constexpr size_t kCertificateBytesMax = 64 * 1024;
constexpr size_t kChainLengthMax = 16;
constexpr int kPathDepthMax = 6;
constexpr int kSecurityLevel = 2;  // at least 112 bits: no SHA-1, no RSA below 2048

using Store = std::unique_ptr<X509_STORE, Freed<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX_free>>;
struct FreeStack {
  void operator()(STACK_OF(X509) * stack) const noexcept {
    sk_X509_free(stack);
  }  // the certificates are borrowed
};
using Stack = std::unique_ptr<STACK_OF(X509), FreeStack>;

Failure parse_fail(std::string what, std::string hint = {}) {
  return openssl_fail("x509.parse", std::move(what), std::move(hint));
}

Result<void> check_readable(X509* certificate) {
  // Makes OpenSSL read every extension once; one that it can't read sets EXFLAG_INVALID.
  X509_check_purpose(certificate, -1, 0);
  if ((X509_get_extension_flags(certificate) & EXFLAG_INVALID) != 0)
    return parse_fail("The certificate has an extension that can't be read.");
  std::tm parts{};
  if (ASN1_TIME_to_tm(X509_get0_notBefore(certificate), &parts) != 1 ||
      ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) != 1)
    return parse_fail("The certificate's validity can't be read.");
  return check_alternative_names(certificate);
}

Result<Certificate> adopt_certificate(std::unique_ptr<X509, Freed<X509_free>> certificate) {
  TRY_VOID(check_readable(certificate.get()));
  PKey key(X509_get_pubkey(certificate.get()));
  if (!key) return parse_fail("The certificate's public key can't be read.");
  TRY(auto inside, adopt(std::move(key)));
  return Certificate(std::make_shared<const Certificate::Inside>(
      Certificate::Inside{std::move(certificate), PublicKey(std::move(inside))}));
}

Instant instant_of(const ASN1_TIME* time) {
  std::tm parts{};
  ENTENTE_CHECK(ASN1_TIME_to_tm(time, &parts) == 1);
  return from_unix_seconds(timegm(&parts));
}

std::string name_text(const X509_NAME* name) {
  const Bio bio(BIO_new(BIO_s_mem()));
  ENTENTE_CHECK(bio && X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253) >= 0);
  return std::string(bio_text(bio.get()));
}

std::string_view use_name(CertificateUse use) {
  switch (use) {
    case CertificateUse::authority:
      return "an authority";
    case CertificateUse::server:
      return "a server";
    case CertificateUse::client:
      return "a client";
    case CertificateUse::server_and_client:
      return "a server and a client";
  }
  return "";
}

bool may_sign(X509* certificate) {
  return (X509_get_extension_flags(certificate) & EXFLAG_CA) != 0 &&
         (X509_get_key_usage(certificate) & KU_KEY_CERT_SIGN) != 0;
}

// What OpenSSL 3.0 lets through and RFC 5280 or the CA/Browser baseline do not.
Result<void> check_leaf(X509* certificate, CertificateUse use) {
  const auto wrong = [use](std::string_view why) {
    return fail("x509.purpose", "The certificate is not one of " + std::string(use_name(use)) + ": " +
                                    std::string(why) + ".");
  };
  if (use == CertificateUse::authority)
    return may_sign(certificate) ? Result<void>() : wrong("it may not sign certificates");
  if ((X509_get_extension_flags(certificate) & EXFLAG_CA) != 0) return wrong("it is an authority's");
  if (X509_get_ext_by_NID(certificate, NID_name_constraints, -1) >= 0)
    return wrong("it has name constraints");
  // Without the extension OpenSSL answers "every use".
  const bool any = (X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE) == 0;
  const uint32_t uses = any ? 0 : X509_get_extended_key_usage(certificate);
  if (any || (uses & XKU_ANYEKU) != 0) return wrong("it does not say its use");
  if (use != CertificateUse::client && (uses & XKU_SSL_SERVER) == 0) return wrong("its use is another");
  if (use != CertificateUse::server && (uses & XKU_SSL_CLIENT) == 0) return wrong("its use is another");
  return {};
}

Failure path_refused(std::string_view why) {
  return fail("x509.chain", "A certificate of the path " + std::string(why) + ".");
}

// RFC 5280 sections 4.2.1.6, 4.2.1.10 and 4.2.1.11, where OpenSSL is milder.
Result<void> check_each(const X509* each) {
  for (const int nid : {NID_name_constraints, NID_policy_constraints})
    if (const int at = X509_get_ext_by_NID(each, nid, -1); at >= 0)
      if (X509_EXTENSION_get_critical(X509_get_ext(each, at)) == 0)
        return path_refused("has constraints that are not marked as critical");
  if (!has_plain_dns_names(each)) return path_refused("has a DNS name or constraint that is none");
  return {};
}

// RFC 5280 section 4.1.2.2. Old roots were given the number 0, and are trusted by themselves.
Result<void> check_serial(const X509* each, bool root) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(each);
  const bool zero =
      std::all_of(serial->data, serial->data + serial->length, [](uint8_t byte) { return byte == 0; });
  if (serial->length > 20 || (serial->type & V_ASN1_NEG) != 0 || (zero && !root))
    return path_refused("has a serial number that is not positive or too long");
  return {};
}

Result<void> check_path(STACK_OF(X509) * path) {
  bool constrained = false;
  const int length = sk_X509_num(path);
  for (int i = 0; i < length; ++i) {
    X509* each = sk_X509_value(path, i);
    TRY_VOID(check_readable(each));
    TRY_VOID(check_each(each));
    const bool root = i > 0 && i == length - 1 && (X509_get_extension_flags(each) & EXFLAG_SI) != 0;
    TRY_VOID(check_serial(each, root));
    constrained = constrained || X509_get_ext_by_NID(each, NID_name_constraints, -1) >= 0;
  }
  if (!constrained) return {};
  for (const std::string& dns : read_alternative_names(sk_X509_value(path, 0)).dns)
    // A wildcard could name a host inside an excluded subtree; OpenSSL compares the text only.
    if (dns.starts_with("*."))
      return fail("x509.chain", "A wildcard name is not accepted below name constraints.");
  return {};
}

// A certificate's last second belongs to its life (RFC 5280 section 4.1.2.5); OpenSSL ends it a second early.
int judge(int ok, X509_STORE_CTX* context) {
  if (ok == 1 || X509_STORE_CTX_get_error(context) != X509_V_ERR_CERT_HAS_EXPIRED) return ok;
  const X509* each = X509_STORE_CTX_get_current_cert(context);
  const time_t at = X509_VERIFY_PARAM_get_time(X509_STORE_CTX_get0_param(context));
  if (each == nullptr || unix_seconds(instant_of(X509_get0_notAfter(each))) != at) return 0;
  X509_STORE_CTX_set_error(context, X509_V_OK);
  return 1;
}

Failure path_fail(X509_STORE_CTX* context) {
  const int error = X509_STORE_CTX_get_error(context);
  const std::string why = X509_verify_cert_error_string(error);
  ERR_clear_error();
  switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return fail("x509.host", "The certificate is not for the host that was asked for.");
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fail("x509.time", "A certificate of the path is not valid yet.", {}, "Check the clock.");
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fail("x509.time", "A certificate of the path has expired.");
    case X509_V_ERR_INVALID_PURPOSE:
      return fail("x509.purpose", "A certificate of the path is for another use.");
    default:
      return fail("x509.chain", "No path leads to a trusted authority: " + why + ".");
  }
}

void set_parameters(X509_STORE_CTX* context, const ChainExpect& expect) {
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT | X509_V_FLAG_TRUSTED_FIRST);
  X509_VERIFY_PARAM_set_time(parameters, static_cast<time_t>(unix_seconds(expect.now)));
  X509_VERIFY_PARAM_set_depth(parameters, kPathDepthMax);
  X509_VERIFY_PARAM_set_auth_level(parameters, kSecurityLevel);
  const int purpose = expect.use == CertificateUse::authority ? X509_PURPOSE_ANY
                      : expect.use == CertificateUse::client  ? X509_PURPOSE_SSL_CLIENT
                                                              : X509_PURPOSE_SSL_SERVER;
  ENTENTE_CHECK(X509_VERIFY_PARAM_set_purpose(parameters, purpose) == 1);
  if (expect.host.empty()) return;
  if (X509_VERIFY_PARAM_set1_ip_asc(parameters, expect.host.c_str()) == 1) return;
  ERR_clear_error();  // a name, then
  X509_VERIFY_PARAM_set_hostflags(parameters,
                                  X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  ENTENTE_CHECK(X509_VERIFY_PARAM_set1_host(parameters, expect.host.data(), expect.host.size()) == 1);
}

}  // namespace

Result<Certificate> Certificate::from_der(ByteView der) {
  const uint8_t* at = der.data();
  std::unique_ptr<X509, Freed<X509_free>> certificate(
      der.size() > kCertificateBytesMax ? nullptr : d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!certificate || at != der.data() + der.size())
    return parse_fail("The bytes are not one certificate in DER.");
  return adopt_certificate(std::move(certificate));
}

Result<std::vector<Certificate>> Certificate::chain_from_pem(std::string_view pem) {
  if (pem.size() > kChainLengthMax * kCertificateBytesMax)
    return parse_fail("The text is too long for certificates.");
  const Bio bio = read_bio(pem);
  std::vector<Certificate> out;
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    std::unique_ptr<X509, Freed<X509_free>> owner(next);
    if (out.size() == kChainLengthMax) return parse_fail("The text holds more than 16 certificates.");
    TRY(Certificate certificate, adopt_certificate(std::move(owner)));
    out.push_back(std::move(certificate));
  }
  const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!ended || out.empty())
    return parse_fail("The text is not certificates in PEM.",
                      "Each begins with -----BEGIN CERTIFICATE-----.");
  return out;
}

Result<Certificate> Certificate::from_pem(std::string_view pem) {
  TRY(auto chain, chain_from_pem(pem));
  if (chain.size() != 1) return parse_fail("The text holds more than one certificate.");
  return std::move(chain.front());
}

x509_st* Certificate::native() const {
  return inside_->certificate.get();
}

Bytes Certificate::der() const {
  uint8_t* der = nullptr;
  const int size = i2d_X509(native(), &der);
  ENTENTE_CHECK(size > 0);
  Bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

std::string Certificate::pem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  ENTENTE_CHECK(bio && PEM_write_bio_X509(bio.get(), native()) == 1);
  return std::string(bio_text(bio.get()));
}

std::string Certificate::thumbprint() const {
  return base64url(sha256(der()));
}
std::string Certificate::common_name() const {
  return common_name_of(X509_get_subject_name(native()));
}
std::string Certificate::subject() const {
  return name_text(X509_get_subject_name(native()));
}
std::string Certificate::issuer() const {
  return name_text(X509_get_issuer_name(native()));
}

std::string Certificate::serial() const {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(native());
  return hex({serial->data, static_cast<size_t>(serial->length)});
}

std::vector<std::string> Certificate::dns_names() const {
  return read_alternative_names(native()).dns;
}
std::vector<std::string> Certificate::uris() const {
  return read_alternative_names(native()).uris;
}
Instant Certificate::begin() const {
  return instant_of(X509_get0_notBefore(native()));
}
Instant Certificate::end() const {
  return instant_of(X509_get0_notAfter(native()));
}
PublicKey Certificate::public_key() const {
  return inside_->key;
}

bool Certificate::is_authority() const {
  return may_sign(native());
}

bool Certificate::operator==(const Certificate& other) const {
  return X509_cmp(native(), other.native()) == 0;
}

Result<void> verify_chain(const Certificate& leaf, std::span<const Certificate> intermediates,
                          std::span<const Certificate> anchors, const ChainExpect& expect) {
  if (intermediates.size() > kChainLengthMax)
    return fail("x509.chain", "More than 16 certificates were sent.");
  const Store store(X509_STORE_new());
  const Stack others(sk_X509_new_null());
  const StoreContext context(X509_STORE_CTX_new());
  ENTENTE_CHECK(store && others && context);
  for (const Certificate& each : anchors) ENTENTE_CHECK(X509_STORE_add_cert(store.get(), each.native()) == 1);
  for (const Certificate& each : intermediates) ENTENTE_CHECK(sk_X509_push(others.get(), each.native()) > 0);
  ENTENTE_CHECK(X509_STORE_CTX_init(context.get(), store.get(), leaf.native(), others.get()) == 1);
  return verify_chain(*context, expect);
}

Result<void> verify_chain(X509_STORE_CTX& context, const ChainExpect& expect) {
  set_parameters(&context, expect);
  X509_STORE_CTX_set_verify_cb(&context, judge);
  if (X509_verify_cert(&context) != 1) return path_fail(&context);
  TRY_VOID(check_leaf(X509_STORE_CTX_get0_cert(&context), expect.use));
  return check_path(X509_STORE_CTX_get0_chain(&context));
}

}  // namespace entente::crypto
