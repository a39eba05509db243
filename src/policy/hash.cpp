#include "policy/hash.h"

#include "base/result.h"

#include <sys/random.h>

namespace entente::policy {

// Before all other objects, some of which hash names while they are made.
[[gnu::init_priority(101)]] const HashSecret kHashSecret;

HashSecret::HashSecret() {
  uint64_t drawn[2];
  ENTENTE_CHECK(::getentropy(drawn, sizeof(drawn)) == 0);
  first = drawn[0];
  second = drawn[1];
}

}  // namespace entente::policy
