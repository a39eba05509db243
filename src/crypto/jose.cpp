#include "crypto/jose.h"

#include "base/memo.h"
#include "crypto/openssl.h"

#include <algorithm>
#include <array>

namespace entente::crypto {
namespace {

// Header members that change what a token means or where its key comes from. None is used; most are refused
// outright (RFC 8725 sections 3.1, 3.10), since whoever sends them expects something that will not happen.
constexpr std::array<std::string_view, 8> kRefusedHeaders{"crit", "b64", "zip", "enc",
                                                          "jku",  "jwk", "x5u", "x5c"};
constexpr size_t kHeaderBytesMax = 4096;
constexpr size_t kKidBytesMax = 256;

struct Parts {
  std::string_view signed_part;
  std::shared_ptr<const Json> header;
  std::string_view payload;
  std::string_view signature;
};

Failure shape(std::string what) {
  return fail("jose.shape", std::move(what), {}, "A compact JWS: header.payload.signature.");
}

// Tokens differ in what they say, and hardly in their headers: a thread keeps what it read in one.
Result<std::shared_ptr<const Json>> header_of(std::string_view text) {
  constexpr size_t kKeptBytesMax = 512;
  thread_local Memo<std::string, std::shared_ptr<const Json>> kept;
  if (const auto* known = kept.find(text)) return *known;
  if (text.size() > kHeaderBytesMax) return shape("The token's header is too long.");
  const auto bytes = from_base64url(text);
  if (!bytes) return shape("The token's header is not base64url.");
  auto read = Json::parse(as_text(*bytes), {.bytes_max = kHeaderBytesMax, .depth_max = 4});
  if (!read || !read->is_object()) return shape("The token's header is not a JSON object of unique members.");
  auto out = std::make_shared<const Json>(*std::move(read));
  if (text.size() <= kKeptBytesMax) kept.put(std::string(text), out);
  return out;
}

Result<Parts> split(std::string_view token, size_t bytes_max) {
  if (token.size() > bytes_max)
    return shape("The token is longer than " + std::to_string(bytes_max) + " bytes.");
  const size_t first = token.find('.');
  const size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return shape("The token is not three parts.");
  TRY(auto header, header_of(token.substr(0, first)));
  return Parts{token.substr(0, second), std::move(header), token.substr(first + 1, second - first - 1),
               token.substr(second + 1)};
}

// RFC 7515 section 4.1.9: a media type whose "application/" may be left out; case does not matter.
std::string plain_typ(std::string_view typ) {
  std::string out(typ);
  std::ranges::transform(out, out.begin(), [](unsigned char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c);
  });
  constexpr std::string_view kPrefix = "application/";
  return out.starts_with(kPrefix) ? out.substr(kPrefix.size()) : out;
}

Result<void> check_header(const Json& header, const JwsExpect& expect) {
  for (const std::string_view member : kRefusedHeaders)
    if (header.find(member) != nullptr)
      return fail("jose.header",
                  "The token's header has \"" + std::string(member) + "\", which is never accepted.");
  for (const std::string_view member : {"alg", "typ", "kid", "cty"}) {
    const Json* value = header.find(member);
    if (value != nullptr && !value->is_string())
      return fail("jose.header", "The token's \"" + std::string(member) + "\" is not text.");
  }
  if (header.text_or("kid", "").size() > kKidBytesMax)
    return fail("jose.header", "The token's \"kid\" is too long.");
  if (expect.kid_required && header.find("kid") == nullptr)
    return fail("jose.header", "The token names no key (\"kid\").");
  if (!expect.typ.empty() && plain_typ(header.text_or("typ", "")) != plain_typ(expect.typ))
    return fail("jose.header", "The token is of another type.", {},
                "Its \"typ\" must be \"" + expect.typ + "\".");
  return {};
}

Result<SignatureAlg> allowed_alg(const Json& header, const JwsExpect& expect) {
  const auto alg = signature_alg(header.text_or("alg", ""));
  if (!alg || std::ranges::find(expect.algs, *alg) == expect.algs.end()) {
    std::string hint = "Signed with one of:";
    for (const SignatureAlg each : expect.algs) hint.append(" ").append(name(each));
    return fail("jose.alg", "The token's signature algorithm is not allowed here.", {}, hint);
  }
  return *alg;
}

// A kid picks exactly its key. Without one on either side there must be a single key to mean.
Result<const VerifyKey*> pick_key(const Json& header, const KeySet& keys) {
  const Json* kid = header.find("kid");
  const VerifyKey* found = kid == nullptr ? nullptr : keys.find(kid->string());
  if (found == nullptr && keys.keys().size() == 1 && (kid == nullptr || keys.keys()[0].kid.empty()))
    found = &keys.keys()[0];
  if (found == nullptr)
    return fail("jose.key", "The token's key is not known.", {}, "The issuer's key set may have changed.");
  return found;
}

// Whose signature it has to be, as far as its header and what is expected of it say.
Result<const VerifyKey*> expected_key(const Json& header, const KeySet& keys, const JwsExpect& expect) {
  TRY_VOID(check_header(header, expect));
  TRY(const SignatureAlg alg, allowed_alg(header, expect));
  TRY(const VerifyKey* key, pick_key(header, keys));
  if (key->alg != alg)
    return fail("jose.alg", "The token's algorithm is not its key's.", {},
                "Signed with " + std::string(name(key->alg)) + ".");
  return key;
}

// A signature that holds for a key does so for good: of tokens that come with each request a thread remembers
// that, by text and key, and what they say. When they end and whose key counts is looked at anew each time;
// whether its header is what is expected, when something else is.
struct KnownToken {
  VerifyKey key;
  std::shared_ptr<const Jwt::Said> said;
  Digest digest;
  JwsExpect expected;
};
// They are secrets of a kind: how long comparing takes tells nothing of the one that is kept.
struct TokenText {
  std::string text;
  bool operator==(std::string_view other) const { return equal_constant_time(text, other); }
};
struct TokenHash {
  [[nodiscard]] size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  [[nodiscard]] size_t operator()(const TokenText& token) const { return (*this)(token.text); }
};
constexpr size_t kKnownBytesMax = 4096;  // longer ones are read each time

Result<Json> claims_of(const Jws& jws, const JwtExpect& expect) {
  auto claims = Json::parse(as_text(jws.payload), {.bytes_max = expect.jws.bytes_max, .depth_max = 16});
  if (!claims || !claims->is_object())
    return fail("jwt.claims", "The token's claims are not a JSON object of unique members.");
  return *std::move(claims);
}

Result<std::optional<Instant>> time_claim(const Json& claims, std::string_view claim, bool required) {
  constexpr int64_t kLatest = 253402300799;  // the last second of the year 9999
  const Json* value = claims.find(claim);
  if (value == nullptr) {
    if (required)
      return fail("jwt." + std::string(claim), "The token has no \"" + std::string(claim) + "\".");
    return std::nullopt;
  }
  if (!value->is_int() || value->integer() < 0 || value->integer() > kLatest)
    return fail("jwt." + std::string(claim),
                "The token's \"" + std::string(claim) + "\" is not a whole number of seconds.");
  return from_unix_seconds(value->integer());
}

Result<void> check_audience(const Json& claims, const JwtExpect& expect) {
  const Json* aud = claims.find("aud");
  const bool in_list = aud != nullptr && aud->is_array() && aud->items().size() == 1;
  const Json* only = in_list ? &aud->items().front() : aud;
  if (only != nullptr && only->is_string() && only->string() == expect.audience) return {};
  return fail("jwt.aud", "The token is for another audience.", {},
              "Its \"aud\" must be \"" + expect.audience + "\".");
}

Result<void> check_times(const Jwt& jwt, const std::optional<Instant>& not_before,
                         const std::optional<Instant>& end, const JwtExpect& expect) {
  if (end && expect.now >= *end + expect.skew) return fail("jwt.exp", "The token has expired.");
  if (not_before && expect.now + expect.skew < *not_before)
    return fail("jwt.nbf", "The token is not valid yet.");
  if (jwt.issued && expect.now + expect.skew < *jwt.issued)
    return fail("jwt.iat", "The token was issued in the future.", {}, "Check both clocks.");
  if (expect.age_max && (!jwt.issued || expect.now - *jwt.issued > *expect.age_max + expect.skew))
    return fail("jwt.iat", "The token is too old.");
  if (expect.lifetime_max &&
      (!jwt.issued || !end || *end - *jwt.issued > *expect.lifetime_max || *end <= *jwt.issued))
    return fail("jwt.exp", "The token lives longer than is allowed here.");
  return {};
}

// RFC 7517 section 4.4: "alg" is optional, and a set may hold keys of kinds that its issuer does not sign
// with.
SignatureAlg alg_without_name(const PublicKey& key, SignatureAlg rsa_alg) {
  if (key.kind() != KeyKind::rsa) return default_alg(key.kind());
  return fits(rsa_alg, KeyKind::rsa) ? rsa_alg : default_alg(KeyKind::rsa);
}

Result<std::optional<VerifyKey>> key_from_json(const Json& jwk, SignatureAlg rsa_alg) {
  if (!jwk.is_object()) return fail("jose.keys", "The key set holds something that is not a JSON object.");
  const std::string_view kty = jwk.text_or("kty", "");
  if (kty == "oct" || jwk.find("k") != nullptr || jwk.find("d") != nullptr)
    return fail("jose.keys", "The key set holds a secret.", {}, "Publish public keys only.");
  TRY(const JwkUse use, jwk_use(jwk, "verify"));
  const std::string_view crv = jwk.text_or("crv", "");
  const bool known = kty == "RSA" || (kty == "EC" && (crv == "P-256" || crv == "P-384" || crv == "P-521")) ||
                     (kty == "OKP" && crv == "Ed25519");
  if (use == JwkUse::other || !known) return std::nullopt;
  TRY(PublicKey key, PublicKey::from_jwk(jwk));
  SignatureAlg alg = alg_without_name(key, rsa_alg);
  if (const Json* named = jwk.find("alg")) {
    TRY(alg, signature_alg(named->string()));
  }
  return VerifyKey{std::string(jwk.text_or("kid", "")), alg, std::move(key)};
}

}  // namespace

