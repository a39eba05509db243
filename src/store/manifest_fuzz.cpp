#include "store/manifest.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto manifest = entente::store::Manifest::parse(text);
  if (manifest) ENTENTE_CHECK(manifest->encode() == text);
  return 0;
}
