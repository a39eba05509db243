// Private to h2_session: where nghttp2's memory comes from. It keeps one buffer for the largest frame as long
// as the session lives, and mostly writes small frames into it: mapped, only the pages that were written
// count.
#pragma once

#include <cstddef>

#include <nghttp2/nghttp2.h>

namespace entente::net {

class H2Memory {
 public:
  H2Memory();
  H2Memory(const H2Memory&) = delete;
  H2Memory& operator=(const H2Memory&) = delete;
  ~H2Memory();
  [[nodiscard]] nghttp2_mem* functions() { return &functions_; }

 private:
  static void* take(size_t bytes, void* self);
  static void give_back(void* memory, void* self);
  static void* take_zeroed(size_t count, size_t bytes, void* self);
  static void* resize(void* memory, size_t bytes, void* self);

  nghttp2_mem functions_;
  void* mapped_ = nullptr;
  size_t mapped_bytes_ = 0;
};

}  // namespace entente::net
