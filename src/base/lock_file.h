// A file that one process at a time has locked: keeps a second writer out of a folder, and tells a reader
// that one is at work. The lock goes with the process, however it ends.
#pragma once

#include <expected>
#include <filesystem>

namespace entente {

class LockFile {
 public:
  enum class Refusal { io, taken };  // errno says why it was `io`

  LockFile() = default;
  LockFile(LockFile&& other) noexcept;
  LockFile& operator=(LockFile&& other) noexcept;
  ~LockFile();
  // Makes the file (mode 0600) when it is missing.
  [[nodiscard]] static std::expected<LockFile, Refusal> take(const std::filesystem::path& file);
  [[nodiscard]] static bool is_taken(const std::filesystem::path& file);

 private:
  int file_ = -1;
};

}  // namespace entente
