// The verbs of who gets what for a while: requests, grants, releases of objects, delegations.
#include "cli/answers.h"
#include "cli/operator_client.h"
#include "cli/verbs.h"
#include "data/data_policy.h"
#include "data/file.h"
#include "data/open.h"

#include <fmt/format.h>

namespace entente::cli {
namespace {

// Whoever answers says which they read, as `show` names it.
int answer_seen(const Arguments& arguments, std::string path) {
  const Result<std::string> seen = arguments.need("seen");
  if (!seen) return report(seen.error(), arguments.json());
  Json body = Json::object({{"seen", *seen}});
  if (const auto words = arguments.option("words")) body.set("words", *words);
  return change(arguments, std::move(path), body);
}

int answer_with_words(const Arguments& arguments, std::string path) {
  Json body = Json::object();
  if (const auto words = arguments.option("words")) body.set("words", *words);
  return change(arguments, std::move(path), body);
}

std::string opens_text(const Json& row) {
  const Json* preview = row.find("preview");
  if (preview == nullptr) return cell(row, "granted_until");
  const Json* opens = preview->find("opens");
  if (opens == nullptr || !opens->is_bool() || !opens->boolean())
    return fmt::format("nothing: {}", cell(*preview, "why_not"));
  return fmt::format("until {}", cell(*preview, "until"));
}

std::string approved_text(const Json& row) {
  const Json* approvals = row.find("approvals");
  const size_t so_far = approvals != nullptr && approvals->is_array() ? approvals->items().size() : 0;
  return fmt::format("{} of {}", so_far, cell(row, "approvals_needed"));
}

// One thing, a line for each of its members.
void print_fields(const Json& row, const std::vector<Column>& fields) {
  for (const auto& [name, key] : fields) fmt::print("{:12} {}\n", name, cell(row, key));
  fmt::print("{:12} {}\n", "approved", approved_text(row));
}

}  // namespace

// A line of a terminal each; `request show` has the rest.
int request_list(const Arguments& arguments) {
  const Result<Json> answer = call_page(arguments, "/v1/requests");
  if (!answer) return report(answer.error(), arguments.json());
  if (arguments.json()) {
    print_json(*answer);
    return kExitOk;
  }
  constexpr size_t kAppShown = 16, kWhoShown = 26;
  std::vector<std::vector<std::string>> rows;
  const Json* found = answer->find("requests");
  if (found != nullptr && found->is_array()) {
    for (const Json& row : found->items()) {
      const bool open = cell(row, "state") == "open";
      rows.push_back({cell(row, "id"), shortened(cell(row, "app"), kAppShown), cell(row, "partner"),
                      shortened(cell(row, "who"), kWhoShown), open ? approved_text(row) : cell(row, "state"),
                      cell(row, "end").substr(0, std::string_view("2026-11-22T14:05").size())});
    }
  }
  print_table({"REQUEST", "APP", "OF", "WHO", "APPROVED", "WAITS UNTIL"}, rows);
  print_rest(*answer);
  return kExitOk;
}
int request_show(const Arguments& arguments) {
  const Result<Json> answer = call_node(arguments, "GET", fmt::format("/v1/requests/{}", named(arguments)));
  if (!answer) return report(answer.error(), arguments.json());
  if (arguments.json()) {
    print_json(*answer);
    return kExitOk;
  }
  print_fields(*answer, {{"request", "id"},
                         {"seen", "seen"},
                         {"app", "app"},
                         {"who", "who"},
                         {"person", "person"},
                         {"what for", "purpose"},
                         {"minutes", "minutes"},
                         {"scope", "scope"},
                         {"state", "state"},
                         {"asked", "asked"},
                         {"waits until", "end"},
                         {"answer", "answer"}});
  fmt::print("{:12} {}\n", "opens", opens_text(*answer));
  return kExitOk;
}
int request_approve(const Arguments& arguments) {
  return answer_seen(arguments, fmt::format("/v1/requests/{}/approve", named(arguments)));
}
int request_deny(const Arguments& arguments) {
  return answer_seen(arguments, fmt::format("/v1/requests/{}/deny", named(arguments)));
}
namespace {

struct Released {
  std::string id;
  std::vector<std::string> attributes;
};

// With attributes the word is an object's id; without, a file, which says both of itself.
Result<Released> released_object(const Arguments& arguments) {
  Released out{arguments.words[0], arguments.all("attribute")};
  if (!out.attributes.empty()) return out;
  TRY(const data::FileSource source, data::FileSource::open(arguments.words[0]));
  TRY(const data::SealedObject sealed, data::read_object(source));
  TRY(const data::DataPolicy policy, data::read_policy(sealed.manifest.policy_text));
  out.id = policy.uuid;
  for (const data::AttributeName& one : policy.attributes) out.attributes.push_back(one.fqn());
  return out;
}

}  // namespace

int release_object(const Arguments& arguments) {
  const Result<std::string> to = arguments.need("to");
  if (!to) return report(to.error(), arguments.json());
  const Result<int64_t> minutes = arguments.number("minutes");
  if (!minutes) return report(minutes.error(), arguments.json());
  const Result<std::string> reason = arguments.need("reason");
  if (!reason) return report(reason.error(), arguments.json());
  const Result<Released> what = released_object(arguments);
  if (!what) return report(what.error(), arguments.json());
  Json attributes = Json::array();
  for (const std::string& fqn : what->attributes) attributes.push(fqn);
  Json body = Json::object({{"object", what->id},
                            {"attributes", std::move(attributes)},
                            {"partner", *to},
                            {"minutes", *minutes},
                            {"reason", *reason}});
  if (const auto person = arguments.option("person")) body.set("person", *person);
  Json rights = Json::array();
  for (const std::string& right : arguments.all("right")) rights.push(right);
  if (!rights.items().empty()) body.set("rights", std::move(rights));
  return change(arguments, "/v1/releases", body);
}
int release_list(const Arguments& arguments) {
  return page(arguments, "/v1/releases", "releases",
              {{"RELEASE", "id"},
               {"OBJECT", "object"},
               {"NATION", "partner"},
               {"PERSON", "person"},
               {"WHO", "who"},
               {"RIGHTS", "rights"},
               {"WHAT FOR", "purpose"},
               {"MINUTES", "minutes"},
               {"UNTIL", "until"},
               {"STATE", "state"},
               {"ASKED BY", "by"},
               {"ATTRIBUTES", "attributes"}});
}
int release_show(const Arguments& arguments) {
  const Result<Json> answer = call_node(arguments, "GET", fmt::format("/v1/releases/{}", named(arguments)));
  if (!answer) return report(answer.error(), arguments.json());
  if (arguments.json()) {
    print_json(*answer);
    return kExitOk;
  }
  print_fields(*answer, {{"release", "id"},
                         {"seen", "seen"},
                         {"object", "object"},
                         {"marking", "marking"},
                         {"attributes", "attributes"},
                         {"nation", "partner"},
                         {"person", "person"},
                         {"who", "who"},
                         {"asked by", "by"},
                         {"rights", "rights"},
                         {"what for", "purpose"},
                         {"minutes", "minutes"},
                         {"state", "state"},
                         {"asked", "asked"},
                         {"waits until", "end"},
                         {"until", "until"},
                         {"answer", "answer"}});
  return kExitOk;
}
int release_approve(const Arguments& arguments) {
  return answer_seen(arguments, fmt::format("/v1/releases/{}/approve", named(arguments)));
}
int release_deny(const Arguments& arguments) {
  return answer_seen(arguments, fmt::format("/v1/releases/{}/deny", named(arguments)));
}
int release_revoke(const Arguments& arguments) {
  return answer_with_words(arguments, fmt::format("/v1/releases/{}/revoke", named(arguments)));
}
int grant_list(const Arguments& arguments) {
  return page(arguments, "/v1/grants", "grants",
              {{"GRANT", "id"},
               {"APP", "app"},
               {"NATION", "partner"},
               {"PERSON", "person"},
               {"WHAT FOR", "purpose"},
               {"SCOPE", "scope"},
               {"UNTIL", "end"},
               {"USED", "used"},
               {"OF", "count"},
               {"SESSIONS", "sessions"},
               {"APPROVED BY", "approved_by"},
               {"STATE", "state"}});
}
int grant_revoke(const Arguments& arguments) {
  return answer_with_words(arguments, fmt::format("/v1/grants/{}/revoke", named(arguments)));
}

int delegation_list(const Arguments& arguments) {
  return page(arguments, "/v1/delegations", "delegations",
              {{"DELEGATION", "id"},
               {"APP", "app"},
               {"IN THE NAME OF", "from"},
               {"ANSWERS", "to"},
               {"UNTIL", "end"},
               {"LENDER KNOWN UNTIL", "known_until"},
               {"STATE", "state"}});
}
int delegation_add(const Arguments& arguments) {
  const Result<int64_t> minutes = arguments.number("minutes");
  if (!minutes) return report(minutes.error(), arguments.json());
  return change(
      arguments, "/v1/delegations",
      Json::object({{"app", arguments.words[0]}, {"to", arguments.words[1]}, {"minutes", *minutes}}));
}
int delegation_end(const Arguments& arguments) {
  return change(arguments, fmt::format("/v1/delegations/{}/end", named(arguments)), Json::object());
}

}  // namespace entente::cli
