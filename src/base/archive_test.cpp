#include "base/archive.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <doctest/doctest.h>

using namespace entente;

namespace {

std::string seed(const char* name) {
  const char* source = std::getenv("ENTENTE_SOURCE");
  const std::filesystem::path root = source != nullptr ? source : ".";
  std::ifstream in(root / "tests/corpus/archive_fuzz" / name, std::ios::binary);
  REQUIRE(in.good());
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// One entry of a tar archive, its header's sum right.
std::string entry(const std::string& name, const std::string& content, char type = '0') {
  std::string block(512, '\0');
  block.replace(0, name.size(), name);
  const auto octal = [&](size_t at, size_t digits, uint64_t value) {
    for (size_t i = digits; i > 0; --i, value /= 8) block[at + i - 1] = static_cast<char>('0' + value % 8);
  };
  octal(124, 11, content.size());
  block[156] = type;
  block.replace(148, 8, "        ");
  uint64_t sum = 0;
  for (const char c : block) sum += static_cast<uint8_t>(c);
  octal(148, 6, sum);
  block[154] = '\0';
  return block + content + std::string((512 - content.size() % 512) % 512, '\0');
}

const std::string kEnd(1024, '\0');

}  // namespace

TEST_CASE("archives of several tools are read") {
  const auto plain = read_archive(seed("plain.tar"));
  REQUIRE(plain.has_value());
  CHECK(plain->at("a/x.txt") == "hi\n");
  CHECK(plain->at("a/b/y.json") == "there\n");
  CHECK(*read_archive(seed("packed.tar.gz")) == *plain);
  CHECK(read_archive(seed("pax.tar"))->size() == 1);
  CHECK(read_archive(seed("long.tar"))->begin()->first.size() == 183);
}

TEST_CASE("names that lead out of an archive, links and devices are left out") {
  const std::string bytes = entry("../evil", "x") + entry("/etc/passwd", "x") + entry("a/../../evil", "x") +
                            entry("link", "", '2') + entry("pipe", "", '6') + entry("./good", "y") + kEnd;
  const auto files = read_archive(bytes);
  REQUIRE(files.has_value());
  CHECK(files->size() == 1);
  CHECK(files->at("good") == "y");
}

TEST_CASE("an archive that is damaged, cut short or too large is refused") {
  const std::string good = entry("a", std::string(2000, 'x')) + kEnd;
  CHECK(read_archive("").has_value());
  CHECK_FALSE(read_archive("this is a text, not an archive").has_value());
  CHECK_FALSE(read_archive(good.substr(0, 900)).has_value());
  std::string damaged = good;
  damaged[10] = 'z';
  CHECK_FALSE(read_archive(damaged).has_value());
  CHECK_FALSE(read_archive(good, {.bytes_max = 1000, .file_bytes_max = 5000, .files_max = 5}).has_value());
  CHECK_FALSE(read_archive(good, {.bytes_max = 9000, .file_bytes_max = 500, .files_max = 5}).has_value());
  CHECK_FALSE(read_archive(entry("a", "") + entry("b", "") + kEnd,
                           {.bytes_max = 9000, .file_bytes_max = 500, .files_max = 1})
                  .has_value());
  std::string packed = seed("packed.tar.gz");
  CHECK_FALSE(read_archive(packed, {.bytes_max = 600, .file_bytes_max = 500, .files_max = 9}).has_value());
  packed.resize(packed.size() / 2);
  CHECK_FALSE(read_archive(packed).has_value());
}
