// Certificates and requests we make: a small authority for connectors, links and the demo.
#include "crypto/openssl.h"
#include "crypto/x509_names.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace entente::crypto {
namespace {

constexpr size_t kRequestBytesMax = 64 * 1024;

using Made = std::unique_ptr<X509, Freed<X509_free>>;
using Request = std::unique_ptr<X509_REQ, Freed<X509_REQ_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;
using Octets = std::unique_ptr<ASN1_OCTET_STRING, Freed<ASN1_OCTET_STRING_free>>;
struct FreeExtensions {
  void operator()(STACK_OF(X509_EXTENSION) * list) const noexcept {
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
  }
};
using Extensions = std::unique_ptr<STACK_OF(X509_EXTENSION), FreeExtensions>;

const EVP_MD* digest_for(KeyKind kind) {
  switch (kind) {
    case KeyKind::p384:
      return EVP_sha384();
    case KeyKind::p521:
      return EVP_sha512();
    case KeyKind::ed25519:
      return nullptr;
    default:
      return EVP_sha256();
  }
}

void set_name(X509_NAME* name, const std::string& organization, const std::string& common_name) {
  const auto add = [name](const char* field, const std::string& value) {
    if (value.empty()) return;
    ENTENTE_CHECK(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                             reinterpret_cast<const uint8_t*>(value.data()),
                                             static_cast<int>(value.size()), -1, 0) == 1);
  };
  add("O", organization);
  add("CN", common_name);
}

void push_name(GENERAL_NAMES* names, int type, const std::string& value) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_IA5STRING* text = ASN1_IA5STRING_new();
  ENTENTE_CHECK(name && text && ASN1_STRING_set(text, value.data(), static_cast<int>(value.size())) == 1);
  GENERAL_NAME_set0_value(name, type, text);
  ENTENTE_CHECK(sk_GENERAL_NAME_push(names, name) > 0);
}

// Built as structures, not as OpenSSL's configuration text, in which a comma in a name would start another
// name.
Names general_names(const AlternativeNames& wanted) {
  Names names(GENERAL_NAMES_new());
  ENTENTE_CHECK(names != nullptr);
  for (const std::string& dns : wanted.dns) push_name(names.get(), GEN_DNS, dns);
  for (const std::string& uri : wanted.uris) push_name(names.get(), GEN_URI, uri);
  return names;
}

void add_extension(X509* certificate, int nid, void* value, bool critical) {
  ENTENTE_CHECK(X509_add1_ext_i2d(certificate, nid, value, critical ? 1 : 0, X509V3_ADD_DEFAULT) == 1);
}

// RFC 7093 section 2, method 1.
Octets key_identifier(const PublicKey& key) {
  const std::unique_ptr<X509_PUBKEY, Freed<X509_PUBKEY_free>> spki([&] {
    X509_PUBKEY* out = nullptr;
    ENTENTE_CHECK(X509_PUBKEY_set(&out, key.native()) == 1);
    return out;
  }());
  const uint8_t* data = nullptr;
  int length = 0;
  ENTENTE_CHECK(X509_PUBKEY_get0_param(nullptr, &data, &length, nullptr, spki.get()) == 1);
  const Digest digest = sha256({data, static_cast<size_t>(length)});
  Octets out(ASN1_OCTET_STRING_new());
  ENTENTE_CHECK(out && ASN1_OCTET_STRING_set(out.get(), digest.data(), 20) == 1);
  return out;
}

void add_key_usage(X509* certificate, CertificateUse use) {
  const std::unique_ptr<ASN1_BIT_STRING, Freed<ASN1_BIT_STRING_free>> bits(ASN1_BIT_STRING_new());
  const bool authority = use == CertificateUse::authority;
  ENTENTE_CHECK(bits && ASN1_BIT_STRING_set_bit(bits.get(), authority ? 5 : 0, 1) ==
                            1);  // keyCertSign, digitalSignature
  if (authority) ENTENTE_CHECK(ASN1_BIT_STRING_set_bit(bits.get(), 6, 1) == 1);  // cRLSign
  add_extension(certificate, NID_key_usage, bits.get(), true);
  if (authority) return;
  const std::unique_ptr<EXTENDED_KEY_USAGE, Freed<EXTENDED_KEY_USAGE_free>> uses(EXTENDED_KEY_USAGE_new());
  ENTENTE_CHECK(uses != nullptr);
  if (use != CertificateUse::client) sk_ASN1_OBJECT_push(uses.get(), OBJ_nid2obj(NID_server_auth));
  if (use != CertificateUse::server) sk_ASN1_OBJECT_push(uses.get(), OBJ_nid2obj(NID_client_auth));
  add_extension(certificate, NID_ext_key_usage, uses.get(), false);
}

