// Certificates and requests from anyone.
#include "crypto/x509.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace entente;
  using namespace entente::crypto;
  const ByteView bytes{data, size};
  if (const auto certificate = Certificate::from_der(bytes)) {
    static_cast<void>(certificate->subject() + certificate->common_name() + certificate->serial());
    static_cast<void>(certificate->end());
    const std::vector<Certificate> anchors{*certificate};
    static_cast<void>(verify_chain(*certificate, {}, anchors,
                                   {.now = from_unix_seconds(1'800'000'000), .host = "a.localhost"}));
  }
  static_cast<void>(Certificate::chain_from_pem(as_text(bytes)));
  static_cast<void>(parse_request(as_text(bytes)));
  return 0;
}
