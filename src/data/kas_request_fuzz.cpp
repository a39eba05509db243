// What anybody may send a key service: request bodies, proofs and tokens.
#include "data/kas_request.h"
#include "identity/access_token.h"
#include "identity/dpop.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace entente;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto json = Json::parse(text, {.bytes_max = data::kRewrapBytesMax, .depth_max = 16});
  if (json) {
    const auto request = data::read_rewrap(*json);
    if (request) {
      size_t keys = 0;
      for (const data::WantedObject& object : request->objects) keys += object.keys.size();
      ENTENTE_CHECK(keys >= 1 && keys <= data::kRewrapObjectsMax);
    }
  }
  identity::DpopExpect expect;
  expect.now = from_unix_seconds(1'800'000'000);
  ENTENTE_CHECK(!identity::check_dpop(text, expect).has_value());  // nobody can sign one here
  const auto issuer = identity::unverified_issuer(text);
  ENTENTE_CHECK(!issuer || !issuer->empty());
  return 0;
}
