#include "data/kas.h"

#include "coalition/example_test.h"

#include <algorithm>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace entente;
using namespace entente::data;
namespace example = coalition::example;
using crypto::KeyKind;
using crypto::PrivateKey;
using crypto::Secret;
using crypto::SignatureAlg;

namespace {

constexpr std::string_view kUrl = "https://kas.xaa.localhost:8441";
constexpr std::string_view kIssuer = "https://idp.xaa.localhost:8451";

struct Keys {
  PrivateKey rsa = PrivateKey::generate(KeyKind::rsa, 2048);
  PrivateKey ec = PrivateKey::generate(KeyKind::p256);
  PrivateKey issuer = PrivateKey::generate(KeyKind::p256);
  PrivateKey device = PrivateKey::generate(KeyKind::p256);
  PrivateKey client = PrivateKey::generate(KeyKind::p256);
};
const Keys& keys() {
  static const Keys made;
  return made;
}

std::string policy_of(std::vector<std::string> attributes, std::string uuid = "object-1") {
  DataPolicy out;
  out.uuid = std::move(uuid);
  for (const std::string& fqn : attributes) out.attributes.push_back(parse_attribute(fqn).value());
  return write_policy(out);
}
std::string restricted() {
  return policy_of({example::fqn("classification", "restricted"), example::fqn("originator", "xaa"),
                    example::fqn("releasable-to", "xbb")});
}
std::string open_to_all() {
  return policy_of({example::fqn("classification", "unclassified"), example::fqn("originator", "xaa")});
}
std::string too_high() {
  return policy_of({example::fqn("classification", "secret"), example::fqn("originator", "xbb"),
                    example::fqn("releasable-to", "xbb")});
}

// A nation's service and one of its people, and what they say to each other.
struct Desk {
  Secret share = Secret::random(32);
  example::Records records = example::records("XAA");
  coalition::World world = example::world(records);
  std::vector<KasLeaf> leaves;  // all that was recorded
  Kas kas;
  int proofs = 0;

  explicit Desk(KasLimits limits = {}, bool nonces = false) : kas(parts(limits, nonces)) {}

  static Kas::Parts parts(KasLimits limits, bool nonces) {
    std::vector<KasKey> held;
    held.push_back({"2026-11-01-ec", keys().ec});
    held.push_back({"2026-11-01-rsa", keys().rsa});
    return {.self = PartnerCode("XAA"),
            .url = std::string(kUrl),
            .keys = KasKeys::from(std::move(held)).value(),
            .nonces = nonces,
            .person = [](const identity::AccessToken& token, Instant) -> Result<identity::PersonFacts> {
              identity::PersonFacts out;
              out.id = PersonId("p-" + token.subject);
              out.partner = PartnerCode("XAA");
              out.facts = example::person("XAA", "officer").facts;
              out.end = example::kNow + std::chrono::hours(1);
              return out;
            },
            .context =
                [](Instant end) {
                  coalition::Facts out;
                  out["risk"] = {int64_t{0}, "node", end};
                  out["network"] = {std::string("door"), "node", end};
                  return out;
                },
            .limits = limits};
  }

  static Kas::Issuer issuer() {
    Kas::Issuer out;
    out.settings.issuer = kIssuer;
    out.settings.audience = kUrl;
    out.keys = crypto::KeySet::from_keys({{"k", SignatureAlg::ES256, keys().issuer.public_key()}}).value();
    return out;
  }

  static std::string token(bool bound, std::string subject = "officer") {
    Json claims = Json::object({{"iss", kIssuer},
                                {"aud", kUrl},
                                {"sub", std::move(subject)},
                                {"client_id", "entente-cli"},
                                {"iat", unix_seconds(example::kNow)},
                                {"exp", unix_seconds(example::kNow) + 600}});
    if (bound) claims.set("cnf", Json::object({{"jkt", keys().device.public_key().thumbprint()}}));
    return crypto::sign_jwt(keys().issuer, {.alg = SignatureAlg::ES256, .typ = "at+jwt", .kid = "k"}, claims)
        .value();
  }

