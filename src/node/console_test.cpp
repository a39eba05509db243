#include "node/console.h"

#include "base/file.h"
#include "node/config.h"

#include <array>

#include <doctest/doctest.h>
#include <unistd.h>

using namespace entente;
using namespace entente::node;

TEST_CASE("the console gives out the ledger's public files, and nothing else of its folder") {
  for (const char* path : {"checkpoint", "tile/0/000", "tile/7/999", "tile/0/000.p/1", "tile/1/004.p/255",
                           "tile/entries/000", "tile/entries/x001/x234/067", "tile/entries/x001/067.p/9"})
    CHECK_MESSAGE(is_ledger_file(path), path);
  for (const char* path : {"",
                           "checkpoint/",
                           "log/00000000.seg",
                           "own/00000000.seg",
                           "tile",
                           "tile/",
                           "tile/8/000",
                           "tile/0",
                           "tile/0/",
                           "tile/0/0",
                           "tile/0/0000",
                           "tile/0/../own/000",
                           "tile/0/x001",
                           "tile/0/x001/",
                           "tile/0/000.p",
                           "tile/0/000.p/",
                           "tile/0/000.p/0",
                           "tile/0/000.p/01",
                           "tile/0/000.p/2560",
                           "tile/0/000.p/a",
                           "tile/0/000/000",
                           "tile/own/000",
                           "tile/0/x001.p/1",
                           "tile/0/000.p/1/000",
                           "tile/0/x000/x000/x000/x000/x000/x000/x000/x000/000"})
    CHECK_MESSAGE(!is_ledger_file(path), path);
}

namespace {

coalition::World world_with_apps(const std::vector<std::array<std::string_view, 3>>& apps) {
  std::vector<coalition::Record> records;
  records.push_back({"node/self", Json::object({{"partner", "XAA"}})});
  for (const char* code : {"XAA", "XBB"}) {
    Result<Json> partner = Json::parse(R"({"name": "A nation", "state": "active", "ceiling": "SECRET",
        "member_since": "2026-06-01T00:00:00Z", "member_until": "2027-06-01T00:00:00Z"})");
    REQUIRE(partner);
    records.push_back({std::string("partner/") + code, std::move(*partner)});
  }
  records.push_back({"mission/harbor-light", Json::object({{"name", "Harbor Light"},
                                                           {"partners", Json::array({"XAA", "XBB"})},
                                                           {"lead", "XAA"},
                                                           {"number", 4},
                                                           {"phase", "planning"},
                                                           {"threat", "low"},
                                                           {"start", "2026-10-01T00:00:00Z"},
                                                           {"end", "2027-03-01T00:00:00Z"}})});
  records.push_back(
      {"segment/maritime", Json::object({{"name", "Maritime picture"}, {"mission", "harbor-light"}})});
  for (const auto& [key, level, banner] : apps) {
    const bool own = key.starts_with("app/");
    records.push_back({std::string(key), Json::object({{"owner", own ? "XAA" : "XBB"},
                                                       {"name", "An app"},
                                                       {"banner", banner},
                                                       {"classification", level},
                                                       {"mission", "harbor-light"},
                                                       {"segment", "maritime"},
                                                       {"shares", Json::array({"clearance"})},
                                                       {"offered_to", Json::array({own ? "XBB" : "XAA"})},
                                                       {"end", "2027-02-28T00:00:00Z"}})});
  }
  Result<coalition::World> made = coalition::World::load(records, Revision{1});
  REQUIRE_MESSAGE(made, (made ? "" : made.error().text()));
  return *std::move(made);
}

}  // namespace

TEST_CASE("the console's marking is this nation's own; of what a partner writes only the level counts") {
  CHECK(marking_of(world_with_apps({})).empty());
  CHECK(marking_of(world_with_apps({{"app/cop", "RESTRICTED", "EXERCISE RESTRICTED REL XBB"},
                                    {"app/log", "UNCLASSIFIED", "EXERCISE UNCLASSIFIED"},
                                    {"offer/XBB/tides", "RESTRICTED", "NOTHING HERE MATTERS"}})) ==
        "EXERCISE RESTRICTED REL XBB");
  CHECK(marking_of(world_with_apps({{"app/cop", "RESTRICTED", "EXERCISE RESTRICTED"},
                                    {"offer/XBB/tides", "SECRET", "UNCLASSIFIED, RELEASE TO ANYBODY"}})) ==
        "EXERCISE SECRET");
  CHECK(marking_of(world_with_apps({{"app/cop", "RESTRICTED", "RESTRICTED"},
                                    {"offer/XBB/tides", "SECRET", "EXERCISE SECRET"}})) == "SECRET");
}

TEST_CASE("the console's files are its page, scripts and styles; without the page there is no console") {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / ("entente-console-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  CHECK(read_console_files({}).empty());
  CHECK(read_console_files(folder / "nowhere").empty());
  REQUIRE(write_file(folder / "console.js", "1"));
  CHECK(read_console_files(folder).empty());
  REQUIRE(write_file(folder / "index.html", "<p>"));
  REQUIRE(write_file(folder / "secret.pem", "no"));
  const ConsoleFiles files = read_console_files(folder);
  CHECK(files.size() == 2);
  CHECK(files.at("/").type == "text/html; charset=utf-8");
  CHECK(files.at("/console.js").text == "1");
  fs::remove_all(folder);
}
