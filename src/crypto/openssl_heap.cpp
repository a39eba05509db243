#include "crypto/openssl_heap.h"

#include "base/heap.h"

#include <cstdlib>

#include <openssl/crypto.h>

namespace entente::crypto {

void give_openssl_our_heap() {
  CRYPTO_set_mem_functions(
      [](size_t bytes, const char*, int) { return heap::take(bytes); },
      [](void* piece, size_t bytes, const char*, int) { return std::realloc(piece, bytes); },
      [](void* piece, const char*, int) { heap::give(piece); });
}

}  // namespace entente::crypto