  std::string proof(const std::string& token, const PrivateKey& key, std::string nonce = {}) {
    const Json header =
        Json::object({{"typ", "dpop+jwt"}, {"alg", "ES256"}, {"jwk", key.public_key().jwk()}});
    Json claims = Json::object({{"jti", fmt::format("proof-{}", ++proofs)},
                                {"htm", "POST"},
                                {"htu", std::string(kUrl) + "/v2/rewrap"},
                                {"iat", unix_seconds(example::kNow)},
                                {"ath", base64url(crypto::sha256(token))}});
    if (!nonce.empty()) claims.set("nonce", nonce);
    const std::string covered = base64url(as_bytes(header.dump())) + "." + base64url(as_bytes(claims.dump()));
    return covered + "." + base64url(key.sign(SignatureAlg::ES256, as_bytes(covered)).value());
  }

  KasRequest signed_request(const Json& body, const PrivateKey& signer = keys().device, bool bound = true) {
    const Json claims = Json::object({{"requestBody", body.dump()},
                                      {"iat", unix_seconds(example::kNow) - 3600},
                                      {"exp", unix_seconds(example::kNow) + 3600}});
    KasRequest out;
    out.path = "/v2/rewrap";
    const std::string bearer = token(bound);
    out.authorization = "Bearer " + bearer;
    if (bound) out.dpop = proof(bearer, keys().device);
    out.body =
        Json::object(
            {{"signedRequestToken",
              crypto::sign_jwt(signer, {.alg = SignatureAlg::ES256, .typ = {}, .kid = {}}, claims).value()}})
            .dump();
    return out;
  }

  Json access(const std::string& policy, const std::string& kid = "2026-11-01-rsa", std::string sid = "s1",
              std::string_view metadata = {}) const {
    const PrivateKey& key = kid.ends_with("-ec") ? keys().ec : keys().rsa;
    return write_key_access(
        wrap_share(share, {key.public_key(), std::string(kUrl), kid, std::move(sid)}, policy, metadata)
            .value());
  }
  static Json first(const std::string& policy, Json access_object) {
    return Json::object({{"algorithm", "RS256"},
                         {"keyAccess", std::move(access_object)},
                         {"policy", policy},
                         {"clientPublicKey", keys().client.public_key().pem()}});
  }
  static Json wanted(const std::string& id, const std::string& policy, std::vector<Json> accesses) {
    Json list = Json::array();
    for (size_t i = 0; i < accesses.size(); ++i)
      list.push(
          Json::object({{"keyAccessObjectId", fmt::format("kao-{}", i)}, {"keyAccessObject", accesses[i]}}));
    return Json::object(
        {{"policy", Json::object({{"id", id}, {"body", policy}})}, {"keyAccessObjects", list}});
  }
  static Json second(std::vector<Json> requests) {
    return Json::object(
        {{"clientPublicKey", keys().client.public_key().pem()}, {"requests", Json(requests)}});
  }

  [[nodiscard]] static KasMoment at() { return {example::kNow, Tick{} + std::chrono::hours(1)}; }
  Kas::Step take(const KasRequest& request) {
    const Kas::Issuer known = issuer();
    return kas.take(request, &known, world, at());
  }
  // To its end, with a disk that takes everything.
  KasAnswer finish(Kas::Step step) {
    while (auto* write = std::get_if<Kas::Write>(&step)) {
      leaves.insert(leaves.end(), write->leaves.begin(), write->leaves.end());
      step = kas.written(std::move(*write), {}, world, at());
    }
    KasAnswer out = std::get<KasAnswer>(std::move(step));
    leaves.insert(leaves.end(), out.leaves.begin(), out.leaves.end());
    return out;
  }
  KasAnswer ask(const Json& body) { return finish(take(signed_request(body))); }

