#include "label/marking.h"

#include "label/policies_for_test.h"

#include <fstream>
#include <sstream>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace entente;
using namespace entente::label;

namespace {

std::string trimmed(std::string text) {
  // Plain spaces only: some lines begin or end with others on purpose.
  while (text.starts_with(' ')) text.erase(0, 1);
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> out;
  std::istringstream in(line);
  for (std::string cell; std::getline(in, cell, '|');) out.push_back(trimmed(cell));
  return out;
}

MarkingGrammar grammar_of(const std::string& named) {
  std::istringstream in(named);
  std::string policy;
  std::string style;
  in >> policy >> style;
  MarkingStyle made{style == "portion", style == "portion" ? "" : style};
  return {policy_for_test(policy == "XAA" ? kXaaSpif : kXbbSpif), made};
}

}  // namespace

TEST_CASE("marking.case: lines are read and printed, or refused with code and place") {
  std::ifstream file("src/label/marking.case");
  REQUIRE(file.good());
  int valid = 0;
  int refused = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    const auto cell = cells(line);
    INFO(line);
    REQUIRE(cell.size() >= 3);
    const MarkingGrammar grammar = grammar_of(cell[1]);
    const auto label = grammar.parse(cell[2], time_for_test());
    if (cell[0] == "V") {
      ++valid;
      REQUIRE_MESSAGE(label.has_value(), label.error().text());
      const std::string printed = grammar.print(*label, time_for_test()).value();
      CHECK(printed == cell.back());
      CHECK(grammar.parse(printed, time_for_test()).value() == *label);
      CHECK(folded_marking(printed) == folded_marking(trimmed(cell[2])));
    } else {
      ++refused;
      REQUIRE(!label.has_value());
      const std::string said = label.error().text();
      const size_t space = cell[3].find(' ');
      CHECK(label.error().code() == cell[3].substr(0, space));
      CHECK_MESSAGE(said.find(cell[3].substr(space + 1)) != std::string::npos, said);
    }
  }
  CHECK(valid >= 30);
  CHECK(refused >= 30);
}

TEST_CASE("a refusal says what would fit") {
  const MarkingGrammar grammar = grammar_of("XAA");
  const Error said = grammar.parse("EXERCISE SECRET//REL TO XAA, XYZ", time_for_test()).error();
  CHECK(said.what() == "\"XYZ\" is not understood here");
  CHECK(said.where() == "column 30");
  CHECK(said.hint().find("\"XDD\"") != std::string::npos);
}

TEST_CASE("two phrases that look alike make a line ambiguous, and it is refused") {
  std::string spif(kXaaSpif);
  const size_t at = spif.find("name=\"CHARLIE\" lacv=\"4\"/>");
  REQUIRE(at != std::string::npos);
  spif.replace(at, 26,
               "name=\"CHARLIE\" lacv=\"4\"><spif:markingData phrase=\"alpha\"><spif:code>pageTop</spif:code>"
               "</spif:markingData></spif:tagCategory>");
  const MarkingGrammar grammar(policy_for_test(spif), {});
  CHECK(grammar.parse("EXERCISE SECRET//ALPHA", time_for_test()).error().code() == "label.ambiguous");
}

TEST_CASE("hostile lines end in bounded time") {
  const MarkingGrammar grammar = grammar_of("XAA");
  CHECK(!grammar.parse(std::string(kMarkingBytesMax + 1, 'A'), time_for_test()));
  CHECK(!grammar.parse("EXERCISE \xff SECRET", time_for_test()));
  std::string many = "EXERCISE SECRET//CONVOY A";
  while (many.size() < 1000) many += "/A";
  CHECK(!grammar.parse(many, time_for_test()));
  std::string programmes = "EXERCISE SECRET//BRAVO";
  while (programmes.size() < 1000) programmes += "/BRAVO-TWO/BRAVO";
  CHECK(!grammar.parse(programmes, time_for_test()));
}

