// Storage for bytes on their way through: what one stream's queue has emptied, the next one fills. Per
// thread. Inside this room only.
#pragma once

#include "base/bytes.h"

#include <cstddef>

namespace entente::net {

inline constexpr size_t kChunkBytes = 64 * 1024;

// Empty, with room for `bytes` at least: for a large piece, a whole chunk, since more is likely to follow.
[[nodiscard]] Bytes take_chunk(size_t bytes);
void give_chunk(Bytes chunk);  // what is no chunk is freed

}  // namespace entente::net
