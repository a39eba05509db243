#include "policy/conformance_test_case.h"

#include "policy/validate.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace entente::policy {
namespace {

constexpr Json::Limits kJsonLimits{.bytes_max = 64 << 20, .depth_max = 512};

const Json* first_of(const Json& json, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (const Json* found = json.find(name)) return found;
  return nullptr;
}

const Json* requests_of(const Json& test) {
  return first_of(test, {"requests", "queries"});
}

// {"type", "id"}, {"__entity": ...}, or as policies write it.
EntityUid uid_of(const Json* json) {
  if (json == nullptr) return {};
  if (json->is_string()) {
    auto uid = parse_uid(json->string());
    return uid ? *std::move(uid) : EntityUid{};
  }
  if (const Json* inner = json->find("__entity")) return uid_of(inner);
  return {std::string(json->text_or("type", "")), std::string(json->text_or("id", ""))};
}

// Policy ids: strings, or objects that name one.
std::set<std::string> ids_of(const Json* json) {
  std::set<std::string> out;
  if (json == nullptr || !json->is_array()) return out;
  for (const Json& item : json->items()) {
    const Json* named = first_of(item, {"policyId", "policy_id", "policy", "id"});
    if (item.is_string()) out.insert(item.string());
    if (named != nullptr && named->is_string()) out.insert(named->string());
  }
  return out;
}

bool is_true(const Json* json) {
  return json != nullptr && json->is_bool() && json->boolean();
}

// None: nothing that is a decision.
std::optional<bool> decision_of(const Json* json) {
  if (json == nullptr || !json->is_string()) return std::nullopt;
  const std::string& word = json->string();
  for (const char* allow : {"allow", "Allow", "ALLOW", "permit"})
    if (word == allow) return true;
  for (const char* deny : {"deny", "Deny", "DENY", "forbid"})
    if (word == deny) return false;
  return std::nullopt;
}

// Schemas say the same when they are equal as JSON, apart from what may be left out.
Json normal(const Json& json) {
  if (json.is_array()) {
    Json out = Json::array();
    for (const Json& item : json.items()) out.push(normal(item));
    std::sort(out.items().begin(), out.items().end(),
              [](const Json& a, const Json& b) { return a.canonical() < b.canonical(); });
    return out;
  }
  if (!json.is_object()) return json;
  Json out = Json::object();
  for (const auto& [name, value] : json.members()) {
    Json inner = normal(value);
    const bool empty_list = inner.is_array() && inner.items().empty();
    const bool nowhere = name == "appliesTo" && inner.is_object() &&
                         std::none_of(inner.members().begin(), inner.members().end(), [](const auto& member) {
                           return member.second.is_array() && !member.second.items().empty();
                         });
    const bool plain_record =
        (name == "shape" || name == "context") && inner.canonical() == R"({"attributes":{},"type":"Record"})";
    const bool empty =
        inner.is_object() && inner.members().empty() && (name == "annotations" || name == "commonTypes");
    const bool closed = name == "additionalAttributes" && inner.is_bool() && !inner.boolean();
    const bool required = name == "required" && inner.is_bool() && inner.boolean();
    if (inner.is_null() || nowhere || plain_record || empty || closed || required ||
        (empty_list && (name == "memberOf" || name == "memberOfTypes")))
      continue;
    out.set(name, std::move(inner));
  }
  return out;
}

std::string short_text(const Error& error) {
  return error.text().substr(0, 200);
}

}  // namespace

bool names_files(const Json& json) {
  const auto text = [&](std::string_view key) {
    const Json* found = json.find(key);
    return found != nullptr && found->is_string();
  };
  return text("policies") && text("entities");
}

bool is_conformance_test(const Json& json) {
  const Json* requests = requests_of(json);
  return names_files(json) && requests != nullptr && requests->is_array();
}

void note_check(ConformanceReport& report, const std::string& file, std::string_view kind, bool holds,
                const std::string& what) {
  ++(holds ? report.passed : report.failed);
  ++report.checks[std::string(kind)];
  if (!holds && report.failures.size() < kConformanceFailuresMax)
    report.failures.push_back({file, fmt::format("{}: {}", kind, what)});
}

void ConformanceTestCase::check(std::string_view kind, bool holds, const std::string& what) {
  note_check(report_, file_, kind, holds, what);
}

void ConformanceTestCase::run() {
  if (!load()) return;
  check_schema();
  check_validation();
  const Json::Array& requests = requests_of(test_)->items();
  for (size_t i = 0; i < requests.size(); ++i) run_request(i, requests[i]);
}

