#include "identity/pseudonym.h"

#include "identity/person.h"

namespace entente::identity {

PersonId pseudonym(const crypto::Secret& secret, const PartnerCode& nation, std::string_view issuer,
                   std::string_view subject, const PartnerCode& host, const AppId& app) {
  ENTENTE_CHECK(secret.bytes().size() >= kPseudonymSecretBytesMin);
  const Bytes message =
      framed({"entente.pseudonym/1", nation.text(), issuer, subject, host.text(), app.text()});
  const crypto::Digest code = crypto::hmac_sha256(secret.bytes(), message);
  return PersonId(base64url(ByteView(code).first(18)));
}

}  // namespace entente::identity
