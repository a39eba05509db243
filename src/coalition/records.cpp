#include "coalition/records.h"

#include "base/bytes.h"
#include "base/fields.h"
#include "coalition/access_records.h"
#include "coalition/levels.h"
#include "coalition/object_records.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace entente::coalition {
namespace {

constexpr size_t kNameMax = 200;
constexpr size_t kTextMax = 4096;
constexpr size_t kPartnersMax = 256;
constexpr size_t kAppsMax = 1024;
constexpr size_t kPolicyTextMax = 1 << 20;
constexpr size_t kMissionRolesMax = 32;
constexpr size_t kMissionWordsMax = 16;
constexpr size_t kRoleBytesMax = 64;
constexpr size_t kThumbprintLength = 43;  // 32 bytes, base64url without padding

bool is_operator_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text.front() != '.' && text.back() != '.' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
         });
}

bool is_thumbprint(std::string_view text) {
  return text.size() == kThumbprintLength && from_base64url(text).has_value();
}

PartnerCode read_code(Fields& fields, std::string_view key) {
  std::string text = fields.text(key, 16);
  if (!is_partner_code(text)) {
    fields.wrong(key, fmt::format("\"{}\" is no partner code", text), "write three capital letters");
  }
  return PartnerCode(std::move(text));
}

template <class Id>
Id read_label(Fields& fields, std::string_view key) {
  std::string text = fields.text(key, 64);
  if (!is_label(text)) {
    fields.wrong(key, fmt::format("\"{}\" is no name", text), "write a-z, 0-9 and single inner hyphens");
  }
  return Id(std::move(text));
}

// A list whose members are unique and of one form.
template <class Good>
std::vector<std::string> read_list(Fields& fields, std::string_view key, size_t count_max, const Good& good,
                                   std::string_view form) {
  std::vector<std::string> items = fields.texts_or_none(key, count_max);
  for (const std::string& item : items) {
    if (!good(item)) fields.wrong(key, fmt::format("\"{}\" is no {}", item, form));
  }
  std::vector<std::string> sorted = items;
  std::sort(sorted.begin(), sorted.end());
  const auto doubled = std::adjacent_find(sorted.begin(), sorted.end());
  if (doubled != sorted.end()) fields.wrong(key, fmt::format("\"{}\" stands here twice", *doubled));
  return items;
}

template <class Id>
std::vector<Id> as_ids(std::vector<std::string> texts) {
  std::vector<Id> ids;
  ids.reserve(texts.size());
  for (std::string& text : texts) ids.emplace_back(std::move(text));
  return ids;
}

std::vector<PartnerCode> read_codes(Fields& fields, std::string_view key) {
  return as_ids<PartnerCode>(read_list(fields, key, kPartnersMax, is_partner_code, "partner code"));
}

std::string read_level(Fields& fields, std::string_view key) {
  std::string text = fields.text(key, 64);
  if (!level_of(text)) {
    fields.wrong(key, fmt::format("\"{}\" is no level", text),
                 fmt::format("one of {}", fmt::join(kLevels, ", ")));
  }
  return text;
}

Partner read_partner(Fields& fields, std::string_view code) {
  Partner partner;
  partner.code = PartnerCode(std::string(code));
  partner.name = fields.text("name", kNameMax);
  const std::string state = fields.text("state", 16);
  if (state != "active" && state != "suspended") {
    fields.wrong("state", fmt::format("\"{}\" is no state", state), "write active or suspended");
  }
  partner.state = state == "active" ? PartnerState::active : PartnerState::suspended;
  partner.state_reason = fields.text_or("state_reason", "", kTextMax);
  partner.isolated = fields.text_or("isolated", "", kTextMax);
  if (fields.has("resumed_at")) partner.resumed_at = fields.instant("resumed_at");
  partner.member_since = fields.instant("member_since");
  partner.member_until = fields.instant("member_until");
  if (partner.member_until <= partner.member_since) {
    fields.wrong("member_until", "the membership ends before it begins");
  }
  if (partner.member_until - partner.member_since > kMembershipMax) {
    fields.wrong("member_until", "the membership is longer than 400 days",
                 "agree on an earlier end; renew then");
  }
  partner.link_thumbprints = read_list(fields, "link_thumbprints", 16, is_thumbprint, "SHA-256 in base64url");
  if (const Json* keys = fields.value_if("statement_keys")) {
    if (keys->find("keys") == nullptr || !keys->find("keys")->is_array()) {
      fields.wrong("statement_keys", "this is no JWK set", "write {\"keys\": [...]}");
    }
    partner.statement_keys = *keys;
  }
  partner.link_address = fields.text_or("link_address", "", 256);
  partner.ceiling = read_level(fields, "ceiling");
  return partner;
}

