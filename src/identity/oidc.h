// An OpenID Connect relying party without sockets: a step says which HTTP request to make next or where to
// send the browser, and the answer is handed back. One client per provider, owned by one loop.
//
//   auto step = client.begin({...}, moment);
//   while (step && std::holds_alternative<Fetch>(*step)) {
//     Fetch fetch = std::get<Fetch>(std::move(*step));
//     auto answer = co_await ask(fetch.http);  // redirects are not followed; at most http.answer_bytes_max;
//     TLS verified step = client.answered(std::move(fetch), std::move(answer), moment);
//   }
//
// OpenID Connect Core 1.0 and Back-Channel Logout 1.0, RFC 7636 (PKCE S256), RFC 9126 (PAR), RFC 9207 (iss),
// RFC 7523 (private_key_jwt), RFC 9700. Errors: "oidc.config", "oidc.discovery", "oidc.provider_down",
// "oidc.refused", "oidc.state", "oidc.mix_up", "oidc.browser", "oidc.answer", "oidc.token", "oidc.nonce",
// "oidc.keys", and those of crypto/jose.h.
#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/time.h"
#include "base/used_once.h"
#include "crypto/jose.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace entente::identity {

struct OidcProvider {
  PartnerCode nation;
  std::string issuer = {};  // exact, as the provider writes it
  std::string client_id = {};
  std::string redirect_uri = {};  // this provider's alone
  std::vector<std::string> scopes = {"openid"};
  std::vector<std::string> acr_values = {};  // asked for; what they are worth says the crosswalk
  std::vector<std::string> hosts = {};       // "host:port" its endpoints may be on; empty: the issuer's own
  crypto::SignatureAlg id_token_alg = crypto::SignatureAlg::ES256;
  crypto::SignatureAlg client_alg = crypto::SignatureAlg::ES256;
  std::string client_kid = {};
  bool par_required = false;
  std::optional<Seconds> auth_age_max = {};  // of the provider's own sign-in
};
// {"nation","issuer","client_id","redirect_uri","scopes","acr_values","hosts","id_token_alg","client_alg","client_kid",
// "par_required","auth_age_max_s"}: the last eight may be missing.
[[nodiscard]] Result<OidcProvider> oidc_provider_from_json(const Json& json);

struct OidcEndpoints {
  std::string authorization;
  std::string token;
  std::string jwks;
  std::string par;          // empty: not offered
  std::string end_session;  // empty: not offered
  bool iss_in_response = false;
};
[[nodiscard]] Result<OidcEndpoints> check_discovery(const OidcProvider& provider, std::string_view document);

inline constexpr size_t kSignInsMax = 10'000;  // begun and not returned; the oldest makes room
inline constexpr Seconds kSignInLife{600};
inline constexpr Seconds kDocumentsAge{3600};  // discovery is fetched again after this
inline constexpr Seconds kKeysAge{15};         // keys are: one that was withdrawn counts no longer
// Fetches for an unknown kid within the pause. A logout token has one of its own: anybody may post it.
inline constexpr Seconds kKeysPause{60};
inline constexpr size_t kKeyLooksMax = 3;

struct HttpAsk {
  std::string method;  // "GET" or "POST"
  std::string url;
  std::string body = {};  // application/x-www-form-urlencoded; may hold secrets: never logged
  size_t answer_bytes_max = 256 * 1024;
};
struct HttpAnswer {
  int status = 0;
  std::string body = {};
};

struct Moment {
  Instant now;
  Tick tick;
};

struct SignedIn {
  PartnerCode nation;
  std::string issuer;
  std::string subject;
  Json claims;  // of the ID token
  std::optional<Instant> auth_time;
  std::string return_to;
};
struct Redirect {
  std::string url;
  std::string browser_token;  // for a __Host- cookie of this browser; callback() asks for it
};

struct LoggedOut {  // whom their provider signed out, everywhere
  std::string issuer;
  std::string subject;
  std::string jti;
};

class OidcClient {
  struct Attempt;
  struct FreeAttempt {
    void operator()(Attempt* attempt) const noexcept;
  };

