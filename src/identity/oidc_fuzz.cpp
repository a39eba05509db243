// A provider's documents, a browser's query and ID tokens from anyone.
#include "base/form.h"
#include "identity/oidc.h"
#include "identity/web_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace entente;
  using namespace entente::identity;
  static const crypto::PrivateKey key = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  const std::string_view text = as_text({data, size});
  OidcProvider provider;
  provider.nation = PartnerCode("XBB");
  provider.issuer = "https://idp.xbb.localhost:8443";
  provider.client_id = "c";
  provider.redirect_uri = "https://lobby.xbb.localhost/cb";
  const Moment moment{from_unix_seconds(1'800'000'000), Tick(Seconds(1))};

  if (const auto endpoints = check_discovery(provider, text)) {
    ENTENTE_CHECK(https_authority(endpoints->token).value() == "idp.xbb.localhost:8443");
    ENTENTE_CHECK(https_authority(endpoints->jwks).value() == "idp.xbb.localhost:8443");
  }
  if (const auto form = parse_form(text)) ENTENTE_CHECK(parse_form(write_form(*form)).value() == *form);
  if (const auto json = Json::parse(text)) static_cast<void>(oidc_provider_from_json(*json));

  OidcClient client(provider, key, [](size_t n) { return crypto::random_bytes(n); });
  ENTENTE_CHECK(!client.callback(text, text, moment).has_value());
  auto step = client.begin("/", moment);
  for (int i = 0; step && std::holds_alternative<Fetch>(*step) && i < 8; ++i)
    step = client.answered(std::get<Fetch>(std::move(*step)), HttpAnswer{200, std::string(text)}, moment);
  ENTENTE_CHECK(!step || !std::holds_alternative<SignedIn>(*step));
  return 0;
}
