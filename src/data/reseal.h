// A new manifest for an object whose payload stays as it is, byte for byte: other rights, another label.
// Whoever opened the object before has its key already; this changes what copies made from now on ask for.
// Errors: those of open.h and seal.h.
#pragma once

#include "coalition/ask.h"
#include "data/open.h"
#include "data/seal.h"

namespace entente::data {

// Who may open it. Policy and shares change together, since each share is bound to the policy.
struct Rights {
  DataPolicy policy = {};
  std::vector<AnyOf> shares = {};
  std::string metadata = {};  // key_metadata() of its label and of what it is made of
};

struct ResealPlan {
  std::optional<Rights> rights = {};                      // otherwise they stay
  std::optional<std::vector<Assertion>> assertions = {};  // all there are from now on; otherwise they stay
  std::optional<Assertion> label = {};                    // in the place of every label among the assertions
  // Signs what there is then, and vouches for all of it: that is theirs already, by their own signature or by
  // one of those whom `expect` wants, or somebody read it and vouches for what it is. Without it an old
  // signature stays only while all that it covers does.
  std::optional<OriginatorKey> originator = {};
  bool vouched = false;
};

// The part of an object's file that stays: the payload with its header. What stood before or behind it, such
// as the old manifest, is not in it.
struct Kept {
  uint64_t at = 0;
  uint64_t size = 0;
};
[[nodiscard]] Kept kept_bytes(const SealedObject& object);
// The object with its payload in a copy of these bytes: what is verified there is what is written, whatever
// becomes of the old file meanwhile. `copy` must outlive it.
[[nodiscard]] SealedObject kept_object(const SealedObject& object, const Source& copy);
// What has to be permitted to whoever makes this of it: `relabel` where label, assertions or attributes
// become others; `forward` where somebody could open it then who could not before; where neither, `open`.
[[nodiscard]] std::vector<coalition::Action> rights_for(const Manifest& old, const ResealPlan& plan);
// Opens `object` with `key` as open.h does, and writes what belongs behind its `kept_bytes(object)`, which
// are the first of the new file. `expect` must hold of the old one. Where the policy means the same as
// before, its text stays the same. New shares say where they come from (lineage.h), unless a signature of the
// originator's stays, which knows of no such statement. A signature is over the payload that is there, all of
// which is opened for it: `progress` tells. Nobody signs what says that they signed it, and was changed
// since, however they write their name.
[[nodiscard]] Result<Manifest> reseal(const SealedObject& object, const crypto::Secret& key,
                                      const ResealPlan& plan, const OpenExpect& expect, Sink& sink,
                                      const Progress& progress = {});

}  // namespace entente::data
