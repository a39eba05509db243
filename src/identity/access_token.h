// Access tokens that people bring (RFC 9068): from which of the nation's issuers, for which of our services,
// bound to which key. What the claims mean says the crosswalk, as for ID tokens. Errors: "token.issuer"
// (unknown, or not ours), "token.binding", and those of crypto/jose.h.
#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/time.h"
#include "crypto/jose.h"
#include "identity/dpop.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente::identity {

inline constexpr Seconds kAccessTokenLifeMax{24 * 3600};

// Record token-issuer/<name>: issuer, audience, alg, typ? ("at+jwt"), clients? (if any: nobody else's),
// lenient_proofs? (its programs' proofs may leave `ath` out and name the path alone, as some clients do:
// whoever gets such a proof can bring it to another service).
struct TokenIssuer {
  std::string issuer;    // exact, as it writes it
  std::string audience;  // what stands in `aud` of tokens for us, and nothing else
  crypto::SignatureAlg alg = crypto::SignatureAlg::ES256;
  std::string typ = "at+jwt";  // empty: not looked at, for issuers from before RFC 9068
  std::vector<std::string> clients = {};
  DpopLeniency lenient = {};
};
[[nodiscard]] Result<TokenIssuer> token_issuer_from_json(const Json& json, const std::string& path);

struct AccessToken {
  std::string issuer;
  std::string subject;
  std::string client;                             // client_id or azp; may be empty
  std::string thumbprint;                         // cnf.jkt; empty: bound to nothing
  std::shared_ptr<const crypto::Jwt::Said> said;  // what it says; never null
  std::optional<Instant> auth_time;
  Instant issued = {};
  Instant end = {};
  crypto::Digest digest{};  // SHA-256 of its text
};

// Whose a token claims to be, to find the issuer by: good for nothing else.
[[nodiscard]] std::optional<std::string> unverified_issuer(std::string_view token);
[[nodiscard]] Result<AccessToken> check_access_token(std::string_view token, const TokenIssuer& issuer,
                                                     const crypto::KeySet& keys, Instant now);

}  // namespace entente::identity
