#include "data/object_for_test.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace entente;
using namespace entente::data;

namespace {

// By how many KiB a child's memory peaks above what it began with, while it reads this manifest.
long peak_of_reading(const std::string& text, std::string& code) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto peak = [] {
      rusage usage{};
      ::getrusage(RUSAGE_SELF, &usage);
      return usage.ru_maxrss;
    };
    const long before = peak();
    const auto read = read_manifest(text);
    const std::string said =
        std::to_string(peak() - before) + " " + (read ? std::string("ok") : read.error().code());
    const bool told = ::write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size());
    ::_exit(told ? 0 : 1);
  }
  ::close(ends[1]);
  std::string said(128, '\0');
  const ssize_t length = ::read(ends[0], said.data(), said.size());
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(length > 0);
  said.resize(static_cast<size_t>(length));
  code = said.substr(said.find(' ') + 1);
  return std::stol(said);
}

}  // namespace

TEST_CASE("attack: a manifest of a million values is refused in little memory") {
  const Bytes object = seal_for_test(plan_for_test(key_for_test()), to_bytes("EXERCISE"));
  const std::string good = manifest_text_of(object);
  std::string code;
  peak_of_reading(good, code);
  CHECK(code == "ok");
  const auto with = [&](std::string_view one) {
    std::string out = good.substr(0, good.size() - 1) + R"(,"assertions":[{"id":"a","value":[)";
    while (out.size() < kFrameBytesMax - 100) out += one;
    return out + "0]}]}";
  };
  for (const std::string_view one : {"0,", "{},", "[],", "\"\",", "{\"\":0},"}) {
    const std::string text = with(one);
    const long peak = peak_of_reading(text, code);
    INFO(one);
    CHECK(code == "data.manifest");
    CHECK(peak < 32 * 1024);
  }
}

TEST_CASE("brackets and commas within texts count for nothing") {
  const Bytes object = seal_for_test(plan_for_test(key_for_test()), to_bytes("EXERCISE"));
  const std::string good = manifest_text_of(object);
  const std::string commas(kFrameValuesMax * 2, ',');
  const std::string text =
      good.substr(0, good.size() - 1) + R"(,"assertions":[{"id":"\"[[[)" + commas + R"("}]})";
  CHECK(read_manifest(text));
}
