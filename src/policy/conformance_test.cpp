// Cedar's handwritten integration tests, where they lie; and what the runner does with a collection.
#include "policy/conformance.h"

#include "base/conformance_for_test.h"

#include <map>
#include <tuple>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::policy;

namespace {

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

TEST_CASE("Cedar's handwritten integration tests" * doctest::test_suite("handwritten")) {
  ConformanceFiles all;
  size_t asking = 0;  // what has requests is a test, and is run
  const std::filesystem::path root = conformance("cedar/handwritten");
  for (const std::filesystem::path& file : conformance_files(root, ".json"))
    if (conformance_text(file).find("\"requests\"") != std::string::npos) ++asking;
  if (asking == 0) {
    MESSAGE("skipped: no test in " << root.string());
    return;
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
    if (entry.is_regular_file()) all.paths.push_back(entry.path().generic_string());
  all.read = [](const std::string& path) -> std::optional<std::string> {
    if (!std::filesystem::is_regular_file(path)) return std::nullopt;
    return conformance_text(path);
  };
  const ConformanceReport report = run_conformance(all);
  for (const ConformanceFailure& failure : report.failures) MESSAGE(failure.file << ": " << failure.what);
  MESSAGE("cedar handwritten: " << report.passed << " passed, " << report.failed << " failed");
  CHECK(report.failed == 0);
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

TEST_CASE(
    "a test that cannot be run has failed: broken JSON, no decision, no requests, a file that is gone") {
  const auto report = [](const char* from, const char* to) {
    Files files = sample();
    std::string& text = files.at("c/tests/deep/1.json");
    text.replace(text.find(from), std::string(from).size(), to);
    return run(files);
  };
  for (const auto& [from, to, failures] : {std::tuple{"\"errors\": []}", "\"errors\": [],,}", 1},
                                           {"\"decision\": \"allow\",", "", 1},
                                           {"\"allow\"", "\"perhaps\"", 1},
                                           {"\"allow\"", "null", 1},
                                           {"\"requests\": [", "\"request\": [", 1}}) {
    CAPTURE(to);
    const ConformanceReport found = report(from, to);
    CHECK(found.tests == 1);
    CHECK(found.failed == static_cast<size_t>(failures));
    CHECK(found.failures.size() == found.failed);
  }
  Files files = sample();
  files["c/tests/deep/2.json"] = "";
  files["c/tests/deep/3.json"] = R"({"policies": "tests/de)";
  files["c/tests/deep/other.json"] = "{ // of somebody else\n}";
  const ConformanceReport found = run(files);
  CHECK(found.tests == 3);
  CHECK(found.failed == 2);
}

TEST_CASE("collections of former years spell some fields otherwise") {
  Files files = sample();
  std::string& text = files.at("c/tests/deep/1.json");
  const auto change = [&](const char* from, const char* to) {
    text.replace(text.find(from), std::string(from).size(), to);
  };
  change("\"shouldValidate\"", "\"should_validate\"");
  change("\"requests\"", "\"queries\"");
  change("\"description\"", "\"desc\"");
  change("\"reason\"", "\"reasons\"");
  CHECK(run(files).failed == 0);
  // A request that its schema does not know is asked where it says so, and is refused otherwise.
  change("\"context\": {}", "\"context\": {\"x\": 1}, \"enable_request_validation\": false");
  CHECK(run(files).failed == 0);
  change("validation\": false", "validation\": true");
  const ConformanceReport refused = run(files);
  REQUIRE(refused.failures.size() == 1);
  CHECK(refused.failures[0].what.find("decision: 0 (may): the request is refused") == 0);
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
