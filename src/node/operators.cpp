#include "node/operators.h"

#include "base/fields.h"
#include "crypto/digest.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace entente::node {
namespace {

constexpr std::string_view kEnrolments = "enrolment/";

ledger::Record change_leaf(std::string event_class, const coalition::Person& who,
                           const coalition::Verdict& verdict, Instant now) {
  ledger::Record leaf{.event_class = std::move(event_class), .time = now, .fields = {}};
  leaf.fields.emplace_back("who", who.id.text());
  leaf.fields.emplace_back("verdict", verdict.id.text());
  return leaf;
}

}  // namespace

std::string enrolment_key(const std::string& id) {
  return std::string(kEnrolments) + id;
}

coalition::Facts operator_context(std::string_view network, Instant now) {
  return coalition::calm_moment(network, "node", now + Seconds(60));
}

coalition::Ask operator_ask(const Caller& by, coalition::Action action, coalition::Target target,
                            std::string purpose, Instant now) {
  coalition::Ask ask;
  ask.id = VerdictId(crypto::random_token(12));
  ask.action = action;
  ask.who = by.who;
  ask.target = std::move(target);
  ask.now = now;
  ask.purpose = std::move(purpose);
  ask.context = operator_context(by.network, now);
  return ask;
}

ledger::Record verdict_record(const coalition::Verdict& verdict, const coalition::Person& who,
                              std::string_view action, const coalition::Facts& context, Instant now) {
  ledger::Record record{.event_class = "verdict", .time = now, .fields = {}};
  record.fields.emplace_back("verdict", verdict.id.text());
  record.fields.emplace_back("who", who.id.text());
  record.fields.emplace_back("partner", who.partner.text());
  record.fields.emplace_back("action", action);
  record.fields.emplace_back("context", coalition::facts_to_json(context));
  record.fields.emplace_back("answer", verdict.to_json());
  return record;
}

ledger::Record record_of(exchange::Leaf leaf, Instant now) {
  ledger::Record record{.event_class = std::move(leaf.kind), .time = now, .fields = {}};
  for (auto& [name, value] : leaf.fields) record.fields.emplace_back(std::move(name), std::move(value));
  return record;
}

Error not_durable(const std::string& what, const Error& why) {
  return {"node.fenced-not-durable", fmt::format("{} is fenced, not yet durable: {}", what, why.what()),
          why.where(),
          "nothing of it passes, but a restart would forget it: mend the disk; it is written by itself then"};
}

namespace {

// How a partner stands here: `member` holds the reason while it is shut out, and goes when it is let in
// again. Then who signed in before signs in once more.
Change standing_change(const PartnerCode& partner, Json record, std::string_view member,
                       std::string_view event, const std::string& reason, bool narrows,
                       const coalition::Person& who, const coalition::Verdict& verdict, Instant now) {
  std::erase_if(record.members(), [&](const Json::Member& one) { return one.first == member; });
  if (narrows) {
    record.set(std::string(member), reason);
  } else {
    record.set("resumed_at", rfc3339(now));
  }
  ledger::Record leaf = change_leaf(std::string(event), who, verdict, now);
  leaf.fields.emplace_back("partner", partner.text());
  leaf.fields.emplace_back("reason", reason);
  Change change;
  change.records = {{"partner/" + partner.text(), std::move(record)}};
  change.leaves = {std::move(leaf)};
  change.author = who.id.text();
  change.narrowing = narrows;
  return change;
}

}  // namespace

Change partner_state_change(const coalition::World& world, const PartnerCode& partner,
                            coalition::PartnerState state, const std::string& reason,
                            const coalition::Person& who, const coalition::Verdict& verdict, Instant now) {
  const bool suspends = state == coalition::PartnerState::suspended;
  Json record = *world.raw("partner/" + partner.text());
  record.set("state", suspends ? "suspended" : "active");
  return standing_change(partner, std::move(record), "state_reason",
                         suspends ? "partner.suspend" : "partner.resume", reason, suspends, who, verdict,
                         now);
}

Change isolation_change(const coalition::World& world, const PartnerCode& partner, const std::string& reason,
                        bool isolates, const coalition::Person& who, const coalition::Verdict& verdict,
                        Instant now) {
  return standing_change(partner, *world.raw("partner/" + partner.text()), "isolated",
                         isolates ? "partner.isolate" : "partner.rejoin", reason, isolates, who, verdict,
                         now);
}

Change app_withdrawal(const coalition::World& world, const coalition::AppRef& app, const std::string& reason,
                      const coalition::Person& who, const coalition::Verdict& verdict, Instant now) {
  const std::string key = "app/" + app.app.text();
  Json record = *world.raw(key);
  record.set("offered_to", Json::array());
  record.set("end", rfc3339(now));
  record.set("withdrawn", reason);
  ledger::Record leaf = change_leaf("app.withdraw", who, verdict, now);
  leaf.fields.emplace_back("app", app.app.text());
  leaf.fields.emplace_back("reason", reason);
  Change change;
  change.records = {{key, std::move(record)}};
  change.leaves = {std::move(leaf)};
  change.author = who.id.text();
  change.narrowing = true;
  return change;
}

