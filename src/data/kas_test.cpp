#include "data/kas_for_test.h"
#include "data/lineage.h"

using namespace entente;
using namespace entente::data;
using namespace entente::data::for_test;

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

TEST_CASE("attack: a client's key that nothing can be wrapped for") {
  const auto asked = [](const std::string& policy) {
    Desk desk;
    Json body = Desk::first(policy, desk.access(policy));
    body.set("clientPublicKey", PrivateKey::generate(KeyKind::ed25519).public_key().pem());
    const KasAnswer answer = desk.ask(body);
    CHECK(desk.kas.keys().operations() == 0);
    CHECK(desk.kas.pending() == 0);
    return std::pair(answer.status, desk.kinds());
  };
  // Attempted is nothing, and no way leads around the ledger.
  CHECK(asked(restricted()) == std::pair(400, std::string("key.refusal")));
  CHECK(asked(too_high()) == std::pair(403, std::string("key.refusal")));
}

TEST_CASE("attack: who asks with a client's key that is none learns nothing that is not recorded") {
  Desk desk;
  const auto ask = [&](std::vector<Json> wanted) {
    Json body = Desk::second(std::move(wanted));
    body.set("clientPublicKey", "x");
    const KasAnswer answer = desk.ask(body);
    CHECK(answer.body.find("responses") == nullptr);
    return answer.status;
  };
  // Refusals beside what would be permitted.
  CHECK(ask({Desk::wanted("a", restricted(), {desk.access(restricted())}),
             Desk::wanted("b", too_high(), {desk.access(too_high())})}) == 400);
  REQUIRE(desk.kinds() == "key.refusal key.refusal");
  CHECK(Json(desk.leaves[0].fields).text_or("why", "") == "the client's public key cannot be used");
  CHECK(Json(desk.leaves[1].fields).find("rules") != nullptr);
  // One id and one key, under policies made up to find out what would open.
  const Json access = desk.access(restricted());
  desk.leaves.clear();
  for (const std::string& made_up :
       {restricted(), open_to_all(),
        policy_of({example::fqn("classification", "restricted"), example::fqn("originator", "xaa")})})
    CHECK(ask({Desk::wanted("a", made_up, {access})}) == 400);
  CHECK(desk.kinds() == "key.refusal key.refusal key.refusal");
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

TEST_CASE("attack: what the person may rest on ends while it is under way, at either step") {
  for (const bool late : {false, true}) {
    CAPTURE(late);
    Desk desk;
    const KasMoment after{example::kNow + std::chrono::hours(1), Desk::at().tick + std::chrono::hours(1)};
    auto step = desk.take(desk.signed_request(Desk::first(restricted(), desk.access(restricted()))));
    if (late) step = desk.kas.written(std::get<Kas::Write>(std::move(step)), {}, desk.world, Desk::at());
    step = desk.kas.written(std::get<Kas::Write>(std::move(step)), {}, desk.world, after);
    const KasAnswer& answer = std::get<KasAnswer>(step);
    CHECK(answer.status == 403);
    CHECK(answer.body.find("entityWrappedKey") == nullptr);
    CHECK(desk.kas.keys().operations() == (late ? 1 : 0));
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
  other_key.dpop = desk.proof(std::string(Kas::token_of(other_key)), keys().client);
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
  request.dpop = desk.proof(std::string(Kas::token_of(request)), keys().device, asked.headers[0].second);
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

TEST_CASE("a release says what the object was made of, as it stands under the share") {
  label::Label label;
  label.policy = "HARBOR LIGHT";
  label.classification = "UNCLASSIFIED";
  const KeyDigests from{base64url(crypto::sha256("high"))};
  const auto recorded = [&](const std::string& metadata) {
    Desk desk;
    const std::string policy = open_to_all();
    const KasAnswer answer =
        desk.ask(Desk::first(policy, desk.access(policy, "2026-11-01-rsa", "", metadata)));
    CHECK_MESSAGE(answer.status == 200, answer.body.dump());
    std::string out;
    for (const KasLeaf& leaf : desk.leaves)
      for (const auto& [name, value] : leaf.fields)
        if (name == "from") out += leaf.kind + " " + value.dump();
    return out;
  };
  CHECK(recorded(key_metadata(label, from)) == "key.release " + to_json(from).dump());
  CHECK(recorded(key_metadata(label)).empty());
  Json odd = Json::object({{"label", label::to_json(label)}});
  CHECK(recorded(odd.set("from", std::string(20'000, 'x')).dump()).empty());
}

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

TEST_CASE("attack: one object with a policy that is too long spoils no other's answer") {
  for (const size_t bytes : {kPolicyBytesMax, kPolicyBytesMax + 1}) {
    CAPTURE(bytes);
    Desk desk;
    const std::string wide(bytes, 'A');
    const Json wanted_wide = Desk::wanted("b", wide, {desk.access(restricted())});
    const KasAnswer answer =
        desk.ask(Desk::second({Desk::wanted("a", restricted(), {desk.access(restricted())}), wanted_wide}));
    REQUIRE(answer.status == 200);
    CHECK(result_of(answer, 0, 0).text_or("status", "") == "permit");
    CHECK(result_of(answer, 1, 0).text_or("error", "").ends_with("this key cannot be opened here"));
    CHECK(desk.kinds() == "key.attempt key.release key.refusal");
    CHECK(desk.kas.keys().operations() == 1);
  }
}

TEST_CASE("attack: who asks for one mission after the other leaves a record of each") {
  Desk desk;
  Json body = Desk::second({Desk::wanted("a", too_high(), {desk.access(too_high())})});
  for (const char* mission : {"", "vigil", "vigil", "other"}) {
    if (*mission != '\0') body.set("mission", mission);
    (void)desk.ask(body);
  }
  REQUIRE(desk.kinds() == "key.refusal key.refusal key.refusal");
  CHECK(Json(desk.leaves[0].fields).find("mission") == nullptr);
  CHECK(Json(desk.leaves[1].fields).text_or("mission", "") == "vigil");
  CHECK(Json(desk.leaves[2].fields).text_or("mission", "") == "other");
}

TEST_CASE("a key service's host and an access token's scheme are the same in any case") {
  for (const char* scheme : {"Bearer ", "bearer ", "BEARER ", "DPoP ", "dpop ", "DPOP  "}) {
    CAPTURE(scheme);
    Desk desk;
    Json access = desk.access(restricted());
    access.set("url", "HTTPS://KAS.xaa.localhost:8441");
    KasRequest request = desk.signed_request(Desk::first(restricted(), access));
    request.authorization = scheme + std::string(Kas::token_of(request));
    CHECK(desk.finish(desk.take(request)).status == 200);
  }
  for (const char* none : {"", "Bearer", "Bearer ", "Basic x", "Bearerx x", " Bearer x"}) {
    KasRequest request;
    request.authorization = none;
    CHECK(Kas::token_of(request).empty());
  }
}

TEST_CASE("what is recalled between the attempt and the key is refused as that, though no key is named") {
  Desk desk;
  std::vector<KasKey> held{{"2026-11-01-rsa", keys().rsa}};
  held.push_back({"2026-12-01-rsa", PrivateKey::generate(KeyKind::rsa, 2048)});
  desk.kas.use_keys(KasKeys::from(std::move(held)).value());
  Json access = desk.access(restricted());
  access.set("kid", "");
  auto step = desk.take(desk.signed_request(Desk::first(restricted(), access)));
  desk.recall("policy/object-1");
  CHECK(desk.finish(std::move(step)).status == 403);
  CHECK(desk.kinds() == "key.attempt key.refusal");
  const Json refusal(desk.leaves[1].fields);
  REQUIRE(refusal.find("rules") != nullptr);
  CHECK(refusal.find("rules")->dump() == R"(["object-recalled"])");
  CHECK(desk.kas.keys().operations() == 0);
}
