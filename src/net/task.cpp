#include "net/task.h"

#include <array>
#include <cstdint>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ENTENTE_CACHE_FRAMES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ENTENTE_CACHE_FRAMES 0
#endif
#endif
#ifndef ENTENTE_CACHE_FRAMES
#define ENTENTE_CACHE_FRAMES 1  // sanitizers see frames come and go
#endif

namespace entente::net::detail {

namespace {

constexpr size_t kStep = 32;
constexpr size_t kClasses = 64;       // frames up to 2 KiB
constexpr size_t kKeptOfClass = 128;  // per thread

struct FreeFrame {
  FreeFrame* next;
};
struct FrameClass {
  FreeFrame* first;
  size_t kept;
};
// Trivial, so that frames may still be freed while a thread's other objects are destroyed.
thread_local std::array<FrameClass, kClasses> frame_cache;
thread_local bool frame_cache_closed = false;

struct FrameCacheEnd {
  bool used = false;
  ~FrameCacheEnd() {
    frame_cache_closed = true;
    for (FrameClass& c : frame_cache) {
      while (c.first) ::operator delete(std::exchange(c.first, c.first->next));
    }
  }
};
thread_local FrameCacheEnd frame_cache_end;

}  // namespace

void* allocate_frame(size_t bytes) {
  if (!ENTENTE_CACHE_FRAMES) return ::operator new(bytes);
  const size_t index = (bytes + kStep - 1) / kStep;
  if (index >= kClasses) return ::operator new(bytes);
  FrameClass& c = frame_cache[index];
  if (c.first) {
    --c.kept;
    return std::exchange(c.first, c.first->next);
  }
  return ::operator new(index * kStep);
}

void free_frame(void* frame, size_t bytes) noexcept {
  const size_t index = (bytes + kStep - 1) / kStep;
  if (!ENTENTE_CACHE_FRAMES || index >= kClasses || frame_cache_closed) {
    ::operator delete(frame);
    return;
  }
  FrameClass& c = frame_cache[index];
  if (c.kept >= kKeptOfClass) {
    ::operator delete(frame);
    return;
  }
  frame_cache_end.used = true;  // so that its destructor runs at the thread's end
  c.first = new (frame) FreeFrame{c.first};
  ++c.kept;
}

}  // namespace entente::net::detail