 public:
  // Drop it to give the attempt up.
  struct Fetch {
    HttpAsk http;
    std::unique_ptr<Attempt, FreeAttempt> attempt;
  };
  using Step = std::variant<Fetch, Redirect, SignedIn, LoggedOut>;
  using Random = std::function<Bytes(size_t)>;

  OidcClient(OidcProvider provider, crypto::PrivateKey client_key, Random random);
  ~OidcClient();
  OidcClient(OidcClient&&) noexcept;
  OidcClient& operator=(OidcClient&&) noexcept;

  // `return_to` is kept as it is and comes back with SignedIn: the caller decides where that may lead.
  [[nodiscard]] Result<Step> begin(std::string return_to, const Moment& moment);
  // The query of the request to the redirect URI, without '?', and the browser's token. Uses the attempt up.
  [[nodiscard]] Result<Step> callback(std::string_view query, std::string_view browser_token,
                                      const Moment& moment);
  // A logout token that somebody posted: the provider's word, once, about somebody by `sub` ("oidc.token"
  // where it names a session alone: those are not told apart here). Anybody may post: what comes first is the
  // answer, or a Fetch of keys, at most one a minute. Sign-ins on their way end with it, too.
  [[nodiscard]] Result<Step> logged_out(std::string logout_token, const Moment& moment);
  // What the token said could not be made to last: it may be said again.
  void forget_logout(const std::string& jti);
  [[nodiscard]] Result<Step> answered(Fetch fetch, Result<HttpAnswer> answer, const Moment& moment);

  [[nodiscard]] const OidcProvider& provider() const { return provider_; }
  [[nodiscard]] size_t waiting() const { return waiting_.size(); }

 private:
  using AttemptPtr = std::unique_ptr<Attempt, FreeAttempt>;
  struct Left {
    Instant issued;  // the logout token, by the provider's clock
    Tick heard;
  };
  [[nodiscard]] Result<Step> go_on(AttemptPtr attempt, const Moment& moment);
  [[nodiscard]] Result<Step> ask_keys(AttemptPtr attempt, const Moment& moment);
  [[nodiscard]] Result<Step> ask_for_code(AttemptPtr attempt, const Moment& moment);
  [[nodiscard]] Result<Step> ask_for_tokens(AttemptPtr attempt, const Moment& moment);
  [[nodiscard]] Step redirect(AttemptPtr attempt, const std::string& parameters, const Moment& moment);
  [[nodiscard]] Result<void> read_keys(const std::string& body, const Moment& moment);
  [[nodiscard]] Result<Step> finish(AttemptPtr attempt, const Moment& moment);
  [[nodiscard]] bool may_look(const Attempt& attempt, const Moment& moment);
  [[nodiscard]] Result<SignedIn> read_id_token(const Attempt& attempt, const Moment& moment) const;
  [[nodiscard]] Result<LoggedOut> read_logout_token(const Attempt& attempt, const Moment& moment);
  [[nodiscard]] Result<std::string> client_assertion(const Moment& moment) const;
  void remember_left(const std::string& subject, Left left);
  [[nodiscard]] bool left_since(const std::string& subject, Instant issued, const Attempt& attempt) const;
  [[nodiscard]] std::string random_token() const;

  OidcProvider provider_;
  crypto::PrivateKey key_;
  Random random_;
  std::optional<OidcEndpoints> endpoints_;
  Tick endpoints_at_{};
  crypto::KeySet keys_;
  std::optional<Tick> keys_at_;     // when they were read
  std::optional<Tick> keys_asked_;  // when they were last asked for
  std::deque<Tick> key_looks_;      // for an unknown kid, within the pause
  std::optional<Tick> keys_asked_for_logout_;
  std::unordered_map<std::string, AttemptPtr> waiting_;  // by state
  UsedOnce logouts_{kSignInsMax, kSignInsMax};           // by the digest of their jti
  std::map<std::string, Left> left_;                     // by subject: whom their provider signed out
  std::deque<std::pair<Tick, std::string>> order_;       // states begun, oldest first; some were used since
};
using Fetch = OidcClient::Fetch;
using OidcStep = OidcClient::Step;

}  // namespace entente::identity
