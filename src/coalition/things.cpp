#include "coalition/things.h"

#include "coalition/levels.h"

#include <fmt/format.h>

namespace entente::coalition {
namespace {

using policy::Entity;
using policy::EntityUid;
using Attributes = policy::Record;
using policy::Value;

Value uid_set(const std::vector<PartnerCode>& codes) {
  Value::Items items;
  for (const PartnerCode& code : codes) items.emplace_back(uid_of(code));
  return Value::set(std::move(items));
}

int64_t level(std::string_view name) {
  return level_of(name).value_or(0);
}

Entity from(const Partner& partner) {
  Attributes attributes{{"name", partner.name},
                        {"state", partner.is_open()                          ? "active"
                                  : partner.state == PartnerState::suspended ? "suspended"
                                                                             : "isolated"},
                        {"member_until", partner.member_until},
                        {"ceiling", level(partner.ceiling)}};
  return {uid_of(partner.code), std::move(attributes), {}, {}};
}

Entity from(const Mission& mission) {
  Attributes attributes{{"phase", mission.phase},
                        {"threat", mission.threat},
                        {"start", mission.start},
                        {"end", mission.end},
                        {"partners", uid_set(mission.partners)}};
  return {uid_of(mission.id), std::move(attributes), {}, {}};
}

Entity from(const Segment& segment) {
  return {
      uid_of(segment.id), Attributes{{"mission", uid_of(segment.mission)}}, {uid_of(segment.mission)}, {}};
}

Entity from(const App& app) {
  Attributes attributes{
      {"owner", uid_of(app.ref.owner)},        {"mission", uid_of(app.mission)},
      {"segment", uid_of(app.segment)},        {"classification", level(app.classification)},
      {"offered_to", uid_set(app.offered_to)}, {"end", app.end}};
  return {uid_of(app.ref), std::move(attributes), {uid_of(app.segment), uid_of(app.ref.owner)}, {}};
}

Entity from(const Domain& domain) {
  Attributes attributes{{"owner", uid_of(domain.owner)},
                        {"mission", uid_of(domain.mission)},
                        {"partners", uid_set(domain.partners)},
                        {"highest", level(domain.highest)}};
  return {uid_of(domain.id), std::move(attributes), {uid_of(domain.mission)}, {}};
}

EntityUid operator_uid(const Operator& person, const PartnerCode& self) {
  Person who;
  who.id = PersonId(std::string(kOperatorPrefix) + person.name.text());
  who.partner = self;
  return entity_of(who);
}

Entity from(const Operator& person, const PartnerCode& self) {
  PersonView view;
  view.partner = self;
  view.is_operator = true;
  view.roles = person.roles;
  return person_entity(operator_uid(person, self), view);
}

Entity from(const NodeSelf& node) {
  return {uid_of(NodeRef{node.partner}),
          Attributes{{"partner", uid_of(node.partner)}},
          {uid_of(node.partner)},
          {}};
}

}  // namespace

std::optional<Entity> entity_from(const Thing& thing, const PartnerCode& self) {
  if (const auto* node = std::get_if<NodeSelf>(&thing)) return from(*node);
  if (const auto* partner = std::get_if<Partner>(&thing)) return from(*partner);
  if (const auto* mission = std::get_if<Mission>(&thing)) return from(*mission);
  if (const auto* segment = std::get_if<Segment>(&thing)) return from(*segment);
  if (const auto* app = std::get_if<App>(&thing)) return from(*app);
  if (const auto* domain = std::get_if<Domain>(&thing)) return from(*domain);
  if (const auto* person = std::get_if<Operator>(&thing)) return from(*person, self);
  return std::nullopt;
}

std::optional<EntityUid> uid_from(const Thing& thing, const PartnerCode& self) {
  if (const auto* node = std::get_if<NodeSelf>(&thing)) return uid_of(NodeRef{node->partner});
  if (const auto* partner = std::get_if<Partner>(&thing)) return uid_of(partner->code);
  if (const auto* mission = std::get_if<Mission>(&thing)) return uid_of(mission->id);
  if (const auto* segment = std::get_if<Segment>(&thing)) return uid_of(segment->id);
  if (const auto* app = std::get_if<App>(&thing)) return uid_of(app->ref);
  if (const auto* domain = std::get_if<Domain>(&thing)) return uid_of(domain->id);
  if (const auto* person = std::get_if<Operator>(&thing)) return operator_uid(*person, self);
  return std::nullopt;
}

std::optional<EntityUid> concerned(const Thing& thing) {
  if (const auto* recall = std::get_if<Recall>(&thing)) return recall_uid(recall->key);
  if (const auto* release = std::get_if<Release>(&thing))
    return release_uid(release->partner, release->object);
  if (const auto* attribute = std::get_if<Attribute>(&thing)) return attribute_uid(attribute->fqn);
  if (const auto* service = std::get_if<KeyService>(&thing)) return key_service_uid(service->partner);
  const auto* grant = std::get_if<Grant>(&thing);
  if (grant == nullptr) return std::nullopt;
  Person who;
  who.id = grant->person;
  who.partner = grant->partner;
  return entity_of(who);
}

Entity person_entity(EntityUid uid, const PersonView& view) {
  Value::Items missions;
  for (const std::string& mission : view.missions) missions.emplace_back(uid_of(MissionId(mission)));
  Attributes attributes{{"partner", uid_of(view.partner)},   {"operator", view.is_operator},
                        {"roles", Value::texts(view.roles)}, {"missions", Value::set(std::move(missions))},
                        {"clearance", view.clearance},       {"assurance", view.assurance}};
  if (view.place) attributes.set("place", *view.place);
  if (view.status) attributes.set("status", *view.status);
  if (view.cleared) attributes.set("cleared", *view.cleared);
  return {std::move(uid), std::move(attributes), {uid_of(view.partner)}, {}};
}

EntityUid uid_of(const PartnerCode& code) {
  return {"Entente::Partner", code.text()};
}
EntityUid uid_of(const MissionId& id) {
  return {"Entente::Mission", id.text()};
}
EntityUid uid_of(const SegmentId& id) {
  return {"Entente::Segment", id.text()};
}
EntityUid uid_of(const AppRef& ref) {
  return {"Entente::App", ref.owner.text() + "/" + ref.app.text()};
}
EntityUid uid_of(const NodeRef& node) {
  return {"Entente::Node", node.partner.text()};
}
EntityUid uid_of(const ObjectRef& ref) {
  return {"Entente::Object", ref.id};
}
EntityUid uid_of(const DomainId& id) {
  return {"Entente::Domain", id.text()};
}
EntityUid recall_uid(std::string_view key) {
  constexpr std::string_view kOfLabels = "recall/label/";  // of these all are read, whatever they are called
  return {"Entente::Recall", std::string(key.starts_with(kOfLabels) ? kOfLabels : key)};
}
EntityUid release_uid(const PartnerCode& partner, std::string_view object) {
  return {"Entente::Release", fmt::format("{}/{}", partner.text(), object)};
}
EntityUid attribute_uid(std::string_view fqn) {
  return {"Entente::Attribute", std::string(fqn)};
}
EntityUid key_service_uid(const PartnerCode& partner) {
  return {"Entente::KeyService", partner.text()};
}
EntityUid uid_of(Action action) {
  return {"Entente::Action", std::string(action_name(action))};
}

EntityUid entity_of(const Target& target) {
  return std::visit([](const auto& of) { return uid_of(of); }, target);
}

EntityUid entity_of(const Person& person) {
  return {"Entente::Person", person.partner.text() + "/" + person.id.text()};
}

}  // namespace entente::coalition
