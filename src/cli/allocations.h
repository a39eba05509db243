// How often this thread has taken memory from the heap since it began. Counted in every build but those of
// sanitizers, which bring their own heap: there the count stays 0.
#pragma once

#include <cstdint>

namespace entente::cli {

[[nodiscard]] uint64_t allocations();
[[nodiscard]] bool allocations_counted();

}  // namespace entente::cli
