// Statements: bytes from anyone are refused; well-signed claims of any shape never crash and never speak for
// others.
#include "identity/statement.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace entente;
  using namespace entente::identity;
  static const crypto::PrivateKey key = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  static const crypto::KeySet keys =
      crypto::KeySet::from_keys({{"k", crypto::SignatureAlg::ES256, key.public_key()}}).value();
  const StatementExpect expect{.issuer = PartnerCode("XBB"),
                               .audience = PartnerCode("XAA"),
                               .keys = &keys,
                               .now = from_unix_seconds(1'800'000'000)};
  ENTENTE_CHECK(!hear_statement(as_text({data, size}), expect, {}).has_value());

  const auto compact = crypto::sign_jws(
      key, {.alg = crypto::SignatureAlg::ES256, .typ = std::string(kStatementTyp), .kid = "k"},
      ByteView(data, size));
  const auto hearing = hear_statement(*compact, expect, {});
  if (!hearing) return 0;
  ENTENTE_CHECK(hearing->statement.issuer == PartnerCode("XBB") && hearing->next.seq == 1);
  if (const auto person = person_of(hearing->statement, 2)) {
    ENTENTE_CHECK(person->partner == PartnerCode("XBB"));
    for (const auto& [name, fact] : person->facts) ENTENTE_CHECK(fact.end <= hearing->statement.end);
  }
  return 0;
}
