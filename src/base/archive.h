// Reads tar archives, plain or gzipped, from memory. Archives are strangers' bytes: names that lead out of
// the archive, links and devices are left out, and everything is bounded.
#pragma once

#include "base/result.h"

#include <map>
#include <string>
#include <string_view>

namespace entente {

struct ArchiveLimits {
  size_t bytes_max = size_t{2} << 30;  // unpacked, all files together
  size_t file_bytes_max = size_t{256} << 20;
  size_t files_max = 1'000'000;
};

// Regular files by path with forward slashes. Errors "archive.damaged": what is wrong and where.
[[nodiscard]] Result<std::map<std::string, std::string>> read_archive(std::string_view bytes,
                                                                      const ArchiveLimits& limits = {});

}  // namespace entente