// {"planner": ["planning", "execution"]}
// Phases of roles, too, are among the words that this mission knows.
void read_roles(Fields& fields, Mission& mission) {
  const Json* roles = fields.value_if("roles");
  if (roles == nullptr) return;
  if (!roles->is_object() || roles->members().size() > kMissionRolesMax) {
    return fields.wrong("roles", "these are no roles with their phases",
                        fmt::format("write {{\"planner\": [\"planning\"]}}, at most {}", kMissionRolesMax));
  }
  Fields each = fields.object("roles");
  for (const auto& [role, phases] : roles->members()) {
    if (role.empty() || role.size() > kRoleBytesMax) fields.wrong("roles", "this is no name of a role", role);
    const auto known = [&mission](const std::string& phase) {
      const auto& all = mission.phases;
      return is_label(phase) && (all.empty() || std::find(all.begin(), all.end(), phase) != all.end());
    };
    mission.roles[role] = read_list(each, role, kMissionWordsMax, known, "phase of this mission");
  }
  [[maybe_unused]] const Result<void> done = each.done();  // its faults count in `fields`
}

Mission read_mission(Fields& fields, std::string_view id) {
  Mission mission;
  mission.id = MissionId(std::string(id));
  mission.name = fields.text("name", kNameMax);
  mission.partners = read_codes(fields, "partners");
  if (mission.partners.empty()) fields.wrong("partners", "a mission has partners", "name at least one");
  mission.phase = fields.text("phase", 64);
  mission.threat = fields.text("threat", 64);
  mission.start = fields.instant("start");
  mission.end = fields.instant("end");
  if (mission.end <= mission.start) fields.wrong("end", "the mission ends before it begins");
  if (fields.has("lead")) mission.lead = read_code(fields, "lead");
  mission.number = fields.integer_or("number", 0, 0, std::numeric_limits<int64_t>::max());
  mission.phases = read_list(fields, "phases", kMissionWordsMax, is_label, "phase");
  mission.threats = read_list(fields, "threats", kMissionWordsMax, is_label, "threat");
  read_roles(fields, mission);
  const auto& all = mission.partners;
  if (!mission.lead.empty() && std::find(all.begin(), all.end(), mission.lead) == all.end())
    fields.wrong("lead", "a mission is led by one of its partners");
  return mission;
}

Segment read_segment(Fields& fields, std::string_view id) {
  Segment segment;
  segment.id = SegmentId(std::string(id));
  segment.name = fields.text("name", kNameMax);
  segment.mission = read_label<MissionId>(fields, "mission");
  return segment;
}

// Whether one assertion may go out with several requests of a session (the default) or each has its own.
bool read_assertion_use(Fields& fields) {
  const std::string use = fields.text_or("assertion", "kept", 32);
  if (use != "kept" && use != "each_request") {
    fields.wrong("assertion", "this is no way to use assertions", "write \"kept\" or \"each_request\"");
  }
  return use == "each_request";
}

bool read_protocol(Fields& fields) {
  const std::string protocol = fields.text_or("protocol", "http", 32);
  if (protocol != "http" && protocol != "bytes") {
    fields.wrong("protocol", "this is no protocol of an app", "write \"http\" or \"bytes\"");
  }
  return protocol == "bytes";
}

App read_app(Fields& fields, std::string_view id) {
  App app;
  app.ref.owner = read_code(fields, "owner");
  app.ref.app = AppId(std::string(id));
  app.name = fields.text("name", kNameMax);
  app.description = fields.text_or("description", "", kTextMax);
  app.banner = fields.text("banner", kNameMax);
  app.classification = read_level(fields, "classification");
  app.mission = read_label<MissionId>(fields, "mission");
  app.segment = read_label<SegmentId>(fields, "segment");
  app.offered_to = read_codes(fields, "offered_to");
  app.shares = fields.texts_or_none("shares", kFactsMax);
  app.assertion_each_request = read_assertion_use(fields);
  app.carries_bytes = read_protocol(fields);
  app.end = fields.instant("end");
  app.withdrawn = fields.text_or("withdrawn", "", kTextMax);
  return app;
}

Connector read_connector(Fields& fields, std::string_view id) {
  Connector connector;
  connector.id = ConnectorId(std::string(id));
  connector.thumbprint = fields.text("thumbprint", 64);
  if (!is_thumbprint(connector.thumbprint)) {
    fields.wrong("thumbprint", "this is no SHA-256 in base64url", "43 characters, no padding");
  }
  connector.apps = as_ids<AppId>(read_list(fields, "apps", kAppsMax, is_label, "app name"));
  connector.nations = read_codes(fields, "for");
  connector.end = fields.instant("end");
  return connector;
}

