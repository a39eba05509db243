#include "crypto/spki.h"

#include <algorithm>
#include <array>

#include <openssl/core_names.h>
#include <openssl/param_build.h>

namespace entente::crypto {
namespace {

constexpr std::string_view kPemBegin = "-----BEGIN PUBLIC KEY-----";
constexpr std::string_view kPemEnd = "-----END PUBLIC KEY-----";
constexpr size_t kPemLine = 64;

// All that comes before the point in DER, whose lengths are fixed with the curve.
struct Shape {
  KeyKind kind;
  const char* group;  // nullptr: no curve of this kind
  ByteView before;
  size_t point;
};
constexpr std::array<uint8_t, 26> kP256{0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                        0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                        0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
constexpr std::array<uint8_t, 23> kP384{0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
                                        0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
                                        0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00};
constexpr std::array<uint8_t, 25> kP521{0x30, 0x81, 0x9b, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
                                        0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81,
                                        0x04, 0x00, 0x23, 0x03, 0x81, 0x86, 0x00};
constexpr std::array<uint8_t, 12> kEd25519{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                           0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
constexpr std::array<Shape, 4> kShapes{{{KeyKind::p256, "prime256v1", kP256, 65},
                                        {KeyKind::p384, "secp384r1", kP384, 97},
                                        {KeyKind::p521, "secp521r1", kP521, 133},
                                        {KeyKind::ed25519, nullptr, kEd25519, 32}}};
constexpr uint8_t kUncompressed = 4;

// SEQUENCE of rsaEncryption and NULL.
constexpr std::array<uint8_t, 15> kRsaAlgorithm{0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                                0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};

// The contents of the one element that `der` is, tag and minimal length in front of it (X.690 section 10.1);
// with `rest` of the first one. Nothing: another form.
std::optional<ByteView> element(ByteView& der, uint8_t tag) {
  if (der.size() < 2 || der[0] != tag) return std::nullopt;
  size_t head = 2;
  size_t length = der[1];
  if (length >= 0x80) {
    const size_t octets = length - 0x80;
    if (octets < 1 || octets > 2 || der.size() < 2 + octets) return std::nullopt;
    length = der[2];
    if (octets == 2) length = length << 8 | der[3];
    if (length < (octets == 1 ? 0x80U : 0x100U)) return std::nullopt;
    head += octets;
  }
  if (der.size() - head < length) return std::nullopt;
  const ByteView out = der.subspan(head, length);
  der = der.subspan(head + length);
  return out;
}

// A positive INTEGER, in as few octets as it needs.
std::optional<ByteView> number(ByteView& der) {
  auto octets = element(der, 0x02);
  if (!octets || octets->empty() || octets->front() >= 0x80) return std::nullopt;
  if (octets->front() != 0) return octets;
  *octets = octets->subspan(1);
  return octets->empty() || octets->front() < 0x80 ? std::nullopt : octets;
}

std::optional<PlainKey> read_rsa(ByteView der) {
  auto inside = element(der, 0x30);
  if (!inside || !der.empty() || inside->size() < kRsaAlgorithm.size() ||
      !std::ranges::equal(inside->first(kRsaAlgorithm.size()), kRsaAlgorithm))
    return std::nullopt;
  *inside = inside->subspan(kRsaAlgorithm.size());
  auto bits = element(*inside, 0x03);
  if (!bits || !inside->empty() || bits->empty() || bits->front() != 0) return std::nullopt;
  *bits = bits->subspan(1);
  auto numbers = element(*bits, 0x30);
  if (!numbers || !bits->empty()) return std::nullopt;
  const auto modulus = number(*numbers);
  const auto exponent = number(*numbers);
  if (!modulus || !exponent || !numbers->empty()) return std::nullopt;
  return PlainKey{KeyKind::rsa, {}, *modulus, *exponent};
}

// Without its end, which is LF or CRLF; the last one may have none.
std::string_view next_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view out = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (out.ends_with('\r')) out.remove_suffix(1);
  return out;
}

PKey rsa_pkey(const PlainKey& key) {
  const std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>> builder(OSSL_PARAM_BLD_new());
  const BigNumber n(BN_bin2bn(key.modulus.data(), static_cast<int>(key.modulus.size()), nullptr));
  const BigNumber e(BN_bin2bn(key.exponent.data(), static_cast<int>(key.exponent.size()), nullptr));
  ENTENTE_CHECK(builder && n && e &&
                OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 &&
                OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 1);
  const std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>> parameters(
      OSSL_PARAM_BLD_to_param(builder.get()));
  const PKeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* made = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
    return nullptr;
  return PKey(made);
}

// A key of the curve, to take the curve from: making it from its name costs three times what copying it does.
EVP_PKEY* curve_template(KeyKind kind) {
  static const std::array<PKey, 3> made{PKey(EVP_EC_gen("P-256")), PKey(EVP_EC_gen("P-384")),
                                        PKey(EVP_EC_gen("P-521"))};
  EVP_PKEY* const out = made[static_cast<size_t>(kind)].get();
  ENTENTE_CHECK(out != nullptr);
  return out;
}

const Shape& shape_of(KeyKind kind) {
  return *std::ranges::find(kShapes, kind, &Shape::kind);
}

PKey of_curve(KeyKind kind) {
  PKey out(EVP_PKEY_new());
  ENTENTE_CHECK(out && EVP_PKEY_copy_parameters(out.get(), curve_template(kind)) == 1);
  return out;
}

bool set_point(EVP_PKEY* key, KeyKind kind, ByteView point) {
  return point.size() == shape_of(kind).point && point.front() == kUncompressed &&
         EVP_PKEY_set1_encoded_public_key(key, point.data(), point.size()) == 1;
}

}  // namespace

std::optional<PlainKey> read_plain_spki(ByteView der) {
  for (const Shape& shape : kShapes) {
    if (der.size() != shape.before.size() + shape.point) continue;
    if (!std::ranges::equal(der.first(shape.before.size()), shape.before)) continue;
    const ByteView point = der.subspan(shape.before.size());
    if (shape.group != nullptr && point.front() != kUncompressed) return std::nullopt;
    return PlainKey{shape.kind, point, {}, {}};
  }
  return read_rsa(der);
}

std::optional<Bytes> read_plain_pem(std::string_view pem) {
  if (next_line(pem) != kPemBegin) return std::nullopt;
  std::string text;
  text.reserve(pem.size());
  size_t length = kPemLine;
  for (std::string_view line = next_line(pem); line != kPemEnd; line = next_line(pem)) {
    if (line.empty() || line.size() > kPemLine || length < kPemLine) return std::nullopt;
    length = line.size();
    text.append(line);
  }
  if (!pem.empty()) return std::nullopt;
  auto der = from_base64(text);
  if (!der || der->empty()) return std::nullopt;
  return *std::move(der);
}

Bytes write_spki(KeyKind kind, ByteView point) {
  const Shape& shape = shape_of(kind);
  ENTENTE_CHECK(point.size() == shape.point);
  Bytes out;
  out.reserve(shape.before.size() + point.size());
  out.insert(out.end(), shape.before.begin(), shape.before.end());
  out.insert(out.end(), point.begin(), point.end());
  return out;
}

std::string write_public_pem(ByteView spki) {
  const std::string text = base64(spki);
  std::string out(kPemBegin);
  out.push_back('\n');
  for (size_t at = 0; at < text.size(); at += kPemLine)
    out.append(std::string_view(text).substr(at, kPemLine)).push_back('\n');
  return out.append(kPemEnd).append("\n");
}

PKey plain_pkey(const PlainKey& key) {
  if (key.kind == KeyKind::rsa) return rsa_pkey(key);
  if (key.kind == KeyKind::ed25519)
    return PKey(
        EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, key.point.data(), key.point.size()));
  PKey out = of_curve(key.kind);
  return set_point(out.get(), key.kind, key.point) ? std::move(out) : nullptr;
}

EVP_PKEY* lent_pkey(KeyKind kind, ByteView point) {
  struct Lent {
    PKey key;
    Bytes point;  // that is in it; empty: none
  };
  thread_local std::array<Lent, 3> kept;
  Lent& lent = kept.at(static_cast<size_t>(kind));
  if (!lent.key) lent.key = of_curve(kind);
  if (!point.empty() && std::ranges::equal(lent.point, point)) return lent.key.get();
  lent.point.clear();
  if (!set_point(lent.key.get(), kind, point)) return nullptr;
  lent.point.assign(point.begin(), point.end());
  return lent.key.get();
}

PKey new_curve_pkey(KeyKind kind) {
  thread_local std::array<PKeyContext, 3> kept;
  PKeyContext& context = kept.at(static_cast<size_t>(kind));
  if (!context) {
    context.reset(EVP_PKEY_CTX_new_from_pkey(nullptr, curve_template(kind), nullptr));
    ENTENTE_CHECK(context && EVP_PKEY_keygen_init(context.get()) == 1);
  }
  EVP_PKEY* made = nullptr;
  ENTENTE_CHECK(EVP_PKEY_generate(context.get(), &made) == 1);
  return PKey(made);
}

Bytes plain_point(const EVP_PKEY* key) {
  Bytes out(kShapes[2].point);
  size_t length = 0;
  ENTENTE_CHECK(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, out.data(),
                                                out.size(), &length) == 1);
  out.resize(length);
  return out;
}

}  // namespace entente::crypto
