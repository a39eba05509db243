#include "identity/oidc.h"

#include "base/form.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::identity;
using crypto::SignatureAlg;

namespace {

constexpr int64_t kStart = 1'800'000'000;
const std::string kIssuer = "https://idp.xbb.localhost:8443";

const crypto::PrivateKey& client_key() {
  static const crypto::PrivateKey one = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  return one;
}

OidcProvider record() {
  OidcProvider out;
  out.nation = PartnerCode("XBB");
  out.issuer = kIssuer;
  out.client_id = "https://node.xbb.localhost";
  out.redirect_uri = "https://lobby.xbb.localhost:7443/entente/signed-in/xbb";
  out.scopes = {"openid", "profile", "tjeneste"};
  out.acr_values = {"nivaa-4"};
  out.client_kid = "node-1";
  return out;
}

// A provider as a test needs it: right in everything, but for what the test changes.
struct Provider {
  crypto::PrivateKey key = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  std::string kid = "k1";
  Json document = Json::object({{"issuer", kIssuer},
                                {"authorization_endpoint", kIssuer + "/auth"},
                                {"token_endpoint", kIssuer + "/token"},
                                {"jwks_uri", kIssuer + "/jwks"},
                                {"pushed_authorization_request_endpoint", kIssuer + "/par"},
                                {"response_types_supported", Json::array({"code"})},
                                {"code_challenge_methods_supported", Json::array({"S256"})},
                                {"token_endpoint_auth_methods_supported", Json::array({"private_key_jwt"})},
                                {"id_token_signing_alg_values_supported", Json::array({"ES256"})},
                                {"authorization_response_iss_parameter_supported", true}});
  Pairs pushed;     // what the client last pushed
  Pairs exchanged;  // and last sent for its code
  int keys_asked = 0;
  Json extra = Json::object();  // claims set over the right ones; null removes
  std::string typ;
  std::optional<std::string> id_token;  // instead of the right one
  int64_t now = kStart;

  [[nodiscard]] crypto::KeySet keys() const {
    return crypto::KeySet::from_keys({{kid, SignatureAlg::ES256, key.public_key()}}).value();
  }

  std::string make_id_token() {
    Json claims = Json::object({{"iss", kIssuer},
                                {"aud", "https://node.xbb.localhost"},
                                {"sub", "bor-40117"},
                                {"iat", now},
                                {"exp", now + 300},
                                {"nonce", *find_pair(pushed, "nonce")},
                                {"at_hash", crypto::half_hash(SignatureAlg::ES256, "access")},
                                {"acr", "nivaa-4"},
                                {"auth_time", now - 5}});
    for (const auto& [name, value] : extra.members()) claims.set(name, value);
    std::erase_if(claims.members(), [](const Json::Member& member) { return member.second.is_null(); });
    return crypto::sign_jwt(key, {.alg = SignatureAlg::ES256, .typ = typ, .kid = kid}, claims).value();
  }

  Result<HttpAnswer> answer(const HttpAsk& ask) {
    if (ask.url == kIssuer + "/.well-known/openid-configuration") return HttpAnswer{200, document.dump()};
    if (ask.url == kIssuer + "/jwks") {
      ++keys_asked;
      return HttpAnswer{200, keys().json().dump()};
    }
    if (ask.url == kIssuer + "/par") {
      pushed = parse_form(ask.body).value();
      return HttpAnswer{201, R"({"request_uri":"urn:ietf:params:oauth:request_uri:r1","expires_in":60})"};
    }
    REQUIRE(ask.url == kIssuer + "/token");
    exchanged = parse_form(ask.body).value();
    const Json tokens = Json::object({{"id_token", id_token ? *id_token : make_id_token()},
                                      {"access_token", "access"},
                                      {"token_type", "Bearer"}});
    return HttpAnswer{200, tokens.dump()};
  }
};

struct Visit {
  Provider provider;
  OidcClient client{record(), client_key(), [](size_t n) { return crypto::random_bytes(n); }};
  int64_t seconds = 0;
  std::string browser_token;

  [[nodiscard]] Moment moment() const {
    return {from_unix_seconds(kStart + seconds), Tick(Seconds(1000 + seconds))};
  }

