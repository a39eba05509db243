// Answers cases given as JSON lines with what our engine makes of them, as JSON lines: for comparing with
// another.
#include "policy/decide.h"
#include "policy/document.h"
#include "policy/format.h"
#include "policy/schema.h"
#include "policy/validate.h"

#include <iostream>
#include <set>
#include <string>

using namespace entente;
using namespace entente::policy;

namespace {

Json refusal(const Error& error) {
  return Json::object({{"ok", false}, {"what", error.text()}});
}

std::string text_of(const Json& json) {
  return json.is_string() ? json.string() : json.dump();
}

EntityUid uid_of(const Json& json) {
  return {std::string(json.text_or("type", "")), std::string(json.text_or("id", ""))};
}

Json schema_answer(const Json& given) {
  const std::string text = text_of(given);
  const auto schema = Schema::read(text, "schema");
  if (!schema) return refusal(schema.error());
  Json out = Json::object({{"ok", true}});
  auto json = given.is_string() ? schema_to_json(text, "schema") : Result<Json>(given);
  if (!json) return refusal(json.error());
  const auto again = schema_to_text(json->dump(), "schema");
  out.set("json", *std::move(json));
  if (again) out.set("text", *again);
  if (!again) out.set("text_fault", again.error().text());
  return out;
}

Json policies_answer(const PolicyDocument& document) {
  Json out = Json::object({{"ok", true}});
  const auto json = document.json();
  if (!json) return refusal(json.error());
  const auto again = PolicyDocument::parse_json({"again", json->dump()});
  if (!again) return refusal(again.error());
  out.set("same", *again->json() == *json && again->text() == document.text());
  out.set("json", *json);
  out.set("text", document.text());
  return out;
}

Json validation_answer(const PolicyDocument& document, const Schema& schema, Validating how) {
  const Validation found = validate(document, schema, {.how = how, .level = {}});
  const auto ids = [](const std::vector<Finding>& findings, bool impossible) {
    std::set<std::string> all;
    for (const Finding& one : findings)
      if (!impossible || one.error.code() == "policy.impossible") all.insert(one.policy);
    Json out = Json::array();
    for (const std::string& id : all) out.push(id);
    return out;
  };
  Json first = found.errors.empty() ? Json() : Json(found.errors[0].error.text());
  return Json::object(
      {{"errors", ids(found.errors, false)},
       {"impossible", ids(found.warnings, true)},
       {"confusable", static_cast<int64_t>(found.warnings.size() - ids(found.warnings, true).items().size())},
       {"first", std::move(first)}});
}

Result<Entities> entities_of(const Json& given, const Schema* schema) {
  EntityChanges all;
  if (schema != nullptr) {
    TRY(all.put, schema->read_entities(given));
    for (Entity& action : schema->action_entities()) all.put.push_back(std::move(action));
    return Entities::unchecked().with(all);
  }
  for (const Json& item : given.items()) {
    TRY(Entity one, entity_from_json(item));
    all.put.push_back(std::move(one));
  }
  return Entities::unchecked().with(all);
}

Result<Request> request_of(const Json& given, const Schema* schema) {
  Request out{
      uid_of(*given.find("principal")), uid_of(*given.find("action")), uid_of(*given.find("resource")), {}};
  if (schema != nullptr) {
    TRY(out.context, schema->read_context(out.action, *given.find("context")));
    TRY_VOID(schema->check(out));
  } else {
    TRY(const Value plain, value_from_json(*given.find("context")));
    out.context = plain.record();
  }
  return out;
}

Json authorized(const PolicySet& set, const Entities& entities, const Request& request) {
  const Answer answer =
      decide(set, entities, {}, request, {.forbid_error_denies = false, .every_error = true});
  std::set<std::string> reasons;
  std::set<std::string> errors;
  for (const PolicyIndex reason : answer.reasons) reasons.insert(set[reason].id);
  for (const PolicyError& error : answer.errors) errors.insert(error.policy ? set[*error.policy].id : "?");
  const auto list = [](const std::set<std::string>& all) {
    Json out = Json::array();
    for (const std::string& one : all) out.push(one);
    return out;
  };
  return Json::object({{"ok", true},
                       {"decision", answer.permitted() ? "allow" : "deny"},
                       {"reasons", list(reasons)},
                       {"errors", list(errors)}});
}

Json answers(const Json& given, const PolicyDocument& document, const Schema* schema, Json& out) {
  const auto plain = PolicySet::unchecked(document);
  if (!plain) return refusal(plain.error());
  const auto loaded = schema != nullptr ? PolicySet::load(*schema, document) : Result<PolicySet>(*plain);
  const auto entities = entities_of(*given.find("entities"), schema);
  out.set(schema != nullptr ? "entities" : "plain_entities",
          entities ? Json::object({{"ok", true}}) : refusal(entities.error()));
  Json all = Json::array();
  for (const Json& request_json : given.find("requests")->items()) {
    const auto request = request_of(request_json, schema);
    if (!request || !entities) {
      all.push(refusal(request ? entities.error() : request.error()));
      continue;
    }
    Json answer = authorized(*plain, *entities, *request);
    if (loaded && !(authorized(*loaded, *entities, *request) == answer)) answer.set("loaded_differs", true);
    all.push(std::move(answer));
  }
  return all;
}

Json run(const Json& given) {
  Json out = Json::object({{"id", *given.find("id")}});
  std::optional<Schema> schema;
  if (const Json* schema_json = given.find("schema")) {
    out.set("schema", schema_answer(*schema_json));
    if (auto read = Schema::read(text_of(*schema_json), "schema")) schema = *std::move(read);
  }
  const Json* policies = given.find("policies");
  if (policies == nullptr) return out;
  const auto document = policies->is_string() ? PolicyDocument::parse({"p", policies->string()},
                                                                      PolicyDocument::Names::numbered)
                                              : PolicyDocument::parse_json({"p", policies->dump()});
  out.set("policies", document ? policies_answer(*document) : refusal(document.error()));
  if (const Json* text = given.find("format")) {
    const auto laid_out = format_policies(text->string(), "f");
    out.set("formatted", laid_out ? Json(*laid_out) : refusal(laid_out.error()));
    if (laid_out) out.set("stable", *format_policies(*laid_out, "f") == *laid_out);
  }
  if (!document) return out;
  if (schema) {
    out.set("validation", validation_answer(*document, *schema, Validating::strict));
    out.set("permissive", validation_answer(*document, *schema, Validating::permissive));
    if (given.find("requests") != nullptr) out.set("answers", answers(given, *document, &*schema, out));
  }
  if (given.find("requests") != nullptr) out.set("plain_answers", answers(given, *document, nullptr, out));
  return out;
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  std::string line;
  while (std::getline(std::cin, line)) {
    const auto json = Json::parse(line, {.bytes_max = 16 << 20, .depth_max = 2000});
    std::cout << (json ? run(*json) : refusal(json.error())).dump() << std::endl;
  }
  return 0;
}
