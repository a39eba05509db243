// Forty marking lines of public grammars, as people write them, and in disguises.
#include "label/marking_register_for_test.h"
#include "label/roll_up.h"

using namespace entente;
using namespace entente::label;

namespace {

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

struct Example {
  int number;
  bool valid;
  std::string text;
};

// Number 9 is read though US rules for foreign information want no RELIDO beside it: that is for a policy to
// say. Number 15 (commas in JOINT, another order) is what a lenient reader would take: this one prints what
// it takes, and refuses. Number 40 is of a document's portions against its banner, which is no line: it has a
// test of its own below.
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

Register register_of(const Form& form) {
  Register out;
  out.countries = countries();
  for (const Example& example : kExamples)
    if (example.valid && example.text.starts_with('(') == form.portion)
      learn(out, form.portion ? example.text.substr(1, example.text.size() - 2) : example.text);
  return out;
}

std::vector<MarkingGrammar> all_grammars() {
  std::vector<MarkingGrammar> out;
  const auto add = [&](PolicyData data, bool portion) {
    out.emplace_back(LabelPolicy::from_data(std::move(data)).value(), MarkingStyle{portion, ""});
  };
  const Form banner{false};
  const Form portion{true};
  const Register known = register_of(banner);
  for (PolicyData& one : std::vector<PolicyData>{usa(known, banner), nato(banner), joint(known, banner),
                                                 nato_native("Releasable to"), nato_native("REL TO"),
                                                 british("UK"), british(""), german()})
    add(std::move(one), false);
  for (PolicyData& one : nations(known, banner)) add(std::move(one), false);
  add(usa(register_of(portion), portion), true);
  add(nato(portion), true);
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

TEST_CASE("lines that the forty leave out: RSEN, and any nation's own") {
  const auto known = all_grammars();
  const Instant now = parse_rfc3339("2026-11-22T00:00:00Z").value();
  for (const auto& [text, readers] : {std::pair{"SECRET//RSEN", 1},
                                      {"SECRET//NOFORN/RSEN", 1},
                                      {"SECRET//DEA SENSITIVE/RSEN", 1},
                                      {"(S//RS)", 1},
                                      {"//FRA SECRET", 1},
                                      {"//NZL TOP SECRET", 1},
                                      {"//XYZ SECRET", 0},
                                      {"//FRA UNCLASSIFIED", 0}}) {
    INFO(text);
    CHECK(std::ranges::count_if(
              known, [&](const MarkingGrammar& one) { return one.parse(text, now).has_value(); }) == readers);
  }
}

TEST_CASE("the fortieth: a banner that is lower than its portions, or names whom they don't") {
  const Register known = register_of({false});
  const LabelPolicy policy = LabelPolicy::from_data(usa(known, {false})).value();
  const MarkingGrammar grammar(policy, {false, ""});
  const Instant now = parse_rfc3339("2026-11-22T00:00:00Z").value();
  const auto covers = [&](const std::string& banner, const std::vector<std::string>& portions) {
    std::vector<Label> parts;
    for (const std::string& line : portions) parts.push_back(grammar.parse(line, now).value());
    return shortfalls(policy, grammar.parse(banner, now).value(), parts, now).value().empty();
  };
  CHECK_FALSE(covers("UNCLASSIFIED", {"SECRET//NOFORN"}));
  CHECK_FALSE(covers("SECRET//REL TO USA, GBR", {"SECRET//REL TO USA, CAN"}));
  CHECK_FALSE(covers("SECRET//REL TO USA, GBR", {"UNCLASSIFIED", "SECRET//NOFORN"}));
  CHECK_FALSE(covers("SECRET", {"SECRET//NOFORN"}));
  CHECK(covers("SECRET//NOFORN", {"UNCLASSIFIED", "SECRET//NOFORN", "SECRET"}));
  CHECK(covers("SECRET//REL TO USA, GBR", {"UNCLASSIFIED", "SECRET//REL TO USA, AUS, CAN, GBR, NZL"}));
}
