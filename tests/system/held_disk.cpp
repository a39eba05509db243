// Loaded before a node (LD_PRELOAD): its ledger's disk stops at a record of that class, before a byte of its
// leaf is written or when it is durable, as the file ENTENTE_TEST_DISK says ("before key.attempt", "after
// key.release"; empty: nowhere). Then the file's name with ".held" is there, and whoever wrote waits until
// the process ends.
#include <cstdlib>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

std::string order() {
  const char* path = std::getenv("ENTENTE_TEST_DISK");
  const int file = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  char text[64] = {};
  const ssize_t count = ::read(file, text, sizeof text - 1);
  ::close(file);
  return count > 0 ? std::string(text, static_cast<size_t>(count)) : std::string();
}

// That record's leaf is in the piece that is written.
bool names(std::string_view piece, const std::string& when) {
  const std::string said = order();
  return said.starts_with(when) &&
         piece.find("\"class\":\"" + said.substr(when.size()) + "\"") != std::string_view::npos;
}

[[noreturn]] void hold() {
  const std::string path = std::string(std::getenv("ENTENTE_TEST_DISK")) + ".held";
  ::close(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  while (true) ::pause();
}

thread_local bool written = false;  // by this thread, and not yet durable

}  // namespace

extern "C" ssize_t pwrite(int file, const void* bytes, size_t count, off_t offset) {
  const std::string_view piece(static_cast<const char*>(bytes), count);
  if (names(piece, "before ")) hold();
  if (names(piece, "after ")) written = true;
  return ::syscall(SYS_pwrite64, file, bytes, count, offset);
}

extern "C" ssize_t pwrite64(int file, const void* bytes, size_t count, off64_t offset) {
  return pwrite(file, bytes, count, offset);
}

extern "C" int fdatasync(int file) {
  const long failed = ::syscall(SYS_fdatasync, file);
  if (failed == 0 && written) hold();
  return failed == 0 ? 0 : -1;
}
