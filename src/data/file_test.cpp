#include "data/file.h"

#include "base/scratch_for_test.h"

#include <csignal>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace entente;
using namespace entente::data;

namespace {

// Of names in the folder itself.
std::vector<std::string> names_in(const Scratch& at) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(at.path()))
    out.push_back(entry.path().filename().string());
  return out;
}

bool nameless_files(const Scratch& at) {
  const int file = ::open(at.path().c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  if (file >= 0) ::close(file);
  return file >= 0;
}

}  // namespace

TEST_CASE("a new file takes its place with commit, over what was there, and has its rights") {
  const Scratch at;
  at.put("out", "before");
  {
    auto file = NewFile::create(at.file("out"));
    REQUIRE(file);
    REQUIRE(file->write(as_bytes("plain text")));
    CHECK(at.get("out") == "before");
  }
  CHECK(at.get("out") == "before");
  CHECK(names_in(at).size() == 1);
  const mode_t mask = ::umask(022);
  for (const bool shared : {false, true}) {
    auto file = NewFile::create(at.file("out"));
    REQUIRE(file);
    REQUIRE(file->write(as_bytes("plain text")));
    REQUIRE(file->commit(shared));
    CHECK(at.get("out") == "plain text");
    CHECK(names_in(at).size() == 1);
    struct stat about{};
    REQUIRE(::stat(at.file("out").c_str(), &about) == 0);
    CHECK(((about.st_mode & 0077) != 0) == shared);
  }
  ::umask(mask);
}

TEST_CASE("attack: whoever opens is killed half way, and looks for plain text in the folder") {
  const Scratch at;
  if (!nameless_files(at)) {
    MESSAGE("skipped: this file system knows no files without a name");
    return;
  }
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto file = NewFile::create(at.file("out"));
    if (!file || !file->write(as_bytes("plain text"))) ::_exit(1);
    ::raise(SIGKILL);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  CHECK(names_in(at).empty());
}
