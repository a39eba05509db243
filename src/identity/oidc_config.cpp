// What is fixed before anybody signs in: the provider's record and its discovery document.
#include "base/fields.h"
#include "identity/oidc.h"
#include "identity/web_text.h"

#include <algorithm>

namespace entente::identity {
namespace {

constexpr size_t kDiscoveryBytesMax = 256 * 1024;

crypto::SignatureAlg read_alg(Fields& fields, std::string_view key, crypto::SignatureAlg otherwise) {
  const std::string written = fields.text_or(key, std::string(crypto::name(otherwise)), 16);
  const auto alg = crypto::signature_alg(written);
  if (!alg) fields.wrong(key, alg.error().what(), alg.error().hint());
  return alg.value_or(otherwise);
}

void check_https(Fields& fields, std::string_view key, const std::string& url) {
  if (!url.empty() && (!https_authority(url) || url.find('?') != std::string::npos))
    fields.wrong(key, "this is not an https URL without a query", "write it as the provider does");
}

Failure discovery_fail(const OidcProvider& provider, std::string what, std::string hint = {}) {
  return fail("oidc.discovery", std::move(what), provider.issuer, std::move(hint));
}

// An endpoint of the document: https, and on a host that was written down beforehand.
Result<std::string> endpoint(const OidcProvider& provider, const Json& document, const std::string& member,
                             bool required) {
  const Json* value = document.find(member);
  if (value == nullptr && !required) return std::string();
  if (value == nullptr || !value->is_string())
    return discovery_fail(provider, "The provider's document has no text \"" + member + "\".");
  const auto authority = https_authority(value->string());
  if (!authority) return discovery_fail(provider, "The provider's \"" + member + "\" is not an https URL.");
  const auto own = https_authority(provider.issuer);
  const bool pinned = provider.hosts.empty()
                          ? own && *authority == *own
                          : std::ranges::find(provider.hosts, *authority) != provider.hosts.end();
  if (!pinned)
    return discovery_fail(provider,
                          "The provider's \"" + member + "\" is on a host that is not pinned for it.",
                          "If that is right, add the host to \"hosts\".");
  return value->string();
}

bool lists(const Json& document, std::string_view member, std::string_view wanted) {
  const Json* list = document.find(member);
  if (list == nullptr || !list->is_array()) return false;
  return std::ranges::any_of(
      list->items(), [wanted](const Json& each) { return each.is_string() && each.string() == wanted; });
}

Result<void> check_abilities(const OidcProvider& provider, const Json& document) {
  if (!lists(document, "response_types_supported", "code"))
    return discovery_fail(provider, "The provider does not offer the code flow.");
  if (!lists(document, "code_challenge_methods_supported", "S256"))
    return discovery_fail(provider, "The provider does not offer PKCE with S256.", "RFC 7636 is required.");
  if (!lists(document, "token_endpoint_auth_methods_supported", "private_key_jwt"))
    return discovery_fail(provider, "The provider does not offer private_key_jwt.");
  if (!lists(document, "id_token_signing_alg_values_supported", crypto::name(provider.id_token_alg)))
    return discovery_fail(provider, "The provider does not sign ID tokens with " +
                                        std::string(crypto::name(provider.id_token_alg)) + ".");
  return {};
}

}  // namespace

Result<OidcProvider> oidc_provider_from_json(const Json& json) {
  Fields fields(json, "");
  OidcProvider out;
  out.nation = PartnerCode(fields.text("nation", 3));
  if (!is_partner_code(out.nation.text()))
    fields.wrong("nation", "this is no partner code", "write three capital letters");
  out.issuer = fields.text("issuer", 1024);
  check_https(fields, "issuer", out.issuer);
  out.client_id = fields.text("client_id", 1024);
  out.redirect_uri = fields.text("redirect_uri", 1024);
  check_https(fields, "redirect_uri", out.redirect_uri);
  if (fields.has("scopes")) out.scopes = fields.texts("scopes", 32);
  if (std::ranges::find(out.scopes, "openid") == out.scopes.end())
    out.scopes.insert(out.scopes.begin(), "openid");
  out.acr_values = fields.texts_or_none("acr_values", 16);
  out.hosts = fields.texts_or_none("hosts", 8);
  static_cast<void>(fields.value_if("scopes"));
  out.id_token_alg = read_alg(fields, "id_token_alg", crypto::SignatureAlg::ES256);
  out.client_alg = read_alg(fields, "client_alg", crypto::SignatureAlg::ES256);
  out.client_kid = fields.text_or("client_kid", "", 256);
  out.par_required = fields.boolean_or("par_required", false);
  if (fields.has("auth_age_max_s")) out.auth_age_max = Seconds(fields.integer("auth_age_max_s", 60, 86400));
  TRY_VOID(fields.done());
  return out;
}

Result<OidcEndpoints> check_discovery(const OidcProvider& provider, std::string_view document) {
  const auto json = Json::parse(document, {.bytes_max = kDiscoveryBytesMax, .depth_max = 8});
  if (!json || !json->is_object())
    return discovery_fail(provider, "The provider's document is not a JSON object.");
  const Json* issuer = json->find("issuer");
  if (issuer == nullptr || !issuer->is_string() || issuer->string() != provider.issuer)
    return discovery_fail(provider, "The provider's document is for another issuer.",
                          "It must be exactly the one written down.");
  OidcEndpoints out;
  TRY(out.authorization, endpoint(provider, *json, "authorization_endpoint", true));
  TRY(out.token, endpoint(provider, *json, "token_endpoint", true));
  TRY(out.jwks, endpoint(provider, *json, "jwks_uri", true));
  TRY(out.par, endpoint(provider, *json, "pushed_authorization_request_endpoint", provider.par_required));
  TRY(out.end_session, endpoint(provider, *json, "end_session_endpoint", false));
  TRY_VOID(check_abilities(provider, *json));
  const Json* iss = json->find("authorization_response_iss_parameter_supported");
  out.iss_in_response = iss != nullptr && iss->is_bool() && iss->boolean();
  return out;
}

}  // namespace entente::identity