Change connector_cut(const std::string& id, const std::string& reason, const coalition::Person& who,
                     const coalition::Verdict& verdict, Instant now) {
  ledger::Record leaf = change_leaf("connector.cut", who, verdict, now);
  leaf.fields.emplace_back("connector", id);
  leaf.fields.emplace_back("reason", reason);
  Change change;
  // Its token too: whoever holds it would be that connector again. Both, whatever stands now: an enrolment
  // that is being written turns the one into the other.
  change.records = {{"connector/" + id, std::nullopt}, {enrolment_key(id), std::nullopt}};
  change.leaves = {std::move(leaf)};
  change.author = who.id.text();
  change.narrowing = true;
  return change;
}

Result<void> check_connector(const coalition::World& world, const std::string& id,
                             const std::vector<std::string>& apps, const std::vector<std::string>& nations) {
  const auto wrong = [](std::string what, const char* name, const char* hint) {
    return fail("field.value", std::move(what), name, hint);
  };
  const auto twice = [](const std::vector<std::string>& all, const std::string& one) {
    return std::ranges::count(all, one) > 1;
  };
  if (!is_label(id))
    return wrong(fmt::format("\"{}\" is no connector name", id), "id", "write a-z, 0-9 and single hyphens");
  if (apps.empty()) return wrong(fmt::format("{} stands beside no app", id), "apps", "name at least one");
  for (const std::string& app : apps) {
    if (world.app({world.self(), AppId(app)}) == nullptr)
      return wrong(fmt::format("this node has no app {}", app), "apps", "see `entente app list`");
    if (twice(apps, app)) return wrong(fmt::format("{} stands here twice", app), "apps", "name each once");
  }
  for (const std::string& code : nations) {
    if (world.partner(PartnerCode(code)) == nullptr)
      return wrong(fmt::format("{} is no partner here", code), "for", "name nations of this coalition");
    if (twice(nations, code))
      return wrong(fmt::format("{} stands here twice", code), "for", "name each once");
  }
  return {};
}

Change enrolment_change(const std::string& id, const std::vector<std::string>& apps,
                        const std::vector<std::string>& nations, Millis life, std::string_view token,
                        const coalition::Person& who, const coalition::Verdict& verdict, Instant now) {
  Json apps_json = Json::array();
  for (const std::string& app : apps) apps_json.push(app);
  const crypto::Digest digest = crypto::sha256(token);
  Json record = Json::object({{"token_sha256", base64url(digest)},
                              {"apps", std::move(apps_json)},
                              {"end", rfc3339(now + kEnrolmentLife)},
                              {"connector_end", rfc3339(now + life)}});
  if (!nations.empty()) {
    Json codes = Json::array();
    for (const std::string& code : nations) codes.push(code);
    record.set("for", std::move(codes));
  }
  ledger::Record leaf = change_leaf("connector.expect", who, verdict, now);
  leaf.fields.emplace_back("connector", id);
  for (const char* told : {"apps", "for", "connector_end", "end"}) {
    if (const Json* value = record.find(told); value != nullptr) leaf.fields.emplace_back(told, *value);
  }
  Change change;
  change.records = {{enrolment_key(id), std::move(record)}};
  change.leaves = {std::move(leaf)};
  change.author = who.id.text();
  return change;
}

std::vector<Expected> expected_connectors(const coalition::World& world, Instant now) {
  std::vector<Expected> out;
  for (const std::string& key : world.keys(kEnrolments)) {
    const Json& record = *world.raw(key);
    const Result<Instant> until = parse_rfc3339(record.text_or("end", ""));
    const Json* apps = record.find("apps");
    if (!until || *until <= now || apps == nullptr) continue;
    out.push_back({key.substr(kEnrolments.size()), *apps, *until});
  }
  return out;
}

Result<void> may_enrol(const coalition::World& world, const std::string& id, std::string_view token,
                       Instant now) {
  const Json* expected = is_label(id) ? world.raw(enrolment_key(id)) : nullptr;
  if (expected == nullptr) return fail("enrol.refused", "this enrolment is not expected here");
  TRY(const Instant end, parse_rfc3339(expected->text_or("end", "")));
  const crypto::Digest shown = crypto::sha256(token);
  const std::string_view digest = expected->text_or("token_sha256", "");
  if (!crypto::equal_constant_time(base64url(shown), digest) || now >= end)
    return fail("enrol.refused", "this enrolment is not expected here");
  return {};
}

Result<Change> enrol_connector(const coalition::World& world, const std::string& id, std::string_view token,
                               const std::string& thumbprint, Instant now) {
  TRY_VOID(may_enrol(world, id, token, now));
  const Json& expected = *world.raw(enrolment_key(id));
  Json record = Json::object({{"thumbprint", thumbprint}});
  ledger::Record leaf{.event_class = "connector.enrol", .time = now, .fields = {}};
  leaf.fields.emplace_back("connector", id);
  leaf.fields.emplace_back("thumbprint", thumbprint);
  constexpr std::array<std::pair<const char*, const char*>, 3> kMembers{
      {{"apps", "apps"}, {"for", "for"}, {"end", "connector_end"}}};
  for (const auto& [name, was] : kMembers) {
    const Json* value = expected.find(was);
    if (value == nullptr) continue;
    record.set(name, *value);
    leaf.fields.emplace_back(name, *value);
  }
  Change change;
  change.records = {{enrolment_key(id), std::nullopt}, {"connector/" + id, std::move(record)}};
  change.leaves = {std::move(leaf)};
  change.author = "connector/" + id;
  return change;
}

