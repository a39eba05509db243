// Records read into typed values, once. Private to the room.
#pragma once

#include "coalition/world.h"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace entente::coalition {

struct NodeSelf {
  PartnerCode partner;
};
struct SchemaText {
  std::string text;
};
struct PolicyText {
  std::string layer;
  std::string text;
};
struct Carried {};  // a record that decisions do not read

using Thing = std::variant<Carried, NodeSelf, Partner, Mission, Segment, App, Connector, Operator, SchemaText,
                           PolicyText, Grant, AccessRequest, Delegation, Attribute, LabelTerms, Domain,
                           KeyService, Recall, Release>;

// Strict: error "coalition.record" for a key of no good form, "field...." for a value; `where` names key and
// field.
[[nodiscard]] Result<Thing> read_record(std::string_view key, const Json& value);

// Keys of the records that must exist for this one to mean something; sorted, once each.
[[nodiscard]] std::vector<std::string> references(const Thing& thing);

[[nodiscard]] std::string record_key(const PartnerCode& code);
[[nodiscard]] std::string record_key(const MissionId& id);
[[nodiscard]] std::string record_key(const SegmentId& id);
[[nodiscard]] std::string record_key(const ConnectorId& id);
[[nodiscard]] std::string record_key(const OperatorName& name);
[[nodiscard]] std::string record_key(const AppRef& ref, const PartnerCode& self);  // own app or offer

inline constexpr std::string_view kLayerNames[] = {"coalition", "host", "home"};

}  // namespace entente::coalition
