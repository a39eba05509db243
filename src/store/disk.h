// The files beside the database: the lock that keeps a second process out, and the reserve that is given up
// when the disk is full. For this room only.
#pragma once

#include "base/lock_file.h"
#include "base/result.h"

#include <filesystem>
#include <string>

namespace entente::store {

// Makes the folder (mode 0700) when it is missing. "store.locked" when another process has it.
[[nodiscard]] Result<LockFile> lock_folder(const std::filesystem::path& folder);

class Reserve {
 public:
  Reserve(std::filesystem::path path, size_t bytes) : path_(std::move(path)), bytes_(bytes) {}
  void fill() const;     // takes the space when there is some; quietly does without when there is none
  void release() const;  // gives it back to the disk

 private:
  std::filesystem::path path_;
  size_t bytes_;
};

}  // namespace entente::store