  [[nodiscard]] std::string kinds() const {
    std::string out;
    for (const KasLeaf& leaf : leaves) out += (out.empty() ? "" : " ") + leaf.kind;
    return out;
  }
  void recall(const std::string& key) {
    records["recall/" + key] =
        Json::object({{"reason", "EXERCISE: by mistake"}, {"by", "lena"}, {"at", rfc3339(example::kNow)}});
    auto next = world.with(std::vector<coalition::Record>{{"recall/" + key, records["recall/" + key]}},
                           Revision{world.revision().value + 1});
    REQUIRE(next);
    world = std::move(next->world);
  }
  [[nodiscard]] bool gave(std::string_view wrapped, const KasAnswer& answer) const {
    const auto bytes = from_base64(wrapped);
    const auto opened = bytes
                            ? open_answer(*bytes, answer.body.text_or("sessionPublicKey", ""), keys().client)
                            : Result<Secret>(Failure(bytes.error()));
    return opened && crypto::equal_constant_time(opened->bytes(), share.bytes());
  }
};

const Json& result_of(const KasAnswer& answer, size_t request, size_t key) {
  return answer.body.find("responses")->items().at(request).find("results")->items().at(key);
}

}  // namespace

TEST_CASE("a permitted key is attempted, released and answered, in this order") {
  for (const char* kid : {"2026-11-01-rsa", "2026-11-01-ec"}) {
    Desk desk;
    auto step = desk.take(desk.signed_request(Desk::first(restricted(), desk.access(restricted(), kid))));
    auto* attempt = std::get_if<Kas::Write>(&step);
    REQUIRE(attempt != nullptr);
    CHECK(attempt->leaves.at(0).kind == "key.attempt");
    CHECK(desk.kas.keys().operations() == 0);
    step = desk.kas.written(std::move(*attempt), {}, desk.world, Desk::at());
    auto* release = std::get_if<Kas::Write>(&step);
    REQUIRE(release != nullptr);
    CHECK(release->leaves.at(0).kind == "key.release");
    CHECK(desk.kas.keys().operations() == 1);
    const KasAnswer answer = desk.finish(std::move(step));
    CHECK(answer.status == 200);
    CHECK(desk.gave(answer.body.text_or("entityWrappedKey", ""), answer));
    CHECK(desk.kas.pending() == 0);
  }
}

TEST_CASE("attack: a denied key costs no private-key operation, and a retry is no second event") {
  Desk desk;
  const Json body = Desk::first(too_high(), desk.access(too_high()));
  const KasAnswer answer = desk.ask(body);
  CHECK(answer.status == 403);
  CHECK(answer.body.text_or("code", "") == "permission_denied");
  CHECK(desk.ask(Desk::second({Desk::wanted("policy", too_high(), {*body.find("keyAccess")})})).status ==
        200);
  CHECK(desk.kas.keys().operations() == 0);
  CHECK(desk.kinds() == "key.refusal");
}

TEST_CASE("attack: killed between record and unwrap leaves an attempt, and no release") {
  Desk desk;
  {
    auto step = desk.take(desk.signed_request(Desk::first(restricted(), desk.access(restricted()))));
    REQUIRE(std::holds_alternative<Kas::Write>(step));
    CHECK(desk.kas.pending() == 1);
  }
  CHECK(desk.kas.keys().operations() == 0);
  CHECK(desk.kas.pending() == 0);
}

TEST_CASE("attack: a disk that takes nothing releases nothing") {
  Desk desk;
  const Result<void> full = fail("ledger.full", "no space");
  auto step = desk.take(desk.signed_request(Desk::first(restricted(), desk.access(restricted()))));
  step = desk.kas.written(std::get<Kas::Write>(std::move(step)), full, desk.world, Desk::at());
  CHECK(std::get<KasAnswer>(step).status == 503);
  CHECK(desk.kas.keys().operations() == 0);
  step = desk.take(desk.signed_request(Desk::first(restricted(), desk.access(restricted()))));
  step = desk.kas.written(std::get<Kas::Write>(std::move(step)), {}, desk.world, Desk::at());
  step = desk.kas.written(std::get<Kas::Write>(std::move(step)), full, desk.world, Desk::at());
  CHECK(std::get<KasAnswer>(step).status == 503);
  CHECK(std::get<KasAnswer>(step).body.find("entityWrappedKey") == nullptr);
}

