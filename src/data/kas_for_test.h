// A nation's key service and one of its people, and what they say to each other. Test only.
#pragma once

#include "coalition/example_test.h"
#include "data/kas.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace entente::data::for_test {

namespace example = coalition::example;
using crypto::KeyKind;
using crypto::PrivateKey;
using crypto::Secret;
using crypto::SignatureAlg;

inline constexpr std::string_view kUrl = "https://kas.xaa.localhost:8441";
inline constexpr std::string_view kIssuer = "https://idp.xaa.localhost:8451";

struct Keys {
  PrivateKey rsa = PrivateKey::generate(KeyKind::rsa, 2048);
  PrivateKey ec = PrivateKey::generate(KeyKind::p256);
  PrivateKey issuer = PrivateKey::generate(KeyKind::p256);
  PrivateKey device = PrivateKey::generate(KeyKind::p256);
  PrivateKey client = PrivateKey::generate(KeyKind::p256);
};
inline const Keys& keys() {
  static const Keys made;
  return made;
}

inline std::string policy_of(std::vector<std::string> attributes, std::string uuid = "object-1") {
  DataPolicy out;
  out.uuid = std::move(uuid);
  for (const std::string& fqn : attributes) out.attributes.push_back(parse_attribute(fqn).value());
  return write_policy(out);
}
inline std::string restricted() {
  return policy_of({example::fqn("classification", "restricted"), example::fqn("originator", "xaa"),
                    example::fqn("releasable-to", "xbb")});
}
inline std::string open_to_all() {
  return policy_of({example::fqn("classification", "unclassified"), example::fqn("originator", "xaa")});
}
inline std::string too_high() {
  return policy_of({example::fqn("classification", "secret"), example::fqn("originator", "xbb"),
                    example::fqn("releasable-to", "xbb")});
}

using SignedOut = std::map<PersonId, Instant>;  // of everything, and when

// A nation's service and one of its people, and what they say to each other.
struct Desk {
  Secret share = Secret::random(32);
  example::Records records = example::records("XAA");
  coalition::World world = example::world(records);
  std::vector<KasLeaf> leaves;  // all that was recorded
  std::shared_ptr<SignedOut> signed_out = std::make_shared<SignedOut>();
  Kas kas;
  int proofs = 0;
  int pauses = 0;

  explicit Desk(KasLimits limits = {}, bool nonces = false, Instant started = {})
      : kas(parts(limits, nonces, started, signed_out)) {}

  static Kas::Parts parts(KasLimits limits, bool nonces, Instant started = {},
                          std::shared_ptr<const SignedOut> signed_out = std::make_shared<SignedOut>()) {
    std::vector<KasKey> held;
    held.push_back({"2026-11-01-ec", keys().ec});
    held.push_back({"2026-11-01-rsa", keys().rsa});
    return {.self = PartnerCode("XAA"),
            .url = std::string(kUrl),
            .keys = KasKeys::from(std::move(held)).value(),
            .nonces = nonces,
            .started = started,
            .person = [](const identity::AccessToken& token, Instant) -> Result<identity::PersonFacts> {
              identity::PersonFacts out;
              out.id = PersonId("p-" + token.subject);
              out.partner = PartnerCode("XAA");
              out.facts = example::person("XAA", "officer").facts;
              out.end = example::kNow + std::chrono::hours(1);
              return out;
            },
            .counts = [signed_out = std::move(signed_out)](const PersonId& who, Instant issued,
                                                           Instant) -> Result<void> {
              const auto found = signed_out->find(who);
              if (found == signed_out->end() || found->second < issued) return {};
              return fail("token.signed-out", "The access token is from before a sign-out.");
            },
            .context =
                [](Instant end) {
                  coalition::Facts out;
                  out["risk"] = {int64_t{0}, "node", end};
                  out["network"] = {std::string("door"), "node", end};
                  return out;
                },
            .limits = limits,
            .author = [](const PersonId& who) { return code_of(who.text()); }};
  }
  // How this node knows its people as authors.
  static std::string code_of(const std::string& person) {
    return base64url(crypto::sha256("code of " + person));
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
    while (!std::holds_alternative<KasAnswer>(step)) {
      if (auto* pause = std::get_if<Kas::Pause>(&step)) {
        ++pauses;
        step = kas.go_on(std::move(*pause), world, at());
        continue;
      }
      auto& write = std::get<Kas::Write>(step);
      leaves.insert(leaves.end(), write.leaves.begin(), write.leaves.end());
      step = kas.written(std::move(write), {}, world, at());
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

inline const Json& result_of(const KasAnswer& answer, size_t request, size_t key) {
  return answer.body.find("responses")->items().at(request).find("results")->items().at(key);
}

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

// What XBB's node asks for one of its people, as it says.
inline Kas::Step vouched(Desk& desk, const std::string& person, const Json& body,
                         std::vector<std::string> named = {}, KasMoment at = Desk::at()) {
  KasCaller caller;
  caller.person = example::person("XBB", "planner");
  caller.person.id = PersonId(person);
  caller.context["risk"] = {int64_t{0}, "node", example::kNow + std::chrono::hours(1)};
  caller.context["network"] = {std::string("door"), "node", example::kNow + std::chrono::hours(1)};
  caller.by.device = "device-1";
  caller.by.named = std::move(named);
  return desk.kas.take_for(std::move(caller), read_rewrap(body).value(), desk.world, at);
}

}  // namespace entente::data::for_test