namespace {

// A record tells of a verdict by its id, by holding it whole, or inside the ending it led to.
bool tells_of(const ledger::Record& record, std::string_view id) {
  for (const auto& [name, value] : record.fields) {
    if (name == "verdict" && value.is_string() && value.string() == id) return true;
    if (name == "verdict" && value.is_object() && value.text_or("id", "") == id) return true;
    if (name == "ending" && value.text_or("verdict", "") == id) return true;
  }
  return false;
}

}  // namespace

std::optional<uint64_t> TakenBack::look(uint64_t index, const ledger::Record& record) {
  const auto integer = [&](std::string_view name) -> int64_t {
    const auto at = std::ranges::find(record.fields, name, [](const auto& one) { return one.first; });
    return at != record.fields.end() && at->second.is_int() ? at->second.integer() : 0;
  };
  if (record.event_class == kUndoneLeaf) by_.emplace(integer("undone"), index);
  const int64_t revision = integer("store.rev");
  const auto found = by_.find(revision);
  return revision == 0 || found == by_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<Json> find_verdict(const ledger::Ledger& ledger, std::string_view id, uint64_t size,
                                 uint64_t skip, uint64_t count, TakenBack& taken_back) {
  for (uint64_t back = skip + 1; back <= std::min(size, skip + count); ++back) {
    Result<ledger::Record> record = ledger.record(size - back);
    if (!record) continue;
    const std::optional<uint64_t> undone = taken_back.look(size - back, *record);
    if (!tells_of(*record, id)) continue;
    Json out = Json::object({{"verdict", id},
                             {"recorded", rfc3339(record->time)},
                             {"class", record->event_class},
                             {"index", static_cast<int64_t>(size - back)}});
    if (undone) out.set("taken_back_by", static_cast<int64_t>(*undone));
    for (auto& [name, value] : record->fields) {
      if ((name == "answer" || name == "ending" || name == "verdict") && value.is_object()) {
        for (Json::Member& part : value.members()) {
          if (part.first != "verdict" && part.first != "id") out.set(part.first, std::move(part.second));
        }
      } else if (name != "verdict") {
        out.set(name, std::move(value));
      }
    }
    return out;
  }
  return std::nullopt;
}

namespace {

// Somebody else's words stand in quotes, so that no value looks like another field.
std::string summary_value(const Json& value) {
  if (!value.is_string()) return value.dump();
  const std::string& text = value.string();
  const bool plain = !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._:/@+-").find(c) != std::string_view::npos;
  });
  return plain ? text : value.dump();
}

Json tail_row(const ledger::Ledger& ledger, uint64_t index, bool disclose, TakenBack& taken_back) {
  const Result<ledger::Record> record = ledger.record(index);
  // Said, not left out: a list with gaps would tell of fewer entries than there are.
  if (!record) {
    return Json::object({{"index", static_cast<int64_t>(index)},
                         {"class", "unreadable"},
                         {"summary", record.error().text()},
                         {"fields", Json::object({})}});
  }
  const std::optional<uint64_t> undone = taken_back.look(index, *record);
  std::string summary;
  if (undone) summary = fmt::format("taken back by entry {}, never acted:", *undone);
  std::vector<std::string> told;
  for (const auto& [name, value] : record->fields) {
    const bool shown = !name.starts_with("store.") || (undone && name == "store.rev");
    if (!shown || value.is_object() || value.is_array()) continue;
    summary += fmt::format("{}{}={}", summary.empty() ? "" : " ", name, summary_value(value));
    told.push_back(name);
  }
  Json row = Json::object({{"index", static_cast<int64_t>(index)},
                           {"time", rfc3339(record->time)},
                           {"class", record->event_class},
                           {"summary", summary},
                           {"fields", Json(Json::Object(record->fields))}});
  if (undone) row.set("taken_back_by", static_cast<int64_t>(*undone));
  if (!disclose) return row;
  const Result<ledger::Disclosure> shown = ledger.disclose(index, told);
  if (shown) row.set("disclosure", shown->json());
  return row;
}

}  // namespace

Json ledger_tail(const ledger::Ledger& ledger, uint64_t count, bool disclose) {
  Json records = Json::array();
  const uint64_t size = ledger.size();
  TakenBack taken_back;
  for (uint64_t back = 1; back <= std::min(size, count); ++back)
    records.push(tail_row(ledger, size - back, disclose, taken_back));
  std::ranges::reverse(records.items());
  return Json::object({{"size", static_cast<int64_t>(size)},
                       {"checkpoint", ledger.checkpoint()},
                       {"records", std::move(records)}});
}

}  // namespace entente::node