void add_constraints(X509* certificate, CertificateUse use, int path_length) {
  const std::unique_ptr<BASIC_CONSTRAINTS, Freed<BASIC_CONSTRAINTS_free>> constraints(
      BASIC_CONSTRAINTS_new());
  ENTENTE_CHECK(constraints != nullptr);
  if (use == CertificateUse::authority) {
    constraints->ca = 0xff;
    constraints->pathlen = ASN1_INTEGER_new();
    ENTENTE_CHECK(ASN1_INTEGER_set(constraints->pathlen, path_length) == 1);
  }
  add_extension(certificate, NID_basic_constraints, constraints.get(), true);
}

void add_key_identifiers(X509* certificate, const PublicKey& subject_key, const PublicKey& issuer_key,
                         const X509* issuer) {
  const Octets own = key_identifier(subject_key);
  add_extension(certificate, NID_subject_key_identifier, own.get(), false);
  const std::unique_ptr<AUTHORITY_KEYID, Freed<AUTHORITY_KEYID_free>> authority(AUTHORITY_KEYID_new());
  const ASN1_OCTET_STRING* theirs =
      issuer == nullptr ? nullptr : X509_get0_subject_key_id(const_cast<X509*>(issuer));
  Octets made = theirs == nullptr ? key_identifier(issuer_key) : Octets(ASN1_OCTET_STRING_dup(theirs));
  ENTENTE_CHECK(authority && made);
  authority->keyid = made.release();
  add_extension(certificate, NID_authority_key_identifier, authority.get(), false);
}

void set_serial(X509* certificate) {
  Bytes serial = random_bytes(16);
  serial[0] = static_cast<uint8_t>((serial[0] & 0x7f) | 0x40);  // positive, never short
  const BigNumber number(BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  ENTENTE_CHECK(number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr);
}

Result<void> check_spec(const CertificateSpec& spec) {
  TRY_VOID(check_wanted_names(spec.common_name, {spec.dns_names, spec.uris}));
  if (spec.organization.size() > 64)
    return fail("x509.issue", "The organisation's name is longer than 64 characters.");
  if (spec.end <= spec.begin) return fail("x509.issue", "The certificate would end before it begins.");
  if (unix_seconds(spec.end) > 253402300799)
    return fail("x509.issue", "The certificate would end after the year 9999.");
  return {};
}

// `issuer` is null for a certificate that its own key signs.
Result<Certificate> make(const PrivateKey& signer, const PublicKey& subject_key, const CertificateSpec& spec,
                         const X509* issuer, int path_length) {
  TRY_VOID(check_spec(spec));
  const Made made(X509_new());
  ENTENTE_CHECK(made && X509_set_version(made.get(), X509_VERSION_3) == 1);
  set_serial(made.get());
  set_name(X509_get_subject_name(made.get()), spec.organization, spec.common_name);
  ENTENTE_CHECK(X509_set_issuer_name(made.get(), issuer == nullptr ? X509_get_subject_name(made.get())
                                                                   : X509_get_subject_name(issuer)) == 1);
  ENTENTE_CHECK(ASN1_TIME_set(X509_getm_notBefore(made.get()),
                              static_cast<time_t>(unix_seconds(spec.begin))) != nullptr);
  ENTENTE_CHECK(ASN1_TIME_set(X509_getm_notAfter(made.get()), static_cast<time_t>(unix_seconds(spec.end))) !=
                nullptr);
  ENTENTE_CHECK(X509_set_pubkey(made.get(), subject_key.native()) == 1);
  add_constraints(made.get(), spec.use, path_length);
  add_key_usage(made.get(), spec.use);
  if (!spec.dns_names.empty() || !spec.uris.empty())
    add_extension(made.get(), NID_subject_alt_name, general_names({spec.dns_names, spec.uris}).get(), false);
  add_key_identifiers(made.get(), subject_key, signer.public_key(), issuer);
  if (X509_sign(made.get(), signer.native(), digest_for(signer.kind())) <= 0)
    return openssl_fail("x509.issue", "The certificate could not be signed.");
  uint8_t* der = nullptr;
  const int size = i2d_X509(made.get(), &der);
  ENTENTE_CHECK(size > 0);
  auto out = Certificate::from_der({der, static_cast<size_t>(size)});
  OPENSSL_free(der);
  return out;
}

}  // namespace

