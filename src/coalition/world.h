// The world: everything decisions depend on that outlives a request, as an immutable value with a revision.
// with() makes the next one and shares all that did not change. Copying a World copies a pointer.
#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/time.h"
#include "coalition/ask.h"
#include "policy/entities.h"
#include "policy/policy_set.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace entente::coalition {

enum class PartnerState { active, suspended };

struct Partner {
  PartnerCode code;
  std::string name;
  PartnerState state = PartnerState::active;
  std::string state_reason;                   // why suspended, in words for people
  Instant member_until;                       // membership always has an end
  std::vector<std::string> link_thumbprints;  // SHA-256 of the link certificates (DER), base64url
  Json statement_keys;                        // JWK set that signs its statements and assertions
  std::string link_address;                   // "127.0.0.1:7443" to dial, or empty: they dial us
  std::string ceiling;                        // highest clearance its statements may give
};

struct Mission {
  MissionId id;
  std::string name;
  std::vector<PartnerCode> partners;
  std::string phase;
  std::string threat;
  Instant start;
  Instant end;
};

struct App {
  AppRef ref;
  std::string name;
  std::string description;
  std::string banner;          // marking text; in the demo begins with EXERCISE
  std::string classification;  // in the coalition's terms
  MissionId mission;
  SegmentId segment;
  std::vector<PartnerCode> offered_to;  // partners told about it; the owner is implied
  std::vector<std::string> shares;  // attribute names that may leave a person's home for this app's decision
  Instant end;
};

struct Connector {
  ConnectorId id;
  std::string thumbprint;   // SHA-256 of its certificate (DER), base64url
  std::vector<AppId> apps;  // of this node's owner
  Instant end;
};

struct Operator {
  OperatorName name;
  std::string display;
  std::vector<uint32_t> uids;  // peer credentials of the local socket that are this person
  std::vector<std::string> roles;
  Instant end;
};

// One record as the store keeps it. Keys: "node/self", "partner/XBB", "mission/harbor-light",
// "segment/maritime", "app/cop" (own), "offer/XAA/cop" (told by a partner), "connector/cop-1",
// "operator/asha.lind", "schema", "policy/coalition/base", "policy/host/cop", "policy/home/people"; others
// ("crosswalk/...", "issuer/...", "seq/...") are carried but not read here: raw() gives them.
struct Record {
  std::string key;
  std::optional<Json> value;  // nullopt: removed
};

// What a commit changed, so that just the sessions it can touch are held and asked again.
struct Touch {
  std::vector<policy::EntityUid> entities;
  bool policies = false;     // touches all
  bool only_widens = false;  // provably: then nobody needs to be held, only asked
};

class World {
 public:
  // Builds a world from all records; refuses the first that is wrong, naming its key and field.
  [[nodiscard]] static Result<World> load(std::span<const Record> records, Revision revision);
  struct Next;
  // The next world. Costs what changed. `revision` must be this one's plus one.
  [[nodiscard]] Result<Next> with(std::span<const Record> changes, Revision revision) const;

  [[nodiscard]] Revision revision() const;
  [[nodiscard]] const PartnerCode& self() const;  // whose node this is
  [[nodiscard]] const Partner* partner(const PartnerCode& code) const;
  [[nodiscard]] const Mission* mission(const MissionId& id) const;
  [[nodiscard]] const App* app(const AppRef& ref) const;  // own or offered
  [[nodiscard]] const Connector* connector(const ConnectorId& id) const;
  [[nodiscard]] const Connector* connector_by_thumbprint(std::string_view thumbprint) const;
  [[nodiscard]] const Partner* partner_by_link_thumbprint(std::string_view thumbprint) const;
  [[nodiscard]] const Operator* operator_named(const OperatorName& name) const;
  [[nodiscard]] const Operator* operator_by_uid(uint32_t uid) const;
  [[nodiscard]] std::vector<const Partner*> partners() const;
  [[nodiscard]] std::vector<const App*> apps() const;
  [[nodiscard]] std::vector<const Mission*> missions() const;
  [[nodiscard]] std::vector<const Connector*> connectors() const;
  [[nodiscard]] const Json* raw(std::string_view key) const;  // any record's JSON

  [[nodiscard]] const policy::Entities& entities() const;
  // Null when the layer has no policy: then nothing in that layer permits.
  [[nodiscard]] const policy::PolicySet* policies(std::string_view layer) const;

 private:
  struct Data;
  explicit World(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::shared_ptr<const Data> data_;
};

struct World::Next {
  World world;
  Touch touch;
};

// The entity that stands for each thing in policies: Entente::App::"XAA/cop", Entente::Partner::"XBB", ...
[[nodiscard]] policy::EntityUid entity_of(const Target& target);
[[nodiscard]] policy::EntityUid entity_of(const Person& person);

}  // namespace entente::coalition
