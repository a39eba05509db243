#include "data/file.h"

#include "crypto/digest.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace entente::data {
namespace {

Failure data_file_fail(const std::string& path, std::string_view action) {
  return fail("data.file", fmt::format("The file could not be {}: {}.", action, std::strerror(errno)), path);
}

void close_file(int file) {
  if (file >= 0) ::close(file);
}

}  // namespace

Result<FileSource> FileSource::open(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return data_file_fail(path, "read");
  struct stat about{};
  if (::fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) {
    ::close(file);
    return fail("data.file", "This is not a plain file.", path, "Copy it into one first.");
  }
  return FileSource(file, static_cast<uint64_t>(about.st_size), path);
}

FileSource::FileSource(FileSource&& other) noexcept
    : file_(std::exchange(other.file_, -1)), size_(other.size_), path_(std::move(other.path_)) {}
FileSource::~FileSource() {
  close_file(file_);
}

Result<void> FileSource::read(uint64_t at, std::span<uint8_t> out) const {
  while (!out.empty()) {
    const ssize_t n = ::pread(file_, out.data(), out.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return data_file_fail(path_, "read");
    if (n == 0)
      return fail("data.file", "The file ends too early.", path_, "Something changed it meanwhile.");
    out = out.subspan(static_cast<size_t>(n));
    at += static_cast<uint64_t>(n);
  }
  return {};
}

Result<NewFile> NewFile::create(const std::string& path) {
  std::string fresh = path + ".new-" + crypto::random_token(9);
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return data_file_fail(path, "written");
  return NewFile(file, path, std::move(fresh));
}

NewFile::NewFile(NewFile&& other) noexcept
    : file_(std::exchange(other.file_, -1)),
      path_(std::move(other.path_)),
      fresh_(std::exchange(other.fresh_, std::string())) {}
NewFile::~NewFile() {
  close_file(file_);
  if (!fresh_.empty()) ::unlink(fresh_.c_str());
}

Result<void> NewFile::write(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return data_file_fail(path_, "written");
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

Result<void> NewFile::commit(bool shared) {
  if (shared) {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(file_, 0666 & ~mask) != 0) return data_file_fail(path_, "written");
  }
  if (::fsync(file_) != 0) return data_file_fail(path_, "written");
  if (::rename(fresh_.c_str(), path_.c_str()) != 0) return data_file_fail(path_, "put in its place");
  fresh_.clear();
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  const int directory = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool durable = directory >= 0 && ::fsync(directory) == 0;
  close_file(directory);
  return durable ? Result<void>() : data_file_fail(path_, "made durable");
}

Result<size_t> read_some(int file, std::span<uint8_t> out) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = ::read(file, out.data() + done, out.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return data_file_fail("standard input", "read");
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

}  // namespace entente::data
