#include "data/reseal.h"

#include <algorithm>

namespace entente::data {
namespace {

void drop_originator(std::vector<Json>& assertions) {
  std::erase_if(assertions, [](const Json& one) { return one.text_or("id", "") == kOriginatorAssertionId; });
}

}  // namespace

uint64_t kept_bytes(const SealedObject& object) {
  return object.zip.payload.end;
}

Result<Manifest> reseal(const SealedObject& object, const crypto::Secret& key, const ResealPlan& plan,
                        const OpenExpect& expect, Sink& sink) {
  TRY(const OpenObject open, OpenObject::open(object, key.copy(), expect));
  Manifest out = object.manifest;
  if (plan.rights) {
    SealPlan wrap;
    wrap.shares = plan.rights->shares;
    wrap.metadata = plan.rights->metadata;
    out.policy_text = write_policy(plan.rights->policy);
    TRY(out.key_access, wrap_key(key, wrap, out.policy_text));
  }
  if (plan.assertions) {
    out.assertions.clear();
    const BoundTo bound = bound_to(out.segments, out.form);
    for (const Assertion& one : *plan.assertions)
      out.assertions.push_back(bind_with_object_key(one, bound, key));
  }
  if (out.policy_text != object.manifest.policy_text || plan.assertions || plan.originator)
    drop_originator(out.assertions);
  if (plan.originator) {
    TRY(Json signature, originator_assertion(out, key, *plan.originator));
    out.assertions.push_back(std::move(signature));
  }
  ZipWriter zip(sink, kept_bytes(object), object.zip.payload);
  TRY_VOID(zip.finish([&](Sink& into) { return write_manifest(out, into); }));
  return out;
}

}  // namespace entente::data