TEST_CASE("attack: recalled while it is under way, at either step") {
  for (const bool late : {false, true}) {
    Desk desk;
    auto step = desk.take(desk.signed_request(Desk::first(restricted(), desk.access(restricted()))));
    if (late) step = desk.kas.written(std::get<Kas::Write>(std::move(step)), {}, desk.world, Desk::at());
    desk.recall("policy/object-1");
    const KasAnswer answer = desk.finish(std::move(step));
    CHECK(answer.status == 403);
    CHECK(answer.body.find("entityWrappedKey") == nullptr);
    CHECK(desk.kas.keys().operations() == (late ? 1 : 0));
    CHECK(desk.kinds().find(late ? "key.withheld" : "key.refusal") != std::string::npos);
  }
}

TEST_CASE("attack: a recalled key opens nothing, whether or not it is named") {
  for (const bool named : {true, false}) {
    CAPTURE(named);
    Desk desk;
    desk.recall("key/2026-11-01-rsa");
    Json access = desk.access(restricted());
    if (!named) access.set("kid", "");
    const KasAnswer answer = desk.ask(Desk::first(restricted(), access));
    CHECK(answer.status != 200);
    CHECK(desk.kas.keys().operations() == 0);
    CHECK(desk.kinds().find("key.release") == std::string::npos);
  }
}

// While a disk is slow, each narrowing makes a world that acts, and all of them may bear one revision.
TEST_CASE("attack: recalled in another world of the same revision") {
  Desk desk;
  const Revision acting{desk.world.revision().value + 1};
  const coalition::World before = desk.world;
  desk.world = before.with(std::vector<coalition::Record>{}, acting)->world;
  auto step = desk.take(desk.signed_request(Desk::first(restricted(), desk.access(restricted()))));
  REQUIRE(std::holds_alternative<Kas::Write>(step));
  desk.world = before;
  desk.recall("policy/object-1");
  REQUIRE(desk.world.revision() == acting);
  CHECK(desk.finish(std::move(step)).status == 403);
  CHECK(desk.kas.keys().operations() == 0);
}

TEST_CASE("attack: another nation's object, sealed again for the reader's own key service") {
  const std::string policy =
      policy_of({example::fqn("classification", "restricted"), example::fqn("originator", "xbb"),
                 example::fqn("releasable-to", "xaa")});
  Desk desk;
  const KasAnswer answer = desk.ask(Desk::first(policy, desk.access(policy)));
  CHECK(answer.status == 403);
  CHECK(desk.kas.keys().operations() == 0);
}

TEST_CASE("attack: whatever is wrong with a key, the answer is the same") {
  std::string said;
  const auto same = [&](const std::string& policy, const Json& access) {
    Desk desk;
    const KasAnswer answer = desk.ask(Desk::first(policy, access));
    CHECK(answer.status == 400);
    if (said.empty()) said = answer.body.dump();
    CHECK(answer.body.dump() == said);
    CHECK(desk.kinds().find("key.release") == std::string::npos);
  };
  const Desk desk;
  const Json good = desk.access(restricted());
  Json bent = good;
  bent.set("wrappedKey", base64(Bytes(256, 7)));
  same(restricted(), bent);
  Json nobody = good;
  same(restricted(), nobody.set("kid", "2020-01-01-rsa"));
  Json wrong_kind = good;
  same(restricted(), wrong_kind.set("kid", "2026-11-01-ec"));
  // The policy was changed after sealing, to one that would be permitted.
  same(policy_of({example::fqn("classification", "restricted"), example::fqn("originator", "xaa")}), good);
  Json unbound = good;
  same(restricted(),
       unbound.set("policyBinding", Json::object({{"alg", "HS256"}, {"hash", base64(Bytes(32, 1))}})));
  Json odd = good;
  same(restricted(), odd.set("wrappedKey", "%%%"));
}

