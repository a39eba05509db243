// Records as policies see them: one entity for each record that policies can read, made from that record
// alone, so that a change to one record changes one entity. Private to the room.
#pragma once

#include "coalition/records.h"
#include "policy/entity.h"

#include <optional>

namespace entente::coalition {

[[nodiscard]] std::optional<policy::Entity> entity_from(const Thing& thing, const PartnerCode& self);
[[nodiscard]] std::optional<policy::EntityUid> uid_from(const Thing& thing, const PartnerCode& self);

// No entity is made of these records, but who asks has read them: the person a grant is for, a recall, the
// releases of one object to a nation, what an attribute means, a key service.
[[nodiscard]] std::optional<policy::EntityUid> concerned(const Thing& thing);

[[nodiscard]] policy::EntityUid uid_of(const PartnerCode& code);
[[nodiscard]] policy::EntityUid uid_of(const MissionId& id);
[[nodiscard]] policy::EntityUid uid_of(const SegmentId& id);
[[nodiscard]] policy::EntityUid uid_of(const AppRef& ref);
[[nodiscard]] policy::EntityUid uid_of(const NodeRef& node);
[[nodiscard]] policy::EntityUid uid_of(const ObjectRef& ref);
[[nodiscard]] policy::EntityUid uid_of(const DomainId& id);
[[nodiscard]] policy::EntityUid uid_of(Action action);
[[nodiscard]] policy::EntityUid recall_uid(std::string_view key);
[[nodiscard]] policy::EntityUid release_uid(const PartnerCode& partner, std::string_view object);
[[nodiscard]] policy::EntityUid attribute_uid(std::string_view fqn);
[[nodiscard]] policy::EntityUid key_service_uid(const PartnerCode& partner);

// How the id of a person says that it is an operator of this node.
inline constexpr std::string_view kOperatorPrefix = "operator/";

// What policies read of a person.
struct PersonView {
  PartnerCode partner{};
  bool is_operator = false;
  std::vector<std::string> roles;
  std::vector<std::string> missions;
  int64_t clearance = 0;
  int64_t assurance = 0;
  std::optional<std::string> place{};      // where their nation says they are
  std::optional<std::string> status{};     // and whether they are on duty
  std::optional<policy::Value> cleared{};  // for an object: their clearance in its label policy
  bool operator==(const PersonView&) const = default;
};
[[nodiscard]] policy::Entity person_entity(policy::EntityUid uid, const PersonView& view);

}  // namespace entente::coalition
