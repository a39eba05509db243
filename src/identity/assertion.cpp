#include "identity/assertion.h"

#include "identity/person.h"

#include <algorithm>

namespace entente::identity {
namespace {

constexpr std::string_view kNodePrefix = "entente:node:";
constexpr Seconds kSkew{60};

Json value_json(const coalition::FactValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  if (const auto* number = std::get_if<int64_t>(&value)) return *number;
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  Json out = Json::array();
  for (const std::string& each : std::get<std::vector<std::string>>(value)) out.push(each);
  return out;
}

Failure wrong_format(std::string_view what) {
  return fail("assertion.format", "The assertion has no good \"" + std::string(what) + "\".");
}

Result<std::string> text_claim(const Json& claims, std::string_view name) {
  const Json* value = claims.find(name);
  if (value == nullptr || !value->is_string() || value->string().empty() || value->string().size() > 512)
    return wrong_format(name);
  return value->string();
}

Result<std::string> connector_claim(const Json& claims) {
  const Json* confirmation = claims.find("cnf");
  if (confirmation == nullptr) return wrong_format("cnf");
  return text_claim(*confirmation, "x5t#S256");
}

}  // namespace

std::string node_uri(const PartnerCode& partner) {
  return std::string(kNodePrefix) + partner.text();
}
std::string app_uri(const coalition::AppRef& app) {
  return "entente:app:" + app.owner.text() + "/" + app.app.text();
}

Json attributes_for(const coalition::Facts& facts, std::span<const std::string> shares, Instant now) {
  Json out = Json::object();
  for (const auto& [name, fact] : facts)
    if (fact.end > now && std::ranges::find(shares, name) != shares.end())
      out.set(name, value_json(fact.value));
  return out;
}

Instant attributes_end(const coalition::Facts& facts, std::span<const std::string> shares, Instant now) {
  Instant first = kNever;
  for (const auto& [name, fact] : facts)
    if (fact.end > now && std::ranges::find(shares, name) != shares.end()) first = std::min(first, fact.end);
  return first;
}

std::string session_reference(const crypto::Secret& secret, const SessionId& session,
                              const coalition::AppRef& app) {
  const crypto::Digest code = crypto::hmac_sha256(
      secret.bytes(), framed({"entente.session/1", session.text(), app.owner.text(), app.app.text()}));
  return base64url(ByteView(code).first(16));
}

Result<std::string> sign_assertion(const crypto::PrivateKey& key, const std::string& kid, Assertion assertion,
                                   Instant now, const std::string& jti) {
  Json claims = Json::object({{"iss", node_uri(assertion.issuer)},
                              {"aud", app_uri(assertion.app)},
                              {"sub", assertion.person.text()},
                              {"iat", unix_seconds(now)},
                              {"exp", unix_seconds(now + kAssertionLife)},
                              {"jti", jti},
                              {"partner", assertion.partner.text()},
                              {"attributes", std::move(assertion.attributes)},
                              {"session", assertion.session},
                              {"cnf", Json::object({{"x5t#S256", assertion.connector}})}});
  if (!assertion.mission.empty()) claims.set("mission", assertion.mission.text());
  return crypto::sign_jwt(
      key, {.alg = crypto::SignatureAlg::ES256, .typ = std::string(kAssertionTyp), .kid = kid}, claims);
}

AssertionVerifier::AssertionVerifier(coalition::AppRef app, std::string connector_thumbprint,
                                     crypto::KeySet keys)
    : app_(std::move(app)), connector_(std::move(connector_thumbprint)), keys_(std::move(keys)) {}

Result<Assertion> AssertionVerifier::check(std::string_view token, Instant now) const {
  crypto::JwtExpect expect;
  expect.jws = {.algs = {crypto::SignatureAlg::ES256}, .typ = std::string(kAssertionTyp)};
  expect.issuer = node_uri(app_.owner);
  expect.audience = app_uri(app_);
  expect.now = now;
  expect.skew = kSkew;
  expect.lifetime_max = kAssertionLife;
  TRY(const crypto::Jwt jwt, crypto::verify_jwt(token, keys_, expect));
  Assertion out;
  out.issuer = app_.owner;
  out.app = app_;
  TRY(out.connector, connector_claim(jwt.claims()));
  if (!crypto::equal_constant_time(out.connector, connector_))
    return fail("assertion.connector", "The assertion was made for another connector.");
  TRY(std::string person, text_claim(jwt.claims(), "sub"));
  TRY(std::string partner, text_claim(jwt.claims(), "partner"));
  TRY(out.session, text_claim(jwt.claims(), "session"));
  TRY(out.id, text_claim(jwt.claims(), "jti"));
  const Json* attributes = jwt.claims().find("attributes");
  if (!is_partner_code(partner)) return wrong_format("partner");
  if (attributes == nullptr || !attributes->is_object()) return wrong_format("attributes");
  out.person = PersonId(std::move(person));
  out.partner = PartnerCode(std::move(partner));
  out.mission = MissionId(std::string(jwt.claims().text_or("mission", "")));
  out.attributes = *attributes;
  out.issued = *jwt.issued;
  out.end = jwt.end;
  return out;
}

Result<Assertion> AssertionVerifier::check_once(std::string_view token, Instant now) {
  TRY(Assertion out, check(token, now));
  // For as long as it could pass check(): its end and the skew after it, from the latest it may have begun.
  switch (used_.use(crypto::sha256(out.id), {}, now + kAssertionLife + 2 * kSkew, now)) {
    case UsedOnce::Use::first:
      break;
    case UsedOnce::Use::again:
      return fail("assertion.replayed", "The assertion was used before.");
    case UsedOnce::Use::full:
      return fail("assertion.replayed", "More assertions are live than can be told apart.", {},
                  "Try again in a minute.");
  }
  return out;
}

}  // namespace entente::identity
