// What an object's policy amounts to in this world's vocabulary. Private to the room.
#pragma once

#include "coalition/notes.h"
#include "coalition/things.h"
#include "coalition/verdict.h"
#include "coalition/world.h"

#include <memory>
#include <string>
#include <vector>

namespace entente::coalition {

struct ObjectView {
  label::Label label;  // in its policy's spelling, and known to keep its rules
  const LabelTerms* terms = nullptr;
  int64_t level = 0;  // in the coalition's terms
  std::vector<PartnerCode> origins;
  std::vector<PartnerCode> releasable_to;
  std::vector<MissionId> missions;
  std::vector<DomainId> domains;
  std::vector<std::string> caveats;
  std::vector<std::string> handling;
};

// All that is the same for every object of these attributes. Never changes.
struct ObjectReading {
  ObjectView view;
  policy::Entity entity;                // what policies see, but for its name and whom it is sealed for
  std::vector<policy::EntityUid> read;  // for Notes
};

// A policy without attributes, with one nobody knows, without a classification or an originator, with a
// label that breaks its rules or is not the one the object claims: nothing is known of it, so nothing is
// opened. The reason why is of layer structure.
struct ObjectRead {
  std::shared_ptr<const ObjectReading> reading;  // null: see `fault`
  Reason fault;
};
[[nodiscard]] ObjectRead read_object(const World& world, const SealedObject& object, Instant now,
                                     Notes& notes);

// The same, released to this partner beside those whom its label names.
[[nodiscard]] ObjectReading released_to(const PartnerCode& partner, const ObjectReading& reading,
                                        const SealedObject& object);

// The entity that policies see.
[[nodiscard]] policy::Entity object_entity(const ObjectRef& ref, const SealedObject& object,
                                           const ObjectReading& reading);

}  // namespace entente::coalition
