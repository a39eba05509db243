// `Entente-Assertion`: how an app learns who is there. Compact JWS, ES256, typ "entente-assertion+jwt",
// signed by the app's own nation; lives a minute, names one app, is bound to the connector's certificate (cnf
// x5t#S256, RFC 8705 section 3.1). Errors: "assertion.format", "assertion.connector", "assertion.replayed",
// and those of crypto/jose.h.
#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/time.h"
#include "base/used_once.h"
#include "coalition/ask.h"
#include "crypto/jose.h"

#include <span>
#include <string>
#include <string_view>

namespace entente::identity {

inline constexpr std::string_view kAssertionHeader = "entente-assertion";
inline constexpr std::string_view kAssertionTyp = "entente-assertion+jwt";
inline constexpr Seconds kAssertionLife{60};
inline constexpr size_t kAssertionsRememberedMax = 100'000;

[[nodiscard]] std::string node_uri(const PartnerCode& partner);   // "entente:node:XAA": the issuer
[[nodiscard]] std::string app_uri(const coalition::AppRef& app);  // "entente:app:XAA/cop": the audience

struct Assertion {
  PartnerCode issuer;  // the app's owner
  coalition::AppRef app;
  PersonId person;        // pairwise: pseudonym.h
  PartnerCode partner;    // whose person
  MissionId mission;      // may be empty
  Json attributes;        // name -> value
  std::string connector;  // thumbprint of its certificate
  std::string session;    // session_reference(): the same for one session, linkable to nothing else
  std::string id;         // jti
  Instant issued = {};
  Instant end = {};
};

// Only the facts an app may know, as plain values, without those past their end.
[[nodiscard]] Json attributes_for(const coalition::Facts& facts, std::span<const std::string> shares,
                                  Instant now);
// The first end among them: then attributes_for() says something else.
[[nodiscard]] Instant attributes_end(const coalition::Facts& facts, std::span<const std::string> shares,
                                     Instant now);
[[nodiscard]] std::string session_reference(const crypto::Secret& secret, const SessionId& session,
                                            const coalition::AppRef& app);

// `issued`, `end` and `id` of `assertion` are set here: now, a minute later, `jti`.
[[nodiscard]] Result<std::string> sign_assertion(const crypto::PrivateKey& key, const std::string& kid,
                                                 Assertion assertion, Instant now, const std::string& jti);

// For connectors and apps. One object per app and connector; not thread-safe.
class AssertionVerifier {
 public:
  AssertionVerifier(coalition::AppRef app, std::string connector_thumbprint, crypto::KeySet keys);
  // Good for each request of its minute: the node sends one with several requests of a session.
  [[nodiscard]] Result<Assertion> check(std::string_view token, Instant now) const;
  // For an app that asked for one with each request (`"assertion": "each_request"` in its record): a second
  // request with it is a replay. Refuses when more are live than can be remembered.
  [[nodiscard]] Result<Assertion> check_once(std::string_view token, Instant now);

 private:
  coalition::AppRef app_;
  std::string connector_;
  crypto::KeySet keys_;
  UsedOnce used_{kAssertionsRememberedMax, kAssertionsRememberedMax};
};

}  // namespace entente::identity
