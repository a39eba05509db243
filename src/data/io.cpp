#include "data/io.h"

#include <algorithm>

namespace entente::data {

Result<void> MemorySource::read(uint64_t at, std::span<uint8_t> out) const {
  if (at > bytes_.size() || out.size() > bytes_.size() - at)
    return fail("data.io", "The bytes end before what was to be read.");
  std::ranges::copy(bytes_.subspan(static_cast<size_t>(at), out.size()), out.begin());
  return {};
}

Result<void> MemorySink::write(ByteView more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
  return {};
}

}  // namespace entente::data