  Result<OidcStep> run(Result<OidcStep> step) {
    while (step && std::holds_alternative<Fetch>(*step)) {
      Fetch fetch = std::get<Fetch>(std::move(*step));
      provider.now = kStart + seconds;
      auto answer = provider.answer(fetch.http);
      step = client.answered(std::move(fetch), std::move(answer), moment());
    }
    return step;
  }
  Result<OidcStep> begin() {
    auto step = run(client.begin("/cop", moment()));
    if (step) browser_token = std::get<Redirect>(*step).browser_token;
    return step;
  }
  [[nodiscard]] std::string state() const { return *find_pair(provider.pushed, "state"); }
  [[nodiscard]] std::string query() const {
    return write_form({{"code", "c1"}, {"state", state()}, {"iss", kIssuer}});
  }
  Result<OidcStep> come_back(const std::string& with) {
    return run(client.callback(with, browser_token, moment()));
  }
  Result<OidcStep> sign_in() {
    REQUIRE(begin().has_value());
    return come_back(query());
  }
};

std::string code(const Result<OidcStep>& step) {
  if (!step) return step.error().code();
  return std::holds_alternative<SignedIn>(*step) ? "signed in" : "under way";
}

// What comes of a sign-in whose ID token has these claims set over the right ones.
std::string with_claim(const char* claim, Json value) {
  Visit visit;
  visit.provider.extra.set(claim, std::move(value));
  return code(visit.sign_in());
}
std::string with_document(const char* member, Json value) {
  Visit visit;
  visit.provider.document.set(member, std::move(value));
  return code(visit.begin());
}

}  // namespace

TEST_CASE("a person signs in: discovery, keys, push, redirect, code, token") {
  Visit visit;
  const auto begun = visit.begin();
  REQUIRE(begun.has_value());
  const std::string& url = std::get<Redirect>(*begun).url;
  CHECK(url == kIssuer +
                   "/auth?client_id=https%3A%2F%2Fnode.xbb.localhost&request_uri=urn%3Aietf%3Aparams%3Aoauth%"
                   "3Arequest_uri%3Ar1");
  CHECK(*find_pair(visit.provider.pushed, "scope") == "openid profile tjeneste");
  CHECK(*find_pair(visit.provider.pushed, "code_challenge_method") == "S256");
  CHECK(*find_pair(visit.provider.pushed, "acr_values") == "nivaa-4");

  const auto done = visit.come_back(visit.query());
  REQUIRE(code(done) == "signed in");
  const SignedIn& person = std::get<SignedIn>(*done);
  CHECK(person.nation == PartnerCode("XBB"));
  CHECK(person.issuer == kIssuer);
  CHECK(person.subject == "bor-40117");
  CHECK(person.return_to == "/cop");
  CHECK(person.auth_time == from_unix_seconds(kStart - 5));
  // The verifier is the one whose digest was pushed.
  CHECK(base64url(crypto::sha256(*find_pair(visit.provider.exchanged, "code_verifier"))) ==
        *find_pair(visit.provider.pushed, "code_challenge"));
}

TEST_CASE("the node proves itself with its key, to this provider alone, each time anew") {
  Visit visit;
  REQUIRE(code(visit.sign_in()) == "signed in");
  const auto keys =
      crypto::KeySet::from_keys({{"node-1", SignatureAlg::ES256, client_key().public_key()}}).value();
  crypto::JwtExpect expect;
  expect.jws.algs = {SignatureAlg::ES256};
  expect.issuer = "https://node.xbb.localhost";
  expect.audience = kIssuer;
  expect.now = visit.moment().now;
  expect.lifetime_max = Seconds(60);
  const auto pushed = crypto::verify_jwt(*find_pair(visit.provider.pushed, "client_assertion"), keys, expect);
  const auto exchanged =
      crypto::verify_jwt(*find_pair(visit.provider.exchanged, "client_assertion"), keys, expect);
  REQUIRE(pushed.has_value());
  REQUIRE(exchanged.has_value());
  CHECK(pushed->claims().text_or("jti", "") != exchanged->claims().text_or("jti", ""));
}

