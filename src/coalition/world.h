// The world: everything decisions depend on that outlives a request, as an immutable value with a revision.
// with() makes the next one and shares all that did not change. Copying a World copies a pointer.
#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/time.h"
#include "coalition/access.h"
#include "coalition/ask.h"
#include "policy/entities.h"
#include "policy/policy_set.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace entente::coalition {

enum class PartnerState { active, suspended };

inline constexpr Millis kMembershipMax = std::chrono::days(400);

struct Partner {
  PartnerCode code;
  std::string name;
  PartnerState state = PartnerState::active;
  std::string state_reason;           // why suspended, in words for people
  std::string isolated;               // why its people and ours are kept apart; empty: they are not
  std::optional<Instant> resumed_at;  // after either: sign-ins from before it count for nothing
  Instant member_since;
  Instant member_until;                       // membership always has an end, at most kMembershipMax later
  std::vector<std::string> link_thumbprints;  // SHA-256 of the link certificates (DER), base64url
  Json statement_keys;                        // JWK set that signs its statements and assertions
  std::string link_address;                   // "127.0.0.1:7443" to dial, or empty: they dial us
  std::string ceiling;                        // highest clearance its statements may give

  // Neither suspended nor isolated: its people and ours may meet. Each is ended for itself.
  [[nodiscard]] bool is_open() const { return state == PartnerState::active && isolated.empty(); }
};

struct Mission {
  MissionId id;
  std::string name;
  std::vector<PartnerCode> partners;
  std::string phase;
  std::string threat;
  Instant start;
  Instant end;
  PartnerCode lead{};  // whose word on phase and threat the others take; empty: each node says its own
  int64_t number = 0;  // how often that was said
  // In which phases alone a person's role counts in this mission; one that is not named here counts in all.
  std::map<std::string, std::vector<std::string>, std::less<>> roles{};
  // The words that operators may say; empty: any. The lead's are taken as they come.
  std::vector<std::string> phases{};
  std::vector<std::string> threats{};
};

struct Segment {
  SegmentId id;
  std::string name;
  MissionId mission;
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
  bool carries_bytes = false;       // streams of opaque bytes too: policies cannot tell requests apart there
  bool assertion_each_request = false;  // the app takes no Entente-Assertion twice: sign one for each request
  Instant end;
  std::string withdrawn;  // why its owner took it back; empty: it did not
};

struct Connector {
  ConnectorId id;
  std::string thumbprint;            // SHA-256 of its certificate (DER), base64url
  std::vector<AppId> apps;           // of this node's owner
  std::vector<PartnerCode> nations;  // whose people come here first, however far it is; may be empty
  Instant end;
};

struct Operator {
  OperatorName name;
  std::string display;
  std::vector<uint32_t> uids;  // peer credentials of the local socket that are this person
  std::vector<std::string> roles;
  PersonId person;  // who they are where people sign in; may be empty
  Instant end;
};

// One record as the store keeps it. A `?` marks a member that may be left out; times are RFC 3339; no other
// member is let through.
//   node/self             partner                              whose node this is; never changes
//   partner/XBB           name, state ("active", "suspended"), state_reason?, isolated?, resumed_at?,
//   member_since, member_until,
//                         link_thumbprints?, statement_keys? ({"keys": [...]}), link_address?, ceiling
//   mission/harbor-light  name, partners, phase, threat, start, end, lead?, number?
//   segment/maritime      name, mission                        mission stays while an app stands in the
//   segment app/cop               owner (this node's), name, description?, banner, classification, mission,
//   segment,
//                         offered_to, shares, assertion? ("kept", "each_request"),
//                                 protocol? ("http", "bytes": opaque streams as well), end,
//                                 withdrawn?
//   offer/XAA/cop         the same, told by a partner: owner as in the key, offered_to has this node's
//   partner connector/cop-1       thumbprint, apps (own), end operator/asha.lind    display, uids, roles,
//   person?, end
//   grant/..., request/..., asked/..., release/..., delegation/...   access.h
//   attribute/..., label-policy/..., domain/..., key-service/..., recall/...   objects.h
//   schema                text                                 Cedar schema; required by policies
//   policy/coalition/base text                                 layers: coalition, host, home
// Others ("crosswalk/...", "issuer/...", "seq/...") are carried but not read here: raw() gives them.
// classification and ceiling are of kLevels (levels.h). What a record names (partners, missions, ...) must
// exist.
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

