// The verbs of operators: each is one call of the node's API.
#include "cli/operator_client.h"
#include "cli/verbs.h"
#include "data/data_policy.h"
#include "data/file.h"
#include "data/open.h"
#include "net/url.h"

#include <fmt/format.h>

namespace entente::cli {
namespace {

std::string cell(const Json& row, std::string_view key) {
  const Json* value = row.find(key);
  if (value == nullptr || value->is_null()) return "-";
  if (value->is_string()) return value->string().empty() ? "-" : printable(value->string());
  if (value->is_array()) {
    std::string out;
    for (const Json& item : value->items())
      out += (out.empty() ? "" : ",") + (item.is_string() ? item.string() : item.dump());
    return out.empty() ? "-" : printable(out);
  }
  return printable(value->dump());
}

// The first word as a part of a path: whatever stands in it, it is one name.
std::string named(const Arguments& arguments) {
  return net::percent_encode(arguments.words[0]);
}

struct Column {
  std::string head;
  std::string key;
};

void print_list(const Json& answer, std::string_view member, const std::vector<Column>& columns) {
  if (const Json* unrecorded = answer.find("unrecorded"); unrecorded != nullptr)
    fmt::print(stderr, "that you looked is not in the ledger yet: {}\n", cell(answer, "unrecorded"));
  std::vector<std::string> heads;
  heads.reserve(columns.size());
  for (const Column& column : columns) heads.push_back(column.head);
  std::vector<std::vector<std::string>> rows;
  const Json* found = answer.find(member);
  if (found != nullptr && found->is_array()) {
    for (const Json& row : found->items()) {
      std::vector<std::string> cells;
      cells.reserve(columns.size());
      for (const Column& column : columns) cells.push_back(cell(row, column.key));
      rows.push_back(std::move(cells));
    }
  }
  print_table(heads, rows);
}

int list(const Arguments& arguments, std::string path, std::string_view member,
         const std::vector<Column>& columns) {
  const Result<Json> answer = call_node(arguments, "GET", std::move(path));
  if (!answer) return report(answer.error(), arguments.json());
  if (arguments.json()) {
    print_json(*answer);
  } else {
    print_list(*answer, member, columns);
  }
  return kExitOk;
}

// What that change would come to instead, with `--preview`: nothing is changed.
Result<Json> call_preview(const Arguments& arguments, const std::string& path, const Json& body) {
  net::Pairs asked;
  for (const auto& [name, value] : body.members()) {
    if (value.is_string()) asked.emplace_back(name, value.string());
    if (!value.is_array()) continue;
    for (const Json& one : value.items()) asked.emplace_back(name, one.string());
  }
  const std::string query = asked.empty() ? std::string() : "?" + write_form(asked);
  return call_node(arguments, "GET", path + "/preview" + query);
}

int change(const Arguments& arguments, std::string path, const Json& body) {
  const Result<Json> answer = arguments.option("preview") ? call_preview(arguments, path, body)
                                                          : call_node(arguments, "POST", path, body);
  if (!answer) return report(answer.error(), arguments.json());
  if (arguments.json()) {
    print_json(*answer);
  } else {
    fmt::print("{}\n", printable(answer->text_or("text", "done")));
  }
  return kExitOk;
}

// With the reason, which a preview needs not.
int change_because(const Arguments& arguments, std::string path, Json body) {
  const bool preview = arguments.option("preview").has_value();
  const Result<std::string> reason = preview ? std::string() : arguments.need("reason");
  if (!reason) return report(reason.error(), arguments.json());
  if (!preview) body.set("reason", *reason);
  return change(arguments, std::move(path), body);
}

int change_with_reason(const Arguments& arguments, std::string path) {
  return change_because(arguments, std::move(path), Json::object());
}

}  // namespace

int partner_list(const Arguments& arguments) {
  return list(arguments, "/v1/partners", "partners",
              {{"PARTNER", "code"},
               {"NAME", "name"},
               {"STATE", "state"},
               {"MEMBER UNTIL", "member_until"},
               {"LINK", "link"},
               {"SESSIONS", "sessions"},
               {"REASON", "reason"}});
}
int partner_suspend(const Arguments& arguments) {
  return change_with_reason(arguments, fmt::format("/v1/partners/{}/suspend", named(arguments)));
}
int partner_resume(const Arguments& arguments) {
  return change_with_reason(arguments, fmt::format("/v1/partners/{}/resume", named(arguments)));
}
namespace {

int change_pair(const Arguments& arguments, std::string_view verb) {
  return change_because(arguments, fmt::format("/v1/partners/{}/{}", named(arguments), verb),
                        Json::object({{"with", arguments.words[1]}}));
}

}  // namespace

int partner_isolate(const Arguments& arguments) {
  return change_pair(arguments, "isolate");
}
int partner_rejoin(const Arguments& arguments) {
  return change_pair(arguments, "rejoin");
}
int key_service_reload(const Arguments& arguments) {
  return change_with_reason(arguments, "/v1/key-service/reload");
}
int clock_show(const Arguments& arguments) {
  const Result<Json> answer = call_node(arguments, "GET", "/v1/clock");
  if (!answer) return report(answer.error(), arguments.json());
  if (arguments.json()) {
    print_json(*answer);
  } else {
    fmt::print("wall clock {}, decisions {}: {} s ahead\n", cell(*answer, "wall"), cell(*answer, "decisions"),
               cell(*answer, "ahead_s"));
  }
  return kExitOk;
}
int clock_accept(const Arguments& arguments) {
  return change_with_reason(arguments, "/v1/clock/accept");
}
int recall_list(const Arguments& arguments) {
  return list(arguments, "/v1/recalls", "recalls",
              {{"RECALL", "recall"},
               {"OBJECT", "object"},
               {"FOR", "partners"},
               {"AT", "at"},
               {"BY", "by"},
               {"REASON", "reason"}});
}
int recall_object(const Arguments& arguments) {
  Json body = Json::object({{"kind", arguments.words[0]}, {"what", arguments.words[1]}});
  for (const char* name : {"partner", "classification"}) {
    if (const auto value = arguments.option(name)) body.set(name, *value);
  }
  Json attributes = Json::array();
  for (const std::string& fqn : arguments.all("attribute")) attributes.push(fqn);
  if (!attributes.items().empty()) body.set("attributes", std::move(attributes));
  return change_because(arguments, "/v1/recalls", std::move(body));
}
int recall_lift(const Arguments& arguments) {
  return change_because(arguments, "/v1/recalls/lift",
                        Json::object({{"kind", arguments.words[0]}, {"what", arguments.words[1]}}));
}
namespace {

// Whose service released each, and what this node can say of it.
Json with_words(Json answer) {
  const Json* rows = answer.find("rows");
  if (rows == nullptr || !rows->is_array()) return answer;
  Json said = Json::array();
  for (Json row : rows->items()) {
    const Json* passed = row.find("passed");
    const bool theirs = passed != nullptr && passed->is_bool() && passed->boolean();
    const std::string service = theirs ? std::string(row.text_or("service", "its originator")) : "here";
    row.set("service", service);
    if (row.find("openable") == nullptr) row.set("openable", "ask " + service);
    said.push(std::move(row));
  }
  answer.set("rows", std::move(said));
  return answer;
}

void print_exposure(const Json& answer, bool narrow) {
  fmt::print("{} keys released to {} readers, of {} objects; {} of these can still be opened\n",
             cell(answer, "releases"), cell(answer, "readers"), cell(answer, "objects"),
             cell(answer, "openable"));
  if (cell(answer, "elsewhere") != "0")
    fmt::print(
        "{} more were released by other nations' services: as far as this node knows they still open, "
        "and those nations say whether they do\n",
        cell(answer, "elsewhere"));
  if (cell(answer, "incomplete") != "0")
    fmt::print("{} more were released that are in the ledger alone\n", cell(answer, "incomplete"));
  if (narrow && cell(answer, "releases") == "0")
    fmt::print("a name with a slip in it would fit nothing either: compare it with `entente exposure`\n");
  fmt::print("made of {} entries of the ledger\n", cell(answer, "read"));
  print_list(with_words(answer), "rows",
             {{"PARTNER", "partner"},
              {"PERSON", "person"},
              {"DEVICE", "device"},
              {"OBJECT", "object"},
              {"RELEASED BY", "service"},
              {"COUNT", "count"},
              {"FIRST", "first"},
              {"LAST", "last"},
              {"VERDICT", "verdict"},
              {"OPENABLE", "openable"},
              {"WHY NOT", "why"}});
  if (answer.find("next") != nullptr)
    fmt::print("{} more rows, older: --before {}\n", cell(answer, "more"), cell(answer, "next"));
}

}  // namespace

int exposure(const Arguments& arguments) {
  net::Pairs asked;
  for (const char* name : {"partner", "person", "object", "device", "before"}) {
    if (const auto value = arguments.option(name)) asked.emplace_back(name, *value);
  }
  const Result<Json> answer = call_node(arguments, "GET", "/v1/exposure?" + write_form(asked));
  if (!answer) return report(answer.error(), arguments.json());
  if (arguments.json()) {
    print_json(*answer);
  } else {
    print_exposure(*answer, !asked.empty());
  }
  return kExitOk;
}
int app_list(const Arguments& arguments) {
  return list(arguments, "/v1/apps", "apps",
              {{"APP", "app"},
               {"NAME", "name"},
               {"BANNER", "banner"},
               {"MISSION", "mission"},
               {"OFFERED TO", "offered_to"},
               {"UNTIL", "end"},
               {"STATE", "state"}});
}
int app_withdraw(const Arguments& arguments) {
  return change_with_reason(arguments, fmt::format("/v1/apps/{}/withdraw", named(arguments)));
}
int session_list(const Arguments& arguments) {
  return list(arguments, "/v1/sessions", "sessions",
              {{"SESSION", "id"},
               {"SIDE", "side"},
               {"PERSON", "person"},
               {"NATION", "partner"},
               {"APP", "app"},
               {"STATE", "state"},
               {"SINCE", "since"},
               {"VERDICT", "verdict"}});
}
int session_cut(const Arguments& arguments) {
  return change_with_reason(arguments, fmt::format("/v1/sessions/{}/cut", named(arguments)));
}
int connector_list(const Arguments& arguments) {
  return list(arguments, "/v1/connectors", "connectors",
              {{"CONNECTOR", "id"},
               {"APPS", "apps"},
               {"STATE", "state"},
               {"ROUND TRIP", "round_trip"},
               {"UNTIL", "end"},
               {"TOKEN UNTIL", "token_until"}});
}
int connector_cut(const Arguments& arguments) {
  return change_with_reason(arguments, fmt::format("/v1/connectors/{}/cut", named(arguments)));
}
namespace {

Json split(std::string_view rest) {
  Json list = Json::array();
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(','), rest.size());
    list.push(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return list;
}

}  // namespace

int connector_add(const Arguments& arguments) {
  const Result<std::string> apps = arguments.need("apps");
  if (!apps) return report(apps.error(), arguments.json());
  Json body = Json::object({{"id", arguments.words[0]}, {"apps", split(*apps)}});
  if (const auto nations = arguments.option("for")) body.set("for", split(*nations));
  if (const auto days = arguments.option("days"))
    body.set("days", static_cast<int64_t>(std::strtol(days->c_str(), nullptr, 10)));
  return change(arguments, "/v1/connectors", std::move(body));
}

namespace {

int answer_with_words(const Arguments& arguments, std::string path) {
  Json body = Json::object();
  if (const auto words = arguments.option("words")) body.set("words", *words);
  return change(arguments, std::move(path), std::move(body));
}

std::string opens_text(const Json& row) {
  const Json* preview = row.find("preview");
  if (preview == nullptr) return cell(row, "granted_until");
  const Json* opens = preview->find("opens");
  if (opens == nullptr || !opens->is_bool() || !opens->boolean())
    return fmt::format("nothing: {}", cell(*preview, "why_not"));
  return fmt::format("until {}", cell(*preview, "until"));
}

}  // namespace

namespace {

// A page of a list that others choose the length of.
Result<Json> call_page(const Arguments& arguments, std::string_view path) {
  net::Pairs asked;
  if (arguments.option("all")) asked.emplace_back("all", "true");
  if (const auto after = arguments.option("after")) asked.emplace_back("after", *after);
  return call_node(arguments, "GET",
                   asked.empty() ? std::string(path) : fmt::format("{}?{}", path, write_form(asked)));
}

void print_rest(const Json& answer) {
  if (answer.find("next") != nullptr)
    fmt::print("{} more: --after {}\n", cell(answer, "more"), cell(answer, "next"));
}

std::string approved_text(const Json& row) {
  const Json* approvals = row.find("approvals");
  const size_t so_far = approvals != nullptr && approvals->is_array() ? approvals->items().size() : 0;
  return fmt::format("{} of {}", so_far, cell(row, "approvals_needed"));
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
  constexpr std::pair<const char*, const char*> kShown[] = {
      {"request", "id"},    {"seen", "seen"},        {"app", "app"},         {"who", "who"},
      {"person", "person"}, {"what for", "purpose"}, {"minutes", "minutes"}, {"scope", "scope"},
      {"state", "state"},   {"asked", "asked"},      {"waits until", "end"}, {"answer", "answer"}};
  for (const auto& [name, key] : kShown) fmt::print("{:12} {}\n", name, cell(*answer, key));
  fmt::print("{:12} {}\n", "approved", approved_text(*answer));
  fmt::print("{:12} {}\n", "opens", opens_text(*answer));
  return kExitOk;
}
namespace {

int answer_request(const Arguments& arguments, std::string_view verb) {
  const Result<std::string> seen = arguments.need("seen");
  if (!seen) return report(seen.error(), arguments.json());
  Json body = Json::object({{"seen", *seen}});
  if (const auto words = arguments.option("words")) body.set("words", *words);
  return change(arguments, fmt::format("/v1/requests/{}/{}", named(arguments), verb), std::move(body));
}

}  // namespace

int request_approve(const Arguments& arguments) {
  return answer_request(arguments, "approve");
}
int request_deny(const Arguments& arguments) {
  return answer_request(arguments, "deny");
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
  const Result<std::string> minutes = arguments.need("minutes");
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
                            {"minutes", static_cast<int64_t>(std::strtol(minutes->c_str(), nullptr, 10))},
                            {"reason", *reason}});
  if (const auto person = arguments.option("person")) body.set("person", *person);
  Json rights = Json::array();
  for (const std::string& right : arguments.all("right")) rights.push(right);
  if (!rights.items().empty()) body.set("rights", std::move(rights));
  return change(arguments, "/v1/releases", std::move(body));
}
int release_list(const Arguments& arguments) {
  const bool all = arguments.option("all").has_value();
  return list(arguments, all ? "/v1/releases?all=true" : "/v1/releases", "releases",
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
int release_approve(const Arguments& arguments) {
  return answer_with_words(arguments, fmt::format("/v1/releases/{}/approve", named(arguments)));
}
int release_deny(const Arguments& arguments) {
  return answer_with_words(arguments, fmt::format("/v1/releases/{}/deny", named(arguments)));
}
int release_revoke(const Arguments& arguments) {
  return answer_with_words(arguments, fmt::format("/v1/releases/{}/revoke", named(arguments)));
}
int grant_list(const Arguments& arguments) {
  const Result<Json> answer = call_page(arguments, "/v1/grants");
  if (!answer) return report(answer.error(), arguments.json());
  if (arguments.json()) {
    print_json(*answer);
    return kExitOk;
  }
  print_list(*answer, "grants",
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
  print_rest(*answer);
  return kExitOk;
}
int grant_revoke(const Arguments& arguments) {
  return answer_with_words(arguments, fmt::format("/v1/grants/{}/revoke", named(arguments)));
}

int delegation_list(const Arguments& arguments) {
  return list(arguments, "/v1/delegations", "delegations",
              {{"DELEGATION", "id"},
               {"APP", "app"},
               {"IN THE NAME OF", "from"},
               {"ANSWERS", "to"},
               {"UNTIL", "end"},
               {"LENDER KNOWN UNTIL", "known_until"},
               {"STATE", "state"}});
}
int delegation_add(const Arguments& arguments) {
  const Result<std::string> minutes = arguments.need("minutes");
  if (!minutes) return report(minutes.error(), arguments.json());
  const int64_t count = static_cast<int64_t>(std::strtol(minutes->c_str(), nullptr, 10));
  return change(arguments, "/v1/delegations",
                Json::object({{"app", arguments.words[0]}, {"to", arguments.words[1]}, {"minutes", count}}));
}
int delegation_end(const Arguments& arguments) {
  return change(arguments, fmt::format("/v1/delegations/{}/end", named(arguments)), Json::object());
}

namespace {

std::string mission_path(const Arguments& arguments, std::string_view verb = {}) {
  return fmt::format("/v1/missions/{}{}{}", named(arguments), verb.empty() ? "" : "/", verb);
}

int say_of_mission(const Arguments& arguments, const std::string& name) {
  return change_because(arguments, mission_path(arguments, name), Json::object({{name, arguments.words[1]}}));
}

}  // namespace

int mission_list(const Arguments& arguments) {
  return list(arguments, "/v1/missions", "missions",
              {{"MISSION", "id"},
               {"NAME", "name"},
               {"STATE", "state"},
               {"PHASE", "phase"},
               {"THREAT", "threat"},
               {"LEAD", "lead"},
               {"PARTNERS", "partners"},
               {"UNTIL", "end"},
               {"SESSIONS", "sessions"}});
}
int mission_show(const Arguments& arguments) {
  const Result<Json> answer = call_node(arguments, "GET", mission_path(arguments));
  if (!answer) return report(answer.error(), arguments.json());
  if (arguments.json()) {
    print_json(*answer);
    return kExitOk;
  }
  for (const auto& [name, value] : answer->members()) fmt::print("{:10} {}\n", name, cell(*answer, name));
  return kExitOk;
}
int mission_phase(const Arguments& arguments) {
  return say_of_mission(arguments, "phase");
}
int mission_threat(const Arguments& arguments) {
  return say_of_mission(arguments, "threat");
}
int mission_end(const Arguments& arguments) {
  return change_with_reason(arguments, mission_path(arguments, "end"));
}

int why(const Arguments& arguments) {
  const Result<Json> answer = call_node(arguments, "GET", fmt::format("/v1/verdicts/{}", named(arguments)));
  if (!answer) return report(answer.error(), arguments.json());
  if (arguments.json()) {
    print_json(*answer);
    return kExitOk;
  }
  for (const auto& [name, value] : answer->members()) {
    if (name == "taken_back_by") {
      fmt::print("{:14} by entry {}: the ledger refused this change at first, and it never acted\n",
                 "TAKEN BACK", cell(*answer, name));
    } else if (name == "reasons" && value.is_array()) {
      for (const Json& reason : value.items()) {
        fmt::print("{:14} {}: {} [{}]\n", "reason", cell(reason, "layer"), cell(reason, "text"),
                   cell(reason, "policy"));
        if (cell(reason, "change") != "-") fmt::print("{:14} {}\n", "would change", cell(reason, "change"));
        if (cell(reason, "who_decides") != "-")
          fmt::print("{:14} {}\n", "who decides", cell(reason, "who_decides"));
      }
    } else {
      fmt::print("{:14} {}\n", name, cell(*answer, name));
    }
  }
  return kExitOk;
}

int ledger_show(const Arguments& arguments) {
  const std::string last = arguments.option("last").value_or("20");
  return list(arguments, fmt::format("/v1/ledger?last={}", last), "records",
              {{"INDEX", "index"}, {"TIME", "time"}, {"CLASS", "class"}, {"SUMMARY", "summary"}});
}

int doctor(const Arguments& arguments) {
  const Result<Json> answer = call_node(arguments, "GET", "/v1/status");
  if (!answer) return report(answer.error(), arguments.json());
  bool well = true;
  const Json* checks = answer->find("checks");
  if (checks != nullptr && checks->is_array()) {
    for (const Json& check : checks->items()) well = well && check.text_or("state", "") != "bad";
  }
  if (arguments.json()) {
    print_json(*answer);
  } else if (checks != nullptr && checks->is_array()) {
    for (const Json& check : checks->items()) {
      fmt::print("{:5} {:22} {}\n", cell(check, "state"), cell(check, "name"), cell(check, "text"));
      if (cell(check, "hint") != "-") fmt::print("      {:22} {}\n", "", cell(check, "hint"));
    }
  }
  return well ? kExitOk : kExitRefused;
}

}  // namespace entente::cli
