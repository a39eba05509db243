#include "data/originator.h"

#include "crypto/jose.h"

#include <set>

#include <fmt/format.h>

namespace entente::data {
namespace {

constexpr std::string_view kSchema = "urn:entente:originator-signature:3";
constexpr std::string_view kType = "entente-originator+jws";
constexpr size_t kNameMax = 64;

Failure originator_fail(std::string what,
                        std::string hint = "Refuse the object, or ask its originator for it again.") {
  return fail("data.originator", std::move(what), {}, std::move(hint));
}

std::string digest_text(ByteView bytes) {
  return base64url(crypto::sha256(bytes));
}

crypto::Digest payload_digest(const SegmentDigests& digests) {
  crypto::Sha256 all;
  for (const crypto::Digest& one : digests) all.add(one);
  return all.digest();
}

// What is signed. The root signature stands for the object's key: sealed bytes alone can be made to open with
// two keys, to two texts, since AES-GCM does not commit to its key. Every other assertion's hash is in it, in
// order: one taken away or added shows.
Json claims_of(const Manifest& manifest, const SegmentDigests& digests, std::string_view originator) {
  Json assertions = Json::array();
  for (const Json& one : manifest.assertions)
    if (one.text_or("id", "") != kOriginatorAssertionId) assertions.push(assertion_hash(one));
  return Json::object({{"originator", originator},
                       {"segments", base64url(payload_digest(digests))},
                       {"root", base64url(manifest.root_signature)},
                       {"bytes", static_cast<int64_t>(manifest.segments.plain_at(manifest.segments.count()))},
                       {"policy", digest_text(as_bytes(manifest.policy_text))},
                       {"mimeType", manifest.mime_type},
                       {"assertions", std::move(assertions)}});
}

Assertion assertion_with(std::string token) {
  Assertion out;
  out.id = kOriginatorAssertionId;
  out.type = "other";
  out.format = "jws";
  out.schema = kSchema;
  out.value = std::move(token);
  return out;
}

// The token inside the assertion; empty when there is none. What stands around it is not signed, so that it
// is the same in all.
std::string token_of(const Manifest& manifest) {
  for (const Json& one : manifest.assertions) {
    if (one.text_or("id", "") != kOriginatorAssertionId) continue;
    const auto read = read_assertion(one);
    if (read && read->value.is_string() &&
        assertion_hash(one) == assertion_hash(assertion_with(read->value.string())))
      return read->value.string();
  }
  return {};
}

// What a token says, where that key signed it.
std::optional<Bytes> signed_with(const crypto::PublicKey& key, const std::string& name,
                                 std::string_view token) {
  if (key.kind() != crypto::KeyKind::p256) return std::nullopt;
  const auto set = crypto::KeySet::from_keys({{.kid = name, .alg = crypto::SignatureAlg::ES256, .key = key}});
  if (!set) return std::nullopt;
  auto jws = crypto::verify_jws(
      token, *set, {.algs = {crypto::SignatureAlg::ES256}, .typ = std::string(kType), .kid_required = true});
  if (!jws) return std::nullopt;
  return std::move(jws->payload);
}

std::string named_in(std::string_view token) {
  const std::string name = crypto::unverified_kid(token).value_or("");
  return name.size() <= kNameMax ? name : "";
}

}  // namespace

Result<void> check_originator_key(const OriginatorKey& by) {
  if (by.key.kind() != crypto::KeyKind::p256)
    return originator_fail("The originator's key can't sign objects.", "Use P-256.");
  if (by.originator.empty() || by.originator.size() > kNameMax)
    return originator_fail("The originator has no name, or too long a one.",
                           fmt::format("at most {} bytes", kNameMax));
  return {};
}

Result<Json> originator_assertion(const Manifest& manifest, const SegmentDigests& digests,
                                  const crypto::Secret& key, const OriginatorKey& by) {
  TRY_VOID(check_originator_key(by));
  const crypto::JwsMake make{
      .alg = crypto::SignatureAlg::ES256, .typ = std::string(kType), .kid = by.originator};
  TRY(std::string token,
      crypto::sign_jws(by.key, make, as_bytes(claims_of(manifest, digests, by.originator).canonical())));
  return bind_with_object_key(assertion_with(std::move(token)), bound_to(manifest.segments, manifest.form),
                              key);
}

std::optional<std::string> claimed_originator(const Manifest& manifest) {
  const std::string token = token_of(manifest);
  if (token.empty()) return std::nullopt;
  return named_in(token);
}

Result<OriginatorSeen> look_at_originator(const Manifest& manifest, const SegmentDigests& digests,
                                          const OriginatorKeys& known) {
  const std::string token = token_of(manifest);
  OriginatorSeen out{named_in(token), false};
  if (out.said.empty()) return out;
  // What is signed leaves out the signature's own assertion by its id: a second one of that id would hide.
  std::set<std::string_view> ids;
  for (const Json& one : manifest.assertions)
    if (!ids.insert(one.text_or("id", "")).second)
      return originator_fail("Two of the object's assertions have one id: they can't be told apart.");
  const auto [first, last] = known.equal_range(out.said);
  if (first == last) return out;
  const std::string claims = claims_of(manifest, digests, out.said).canonical();
  bool signed_other = false;
  for (auto key = first; key != last; ++key) {
    const auto payload = signed_with(key->second, out.said, token);
    if (!payload) continue;
    if (as_text(*payload) == claims) {
      out.verified = true;
      return out;
    }
    signed_other = true;
  }
  return originator_fail(signed_other ? "The originator signed something else than what is here."
                                      : "The originator's signature does not hold.");
}

Result<std::string> verify_originator(const Manifest& manifest, const SegmentDigests& digests,
                                      const OriginatorKeys& keys) {
  TRY(OriginatorSeen seen, look_at_originator(manifest, digests, keys));
  if (seen.said.empty()) return originator_fail("The object is not signed by its originator.");
  if (!seen.verified)
    return originator_fail("The object is signed by an originator whose key is not known here.",
                           "Say whose public key it must be.");
  return std::move(seen.said);
}

}  // namespace entente::data
