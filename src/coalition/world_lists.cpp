// What a world says of each thing, by its name or by what it belongs to.
#include "coalition/records.h"
#include "coalition/world_data.h"

#include <fmt/format.h>

namespace entente::coalition {
namespace {

// Of one length, in the order of time.
std::string sortable(Instant at) {
  return fmt::format("{:016x}", static_cast<uint64_t>(at.time_since_epoch().count()) ^ (uint64_t{1} << 63));
}

std::vector<std::string> listings(const AccessRequest& request, bool at_owner) {
  const std::string& id = request.id.text();
  if (!at_owner) {
    return {fmt::format("asked-id/{}/{}", id, request.owner.text()),
            fmt::format("asked-of/{}/{}/{}", request.person.text(), request.owner.text(), id)};
  }
  const std::string& partner = request.partner.text();
  std::vector<std::string> out{fmt::format("request-id/{}/{}", id, partner),
                               fmt::format("request-of/{}/{}/{}", partner, request.person.text(), id),
                               fmt::format("request-at/{}/{}/{}", sortable(request.asked), partner, id)};
  if (request.state != RequestState::open) return out;
  const std::string end = sortable(request.end);
  out.push_back(fmt::format("request-open/{}/{}/{}", partner, end, id));
  out.push_back(fmt::format("request-waits/{}/{}/{}", end, partner, id));
  out.push_back(fmt::format("request-for/{}/{}/{}/{}", request.app.text(), end, partner, id));
  for (const Approval& one : request.approvals)
    if (!one.facts.empty() || !one.context.empty())
      out.push_back(fmt::format("request-approved/{}/{}/{}", one.by, partner, id));
  return out;
}

}  // namespace

std::vector<std::string> listings(const std::string& key, const Thing& thing) {
  if (const auto* request = std::get_if<AccessRequest>(&thing))
    return listings(*request, key.starts_with("request/"));
  if (const auto* grant = std::get_if<Grant>(&thing))
    return {fmt::format("grant-id/{}/{}", grant->id.text(), key),
            fmt::format("grant-at/{}/{}", sortable(grant->start), grant->id.text()),
            fmt::format("grant-until/{}/{}", sortable(grant->end), grant->id.text()),
            fmt::format("grant-for/{}/{}/{}", grant->app.text(), sortable(grant->end), grant->id.text())};
  if (const auto* one = std::get_if<Delegation>(&thing)) {
    return {fmt::format("delegation-id/{}/{}", one->id.text(), key),
            fmt::format("delegation-from/{}/{}", one->from.text(), key)};
  }
  if (const auto* release = std::get_if<Release>(&thing))
    return {fmt::format("release-id/{}/{}", release->id.text(), key)};
  return {};
}

const Partner* World::partner(const PartnerCode& code) const {
  return data_->get<Partner>(record_key(code));
}
const Mission* World::mission(const MissionId& id) const {
  return data_->get<Mission>(record_key(id));
}
const Segment* World::segment(const SegmentId& id) const {
  return data_->get<Segment>(record_key(id));
}
const App* World::app(const AppRef& ref) const {
  return data_->get<App>(record_key(ref, self()));
}
const Connector* World::connector(const ConnectorId& id) const {
  return data_->get<Connector>(record_key(id));
}
const Connector* World::connector_by_thumbprint(std::string_view thumbprint) const {
  return data_->claimant<Connector>("certificate/" + std::string(thumbprint));
}
const Partner* World::partner_by_link_thumbprint(std::string_view thumbprint) const {
  return data_->claimant<Partner>("certificate/" + std::string(thumbprint));
}
const Operator* World::operator_named(const OperatorName& name) const {
  return data_->get<Operator>(record_key(name));
}
const Operator* World::operator_by_uid(uint32_t uid) const {
  return data_->claimant<Operator>(fmt::format("uid/{}", uid));
}
const Operator* World::operator_by_person(const PersonId& person) const {
  return data_->claimant<Operator>("person/" + person.text());
}
std::vector<const Partner*> World::partners() const {
  std::vector<const Partner*> out;
  data_->collect("partner/", out);
  return out;
}
std::vector<const App*> World::apps() const {
  std::vector<const App*> out;
  data_->collect("app/", out);
  data_->collect("offer/", out);
  return out;
}
std::vector<const Mission*> World::missions() const {
  std::vector<const Mission*> out;
  data_->collect("mission/", out);
  return out;
}
std::vector<const Connector*> World::connectors() const {
  std::vector<const Connector*> out;
  data_->collect("connector/", out);
  return out;
}
std::vector<const AccessRequest*> World::requests() const {
  std::vector<const AccessRequest*> out;
  data_->collect("request/", out);
  return out;
}
std::vector<const AccessRequest*> World::asked() const {
  std::vector<const AccessRequest*> out;
  data_->collect("asked/", out);
  return out;
}
const AccessRequest* World::request(const RequestId& id) const {
  return data_->first_listed<AccessRequest>(fmt::format("request-id/{}/", id.text()));
}
const AccessRequest* World::asked(const RequestId& id) const {
  return data_->first_listed<AccessRequest>(fmt::format("asked-id/{}/", id.text()));
}
std::vector<const AccessRequest*> World::requests(const PartnerCode& partner, const PersonId& person) const {
  std::vector<const AccessRequest*> out;
  data_->collect_listed(fmt::format("request-of/{}/{}/", partner.text(), person.text()), out);
  return out;
}
std::vector<const AccessRequest*> World::asked(const PersonId& person) const {
  std::vector<const AccessRequest*> out;
  data_->collect_listed(fmt::format("asked-of/{}/", person.text()), out);
  return out;
}
std::vector<const AccessRequest*> World::asked(const PartnerCode& owner) const {
  std::vector<const AccessRequest*> out;
  data_->collect(fmt::format("asked/{}/", owner.text()), out);
  return out;
}
std::vector<const AccessRequest*> World::approved(std::string_view by) const {
  std::vector<const AccessRequest*> out;
  data_->collect_listed(fmt::format("request-approved/{}/", by), out);
  return out;
}
size_t World::open_requests(const PartnerCode& partner, Instant now) const {
  const std::string prefix = fmt::format("request-open/{}/", partner.text());
  const size_t over = data_->listed.below(prefix + sortable(now + Millis(1))) - data_->listed.below(prefix);
  return data_->listed.count(prefix) - over;
}
template <class T>
Page<T> World::listed(std::string_view listing, std::string_view after, size_t most, bool newest) const {
  Page<T> out;
  std::string last;
  const std::string prefix(listing);
  const auto take = [&](const std::string& at, const std::string& key) {
    last = at;
    out.items.push_back(data_->get<T>(key));
  };
  if (newest) {
    data_->listed.last(prefix, after.empty() ? std::string() : prefix + std::string(after), most, take);
  } else {
    data_->listed.some(prefix, prefix + std::string(after), most, take);
  }
  if (out.items.size() < most) return out;
  const size_t before = data_->listed.below(last) - data_->listed.below(prefix);
  out.more = newest ? before : data_->listed.count(prefix) - before - 1;
  if (out.more > 0) out.next = last.substr(prefix.size());
  return out;
}
namespace {
// Behind whatever ends at `now` or before, unless one is further on already.
std::string from(Instant now, std::string_view after = {}) {
  return std::max(sortable(now + Millis(1)), std::string(after));
}
}  // namespace
Page<AccessRequest> World::waiting(Instant now, std::string_view after, size_t most) const {
  return listed<AccessRequest>("request-waits/", from(now, after), most);
}
Page<AccessRequest> World::waiting(const AppId& app, Instant now, size_t most) const {
  return listed<AccessRequest>(fmt::format("request-for/{}/", app.text()), from(now), most);
}
Page<AccessRequest> World::requests(std::string_view after, size_t most) const {
  return listed<AccessRequest>("request-at/", after, most, true);
}
Page<Grant> World::holding(Instant now, std::string_view after, size_t most) const {
  return listed<Grant>("grant-until/", from(now, after), most);
}
Page<Grant> World::holding(const AppId& app, Instant now, size_t most) const {
  return listed<Grant>(fmt::format("grant-for/{}/", app.text()), from(now), most);
}
Page<Grant> World::grants(std::string_view after, size_t most) const {
  return listed<Grant>("grant-at/", after, most, true);
}
template <class T>
std::vector<const T*> World::some(std::string_view prefix, std::string& at, size_t most) const {
  std::vector<const T*> out;
  std::string last;
  data_->records.some(prefix, at, most, [&](const std::string& key, const EntryPtr& entry) {
    last = key;
    out.push_back(std::get_if<T>(&entry->thing));
  });
  at = out.size() < most ? std::string() : std::move(last);
  return out;
}
template std::vector<const AccessRequest*> World::some(std::string_view, std::string&, size_t) const;
template std::vector<const Grant*> World::some(std::string_view, std::string&, size_t) const;
template std::vector<const Delegation*> World::some(std::string_view, std::string&, size_t) const;
size_t World::count(std::string_view prefix) const {
  return data_->records.count(std::string(prefix));
}
std::vector<const Grant*> World::grants() const {
  std::vector<const Grant*> out;
  data_->collect("grant/", out);
  return out;
}
const Grant* World::grant(const RequestId& id) const {
  return data_->first_listed<Grant>(fmt::format("grant-id/{}/", id.text()));
}
std::vector<const Grant*> World::grants(const Person& who, const AppId& app) const {
  std::vector<const Grant*> out;
  data_->collect(fmt::format("grant/{}/{}/{}/", who.partner.text(), who.id.text(), app.text()), out);
  return out;
}
std::vector<const Grant*> World::grants(const Person& who) const {
  std::vector<const Grant*> out;
  data_->collect(fmt::format("grant/{}/{}/", who.partner.text(), who.id.text()), out);
  return out;
}
std::vector<const Delegation*> World::delegations() const {
  std::vector<const Delegation*> out;
  data_->collect("delegation/", out);
  return out;
}
const Delegation* World::delegation(const RequestId& id) const {
  return data_->first_listed<Delegation>(fmt::format("delegation-id/{}/", id.text()));
}
std::vector<const Delegation*> World::delegations(const PersonId& from) const {
  std::vector<const Delegation*> out;
  data_->collect_listed(fmt::format("delegation-from/{}/", from.text()), out);
  return out;
}
std::vector<const Delegation*> World::delegations(const AppId& app, const PersonId& to) const {
  std::vector<const Delegation*> out;
  data_->collect(fmt::format("delegation/{}/{}/", app.text(), to.text()), out);
  return out;
}
std::vector<const Release*> World::releases() const {
  std::vector<const Release*> out;
  data_->collect("release/", out);
  return out;
}
std::vector<const Release*> World::releases(const PartnerCode& to) const {
  std::vector<const Release*> out;
  data_->collect(fmt::format("release/{}/", to.text()), out);
  return out;
}
const Release* World::release(const RequestId& id) const {
  return data_->first_listed<Release>(fmt::format("release-id/{}/", id.text()));
}
const Attribute* World::attribute(std::string_view fqn) const {
  return data_->claimant<Attribute>("fqn/" + std::string(fqn));
}
const LabelTerms* World::label_terms(std::string_view name) const {
  return data_->get<LabelTerms>("label-policy/" + std::string(name));
}
const Domain* World::domain(const DomainId& id) const {
  return data_->get<Domain>("domain/" + id.text());
}
std::vector<const Domain*> World::domains() const {
  std::vector<const Domain*> out;
  data_->collect("domain/", out);
  return out;
}
const KeyService* World::key_service(const PartnerCode& partner) const {
  return data_->get<KeyService>("key-service/" + partner.text());
}
std::vector<const KeyService*> World::key_services() const {
  std::vector<const KeyService*> out;
  data_->collect("key-service/", out);
  return out;
}
const Recall* World::recall(std::string_view kind, std::string_view what) const {
  thread_local std::string key;  // grows once: many are asked for in each decision about an object
  return data_->get<Recall>(key.assign("recall/").append(kind).append("/").append(what));
}
std::vector<const Recall*> World::recalls(std::string_view kind) const {
  std::vector<const Recall*> out;
  data_->collect(kind.empty() ? std::string("recall/") : fmt::format("recall/{}/", kind), out);
  return out;
}
const Json* World::raw(std::string_view key) const {
  const EntryPtr* entry = data_->records.find(key);
  return entry == nullptr ? nullptr : &(*entry)->raw;
}
std::vector<std::string> World::keys(std::string_view prefix) const {
  std::vector<std::string> out;
  data_->records.each(prefix, [&](const std::string& key, const EntryPtr&) { out.push_back(key); });
  return out;
}

}  // namespace entente::coalition