TEST_CASE("results are mixed within one request, and say which share they are of") {
  Desk desk;
  const KasAnswer answer =
      desk.ask(Desk::second({Desk::wanted("a", restricted(),
                                          {desk.access(restricted(), "2026-11-01-rsa", "s1"),
                                           desk.access(too_high(), "2026-11-01-ec", "s2")}),
                             Desk::wanted("b", too_high(), {desk.access(too_high())})}));
  REQUIRE(answer.status == 200);
  CHECK(result_of(answer, 0, 0).text_or("status", "") == "permit");
  CHECK(desk.gave(result_of(answer, 0, 0).text_or("kasWrappedKey", ""), answer));
  CHECK(result_of(answer, 0, 1).text_or("status", "") == "fail");
  CHECK(result_of(answer, 1, 0).text_or("error", "").starts_with("rpc error: code = PermissionDenied"));
  CHECK(result_of(answer, 0, 1).find("metadata")->text_or("sid", "") == "s2");
  CHECK(desk.kinds() == "key.attempt key.attempt key.release key.refusal key.refusal");
}

TEST_CASE("attack: a request that nobody proved") {
  Desk desk;
  const Json body = Desk::first(restricted(), desk.access(restricted()));
  const auto refused = [&](const KasRequest& request) {
    const KasAnswer answer = desk.finish(desk.take(request));
    CHECK(answer.status == 401);
    CHECK(answer.stranger);
  };
  refused(desk.signed_request(body, keys().client));  // signed by a key the token knows nothing of
  KasRequest no_proof = desk.signed_request(body);
  no_proof.dpop.clear();
  refused(no_proof);  // a bound token, stolen
  no_proof.client_key = base64(as_bytes(keys().device.public_key().pem()));
  refused(no_proof);
  KasRequest other_key = desk.signed_request(body, keys().client);
  other_key.dpop = desk.proof(Kas::token_of(other_key), keys().client);
  refused(other_key);
  KasRequest twice = desk.signed_request(body);
  CHECK(desk.finish(desk.take(twice)).status == 200);
  refused(twice);  // the proof again
  KasRequest none = desk.signed_request(body);
  none.authorization.clear();
  refused(none);
  KasRequest elsewhere = desk.signed_request(body);
  elsewhere.path = "/kas.AccessService/Rewrap";
  refused(elsewhere);
  CHECK(
      std::get<KasAnswer>(desk.kas.take(desk.signed_request(body), nullptr, desk.world, Desk::at())).status ==
      401);
}

TEST_CASE("attack: a bare bearer token opens only what lies under its ceiling") {
  Desk desk;
  const auto bare = [&](const std::string& policy) {
    KasRequest request = desk.signed_request(Desk::first(policy, desk.access(policy)), keys().client, false);
    request.client_key = base64(as_bytes(keys().client.public_key().pem()));
    return desk.finish(desk.take(request)).status;
  };
  CHECK(bare(open_to_all()) == 200);
  CHECK(bare(restricted()) == 403);
  // Nor without a signature that can be checked.
  const KasRequest unsigned_one =
      desk.signed_request(Desk::first(open_to_all(), desk.access(open_to_all())), keys().client, false);
  CHECK(desk.finish(desk.take(unsigned_one)).status == 401);
}

TEST_CASE("nonces are asked for and then taken") {
  Desk desk({}, true);
  KasRequest request = desk.signed_request(Desk::first(open_to_all(), desk.access(open_to_all())));
  const KasAnswer asked = desk.finish(desk.take(request));
  CHECK(asked.status == 401);
  REQUIRE(asked.headers.size() == 2);
  CHECK(asked.headers[0].first == "DPoP-Nonce");
  request.dpop = desk.proof(Kas::token_of(request), keys().device, asked.headers[0].second);
  CHECK(desk.finish(desk.take(request)).status == 200);
}

TEST_CASE("attack: one caller asks for more keys than one may") {
  Desk desk({.objects_burst = 2, .objects_per_second = 1});
  const Json body = Desk::first(restricted(), desk.access(restricted()));
  CHECK(desk.ask(body).status == 200);
  CHECK(desk.ask(body).status == 200);
  CHECK(desk.ask(body).status == 429);
  CHECK(desk.kas.keys().operations() == 2);
}

