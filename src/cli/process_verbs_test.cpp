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

TEST_CASE("attack: a nation's key, or what it is to sign, is written over by the signed genesis") {
  const Scratch at;
  REQUIRE(told_by({"genesis", "key", "--out", at.file("nation.pem")}).exit == kExitOk);
  at.put("genesis.json", R"({"partner": "XAA", "records": {}})");
  std::filesystem::create_symlink("nation.pem", at.path() / "link.pem");
  const std::string key = at.get("nation.pem"), text = at.get("genesis.json");
  for (const char* out : {"nation.pem", "genesis.json", "link.pem"}) {
    CAPTURE(out);
    const Told told = told_by({"genesis", "sign", "--key", at.file("nation.pem"), "--in",
                               at.file("genesis.json"), "--out", at.file(out)});
    CHECK(told.exit == kExitUsage);
    CHECK(told.out.find("the output is what --") != std::string::npos);
  }
  CHECK(at.get("nation.pem") == key);
  CHECK(at.get("genesis.json") == text);
  CHECK(std::filesystem::is_symlink(at.path() / "link.pem"));
}

TEST_CASE("attack: what a ledger is verified against is written over by its newest checkpoint") {
  const Scratch at;
  for (const char* name : {"node.json", "old.note", "report.json"}) at.put(name, "as it was");
  std::filesystem::create_symlink("old.note", at.path() / "link.note");
  for (const char* out : {"node.json", "old.note", "link.note", "report.json"}) {
    CAPTURE(out);
    const Told told =
        told_by({"ledger", "verify", "--config", at.file("node.json"), "--remembered", at.file("old.note"),
                 "--exposure", at.file("report.json"), "--checkpoint-out", at.file(out)});
    CHECK(told.exit == kExitUsage);
    CHECK(told.out.find("give another file after --checkpoint-out") != std::string::npos);
    CHECK(at.get(out) == "as it was");
  }
}
