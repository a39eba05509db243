// OpenSSL's memory from base/heap.h.
#pragma once

namespace entente::crypto {

// Before anything else has been asked of OpenSSL. Later it does nothing, and OpenSSL goes on with malloc.
void give_openssl_our_heap();

}  // namespace entente::crypto