bool ConformanceTestCase::load() {
  if (schema) {
    auto read = Schema::read(*schema, std::string(test_.text_or("schema", "")));
    if (!read) check("schema", false, short_text(read.error()));
    if (!read) return false;
    types_ = *std::move(read);
  } else if (!test_.text_or("schema", "").empty()) {
    check("schema", false, fmt::format("there is no {}", test_.text_or("schema", "")));
    return false;
  }
  if (!policies) {
    check("policies", false, fmt::format("there is no {}", test_.text_or("policies", "")));
    return false;
  }
  const PolicySource source{std::string(test_.text_or("policies", "")), *policies};
  auto document = PolicyDocument::read(source, PolicyDocument::Names::numbered);
  if (!document) check("policies", false, short_text(document.error()));
  if (!document) return false;
  document_ = *std::move(document);
  auto plain = PolicySet::unchecked(*document_);
  if (!plain) check("policies", false, short_text(plain.error()));
  if (!plain) return false;
  plain_ = *std::move(plain);
  if (verdicts)
    if (auto json = Json::parse(*verdicts, kJsonLimits)) verdicts_ = *std::move(json);
  read_entities();
  return store_.has_value();
}

void ConformanceTestCase::check_schema() {
  if (!json_schema || !schema) return;
  const auto wanted = Json::parse(*json_schema, kJsonLimits);
  if (!wanted) return check("schema as JSON", false, short_text(wanted.error()));
  const auto found = schema_to_json(*schema, "schema");
  if (!found) return check("schema as JSON", false, short_text(found.error()));
  const std::string left = normal(*found).canonical();
  const std::string right = normal(*wanted).canonical();
  check("schema as JSON", left == right,
        fmt::format("expected {}, found {}", right.substr(0, 400), left.substr(0, 400)));
  const auto again = Schema::read(*json_schema, "schema as JSON");
  check("schema from JSON", again.has_value(), again ? std::string() : short_text(again.error()));
}

void ConformanceTestCase::check_validation() {
  if (!types_) return;
  const Validation found = validate(*document_, *types_);
  if (found.passed()) {
    const auto loaded = PolicySet::load(*types_, *document_);
    if (loaded) checked_ = *loaded;
    check("loads when valid", loaded.has_value(), loaded ? std::string() : short_text(loaded.error()));
  }
  if (const Json* wanted = first_of(test_, {"shouldValidate", "should_validate"}))
    check("validation", found.passed() == is_true(wanted),
          found.passed()
              ? "expected that validation fails, but it does not"
              : fmt::format("expected that validation passes, but {}", short_text(found.errors[0].error)));
  if (const Json* wanted = verdicts_.find("policyValidation")) check_policy_verdicts(*wanted);
  if (const Json* wanted = verdicts_.find("entityValidation")) check_entity_verdicts(*wanted);
}

void ConformanceTestCase::check_policy_verdicts(const Json& wanted) {
  for (const Validating how : {Validating::strict, Validating::permissive}) {
    const std::string key = how == Validating::strict ? "strict" : "permissive";
    const Validation found = validate(*document_, *types_, {.how = how, .level = {}});
    const std::string first = found.passed() ? "none" : short_text(found.errors[0].error);
    if (const Json* all = wanted.find(key))
      check("validation " + key, found.passed() == is_true(all),
            fmt::format("expected {}, first fault: {}", is_true(all) ? "passing" : "failing", first));
    const Json* each = wanted.find("perPolicy");
    if (each == nullptr || !each->is_object()) continue;
    for (const auto& [id, verdict] : each->members()) {
      const bool passed = std::none_of(found.errors.begin(), found.errors.end(),
                                       [&](const Finding& one) { return one.policy == id; });
      if (const Json* expected = verdict.find(key))
        check("policy " + key, passed == is_true(expected),
              fmt::format("{}: expected {}, first fault: {}", id, is_true(expected) ? "passing" : "failing",
                          first));
    }
  }
}

void ConformanceTestCase::check_entity_verdicts(const Json& wanted) {
  const Json* each = wanted.find("perEntity");
  if (each == nullptr || !entities_json_.is_array()) return;
  for (const Json& item : entities_json_.items()) {
    const EntityUid uid = uid_of(item.find("uid"));
    const Json* verdict = each->find(uid.type + "::" + uid.id);
    if (verdict == nullptr) continue;
    const Json* errors = verdict->find("errors");
    const bool expected = errors == nullptr || (errors->is_array() && errors->items().empty());
    const auto found = types_->read_entity(item);
    check("entity", found.has_value() == expected,
          fmt::format("{}: expected {}, found {}", uid.text(), expected ? "valid" : "a fault",
                      found ? "valid" : short_text(found.error())));
  }
}

// Whether the verdicts beside the test say that some entity is not as the schema says.
static bool expects_bad_entities(const Json& verdicts) {
  const Json* found = verdicts.find("entityValidation");
  const Json* each = found == nullptr ? nullptr : found->find("perEntity");
  if (each == nullptr || !each->is_object()) return false;
  return std::any_of(each->members().begin(), each->members().end(), [](const auto& member) {
    const Json* errors = member.second.find("errors");
    return errors != nullptr && errors->is_array() && !errors->items().empty();
  });
}

