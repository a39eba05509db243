#include "base/heap.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace entente::heap {
namespace {

// Ends of every size's range, and of what is not kept.
constexpr std::array<size_t, 18> kBytes{0,    1,    7,    8,    24,   25,    40,    41,    6136,
                                        6137, 1031, 1033, 2040, 2041, 16384, 17416, 17417, 70'000};

struct Held {
  uint8_t* at;
  size_t bytes;
  uint8_t mark;
};

TEST_CASE("a piece has all the room that was asked for, and nobody else's") {
  for (int round = 0; round < 3; ++round) {
    std::vector<Held> held;
    // More than is kept of any size.
    for (size_t i = 0; i < 200 * kBytes.size(); ++i) {
      const Held one{static_cast<uint8_t*>(take(kBytes[i % kBytes.size()])), kBytes[i % kBytes.size()],
                     static_cast<uint8_t>(i)};
      REQUIRE(one.at != nullptr);
      CHECK(reinterpret_cast<uintptr_t>(one.at) % alignof(std::max_align_t) == 0);
      std::memset(one.at, one.mark, one.bytes);
      held.push_back(one);
    }
    for (size_t i = 0; i < held.size(); ++i) {
      const Held one = held[i];
      REQUIRE(std::all_of(one.at, one.at + one.bytes, [one](uint8_t byte) { return byte == one.mark; }));
      // With its size and without: what comes back must fit either way.
      if (i % 3 == 0) {
        give(held[i].at);
      } else {
        give(held[i].at, held[i].bytes);
      }
    }
  }
  give(nullptr);
  give(nullptr, 64);
}

TEST_CASE("a piece of malloc's may be given, and one may be given where it was not taken") {
  for (const size_t bytes : kBytes) give(std::malloc(bytes));
  std::vector<void*> pieces;
  pieces.reserve(1'000);
  for (int i = 0; i < 1'000; ++i) pieces.push_back(take(100));
  std::thread([&pieces] {
    for (void* piece : pieces) give(piece, 100);
    for (void*& piece : pieces) piece = take(100);
  }).join();
  for (void* piece : pieces) {
    std::memset(piece, 1, 100);
    give(piece, 100);
  }
}

TEST_CASE("who gives a piece twice is stopped") {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::close(STDERR_FILENO);
    give(take(64), 64);  // the first of all opens the cache
    void* piece = take(64);
    void* other = take(64);
    give(piece, 64);
    give(other, 64);
    give(piece, 64);
    ::_exit(0);
  }
  int how = 0;
  REQUIRE(::waitpid(child, &how, 0) == child);
  CHECK_FALSE((WIFEXITED(how) && WEXITSTATUS(how) == 0));
}

}  // namespace
}  // namespace entente::heap
