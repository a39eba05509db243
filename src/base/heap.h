// Memory as operator new, OpenSSL and nghttp2 take it in the program: from malloc, but each thread keeps some
// of what it gives back for whoever asks it next. A loop's turn serves many requests at once, step by step,
// so that it takes dozens of pieces of one size before it gives the first one back; malloc keeps seven ready,
// and for each further one it looks, splits and merges.
//
// Sanitizers see every piece come and go: in their builds nothing is kept.
#pragma once

#include <cstddef>

namespace entente::heap {

// At least one byte, aligned for any object; nullptr when there is no memory.
[[nodiscard]] void* take(size_t bytes) noexcept;
// What take() or malloc gave, on any thread; nullptr too. With the size that take() was asked for, where it
// is known: not of what malloc gave.
void give(void* piece) noexcept;
void give(void* piece, size_t bytes) noexcept;

}  // namespace entente::heap
