// The verbs of operators: each is one call of the node's API.
#include "cli/answers.h"
#include "cli/operator_client.h"
#include "cli/verbs.h"
#include "net/url.h"

#include <fmt/format.h>

namespace entente::cli {
namespace {

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

// What other nations' services released is among the keys: whether it opens they say, and nobody here.
std::string openable_words(const Json& answer) {
  const auto keys = [&](const char* name) {
    const Json* count = answer.find(name);
    return count != nullptr && count->is_int() ? count->integer() : 0;
  };
  const int64_t openable = keys("openable"), elsewhere = keys("elsewhere");
  if (elsewhere == 0) return fmt::format("{} of these can still be opened", openable);
  return fmt::format(
      "{} of these are shut, {} can still be opened, and {} may: other nations' services released those, and "
      "say whether they open",
      keys("releases") - openable - elsewhere, openable, elsewhere);
}

void print_exposure(const Json& answer, bool narrow) {
  fmt::print("{} keys released to {} readers, of {} objects; {}\n", cell(answer, "releases"),
             cell(answer, "readers"), cell(answer, "objects"), openable_words(answer));
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
  if (arguments.option("before")) {
    const Result<int64_t> before = arguments.number("before");
    if (!before) return report(before.error(), arguments.json());
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
  if (arguments.option("days")) {
    const Result<int64_t> days = arguments.number("days");
    if (!days) return report(days.error(), arguments.json());
    body.set("days", *days);
  }
  return change(arguments, "/v1/connectors", body);
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
  constexpr int64_t kLastShown = 20;
  const Result<int64_t> last = arguments.option("last") ? arguments.number("last") : kLastShown;
  if (!last) return report(last.error(), arguments.json());
  return list(arguments, fmt::format("/v1/ledger?last={}", *last), "records",
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