TEST_CASE("without PAR the request rides on the redirect, unless the record asks for PAR") {
  Visit visit;
  std::erase_if(visit.provider.document.members(),
                [](const auto& member) { return member.first == "pushed_authorization_request_endpoint"; });
  const auto begun = visit.begin();
  REQUIRE(begun.has_value());
  const std::string& url = std::get<Redirect>(*begun).url;
  CHECK(url.starts_with(kIssuer + "/auth?response_type=code&"));
  CHECK(url.find("client_assertion") == std::string::npos);

  OidcProvider strict = record();
  strict.par_required = true;
  CHECK(check_discovery(strict, visit.provider.document.dump()).error().code() == "oidc.discovery");
}

TEST_CASE("a state works once, in its own browser, for ten minutes") {
  Visit visit;
  REQUIRE(code(visit.sign_in()) == "signed in");
  CHECK(code(visit.come_back(visit.query())) == "oidc.state");  // replayed
  CHECK(visit.client.waiting() == 0);

  REQUIRE(visit.begin().has_value());
  CHECK(code(visit.come_back("code=c1&state=made-up&iss=x")) == "oidc.state");
  CHECK(code(visit.come_back("code=c1")) == "oidc.state");
  visit.browser_token = "another-browser";
  CHECK(code(visit.come_back(visit.query())) == "oidc.browser");
  CHECK(code(visit.come_back(visit.query())) == "oidc.state");  // that used it up

  REQUIRE(visit.begin().has_value());
  visit.seconds = 600;
  CHECK(code(visit.come_back(visit.query())) == "oidc.state");
}

TEST_CASE("an answer from another provider is a mix-up") {
  Visit visit;
  REQUIRE(visit.begin().has_value());
  CHECK(code(visit.come_back(write_form(
            {{"code", "c1"}, {"state", visit.state()}, {"iss", "https://idp.xaa.localhost:8443"}}))) ==
        "oidc.mix_up");
  REQUIRE(visit.begin().has_value());
  CHECK(code(visit.come_back(write_form({{"code", "c1"}, {"state", visit.state()}}))) ==
        "oidc.mix_up");  // it says it names itself
  REQUIRE(visit.begin().has_value());
  CHECK(code(visit.come_back(write_form(
            {{"error", "access_denied"}, {"state", visit.state()}, {"iss", "https://evil.localhost"}}))) ==
        "oidc.mix_up");

  // A provider that does not offer RFC 9207 has its own redirect URI and its own states.
  Visit plain;
  plain.provider.document.set("authorization_response_iss_parameter_supported", false);
  REQUIRE(plain.begin().has_value());
  CHECK(code(plain.come_back(write_form({{"code", "c1"}, {"state", plain.state()}}))) == "signed in");
  // A state of one client means nothing to another.
  REQUIRE(plain.begin().has_value());
  CHECK(code(visit.come_back(plain.query())) == "oidc.state");
}

TEST_CASE("an error, a doubled field or a broken escape ends the attempt calmly") {
  Visit visit;
  REQUIRE(visit.begin().has_value());
  const auto refused =
      visit.come_back(write_form({{"error", "access_denied"}, {"state", visit.state()}, {"iss", kIssuer}}));
  CHECK(code(refused) == "oidc.refused");
  CHECK(refused.error().what() == "The provider ended the sign-in: access_denied.");
  REQUIRE(visit.begin().has_value());
  CHECK(code(visit.come_back(visit.query() + "&code=c2")) == "oidc.answer");
  CHECK(code(visit.come_back(visit.query() + "&x=%4")) == "oidc.answer");
  CHECK(code(visit.come_back(write_form(
            {{"error", "<script>"}, {"state", visit.state()}, {"iss", kIssuer}}))) == "oidc.refused");
}

