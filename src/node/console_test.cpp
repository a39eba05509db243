#include "node/console.h"

#include "node/config.h"

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
