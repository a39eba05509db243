// What anybody may post to a key service: the outer body, and the request inside a token, as if its signature
// had been good.
#include "data/kas_request.h"

#include <cstdint>

using namespace entente;
using namespace entente::data;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const crypto::PrivateKey key = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ENTENTE_CHECK(!open_request_token(text, key.public_key(), from_unix_seconds(1'795'262'400)));
  const auto body = Json::parse(text, {.bytes_max = kRewrapBytesMax, .depth_max = 16});
  if (!body) return 0;
  const auto request = read_rewrap(*body);
  if (!request) return 0;
  size_t keys = 0;
  for (const WantedObject& object : request->objects) {
    for (const WantedKey& wanted : object.keys) {
      ++keys;
      // Whatever could be read can be written and read again.
      if (wanted.problem.empty())
        ENTENTE_CHECK(read_key_access(write_key_access(wanted.access)) == wanted.access);
    }
  }
  ENTENTE_CHECK(keys >= 1 && keys <= kRewrapObjectsMax);
  return 0;
}
