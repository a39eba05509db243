// What a reader asks a key service, and what it makes of the answer: messages, no sockets. A request is
// signed by the key that the access token is bound to, and the answer opens only with a key made for this one
// request. docs/wire-formats/kas.md. Errors: "data.key-refused" (the service said no), "data.key-answer" (no
// answer as such), "data.unwrap".
#pragma once

#include "base/time.h"
#include "coalition/ask.h"
#include "data/key_access.h"

namespace entente::data {

// An access token and the private key it is bound to (RFC 9449).
struct Holder {
  std::string token = {};
  crypto::PrivateKey proof;
};

// As `action` has them: one as a text; of several each has to be permitted.
[[nodiscard]] Json write_actions(const std::vector<coalition::Action>& actions);

// Where a key access object's URL leads: without the paths that software writes behind it.
[[nodiscard]] std::string key_service_of(std::string_view url);

struct KeyRequest {
  std::string path = "/kas.AccessService/Rewrap";  // POST, application/json
  std::string body = {};
  crypto::PrivateKey session;  // P-256
};
// `actions`: what it is asked for to be done with it.
[[nodiscard]] Result<KeyRequest> ask_for_share(const KeyAccess& access, std::string_view policy_text,
                                               const std::vector<coalition::Action>& actions,
                                               const Holder& holder, Instant now);
// Asks for a release of what is under originator control, in place of a share: that right, for a purpose.
struct ReleaseWish {
  std::string right = "open";
  std::string purpose = {};
  int64_t minutes = 0;
};
[[nodiscard]] Result<KeyRequest> ask_for_release(const KeyAccess& access, std::string_view policy_text,
                                                 const ReleaseWish& wish, const Holder& holder, Instant now);
// The name under which it waits for an answer.
[[nodiscard]] Result<std::string> read_asked(int status, std::string_view body);
// Takes the object back, for its author: by the share of their own nation's service, in place of that share.
[[nodiscard]] Result<KeyRequest> ask_to_recall(const KeyAccess& access, std::string_view policy_text,
                                               std::string_view reason, const Holder& holder, Instant now);
// Whether that is on the disk there already. It acts either way.
[[nodiscard]] Result<bool> read_recalled(int status, std::string_view body);
// How their own nation's node knows whoever asks as an author: author_mark()'s code.
inline constexpr std::string_view kAuthorPath = "/entente.AuthorService/GetAuthor";
[[nodiscard]] Result<std::string> read_author(int status, std::string_view body);
// The DPoP header of a request; `nonce` as the service last gave one.
[[nodiscard]] Result<std::string> make_proof(const Holder& holder, std::string_view method,
                                             std::string_view url, std::string_view nonce, Instant now);
// Status and body as they came.
[[nodiscard]] Result<crypto::Secret> read_share(int status, std::string_view body, const KeyRequest& request);

}  // namespace entente::data
