// `entente policy test`: tables of asks and expected verdicts, in plain text.
#include "cli/policy_case.h"

#include "cli/policy_files.h"
#include "cli/verbs.h"
#include "policy/decide.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace entente::cli {
namespace {

constexpr size_t kLinesMax = 100'000;

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// The parts between a mark, where marks in quotes and braces do not count.
std::vector<std::string_view> split(std::string_view text, char mark) {
  std::vector<std::string_view> out;
  size_t begin = 0;
  size_t depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '{' || c == '[')) {
      ++depth;
    } else if (!quoted && (c == '}' || c == ']') && depth > 0) {
      --depth;
    } else if (!quoted && depth == 0 && c == mark) {
      out.push_back(trimmed(text.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  out.push_back(trimmed(text.substr(begin)));
  return out;
}

// As JSON where it is JSON; else text.
Json value_of(std::string_view text) {
  auto json = Json::parse(text);
  return json ? *std::move(json) : Json(text);
}

// a.b.c=value into nested objects.
Result<void> assign(Json& into, std::string_view pair) {
  const size_t equals = pair.find('=');
  if (equals == std::string_view::npos || equals == 0)
    return fail("policy.case", fmt::format("\"{}\" is no name=value", pair));
  std::string_view names = trimmed(pair.substr(0, equals));
  Json* at = &into;
  for (size_t dot = names.find('.'); dot != std::string_view::npos; dot = names.find('.')) {
    const std::string name(names.substr(0, dot));
    if (at->find(name) == nullptr || !at->find(name)->is_object()) at->set(name, Json::object());
    const auto found = std::find_if(at->members().begin(), at->members().end(),
                                    [&](const Json::Member& member) { return member.first == name; });
    at = &found->second;
    names.remove_prefix(dot + 1);
  }
  at->set(std::string(names), value_of(trimmed(pair.substr(equals + 1))));
  return {};
}

// a=1; b.c=x
Result<void> assign_all(Json& into, std::string_view pairs) {
  for (const std::string_view pair : split(pairs, ';'))
    if (!pair.empty()) TRY_VOID(assign(into, pair));
  return {};
}

class CaseFile {
 public:
  CaseFile(const std::string& path, std::string_view text)
      : path_(path), folder_(std::filesystem::path(path).parent_path()), text_(text) {}

  Result<CaseReport> run() {
    size_t number = 0;
    while (!text_.empty()) {
      const size_t end = std::min(text_.find('\n'), text_.size());
      const std::string_view line = trimmed(text_.substr(0, end));
      text_.remove_prefix(std::min(end + 1, text_.size()));
      where_ = fmt::format("{}:{}", path_, ++number);
      if (number > kLinesMax) return wrong(fmt::format("more than {} lines", kLinesMax));
      if (line.empty() || line.front() == '#') continue;
      auto done = line.find('|') == std::string_view::npos ? setting(line) : row(line);
      if (done) continue;
      if (done.error().where().empty()) done.error().where() = where_;
      return std::unexpected(std::move(done).error());
    }
    return std::move(report_);
  }

 private:
  [[nodiscard]] Failure wrong(std::string what, std::string hint = {}) const {
    return fail("policy.case", std::move(what), where_, std::move(hint));
  }

  Result<void> setting(std::string_view line) {
    const size_t space = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, space);
    const std::string_view rest = trimmed(line.substr(space));
    if (word == "entity") return entity(rest);
    if (word == "context") return assign_all(default_context_, rest);
    std::vector<std::string> files;
    for (const std::string_view name : split(rest, ' '))
      if (!name.empty()) files.push_back((folder_ / name).string());
    if (files.empty()) return wrong(fmt::format("`{}` names no file", word));
    if (word == "schema") {
      if (policies_ || !entities_.empty()) return wrong("`schema` has to stand before policies and entities");
      TRY(schema_, read_schema_file(files[0]));
      report_.validated = true;
    } else if (word == "policies") {
      return load(files);
    } else if (word == "entities") {
      for (const std::string& file : files) TRY_VOID(read_entities(file));
    } else {
      return wrong(fmt::format("there is no setting `{}`", word),
                   "schema, policies, entities, entity, context");
    }
    return {};
  }

  Result<void> load(const std::vector<std::string>& files) {
    std::vector<policy::PolicySource> sources;
    for (const std::string& file : files) {
      TRY(std::string text, read_policy_file(file));
      sources.push_back({file, std::move(text)});
    }
    TRY(policies_, schema_ ? policy::PolicySet::load(*schema_, sources, label_natives())
                           : policy::PolicySet::unchecked(sources, label_natives()));
    return {};
  }

  Result<void> read_entities(const std::string& file) {
    TRY(const std::string text, read_policy_file(file));
    TRY(const Json json, Json::parse(text, {.bytes_max = kPolicyFileMax, .depth_max = 128}));
    if (!json.is_array()) return wrong(fmt::format("{} is no list of entities", file));
    for (const Json& item : json.items()) TRY_VOID(keep(item));
    return {};
  }

  [[nodiscard]] Result<policy::Entity> read(const Json& json) const {
    return schema_ ? schema_->read_entity(json) : policy::entity_from_json(json);
  }

  Result<void> keep(const Json& json) {
    TRY(const policy::Entity one, read(json));
    entities_[one.uid] = json;
    store_.reset();
    return {};
  }

  // entity User::"a" in Team::"t", Team::"u" with level=3; tag.x=1 ...
  Result<void> entity(std::string_view text) {
    const auto parts = split(text, ';');
    std::string_view head = parts[0];
    Json attributes = Json::object();
    std::vector<std::string_view> pairs(parts.begin() + 1, parts.end());
    if (const size_t with = head.find(" with "); with != std::string_view::npos) {
      pairs.insert(pairs.begin(), trimmed(head.substr(with + 6)));
      head = trimmed(head.substr(0, with));
    }
    for (const std::string_view pair : pairs) TRY_VOID(assign(attributes, pair));
    Json parents = Json::array();
    if (const size_t in = head.find(" in "); in != std::string_view::npos) {
      for (const std::string_view parent : split(head.substr(in + 4), ',')) {
        TRY(const policy::EntityUid uid, policy::parse_uid(parent));
        parents.push(Json::object({{"type", uid.type}, {"id", uid.id}}));
      }
      head = trimmed(head.substr(0, in));
    }
    TRY(const policy::EntityUid uid, policy::parse_uid(head));
    return keep(Json::object({{"uid", Json::object({{"type", uid.type}, {"id", uid.id}})},
                              {"attrs", std::move(attributes)},
                              {"parents", std::move(parents)}}));
  }

  Result<policy::EntityUid> action(std::string_view text) const {
    if (text.find("::") != std::string_view::npos) return policy::parse_uid(text);
    if (!schema_) return policy::EntityUid{"Action", std::string(text)};
    for (const policy::EntityUid& one : schema_->actions())
      if (one.id == text) return one;
    return wrong(fmt::format("the schema has no action \"{}\"", text));
  }

  // A uid, and after it changes to its attributes: name=value, or -name to leave it out.
  Result<policy::EntityUid> who(std::string_view text, std::vector<policy::Entity>& overlay) const {
    const auto words = split(text, ' ');
    TRY(policy::EntityUid uid, policy::parse_uid(words[0]));
    if (words.size() == 1) return uid;
    const auto known = entities_.find(uid);
    Json json = known != entities_.end()
                    ? known->second
                    : Json::object({{"uid", Json::object({{"type", uid.type}, {"id", uid.id}})},
                                    {"attrs", Json::object()},
                                    {"parents", Json::array()}});
    Json attributes = *json.find("attrs");
    for (size_t i = 1; i < words.size(); ++i) {
      if (words[i].empty()) continue;
      if (words[i].front() != '-') {
        TRY_VOID(assign(attributes, words[i]));
      } else {
        std::erase_if(attributes.members(),
                      [&](const Json::Member& member) { return member.first == words[i].substr(1); });
      }
    }
    json.set("attrs", std::move(attributes));
    TRY(policy::Entity changed, read(json));
    overlay.push_back(std::move(changed));
    return uid;
  }

  Result<policy::Record> context(const policy::EntityUid& action_uid, std::string_view text) const {
    Json json = default_context_;
    if (!text.empty() && text.front() == '{') {
      TRY(json, Json::parse(text));
    } else {
      TRY_VOID(assign_all(json, text));
    }
    if (schema_) return schema_->read_context(action_uid, json);
    TRY(const policy::Value value, policy::value_from_json(json));
    if (value.kind() != policy::Value::Kind::record) return wrong("a context is a record");
    return value.record();
  }

  Result<void> build() {
    if (store_) return {};
    policy::EntityChanges changes;
    for (const auto& [uid, json] : entities_) {
      TRY(policy::Entity one, read(json));
      if (!schema_ || !schema_->has_action(uid)) changes.put.push_back(std::move(one));
    }
    const policy::Entities none = schema_ ? policy::Entities(*schema_) : policy::Entities::unchecked();
    TRY(store_, none.with(changes));
    return {};
  }

  // principal | action | resource | context | permit a, b   or   deny a   or   deny
  Result<void> row(std::string_view line) {
    const auto cells = split(line, '|');
    if (cells.size() != 5)
      return wrong("a row has five cells", "principal | action | resource | context | expected");
    if (!policies_) return wrong("`policies` have to stand before the first row");
    TRY_VOID(build());
    std::vector<policy::Entity> overlay;
    policy::Request request;
    TRY(request.principal, who(cells[0], overlay));
    TRY(request.action, action(cells[1]));
    TRY(request.resource, who(cells[2], overlay));
    TRY(request.context, context(request.action, cells[3]));
    if (schema_) TRY_VOID(schema_->check(request));
    const policy::Answer answer =
        policy::decide(*policies_, *store_, overlay, request, {.every_error = true});
    return compare(cells[4], answer, request, overlay);
  }

  Result<void> compare(std::string_view expected, const policy::Answer& answer,
                       const policy::Request& request, const std::vector<policy::Entity>& overlay) {
    const std::string_view word = expected.substr(0, std::min(expected.find(' '), expected.size()));
    if (word != "permit" && word != "deny") return wrong("the last cell begins with permit or deny");
    std::set<std::string> wanted;
    for (const std::string_view id : split(expected.substr(word.size()), ','))
      if (!id.empty()) wanted.emplace(id);
    std::set<std::string> found;
    for (const policy::PolicyIndex reason : answer.reasons) found.insert((*policies_)[reason].id);
    const bool holds = answer.permitted() == (word == "permit") && (wanted.empty() || wanted == found);
    ++(holds ? report_.passed : report_.failed);
    if (holds) return {};
    std::string said = fmt::format("{}: expected {}, found {} {}", where_, expected,
                                   answer.permitted() ? "permit" : "deny", fmt::join(found, ", "));
    for (const policy::PolicyError& error : answer.errors) said += "\n  " + error.error.text();
    if (!answer.permitted())
      for (const auto& miss : policy::near_misses(*policies_, *store_, overlay, request, 2))
        said += fmt::format("\n  {} would permit, but for {}", (*policies_)[miss.policy].id, miss.condition);
    report_.failures.push_back(std::move(said));
    return {};
  }

  const std::string& path_;
  std::filesystem::path folder_;
  std::string_view text_;
  std::string where_;
  std::optional<policy::Schema> schema_;
  std::optional<policy::PolicySet> policies_;
  std::map<policy::EntityUid, Json> entities_;
  Json default_context_ = Json::object();
  std::optional<policy::Entities> store_;
  CaseReport report_;
};

}  // namespace

