#include "data/file.h"

#include "crypto/digest.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

namespace entente::data {
namespace {

Failure data_file_fail(const std::string& path, std::string_view action) {
  return fail("data.file", fmt::format("The file could not be {}: {}.", action, std::strerror(errno)), path);
}

void close_file(int file) {
  if (file >= 0) ::close(file);
}

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

std::string name_of(int file) {
  return fmt::format("/proc/self/fd/{}", file);
}

std::string fresh_name(const std::string& path) {
  return path + ".new-" + crypto::random_token(9);
}

// A name of one of a process's descriptors, as /dev/stdout is through links: the system goes from there
// straight to what is open, so that a file put in its place would replace the log that standard output is
// appended to.
bool is_descriptor(std::filesystem::path path) {
  constexpr int kLinksMax = 40;  // as many as the system follows
  for (int links = 0; links < kLinksMax; ++links) {
    std::error_code error;
    const auto folder = std::filesystem::canonical(folder_of(path), error);
    struct statfs about{};
    if (error || ::statfs(folder.c_str(), &about) != 0) return false;
    if (about.f_type == PROC_SUPER_MAGIC) return true;  // nothing else is written there either
    const auto target = std::filesystem::read_symlink(path, error);
    if (error) return false;
    path = folder / target;
  }
  return false;
}

// A file that has no name yet; -1 where there is no such thing, or no way to name it later.
int open_nameless(const std::string& folder) {
  const int file = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0 || ::access(name_of(file).c_str(), F_OK) == 0) return file;
  ::close(file);
  return -1;
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

Result<std::string> NewFile::place(const std::string& path) {
  if (is_descriptor(path))
    return fail("data.file", "This is what a process has open, and no file.", path,
                "Name a file after -o: nothing is put out before all of it is there and verified.");
  std::error_code error;
  struct stat about{};
  if (::lstat(path.c_str(), &about) != 0)
    return errno == ENOENT ? Result<std::string>(path) : data_file_fail(path, "written");
  std::string place = path;
  if (S_ISLNK(about.st_mode)) {
    place = std::filesystem::canonical(path, error).string();
    if (error || ::lstat(place.c_str(), &about) != 0)
      return fail("data.file", "This is a link to nothing.", path, "Name the file itself after -o.");
  }
  if (!S_ISREG(about.st_mode))
    return fail("data.file", "This is not a plain file.", path, "Name another after -o.");
  return place;
}

Result<NewFile> NewFile::create(const std::string& path) {
  TRY(std::string place, NewFile::place(path));
  const int nameless = open_nameless(folder_of(place));
  if (nameless >= 0) return NewFile(nameless, std::move(place), {});
  std::string fresh = fresh_name(place);
  const int file = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return data_file_fail(path, "written");
  return NewFile(file, std::move(place), std::move(fresh));
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

Result<FileSource> NewFile::written() const {
  struct stat about{};
  const int file = ::fcntl(file_, F_DUPFD_CLOEXEC, 0);
  if (file < 0 || ::fstat(file, &about) != 0) {
    close_file(file);
    return data_file_fail(path_, "read");
  }
  return FileSource(file, static_cast<uint64_t>(about.st_size), path_);
}

Result<void> NewFile::commit(bool shared) {
  if (shared) {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(file_, 0666 & ~mask) != 0) return data_file_fail(path_, "written");
  }
  if (::fsync(file_) != 0) return data_file_fail(path_, "written");
  if (fresh_.empty()) {  // all of it is there: from here on it may be found
    std::string fresh = fresh_name(path_);
    if (::linkat(AT_FDCWD, name_of(file_).c_str(), AT_FDCWD, fresh.c_str(), AT_SYMLINK_FOLLOW) != 0)
      return data_file_fail(path_, "written");
    fresh_ = std::move(fresh);
  }
  if (::rename(fresh_.c_str(), path_.c_str()) != 0) return data_file_fail(path_, "put in its place");
  fresh_.clear();
  const int directory = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
