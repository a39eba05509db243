#include "label/xml_signature.h"

#include "base/markup.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <libxml/tree.h>
#include <libxml/xmlerror.h>
#include <xmlsec/buffer.h>
#include <xmlsec/errors.h>
#include <xmlsec/io.h>
#include <xmlsec/openssl/crypto.h>
#include <xmlsec/openssl/evp.h>
#include <xmlsec/transforms.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmlsec.h>

namespace entente::label {
namespace {

constexpr std::string_view kCanonical = "http://www.w3.org/2001/10/xml-exc-c14n#";
constexpr std::string_view kEnveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
constexpr std::string_view kSha384 = "http://www.w3.org/2001/04/xmldsig-more#sha384";

Result<std::string_view> algorithm(crypto::KeyKind kind) {
  switch (kind) {
    case crypto::KeyKind::rsa:
      return "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    case crypto::KeyKind::p256:
      return "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
    case crypto::KeyKind::p384:
      return "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384";
    default:
      return fail("label.key", "label bindings are not signed with keys of this kind", {},
                  "RSA, P-256 or P-384");
  }
}

// xmlsec asks for the object beside the document through these; it can open nothing else.
struct Reading {
  const Detached* object = nullptr;
  size_t at = 0;
};
thread_local Reading reading;

int object_match(const char*) {
  return reading.object != nullptr ? 1 : 0;
}
void* object_open(const char*) {
  reading.at = 0;
  return &reading;
}
int object_read(void*, char* buffer, int size) {
  const ByteView left = reading.object->bytes.subspan(reading.at);
  const size_t count = std::min(left.size(), static_cast<size_t>(std::max(size, 0)));
  if (count > 0) std::memcpy(buffer, left.data(), count);
  reading.at += count;
  return static_cast<int>(count);
}
int object_close(void*) {
  return 0;
}
void silent(const char*, int, const char*, const char*, const char*, int, const char*) {}

bool start_xmlsec() {
  if (xmlSecInit() < 0 || xmlSecOpenSSLInit() < 0) return false;
  xmlSecErrorsSetCallback(silent);  // after xmlSecInit(), which sets one that writes to standard error
  xmlSecIOCleanupCallbacks();
  return xmlSecIORegisterCallbacks(object_match, object_open, object_read, object_close) == 0;
}

struct FreeContext {
  void operator()(xmlSecDSigCtx* context) const { xmlSecDSigCtxDestroy(context); }
};
using Context = std::unique_ptr<xmlSecDSigCtx, FreeContext>;

Result<xmlSecKeyPtr> adopt(evp_pkey_st* native) {
  EVP_PKEY* own = xmlSecOpenSSLEvpKeyDup(native);
  xmlSecKeyDataPtr data = own != nullptr ? xmlSecOpenSSLEvpKeyAdopt(own) : nullptr;
  xmlSecKeyPtr key = data != nullptr ? xmlSecKeyCreate() : nullptr;
  if (key == nullptr || xmlSecKeySetValue(key, data) < 0)
    return fail("label.key", "this key can't be used for XML signatures", {}, "RSA, P-256 or P-384");
  return key;
}

bool allow(xmlSecDSigCtx& context, crypto::KeyKind kind) {
  const xmlSecTransformId method = kind == crypto::KeyKind::rsa    ? xmlSecOpenSSLTransformRsaSha256Id
                                   : kind == crypto::KeyKind::p256 ? xmlSecOpenSSLTransformEcdsaSha256Id
                                                                   : xmlSecOpenSSLTransformEcdsaSha384Id;
  for (const xmlSecTransformId id :
       {xmlSecTransformExclC14NId, xmlSecTransformEnvelopedId, xmlSecOpenSSLTransformSha384Id})
    if (xmlSecDSigCtxEnableReferenceTransform(&context, id) < 0) return false;
  for (const xmlSecTransformId id : {xmlSecTransformExclC14NId, method})
    if (xmlSecDSigCtxEnableSignatureTransform(&context, id) < 0) return false;
  return true;
}

// A context that can do what our shape needs and nothing else, with the caller's key in it.
Result<Context> context_for(crypto::KeyKind kind, evp_pkey_st* key, const Detached* object) {
  static const bool started = start_xmlsec();
  ENTENTE_CHECK(started);
  Context out(xmlSecDSigCtxCreate(nullptr));
  ENTENTE_CHECK(out != nullptr);
  const auto beside =
      static_cast<xmlSecTransformUriType>(xmlSecTransformUriTypeLocal) | xmlSecTransformUriTypeRemote;
  out->enabledReferenceUris = xmlSecTransformUriTypeEmpty | (object != nullptr ? beside : 0);
  ENTENTE_CHECK(allow(*out, kind));
  TRY(out->signKey, adopt(key));
  return out;
}

// For one computation: the object it may read, and nothing of it on standard error.
struct Lend {
  explicit Lend(const Detached* object) {
    reading = {object, 0};
    xmlSetStructuredErrorFunc(nullptr, [](void*, xmlErrorPtr) {});
  }
  ~Lend() {
    xmlSetStructuredErrorFunc(nullptr, nullptr);
    reading = {};
  }
  Lend(const Lend&) = delete;
  Lend& operator=(const Lend&) = delete;
};

// ---- The shape ----

Failure other_shape(const XmlElement& at, std::string what) {
  return fail("label.binding", std::move(what), at.where(),
              "signatures of another shape are not verified: docs/wire-formats/label.md");
}

Result<void> has_algorithm(const XmlElement& at, std::string_view name, std::string_view wanted) {
  TRY(const auto inside, at.children());
  if (!at.is(kSignatureSpace, name) || !inside.empty() || at.attribute_names().size() != 1 ||
      at.attribute_or("Algorithm", "") != wanted)
    return other_shape(at, fmt::format("{} is not {}", name, wanted));
  return {};
}

Result<void> is_reference(const XmlElement& at, std::string_view uri, bool document) {
  const auto names = at.attribute_names();
  if (!at.is(kSignatureSpace, "Reference") || names.size() != 1 || at.attribute("URI") != std::string(uri))
    return other_shape(at, fmt::format("a reference to \"{}\" belongs here", uri));
  TRY(const auto parts, at.children());
  if (parts.size() != (document ? 3U : 2U)) return other_shape(at, "the reference has other parts");
  size_t next = 0;
  if (document) {
    TRY(const auto transforms, parts[next++].children());
    if (!parts[0].is(kSignatureSpace, "Transforms") || transforms.size() != 2)
      return other_shape(at, "the document's transforms are not the two that are allowed");
    TRY_VOID(has_algorithm(transforms[0], "Transform", kEnveloped));
    TRY_VOID(has_algorithm(transforms[1], "Transform", kCanonical));
  }
  TRY_VOID(has_algorithm(parts[next++], "DigestMethod", kSha384));
  if (!parts[next].is(kSignatureSpace, "DigestValue")) return other_shape(at, "DigestValue is missing");
  return {};
}

// Exactly what signature_template() makes, with values; a KeyInfo may follow and is not read.
Result<void> has_shape(const XmlElement& signature, crypto::KeyKind kind, const Detached* object) {
  TRY(const auto parts, signature.children());
  const bool right = (parts.size() == 2 || (parts.size() == 3 && parts[2].is(kSignatureSpace, "KeyInfo"))) &&
                     parts[0].is(kSignatureSpace, "SignedInfo") &&
                     parts[1].is(kSignatureSpace, "SignatureValue");
  if (!right) return other_shape(signature, "the signature has other parts");
  TRY(const auto info, parts[0].children());
  if (info.size() != (object != nullptr ? 4U : 3U))
    return other_shape(signature, "the signature does not sign what it must, no more and no less");
  TRY(const std::string_view method, algorithm(kind));
  TRY_VOID(has_algorithm(info[0], "CanonicalizationMethod", kCanonical));
  TRY_VOID(has_algorithm(info[1], "SignatureMethod", method));
  TRY_VOID(is_reference(info[2], "", true));
  if (object != nullptr) TRY_VOID(is_reference(info[3], object->uri, false));
  return {};
}

}  // namespace

Result<std::string> signature_template(crypto::KeyKind kind, const Detached* object) {
  TRY(const std::string_view method, algorithm(kind));
  std::string out = fmt::format(
      "<ds:Signature xmlns:ds=\"{}\"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"{}\"/>"
      "<ds:SignatureMethod Algorithm=\"{}\"/>"
      "<ds:Reference URI=\"\"><ds:Transforms><ds:Transform Algorithm=\"{}\"/><ds:Transform Algorithm=\"{}\"/>"
      "</ds:Transforms><ds:DigestMethod Algorithm=\"{}\"/><ds:DigestValue/></ds:Reference>",
      kSignatureSpace, kCanonical, method, kEnveloped, kCanonical, kSha384);
  if (object != nullptr)
    out += fmt::format(
        "<ds:Reference URI=\"{}\"><ds:DigestMethod Algorithm=\"{}\"/><ds:DigestValue/></ds:Reference>",
        escape_markup(object->uri), kSha384);
  return out + "</ds:SignedInfo><ds:SignatureValue/></ds:Signature>";
}

Result<void> sign_in_place(const XmlElement& signature, const crypto::PrivateKey& key,
                           const Detached* object) {
  TRY_VOID(has_shape(signature, key.kind(), object));
  TRY(const Context context, context_for(key.kind(), key.native(), object));
  const Lend lend(object);
  if (xmlSecDSigCtxSign(context.get(), signature.native()) < 0 ||
      context->status != xmlSecDSigStatusSucceeded)
    return fail("label.signature", "the label binding could not be signed", {}, "check the key");
  return {};
}

Result<void> verify_in_place(const XmlElement& signature, const crypto::PublicKey& key,
                             const Detached* object) {
  TRY_VOID(has_shape(signature, key.kind(), object));
  TRY(const Context context, context_for(key.kind(), key.native(), object));
  const Lend lend(object);
  const bool ran = xmlSecDSigCtxVerify(context.get(), signature.native()) == 0;
  const auto wanted = static_cast<xmlSecSize>(object != nullptr ? 2 : 1);
  if (!ran || context->status != xmlSecDSigStatusSucceeded ||
      xmlSecPtrListGetSize(&context->signedInfoReferences) != wanted)
    return fail("label.signature", "the signature of the label binding does not hold", signature.where(),
                "label, document or object were changed, or another key signed them");
  return {};
}

}  // namespace entente::label
