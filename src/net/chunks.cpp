#include "net/chunks.h"

#include <utility>
#include <vector>

namespace entente::net {
namespace {

constexpr size_t kLargePieceBytes = kChunkBytes / 8;
constexpr size_t kSpareMax = 16;
thread_local std::vector<Bytes> spare_chunks;

}  // namespace

Bytes take_chunk(size_t bytes) {
  Bytes chunk;
  if (bytes < kLargePieceBytes || bytes > kChunkBytes) {
    chunk.reserve(bytes);
  } else if (spare_chunks.empty()) {
    chunk.reserve(kChunkBytes);
  } else {
    chunk = std::move(spare_chunks.back());
    spare_chunks.pop_back();
  }
  return chunk;
}

void give_chunk(Bytes chunk) {
  if (chunk.capacity() != kChunkBytes || spare_chunks.size() >= kSpareMax) return;
  chunk.clear();
  spare_chunks.push_back(std::move(chunk));
}

}  // namespace entente::net
