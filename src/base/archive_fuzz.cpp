// Archives from anywhere: must end in files or in a message, within the limits.
#include "base/archive.h"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const entente::ArchiveLimits limits{.bytes_max = 1 << 20, .file_bytes_max = 1 << 18, .files_max = 64};
  const auto files = entente::read_archive({reinterpret_cast<const char*>(data), size}, limits);
  if (!files) {
    ENTENTE_CHECK(!files.error().what().empty());
    return 0;
  }
  ENTENTE_CHECK(files->size() <= limits.files_max);
  for (const auto& [name, content] : *files) {
    ENTENTE_CHECK(!name.starts_with("/") && !name.starts_with("../") &&
                  name.find("/../") == std::string::npos);
    ENTENTE_CHECK(content.size() <= limits.file_bytes_max);
  }
  return 0;
}
