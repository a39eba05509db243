// A new manifest for an object whose payload stays as it is, byte for byte: other rights, another label.
// Whoever opened the object before has its key already; this changes what copies made from now on ask for.
// Errors: those of open.h and seal.h.
#pragma once

#include "data/open.h"
#include "data/seal.h"

namespace entente::data {

// Who may open it. Policy and shares change together, since each share is bound to the policy.
struct Rights {
  DataPolicy policy = {};
  std::vector<AnyOf> shares = {};
  std::string metadata = {};
};

struct ResealPlan {
  std::optional<Rights> rights = {};                      // otherwise they stay
  std::optional<std::vector<Assertion>> assertions = {};  // all there are from now on; otherwise they stay
  // Signs what there is then. Without it an old signature stays only while all that it covers does.
  std::optional<OriginatorKey> originator = {};
};

// Opens `object` with `key` as open.h does, and writes what belongs behind its first `kept_bytes(object)`
// bytes. `expect` must hold of the old one.
[[nodiscard]] Result<Manifest> reseal(const SealedObject& object, const crypto::Secret& key,
                                      const ResealPlan& plan, const OpenExpect& expect, Sink& sink);
// How many of the object's bytes stay in front: where the manifest stood behind the payload, it is not among
// them.
[[nodiscard]] uint64_t kept_bytes(const SealedObject& object);

}  // namespace entente::data
