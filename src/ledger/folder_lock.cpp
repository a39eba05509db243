#include "ledger/folder_lock.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace entente::ledger {

FolderLock::FolderLock(FolderLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  std::swap(file_, other.file_);
  return *this;
}

FolderLock::~FolderLock() {
  if (file_ >= 0) ::close(file_);
}

Result<FolderLock> FolderLock::take(const std::filesystem::path& folder) {
  const std::string path = folder / "lock";
  FolderLock out;
  out.file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (out.file_ < 0) {
    return fail("ledger.io", std::string("the ledger's folder can't be used: ") + std::strerror(errno), path);
  }
  if (::flock(out.file_, LOCK_EX | LOCK_NB) != 0) {
    return fail("ledger.locked", "another process has this ledger open", folder,
                "stop the node that uses this folder first");
  }
  return out;
}

bool FolderLock::is_taken(const std::filesystem::path& folder) {
  const std::string path = folder / "lock";
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool taken = ::flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(file);
  return taken;
}

}  // namespace entente::ledger
