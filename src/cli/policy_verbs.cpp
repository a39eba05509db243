// The verbs of policy authors: check, lay out, convert. They need no running node.
#include "base/file.h"
#include "cli/policy_files.h"
#include "cli/verbs.h"
#include "label/predicate.h"
#include "policy/format.h"
#include "policy/validate.h"

#include <iostream>
#include <iterator>

#include <fmt/format.h>

namespace entente::cli {
namespace {

constexpr std::string_view kNothingValidated =
    "Nothing was validated: the first file is no schema. Only the language was checked, not names and types.";

struct Checked {
  std::vector<policy::Finding> errors;
  std::vector<policy::Finding> warnings;
  size_t policies = 0;
};

Result<policy::ValidationOptions> validation_options(const Arguments& arguments) {
  policy::ValidationOptions options;
  if (arguments.options.contains("permissive")) options.how = policy::Validating::permissive;
  if (arguments.option("level")) {
    TRY(const int64_t level, arguments.number("level", std::numeric_limits<uint32_t>::max()));
    options.level = static_cast<uint32_t>(level);
  }
  return options;
}

void check_file(const policy::Schema* schema, const policy::PolicySource& source,
                const policy::ValidationOptions& options, Checked& out) {
  const auto document =
      policy::PolicyDocument::read(source, policy::PolicyDocument::Names::annotated, label_natives());
  if (!document) {
    out.errors.push_back({{}, document.error()});
    return;
  }
  out.policies += document->policies().size() + document->templates().size() + document->links().size();
  policy::Validation found;
  if (schema == nullptr) {
    found.warnings = policy::confusing_text(*document);
  } else {
    found = policy::validate(*document, *schema, options, label_natives());
  }
  std::move(found.errors.begin(), found.errors.end(), std::back_inserter(out.errors));
  std::move(found.warnings.begin(), found.warnings.end(), std::back_inserter(out.warnings));
}

Checked check_files(const policy::Schema* schema, std::span<const policy::PolicySource> sources,
                    const policy::ValidationOptions& options) {
  Checked out;
  for (const policy::PolicySource& source : sources) check_file(schema, source, options, out);
  if (!out.errors.empty() || options.how != policy::Validating::strict) return out;
  // What only shows when the files meet: names that stand twice.
  auto faults = schema == nullptr ? policy::PolicySet::check(sources, label_natives())
                                  : policy::PolicySet::check(*schema, sources, label_natives());
  for (Error& fault : faults) out.errors.push_back({{}, std::move(fault)});
  return out;
}

Json findings_json(const std::vector<policy::Finding>& findings) {
  Json out = Json::array();
  for (const policy::Finding& one : findings) {
    Json json = error_json(one.error);
    json.set("policy", one.policy);
    out.push(std::move(json));
  }
  return out;
}

void show(const std::vector<policy::Finding>& findings, std::string_view kind) {
  for (const policy::Finding& one : findings) {
    const Error& error = one.error;
    fmt::print(stderr, "{}: {}: {}\n", error.where(), kind, error.what());
    if (!error.hint().empty()) fmt::print(stderr, "  help: {}\n", error.hint());
  }
}

bool is_schema(const std::string& path, const std::string& text) {
  if (path.find(".cedarschema") != std::string::npos) return true;
  if (path.ends_with(".cedar")) return false;
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && (text[first] == '{' || text[first] == '[')) {
    return text.find("\"entityTypes\"") != std::string::npos;
  }
  return policy::Schema::parse(text, path).has_value();
}

// The schema, when the first file is one; it is taken out of the list. Without one only the language is
// checked.
Result<std::optional<policy::Schema>> take_schema(std::vector<policy::PolicySource>& files,
                                                  const Arguments& arguments) {
  if (is_schema(files[0].file, files[0].text)) {
    TRY(policy::Schema schema, policy::Schema::read(files[0].text, files[0].file));
    files.erase(files.begin());
    return schema;
  }
  for (const char* option : {"level", "permissive"})
    if (arguments.options.contains(option))
      return fail("cli.usage", fmt::format("--{} needs a schema, and {} is none", option, files[0].file), {},
                  "name the schema first");
  return std::nullopt;
}

Result<std::string> converted_schema(const std::string& path, const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && text[first] == '{') return policy::schema_to_text(text, path);
  TRY(const Json json, policy::schema_to_json(text, path));
  return json.pretty() + "\n";
}

