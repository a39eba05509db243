#include "data/kas_for_test.h"

using namespace entente;
using namespace entente::data;
using namespace entente::data::for_test;

TEST_CASE("attack: a hostile partner's service answers for other objects, twice, hugely, or as before") {
  const std::string policy = Pair::theirs();
  const auto ask = [&](Pair& pair) {
    return pair.ask(Desk::second({Desk::wanted("a", policy, {pair.wrapped_for_xbb(policy)}),
                                  Desk::wanted("b", policy, {pair.wrapped_for_xbb(policy)})}));
  };
  Pair first;
  auto step = ask(first);
  const Json honest = first.honest(std::get<Kas::Forward>(step).request);
  CHECK(result_of(first.hear(std::move(step), honest), 1, 0).text_or("status", "") == "permit");

  const auto hear = [&](const Json& said) {
    Pair pair;
    KasAnswer out = pair.hear(ask(pair), said);
    CHECK(pair.home.kas.pending() == 0);
    return out;
  };
  const auto status = [](const KasAnswer& answer, size_t i) {
    return std::string(result_of(answer, i, 0).text_or("status", ""));
  };
  const Json& body = *honest.find("body");
  const auto result = [&](size_t i) {
    return body.find("responses")->items().at(i).find("results")->items().at(0);
  };
  const auto response = [](Json::Array results) {
    return Json::object({{"results", Json(std::move(results))}});
  };
  const auto answer = [&](Json::Array responses, std::string session = {}) {
    if (session.empty()) session = body.text_or("sessionPublicKey", "");
    return Json::object(
        {{"status", 200},
         {"body", Json::object({{"sessionPublicKey", session}, {"responses", Json(std::move(responses))}})}});
  };
  // The first object's answer given for both: the second has none.
  const KasAnswer twice = hear(answer({response({result(0)}), response({result(0)})}));
  CHECK(status(twice, 0) == "permit");
  CHECK(status(twice, 1) == "fail");
  // Of two answers about one object the first counts; a release that nobody asked for is none.
  Json no = result(0);
  no.set("status", "fail").set("error", "no");
  CHECK(status(hear(answer({response({no}), response({result(0)})})), 0) == "fail");
  Json asked = result(0);
  asked.set("status", "asked").set("release", "r-1");
  CHECK(status(hear(answer({response({asked})})), 0) == "fail");
  // More answers than questions, and several results where there is one.
  Json::Array many(1'000);
  many.push_back(response({result(0)}));
  CHECK(status(hear(answer(many)), 0) == "fail");
  CHECK(status(hear(answer({response({result(0), result(0)}), response({result(1)})})), 0) == "fail");
  // A session key and words without end.
  Json wordy = result(0);
  wordy.set("status", "fail").set("error", std::string(1 << 20, 'x'));
  const KasAnswer huge = hear(answer({response({wordy}), response({wordy})}, std::string(1 << 20, 'k')));
  CHECK(huge.body.dump().size() < 16'384);
  for (const Json& nonsense : {Json(), Json("permit"), Json::array(), Json::object({{"body", 7}}),
                               Json::object({{"body", Json::object({{"responses", "all"}})}})})
    CHECK(status(hear(nonsense), 0) == "fail");

  // What home refused is refused, whoever else permits it.
  const std::string high =
      policy_of({example::fqn("classification", "secret"), example::fqn("originator", "xbb"),
                 example::fqn("caveat", "medical"), example::fqn("releasable-to", "xaa")});
  Pair mixed;
  step = mixed.ask(Desk::second({Desk::wanted("a", policy, {mixed.wrapped_for_xbb(policy)}),
                                 Desk::wanted("b", high, {mixed.wrapped_for_xbb(high)})}));
  REQUIRE(std::get<Kas::Forward>(step).request.find("requests")->items().size() == 1);
  const KasAnswer both = mixed.hear(std::move(step), honest);
  CHECK(status(both, 0) == "permit");
  CHECK(status(both, 1) == "fail");

  // An older answer is wrapped for an older client's key: whoever asks now cannot open it.
  const KasAnswer replayed = hear(honest);
  const PrivateKey now = PrivateKey::generate(KeyKind::p256);
  const auto wrapped = from_base64(result_of(replayed, 0, 0).text_or("kasWrappedKey", ""));
  REQUIRE(wrapped);
  CHECK_FALSE(open_answer(*wrapped, replayed.body.text_or("sessionPublicKey", ""), now));
}

TEST_CASE("attack: whoever hands an object on writes another nation's address beside its key") {
  Pair pair;
  // Of XAA, and not for XBB: its policy is none of theirs to hear.
  const std::string ours =
      policy_of({example::fqn("classification", "restricted"), example::fqn("originator", "xaa")});
  const auto step = pair.ask(Desk::second({Desk::wanted("a", ours, {pair.wrapped_for_xbb(ours)})}));
  CHECK_FALSE(std::holds_alternative<Kas::Forward>(step));
  const auto theirs =
      pair.ask(Desk::second({Desk::wanted("a", Pair::theirs(), {pair.wrapped_for_xbb(Pair::theirs())})}));
  CHECK(std::holds_alternative<Kas::Forward>(theirs));
}

TEST_CASE("another nation's service that is busy, or takes no voucher, has refused nobody") {
  const std::string policy = Pair::theirs();
  const auto hear = [&](int status, std::string_view code, bool first_version) {
    Pair pair;
    const Json access = pair.wrapped_for_xbb(policy);
    auto step = pair.ask(first_version ? Desk::first(policy, access)
                                       : Desk::second({Desk::wanted("a", policy, {access})}));
    const Json body = Json::object({{"code", code}, {"message", "later"}});
    const KasAnswer answer = pair.hear(std::move(step), Json::object({{"status", status}, {"body", body}}));
    CHECK(pair.home.kas.pending() == 0);
    return fmt::format("{} {}, {}", answer.status, answer.body.text_or("code", "-"), pair.home.kinds());
  };
  for (const bool first_version : {false, true}) {
    CAPTURE(first_version);
    CHECK(hear(429, "resource_exhausted", first_version) == "429 resource_exhausted, key.attempt");
    CHECK(hear(503, "unavailable", first_version) == "503 unavailable, key.attempt");
    CHECK(hear(500, "internal", first_version) == "503 unavailable, key.attempt");
    CHECK(hear(401, "unauthenticated", first_version) == "503 unavailable, key.attempt");
  }
  // What it says of the request stands.
  CHECK(hear(400, "invalid_argument", true) == "403 permission_denied, key.attempt key.refusal");
}
