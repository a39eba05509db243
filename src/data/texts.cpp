#include "data/texts.h"

#include "crypto/digest.h"

#include <cstring>

namespace entente::data {

uint64_t Texts::hash_of(std::string_view text) {
  static const Bytes secret = crypto::random_bytes(32);
  thread_local std::string keyed;
  keyed.assign(as_text(secret)).append(text);
  const crypto::Digest digest = crypto::sha256(as_bytes(keyed));
  uint64_t out = 0;
  std::memcpy(&out, digest.data(), sizeof(out));
  return out;
}

}  // namespace entente::data