TEST_CASE("a key access object that names no key is tried with a few RSA keys, and no more") {
  std::vector<KasKey> held;
  for (int i = 0; i < 6; ++i)
    held.push_back({fmt::format("k{}", i), PrivateKey::generate(KeyKind::rsa, 2048)});
  const Secret share = Secret::random(32);
  const auto wrapped_for = [&](size_t i) {
    KeyAccess access = wrap_share(share, {held[i].key.public_key(), "u", "", ""}, "cG9saWN5").value();
    access.kid.clear();
    return access;
  };
  const KasKeys all = KasKeys::from(held).value();
  const auto opens = [&](const KeyAccess& access) {
    return std::ranges::any_of(all.candidates(access),
                               [&](const KasKey* key) { return all.unwrap(access, *key).has_value(); });
  };
  CHECK(opens(wrapped_for(5)));
  CHECK(all.operations() == 1);
  CHECK(opens(wrapped_for(2)));
  CHECK(all.operations() == 5);
  CHECK_FALSE(opens(wrapped_for(0)));
  CHECK(all.operations() == 9);
}

TEST_CASE("attack: the label under the key is not the one the policy amounts to") {
  const auto status = [&](std::string_view classification) {
    Desk desk;
    const std::string metadata = Json::object({{"label", label::to_json([&] {
                                                  label::Label out;
                                                  out.policy = "HARBOR LIGHT";
                                                  out.classification = classification;
                                                  return out;
                                                }())}})
                                     .dump();
    return desk.ask(Desk::first(open_to_all(), desk.access(open_to_all(), "2026-11-01-rsa", "", metadata)))
        .status;
  };
  CHECK(status("UNCLASSIFIED") == 200);
  CHECK(status("SECRET") == 403);
}

namespace {

// The reader's own node and the originator's, with the link between them in the test's hands.
struct Pair {
  Desk home;    // XAA's: the reader is its officer
  Desk origin;  // plays XBB's service: same keys, asked for by a voucher

  static std::string theirs() {
    return policy_of({example::fqn("classification", "restricted"), example::fqn("originator", "xbb"),
                      example::fqn("releasable-to", "xaa")});
  }
  [[nodiscard]] Json wrapped_for_xbb(const std::string& policy) const {
    const auto url = home.world.key_service(PartnerCode("XBB"))->url;
    return write_key_access(
        wrap_share(home.share, {keys().rsa.public_key(), url, "2026-11-01-rsa", "s1"}, policy).value());
  }
  // As far as the forwarding, which is the originator's to answer.
  Kas::Step ask(const Json& body) {
    auto step = home.take(home.signed_request(body));
    while (auto* write = std::get_if<Kas::Write>(&step)) {
      home.leaves.insert(home.leaves.end(), write->leaves.begin(), write->leaves.end());
      step = home.kas.written(std::move(*write), {}, home.world, Desk::at());
    }
    return step;
  }
  KasAnswer hear(Kas::Step step, const Result<Json>& said) {
    return home.finish(
        home.kas.forwarded(std::get<Kas::Forward>(std::move(step)), said, home.world, Desk::at()));
  }
  // What an honest service would say about each key it is asked for.
  [[nodiscard]] Json honest(const Json& asked) const {
    const Rewrapper wrapper = Rewrapper::to(keys().client.public_key()).value();
    Json responses = Json::array();
    for (const Json& one : asked.find("requests")->items()) {
      const Json result = Json::object(
          {{"keyAccessObjectId", one.find("keyAccessObjects")->items()[0].text_or("keyAccessObjectId", "")},
           {"status", "permit"},
           {"kasWrappedKey", base64(wrapper.wrap(home.share).value())}});
      responses.push(Json::object({{"results", Json::array({result})}}));
    }
    return Json::object({{"status", 200},
                         {"body", Json::object({{"sessionPublicKey", wrapper.session_key()},
                                                {"responses", std::move(responses)}})}});
  }
};

}  // namespace

