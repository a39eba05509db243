// Keeps a second writer out of a ledger's folder, and tells an auditor that one is at work. For this room
// only.
#pragma once

#include "base/result.h"

#include <filesystem>

namespace entente::ledger {

class FolderLock {
 public:
  FolderLock() = default;
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&& other) noexcept;
  ~FolderLock();
  [[nodiscard]] static Result<FolderLock> take(const std::filesystem::path& folder);  // "ledger.locked"
  [[nodiscard]] static bool is_taken(const std::filesystem::path& folder);

 private:
  int file_ = -1;
};

}  // namespace entente::ledger