// A part of a list that others choose the length of: what it costs is what is in it.
template <class T>
struct Page {
  std::vector<const T*> items;  // live as long as the world
  std::string next;             // where to go on; empty: that was all
  size_t more = 0;              // so many are behind it
};

// Errors of load() and with(): "coalition.record" and the codes of base/fields.h (where: key and field),
// "coalition.reference", "coalition.doubled", "coalition.revision", "coalition.node", and those of policy
// sets, schemas and entities. Nothing of a refused batch takes effect; the order of records does not matter.
class World {
 public:
  // Builds a world from all records; refuses the first that is wrong, naming its key and field.
  [[nodiscard]] static Result<World> load(std::span<const Record> records, Revision revision);
  struct Next;
  // The next world. Costs what changed. `revision` must be this one's plus one.
  [[nodiscard]] Result<Next> with(std::span<const Record> changes, Revision revision) const;

  // The very one, or a copy of it: whatever one says the other does. (Two of one revision may differ.)
  [[nodiscard]] bool is(const World& other) const { return data_ == other.data_; }
  [[nodiscard]] Revision revision() const;
  [[nodiscard]] const PartnerCode& self() const;  // whose node this is
  [[nodiscard]] const Partner* partner(const PartnerCode& code) const;
  [[nodiscard]] const Mission* mission(const MissionId& id) const;
  [[nodiscard]] const Segment* segment(const SegmentId& id) const;
  [[nodiscard]] const App* app(const AppRef& ref) const;  // own or offered
  [[nodiscard]] const Connector* connector(const ConnectorId& id) const;
  [[nodiscard]] const Connector* connector_by_thumbprint(std::string_view thumbprint) const;
  [[nodiscard]] const Partner* partner_by_link_thumbprint(std::string_view thumbprint) const;
  [[nodiscard]] const Operator* operator_named(const OperatorName& name) const;
  [[nodiscard]] const Operator* operator_by_uid(uint32_t uid) const;
  [[nodiscard]] const Operator* operator_by_person(const PersonId& person) const;
  // All of a kind, by key; pointers live as long as this world.
  [[nodiscard]] std::vector<const Partner*> partners() const;
  [[nodiscard]] std::vector<const App*> apps() const;
  [[nodiscard]] std::vector<const Mission*> missions() const;
  [[nodiscard]] std::vector<const Connector*> connectors() const;
  [[nodiscard]] std::vector<const AccessRequest*> requests() const;  // of this node's apps
  [[nodiscard]] std::vector<const AccessRequest*> asked() const;     // by this node's people, of partners
  [[nodiscard]] const AccessRequest* request(const RequestId& id) const;
  [[nodiscard]] const AccessRequest* asked(const RequestId& id) const;
  [[nodiscard]] std::vector<const AccessRequest*> requests(const PartnerCode& partner,
                                                           const PersonId& person) const;
  [[nodiscard]] std::vector<const AccessRequest*> asked(const PersonId& person) const;
  [[nodiscard]] std::vector<const AccessRequest*> asked(const PartnerCode& owner) const;
  // Open ones, with an approval of theirs that would be looked at again when the last one comes.
  [[nodiscard]] std::vector<const AccessRequest*> approved(std::string_view by) const;
  [[nodiscard]] size_t open_requests(const PartnerCode& partner, Instant now) const;  // and not out of time
  // Those that wait for an answer, the first to be out of time first; of one app, or of all, behind `after`,
  // the `next` of another page (any other text: from where it would stand). And all, newest first.
  [[nodiscard]] Page<AccessRequest> waiting(Instant now, std::string_view after, size_t most) const;
  [[nodiscard]] Page<AccessRequest> waiting(const AppId& app, Instant now, size_t most) const;
  [[nodiscard]] Page<AccessRequest> requests(std::string_view after, size_t most) const;
  // The next `most` of those records whose keys begin with `prefix`; `at`: the last key that was seen, empty
  // to begin with, and again when all were.
  template <class T>
  [[nodiscard]] std::vector<const T*> some(std::string_view prefix, std::string& at, size_t most) const;
  [[nodiscard]] size_t count(std::string_view prefix) const;  // records whose keys begin so
  [[nodiscard]] std::vector<const Grant*> grants() const;
  // Likewise: those whose time is not over, the first to end first, and all, newest first.
  [[nodiscard]] Page<Grant> holding(Instant now, std::string_view after, size_t most) const;
  [[nodiscard]] Page<Grant> holding(const AppId& app, Instant now, size_t most) const;
  [[nodiscard]] Page<Grant> grants(std::string_view after, size_t most) const;
  [[nodiscard]] std::vector<const Grant*> grants(const Person& who) const;
  [[nodiscard]] const Grant* grant(const RequestId& id) const;
  [[nodiscard]] std::vector<const Grant*> grants(const Person& who, const AppId& app) const;
  [[nodiscard]] std::vector<const Delegation*> delegations() const;
  [[nodiscard]] const Delegation* delegation(const RequestId& id) const;
  [[nodiscard]] std::vector<const Delegation*> delegations(const PersonId& from) const;
  [[nodiscard]] std::vector<const Delegation*> delegations(const AppId& app, const PersonId& to) const;
  [[nodiscard]] std::vector<const Release*> releases() const;  // of objects, asked for, given and over
  [[nodiscard]] std::vector<const Release*> releases(const PartnerCode& to) const;
  [[nodiscard]] const Release* release(const RequestId& id) const;
  // What objects' policies are read in. An attribute by its own FQN (without "/value/...").
  [[nodiscard]] const Attribute* attribute(std::string_view fqn) const;
  [[nodiscard]] const LabelTerms* label_terms(std::string_view name) const;
  [[nodiscard]] const Domain* domain(const DomainId& id) const;
  [[nodiscard]] std::vector<const Domain*> domains() const;
  [[nodiscard]] const KeyService* key_service(const PartnerCode& partner) const;
  [[nodiscard]] std::vector<const KeyService*> key_services() const;
  [[nodiscard]] const Recall* recall(std::string_view kind, std::string_view what) const;
  [[nodiscard]] std::vector<const Recall*> recalls(std::string_view kind) const;  // empty: of all kinds
  [[nodiscard]] const Json* raw(std::string_view key) const;                      // any record's JSON
  [[nodiscard]] std::vector<std::string> keys(std::string_view prefix) const;     // of records, in order

  [[nodiscard]] const policy::Entities& entities() const;
  // Null when the layer has no policy: then nothing in that layer permits.
  [[nodiscard]] const policy::PolicySet* policies(std::string_view layer) const;

 private:
  struct Data;
  template <class T>
  [[nodiscard]] Page<T> listed(std::string_view listing, std::string_view after, size_t most,
                               bool newest = false) const;
  explicit World(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::shared_ptr<const Data> data_;
};

struct World::Next {
  World world;
  Touch touch;
};

// The entity that stands for each thing in policies: Entente::App::"XAA/cop", Entente::Partner::"XBB",
// Entente::Person::"XBB/<id>" (the partner that vouches is part of the name), ...
[[nodiscard]] policy::EntityUid entity_of(const Target& target);
[[nodiscard]] policy::EntityUid entity_of(const Person& person);

// The person who asks when an operator of this node administers, approves, or views the node: its id is
// "operator/<name>". Roles and end are read from the operator's record; facts may add "assurance".
[[nodiscard]] Person operator_person(const World& world, const OperatorName& name);
// The operator that such a person is; nullptr for everybody else.
[[nodiscard]] const Operator* operator_of(const World& world, const Person& who);

}  // namespace entente::coalition
