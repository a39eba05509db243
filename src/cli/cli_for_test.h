// What the program answers and says, run in a test's own process.
#pragma once

#include "cli/cli.h"

#include <cstdio>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace entente::cli {

struct Told {
  int exit = 0;
  std::string out;  // both streams
};

// entente WORDS...
inline Told told_by(std::vector<std::string> words) {
  words.insert(words.begin(), "entente");
  std::vector<char*> raw;
  raw.reserve(words.size());
  for (std::string& word : words) raw.push_back(word.data());
  std::fflush(nullptr);
  const int out = ::dup(1), err = ::dup(2), said = ::memfd_create("said", 0);
  REQUIRE(said >= 0);
  ::dup2(said, 1);
  ::dup2(said, 2);
  Told told;
  told.exit = run(raw);
  std::fflush(nullptr);
  ::dup2(out, 1);
  ::dup2(err, 2);
  told.out.resize(static_cast<size_t>(::lseek(said, 0, SEEK_END)));
  REQUIRE(::pread(said, told.out.data(), told.out.size(), 0) == static_cast<ssize_t>(told.out.size()));
  for (const int fd : {out, err, said}) ::close(fd);
  return told;
}

}  // namespace entente::cli
