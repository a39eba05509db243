#include "store/disk.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace entente::store {

FolderLock::FolderLock(FolderLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  std::swap(file_, other.file_);
  return *this;
}

FolderLock::~FolderLock() {
  if (file_ >= 0) ::close(file_);
}

Result<FolderLock> FolderLock::take(const std::filesystem::path& folder) {
  std::error_code error;
  if (std::filesystem::create_directories(folder, error)) {
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  }
  const std::string path = folder / "store.lock";
  FolderLock out;
  out.file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (out.file_ < 0) {
    return fail("store.io", std::string("the store's folder can't be used: ") + std::strerror(errno), path);
  }
  if (::flock(out.file_, LOCK_EX | LOCK_NB) != 0) {
    return fail("store.locked", "another process has this store open", folder,
                "stop the node that uses this folder first");
  }
  return out;
}

void Reserve::fill() const {
  const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  const bool filled = ::posix_fallocate(file, 0, static_cast<off_t>(bytes_)) == 0;
  ::close(file);
  if (!filled) release();
}

void Reserve::release() const {
  std::error_code error;
  std::filesystem::remove(path_, error);
}

}  // namespace entente::store