Result<CaseReport> run_case_file(const std::string& path, std::string_view text) {
  return CaseFile(path, text).run();
}

int policy_test(const Arguments& arguments) {
  CaseReport all;
  all.validated = true;
  for (const std::string& path : arguments.words) {
    const auto text = read_policy_file(path);
    if (!text) return report(text.error(), arguments.json());
    auto one = run_case_file(path, *text);
    if (!one) return report(one.error(), arguments.json());
    all.passed += one->passed;
    all.failed += one->failed;
    all.validated = all.validated && one->validated;
    std::move(one->failures.begin(), one->failures.end(), std::back_inserter(all.failures));
  }
  if (arguments.json()) {
    Json failures = Json::array();
    for (const std::string& failure : all.failures) failures.push(failure);
    print_json(Json::object({{"passed", static_cast<int64_t>(all.passed)},
                             {"failed", static_cast<int64_t>(all.failed)},
                             {"validated", all.validated},
                             {"failures", std::move(failures)}}));
  } else {
    for (const std::string& failure : all.failures) fmt::print("{}\n", failure);
    fmt::print("{} passed, {} failed\n", all.passed, all.failed);
    if (!all.validated)
      fmt::print("Not all was validated: a table without `schema` checks no names and types.\n");
  }
  return all.failed == 0 ? kExitOk : kExitRefused;
}

}  // namespace entente::cli
