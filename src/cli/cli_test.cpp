#include "cli/cli.h"

#include "cli/cli_for_test.h"

#include <algorithm>

#include <doctest/doctest.h>

using namespace entente::cli;

TEST_CASE("attack: a partner's words forge a row of an operator's table, or steer the terminal") {
  const std::string text = table_text({"RELEASE", "WHO"}, {{"r-1", "planner\nr-2      officer"},
                                                           {"r-3",
                                                            "\x1b[2J\xc2\x9b"
                                                            "1A\xe2\x80\xae"}});
  CHECK(std::ranges::count(text, '\n') == 3);
  for (const char* steers : {"\x1b", "\xc2\x9b", "\xe2\x80\xae"})
    CHECK(text.find(steers) == std::string::npos);
  CHECK(text.find("planner?r-2") != std::string::npos);
}

TEST_CASE("behind -- a word that begins like an option is a word; a mistyped option is none") {
  const auto cut = [](std::vector<std::string> words) {
    words.insert(words.begin(),
                 {"session", "cut", "--reason", "exercise", "--socket", "/nowhere/entente.sock"});
    return told_by(words).exit;
  };
  CHECK(cut({"--", "--co2BzYKkkuEggnGTU0OQ"}) == kExitUnreachable);
  CHECK(cut({"kco2BzYKkkuEggnGTU0OQA"}) == kExitUnreachable);
  CHECK(cut({"--co2BzYKkkuEggnGTU0OQ"}) == kExitUsage);
  CHECK(cut({"--reasons", "kco2BzYKkkuEggnGTU0OQA"}) == kExitUsage);
}

TEST_CASE("attack: a number with more behind it is read as the number in front") {
  const std::vector<std::vector<std::string>> verbs{
      {"release", "o-1", "--attribute", "https://xaa.example/attr/a/value/b", "--to", "XBB", "--reason", "r",
       "--minutes"},
      {"release", "ask", "o.tdf", "--purpose", "p", "--minutes"},
      {"delegation", "add", "app", "person", "--minutes"},
      {"connector", "add", "c", "--apps", "a", "--days"},
      {"ledger", "show", "--last"},
      {"exposure", "--before"},
      {"policy", "check", "none.cedar", "--level"}};
  for (const std::vector<std::string>& verb : verbs) {
    CAPTURE(verb[0]);
    const auto with = [&](const char* number) {
      std::vector<std::string> words = verb;
      words.emplace_back(number);
      if (verb[0] != "policy" && verb[1] != "ask")
        words.insert(words.end(), {"--socket", "/nowhere/entente.sock"});
      return told_by(words);
    };
    CHECK(with("30").exit != kExitUsage);
    for (const char* slip : {"5h", "3weeks", "abc", "-5", "+5", " 5", "5 ", "0x10", "1e3", "1.5", "5&x=y",
                             "99999999999999999999"}) {
      CAPTURE(slip);
      const Told told = with(slip);
      CHECK(told.exit == kExitUsage);
      CHECK(told.out.find("write digits alone") != std::string::npos);
    }
  }
}

TEST_CASE("attack: an option whose value is empty asks for everything instead of for nothing") {
  const auto exit_of = [](std::vector<std::string> words) {
    words.insert(words.end(), {"--socket", "/nowhere/entente.sock"});
    return told_by(words).exit;
  };
  CHECK(exit_of({"exposure", "--partner", "XBB"}) == kExitUnreachable);
  for (const char* name : {"--partner", "--person", "--object", "--device", "--before"}) {
    CHECK(exit_of({"exposure", name, ""}) == kExitUsage);
    CHECK(exit_of({"exposure", std::string(name) + "="}) == kExitUsage);
  }
  CHECK(exit_of({"recall", "person", "XBB/x", "--reason", "r", "--attribute", ""}) == kExitUsage);
  CHECK(told_by({"seal", "none", "--to", "none.pub", "--person", "", "-o", "none.tdf"}).exit == kExitUsage);
  CHECK(
      told_by({"seal", "none", "--to", "none.pub", "--as", "", "-o", "none.tdf"}).out.find("--as is empty") !=
      std::string::npos);
}

TEST_CASE("help of one verb is that verb's") {
  const Told one = told_by({"help", "ledger", "verify"});
  CHECK(one.exit == kExitOk);
  CHECK(one.out.starts_with("usage: entente ledger verify "));
  CHECK(told_by({"help", "nonsense"}).exit == kExitUsage);
  CHECK(told_by({"help"}).exit == kExitOk);
}
