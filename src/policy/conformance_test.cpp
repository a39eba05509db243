// Cedar's handwritten integration tests: decision, reasons and errors of each request, and that the policies
// validate.
#include "policy/decide.h"

#include <algorithm>
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

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

Json read_json(const fs::path& path) {
  auto json = Json::parse(read(path), {.bytes_max = 16 << 20, .depth_max = 64});
  if (!json) FAIL(path.string() << ": " << json.error().text());
  return *std::move(json);
}

fs::path suite() {
  const char* given = std::getenv("ENTENTE_CONFORMANCE");
  return fs::path(given != nullptr ? given : "../shared/conformance") / "cedar" / "handwritten";
}

struct Count {
  size_t passed = 0;
  size_t failed = 0;
  std::map<std::string, size_t> skipped;
};

EntityUid uid(const Json& json) {
  return {std::string(json.text_or("type", "")), std::string(json.text_or("id", ""))};
}

std::vector<std::string> texts(const Json* json) {
  std::vector<std::string> out;
  if (json != nullptr)
    for (const Json& item : json->items()) out.push_back(item.string());
  std::sort(out.begin(), out.end());
  return out;
}

// The tests name policies by their order in the file.
std::string name_of(PolicyIndex index) {
  return "policy" + std::to_string(static_cast<uint32_t>(index));
}

struct Expected {
  bool permitted = false;
  std::vector<std::string> reasons;
  std::vector<std::string> errors;
  bool operator==(const Expected&) const = default;
};

Expected found(const Answer& answer) {
  Expected out{answer.permitted(), {}, {}};
  for (const PolicyIndex reason : answer.reasons) out.reasons.push_back(name_of(reason));
  for (const PolicyError& error : answer.errors)
    out.errors.push_back(error.policy ? name_of(*error.policy) : "request");
  std::sort(out.reasons.begin(), out.reasons.end());
  std::sort(out.errors.begin(), out.errors.end());
  return out;
}

Entities load_entities(const Schema& schema, const Json& json) {
  EntityChanges all;
  for (const Json& item : json.items()) {
    if (schema.has_action(uid(*item.find("uid")))) continue;  // the schema's own
    auto entity = schema.read_entity(item);
    if (!entity) FAIL(entity.error().text());
    all.put.push_back(*std::move(entity));
  }
  auto out = Entities(schema).with(all);
  if (!out) FAIL(out.error().text());
  return *std::move(out);
}

void run_request(const PolicySet& policies, const Schema& schema, const Entities& entities, const Json& json,
                 Count& count) {
  Request request{uid(*json.find("principal")), uid(*json.find("action")), uid(*json.find("resource")), {}};
  auto context = schema.read_context(request.action, *json.find("context"));
  if (context && json.find("validateRequest") == nullptr) request.context = *std::move(context);
  if (!context) {
    auto plain = value_from_json(*json.find("context"));
    REQUIRE(plain.has_value());
    request.context = plain->record();
  }
  const Expected wanted{json.text_or("decision", "") == "allow", texts(json.find("reason")),
                        texts(json.find("errors"))};
  const Answer answer =
      decide(policies, entities, {}, request, {.forbid_error_denies = false, .every_error = true});
  CAPTURE(json.text_or("description", ""));
  CHECK(found(answer).permitted == wanted.permitted);
  CHECK(found(answer).reasons == wanted.reasons);
  CHECK(found(answer).errors == wanted.errors);
  ++(found(answer) == wanted ? count.passed : count.failed);
}

void run_test(const fs::path& root, const fs::path& file, Count& count) {
  CAPTURE(file.string());
  const Json test = read_json(file);
  const auto schema = Schema::parse(read(root / test.find("schema")->string()), "schema");
  if (!schema) FAIL(schema.error().text());
  const PolicySource source{"policy", read(root / test.find("policies")->string())};
  const auto policies = PolicySet::unchecked(std::span(&source, 1));
  if (!policies && policies.error().what.find("templates") != std::string::npos) {
    count.skipped["templates"] += test.find("requests")->items().size();
    return;
  }
  if (!policies) FAIL(policies.error().text());
  const auto checked = PolicySet::load(*schema, std::span(&source, 1));
  if (!checked) CAPTURE(checked.error().text());
  CHECK(checked.has_value() == test.find("shouldValidate")->boolean());
  const Entities entities = load_entities(*schema, read_json(root / test.find("entities")->string()));
  for (const Json& request : test.find("requests")->items()) {
    run_request(*policies, *schema, entities, request, count);
    if (checked) run_request(*checked, *schema, entities, request, count);
  }
}

}  // namespace

TEST_CASE("Cedar's handwritten integration tests") {
  const fs::path root = suite();
  if (!fs::exists(root / "tests")) {
    MESSAGE("skipped: there is no " << root.string() << "; set ENTENTE_CONFORMANCE");
    return;
  }
  Count count;
  for (const auto& entry : fs::recursive_directory_iterator(root / "tests"))
    if (entry.path().extension() == ".json") run_test(root, entry.path(), count);
  MESSAGE("cedar handwritten: " << count.passed << " passed, " << count.failed << " failed");
  for (const auto& [reason, number] : count.skipped)
    MESSAGE("cedar handwritten: " << number << " skipped: " << reason);
  CHECK(count.failed == 0);
  CHECK(count.passed > 0);
}