TEST_CASE("an ID token that is not for us, not now, or not for this sign-in is refused") {
  CHECK(with_claim("iss", "https://idp.xaa.localhost:8443") == "jwt.iss");
  CHECK(with_claim("iss", kIssuer + "/") == "jwt.iss");
  CHECK(with_claim("aud", "https://node.xaa.localhost") == "jwt.aud");
  CHECK(with_claim("aud", Json::array({"https://node.xbb.localhost", "https://evil.localhost"})) ==
        "jwt.aud");
  CHECK(with_claim("azp", "https://evil.localhost") == "oidc.token");
  CHECK(with_claim("azp", "https://node.xbb.localhost") == "signed in");
  CHECK(with_claim("exp", kStart - 60) == "jwt.exp");
  CHECK(with_claim("exp", nullptr) == "jwt.exp");
  CHECK(with_claim("exp", "soon") == "jwt.exp");
  CHECK(with_claim("iat", kStart - 361) == "jwt.iat");
  CHECK(with_claim("iat", kStart + 61) == "jwt.iat");
  CHECK(with_claim("nonce", "replayed") == "oidc.nonce");
  CHECK(with_claim("nonce", nullptr) == "oidc.nonce");
  CHECK(with_claim("at_hash", "another") == "oidc.token");
  CHECK(with_claim("at_hash", nullptr) == "signed in");
  CHECK(with_claim("sub", "") == "oidc.token");
  CHECK(with_claim("sub", "a b") == "oidc.token");
  CHECK(with_claim("sub", 7) == "oidc.token");
  CHECK(with_claim("auth_time", kStart + 3600) == "oidc.token");
  CHECK(with_claim("auth_time", "now") == "oidc.token");
  CHECK(with_claim("events", Json::object()) == "oidc.token");
}

