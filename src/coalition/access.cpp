#include "coalition/access.h"

#include "coalition/access_records.h"
#include "coalition/objects.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace entente::coalition {
namespace {

constexpr size_t kAnswerBytesMax = 1'000;
constexpr size_t kScopePathsMax = 16;
constexpr size_t kPathBytesMax = 256;
constexpr size_t kReleasedObjectMax = 128;
constexpr std::array<std::string_view, 5> kStates{"open", "granted", "denied", "withdrawn", "revoked"};

// Random ids and ids of people: what fits into a key and a link.
bool is_token(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

bool is_scope_path(std::string_view path) {
  return path.starts_with('/') && path.size() <= kPathBytesMax &&
         (path.size() == 1 || !path.ends_with('/')) &&
         std::all_of(path.begin(), path.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

// "XBB/p1/cop/r1" in parts; empty when there are more or fewer.
std::vector<std::string_view> parts_of(std::string_view rest, size_t count) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at <= rest.size() && parts.size() <= count;) {
    const size_t slash = std::min(rest.find('/', at), rest.size());
    parts.push_back(rest.substr(at, slash - at));
    at = slash + 1;
  }
  if (parts.size() != count) parts.clear();
  return parts;
}

Failure bad_key(std::string_view rest, std::string_view form) {
  return fail("coalition.record", "this is no key of such a record", std::string(rest),
              fmt::format("write {}", form));
}

// Both ends of something that must not last: read, and held to its longest.
void read_life(Fields& fields, std::string_view from, std::string_view to, Millis longest, Instant& start,
               Instant& end) {
  start = fields.instant(from);
  end = fields.instant(to);
  if (end <= start) fields.wrong(to, "it ends before it begins");
  if (end - start > longest) {
    fields.wrong(to, fmt::format("it lasts longer than {} days",
                                 std::chrono::duration_cast<std::chrono::days>(longest).count()));
  }
}

std::string read_person(Fields& fields, std::string_view key) {
  std::string text = fields.text(key, 80);
  if (!is_token(text)) fields.wrong(key, "this is no id of a person");
  return text;
}

Json approval_json(const Approval& approval, bool open) {
  Json out = Json::object({{"by", approval.by}, {"at", rfc3339(approval.at)}});
  if (!approval.authority.empty()) out.set("authority", approval.authority);
  if (!approval.verdict.empty()) out.set("verdict", approval.verdict.text());
  if (open && !approval.context.empty()) {
    out.set("facts", facts_to_json(approval.facts));
    out.set("context", facts_to_json(approval.context));
  }
  return out;
}

Facts read_facts(Fields& fields, std::string_view key) {
  const Json* json = fields.value_if(key);
  if (json == nullptr) return {};
  Result<Facts> read = facts_from_json(*json);
  if (!read) {
    fields.wrong(key, std::string(read.error().what()));
    return {};
  }
  return *std::move(read);
}

std::vector<Approval> read_approvals(Fields& fields) {
  std::vector<Approval> out;
  if (!fields.has("approvals")) return out;
  for (Fields& one : fields.objects("approvals", static_cast<size_t>(kApprovalsMax))) {
    Approval approval;
    approval.by = one.text("by", 128);
    approval.authority = one.text_or("authority", "", 128);
    approval.at = one.instant("at");
    approval.verdict = VerdictId(one.text_or("verdict", "", 64));
    approval.facts = read_facts(one, "facts");
    approval.context = read_facts(one, "context");
    [[maybe_unused]] const Result<void> done = one.done();
    out.push_back(std::move(approval));
  }
  return out;
}

RequestState read_state(Fields& fields) {
  const std::string state = fields.text("state", 16);
  const auto known = std::find(kStates.begin(), kStates.end(), state);
  if (known != kStates.end()) return static_cast<RequestState>(known - kStates.begin());
  fields.wrong("state", fmt::format("\"{}\" is no state of a request", state),
               fmt::format("one of {}", fmt::join(kStates, ", ")));
  return RequestState::open;
}

}  // namespace

bool is_person_id(std::string_view text) {
  return is_token(text);
}

Scope read_scope(Fields& fields) {
  Scope scope;
  if (!fields.has("scope")) return scope;
  Fields inner = fields.object("scope");
  scope.read_only = inner.boolean_or("read_only", false);
  scope.paths = inner.texts_or_none("paths", kScopePathsMax);
  for (const std::string& path : scope.paths) {
    if (!is_scope_path(path)) {
      inner.wrong("paths", fmt::format("\"{}\" is no path of an app", path),
                  "write /files, without a slash at its end");
    }
  }
  [[maybe_unused]] const Result<void> done = inner.done();  // its faults count in `fields`
  return scope;
}

bool Scope::covers(std::string_view method, std::string_view path, bool upgrade) const {
  if (read_only && upgrade) return false;  // what goes back through it is not seen
  if (read_only && method != "GET" && method != "HEAD") return false;
  if (paths.empty()) return true;
  path = path.substr(0, path.find('?'));
  return std::any_of(paths.begin(), paths.end(), [&](const std::string& allowed) {
    if (allowed == "/" || path == allowed) return true;
    return path.size() > allowed.size() && path.starts_with(allowed) && path[allowed.size()] == '/';
  });
}

Json to_json(const Scope& scope) {
  Json paths = Json::array();
  for (const std::string& path : scope.paths) paths.push(path);
  return Json::object({{"read_only", scope.read_only}, {"paths", std::move(paths)}});
}

std::string scope_text(const Scope& scope) {
  if (scope.whole()) return "everything";
  std::string out = scope.read_only ? "reading only" : "reading and writing";
  if (!scope.paths.empty()) out += fmt::format(", below {}", fmt::join(scope.paths, ", "));
  return out;
}

std::string_view state_name(RequestState state) {
  return kStates[static_cast<size_t>(state)];
}

std::string record_key(const Grant& grant) {
  return fmt::format("grant/{}/{}/{}/{}", grant.partner.text(), grant.person.text(), grant.app.text(),
                     grant.id.text());
}

Json to_json(const Grant& grant) {
  Json approved = Json::array();
  for (const std::string& name : grant.approved_by) approved.push(name);
  Json out = Json::object({{"purpose", grant.purpose},
                           {"start", rfc3339(grant.start)},
                           {"end", rfc3339(grant.end)},
                           {"count", grant.count},
                           {"used", grant.used},
                           {"approved_by", std::move(approved)}});
  if (!grant.scope.whole()) out.set("scope", to_json(grant.scope));
  return out;
}

Result<Grant> read_grant(std::string_view rest, Fields& fields) {
  const auto parts = parts_of(rest, 4);
  if (parts.empty() || !is_partner_code(parts[0]) || !is_token(parts[1]) || !is_label(parts[2]) ||
      !is_token(parts[3])) {
    return bad_key(rest, "grant/XBB/person/app/id");
  }
  Grant grant;
  grant.partner = PartnerCode(std::string(parts[0]));
  grant.person = PersonId(std::string(parts[1]));
  grant.app = AppId(std::string(parts[2]));
  grant.id = RequestId(std::string(parts[3]));
  grant.purpose = fields.text("purpose", kPurposeBytesMax);
  read_life(fields, "start", "end", kGrantLifeMax, grant.start, grant.end);
  grant.count = fields.integer("count", 1, kGrantUsesMax);
  grant.used = fields.integer("used", 0, kGrantUsesMax);
  grant.scope = read_scope(fields);
  grant.approved_by = fields.texts("approved_by", 2 * static_cast<size_t>(kApprovalsMax));
  if (grant.approved_by.empty()) fields.wrong("approved_by", "somebody has approved it", "name who");
  return grant;
}

std::string record_key(const AccessRequest& request, const PartnerCode& self) {
  if (request.owner == self) return fmt::format("request/{}/{}", request.partner.text(), request.id.text());
  return fmt::format("asked/{}/{}", request.owner.text(), request.id.text());
}

Json to_json(const AccessRequest& request) {
  Json approvals = Json::array();
  for (const Approval& approval : request.approvals)
    approvals.push(approval_json(approval, request.state == RequestState::open));
  Json out = Json::object({{"partner", request.partner.text()},
                           {"person", request.person.text()},
                           {"owner", request.owner.text()},
                           {"app", request.app.text()},
                           {"purpose", request.purpose},
                           {"minutes", request.minutes},
                           {"asked", rfc3339(request.asked)},
                           {"end", rfc3339(request.end)},
                           {"state", state_name(request.state)},
                           {"approvals_needed", request.approvals_needed},
                           {"approvals", std::move(approvals)},
                           {"facts", facts_to_json(request.facts)}});
  if (!request.answer.empty()) out.set("answer", request.answer);
  if (!request.scope.whole()) out.set("scope", to_json(request.scope));
  if (request.granted_until) out.set("granted_until", rfc3339(*request.granted_until));
  return out;
}

Result<AccessRequest> read_request(std::string_view rest, Fields& fields, bool at_owner) {
  const auto parts = parts_of(rest, 2);
  if (parts.empty() || !is_partner_code(parts[0]) || !is_token(parts[1])) {
    return bad_key(rest, at_owner ? "request/XBB/id" : "asked/XAA/id");
  }
  AccessRequest request;
  request.id = RequestId(std::string(parts[1]));
  request.partner = PartnerCode(fields.text("partner", 16));
  request.person = PersonId(read_person(fields, "person"));
  request.owner = PartnerCode(fields.text("owner", 16));
  if ((at_owner ? request.partner : request.owner).text() != parts[0]) {
    fields.wrong(at_owner ? "partner" : "owner", "the key names another partner");
  }
  request.app = AppId(fields.text("app", 64));
  if (!is_label(request.app.text())) fields.wrong("app", "this is no app's name");
  request.purpose = fields.text("purpose", kPurposeBytesMax);
  request.minutes = fields.integer("minutes", 1, kGrantLifeMax / std::chrono::minutes(1));
  request.scope = read_scope(fields);
  read_life(fields, "asked", "end", kRequestLifeMax, request.asked, request.end);
  request.state = read_state(fields);
  request.approvals_needed = fields.integer("approvals_needed", 1, kApprovalsMax);
  request.approvals = read_approvals(fields);
  request.answer = fields.text_or("answer", "", kAnswerBytesMax);
  if (const Json* facts = fields.value_if("facts")) {
    Result<Facts> read = facts_from_json(*facts);
    if (!read) return Failure(read.error());
    request.facts = *std::move(read);
  }
  if (fields.has("granted_until")) request.granted_until = fields.instant("granted_until");
  return request;
}

std::string record_key(const Release& release) {
  return fmt::format("release/{}/{}", release.partner.text(), release.id.text());
}

Json to_json(const Release& release) {
  const auto texts = [](const std::vector<std::string>& from) {
    Json out = Json::array();
    for (const std::string& one : from) out.push(one);
    return out;
  };
  Json approvals = Json::array();
  for (const Approval& approval : release.approvals) approvals.push(approval_json(approval, false));
  Json out = Json::object({{"partner", release.partner.text()},
                           {"object", release.object},
                           {"rights", texts(release.rights)},
                           {"purpose", release.purpose},
                           {"minutes", release.minutes},
                           {"by", release.by},
                           {"asked", rfc3339(release.asked)},
                           {"end", rfc3339(release.end)},
                           {"state", state_name(release.state)},
                           {"approvals_needed", release.approvals_needed},
                           {"approvals", std::move(approvals)}});
  if (!release.person.empty()) out.set("person", release.person.text());
  if (!release.answer.empty()) out.set("answer", release.answer);
  if (!release.attributes.empty()) out.set("attributes", texts(release.attributes));
  if (!release.facts.empty()) out.set("facts", facts_to_json(release.facts));
  if (release.start) out.set("start", rfc3339(*release.start));
  if (release.until) out.set("until", rfc3339(*release.until));
  return out;
}

Result<Release> read_release(std::string_view rest, Fields& fields) {
  const auto parts = parts_of(rest, 2);
  if (parts.empty() || !is_partner_code(parts[0]) || !is_token(parts[1]))
    return bad_key(rest, "release/XCC/id");
  Release release;
  release.partner = PartnerCode(std::string(parts[0]));
  release.id = RequestId(std::string(parts[1]));
  if (fields.text("partner", 16) != parts[0]) fields.wrong("partner", "the key names another partner");
  if (fields.has("person")) release.person = PersonId(read_person(fields, "person"));
  release.object = fields.text("object", kReleasedObjectMax);
  release.rights = fields.texts("rights", kReleaseRights.size());
  for (const std::string& right : release.rights) {
    if (std::find(kReleaseRights.begin(), kReleaseRights.end(), right) == kReleaseRights.end()) {
      fields.wrong("rights", fmt::format("\"{}\" is no right over an object", right),
                   fmt::format("some of {}", fmt::join(kReleaseRights, ", ")));
    }
  }
  if (release.rights.empty()) fields.wrong("rights", "it gives no right", "name one");
  release.purpose = fields.text("purpose", kPurposeBytesMax);
  release.minutes = fields.integer("minutes", 1, kGrantLifeMax / std::chrono::minutes(1));
  release.by = fields.text("by", 128);
  read_life(fields, "asked", "end", kRequestLifeMax, release.asked, release.end);
  release.state = read_state(fields);
  release.approvals_needed = fields.integer("approvals_needed", 1, kApprovalsMax);
  release.approvals = read_approvals(fields);
  release.answer = fields.text_or("answer", "", kAnswerBytesMax);
  release.attributes = fields.texts_or_none("attributes", kObjectAttributesMax);
  if (const Json* facts = fields.value_if("facts")) {
    TRY(release.facts, facts_from_json(*facts));
  }
  if (release.state != RequestState::granted) return release;
  Instant start, until;
  read_life(fields, "start", "until", kGrantLifeMax, start, until);
  if (std::ssize(release.approvals) < release.approvals_needed)
    fields.wrong("approvals", "fewer have approved it than are needed");
  release.start = start;
  release.until = until;
  return release;
}

std::string record_key(const Delegation& delegation) {
  return fmt::format("delegation/{}/{}/{}", delegation.app.text(), delegation.to.text(),
                     delegation.id.text());
}

Json to_json(const Delegation& delegation) {
  Json out = Json::object({{"from", delegation.from.text()},
                           {"start", rfc3339(delegation.start)},
                           {"end", rfc3339(delegation.end)}});
  if (!delegation.facts.empty()) out.set("facts", facts_to_json(delegation.facts));
  return out;
}

std::optional<Instant> lender_known_until(const Delegation& delegation, Instant now) {
  const auto signed_in = delegation.facts.find("signed_in_at");
  const auto* ms =
      signed_in == delegation.facts.end() ? nullptr : std::get_if<int64_t>(&signed_in->second.value);
  if (ms == nullptr || Instant(Millis(*ms)) > now) return std::nullopt;
  return Instant(Millis(*ms)) + kLenderKnownMax;
}

Result<Delegation> read_delegation(std::string_view rest, Fields& fields) {
  const auto parts = parts_of(rest, 3);
  if (parts.empty() || !is_label(parts[0]) || !is_token(parts[1]) || !is_token(parts[2])) {
    return bad_key(rest, "delegation/app/person/id");
  }
  Delegation delegation;
  delegation.app = AppId(std::string(parts[0]));
  delegation.to = PersonId(std::string(parts[1]));
  delegation.id = RequestId(std::string(parts[2]));
  delegation.from = PersonId(read_person(fields, "from"));
  if (delegation.from == delegation.to) fields.wrong("from", "nobody delegates to themselves");
  delegation.facts = read_facts(fields, "facts");
  read_life(fields, "start", "end", kDelegationLifeMax, delegation.start, delegation.end);
  return delegation;
}

}  // namespace entente::coalition
