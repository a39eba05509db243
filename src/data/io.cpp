#include "data/io.h"

#include <cstring>

namespace entente::data {

Result<void> MemorySource::read(uint64_t at, std::span<uint8_t> out) const {
  if (at > bytes_.size() || out.size() > bytes_.size() - at)
    return fail("data.io", "The bytes end before what was to be read.");
  // std::ranges::copy goes byte by byte here (g++ 12), at a third of this speed.
  if (!out.empty()) std::memcpy(out.data(), bytes_.data() + at, out.size());
  return {};
}

Result<void> MemorySink::write(ByteView more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
  return {};
}

}  // namespace entente::data
