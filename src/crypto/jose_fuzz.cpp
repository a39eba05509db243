// JWS and JWK sets from anyone: nothing hostile is accepted, nothing crashes.
#include "crypto/jose.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace entente;
  using namespace entente::crypto;
  static const PrivateKey key = PrivateKey::generate(KeyKind::p256);
  static const KeySet keys = KeySet::from_keys({{"one", SignatureAlg::ES256, key.public_key()}}).value();
  const std::string_view text = as_text({data, size});

  // Nobody but us holds the key, so nothing verifies.
  ENTENTE_CHECK(!verify_jws(text, keys, {.algs = {SignatureAlg::ES256}}).has_value());
  static_cast<void>(unverified_kid(text));

  if (const auto read = KeySet::parse(text)) {
    const auto again = KeySet::from_json(read->json());
    ENTENTE_CHECK(again.has_value() && again->keys().size() == read->keys().size());
  }
  return 0;
}
