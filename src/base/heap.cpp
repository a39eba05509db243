#include "base/heap.h"

#include "base/result.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include <malloc.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ENTENTE_KEEPS_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ENTENTE_KEEPS_MEMORY 0
#endif
#endif
#ifndef ENTENTE_KEEPS_MEMORY
#define ENTENTE_KEEPS_MEMORY 1
#endif

namespace entente::heap {

#if !ENTENTE_KEEPS_MEMORY

void* take(size_t bytes) noexcept {
  return std::malloc(std::max<size_t>(bytes, 1));
}
void give(void* piece) noexcept {
  std::free(piece);
}
void give(void* piece, size_t) noexcept {
  std::free(piece);
}

#else

namespace {

// Of one size, in each thread: as many as one turn of a loop may hold at once, and some.
constexpr uint32_t kPiecesMax = 128;
constexpr size_t kBytesMax = 128 * 1024;
constexpr size_t kLargeBytesMax = 32 * 1024;  // of what a request has one or two of: its body, its tokens
constexpr uint32_t kRecordsMax = 16;          // of the largest size

// Sizes as malloc has them: what it gives for 16 n + 8 bytes is exactly that large. A size of its own, the
// last one, is that of OpenSSL's two buffers for a record, which come and go with each record.
constexpr size_t kSizes = 384;
constexpr size_t kSmallSizes = 128;
constexpr size_t kRecordBytesMin = 16 * 1024;
constexpr size_t kRecordBytes = kRecordBytesMin + 1032;
constexpr size_t kNotKept = kSizes + 1;

constexpr size_t bytes_of(size_t size) {
  return size == kSizes ? kRecordBytes : size * 16 + 8;
}
constexpr size_t size_for(size_t bytes) {
  if (bytes <= bytes_of(kSizes - 1)) return bytes <= 8 ? 1 : (bytes + 7) / 16;
  return bytes >= kRecordBytesMin && bytes <= kRecordBytes ? kSizes : kNotKept;
}
// Of a piece with so much room: it is never smaller than what its size promises.
constexpr size_t size_with(size_t room) {
  if (room < bytes_of(1)) return kNotKept;
  if (room < bytes_of(kSizes)) return room <= bytes_of(kSizes - 1) + 15 ? (room - 8) / 16 : kNotKept;
  return room <= bytes_of(kSizes) + 16 ? kSizes : kNotKept;
}
static_assert(size_for(0) == 1 && size_for(8) == 1 && size_with(16) == kNotKept);
static_assert(size_for(24) == 1 && size_for(25) == 2 && size_with(24) == 1 && size_with(40) == 2);

struct Piece {
  Piece* next;        // hidden, so that whoever writes past an object's end can't choose what is taken next
  const void* owner;  // the cache it lies in: it was given back already
};
struct Size {
  Piece* first;
  uint32_t room;  // for so many more; none before this thread's first, and none after its end
};
struct Cache {
  Size sizes[kSizes + 1];
  bool opened;
};
// Trivial: memory is still given back while a thread's other objects are destroyed.
constinit thread_local Cache cache{};

Piece* hidden(const Piece* next, const Piece* in) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): followed only after the same again, which makes it one
  return reinterpret_cast<Piece*>(reinterpret_cast<uintptr_t>(next) ^
                                  (reinterpret_cast<uintptr_t>(in) >> 12));
}

struct CacheEnd {
  ~CacheEnd() {
    for (Size& size : cache.sizes) {
      size.room = 0;
      while (size.first != nullptr)
        std::free(std::exchange(size.first, hidden(size.first->next, size.first)));
    }
  }
};

// There is no room for it: unless this is the first one that this thread gives back, it goes.
[[gnu::noinline]] void give_on(void* piece) {
  if (!cache.opened) {
    cache.opened = true;
    static thread_local const CacheEnd end;
    for (size_t i = 1; i < kSizes; ++i) {
      const size_t bytes = i < kSmallSizes ? kBytesMax : kLargeBytesMax;
      cache.sizes[i].room = static_cast<uint32_t>(std::min<size_t>(kPiecesMax, bytes / bytes_of(i)));
    }
    cache.sizes[kSizes].room = kRecordsMax;
  }
  std::free(piece);
}

// The mark may be what its user wrote there: only the list tells.
[[gnu::noinline]] void check_not_kept(const Piece* piece, const Size& size) {
  for (const Piece* each = size.first; each != nullptr; each = hidden(each->next, each))
    ENTENTE_CHECK(each != piece);
}

void keep(void* memory, size_t index) {
  Cache& mine = cache;
  Size& size = mine.sizes[index];
  if (size.room == 0) return give_on(memory);
  auto* piece = static_cast<Piece*>(memory);
  if (piece->owner == &mine) check_not_kept(piece, size);
  piece->next = hidden(size.first, piece);
  piece->owner = &mine;
  size.first = piece;
  --size.room;
}

}  // namespace

void* take(size_t bytes) noexcept {
  const size_t index = size_for(bytes);
  if (index == kNotKept) return std::malloc(bytes);
  Size& size = cache.sizes[index];
  Piece* const piece = size.first;
  if (piece == nullptr) return std::malloc(bytes_of(index));
  size.first = hidden(piece->next, piece);
  ENTENTE_CHECK(reinterpret_cast<uintptr_t>(size.first) % 16 == 0);  // else somebody wrote into it since
  __builtin_prefetch(size.first, 1);  // it goes next, and was given back a whole turn ago
  ++size.room;
  piece->owner = nullptr;
  return piece;
}

void give(void* piece) noexcept {
  if (piece == nullptr) return;
  const size_t index = size_with(::malloc_usable_size(piece));
  if (index == kNotKept) return std::free(piece);
  keep(piece, index);
}

void give(void* piece, size_t bytes) noexcept {
  if (piece == nullptr) return;
  const size_t index = size_for(bytes);
  if (index == kNotKept) return std::free(piece);
  keep(piece, index);
}

#endif

}  // namespace entente::heap