TEST_CASE("a token of another kind, of no signature, or with a swapped algorithm is no ID token") {
  Visit logout;
  logout.provider.typ = "logout+jwt";
  CHECK(code(logout.sign_in()) == "oidc.token");
  const auto with_token = [](const std::string& token) {
    Visit visit;
    visit.provider.id_token = token;
    return code(visit.sign_in());
  };
  const std::string claims = base64url(as_bytes(R"({"iss":"https://idp.xbb.localhost:8443"})"));
  CHECK(with_token(base64url(as_bytes(R"({"alg":"none"})")) + "." + claims + ".") == "jose.alg");
  CHECK(with_token(base64url(as_bytes(R"({"alg":"HS256","kid":"k1"})")) + "." + claims + ".AAAA") ==
        "jose.alg");
  CHECK(with_token(base64url(as_bytes(R"({"alg":"PS256","kid":"k1"})")) + "." + claims + ".AAAA") ==
        "jose.alg");
  CHECK(with_token(base64url(as_bytes(R"({"alg":"ES256","kid":"k1"})")) + "." + claims + "." +
                   base64url(Bytes(64, 1))) == "jose.signature");
  CHECK(with_token("") == "jose.shape");
}

// What the provider posts when it signs somebody out, with `change` on top.
Result<OidcStep> log_out(Visit& visit, const Json& change = Json::object(), std::string typ = "logout+jwt") {
  Json claims = Json::object(
      {{"iss", kIssuer},
       {"aud", "https://node.xbb.localhost"},
       {"sub", "bor-40117"},
       {"iat", kStart + visit.seconds},
       {"exp", kStart + visit.seconds + 120},
       {"jti", "j1"},
       {"events", Json::object({{"http://schemas.openid.net/event/backchannel-logout", Json::object()}})}});
  for (const auto& [name, value] : change.members()) claims.set(name, value);
  std::erase_if(claims.members(), [](const Json::Member& member) { return member.second.is_null(); });
  const auto& from = visit.provider;
  std::string token =
      crypto::sign_jwt(from.key, {.alg = SignatureAlg::ES256, .typ = std::move(typ), .kid = from.kid}, claims)
          .value();
  return visit.run(visit.client.logged_out(std::move(token), visit.moment()));
}

TEST_CASE("a logout token names whom the provider signed out, once, also under keys that are new") {
  Visit visit;
  const auto left = log_out(visit);
  REQUIRE_MESSAGE(left, left.error().text());
  CHECK(std::get<LoggedOut>(*left).subject == "bor-40117");
  CHECK(std::get<LoggedOut>(*left).issuer == kIssuer);
  CHECK(code(log_out(visit)) == "oidc.token");  // replayed
  visit.client.forget_logout(std::get<LoggedOut>(*left).jti);
  CHECK(log_out(visit).has_value());
  CHECK(code(log_out(visit)) == "oidc.token");
  visit.seconds = 120;
  visit.provider.key = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  visit.provider.kid = "k2";
  CHECK(log_out(visit, Json::object({{"jti", "j2"}})).has_value());
}

TEST_CASE("attack: a sign-in that was on its way when the person was signed out does not end inside") {
  Visit visit;
  REQUIRE(visit.begin().has_value());
  auto step = visit.client.callback(visit.query(), visit.browser_token, visit.moment());
  REQUIRE(log_out(visit, Json::object({{"iat", kStart + visit.seconds + 1}})).has_value());
  CHECK(code(visit.run(std::move(step))) == "oidc.token");
  visit.seconds += 2;
  CHECK(visit.sign_in().has_value());  // afresh
}

TEST_CASE(
    "attack: an ID token of the very second of the logout signs nobody in, but for who began after it") {
  Visit visit;
  REQUIRE(visit.begin().has_value());
  auto step = visit.client.callback(visit.query(), visit.browser_token, visit.moment());
  REQUIRE(log_out(visit).has_value());
  const Tick heard = visit.moment().tick;
  CHECK(code(visit.run(std::move(step))) == "oidc.token");
  // In the same second still, by the provider's clock and the wall's; the nonce is new.
  const Moment later{visit.moment().now, heard + Millis(1)};
  auto begun = visit.run(visit.client.begin("/cop", later));
  REQUIRE(begun.has_value());
  visit.browser_token = std::get<Redirect>(*begun).browser_token;
  CHECK(code(visit.come_back(visit.query())) == "signed in");
}

TEST_CASE("attack: a wall clock that leaps and comes back brings no sign-in from before a logout through") {
  Visit visit;
  REQUIRE(visit.begin().has_value());
  const std::string query = visit.query(), browser = visit.browser_token;
  auto step = visit.client.callback(query, browser, visit.moment());
  REQUIRE(log_out(visit).has_value());
  // While it is a day ahead somebody else is signed out, and what is kept of logouts is gone through.
  const Tick tick = visit.moment().tick + Seconds(1);
  const Instant ahead = visit.moment().now + std::chrono::hours(24);
  const Json of_then = Json::object(
      {{"iss", kIssuer},
       {"aud", "https://node.xbb.localhost"},
       {"sub", "bor-2"},
       {"iat", unix_seconds(ahead)},
       {"exp", unix_seconds(ahead) + 120},
       {"jti", "j2"},
       {"events", Json::object({{"http://schemas.openid.net/event/backchannel-logout", Json::object()}})}});
  std::string token =
      crypto::sign_jwt(visit.provider.key,
                       {.alg = SignatureAlg::ES256, .typ = "logout+jwt", .kid = visit.provider.kid}, of_then)
          .value();
  REQUIRE(visit.client.logged_out(std::move(token), {ahead, tick}).has_value());
  CHECK(code(visit.run(std::move(step))) == "oidc.token");
}

TEST_CASE("attack: logout tokens of made-up keys keep nobody's sign-in from finding new keys") {
  Visit visit;
  REQUIRE(visit.sign_in().has_value());
  visit.seconds = 120;
  const std::string kid = std::exchange(visit.provider.kid, "made-up");
  const auto key = std::exchange(visit.provider.key, crypto::PrivateKey::generate(crypto::KeyKind::p256));
  Json claims = Json::object({{"iss", kIssuer}});
  std::string token =
      crypto::sign_jwt(visit.provider.key, {.alg = SignatureAlg::ES256, .kid = "made-up"}, claims).value();
  visit.provider.kid = kid;
  visit.provider.key = key;
  CHECK(code(visit.run(visit.client.logged_out(std::move(token), visit.moment()))) == "jose.key");
  visit.provider.key = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  visit.provider.kid = "k2";
  CHECK(visit.sign_in().has_value());
}

TEST_CASE("attack: nothing but the provider's own logout token signs anybody out") {
  const auto with = [](const Json& change, std::string typ = "logout+jwt") {
    Visit visit;
    return code(log_out(visit, change, std::move(typ)));
  };
  CHECK(with(Json::object({{"events", nullptr}})) == "oidc.token");  // an ID token
  CHECK(with(Json::object({{"events", Json::object({{"other", Json::object()}})}})) == "oidc.token");
  CHECK(with(Json::object({{"nonce", "n"}})) == "oidc.token");
  CHECK(with(Json::object(), "at+jwt") == "oidc.token");
  CHECK(with(Json::object({{"jti", nullptr}})) == "oidc.token");
  CHECK(with(Json::object({{"sub", nullptr}, {"sid", "s"}})) == "oidc.token");
  CHECK(with(Json::object({{"iss", "https://idp.xcc.localhost"}})) == "jwt.iss");
  CHECK(with(Json::object({{"aud", "https://node.xcc.localhost"}})) == "jwt.aud");
  CHECK(with(Json::object({{"exp", kStart - 61}})) == "jwt.exp");
  CHECK(with(Json::object({{"iat", kStart - 3600}})) != "signed in");
  Visit forged;
  const auto own = forged.provider.key;
  forged.provider.key = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  Provider& provider = forged.provider;
  Result<OidcStep> step = fail("test", "");
  {
    // Signed by another key under a kid that the provider has.
    const Json claims = Json::object({{"iss", kIssuer}});
    std::string token =
        crypto::sign_jwt(provider.key, {.alg = SignatureAlg::ES256, .typ = "logout+jwt", .kid = provider.kid},
                         claims)
            .value();
    provider.key = own;
    step = forged.run(forged.client.logged_out(std::move(token), forged.moment()));
  }
  CHECK(code(step) == "jose.signature");
}

TEST_CASE("the person's own sign-in may not be older than the record allows") {
  OidcProvider strict = record();
  strict.auth_age_max = Seconds(600);
  const auto run = [&strict](Json auth_time) {
    Visit visit;
    visit.client = OidcClient(strict, client_key(), [](size_t n) { return crypto::random_bytes(n); });
    visit.provider.extra.set("auth_time", std::move(auth_time));
    return code(visit.sign_in());
  };
  CHECK(run(kStart - 600) == "signed in");
  CHECK(run(kStart - 661) == "oidc.token");
  CHECK(run(nullptr) == "oidc.token");
}

TEST_CASE("changed keys are fetched once, and unknown kids can't make us ask again and again") {
  Visit visit;
  REQUIRE(code(visit.sign_in()) == "signed in");
  CHECK(visit.provider.keys_asked == 1);
  visit.seconds = 1;
  visit.provider.key = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  visit.provider.kid = "k2";
  CHECK(code(visit.sign_in()) == "signed in");  // at once
  CHECK(visit.provider.keys_asked == 2);

  // A flood of tokens under made-up kids.
  const crypto::PrivateKey evil = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  visit.provider.id_token =
      crypto::sign_jwt(evil, {.alg = SignatureAlg::ES256, .kid = "made-up"}, Json::object()).value();
  for (int i = 0; i < 20; ++i) CHECK(code(visit.sign_in()) == "jose.key");
  CHECK(visit.provider.keys_asked == 1 + static_cast<int>(kKeyLooksMax));
  visit.seconds = 62;
  for (int i = 0; i < 20; ++i) CHECK(code(visit.sign_in()) == "jose.key");
  CHECK(visit.provider.keys_asked == 2 + 2 * static_cast<int>(kKeyLooksMax));  // and once for their age
}

TEST_CASE("keys are fetched again soon, so that a withdrawn key leaves") {
  Visit visit;
  REQUIRE(code(visit.sign_in()) == "signed in");
  visit.provider.key = crypto::PrivateKey::generate(crypto::KeyKind::p256);  // the same kid, another key
  visit.seconds = kKeysAge.count() - 1;
  CHECK(code(visit.sign_in()) != "signed in");
  visit.seconds = kKeysAge.count();
  CHECK(code(visit.sign_in()) == "signed in");
  CHECK(visit.provider.keys_asked == 2);
  for (int i = 0; i < 50; ++i) CHECK(code(visit.sign_in()) == "signed in");
  CHECK(visit.provider.keys_asked == 2);  // all of them by one fetch
}

TEST_CASE("a discovery document for another issuer, host or with too little on offer is refused") {
  CHECK(with_document("issuer", kIssuer + "/") == "oidc.discovery");
  CHECK(with_document("issuer", "https://idp.xaa.localhost:8443") == "oidc.discovery");
  for (const char* member : {"authorization_endpoint", "token_endpoint", "jwks_uri",
                             "pushed_authorization_request_endpoint", "end_session_endpoint"}) {
    CAPTURE(member);
    CHECK(with_document(member, "https://evil.localhost/x") == "oidc.discovery");
    CHECK(with_document(member, "http://idp.xbb.localhost:8443/x") == "oidc.discovery");
    CHECK(with_document(member, "https://idp.xbb.localhost:8443@evil.localhost/x") == "oidc.discovery");
    CHECK(with_document(member, "https://idp.xbb.localhost/x") == "oidc.discovery");  // another port
    CHECK(with_document(member, 7) == "oidc.discovery");
  }
  CHECK(with_document("code_challenge_methods_supported", Json::array({"plain"})) == "oidc.discovery");
  CHECK(with_document("token_endpoint_auth_methods_supported", Json::array({"client_secret_basic"})) ==
        "oidc.discovery");
  CHECK(with_document("id_token_signing_alg_values_supported", Json::array({"RS256"})) == "oidc.discovery");
  OidcProvider wide = record();
  wide.hosts = {"idp.xbb.localhost:8443", "login.xbb.localhost:443"};
  Json document = Provider().document;
  document.set("authorization_endpoint", "https://login.xbb.localhost/auth");
  CHECK(check_discovery(wide, document.dump()).has_value());
}

TEST_CASE("a provider that is down or answers garbage ends the attempt with what happened") {
  Visit visit;
  auto step = visit.client.begin("/", visit.moment());
  step = visit.client.answered(std::get<Fetch>(std::move(*step)), fail("net.refused", "connection refused"),
                               visit.moment());
  CHECK(code(step) == "oidc.provider_down");
  for (const char* body : {"", "[]", "{", "{\"issuer\":1}"}) {
    step = visit.client.begin("/", visit.moment());
    step = visit.client.answered(std::get<Fetch>(std::move(*step)), HttpAnswer{200, body}, visit.moment());
    CHECK(code(step) == "oidc.discovery");
  }
  REQUIRE(visit.begin().has_value());
  step = visit.client.callback(visit.query(), visit.browser_token, visit.moment());
  step = visit.client.answered(std::get<Fetch>(std::move(*step)),
                               HttpAnswer{400, R"({"error":"invalid_grant"})"}, visit.moment());
  CHECK(code(step) == "oidc.refused");
  CHECK(step.error().what() == "The provider's token endpoint answered 400: invalid_grant.");
}

TEST_CASE("sign-ins begun and left do not pile up") {
  Visit visit;
  for (size_t i = 0; i < 50; ++i) REQUIRE(visit.begin().has_value());
  CHECK(visit.client.waiting() == 50);
  visit.seconds = 601;
  REQUIRE(visit.begin().has_value());
  CHECK(visit.client.waiting() == 1);
}

TEST_CASE("records: what is wrong is said, and no two providers share an issuer or a redirect") {
  Json json = Json::object({{"nation", "XBB"},
                            {"issuer", kIssuer},
                            {"client_id", "c"},
                            {"redirect_uri", "https://lobby.xbb.localhost/cb"},
                            {"id_token_alg", "PS256"},
                            {"par_required", true},
                            {"scopes", Json::array({"profile"})}});
  const OidcProvider read = oidc_provider_from_json(json).value();
  CHECK(read.id_token_alg == SignatureAlg::PS256);
  CHECK(read.scopes == std::vector<std::string>{"openid", "profile"});
  const auto changed = [&json](const char* member, Json value) {
    Json other = json;
    other.set(member, std::move(value));
    return oidc_provider_from_json(other).has_value();
  };
  CHECK_FALSE(changed("issuer", "http://idp.xbb.localhost"));
  CHECK_FALSE(changed("issuer", "https://IDP.xbb.localhost"));
  CHECK_FALSE(changed("issuer", "https://idp.xbb.localhost?x"));
  CHECK_FALSE(changed("id_token_alg", "none"));
  CHECK_FALSE(changed("id_token_alg", "HS256"));
  CHECK_FALSE(changed("client_secret", "x"));
  CHECK_FALSE(changed("nation", "xbb"));
}
