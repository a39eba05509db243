// Public keys from anyone, in DER and in PEM: what is read without OpenSSL's decoder is what that would have
// read, key for key and refusal for refusal.
#include "crypto/spki.h"

namespace {

using namespace entente;
using namespace entente::crypto;

void same(const Result<PublicKey>& ours, const Result<PublicKey>& theirs) {
  ENTENTE_CHECK(ours.has_value() == theirs.has_value());
  if (!ours) return;
  ENTENTE_CHECK(ours->kind() == theirs->kind() && *ours == *theirs);
  ENTENTE_CHECK(ours->spki() == theirs->spki() && ours->pem() == theirs->pem());
  ENTENTE_CHECK(ours->thumbprint() == theirs->thumbprint());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView bytes{data, size};
  same(PublicKey::from_spki(bytes), decoded_spki(bytes));
  const auto der = read_plain_pem(as_text(bytes));
  const auto key = PublicKey::from_pem(as_text(bytes));
  const auto decoded = decoded_pem(as_text(bytes));
  if (!der || key) same(key, decoded);
  if (der) same(key, decoded_spki(*der));  // where OpenSSL passes over what stands behind the key
  return 0;
}
