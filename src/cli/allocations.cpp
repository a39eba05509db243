#include "cli/allocations.h"

#include "base/heap.h"

#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ENTENTE_OWN_HEAP 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ENTENTE_OWN_HEAP 1
#endif
#endif

namespace entente::cli {
namespace {

#ifndef ENTENTE_OWN_HEAP
constinit thread_local uint64_t count = 0;
#endif

}  // namespace

#ifdef ENTENTE_OWN_HEAP
uint64_t allocations() {
  return 0;
}
bool allocations_counted() {
  return false;
}
#else
uint64_t allocations() {
  return count;
}
bool allocations_counted() {
  return true;
}

static void* take(std::size_t bytes) {
  ++count;
  void* out = heap::take(bytes);
  if (out == nullptr) throw std::bad_alloc();
  return out;
}
#endif

}  // namespace entente::cli

#ifndef ENTENTE_OWN_HEAP
// The forms for arrays and without exceptions call these.
void* operator new(std::size_t bytes) {
  return entente::cli::take(bytes);
}
void operator delete(void* at) noexcept {
  entente::heap::give(at);
}
void operator delete(void* at, std::size_t bytes) noexcept {
  entente::heap::give(at, bytes);
}
#endif
