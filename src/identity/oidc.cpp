#include "identity/oidc.h"

#include "base/form.h"
#include "crypto/digest.h"
#include "identity/web_text.h"

#include <algorithm>

namespace entente::identity {
namespace {

constexpr std::string_view kAssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
constexpr Seconds kClientAssertionLife{60};
constexpr Seconds kIdTokenAge{300};  // it is made when we ask for it, so an old one is somebody else's
constexpr size_t kSecretBytes = 32;
constexpr size_t kSubjectBytesMax = 255;
constexpr size_t kReturnToBytesMax = 4096;
constexpr size_t kAnswerFieldsMax = 32;
constexpr int64_t kLatestSecond = 253402300799;

bool is_visible(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

// An OAuth error code as it may be shown and logged.
std::string error_name(std::string_view text) {
  const bool plain = !text.empty() && text.size() <= 64 &&
                     std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
  return plain ? std::string(text) : "an error without a plain name";
}

Result<Json> read_answer(const HttpAnswer& answer, int status, std::string_view from) {
  const auto json = Json::parse(answer.body, {.bytes_max = 256 * 1024, .depth_max = 16});
  if (answer.status != status) {
    const std::string name = json ? error_name(json->text_or("error", "")) : "no JSON";
    return fail("oidc.refused", "The provider's " + std::string(from) + " answered " +
                                    std::to_string(answer.status) + ": " + name + ".");
  }
  if (!json || !json->is_object())
    return fail("oidc.answer", "The provider's " + std::string(from) + " did not answer with a JSON object.");
  return *json;
}

Result<std::optional<Instant>> read_auth_time(const Json& claims, const OidcProvider& provider, Instant now) {
  constexpr Seconds kSkew{60};
  const Json* value = claims.find("auth_time");
  if (value == nullptr && !provider.auth_age_max) return std::nullopt;
  if (value == nullptr || !value->is_int() || value->integer() < 0 || value->integer() > kLatestSecond)
    return fail("oidc.token", "The ID token does not say when the person signed in.");
  const Instant at = from_unix_seconds(value->integer());
  if (at > now + kSkew)
    return fail("oidc.token", "The person would have signed in in the future.", {}, "Check both clocks.");
  if (provider.auth_age_max && now - at > *provider.auth_age_max + kSkew)
    return fail("oidc.token", "The person's sign-in at the provider is too old.", {}, "Sign in again.");
  return at;
}

}  // namespace

struct OidcClient::Attempt {
  enum class Stage { starting, returned, tokens, logout };    // what the person's attempt has reached
  enum class Waits { discovery, keys, push, code_exchange };  // which answer it waits for
  Stage stage = Stage::starting;
  Waits waits = Waits::discovery;
  bool keys_renewed = false;
  std::string state;
  std::string nonce;
  std::string verifier;
  std::string browser_token;  // only until the redirect; then its digest
  crypto::Digest browser_digest{};
  std::string return_to;
  Tick began;
  std::string code;
  std::string id_token;
  std::string access_token;
};

void OidcClient::FreeAttempt::operator()(Attempt* attempt) const noexcept {
  delete attempt;
}

OidcClient::OidcClient(OidcProvider provider, crypto::PrivateKey client_key, Random random)
    : provider_(std::move(provider)), key_(std::move(client_key)), random_(std::move(random)) {}
OidcClient::~OidcClient() = default;
OidcClient::OidcClient(OidcClient&&) noexcept = default;
OidcClient& OidcClient::operator=(OidcClient&&) noexcept = default;

std::string OidcClient::random_token() const {
  return base64url(random_(kSecretBytes));
}

Result<OidcStep> OidcClient::begin(std::string return_to, const Moment& moment) {
  if (return_to.size() > kReturnToBytesMax) return fail("oidc.state", "The place to return to is too long.");
  AttemptPtr attempt(new Attempt);
  attempt->state = random_token();
  attempt->nonce = random_token();
  attempt->verifier = random_token();
  attempt->browser_token = random_token();
  attempt->browser_digest = crypto::sha256(attempt->browser_token);
  attempt->return_to = std::move(return_to);
  attempt->began = moment.tick;
  return go_on(std::move(attempt), moment);
}

// Documents first; then whatever the attempt has reached.
Result<OidcStep> OidcClient::go_on(AttemptPtr attempt, const Moment& moment) {
  if (!endpoints_ || moment.tick - endpoints_at_ >= kDocumentsAge) {
    attempt->waits = Attempt::Waits::discovery;
    std::string url = provider_.issuer;
    if (url.ends_with('/')) url.pop_back();
    return Fetch{{.method = "GET", .url = url + "/.well-known/openid-configuration"}, std::move(attempt)};
  }
  // One asks for all: the others go on with the keys at hand until the answer is here.
  const bool old = !keys_at_ || moment.tick - *keys_at_ >= kDocumentsAge;
  const bool due = old || (moment.tick - *keys_at_ >= kKeysAge && moment.tick - *keys_asked_ >= kKeysAge);
  if (due) return ask_keys(std::move(attempt), moment);
  switch (attempt->stage) {
    case Attempt::Stage::starting:
      return ask_for_code(std::move(attempt), moment);
    case Attempt::Stage::returned:
      return ask_for_tokens(std::move(attempt), moment);
    case Attempt::Stage::tokens:
    case Attempt::Stage::logout:
      return finish(std::move(attempt), moment);
  }
  ENTENTE_CHECK(false);
  return fail("oidc.state", "unreachable");
}

Result<OidcStep> OidcClient::ask_keys(AttemptPtr attempt, const Moment& moment) {
  if (attempt->stage == Attempt::Stage::logout) keys_asked_for_logout_ = moment.tick;
  keys_asked_ = moment.tick;
  attempt->waits = Attempt::Waits::keys;
  return Fetch{{.method = "GET", .url = endpoints_->jwks}, std::move(attempt)};
}

Result<std::string> OidcClient::client_assertion(const Moment& moment) const {
  const Json claims = Json::object({{"iss", provider_.client_id},
                                    {"sub", provider_.client_id},
                                    {"aud", provider_.issuer},
                                    {"jti", random_token()},
                                    {"iat", unix_seconds(moment.now)},
                                    {"exp", unix_seconds(moment.now + kClientAssertionLife)}});
  return crypto::sign_jwt(key_, {.alg = provider_.client_alg, .kid = provider_.client_kid}, claims);
}

Result<OidcStep> OidcClient::ask_for_code(AttemptPtr attempt, const Moment& moment) {
  std::string scope;
  for (const std::string& each : provider_.scopes) scope.append(scope.empty() ? "" : " ").append(each);
  std::string acr_values;
  for (const std::string& each : provider_.acr_values)
    acr_values.append(acr_values.empty() ? "" : " ").append(each);
  // Some providers tell how somebody signed in only when asked for it by name.
  const Json wanted =
      Json::object({{"id_token", Json::object({{"acr", Json()},
                                               {"amr", Json()},
                                               {"auth_time", Json::object({{"essential", true}})}})}});
  Pairs form{{"response_type", "code"},
             {"client_id", provider_.client_id},
             {"redirect_uri", provider_.redirect_uri},
             {"scope", scope},
             {"state", attempt->state},
             {"nonce", attempt->nonce},
             {"code_challenge", base64url(crypto::sha256(attempt->verifier))},
             {"code_challenge_method", "S256"},
             {"claims", wanted.dump()}};
  if (!acr_values.empty()) form.emplace_back("acr_values", acr_values);
  if (provider_.auth_age_max) form.emplace_back("max_age", std::to_string(provider_.auth_age_max->count()));
  if (endpoints_->par.empty()) return redirect(std::move(attempt), write_form(form), moment);
  TRY(std::string assertion, client_assertion(moment));
  form.emplace_back("client_assertion_type", kAssertionType);
  form.emplace_back("client_assertion", std::move(assertion));
  attempt->waits = Attempt::Waits::push;
  return Fetch{{.method = "POST", .url = endpoints_->par, .body = write_form(form)}, std::move(attempt)};
}

OidcStep OidcClient::redirect(AttemptPtr attempt, const std::string& parameters, const Moment& moment) {
  const std::string& base = endpoints_->authorization;
  Redirect out{base + (base.find('?') == std::string::npos ? "?" : "&") + parameters,
               std::move(attempt->browser_token)};
  const auto is_done = [&](const auto& oldest) {
    return moment.tick - oldest.first >= kSignInLife || !waiting_.contains(oldest.second);
  };
  while (!order_.empty() && (is_done(order_.front()) || order_.size() >= kSignInsMax)) {
    waiting_.erase(order_.front().second);
    order_.pop_front();
  }
  const std::string state = attempt->state;
  order_.emplace_back(attempt->began, state);
  waiting_.emplace(state, std::move(attempt));
  return out;
}

Result<OidcStep> OidcClient::callback(std::string_view query, std::string_view browser_token,
                                      const Moment& moment) {
  const Result<Pairs> read = parse_form(query, kAnswerFieldsMax);
  if (!read) return fail("oidc.answer", "The provider's answer cannot be read: " + read.error().what());
  const Pairs& form = *read;
  const std::string* state = find_pair(form, "state");
  const auto at = state == nullptr ? waiting_.end() : waiting_.find(*state);
  if (at == waiting_.end())
    return fail("oidc.state", "This sign-in was not begun here, was used already, or took too long.", {},
                "Begin again.");
  // Single use, whatever comes of it.
  AttemptPtr attempt = std::move(at->second);
  waiting_.erase(at);
  if (moment.tick - attempt->began >= kSignInLife)
    return fail("oidc.state", "This sign-in took too long.", {}, "Begin again.");
  if (!crypto::equal_constant_time(ByteView(crypto::sha256(browser_token)),
                                   ByteView(attempt->browser_digest)))
    return fail("oidc.browser", "This sign-in was begun in another browser.", {}, "Begin again in this one.");
  const std::string* issuer = find_pair(form, "iss");
  if (issuer == nullptr ? endpoints_ && endpoints_->iss_in_response : *issuer != provider_.issuer)
    return fail("oidc.mix_up", "The answer does not come from the provider that was asked.",
                provider_.issuer);
  if (const std::string* error = find_pair(form, "error"))
    return fail("oidc.refused", "The provider ended the sign-in: " + error_name(*error) + ".");
  const std::string* code = find_pair(form, "code");
  if (code == nullptr || !is_visible(*code) || code->size() > 4096)
    return fail("oidc.answer", "The provider's answer holds no code.");
  attempt->code = *code;
  attempt->stage = Attempt::Stage::returned;
  return go_on(std::move(attempt), moment);
}

Result<OidcStep> OidcClient::ask_for_tokens(AttemptPtr attempt, const Moment& moment) {
  TRY(std::string assertion, client_assertion(moment));
  const Pairs form{
      {"grant_type", "authorization_code"},      {"code", attempt->code},
      {"redirect_uri", provider_.redirect_uri},  {"code_verifier", attempt->verifier},
      {"client_id", provider_.client_id},        {"client_assertion_type", std::string(kAssertionType)},
      {"client_assertion", std::move(assertion)}};
  attempt->waits = Attempt::Waits::code_exchange;
  return Fetch{{.method = "POST", .url = endpoints_->token, .body = write_form(form)}, std::move(attempt)};
}

Result<void> OidcClient::read_keys(const std::string& body, const Moment& moment) {
  auto keys = crypto::KeySet::parse(body, provider_.id_token_alg);
  if (!keys)
    return fail("oidc.keys", "The provider's keys can't be used: " + keys.error().what(), provider_.issuer,
                keys.error().hint());
  keys_ = *std::move(keys);
  keys_at_ = moment.tick;
  return {};
}

Result<OidcStep> OidcClient::answered(Fetch fetch, Result<HttpAnswer> answer, const Moment& moment) {
  ENTENTE_CHECK(fetch.attempt != nullptr);
  AttemptPtr attempt = std::move(fetch.attempt);
  if (!answer)
    return fail("oidc.provider_down", "The provider could not be reached: " + answer.error().what(),
                provider_.issuer, "Try again in a moment.");
  switch (attempt->waits) {
    case Attempt::Waits::discovery: {
      if (answer->status != 200)
        return fail("oidc.discovery", "The provider's document is not there.", provider_.issuer);
      TRY(endpoints_, check_discovery(provider_, answer->body));
      endpoints_at_ = moment.tick;
      return go_on(std::move(attempt), moment);
    }
    case Attempt::Waits::keys: {
      if (answer->status != 200)
        return fail("oidc.keys", "The provider's keys are not there.", provider_.issuer);
      TRY_VOID(read_keys(answer->body, moment));
      return go_on(std::move(attempt), moment);
    }
    case Attempt::Waits::push: {
      TRY(const Json json, read_answer(*answer, 201, "pushed request endpoint"));
      const std::string request_uri(json.text_or("request_uri", ""));
      if (!is_visible(request_uri) || request_uri.size() > 1024)
        return fail("oidc.answer", "The provider's answer holds no request_uri.");
      return redirect(std::move(attempt),
                      write_form({{"client_id", provider_.client_id}, {"request_uri", request_uri}}), moment);
    }
    case Attempt::Waits::code_exchange: {
      TRY(const Json json, read_answer(*answer, 200, "token endpoint"));
      attempt->id_token = json.text_or("id_token", "");
      attempt->access_token = json.text_or("access_token", "");
      attempt->stage = Attempt::Stage::tokens;
      return finish(std::move(attempt), moment);
    }
  }
  ENTENTE_CHECK(false);
  return fail("oidc.state", "unreachable");
}

Result<OidcStep> OidcClient::logged_out(std::string logout_token, const Moment& moment) {
  AttemptPtr attempt(new Attempt);
  attempt->stage = Attempt::Stage::logout;
  attempt->id_token = std::move(logout_token);
  attempt->began = moment.tick;
  // Old keys do: what they vouch for here only ends something.
  if (endpoints_ && keys_at_) return finish(std::move(attempt), moment);
  return go_on(std::move(attempt), moment);
}

bool OidcClient::may_look(const Attempt& attempt, const Moment& moment) {
  if (attempt.stage == Attempt::Stage::logout)
    return !keys_asked_for_logout_ || moment.tick - *keys_asked_for_logout_ >= kKeysPause;
  while (!key_looks_.empty() && moment.tick - key_looks_.front() >= kKeysPause) key_looks_.pop_front();
  if (key_looks_.size() >= kKeyLooksMax) return false;
  key_looks_.push_back(moment.tick);
  return true;
}

Result<OidcStep> OidcClient::finish(AttemptPtr attempt, const Moment& moment) {
  Result<Step> person = fail("oidc.token", "no token");
  if (attempt->stage == Attempt::Stage::logout) {
    Result<LoggedOut> left = read_logout_token(*attempt, moment);
    person = left ? Result<Step>(*std::move(left)) : Result<Step>(Failure(left.error()));
  } else {
    Result<SignedIn> read = read_id_token(*attempt, moment);
    person = read ? Result<Step>(*std::move(read)) : Result<Step>(Failure(read.error()));
  }
  if (person) return person;
  // The provider may have changed keys: look at once, but never oftener than the pause allows, or unknown
  // kids would make us flood it.
  if (person.error().code() != "jose.key" || attempt->keys_renewed || !may_look(*attempt, moment))
    return Failure(std::move(person.error()));
  attempt->keys_renewed = true;
  return ask_keys(std::move(attempt), moment);
}

Result<SignedIn> OidcClient::read_id_token(const Attempt& attempt, const Moment& moment) const {
  crypto::JwtExpect expect;
  expect.jws.algs = {provider_.id_token_alg};
  expect.issuer = provider_.issuer;
  expect.audience = provider_.client_id;
  expect.now = moment.now;
  expect.age_max = kIdTokenAge;
  TRY(crypto::Jwt jwt, crypto::verify_jwt(attempt.id_token, keys_, expect));
  const Json& claims = jwt.claims();
  const std::string_view typ = jwt.header().text_or("typ", "JWT");
  if ((typ != "JWT" && typ != "jwt") || claims.find("events") != nullptr)
    return fail("oidc.token", "This is another kind of token than an ID token.");
  const Json* azp = claims.find("azp");
  if (azp != nullptr && (!azp->is_string() || azp->string() != provider_.client_id))
    return fail("oidc.token", "The ID token was made for another client (\"azp\").");
  if (!crypto::equal_constant_time(claims.text_or("nonce", ""), attempt.nonce))
    return fail("oidc.nonce", "The ID token belongs to another sign-in (\"nonce\").");
  const Json* at_hash = claims.find("at_hash");
  if (at_hash != nullptr &&
      (!at_hash->is_string() || at_hash->string() != crypto::half_hash(jwt.alg, attempt.access_token)))
    return fail("oidc.token", "The ID token and the access token do not belong together.");
  std::string subject(claims.text_or("sub", ""));
  if (!is_visible(subject) || subject.size() > kSubjectBytesMax)
    return fail("oidc.token", "The ID token's \"sub\" is not 1 to 255 visible characters.");
  TRY(const auto auth_time, read_auth_time(claims, provider_, moment.now));
  if (left_since(subject, *jwt.issued, attempt))
    return fail("oidc.token", "The person was signed out since.", {}, "Sign in again.");
  return SignedIn{provider_.nation, provider_.issuer, std::move(subject),
                  jwt.claims(),     auth_time,        attempt.return_to};
}

// Whether the person was signed out after this ID token was made. Both times are the provider's, and may be
// of whole seconds: in the same one the token may be the older. What began after the logout was heard bears a
// nonce that nobody had before.
bool OidcClient::left_since(const std::string& subject, Instant issued, const Attempt& attempt) const {
  const auto left = left_.find(subject);
  return left != left_.end() && attempt.began <= left->second.heard &&
         unix_seconds(issued) <= unix_seconds(left->second.issued);
}

// Kept for as long as a sign-in may be on its way that began before: whatever the wall clock does meanwhile.
void OidcClient::remember_left(const std::string& subject, Left left) {
  std::erase_if(left_, [&](const auto& one) { return left.heard - one.second.heard >= 2 * kSignInLife; });
  if (const auto known = left_.find(subject); known != left_.end()) {
    known->second = {std::max(known->second.issued, left.issued), left.heard};
    return;
  }
  if (left_.size() >= kSignInsMax)
    left_.erase(std::ranges::min_element(left_, {}, [](const auto& one) { return one.second.heard; }));
  left_.emplace(subject, left);
}

void OidcClient::forget_logout(const std::string& jti) {
  logouts_.forget(crypto::sha256(jti));
}

// Back-Channel Logout 1.0, sections 2.4 and 2.6.
Result<LoggedOut> OidcClient::read_logout_token(const Attempt& attempt, const Moment& moment) {
  constexpr std::string_view kEvent = "http://schemas.openid.net/event/backchannel-logout";
  crypto::JwtExpect expect;
  expect.jws.algs = {provider_.id_token_alg};
  expect.issuer = provider_.issuer;
  expect.audience = provider_.client_id;
  expect.now = moment.now;
  expect.age_max = kIdTokenAge;
  TRY(const crypto::Jwt jwt, crypto::verify_jwt(attempt.id_token, keys_, expect));
  const Json& claims = jwt.claims();
  const std::string_view typ = jwt.header().text_or("typ", "JWT");
  const Json* events = claims.find("events");
  const Json* event = events != nullptr && events->is_object() ? events->find(kEvent) : nullptr;
  if ((typ != "logout+jwt" && typ != "JWT" && typ != "jwt") || event == nullptr || !event->is_object() ||
      claims.find("nonce") != nullptr)
    return fail("oidc.token", "This is another kind of token than a logout token.");
  const std::string jti(claims.text_or("jti", ""));
  std::string subject(claims.text_or("sub", ""));
  if (!is_visible(jti) || jti.size() > kSubjectBytesMax || !is_visible(subject) ||
      subject.size() > kSubjectBytesMax)
    return fail("oidc.token", "The logout token does not name itself and a person.");
  // It is good until its age is over, whatever end it names. The provider alone fills them: for want of room
  // nobody stays who is to leave.
  const auto use = [&] {
    return logouts_.use(crypto::sha256(jti), {}, moment.now + 2 * kIdTokenAge, moment.now);
  };
  UsedOnce::Use used = use();
  if (used == UsedOnce::Use::full) {
    logouts_.forget_soonest();
    used = use();
  }
  if (used != UsedOnce::Use::first) return fail("oidc.token", "This logout token was used already.");
  remember_left(subject, {*jwt.issued, moment.tick});
  return LoggedOut{provider_.issuer, std::move(subject), jti};
}

}  // namespace entente::identity
