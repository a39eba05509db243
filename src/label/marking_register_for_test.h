// The grammar of a public national register as label policies, for banners and for portions. What no grammar
// knows (compartments, programmes, nicknames) is learnt from the lines that are to be read.
#pragma once

#include "base/conformance_for_test.h"
#include "label/marking.h"

#include <algorithm>
#include <cstring>
#include <regex>
#include <stdexcept>

namespace entente::label {

using Words = std::vector<std::string>;
inline constexpr auto kPermissive = CategoryType::permissive;
inline constexpr auto kRestrictive = CategoryType::restrictive;
inline constexpr auto kInformative = CategoryType::informative;

inline Tag tag_of(CategoryType type, const Words& values, const std::string& prefix = "",
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

inline PolicyData base_of(const std::string& name, const std::string& prefix, const std::string& phrase,
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

inline void add_set(PolicyData& policy, const std::string& name, std::vector<Tag> tags,
                    const std::string& joiner = "//") {
  policy.tag_sets.push_back({name, policy.id + "." + name, std::move(tags), {}});
  policy.tag_sets.back().qualifiers.push_back({Qualifier::Part::separator, joiner, "", false});
}

inline TagValue& value(PolicyData& policy, const std::string& set, const std::string& name) {
  for (TagSet& one : policy.tag_sets)
    if (one.name == set)
      for (Tag& tag : one.tags)
        for (TagValue& found : tag.values)
          if (found.name == name) return found;
  throw std::runtime_error("no value " + name);
}

inline CategoryRef any(const std::string& set, CategoryType type) {
  return {set, type, ""};
}

// How a national register spells in banners and in portions.
struct Form {
  bool portion = false;

  [[nodiscard]] std::string operator()(const std::string& banner, const std::string& in_portion) const {
    return portion ? in_portion : banner;
  }
  [[nodiscard]] Words classes(bool restricted) const {
    Words out;
    if (!restricted) out.push_back((*this)("UNCLASSIFIED", "U"));
    if (restricted) out.push_back((*this)("RESTRICTED", "R"));
    out.push_back((*this)("CONFIDENTIAL", "C"));
    out.push_back((*this)("SECRET", "S"));
    out.push_back((*this)("TOP SECRET", "TS"));
    return out;
  }
};

// The register's open lists: no grammar knows them, so they are those of the lines that are to be read.
struct Register {
  Words compartments;
  Words programmes;
  Words nicknames;
  Words atomic;
  Words countries;  // without USA

  // New words come where their neighbours in a line say: a list has one order.
  static void add(Words& to, const Words& line) {
    for (size_t i = 0; i < line.size(); ++i) {
      if (std::ranges::find(to, line[i]) != to.end()) continue;
      auto at = to.end();
      if (i > 0) {
        at = std::next(std::ranges::find(to, line[i - 1]));
      } else {
        for (size_t j = 1; j < line.size() && at == to.end(); ++j) at = std::ranges::find(to, line[j]);
      }
      to.insert(at, line[i]);
    }
  }
};

inline Words split(const std::string& text, const std::string& separator) {
  Words out;
  size_t at = 0;
  for (size_t end = text.find(separator); end != std::string::npos; end = text.find(separator, at)) {
    out.push_back(text.substr(at, end - at));
    at = end + separator.size();
  }
  out.push_back(text.substr(at));
  return out;
}

inline bool begins(const std::string& text, std::initializer_list<std::string_view> with) {
  return std::ranges::any_of(with, [&](std::string_view one) { return text.starts_with(one); });
}

inline void learn(Register& known, const std::string& line) {
  Words parts = split(line, "//");
  for (size_t i = 1; i < parts.size() && !line.starts_with("//"); ++i) {
    const std::string& part = parts[i];
    for (const char* prefix : {"SAR-", "SPECIAL ACCESS REQUIRED-"})
      if (part.starts_with(prefix))
        Register::add(known.programmes, split(part.substr(std::strlen(prefix)), "/"));
    if (const size_t at = part.find("ACCM-"); at != std::string::npos) {
      Words names = split(part.substr(at + 5), "/");
      std::erase_if(names, [](const std::string& name) { return begins(name, {"LIM", "DS", "SBU"}); });
      Register::add(known.nicknames, names);
    }
    if (begins(part, {"RD", "FRD", "RESTRICTED DATA", "FORMERLY RESTRICTED DATA"}))
      Register::add(known.atomic, {part});
    const bool control = !begins(part, {"REL TO", "DISPLAY ONLY", "FGI",    "SAR-",       "SPECIAL ACCESS",
                                        "ACCM-",  "RD",           "FRD",    "RESTRICTED", "FORMERLY",
                                        "DOD ",   "DOE ",         "WAIVED", "HVSACO",     "LIM",
                                        "DS",     "DEA ",         "NOFORN", "ORCON",      "IMCON",
                                        "RELIDO", "PROPIN",       "FISA",   "FOUO",       "EXDIS",
                                        "NODIS",  "SBU",          "NF",     "OC",         "IMC",
                                        "PR",     "XD",           "ND",     "DCNI",       "UCNI"});
    if (i == 1 && control && !part.empty()) Register::add(known.compartments, split(part, "/"));
  }
}

// The codes of the public IC-ISM lists, where they lie; otherwise those that the lines need.
inline Words countries() {
  Words out{"AFG", "AUS", "CAN", "DEU", "FRA", "GBR", "NZL", "FVEY", "NATO"};
  const std::string text = conformance_text(conformance("data/ism/CVEnumISMRelTo.xml"));
  static const std::regex code("<Value[^>]*>([A-Z]{3,4})</Value>");
  for (auto at = std::sregex_iterator(text.begin(), text.end(), code); at != std::sregex_iterator(); ++at)
    if ((*at)[1] != "USA" && std::ranges::find(out, (*at)[1].str()) == out.end()) out.push_back((*at)[1]);
  std::ranges::sort(out, [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;  // trigraphs, then tetragraphs
  });
  return out;
}

inline void add_dissemination(PolicyData& out, const Register& known, const Form& form) {
  Words rel{"USA"};
  rel.insert(rel.end(), known.countries.begin(), known.countries.end());
  add_set(out, "FGI", {tag_of(kInformative, known.countries, "FGI ", " "), tag_of(kInformative, {"FGI"})});
  add_set(out, "Dissemination",
          {tag_of(kRestrictive, {"FOUO", form("ORCON", "OC"), form("IMCON", "IMC"), form("NOFORN", "NF"),
                                 form("PROPIN", "PR"), "RELIDO", "FISA"}),
           tag_of(kPermissive, rel, "REL TO ", ", "),
           tag_of(kInformative, known.countries, "DISPLAY ONLY ", ", "),
           tag_of(kRestrictive, {form("DEA SENSITIVE", "DSEN"), form("RSEN", "RS")})},
          "/");
  add_set(out, "Other",
          {tag_of(kRestrictive, form.portion ? Words{"DS"} : Words{"LIMDIS", "LIMITED DISTRIBUTION"}),
           tag_of(kRestrictive, known.nicknames, "ACCM-"),
           tag_of(kRestrictive, {form("SBU NOFORN", "SBU-NF"), form("EXDIS", "XD"), form("NODIS", "ND")})},
          "/");
}

inline void add_rules(PolicyData& out, const Register& known, const Form& form) {
  const CategoryRef rel_to = any("Dissemination", kPermissive);
  const CategoryRef display = any("Dissemination", kInformative);
  const CategoryRef noforn{"Dissemination", kRestrictive, form("NOFORN", "NF")};
  const CategoryRef relido{"Dissemination", kRestrictive, "RELIDO"};
  const std::string unclassified = form("UNCLASSIFIED", "U");
  using Operation = Requirement::Operation;
  for (const std::string& name : known.compartments) {
    value(out, "SCI", name)
        .required.push_back({Operation::one_or_more, {any("Dissemination", kRestrictive), rel_to, display}});
    if (begins(name, {"HCS", "KLONDIKE"}))
      value(out, "SCI", name).required.push_back({Operation::all, {noforn}});
  }
  value(out, "Access", "WAIVED")
      .required.push_back(
          {Operation::one_or_more, {any("SAR", kRestrictive), any("SAR long", kRestrictive)}});
  for (const std::string& name : known.atomic)
    value(out, "AEA", name).excluded_classes.push_back(unclassified);
  for (const std::string& name :
       {form("ORCON", "OC"), form("IMCON", "IMC"), form("PROPIN", "PR"), std::string("RELIDO"), noforn.value})
    value(out, "Dissemination", name).excluded_classes.push_back(unclassified);
  value(out, "Dissemination", "FOUO").excluded_classes = {form("CONFIDENTIAL", "C"), form("SECRET", "S"),
                                                          form("TOP SECRET", "TS")};
  TagValue& imcon = value(out, "Dissemination", form("IMCON", "IMC"));
  imcon.excluded_classes.push_back(form("CONFIDENTIAL", "C"));
  imcon.required.push_back({Operation::one_or_more, {noforn, relido, rel_to}});
  value(out, "Dissemination", noforn.value).excluded = {rel_to, display, relido};
  value(out, "Dissemination", "RELIDO").excluded = {display};
  Requirement others{Operation::one_or_more, {}};
  for (const std::string& name : known.countries) others.of.push_back({"Dissemination", kPermissive, name});
  value(out, "Dissemination", "USA").required.push_back(others);
  const CategoryRef exdis{"Other", kRestrictive, form("EXDIS", "XD")};
  value(out, "Other", form("NODIS", "ND")).excluded = {exdis, rel_to};
  value(out, "Other", exdis.value).excluded = {rel_to};
}

inline PolicyData usa(const Register& known, const Form& form) {
  PolicyData out = base_of("USA", "", "", "//", form.classes(false));
  add_set(out, "SCI", {tag_of(kRestrictive, known.compartments)});
  add_set(out, "SAR", {tag_of(kRestrictive, known.programmes, "SAR-")});
  add_set(out, "SAR long", {tag_of(kRestrictive, known.programmes, "SPECIAL ACCESS REQUIRED-")});
  for (TagSet& set : out.tag_sets)
    if (set.name != "SCI") set.tags[0].selection_max = 4;
  add_set(out, "Access", {tag_of(kRestrictive, {"WAIVED", "HVSACO"})});
  Words atomic = known.atomic;
  atomic.push_back(form("DOD UNCLASSIFIED CONTROLLED NUCLEAR INFORMATION", "DCNI"));
  atomic.push_back(form("DOE UNCLASSIFIED CONTROLLED NUCLEAR INFORMATION", "UCNI"));
  add_set(out, "AEA", {tag_of(kRestrictive, atomic)});
  add_dissemination(out, known, form);
  add_rules(out, known, form);
  return out;
}

// Another nation's own line: "//DEU SECRET".
inline std::vector<PolicyData> nations(const Register& known, const Form& form) {
  std::vector<PolicyData> out;
  for (const std::string& name : known.countries)
    if (name.size() == 3) out.push_back(base_of(name, "//", name, "//", form.classes(true)));
  return out;
}

inline PolicyData nato(const Form& form) {
  const Words banner{"UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET", "TOP SECRET"};
  const Words portion{"NU", "NR", "NC", "NS", "CTS"};
  const Words& names = form.portion ? portion : banner;
  PolicyData out = base_of("NATO", "//", form("NATO", ""), "//", names);
  if (!form.portion) out.classifications.back().phrases.push_back({"COSMIC", "", kReplacePolicy});
  add_set(out, "Additional", {tag_of(kRestrictive, {"ATOMAL", "BOHEMIA", "BALK"})});
  value(out, "Additional", "ATOMAL").excluded_classes = {names[0], names[1]};
  value(out, "Additional", "BOHEMIA").required_class = names[4];
  value(out, "Additional", "BALK").required_class = names[4];
  return out;
}

inline PolicyData joint(const Register& known, const Form& form) {
  Words owners = known.countries;
  owners.push_back("USA");
  std::ranges::sort(owners, [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  PolicyData out = base_of("JOINT", "//", "JOINT", "", form.classes(true));
  add_set(out, "Owners", {tag_of(kInformative, owners, " ", " ")});
  add_set(out, "SCI", {tag_of(kRestrictive, {"TK"}, "//")});
  add_set(out, "Dissemination", {tag_of(kRestrictive, {"RELIDO"}, "//")});
  value(out, "Owners", "USA").excluded_classes = {form("RESTRICTED", "R")};
  for (Classification& one : out.classifications)
    one.required.push_back({Requirement::Operation::one_or_more, {any("Owners", kInformative)}});
  return out;
}

}  // namespace entente::label
