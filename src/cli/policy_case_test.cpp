#include "cli/policy_case.h"

#include "base/scratch_for_test.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::cli;

namespace {

class Folder : public Scratch {
 public:
  Folder() {
    put("s.cedarschema",
        "entity Team; entity User in [Team] = { level: Long, note?: String }; entity Doc = { owner: User };"
        "action open, edit appliesTo { principal: User, resource: Doc, context: { risk: Long, http?: { path: "
        "String } } };");
    put("p.cedar",
        "@id(\"team\") permit (principal in Team::\"t\", action, resource) when { principal.level > 1 };"
        "@id(\"calm\") forbid (principal, action == Action::\"open\", resource) when { context.risk > 40 };");
  }

  Result<CaseReport> run(const std::string& rows) const {
    const std::string head =
        "# about\nschema s.cedarschema\npolicies p.cedar\n"
        "entity User::\"ann\" in Team::\"t\" with level=2\nentity User::\"bob\" with level=9; note=a b\n"
        "entity Doc::\"d\" with owner={\"type\": \"User\", \"id\": \"ann\"}\n";
    return run_case_file(file("x.case"), head + rows);
  }
};

}  // namespace

TEST_CASE("a table of asks passes or says what differs, with the line") {
  const Folder folder;
  const auto good = folder.run(
      "User::\"ann\" | open | Doc::\"d\" | risk=1 | permit team\n"
      "User::\"ann\" | Action::\"open\" | Doc::\"d\" | {\"risk\": 41} | deny calm\n"
      "User::\"ann\" level=1 | open | Doc::\"d\" | risk=1; http.path=/x | deny\n"
      "User::\"bob\" -note | edit | Doc::\"d\" | risk=99 | deny\n");
  REQUIRE_MESSAGE(good.has_value(), (good ? "" : good.error().text()));
  CHECK(good->passed == 4);
  CHECK(good->failed == 0);
  const auto filled = folder.run(
      "context risk=41\nUser::\"ann\" | open | Doc::\"d\" | | deny calm\nUser::\"ann\" | open | Doc::\"d\" | "
      "risk=1 | permit\n");
  REQUIRE(filled.has_value());
  CHECK(filled->passed == 2);
  const auto bad = folder.run(
      "User::\"ann\" | open | Doc::\"d\" | risk=1 | permit other\nUser::\"bob\" | open | Doc::\"d\" | risk=1 "
      "| permit\n");
  REQUIRE(bad.has_value());
  CHECK(bad->failed == 2);
  CHECK(bad->failures[0].find("x.case:7: expected permit other, found permit team") != std::string::npos);
  CHECK(bad->failures[1].find("team would permit, but for principal in Team::\"t\"") != std::string::npos);
}

TEST_CASE("the demo's own table passes") {
  const char* source = std::getenv("ENTENTE_SOURCE");
  const auto path =
      std::filesystem::path(source != nullptr ? source : ".") / "demo/coalition/policies/xaa/host.case";
  std::ifstream in(path);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto run = run_case_file(path.string(), text);
  REQUIRE_MESSAGE(run.has_value(), (run ? "" : run.error().text()));
  for (const std::string& failure : run->failures) MESSAGE(failure);
  CHECK(run->passed == 14);
  CHECK(run->failed == 0);
}

TEST_CASE("a table that cannot be read is refused at its line") {
  const Folder folder;
  const auto fault = [&](const char* row) {
    const auto run = folder.run(row);
    return run ? std::string() : run.error().text();
  };
  CHECK(fault("User::\"ann\" | open\n").find("x.case:7: a row has five cells") != std::string::npos);
  CHECK(fault("User::\"ann\" | opn | Doc::\"d\" | risk=1 | permit\n").find("no action \"opn\"") !=
        std::string::npos);
  CHECK(fault("User::\"ann\" | open | Doc::\"d\" | rsk=1 | permit\n").find("no `rsk`") != std::string::npos);
  CHECK(fault("User::\"ann\" | open | Doc::\"d\" | risk=1 | allow\n").find("permit or deny") !=
        std::string::npos);
  CHECK(fault("User::\"ann\" lvl=1 | open | Doc::\"d\" | risk=1 | permit\n").find("no `lvl`") !=
        std::string::npos);
  CHECK(fault("colour blue\n").find("no setting `colour`") != std::string::npos);
  CHECK(fault("policies missing.cedar\n").find("missing.cedar") != std::string::npos);
}
