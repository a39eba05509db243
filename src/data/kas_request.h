// What clients ask of a key service: the signed request token, and the bodies inside it as unmodified clients
// write them (docs/wire-formats/kas.md). Nothing here decides. Errors: "kas.request" (shape),
// "kas.signature".
#pragma once

#include "base/json.h"
#include "base/time.h"
#include "coalition/ask.h"
#include "crypto/key.h"
#include "data/data_policy.h"
#include "data/key_access.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente::data {

inline constexpr size_t kRewrapBytesMax = 1 << 20;
inline constexpr size_t kRewrapObjectsMax = 64;  // key access objects of one request
inline constexpr Seconds kRequestTokenLifeMax{2 * 3600 + 120};

struct WantedKey {
  std::string id;       // keyAccessObjectId: comes back
  std::string digest;   // base64url SHA-256 of the wrapped key
  std::string problem;  // cannot be read: denied without a look, like one that does not open
  KeyAccess access;
};
// Not a key: a release of what is under originator control, for a purpose and a time.
struct WantedRelease {
  std::string purpose;
  int64_t minutes = 0;
};
// Not a key either: its author takes the object back.
struct WantedRecall {
  std::string reason;
};
struct WantedObject {
  std::string id;           // the request's name for the policy: comes back
  std::string policy_text;  // base64, as the binding covers it
  // Each by itself has to permit. `view` alone where a page asks; of a release, or a recall, it is one.
  std::vector<coalition::Action> actions{coalition::Action::open};
  std::optional<WantedRelease> release;  // then the request has no other object
  std::optional<WantedRecall> recall;    // then neither; the action is `recall`
  std::string problem;                   // of the policy
  DataPolicy policy;
  crypto::Digest policy_digest{};  // of its text
  std::vector<WantedKey> keys;
};
struct RewrapRequest {
  bool first_version = false;  // one key access object, answered in the shape of that time
  bool view = false;           // to be looked after for as long as it is shown; a node says so, no client
  std::string client_key;      // PEM
  std::string mission;         // what it is asked for, if they say so
  std::vector<WantedObject> objects;
};

// The token's signature is by `key`: always.
[[nodiscard]] Result<Json> open_request_token(std::string_view body, const crypto::PublicKey& key,
                                              Instant now);
[[nodiscard]] Result<RewrapRequest> read_rewrap(const Json& body);

}  // namespace entente::data
