#include "net/task.h"

#include "base/heap.h"

#include <new>

namespace entente::net::detail {

void* allocate_frame(size_t bytes) {
  void* frame = heap::take(bytes);
  if (frame == nullptr) throw std::bad_alloc();
  return frame;
}

void free_frame(void* frame, size_t bytes) noexcept {
  heap::give(frame, bytes);
}

}  // namespace entente::net::detail
