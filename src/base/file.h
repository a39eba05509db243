// Whole files, read and written in one go.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace entente {

inline constexpr size_t kFileBytesMax = 4 << 20;
enum class Symlink { followed, refused };  // where the file itself is one

// A whole file of at most `bytes_max`. Errors: "config.file", naming the file.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& file,
                                            size_t bytes_max = kFileBytesMax);
[[nodiscard]] Result<Bytes> read_bytes(const std::filesystem::path& file, size_t bytes_max, Symlink symlink);
// Written beside, synced and renamed; mode as given. Errors: "config.file".
[[nodiscard]] Result<void> write_file(const std::filesystem::path& file, std::string_view text,
                                      int mode = 0644);
// Only where no file is; none is left when it fails. Errors: "config.file".
[[nodiscard]] Result<void> create_file(const std::filesystem::path& file, std::string_view text,
                                       int mode = 0644);

}  // namespace entente
