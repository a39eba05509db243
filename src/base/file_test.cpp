#include "base/file.h"

#include "base/scratch_for_test.h"

#include <limits>

namespace entente {
namespace {

constexpr size_t kAnySize = std::numeric_limits<size_t>::max();

}  // namespace

TEST_CASE("a file is read whole, up to the bound and not a byte longer") {
  const Scratch folder;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{99}, size_t{100}}) {
    folder.put("text", std::string(size, 't'));
    CHECK(read_file(folder.file("text"), 100).value() == std::string(size, 't'));
    CHECK(read_bytes(folder.file("text"), kAnySize, Symlink::refused).value() == Bytes(size, 't'));
  }
  folder.put("text", std::string(101, 't'));
  const auto longer = read_file(folder.file("text"), 100);
  REQUIRE(!longer);
  CHECK(longer.error().code() == "config.file");
  CHECK(longer.error().where() == folder.file("text"));
  CHECK(read_file(folder.file("text"), 0).error().code() == "config.file");
}

TEST_CASE("what does not say how long it is is read to its end, or its bound") {
  CHECK(read_file("/proc/self/status").value().find("Name:") != std::string::npos);
  CHECK(read_file("/proc/self/status", 100).error().code() == "config.file");
}

TEST_CASE("a link is followed only by who says so") {
  const Scratch folder;
  folder.put("text", "text");
  std::filesystem::create_symlink("text", folder.path() / "link");
  CHECK(read_file(folder.file("link")).value() == "text");
  CHECK(read_bytes(folder.file("link"), 100, Symlink::followed).value().size() == 4);
  CHECK(read_bytes(folder.file("link"), 100, Symlink::refused).error().code() == "config.file");
}

TEST_CASE("what is no file, or not there, is refused") {
  const Scratch folder;
  for (const char* name : {"", "none"}) CHECK(read_file(folder.file(name)).error().code() == "config.file");
}

TEST_CASE("a file is written whole in the place of the one before, with its mode") {
  const Scratch folder;
  REQUIRE(write_file(folder.file("key"), "a longer one", 0600));
  REQUIRE(write_file(folder.file("key"), "short", 0600));
  CHECK(folder.get("key") == "short");
  using std::filesystem::perms;
  CHECK(std::filesystem::status(folder.path() / "key").permissions() ==
        (perms::owner_read | perms::owner_write));
  CHECK(!std::filesystem::exists(folder.path() / "key.new"));
  CHECK(write_file(folder.path() / "none" / "key", "short").error().code() == "config.file");
}

}  // namespace entente
