#include "data/kas_client.h"

#include "data/kas_request.h"
#include "data/object_for_test.h"
#include "identity/dpop.h"

using namespace entente;
using namespace entente::data;
using crypto::KeyKind;
using crypto::PrivateKey;
using crypto::Secret;

namespace {

const Instant kAskedAt = from_unix_seconds(1'800'000'000);
const std::vector kOpen{coalition::Action::open};

Holder holder_for_test(KeyKind kind = KeyKind::p256) {
  return {"an-access-token", PrivateKey::generate(kind, 2048)};
}

struct AskedShare {
  Secret share;
  KeyAccess access;
  std::string policy_text;
};

AskedShare asked_share() {
  Secret share = Secret::random(kShareBytes);
  const std::string policy = write_policy({"5e0f", {}, {}});
  KeyAccess access =
      wrap_share(share, {key_for_test().public_key(), "https://kas.xaa.localhost", "k", ""}, policy).value();
  return {std::move(share), std::move(access), policy};
}

// What an honest service answers.
std::string answer_for(const KeyRequest& request, const Secret& share, const char* id = "kao-0") {
  const Rewrapper rewrapper = Rewrapper::to(request.session.public_key()).value();
  const Json result = Json::object({{"keyAccessObjectId", id},
                                    {"status", "permit"},
                                    {"kasWrappedKey", base64(rewrapper.wrap(share).value())}});
  return Json::object(
             {{"sessionPublicKey", rewrapper.session_key()},
              {"responses",
               Json::array({Json::object({{"policyId", "policy"}, {"results", Json::array({result})}})})}})
      .dump();
}

std::string told(const Result<Secret>& result) {
  return result ? "ok" : result.error().code();
}

}  // namespace

TEST_CASE(
    "what is asked of a key service is signed by the holder's key and names object, policy and a fresh key") {
  for (const KeyKind kind : {KeyKind::p256, KeyKind::rsa}) {
    const Holder holder = holder_for_test(kind);
    const AskedShare asked = asked_share();
    const KeyRequest request =
        ask_for_share(asked.access, asked.policy_text, kOpen, holder, kAskedAt).value();
    const auto opened = open_request_token(request.body, holder.proof.public_key(), kAskedAt);
    REQUIRE_MESSAGE(opened.has_value(), opened.error().text());
    const RewrapRequest read = read_rewrap(*opened).value();
    CHECK_FALSE(read.first_version);
    CHECK(crypto::PublicKey::from_pem(read.client_key).value() == request.session.public_key());
    REQUIRE(read.objects.size() == 1);
    CHECK(read.objects[0].policy_text == asked.policy_text);
    CHECK(read.objects[0].keys.at(0).access == asked.access);
    CHECK_FALSE(open_request_token(request.body, key_for_test().public_key(), kAskedAt));
    CHECK_FALSE(
        ask_for_share(asked.access, asked.policy_text, kOpen, holder, kAskedAt)->session.public_key() ==
        request.session.public_key());

    const std::string url = "https://kas.xaa.localhost:8441" + request.path;
    const std::string proof = make_proof(holder, "POST", url, "n1", kAskedAt).value();
    const auto checked = identity::check_dpop(proof, {.method = "POST",
                                                      .origin = "https://kas.xaa.localhost:8441",
                                                      .path = request.path,
                                                      .access_token = crypto::sha256(holder.token),
                                                      .now = kAskedAt});
    REQUIRE_MESSAGE(checked.has_value(), checked.error().text());
    CHECK(checked->nonce == "n1");
    CHECK(checked->thumbprint == holder.proof.public_key().thumbprint());
  }
}

TEST_CASE("a key service is asked by the rights that are used: by name, and by none where it is opened") {
  using enum coalition::Action;
  const Holder holder = holder_for_test();
  const AskedShare asked = asked_share();
  const auto body = [&](const std::vector<coalition::Action>& actions) {
    const KeyRequest made = ask_for_share(asked.access, asked.policy_text, actions, holder, kAskedAt).value();
    return open_request_token(made.body, holder.proof.public_key(), kAskedAt).value();
  };
  for (const std::vector<coalition::Action>& actions :
       {std::vector{open}, std::vector{edit}, std::vector{forward}, std::vector{forward, relabel}}) {
    const Json made = body(actions);
    CHECK(read_rewrap(made).value().objects.at(0).actions == actions);
    // As it was before there were others to name.
    CHECK((made.find("requests")->items()[0].find("action") == nullptr) == (actions == kOpen));
  }
  const auto code = [&](Json action, bool release = false) {
    Json made = body({open});
    Json request = made.find("requests")->items()[0];
    request.set("action", std::move(action));
    if (release) request.set("release", Json::object({{"purpose", "EXERCISE"}, {"minutes", 60}}));
    const auto read = read_rewrap(made.set("requests", Json::array({std::move(request)})));
    return read ? "ok" : read.error().code();
  };
  CHECK(code(Json::array({"relabel"})) == "ok");
  CHECK(code(Json::array({"relabel", "relabel"})) == "kas.request");
  CHECK(code(Json::array()) == "kas.request");
  CHECK(code(Json::array({"open", "view"})) == "kas.request");
  CHECK(code(Json::array({"open", 1})) == "kas.request");
  CHECK(code("relabel forward") == "kas.request");
  CHECK(code("relabel", true) == "ok");
  CHECK(code(Json::array({"relabel", "forward"}), true) == "kas.request");
}

TEST_CASE("a key service's answer counts only for what was asked, and opens only with this request's key") {
  const Holder holder = holder_for_test();
  const AskedShare asked = asked_share();
  const KeyRequest request = ask_for_share(asked.access, asked.policy_text, kOpen, holder, kAskedAt).value();
  const KeyRequest other = ask_for_share(asked.access, asked.policy_text, kOpen, holder, kAskedAt).value();
  const std::string good = answer_for(request, asked.share);
  CHECK(crypto::equal_constant_time(read_share(200, good, request).value().bytes(), asked.share.bytes()));
  CHECK(told(read_share(200, good, other)) == "data.unwrap");  // a replayed answer
  CHECK(told(read_share(200, answer_for(request, asked.share, "kao-1"), request)) == "data.key-answer");
  CHECK(told(read_share(403, R"({"code":"permission_denied","message":"no\u001b[2J"})", request)) ==
        "data.key-refused");
  CHECK(read_share(403, R"({"message":"no\u001b[2J"})", request).error().what().find('\x1b') ==
        std::string::npos);
  CHECK(told(read_share(500, "oops", request)) == "data.key-refused");
  for (
      const char* bad :
      {"", "[]", "{}", R"({"responses":[]})", R"({"responses":[{"results":[]}]})",
       R"({"responses":[{"results":[{"keyAccessObjectId":"kao-0","status":"permit","kasWrappedKey":1}]}]})",
       R"({"responses":[{"results":[{"keyAccessObjectId":"kao-0","status":"permit","kasWrappedKey":"*"}]}]})"}) {
    INFO(bad);
    CHECK(read_share(200, bad, request).error().code().starts_with("data."));
    CHECK_FALSE(read_share(200, bad, request));
  }
  CHECK(
      told(read_share(
          200,
          R"({"responses":[{"results":[{"keyAccessObjectId":"kao-0","status":"fail","error":"forbidden"}]}]})",
          request)) == "data.key-refused");
}

TEST_CASE("a key service's address is the same however the object's software wrote it") {
  for (const char* url :
       {"https://kas.xaa.localhost", "https://kas.xaa.localhost/", "https://kas.xaa.localhost/kas",
        "https://kas.xaa.localhost/kas/", "https://kas.xaa.localhost/kas/v2/rewrap",
        "https://KAS.Xaa.localhost/kas", "HTTPS://kas.xaa.LOCALHOST"})
    CHECK(key_service_of(url) == "https://kas.xaa.localhost");
  // Neither what stands before a host nor a path is the same in another case.
  CHECK(key_service_of("HTTPS://Ana@KAS.xaa.localhost:8441/Keys@A/") ==
        "https://Ana@kas.xaa.localhost:8441/Keys@A");
  CHECK(key_service_of("Kas/v2/rewrap") == "Kas");
}
