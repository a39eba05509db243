#include "identity/access_token.h"

#include "base/fields.h"

#include <algorithm>

namespace entente::identity {
namespace {

constexpr size_t kIssuerBytesMax = 512;
constexpr size_t kTokenSubjectMax = 256;
constexpr size_t kClientsMax = 64;
constexpr Seconds kTokenSkew{60};

Result<std::string> bound_key(const Json& claims) {
  const Json* cnf = claims.find("cnf");
  if (cnf == nullptr) return std::string();
  const Json* jkt = cnf->find("jkt");
  // Bound to something else than a key that a proof can name: then nobody here can tell who may use it.
  if (jkt == nullptr || !jkt->is_string() || jkt->string().size() != 43) {
    return fail("token.binding", "The access token is bound to something that cannot be proved here.", {},
                "Bind it to a key with DPoP (cnf.jkt).");
  }
  return jkt->string();
}

}  // namespace

Result<TokenIssuer> token_issuer_from_json(const Json& json, const std::string& path) {
  Fields fields(json, path);
  TokenIssuer out;
  out.issuer = fields.text("issuer", kIssuerBytesMax);
  out.audience = fields.text("audience", kIssuerBytesMax);
  const auto alg = crypto::signature_alg(fields.text("alg", 16));
  if (!alg) {
    fields.wrong("alg", "this is no signature algorithm", "write ES256, PS256, EdDSA, ...");
  } else {
    out.alg = *alg;
  }
  out.typ = fields.text_or("typ", "at+jwt", 32);
  out.clients = fields.texts_or_none("clients", kClientsMax);
  out.lenient.path_only = out.lenient.no_token_hash = fields.boolean_or("lenient_proofs", false);
  TRY_VOID(fields.done());
  return out;
}

std::optional<std::string> unverified_issuer(std::string_view token) {
  if (token.size() > crypto::kTokenBytesMax) return std::nullopt;
  const size_t first = token.find('.');
  const size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto bytes = from_base64url(token.substr(first + 1, second - first - 1));
  if (!bytes) return std::nullopt;
  const auto claims = Json::parse(as_text(*bytes), {.bytes_max = crypto::kTokenBytesMax, .depth_max = 16});
  if (!claims) return std::nullopt;
  std::string issuer(claims->text_or("iss", ""));
  if (issuer.empty() || issuer.size() > kIssuerBytesMax) return std::nullopt;
  return issuer;
}

Result<AccessToken> check_access_token(std::string_view token, const TokenIssuer& issuer,
                                       const crypto::KeySet& keys, Instant now) {
  crypto::JwtExpect expect;
  expect.jws = {.algs = {issuer.alg}, .typ = issuer.typ};
  expect.comes_again = true;
  expect.issuer = issuer.issuer;
  expect.audience = issuer.audience;
  expect.now = now;
  expect.skew = kTokenSkew;
  expect.lifetime_max = kAccessTokenLifeMax;
  TRY(crypto::Jwt jwt, crypto::verify_jwt(token, keys, expect));
  AccessToken out;
  out.issuer = issuer.issuer;
  out.subject = jwt.claims().text_or("sub", "");
  if (out.subject.empty() || out.subject.size() > kTokenSubjectMax) {
    return fail("jwt.sub", "The access token names nobody.");
  }
  out.client = jwt.claims().text_or("client_id", jwt.claims().text_or("azp", ""));
  if (!issuer.clients.empty() &&
      std::find(issuer.clients.begin(), issuer.clients.end(), out.client) == issuer.clients.end()) {
    return fail("token.issuer", "The access token was given to a program that may not bring it here.");
  }
  TRY(out.thumbprint, bound_key(jwt.claims()));
  const Json* auth_time = jwt.claims().find("auth_time");
  constexpr int64_t kLatestAuth = 253402300799;
  if (auth_time != nullptr && auth_time->is_int() && auth_time->integer() >= 0 &&
      auth_time->integer() <= kLatestAuth) {
    out.auth_time = from_unix_seconds(auth_time->integer());
  }
  out.issued = *jwt.issued;
  out.end = jwt.end;
  out.digest = jwt.digest;
  out.said = std::move(jwt.said);
  return out;
}

}  // namespace entente::identity
