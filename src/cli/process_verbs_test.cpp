#include "base/scratch_for_test.h"
#include "cli/cli_for_test.h"
#include "crypto/key.h"

#include <filesystem>
#include <iterator>

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace entente;
using namespace entente::cli;

namespace {

auto count(const Scratch& at) {
  return std::distance(std::filesystem::directory_iterator(at.path()), {});
}

}  // namespace

TEST_CASE("genesis key makes a nation's key, its owner's alone, and the public one beside it") {
  const Scratch at;
  const Told made = told_by({"genesis", "key", "--out", at.file("nation.pem")});
  REQUIRE_MESSAGE(made.exit == kExitOk, made.out);
  struct stat about{};
  REQUIRE(::stat(at.file("nation.pem").c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
  const auto key = crypto::load_private_key(at.file("nation.pem"));
  REQUIRE(key.has_value());
  CHECK(at.get("nation.pem.pub") == key->public_key().pem());
  CHECK(count(at) == 2);
}

TEST_CASE("attack: a nation's own key is written over by another genesis key") {
  const Scratch at;
  REQUIRE(told_by({"genesis", "key", "--out", at.file("nation.pem")}).exit == kExitOk);
  const std::string key = at.get("nation.pem"), published = at.get("nation.pem.pub");
  const Told again = told_by({"genesis", "key", "--out", at.file("nation.pem")});
  CHECK(again.exit == kExitRefused);
  CHECK(again.out.find("[crypto.key_file]") != std::string::npos);
  CHECK(again.out.find("move this one away") != std::string::npos);
  std::filesystem::create_symlink("nation.pem", at.path() / "link.pem");
  std::filesystem::create_symlink("elsewhere", at.path() / "to-nothing.pem");
  for (const char* link : {"link.pem", "to-nothing.pem"})
    CHECK(told_by({"genesis", "key", "--out", at.file(link)}).exit == kExitRefused);
  CHECK(at.get("nation.pem") == key);
  CHECK(at.get("nation.pem.pub") == published);
  CHECK(count(at) == 4);
}

TEST_CASE("where a nation's public key cannot be written, no private one is left behind") {
  const Scratch at;
  at.put("old.pem.pub", "of a key that lies in a safe");
  std::filesystem::create_directory(at.path() / "folder.pem.pub");
  for (const char* out : {"old.pem", "folder.pem"}) {
    CAPTURE(out);
    const Told told = told_by({"genesis", "key", "--out", at.file(out)});
    CHECK(told.exit == kExitRefused);
    CHECK(told.out.find("[config.file]") != std::string::npos);
    CHECK(told.out.find(std::string(out) + ".pub") != std::string::npos);
  }
  CHECK(at.get("old.pem.pub") == "of a key that lies in a safe");
  CHECK(count(at) == 2);
}
