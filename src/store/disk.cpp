#include "store/disk.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace entente::store {

Result<LockFile> lock_folder(const std::filesystem::path& folder) {
  std::error_code error;
  if (std::filesystem::create_directories(folder, error)) {
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  }
  auto lock = LockFile::take(folder / "store.lock");
  if (lock) return *std::move(lock);
  if (lock.error() == LockFile::Refusal::io)
    return fail("store.io", std::string("the store's folder can't be used: ") + std::strerror(errno), folder);
  return fail("store.locked", "another process has this store open", folder,
              "stop the node that uses this folder first");
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
