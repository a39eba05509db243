#include "data/reseal.h"

#include "data/kas_client.h"
#include "data/lineage.h"

#include <algorithm>
#include <map>
#include <set>

namespace entente::data {
namespace {

void drop_originator(std::vector<Json>& assertions) {
  std::erase_if(assertions, [](const Json& one) { return one.text_or("id", "") == kOriginatorAssertionId; });
}

void drop_labels(std::vector<Json>& assertions) {
  std::erase_if(assertions, [](const Json& one) {
    if (one.text_or("id", "") == kLabelAssertionId) return true;
    const auto read = read_assertion(one);
    return read && is_label_assertion(*read);
  });
}

// The payload's entry in a file that begins with it.
ZipEntry moved_to_front(ZipEntry payload) {
  const uint64_t by = payload.header_at;
  payload.header_at -= by;
  payload.data_at -= by;
  payload.end -= by;
  return payload;
}

std::string new_policy_text(const std::string& old, const DataPolicy& policy) {
  const auto before = read_policy(old);
  return before && *before == policy ? old : write_policy(policy);
}

using Holders = std::set<std::string>;

// Who holds each share, by their addresses: what a key service opens by which of its keys is its own
// business.
std::vector<Holders> holders_in(const Manifest& manifest) {
  std::map<std::string, Holders> by_share;
  for (const KeyAccess& one : manifest.key_access) by_share[one.sid].insert(key_service_of(one.url));
  std::vector<Holders> out;
  for (auto& [sid, holders] : by_share) out.push_back(std::move(holders));
  return out;
}

std::vector<Holders> holders_in(const std::vector<AnyOf>& shares) {
  std::vector<Holders> out;
  for (const AnyOf& share : shares) {
    Holders& holders = out.emplace_back();
    for (const Recipient& one : share) holders.insert(key_service_of(one.url));
  }
  return out;
}

// Whoever holds enough then held enough before: for each of the old shares there is one now that nobody else
// holds.
bool widens(const std::vector<Holders>& before, const std::vector<Holders>& after) {
  return !std::ranges::all_of(before, [&](const Holders& old) {
    return std::ranges::any_of(after, [&](const Holders& now) { return std::ranges::includes(old, now); });
  });
}

// Nobody named: everybody whom the attributes let.
bool names_more(const DataPolicy& before, const DataPolicy& after) {
  const auto was = [&](const std::string& one) {
    return std::ranges::find(before.dissem, one) != before.dissem.end();
  };
  if (before.dissem.empty()) return false;
  return after.dissem.empty() || !std::ranges::all_of(after.dissem, was);
}

bool same_attributes(const DataPolicy& before, const DataPolicy& after) {
  const auto in = [](const std::vector<AttributeName>& all) {
    return [&](const AttributeName& one) { return std::ranges::find(all, one) != all.end(); };
  };
  return std::ranges::all_of(before.attributes, in(after.attributes)) &&
         std::ranges::all_of(after.attributes, in(before.attributes));
}

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// Whoever could open an object could have made it what it is: that is signed by mistake, or not at all.
Result<void> check_theirs(const OriginatorSeen& before, const ResealPlan& plan, const OpenExpect& expect) {
  if (!plan.originator || plan.vouched || !expect.originators.empty()) return {};
  if (before.verified && same_name(before.said, plan.originator->originator)) return {};
  return fail("data.originator", "The object does not bear the signature of who is to sign it.", {},
              "Open and read it: --vouch signs it as it is, --originator says whose signature it must bear.");
}

}  // namespace

std::vector<coalition::Action> rights_for(const Manifest& old, const ResealPlan& plan) {
  bool relabels = plan.label || plan.assertions;
  bool forwards = false;
  if (plan.rights) {
    const auto before = read_policy(old.policy_text);
    relabels = relabels || !before || !same_attributes(*before, plan.rights->policy);
    forwards = !before || names_more(*before, plan.rights->policy) ||
               widens(holders_in(old), holders_in(plan.rights->shares));
  }
  std::vector<coalition::Action> out;
  if (forwards) out.push_back(coalition::Action::forward);
  if (relabels) out.push_back(coalition::Action::relabel);
  if (out.empty()) out.push_back(coalition::Action::open);
  return out;
}

Kept kept_bytes(const SealedObject& object) {
  const ZipEntry& payload = object.zip.payload;
  return {payload.header_at, payload.end - payload.header_at};
}

SealedObject kept_object(const SealedObject& object, const Source& copy) {
  SealedObject out{&copy, object.zip, object.manifest};
  out.zip.payload = moved_to_front(object.zip.payload);
  return out;
}

Result<Manifest> reseal(const SealedObject& object, const crypto::Secret& key, const ResealPlan& plan,
                        const OpenExpect& expect, Sink& sink, const Progress& progress) {
  OpenExpect all = expect;
  const std::string said = claimed_originator(object.manifest).value_or("");
  if (plan.originator) {
    TRY_VOID(check_originator_key(*plan.originator));
    // What they signed before, and is other now, they do not sign by mistake.
    if (same_name(said, plan.originator->originator))
      all.known.emplace(said, plan.originator->key.public_key());
  }
  auto opened = OpenObject::open(object, key.copy(), all, progress);
  if (!opened && opened.error().code() == "data.originator" && all.known.size() > expect.known.size())
    opened.error().hint() =
        "If their key changed since, --known-originator says which it was. Otherwise refuse the object.";
  if (!opened) return Failure(opened.error());
  OpenObject& open = *opened;
  TRY_VOID(check_theirs(open.signer(), plan, expect));
  Manifest out = object.manifest;
  if (!plan.rights && !out.passed_over.empty())
    return fail("data.seal", "The object has keys that are wrapped in a way that is not known here.", {},
                "Say whom it is for: those keys would be lost.");
  out.passed_over.clear();
  if (plan.rights) {
    SealPlan wrap;
    wrap.shares = plan.rights->shares;
    wrap.metadata = plan.rights->metadata;
    out.policy_text = new_policy_text(out.policy_text, plan.rights->policy);
    TRY_VOID(read_policy(out.policy_text));
    TRY(out.key_access, wrap_key(key, wrap, out.policy_text));
  }
  const BoundTo bound = bound_to(out.segments, out.form);
  if (plan.assertions) {
    out.assertions.clear();
    for (const Assertion& one : *plan.assertions)
      out.assertions.push_back(bind_with_object_key(one, bound, key));
  }
  if (plan.label) {
    drop_labels(out.assertions);
    out.assertions.push_back(bind_with_object_key(*plan.label, bound, key));
  }
  if (out.policy_text != object.manifest.policy_text || plan.assertions || plan.label || plan.originator)
    drop_originator(out.assertions);
  if (plan.rights && claimed_originator(out).value_or("").empty()) {
    std::erase_if(out.assertions,
                  [](const Json& one) { return one.text_or("id", "") == kLineageAssertionId; });
    out.assertions.push_back(
        bind_with_object_key(lineage_assertion(lineage_after(object.manifest)), bound, key));
  }
  if (plan.originator) {
    TRY(const SegmentDigests digests, open.digests(progress));
    TRY(Json signature, originator_assertion(out, digests, key, *plan.originator));
    out.assertions.push_back(std::move(signature));
  }
  TRY_VOID(check_readable(out));
  ZipWriter zip(sink, kept_bytes(object).size, moved_to_front(object.zip.payload));
  TRY_VOID(zip.finish([&](Sink& into) { return write_manifest(out, into); }));
  return out;
}

}  // namespace entente::data