Result<Certificate> make_authority(const PrivateKey& key, const CertificateSpec& spec, int path_length) {
  CertificateSpec authority = spec;
  authority.use = CertificateUse::authority;
  return make(key, key.public_key(), authority, nullptr, path_length);
}

Result<Certificate> make_self_signed(const PrivateKey& key, const CertificateSpec& spec) {
  if (spec.use == CertificateUse::authority)
    return fail("x509.issue", "A pinned certificate may not be an authority's.", {}, "Use make_authority.");
  return make(key, key.public_key(), spec, nullptr, 0);
}

Result<Certificate> issue_certificate(const Certificate& authority, const PrivateKey& authority_key,
                                      const PublicKey& subject_key, const CertificateSpec& spec) {
  if (!authority.is_authority()) return fail("x509.issue", "The issuing certificate is not an authority's.");
  if (!(authority.public_key() == authority_key.public_key()))
    return fail("x509.issue", "The authority's key is not the one in its certificate.");
  if (spec.end > authority.end() || spec.begin < authority.begin())
    return fail("x509.issue", "The certificate would outlive its authority.", {},
                "Renew the authority first.");
  return make(authority_key, subject_key, spec, authority.native(), 0);
}

Result<std::string> make_request(const PrivateKey& key, const std::string& common_name,
                                 const std::vector<std::string>& dns_names,
                                 const std::vector<std::string>& uris) {
  TRY_VOID(check_wanted_names(common_name, {dns_names, uris}));
  const Request request(X509_REQ_new());
  ENTENTE_CHECK(request && X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1);
  set_name(X509_REQ_get_subject_name(request.get()), {}, common_name);
  ENTENTE_CHECK(X509_REQ_set_pubkey(request.get(), key.public_key().native()) == 1);
  if (!dns_names.empty() || !uris.empty()) {
    STACK_OF(X509_EXTENSION)* list = nullptr;
    ENTENTE_CHECK(X509V3_add1_i2d(&list, NID_subject_alt_name, general_names({dns_names, uris}).get(), 0,
                                  X509V3_ADD_DEFAULT) == 1);
    const Extensions owner(list);
    ENTENTE_CHECK(X509_REQ_add_extensions(request.get(), list) == 1);
  }
  if (X509_REQ_sign(request.get(), key.native(), digest_for(key.kind())) <= 0)
    return openssl_fail("x509.request", "The request could not be signed.");
  const Bio bio(BIO_new(BIO_s_mem()));
  ENTENTE_CHECK(bio && PEM_write_bio_X509_REQ(bio.get(), request.get()) == 1);
  return std::string(bio_text(bio.get()));
}

Result<CertificateRequest> parse_request(std::string_view pem) {
  if (pem.size() > kRequestBytesMax) return openssl_fail("x509.request", "The request is too long.");
  const Bio bio = read_bio(pem);
  const Request request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  if (!request)
    return openssl_fail("x509.request", "The text is not a certificate request in PEM.",
                        "It begins with -----BEGIN CERTIFICATE REQUEST-----.");
  PKey key(X509_REQ_get_pubkey(request.get()));
  if (!key || X509_REQ_verify(request.get(), key.get()) != 1)
    return openssl_fail("x509.request", "The request is not signed by the key it is for.");
  TRY(auto inside, adopt(std::move(key)));
  const Extensions extensions(X509_REQ_get_extensions(request.get()));
  AlternativeNames names = read_alternative_names(extensions.get());
  const std::string common_name = common_name_of(X509_REQ_get_subject_name(request.get()));
  ERR_clear_error();
  auto good = check_wanted_names(common_name, names);
  if (!good) return fail("x509.request", good.error().what(), {}, good.error().hint());
  return CertificateRequest{PublicKey(std::move(inside)), common_name, std::move(names.dns),
                            std::move(names.uris)};
}

}  // namespace entente::crypto