Result<KeySet> KeySet::from_keys(std::vector<VerifyKey> keys) {
  if (keys.size() > kKeySetKeysMax)
    return fail("jose.keys", "The key set holds more than " + std::to_string(kKeySetKeysMax) + " keys.");
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!fits(keys[i].alg, keys[i].key.kind()))
      return fail("jose.keys", "A key's algorithm does not fit it.");
    if (keys[i].kid.size() > kKidBytesMax) return fail("jose.keys", "A key's \"kid\" is too long.");
    for (size_t j = 0; j < i; ++j)
      if (keys[i].kid == keys[j].kid)
        return fail("jose.keys", "Two keys of the set have the same \"kid\".", {},
                    "Give each key a \"kid\" of its own.");
  }
  KeySet out;
  out.keys_ = std::move(keys);
  return out;
}

Result<KeySet> KeySet::from_json(const Json& jwks, SignatureAlg rsa_alg) {
  std::vector<VerifyKey> keys;
  const Json* list = jwks.find("keys");
  if (list == nullptr) {
    TRY(auto key, key_from_json(jwks, rsa_alg));
    if (key) keys.push_back(*std::move(key));
    return from_keys(std::move(keys));
  }
  if (!list->is_array() || list->items().size() > kKeySetKeysMax)
    return fail("jose.keys", "The key set's \"keys\" is not a list of at most " +
                                 std::to_string(kKeySetKeysMax) + " keys.");
  std::vector<std::string_view> kids;  // of those passed over as well: two keys by one name are ambiguous
  for (const Json& jwk : list->items()) {
    TRY(auto key, key_from_json(jwk, rsa_alg));
    const std::string_view kid = jwk.text_or("kid", "");
    if (!kid.empty() && std::ranges::find(kids, kid) != kids.end())
      return fail("jose.keys", "Two keys of the set have the same \"kid\".", {},
                  "Give each key a \"kid\" of its own.");
    kids.push_back(kid);
    if (key) keys.push_back(*std::move(key));
  }
  return from_keys(std::move(keys));
}

