// Statements about a sealed object, bound to it by a JWS (OpenTDF 4.3.0). Bound with the object's own key
// (HS256) they are what any reader could have written; bound by a key that the caller pinned they are its
// owner's. Keys inside a token (jwk, x5c, kid) are never used. Errors: "data.assertion".
#pragma once

#include "crypto/jose.h"
#include "data/object_manifest.h"
#include "label/label.h"

#include <map>
#include <optional>

namespace entente::data {

struct Assertion {
  std::string id = {};
  std::string type = "handling";  // or "other"
  std::string scope = "tdo";      // or "payload"
  std::string state = "encrypted";
  std::string format = "string";
  std::string schema = {};
  Json value;                // anything but null
  std::string binding = {};  // the token; empty while it is not bound
};
// Shape only.
[[nodiscard]] Result<Assertion> read_assertion(const Json& json);
// Lower-case hex of SHA-256 over the canonical form (RFC 8785) without "binding".
[[nodiscard]] std::string assertion_hash(const Json& assertion);
// Of one as it is written here, with no other member.
[[nodiscard]] std::string assertion_hash(const Assertion& assertion);

// What a binding covers besides the assertion: the object's segments.
struct BoundTo {
  Bytes aggregate = {};  // aggregate_hash()
  HashForm form = HashForm::raw;
};
[[nodiscard]] BoundTo bound_to(const Segments& segments, HashForm form);

// An assertion as it stands in a manifest.
[[nodiscard]] Json bind_with_object_key(const Assertion& assertion, const BoundTo& object,
                                        const crypto::Secret& key);
// RS256 for RSA, ES256 for P-256; other keys are refused.
[[nodiscard]] Result<Json> bind_with_private_key(const Assertion& assertion, const BoundTo& object,
                                                 const crypto::PrivateKey& key);

enum class Voucher { object_key, pinned_key };
struct Verified {
  Assertion assertion;
  Voucher by = Voucher::object_key;
};
// By assertion id: such an assertion must be there, and bound by that key and nothing else.
using PinnedKeys = std::map<std::string, crypto::PublicKey, std::less<>>;
// All or nothing: every assertion's binding holds, ids are unique, and every pinned one is there. One that is
// bound by a private key whose public key was not pinned is refused: nobody said whose it is.
[[nodiscard]] Result<std::vector<Verified>> verify_assertions(const Manifest& manifest,
                                                              const crypto::Secret& key,
                                                              const PinnedKeys& pinned);

// The STANAG label among assertions, in the JSON form that OpenTDF software writes.
inline constexpr std::string_view kLabelAssertionId = "label";
[[nodiscard]] Result<Assertion> label_assertion(const label::Label& label);
[[nodiscard]] bool is_label_assertion(const Assertion& assertion);
[[nodiscard]] Result<label::Label> read_label_assertion(const Assertion& assertion);

}  // namespace entente::data