Operator read_operator(Fields& fields, const Json& value, std::string_view name) {
  Operator person;
  person.name = OperatorName(std::string(name));
  person.display = fields.text("display", kNameMax);
  const Json* uids = fields.value_if("uids");
  if (uids != nullptr && (!uids->is_array() || uids->items().size() > 16)) {
    fields.wrong("uids", "this is no list of user ids", "write at most 16 whole numbers");
  }
  if (uids != nullptr && uids->is_array()) {
    for (const Json& uid : value.find("uids")->items()) {
      if (!uid.is_int() || uid.integer() < 0 || uid.integer() > std::numeric_limits<uint32_t>::max()) {
        fields.wrong("uids", "a user id is a whole number of 32 bits");
        continue;
      }
      person.uids.push_back(static_cast<uint32_t>(uid.integer()));
    }
  }
  person.roles = read_list(fields, "roles", 16, is_label, "role");
  person.person = PersonId(fields.text_or("person", "", 80));
  person.end = fields.instant("end");
  return person;
}

Failure bad_key(std::string_view key, std::string hint) {
  return fail("coalition.record", "this is no key of such a record", std::string(key), std::move(hint));
}

Result<Thing> as_thing(Thing thing) {
  return thing;
}
template <class T>
Result<Thing> as_thing(Result<T> read) {
  if (!read) return Failure(read.error());
  return Thing(*std::move(read));
}

// Reads with `read`, and says the record's key in front of the field's path.
template <class Read>
Result<Thing> reading(std::string_view key, const Json& value, const Read& read) {
  Fields fields(value, std::string(key));
  Result<Thing> thing = as_thing(read(fields));
  if (thing) TRY_VOID(fields.done());
  return thing;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

Result<Thing> read_offer(std::string_view key, std::string_view rest, const Json& value) {
  const size_t slash = rest.find('/');
  const std::string_view owner = rest.substr(0, slash);
  if (slash == std::string_view::npos || !is_partner_code(owner) || !is_label(rest.substr(slash + 1))) {
    return bad_key(key, "write offer/XAA/name");
  }
  return reading(key, value, [&](Fields& fields) {
    App app = read_app(fields, rest.substr(slash + 1));
    if (app.ref.owner.text() != owner) {
      fields.wrong("owner", fmt::format("{} offers an app of {}", owner, app.ref.owner.text()),
                   "a partner offers its own apps only");
    }
    return Thing(std::move(app));
  });
}

Result<Thing> read_policy(std::string_view key, std::string_view rest, const Json& value) {
  const size_t slash = rest.find('/');
  const std::string layer(rest.substr(0, slash));
  if (std::find(std::begin(kLayerNames), std::end(kLayerNames), layer) == std::end(kLayerNames) ||
      slash == std::string_view::npos || !is_label(rest.substr(slash + 1))) {
    return bad_key(key, "write policy/coalition/name, policy/host/name or policy/home/name");
  }
  return reading(key, value, [&](Fields& fields) {
    return Thing(PolicyText{layer, fields.text("text", kPolicyTextMax)});
  });
}

}  // namespace

