// Cedar's handwritten integration tests, where they lie; and what the runner does with a collection.
#include "policy/conformance.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::policy;

namespace {

namespace fs = std::filesystem;

std::optional<std::string> read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in || !fs::is_regular_file(path)) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

fs::path suite() {
  const char* given = std::getenv("ENTENTE_CONFORMANCE");
  return fs::path(given != nullptr ? given : "../shared/conformance") / "cedar" / "handwritten";
}

using Files = std::map<std::string, std::string>;

ConformanceReport run(const Files& files) {
  ConformanceFiles all;
  for (const auto& [path, text] : files) all.paths.push_back(path);
  all.read = [&](const std::string& path) -> std::optional<std::string> {
    const auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  };
  return run_conformance(all);
}

Files sample() {
  return {
      {"c/tests/deep/1.json",
       R"({"policies": "tests/deep/p.cedar", "entities": "data/e.json", "schema": "data/s.cedarschema",
               "shouldValidate": true, "requests": [
               {"description": "may", "principal": {"type": "U", "id": "a"}, "action": {"type": "Action", "id": "v"},
                "resource": {"__entity": {"type": "U", "id": "a"}}, "context": {}, "decision": "allow",
                "reason": ["policy0"], "errors": []},
               {"description": "may not", "principal": "U::\"b\"", "action": {"type": "Action", "id": "v"},
                "resource": {"type": "U", "id": "a"}, "decision": "Deny", "determiningPolicies": [],
                "errors": [{"policyId": "policy1"}]}]})"},
      {"c/tests/deep/p.cedar",
       "permit (principal == U::\"a\", action, resource);"
       "forbid (principal, action, resource) when { principal.n + 9223372036854775807 == 1 };"},
      {"c/data/e.json", R"([{"uid": {"type": "U", "id": "a"}, "attrs": {"n": 0}, "parents": []},
                               {"uid": {"type": "U", "id": "b"}, "attrs": {"n": 1}, "parents": []}])"},
      {"c/data/s.cedarschema", "entity U = { n: Long }; action v appliesTo { principal: U, resource: U };"}};
}

}  // namespace

TEST_CASE("Cedar's handwritten integration tests") {
  const fs::path root = suite();
  if (!fs::exists(root / "tests")) {
    MESSAGE("skipped: there is no " << root.string() << "; set ENTENTE_CONFORMANCE");
    return;
  }
  ConformanceFiles all;
  size_t asking = 0;  // what has requests is a test, and is run
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    all.paths.push_back(entry.path().generic_string());
    if (entry.path().extension() != ".json") continue;
    if (read(all.paths.back()).value_or("").find("\"requests\"") != std::string::npos) ++asking;
  }
  all.read = [](const std::string& path) { return read(path); };
  const ConformanceReport report = run_conformance(all);
  for (const ConformanceFailure& failure : report.failures) MESSAGE(failure.file << ": " << failure.what);
  MESSAGE("cedar handwritten: " << report.passed << " passed, " << report.failed << " failed");
  CHECK(report.failed == 0);
  CHECK(asking > 0);
  CHECK(report.tests == asking);
}

TEST_CASE("a collection's files are found from its root, and both spellings of its fields are read") {
  const ConformanceReport report = run(sample());
  for (const ConformanceFailure& failure : report.failures) MESSAGE(failure.file << ": " << failure.what);
  CHECK(report.tests == 1);
  CHECK(report.failed == 0);
  CHECK(report.checks.at("decision") == 2);
}

TEST_CASE("what differs is said: a decision, a verdict, a missing file, an invalid request") {
  const auto failure = [](Files files) {
    const ConformanceReport report = run(files);
    return report.failures.empty() ? std::string() : report.failures[0].file + " " + report.failures[0].what;
  };
  const auto changed = [&](const char* file, const char* from, const char* to) {
    Files files = sample();
    std::string& text = files.at(file);
    text.replace(text.find(from), std::string(from).size(), to);
    return failure(std::move(files));
  };
  const char* test = "c/tests/deep/1.json";
  CHECK(changed(test, "allow", "deny").find("c/tests/deep/1.json decision: 0 (may): expected deny") == 0);
  CHECK(changed(test, "\"policy0\"", "\"policy9\"").find("expected allow by [policy9]") != std::string::npos);
  CHECK(changed(test, "\"policy1\"", "\"policy7\"").find("found deny by [] with errors of [policy1]") !=
        std::string::npos);
  CHECK(changed(test, "true", "false").find("expected that validation fails") != std::string::npos);
  CHECK(changed(test, "data/e.json", "data/f.json").find("there is no data/f.json") != std::string::npos);
  CHECK(changed(test, "\"context\": {}", "\"context\": {\"x\": 1}").find("the request is refused") !=
        std::string::npos);
  CHECK(changed("c/data/e.json", "\"n\": 0", "\"n\": \"0\"").find("entities: ") != std::string::npos);
  CHECK(changed("c/tests/deep/p.cedar", "permit", "pemit").find("policies: ") != std::string::npos);
}

TEST_CASE("schemas as JSON and validation verdicts beside a test are compared") {
  Files files = sample();
  files["c/data/s.cedarschema.json"] =
      R"({"": {"entityTypes": {"U": {"shape": {"type": "Record", "attributes":
           {"n": {"type": "EntityOrCommon", "name": "Long"}}}}}, "actions": {"v": {"appliesTo":
           {"principalTypes": ["U"], "resourceTypes": ["U"]}}}}})";
  files["c/tests/deep/1.validation.json"] =
      R"({"policyValidation": {"strict": true, "permissive": true,
           "perPolicy": {"policy0": {"strict": true, "permissive": true}}},
          "entityValidation": {"perEntity": {"U::a": {}, "U::b": {"errors": []}}},
          "requestValidation": [{"description": "may", "strict": true, "permissive": true},
                                {"description": "may not", "strict": null}]})";
  files["c/schemas-json-schemas/s.cedarschema.json"] = files["c/data/s.cedarschema.json"];
  files.erase("c/data/s.cedarschema.json");
  const ConformanceReport report = run(files);
  for (const ConformanceFailure& failure : report.failures) MESSAGE(failure.file << ": " << failure.what);
  CHECK(report.failed == 0);
  CHECK(report.checks.at("schema as JSON") == 1);
  CHECK(report.checks.at("policy permissive") == 1);
  CHECK(report.checks.at("entity") == 2);
  CHECK(report.checks.at("request") == 1);
  files["c/tests/deep/1.validation.json"] = R"({"policyValidation": {"strict": false},
    "entityValidation": {"perEntity": {"U::a": {"errors": ["no"]}}}, "requestValidation": [{"strict": false}]})";
  CHECK(run(files).failed == 3);
}