Result<std::string> converted_policies(const std::string& path, const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  const bool is_json = first != std::string::npos && (text[first] == '{' || text[first] == '[');
  TRY(const policy::PolicyDocument document,
      policy::PolicyDocument::read({path, text}, policy::PolicyDocument::Names::annotated_or_numbered));
  if (is_json) {
    if (!document.links().empty())
      return fail("policy.link", "links have no text", path, "keep the JSON, or write the policies out");
    return policy::format_policies(document.text(), path);
  }
  TRY(const Json json, document.json());
  return json.pretty() + "\n";
}

}  // namespace

Json error_json(const Error& error) {
  return Json::object(
      {{"code", error.code()}, {"what", error.what()}, {"where", error.where()}, {"hint", error.hint()}});
}

Result<std::string> read_policy_file(const std::string& path) {
  if (path != "-") return read_file(path, kPolicyFileMax);
  return std::string(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
}

Result<policy::Schema> read_schema_file(const std::string& path) {
  TRY(const std::string text, read_policy_file(path));
  return policy::Schema::read(text, path);
}

const policy::NativePredicates& label_natives() {
  static const policy::NativePredicates known = [] {
    policy::NativePredicates out;
    ENTENTE_CHECK(out.add(label::dominates_predicate(std::make_shared<const label::LabelPolicies>())));
    return out;
  }();
  return known;
}

int policy_check(const Arguments& arguments) {
  const auto options = validation_options(arguments);
  if (!options) return report(options.error(), arguments.json());
  std::vector<policy::PolicySource> sources;
  for (const std::string& path : arguments.words) {
    auto text = read_policy_file(path);
    if (!text) return report(text.error(), arguments.json());
    sources.push_back({path, *std::move(text)});
  }
  const auto schema = take_schema(sources, arguments);
  if (!schema) return report(schema.error(), arguments.json());
  const Checked checked = check_files(*schema ? &**schema : nullptr, sources, *options);
  if (arguments.json()) {
    print_json(Json::object({{"policies", static_cast<int64_t>(checked.policies)},
                             {"validated", schema->has_value()},
                             {"errors", findings_json(checked.errors)},
                             {"warnings", findings_json(checked.warnings)}}));
  } else {
    show(checked.errors, "error");
    show(checked.warnings, "warning");
    fmt::print("{} policies in {} files: {} errors, {} warnings\n", checked.policies, sources.size(),
               checked.errors.size(), checked.warnings.size());
    if (!*schema) fmt::print("{}\n", kNothingValidated);
  }
  return checked.errors.empty() ? kExitOk : kExitRefused;
}

int policy_fmt(const Arguments& arguments) {
  const bool check = arguments.options.contains("check");
  int exit = kExitOk;
  for (const std::string& path : arguments.words) {
    const auto text = read_policy_file(path);
    if (!text) return report(text.error(), arguments.json());
    const auto laid_out = policy::format_policies(*text, path);
    if (!laid_out) {
      exit = report(laid_out.error(), arguments.json());
    } else if (check) {
      if (*laid_out == *text) continue;
      fmt::print("{} is not laid out\n", path);
      exit = kExitRefused;
    } else if (path == "-") {
      fmt::print("{}", *laid_out);
    } else if (*laid_out != *text) {
      if (const auto written = write_file(path, *laid_out); !written)
        return report(written.error(), arguments.json());
    }
  }
  return exit;
}

int policy_convert(const Arguments& arguments) {
  const std::string& path = arguments.words[0];
  const auto text = read_policy_file(path);
  if (!text) return report(text.error(), arguments.json());
  const auto out = is_schema(path, *text) ? converted_schema(path, *text) : converted_policies(path, *text);
  if (!out) return report(out.error(), arguments.json());
  fmt::print("{}", *out);
  return kExitOk;
}

}  // namespace entente::cli
