#include "base/file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace entente {
namespace {

constexpr size_t kReadBytes = 16 * 1024;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

Failure fault(const std::filesystem::path& file, const char* doing) {
  return fail("config.file", fmt::format("cannot {} this file: {}", doing, std::strerror(errno)),
              file.string());
}

template <class Whole>
Result<Whole> read_whole(const std::filesystem::path& file, size_t bytes_max, Symlink symlink) {
  const int flags = O_RDONLY | O_CLOEXEC | (symlink == Symlink::refused ? O_NOFOLLOW : 0);
  const Descriptor opened(::open(file.c_str(), flags));
  struct stat about{};
  if (opened.number() < 0 || ::fstat(opened.number(), &about) != 0) return fault(file, "open");
  const size_t most = std::max(bytes_max, bytes_max + 1);  // one more shows that it is too long
  // How long it is said to be saves reading in pieces, no more: a pipe says nothing, and a file may grow.
  Whole out(std::min(static_cast<size_t>(std::max<off_t>(about.st_size, 0)) + 1, most), 0);
  size_t size = 0;
  while (true) {
    if (size == out.size()) out.resize(std::min(size + kReadBytes, most));
    const ssize_t count = ::read(opened.number(), out.data() + size, out.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fault(file, "read");
    if (count == 0) break;
    size += static_cast<size_t>(count);
    if (size <= bytes_max) continue;
    errno = EFBIG;
    return fault(file, "read");
  }
  out.resize(size);
  return out;
}

Result<void> write_synced(const Descriptor& made, const std::filesystem::path& file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(made.number(), text.data(), text.size());
    if (count < 0) return fault(file, "write");
    text.remove_prefix(static_cast<size_t>(count));
  }
  if (::fsync(made.number()) != 0) return fault(file, "write");
  return {};
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& file, size_t bytes_max) {
  return read_whole<std::string>(file, bytes_max, Symlink::followed);
}

Result<Bytes> read_bytes(const std::filesystem::path& file, size_t bytes_max, Symlink symlink) {
  return read_whole<Bytes>(file, bytes_max, symlink);
}

Result<void> write_file(const std::filesystem::path& file, std::string_view text, int mode) {
  const std::filesystem::path fresh = file.string() + ".new";
  {
    const Descriptor made(
        ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, static_cast<mode_t>(mode)));
    if (made.number() < 0) return fault(fresh, "create");
    TRY_VOID(write_synced(made, fresh, text));
  }
  if (::rename(fresh.c_str(), file.c_str()) != 0) return fault(file, "write");
  return {};
}

Result<void> create_file(const std::filesystem::path& file, std::string_view text, int mode) {
  const Descriptor made(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, static_cast<mode_t>(mode)));
  if (made.number() < 0 && errno == EEXIST)
    return fail("config.file", "there is a file already, and it would be lost", file.string(),
                "name another file, or move this one away first");
  if (made.number() < 0) return fault(file, "create");
  Result<void> written = write_synced(made, file, text);
  if (!written) ::unlink(file.c_str());
  return written;
}

}  // namespace entente