TEST_CASE("a label that breaks the rules is not printed") {
  const MarkingGrammar grammar = grammar_of("XAA");
  CHECK(grammar.print(label_for_test("TOP SECRET"), time_for_test()).error().code() == "label.rule");
}

TEST_CASE("attack: a label's successor is higher and in force, and the label is marked as what it was") {
  const MarkingGrammar grammar = grammar_of("XAA");
  Label label = label_for_test("RESTRICTED");
  label.succeeded = time_for_test();
  label.successor.push_back(label_for_test("SECRET", {{"Caveats", CategoryType::restrictive, {"ORCON"}}}));
  CHECK(grammar.print(label, *label.succeeded - Millis(1)).value() == "EXERCISE RESTRICTED");
  CHECK(grammar.print(label, *label.succeeded).value() == "EXERCISE SECRET//ORCON");
}

TEST_CASE("attack: a line is printed that the same policy's reader refuses") {
  // A line longer than any that is read.
  std::string many(kXaaSpif);
  const std::string_view charlie = "<spif:tagCategory name=\"CHARLIE\" lacv=\"4\"/>";
  std::string values;
  std::vector<std::string> names;
  for (int i = 0; i < 120; ++i) {
    names.push_back(fmt::format("ROUTE {:03}", i));
    values += fmt::format("<spif:tagCategory name=\"{}\" lacv=\"{}\"/>", names.back(), 100 + i);
  }
  many.replace(many.find(charlie), charlie.size(), values);
  const std::string_view limit = " maxSelection=\"3\"";
  many.replace(many.find(limit), limit.size(), "");
  const LabelPolicy policy = policy_for_test(many);
  const auto printed =
      MarkingGrammar(policy, {})
          .print(label_for_test("SECRET", {{"Programmes", CategoryType::restrictive, names}}),
                 time_for_test());
  REQUIRE_FALSE(printed.has_value());  // 1,024 bytes and more
  CHECK(printed.error().code() == "label.marking");
  names.resize(3);
  CHECK(MarkingGrammar(policy, {})
            .print(label_for_test("SECRET", {{"Programmes", CategoryType::restrictive, names}}),
                   time_for_test())
            .has_value());
}

TEST_CASE("what is said of a line is UTF-8, wherever the line is cut") {
  const MarkingGrammar grammar = grammar_of("XAA");
  for (const char* letter : {"\u00e5", "\u6f22", "\U0001F600"}) {
    for (size_t before = 0; before < 5; ++before) {
      std::string line = "EXERCISE SECRET//ALPHA/" + std::string(before, 'Z');
      for (int i = 0; i < 30; ++i) line += letter;
      const Error said = grammar.parse(line, time_for_test()).error();
      CHECK(is_utf8(said.text()));
      CHECK(said.what().find(letter) != std::string::npos);
    }
  }
}

TEST_CASE("a line names as many values of one category as a label holds") {
  std::string many(kXaaSpif);
  const std::string_view charlie = "<spif:tagCategory name=\"CHARLIE\" lacv=\"4\"/>";
  std::string values;
  std::vector<std::string> names;
  for (int i = 0; i < 80; ++i) {
    names.push_back(fmt::format("K{:02}", i));
    values += fmt::format("<spif:tagCategory name=\"{}\" lacv=\"{}\"/>", names.back(), 100 + i);
  }
  many.replace(many.find(charlie), charlie.size(), values);
  const std::string_view limit = " maxSelection=\"3\"";
  many.replace(many.find(limit), limit.size(), "");
  const MarkingGrammar grammar(policy_for_test(many), {});
  const Label label = label_for_test("SECRET", {{"Programmes", CategoryType::restrictive, names}});
  const auto line = grammar.print(label, time_for_test());
  REQUIRE_MESSAGE(line.has_value(), line.error().text());
  const auto read = grammar.parse(*line, time_for_test());
  REQUIRE_MESSAGE(read.has_value(), read.error().text());
  CHECK(read->categories == label.categories);
}