Result<Thing> read_record(std::string_view key, const Json& value) {
  std::string_view rest = key;
  if (key == "schema") {
    return reading(key, value, [](Fields& f) { return Thing(SchemaText{f.text("text", kPolicyTextMax)}); });
  }
  if (take_prefix(rest, "node/")) {
    if (rest != "self") return bad_key(key, "write node/self");
    return reading(key, value, [](Fields& f) { return Thing(NodeSelf{read_code(f, "partner")}); });
  }
  if (take_prefix(rest, "partner/")) {
    if (!is_partner_code(rest)) return bad_key(key, "write partner/ and three capital letters");
    return reading(key, value, [&](Fields& f) { return Thing(read_partner(f, rest)); });
  }
  if (take_prefix(rest, "operator/")) {
    if (!is_operator_name(rest))
      return bad_key(key, "write operator/ and a name of a-z, 0-9, - and inner dots");
    return reading(key, value, [&](Fields& f) { return Thing(read_operator(f, value, rest)); });
  }
  if (take_prefix(rest, "offer/")) return read_offer(key, rest, value);
  if (take_prefix(rest, "policy/")) return read_policy(key, rest, value);
  if (take_prefix(rest, "grant/")) {
    return reading(key, value, [&](Fields& f) { return read_grant(rest, f); });
  }
  if (take_prefix(rest, "request/")) {
    return reading(key, value, [&](Fields& f) { return read_request(rest, f, true); });
  }
  if (take_prefix(rest, "asked/")) {
    return reading(key, value, [&](Fields& f) { return read_request(rest, f, false); });
  }
  if (take_prefix(rest, "release/")) {
    return reading(key, value, [&](Fields& f) { return read_release(rest, f); });
  }
  if (take_prefix(rest, "delegation/")) {
    return reading(key, value, [&](Fields& f) { return read_delegation(rest, f); });
  }
  if (take_prefix(rest, "attribute/")) {
    return reading(key, value, [&](Fields& f) { return read_attribute(rest, f); });
  }
  if (take_prefix(rest, "label-policy/")) {
    return reading(key, value, [&](Fields& f) { return read_label_terms(rest, f); });
  }
  if (take_prefix(rest, "domain/")) {
    return reading(key, value, [&](Fields& f) { return read_domain(rest, f); });
  }
  if (take_prefix(rest, "key-service/")) {
    return reading(key, value, [&](Fields& f) { return read_key_service(rest, f); });
  }
  if (take_prefix(rest, "recall/")) {
    return reading(key, value, [&](Fields& f) { return read_recall(rest, f); });
  }

  using Read = Thing (*)(Fields&, std::string_view);
  constexpr std::pair<std::string_view, Read> kinds[] = {
      {"mission/", [](Fields& f, std::string_view id) { return Thing(read_mission(f, id)); }},
      {"segment/", [](Fields& f, std::string_view id) { return Thing(read_segment(f, id)); }},
      {"app/", [](Fields& f, std::string_view id) { return Thing(read_app(f, id)); }},
      {"connector/", [](Fields& f, std::string_view id) { return Thing(read_connector(f, id)); }},
  };
  for (const auto& kind : kinds) {
    if (!take_prefix(rest, kind.first)) continue;
    if (!is_label(rest))
      return bad_key(key, fmt::format("write {} and a name of a-z, 0-9 and hyphens", kind.first));
    return reading(key, value, [&, read = kind.second](Fields& f) { return read(f, rest); });
  }
  return Thing(Carried{});
}

std::vector<std::string> references(const Thing& thing) {
  std::vector<std::string> keys;
  if (const auto* self = std::get_if<NodeSelf>(&thing)) keys.push_back(record_key(self->partner));
  if (const auto* mission = std::get_if<Mission>(&thing)) {
    for (const PartnerCode& code : mission->partners) keys.push_back(record_key(code));
  }
  if (const auto* segment = std::get_if<Segment>(&thing)) keys.push_back(record_key(segment->mission));
  if (const auto* app = std::get_if<App>(&thing)) {
    keys = {record_key(app->ref.owner), record_key(app->mission), record_key(app->segment)};
    for (const PartnerCode& code : app->offered_to) keys.push_back(record_key(code));
  }
  if (const auto* connector = std::get_if<Connector>(&thing)) {
    for (const AppId& app : connector->apps) keys.push_back("app/" + app.text());
    for (const PartnerCode& code : connector->nations) keys.push_back(record_key(code));
  }
  if (std::holds_alternative<PolicyText>(thing)) keys.emplace_back("schema");
  if (const auto* grant = std::get_if<Grant>(&thing)) {
    keys = {record_key(grant->partner), "app/" + grant->app.text()};
  }
  if (const auto* release = std::get_if<Release>(&thing)) keys.push_back(record_key(release->partner));
  if (const auto* delegation = std::get_if<Delegation>(&thing))
    keys.push_back("app/" + delegation->app.text());
  if (const auto* attribute = std::get_if<Attribute>(&thing)) {
    if (!attribute->policy.empty()) keys.push_back("label-policy/" + attribute->policy);
  }
  if (const auto* domain = std::get_if<Domain>(&thing)) {
    keys = {record_key(domain->owner), record_key(domain->mission)};
    for (const PartnerCode& code : domain->partners) keys.push_back(record_key(code));
  }
  if (const auto* service = std::get_if<KeyService>(&thing)) keys.push_back(record_key(service->partner));
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

std::string record_key(const PartnerCode& code) {
  return "partner/" + code.text();
}
std::string record_key(const MissionId& id) {
  return "mission/" + id.text();
}
std::string record_key(const SegmentId& id) {
  return "segment/" + id.text();
}
std::string record_key(const ConnectorId& id) {
  return "connector/" + id.text();
}
std::string record_key(const OperatorName& name) {
  return "operator/" + name.text();
}
std::string record_key(const AppRef& ref, const PartnerCode& self) {
  if (ref.owner == self) return "app/" + ref.app.text();
  return "offer/" + ref.owner.text() + "/" + ref.app.text();
}

}  // namespace entente::coalition
