// Marking lines of a public national grammar, when $ENTENTE_CONFORMANCE (or ../shared/conformance) has them.
#include "label/marking_register_for_test.h"

#include <set>

using namespace entente;
using namespace entente::label;

namespace {

std::vector<MarkingGrammar> grammars(const Register& known, const Form& form) {
  std::vector<PolicyData> data{usa(known, form), nato(form), joint(known, form)};
  for (PolicyData& one : nations(known, form)) data.push_back(std::move(one));
  std::vector<MarkingGrammar> out;
  out.reserve(data.size());
  for (PolicyData& one : data) {
    const auto policy = LabelPolicy::from_data(std::move(one));
    REQUIRE_MESSAGE(policy.has_value(), policy.error().text());
    out.emplace_back(*policy, MarkingStyle{form.portion, ""});
  }
  return out;
}

struct Line {
  std::string text;
  bool refused = false;
};
struct Lines {
  std::vector<Line> banners;
  std::vector<Line> portions;
};

// Tables of markings, each with what its test expects: a whole test that throws, or an error column.
void read_tables(const std::string& text, Lines& out) {
  static const std::regex row(R"(^\s*'([^']*)'(?:\s*\|\s*(true|false)\b)?)");
  static const std::regex header(R"(^\s*markings\s*\|)");
  for (const std::string& block : split(text, "\n    def '")) {
    const bool throws = block.find("thrown(MarkingsValidationException)") != std::string::npos;
    const bool portion = block.find("PortionMarkings.") != std::string::npos;
    bool in_table = false;
    bool column = false;
    for (const std::string& line : split(block, "\n")) {
      std::smatch found;
      if (std::regex_search(line, header)) {
        in_table = true;
        column = line.find("validationError") != std::string::npos;
      } else if (in_table && std::regex_search(line, found, row)) {
        (portion ? out.portions : out.banners)
            .push_back({found[1], throws || (column && found[2] == "true")});
      }
    }
  }
}

// Constants, each NAME("LINE"): all of a file are to be read, or all to be refused.
void read_constants(const std::string& text, bool refused, Lines& out) {
  static const std::regex constant(R"re(\b[A-Z][A-Z0-9_]*\(\s*"([^"]*)"\s*\))re");
  for (auto at = std::sregex_iterator(text.begin(), text.end(), constant); at != std::sregex_iterator(); ++at)
    out.banners.push_back({(*at)[1], refused});
}

Lines lines_of(const std::filesystem::path& folder) {
  Lines out;
  for (const auto& path : conformance_files(folder, "")) {
    const std::string name = path.filename().string();
    const std::string text = conformance_text(path);
    static const std::regex property(R"(BannerMarkings\s*=\s*(.+))");
    std::smatch found;
    if (name.ends_with(".groovy")) read_tables(text, out);
    if (name.ends_with(".java")) read_constants(text, name.starts_with("Invalid"), out);
    if (name.ends_with(".properties") && std::regex_search(text, found, property))
      out.banners.push_back({found[1], false});
  }
  return out;
}

// Written there, and refused by the register's own grammar: a category or a list that ends in nothing, REL TO
// without commas, DISPLAY ONLY with USA, JOINT with commas or out of the alphabet.
bool is_wrong_by_grammar(const std::string& line) {
  static const std::regex wrong("////|/$|REL TO [A-Z]{3,4} [A-Z]{3,4}|DISPLAY ONLY ([A-Z]+, )*USA");
  if (std::regex_search(line, wrong)) return true;
  if (!line.starts_with("//JOINT ")) return false;
  const std::string joint = split(line.substr(2), "//").front();
  static const std::regex code("\\b[A-Z]{3}\\b");
  Words codes;
  for (auto at = std::sregex_iterator(joint.begin(), joint.end(), code); at != std::sregex_iterator(); ++at)
    codes.push_back(at->str());
  std::erase(codes, "TOP");
  return joint.find(',') != std::string::npos || !std::ranges::is_sorted(codes);
}

// Taken there, and refused here though the register's grammar would have them, line by line. Nothing else is.
bool is_refused_here(const std::string& line) {
  static const std::set<std::string> lines{
      // a control where compartments stand; controls in another order than the register's
      "SECRET//TK/NOFORN", "SECRET//ORCON/PROPIN/NOFORN",
      // NOFORN beside a marking that says it once more
      "SECRET//DEA SENSITIVE/NOFORN//SBU NOFORN",
      // nicknames whose order is one here and another there, and other markings out of theirs
      "SECRET//ACCM-FOOBAR/BAZ/LIMITED DISTRIBUTION/SBU NOFORN",
      "SECRET//LIMITED DISTRIBUTION/ACCM-BAZ/FOOBAR",
      "SECRET//ACCM-BAZ/FOOBAR/LIMITED DISTRIBUTION/SBU NOFORN"};
  return lines.contains(line);
}

void run(const std::vector<Line>& lines, const Form& form) {
  Register known;
  known.countries = countries();
  for (const Line& line : lines)
    if (!line.refused) learn(known, line.text);
  const auto all = grammars(known, form);
  const Instant now = parse_rfc3339("2026-11-22T00:00:00Z").value();
  int refused = 0;
  int wrong = 0;
  int read = 0;
  for (const Line& line : lines) {
    const std::string text = form.portion ? "(" + line.text + ")" : line.text;
    INFO(text);
    int readers = 0;
    for (const MarkingGrammar& grammar : all) {
      const auto label = grammar.parse(text, now);
      if (!label) continue;
      ++readers;
      CHECK(grammar.print(*label, now).value() == text);
    }
    const bool is_wrong = is_wrong_by_grammar(line.text);
    CHECK(readers == (line.refused || is_wrong || is_refused_here(line.text) ? 0 : 1));
    if (line.refused) ++refused;
    if (!line.refused && is_wrong) ++wrong;
    read += readers;
  }
  if (lines.empty()) return;
  MESSAGE(std::string(form.portion ? "portions: " : "banners: ")
          << lines.size() << " lines: " << refused << " refused there and here, " << wrong
          << " by the register's grammar, " << read << " read");
}

}  // namespace

TEST_CASE("marking lines of a public national grammar: what it refuses is refused, what it writes is read") {
  const auto folder = conformance("guard/marking");
  const Lines lines = lines_of(folder);
  CHECK((!std::filesystem::exists(folder) || !lines.banners.empty() || !lines.portions.empty()));
  run(lines.banners, {false});
  run(lines.portions, {true});
}
