// For tests: a PKCS#11 token in software (softhsm2), with keys that its tools made in it.
#pragma once

#include "base/scratch_for_test.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace entente::crypto::testing {

inline constexpr const char* kModule = "/usr/lib/softhsm/libsofthsm2.so";

// Words parted by spaces.
inline bool run(const std::string& command) {
  std::istringstream text(command);
  std::vector<std::string> words{std::istream_iterator<std::string>(text), {}};
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  for (const int file : {STDOUT_FILENO, STDERR_FILENO})
    posix_spawn_file_actions_addopen(&quiet, file, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const bool started = ::posix_spawnp(&child, pointers[0], &quiet, nullptr, pointers.data(), environ) == 0;
  posix_spawn_file_actions_destroy(&quiet);
  int status = 1;
  return started && ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// A token in software with an RSA key "rsa", EC keys "p256" and "p384", and one, "signs", that may not
// derive.
struct Exercise {
  Scratch scratch;
  bool ready = false;

  Exercise() {
    const std::filesystem::path& folder = scratch.path();
    std::filesystem::create_directory(folder / "tokens");
    std::ofstream(folder / "softhsm2.conf")
        << "directories.tokendir = " << (folder / "tokens").string() << "\nlog.level = ERROR\n";
    ::setenv("SOFTHSM2_CONF", (folder / "softhsm2.conf").c_str(), 1);
    ready = run("softhsm2-util --init-token --free --label exercise --pin 123456 --so-pin 654321") &&
            make("rsa:2048 --usage-decrypt", "rsa") && make("EC:prime256v1 --usage-derive", "p256") &&
            make("EC:secp384r1 --usage-derive", "p384") && make("EC:prime256v1 --usage-sign", "signs");
  }

  static bool make(const std::string& what, const std::string& label) {
    static int number = 0;
    return run(
        fmt::format("pkcs11-tool --module {} --token-label exercise --login --pin 123456 --keypairgen "
                    "--key-type {} --label {} --id {:02}",
                    kModule, what, label, ++number));
  }
};

// The module reads its configuration once in a process, so all tests share one token.
inline const Exercise* token() {
  static const Exercise made;
  if (!made.ready) {
    if (std::getenv("ENTENTE_NO_TOKEN") == nullptr)
      FAIL_CHECK(
          "no token in software: `./dev setup` installs softhsm2 and opensc; ENTENTE_NO_TOKEN=1 goes "
          "without");
    MESSAGE("skipped: without a token in software");
  }
  return made.ready ? &made : nullptr;
}

}  // namespace entente::crypto::testing
