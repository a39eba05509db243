#include "base/heap.h"
#include "net/h2_memory_internal.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <sys/mman.h>

namespace entente::net {
namespace {

constexpr size_t kMappedFrom = 16 * 1024;

}  // namespace

H2Memory::H2Memory() : functions_{this, take, give_back, take_zeroed, resize} {}

H2Memory::~H2Memory() {
  if (mapped_ != nullptr) ::munmap(mapped_, mapped_bytes_);
}

void* H2Memory::take(size_t bytes, void* self) {
  auto& me = *static_cast<H2Memory*>(self);
  if (bytes < kMappedFrom || me.mapped_ != nullptr) return heap::take(bytes);
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return std::malloc(bytes);
  me.mapped_bytes_ = bytes;
  return me.mapped_ = memory;
}

void H2Memory::give_back(void* memory, void* self) {
  auto& me = *static_cast<H2Memory*>(self);
  if (memory == nullptr || memory != me.mapped_) return heap::give(memory);
  ::munmap(me.mapped_, me.mapped_bytes_);
  me.mapped_ = nullptr;
}

void* H2Memory::take_zeroed(size_t count, size_t bytes, void*) {
  return std::calloc(count, bytes);
}

void* H2Memory::resize(void* memory, size_t bytes, void* self) {
  auto& me = *static_cast<H2Memory*>(self);
  if (memory == nullptr) return take(bytes, self);
  if (memory != me.mapped_) return std::realloc(memory, bytes);
  void* larger = std::malloc(bytes);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, memory, std::min(bytes, me.mapped_bytes_));
  give_back(memory, self);
  return larger;
}

}  // namespace entente::net