Result<KeySet> KeySet::parse(std::string_view text, SignatureAlg rsa_alg) {
  TRY(const Json json, Json::parse(text, {.bytes_max = kKeySetBytesMax, .depth_max = 8}));
  return from_json(json, rsa_alg);
}

Json KeySet::json() const {
  Json::Array out;
  for (const VerifyKey& each : keys_) {
    Json jwk = each.key.jwk();
    if (!each.kid.empty()) jwk.set("kid", each.kid);
    jwk.set("alg", name(each.alg));
    jwk.set("use", "sig");
    out.push_back(std::move(jwk));
  }
  return Json::object({{"keys", Json(std::move(out))}});
}

const VerifyKey* KeySet::find(std::string_view kid) const {
  const auto at = std::ranges::find(keys_, kid, &VerifyKey::kid);
  return kid.empty() || at == keys_.end() ? nullptr : &*at;
}

Result<Jws> verify_jws(std::string_view token, const KeySet& keys, const JwsExpect& expect) {
  TRY(Parts parts, split(token, expect.bytes_max));
  TRY(const VerifyKey* key, expected_key(*parts.header, keys, expect));
  auto payload = from_base64url(parts.payload);
  auto signature = from_base64url(parts.signature);
  if (!payload || !signature) return shape("The token's payload or signature is not base64url.");
  if (!key->key.verify(key->alg, as_bytes(parts.signed_part), *signature))
    return fail("jose.signature", "The token's signature does not hold.");
  return Jws{std::move(parts.header), key->kid, key->alg, *std::move(payload)};
}