void ConformanceTestCase::read_entities() {
  if (!entities)
    return check("entities", false, fmt::format("there is no {}", test_.text_or("entities", "")));
  auto json = Json::parse(*entities, kJsonLimits);
  if (!json || !json->is_array())
    return check("entities", false, json ? "this is no list" : short_text(json.error()));
  entities_json_ = *std::move(json);
  const bool tolerant = expects_bad_entities(verdicts_);
  auto typed = types_ && !tolerant ? types_->read_entities(entities_json_) : Result<std::vector<Entity>>();
  if (!typed) return check("entities", false, short_text(typed.error()));
  list_ = *std::move(typed);
  if (!types_ || tolerant) read_each_entity();
  if (types_)
    for (Entity& action : types_->action_entities()) list_.push_back(std::move(action));
  auto store = Entities::unchecked().with({list_, {}});
  if (!store) return check("entities", false, short_text(store.error()));
  store_ = *std::move(store);
}

// What can be read, as far as it can.
void ConformanceTestCase::read_each_entity() {
  std::set<EntityUid> seen;
  for (const Json& item : entities_json_.items()) {
    Result<Entity> one = types_ ? types_->read_entity(item) : entity_from_json(item);
    if (!one) one = entity_from_json(item);
    if (!one || (types_ && types_->has_action(one->uid))) continue;
    if (seen.insert(one->uid).second) list_.push_back(*std::move(one));
  }
}

const Json* ConformanceTestCase::verdict_of(size_t number) const {
  const Json* all = verdicts_.find("requestValidation");
  if (all == nullptr || !all->is_array() || number >= all->items().size()) return nullptr;
  const Json* verdict = all->items()[number].find("strict");
  return verdict == nullptr || verdict->is_null() ? nullptr : verdict;
}

ConformanceTestCase::Asked ConformanceTestCase::ask(const Json& json) const {
  Asked out{{uid_of(json.find("principal")), uid_of(json.find("action")), uid_of(json.find("resource")), {}},
            {}};
  const Json nothing = Json::object();
  const Json* context = json.find("context");
  if (context == nullptr || context->is_null()) context = &nothing;
  if (types_) {
    auto typed = types_->read_context(out.request.action, *context);
    if (typed) {
      out.request.context = *std::move(typed);
      if (auto right = types_->check(out.request); !right) out.fault = right.error();
      return out;
    }
    out.fault = typed.error();
  }
  auto plain = value_from_json(*context);
  if (plain && plain->kind() == Value::Kind::record) out.request.context = plain->record();
  return out;
}

void ConformanceTestCase::run_request(size_t number, const Json& json) {
  const Asked asked = ask(json);
  const std::string name =
      fmt::format("{} ({})", number, json.text_or("description", json.text_or("desc", "")));
  const std::optional<bool> permitted = decision_of(json.find("decision"));
  if (!permitted) return check("decision", false, fmt::format("{}: no decision is expected", name));
  const Json* validate_it = first_of(
      json, {"validateRequest", "validate_request", "enableRequestValidation", "enable_request_validation"});
  const bool validates = types_ && (validate_it == nullptr || is_true(validate_it));
  const Json* verdict = verdict_of(number);
  if (verdict != nullptr) {
    check("request", is_true(verdict) == !asked.fault,
          fmt::format("{}: expected {}, found {}", name, is_true(verdict) ? "valid" : "a fault",
                      asked.fault ? short_text(*asked.fault) : "valid"));
  } else if (validates && asked.fault) {
    return check("decision", false,
                 fmt::format("{}: the request is refused: {}", name, short_text(*asked.fault)));
  }
  const Outcome wanted{
      *permitted,
      ids_of(first_of(json, {"reason", "reasons", "determiningPolicies", "determining_policies"})),
      ids_of(first_of(json, {"errors", "error"}))};
  Outcome found = outcome(*plain_, asked.request);
  if (found == wanted && checked_ && !asked.fault) found = outcome(*checked_, asked.request);
  check("decision", found == wanted,
        fmt::format("{}: expected {}, found {}", name, text(wanted), text(found)));
}

ConformanceTestCase::Outcome ConformanceTestCase::outcome(const PolicySet& set,
                                                          const Request& request) const {
  const Answer answer =
      decide(set, *store_, {}, request, {.forbid_error_denies = false, .every_error = true});
  Outcome out{answer.permitted(), {}, {}};
  for (const PolicyIndex reason : answer.reasons) out.reasons.insert(set[reason].id);
  for (const PolicyError& error : answer.errors)
    out.errors.insert(error.policy ? set[*error.policy].id : "the request");
  return out;
}

std::string ConformanceTestCase::text(const Outcome& outcome) const {
  return fmt::format("{} by [{}] with errors of [{}]", outcome.permitted ? "allow" : "deny",
                     fmt::join(outcome.reasons, ", "), fmt::join(outcome.errors, ", "));
}

}  // namespace entente::policy