TEST_CASE("another nation's key is decided here, recorded, asked for there, and recorded again") {
  Pair pair;
  auto step = pair.ask(Desk::first(Pair::theirs(), pair.wrapped_for_xbb(Pair::theirs())));
  auto* forward = std::get_if<Kas::Forward>(&step);
  REQUIRE(forward != nullptr);
  CHECK(forward->to == PartnerCode("XBB"));
  CHECK(pair.home.kinds() == "key.attempt");
  const Json said = pair.honest(forward->request);
  const KasAnswer answer = pair.hear(std::move(step), said);
  CHECK(answer.status == 200);
  CHECK(pair.home.gave(answer.body.text_or("entityWrappedKey", ""), answer));
  CHECK(pair.home.kinds() == "key.attempt key.passed");
  CHECK(pair.home.kas.keys().operations() == 0);
}

TEST_CASE("what home refuses is not asked of anybody") {
  Pair pair;
  const std::string policy =
      policy_of({example::fqn("classification", "restricted"), example::fqn("originator", "xbb")});
  const auto step = pair.ask(Desk::first(policy, pair.wrapped_for_xbb(policy)));
  REQUIRE(std::holds_alternative<KasAnswer>(step));
  CHECK(std::get<KasAnswer>(step).status == 403);
}

TEST_CASE("attack: a hostile partner's service lies, stalls or says too much") {
  const auto said = [&](const Result<Json>& answer) {
    Pair pair;
    auto step = pair.ask(Desk::first(Pair::theirs(), pair.wrapped_for_xbb(Pair::theirs())));
    const KasAnswer out = pair.hear(std::move(step), answer);
    CHECK(out.body.find("entityWrappedKey") == nullptr);
    CHECK(pair.home.kinds().find("key.passed") == std::string::npos);
    CHECK(pair.home.kas.pending() == 0);
    return out;
  };
  CHECK(said(fail("net.timeout", "stalled")).status == 503);
  CHECK(said(Json(7)).status == 403);
  const auto result = [](Json one) {
    return Json::object(
        {{"status", 200},
         {"body",
          Json::object(
              {{"responses", Json::array({Json::object({{"results", Json::array({std::move(one)})}})})}})}});
  };
  const Json permit = Json::object({{"keyAccessObjectId", "k0"}, {"status", "permit"}});
  CHECK(said(result(permit)).status == 403);
  Json longer = permit;
  CHECK(said(result(longer.set("kasWrappedKey", base64(Bytes(4096, 1))))).status == 403);
  Json other = permit;
  other.set("keyAccessObjectId", "k7").set("kasWrappedKey", base64(Bytes(256, 1)));
  CHECK(said(result(other)).status == 403);
  const KasAnswer words = said(result(Json::object(
      {{"keyAccessObjectId", "k0"}, {"status", "fail"}, {"error", std::string(9000, 'x') + "<script>\n"}})));
  CHECK(words.body.text_or("message", "").size() <= 400);
}

TEST_CASE("attack: recalled at home while the partner answers") {
  Pair pair;
  auto step = pair.ask(Desk::first(Pair::theirs(), pair.wrapped_for_xbb(Pair::theirs())));
  const Json said = pair.honest(std::get<Kas::Forward>(step).request);
  pair.home.recall("policy/object-1");
  const KasAnswer answer = pair.hear(std::move(step), said);
  CHECK(answer.status == 403);
  CHECK(pair.home.kinds().find("key.withheld") != std::string::npos);
}

TEST_CASE("attack: a voucher does not lead on to a third nation") {
  Pair pair;
  auto request = read_rewrap(Desk::first(Pair::theirs(), pair.wrapped_for_xbb(Pair::theirs())));
  KasCaller caller;
  caller.person = example::person("XBB", "planner");
  const auto step = pair.home.kas.take_for(caller, *std::move(request), pair.home.world, Desk::at());
  REQUIRE(std::holds_alternative<KasAnswer>(step));
  CHECK(std::get<KasAnswer>(step).status == 400);
}