Result<std::string> sign_jws(const PrivateKey& key, const JwsMake& make, ByteView payload) {
  Json header = Json::object({{"alg", name(make.alg)}});
  if (!make.typ.empty()) header.set("typ", make.typ);
  if (!make.kid.empty()) header.set("kid", make.kid);
  std::string token = base64url(as_bytes(header.dump()));
  token.append(".").append(base64url(payload));
  TRY(const Bytes signature, key.sign(make.alg, as_bytes(token)));
  token.append(".").append(base64url(signature));
  return token;
}

Result<std::string> sign_jwt(const PrivateKey& key, const JwsMake& make, const Json& claims) {
  return sign_jws(key, make, as_bytes(claims.dump()));
}

std::optional<std::string> unverified_kid(std::string_view token) {
  const auto parts = split(token, kTokenBytesMax);
  if (!parts) return std::nullopt;
  const Json* kid = parts->header->find("kid");
  if (kid == nullptr || !kid->is_string() || kid->string().size() > kKidBytesMax) return std::nullopt;
  return kid->string();
}

std::string half_hash(SignatureAlg alg, std::string_view text) {
  const std::string_view digits = name(alg).substr(2);  // Ed25519 signs with SHA-512
  const EVP_MD* md = digits == "256" ? EVP_sha256() : digits == "384" ? EVP_sha384() : EVP_sha512();
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  ENTENTE_CHECK(EVP_Digest(text.data(), text.size(), digest.data(), &length, md, nullptr) == 1);
  return base64url(ByteView(digest).first(length / 2));
}

namespace {

Result<Jwt> signed_jwt(std::string_view token, const KeySet& keys, const JwtExpect& expect) {
  TRY(Jws jws, verify_jws(token, keys, expect.jws));
  TRY(Json claims, claims_of(jws, expect));
  return Jwt{std::make_shared<const Jwt::Said>(std::move(jws.header), std::move(claims)), std::move(jws.kid),
             jws.alg, std::nullopt, kNever};
}

Result<Jwt> known_or_signed_jwt(std::string_view token, const KeySet& keys, const JwtExpect& expect) {
  if (token.size() > expect.jws.bytes_max) return signed_jwt(token, keys, expect);  // which says so
  thread_local Memo<TokenText, KnownToken, 1024, TokenHash> kept;
  if (const KnownToken* known = kept.find(token)) {
    TRY(const VerifyKey* key, known->expected == expect.jws
                                  ? pick_key(*known->said->header, keys)
                                  : expected_key(*known->said->header, keys, expect.jws));
    if (&key->key.inside() == &known->key.key.inside() && key->alg == known->key.alg)
      return Jwt{known->said, key->kid, key->alg, std::nullopt, kNever, known->digest};
  }
  TRY(Jwt out, signed_jwt(token, keys, expect));
  TRY(const VerifyKey* key, expected_key(out.header(), keys, expect.jws));
  out.digest = sha256(token);
  if (token.size() <= kKnownBytesMax)
    kept.put(TokenText{std::string(token)}, {*key, out.said, out.digest, expect.jws});
  return out;
}

}  // namespace

Result<Jwt> verify_jwt(std::string_view token, const KeySet& keys, const JwtExpect& expect) {
  ENTENTE_CHECK(!expect.issuer.empty() && !expect.audience.empty());
  TRY(Jwt out,
      expect.comes_again ? known_or_signed_jwt(token, keys, expect) : signed_jwt(token, keys, expect));
  const Json* issuer = out.claims().find("iss");
  if (issuer == nullptr || !issuer->is_string() || issuer->string() != expect.issuer)
    return fail("jwt.iss", "The token is from another issuer.", {},
                "Its \"iss\" must be \"" + expect.issuer + "\".");
  TRY_VOID(check_audience(out.claims(), expect));
  TRY(out.issued, time_claim(out.claims(), "iat", true));
  TRY(const auto end, time_claim(out.claims(), "exp", true));
  TRY(const auto not_before, time_claim(out.claims(), "nbf", false));
  TRY_VOID(check_times(out, not_before, end, expect));
  if (end) out.end = *end;
  return out;
}

}  // namespace entente::crypto
