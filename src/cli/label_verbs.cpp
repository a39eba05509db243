// The verbs of those who write labels, label policies and crosswalks: they need no running node.
#include "base/file.h"
#include "cli/verbs.h"
#include "label/dominance.h"
#include "label/label_json.h"
#include "label/label_xml.h"
#include "label/marking.h"
#include "label/prover.h"
#include "label/roll_up.h"

#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>

#include <fmt/format.h>

namespace entente::cli {
namespace {

using label::Label;
using label::LabelPolicy;

Result<std::string> read_label_file(const std::string& path) {
  if (path != "-") return read_file(path, label::kSpifBytesMax);
  std::string out;
  out.resize(label::kLabelBytesMax + 1);
  std::cin.read(out.data(), static_cast<std::streamsize>(out.size()));
  out.resize(static_cast<size_t>(std::cin.gcount()));
  return out;
}

Result<LabelPolicy> read_label_policy(const std::string& path) {
  TRY(const std::string text, read_file(path, label::kSpifBytesMax));
  auto read = LabelPolicy::from_spif(text);
  if (!read) {
    Error error = read.error();
    error.where() = error.where().empty() ? path : path + ": " + error.where();
    return std::unexpected(std::move(error));
  }
  return read;
}

label::MarkingStyle style_of(const Arguments& arguments) {
  return {arguments.options.contains("portion"), arguments.option("language").value_or("")};
}

// A label as XML, as JSON of either form, or as a marking line.
Result<Label> read_any_label(const Arguments& arguments, const LabelPolicy& policy, const std::string& text) {
  const Instant now = system_clock().now();
  if (label::may_be_label_text(text)) {
    TRY(Label read, label::read_label_text(text));
    return policy.check(std::move(read), label::Use::read, now);
  }
  return label::MarkingGrammar(policy, style_of(arguments)).parse(text, now);
}

struct Given {
  LabelPolicy policy;
  Label label;
};

Result<Given> read_given(const Arguments& arguments, const std::string& file) {
  TRY(const std::string spif, arguments.need("policy"));
  TRY(LabelPolicy policy, read_label_policy(spif));
  TRY(const std::string text, read_label_file(file));
  TRY(Label read, read_any_label(arguments, policy, text));
  return Given{std::move(policy), std::move(read)};
}

Result<label::Dominance> compare(const Arguments& arguments) {
  TRY(const Given given, read_given(arguments, arguments.words[1]));
  TRY(const std::string text, read_label_file(arguments.words[0]));
  TRY(const Json json, Json::parse(text));
  TRY(label::Clearance clearance, label::clearance_from_json(json));
  TRY(clearance, label::spelled(given.policy, std::move(clearance)));
  return label::dominates(given.policy, clearance, given.label, system_clock().now());
}

// Of a document's portions, with where each stands.
struct Portions {
  std::vector<Label> labels;
  std::vector<std::string> places;
};
constexpr size_t kPortionsMax = 100'000;

Result<void> read_portions(const LabelPolicy& policy, const label::MarkingGrammar& marks,
                           const std::string& file, Portions& out) {
  const Instant now = system_clock().now();
  TRY(const std::string text, read_label_file(file));
  if (label::may_be_label_text(text)) {
    TRY(Label one, label::read_label_text(text));
    TRY(one, policy.check(std::move(one), label::Use::read, now));
    out.labels.push_back(std::move(one));
    out.places.push_back(file);
    return {};
  }
  std::istringstream lines(text);
  std::string line;
  for (size_t number = 1; std::getline(lines, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string place = fmt::format("{}:{}", file, number);
    auto read = marks.parse(line, now);
    if (!read) {
      read.error().where() = read.error().where().empty() ? place : place + ": " + read.error().where();
      return Failure(read.error());
    }
    if (out.labels.size() == kPortionsMax)
      return fail("cli.usage", fmt::format("there are more than {} portions", kPortionsMax), place);
    out.labels.push_back(*std::move(read));
    out.places.push_back(place);
  }
  return {};
}

struct RolledUp {
  Portions portions;
  std::vector<label::Shortfall> short_of;
};

Result<RolledUp> roll_up(const Arguments& arguments) {
  TRY(const Given banner, read_given(arguments, arguments.words[0]));
  const label::MarkingGrammar marks(banner.policy, {true, arguments.option("language").value_or("")});
  RolledUp out;
  for (size_t i = 1; i < arguments.words.size(); ++i)
    TRY_VOID(read_portions(banner.policy, marks, arguments.words[i], out.portions));
  if (out.portions.labels.empty())
    return fail("cli.usage", "there are no portions", arguments.words[1], "one mark each line, or a label");
  TRY(out.short_of,
      label::shortfalls(banner.policy, banner.label, out.portions.labels, system_clock().now()));
  return out;
}

struct Proved {
  label::Proof proof;
  size_t mappings = 0;
};

Result<Proved> prove(const Arguments& arguments) {
  label::LabelPolicies policies;
  for (size_t i = 1; i < arguments.words.size(); ++i) {
    TRY(LabelPolicy policy, read_label_policy(arguments.words[i]));
    TRY_VOID(policies.add(std::make_shared<const LabelPolicy>(std::move(policy))));
  }
  TRY(const std::string text, read_label_file(arguments.words[0]));
  TRY(const Json json, Json::parse(text, {label::kSpifBytesMax, 16}));
  if (!json.is_array() || json.items().size() > label::kMappingsMax)
    return fail("label.mapping", "this file is no list of mappings", arguments.words[0],
                "docs/wire-formats/label.md");
  std::vector<label::Mapping> mappings;
  for (const Json& one : json.items()) {
    TRY(label::Mapping mapping, label::mapping_from_json(one));
    const LabelPolicy* from = policies.find(mapping.from);
    const LabelPolicy* to = policies.find(mapping.to);
    if (from == nullptr || to == nullptr)
      return fail("label.policy",
                  fmt::format("the policy {} is not known here", from ? mapping.to : mapping.from),
                  arguments.words[0], "give its SPIF too");
    TRY(mapping, label::checked(std::move(mapping), *from, *to));
    mappings.push_back(std::move(mapping));
  }
  TRY(label::Proof proof, label::prove(policies, mappings, system_clock().now()));
  return Proved{std::move(proof), mappings.size()};
}

}  // namespace

int label_parse(const Arguments& arguments) {
  const auto given = read_given(arguments, arguments.words[0]);
  if (!given) return report(given.error(), arguments.json());
  print_json(label::to_json(given->label));
  return kExitOk;
}

int label_print(const Arguments& arguments) {
  const auto given = read_given(arguments, arguments.words[0]);
  if (!given) return report(given.error(), arguments.json());
  const auto line =
      label::MarkingGrammar(given->policy, style_of(arguments)).print(given->label, system_clock().now());
  if (!line) return report(line.error(), arguments.json());
  if (arguments.json()) {
    print_json(Json::object({{"marking", *line}}));
  } else {
    fmt::print("{}\n", *line);
  }
  return kExitOk;
}

int label_compare(const Arguments& arguments) {
  const auto said = compare(arguments);
  if (!said) return report(said.error(), arguments.json());
  if (arguments.json()) {
    print_json(Json::object({{"covered", said->holds}, {"rule", said->rule}, {"why", said->why}}));
  } else {
    fmt::print("{}: {}\n", said->holds ? "covered" : "not covered", said->why);
  }
  return said->holds ? kExitOk : kExitRefused;
}

int label_roll_up(const Arguments& arguments) {
  const auto rolled = roll_up(arguments);
  if (!rolled) return report(rolled.error(), arguments.json());
  const auto place = [&](const label::Shortfall& one) { return rolled->portions.places[one.part]; };
  if (arguments.json()) {
    Json rows = Json::array();
    for (const label::Shortfall& one : rolled->short_of)
      rows.push(Json::object({{"portion", place(one)}, {"why", one.why}}));
    print_json(Json::object({{"covers", rolled->short_of.empty()},
                             {"portions", static_cast<int64_t>(rolled->portions.labels.size())},
                             {"short", std::move(rows)}}));
  } else if (rolled->short_of.empty()) {
    fmt::print("the banner covers all {} portions\n", rolled->portions.labels.size());
  } else {
    for (const label::Shortfall& one : rolled->short_of)
      fmt::print("{}: the banner is lower than this portion: {}\n", printable(place(one)),
                 printable(one.why));
  }
  return rolled->short_of.empty() ? kExitOk : kExitRefused;
}

int label_prove(const Arguments& arguments) {
  const auto proved = prove(arguments);
  if (!proved) return report(proved.error(), arguments.json());
  const auto& chain = proved->proof.chain;
  if (arguments.json()) {
    Json out = Json::object({{"proved", !chain.has_value()},
                             {"mappings", static_cast<int64_t>(proved->mappings)},
                             {"states", static_cast<int64_t>(proved->proof.states)}});
    if (chain) out.set("chain", chain->text());
    print_json(out);
  } else if (chain) {
    fmt::print("{}\n", chain->text());
  } else {
    fmt::print("proved: no chain of these {} mappings raises or widens a label ({} states)\n",
               proved->mappings, proved->proof.states);
  }
  return chain ? kExitUntrue : kExitOk;
}

}  // namespace entente::cli
