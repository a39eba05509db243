#include "identity/statement.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::identity;

namespace {

constexpr int64_t kNow = 1'800'000'000;
Instant at(int64_t seconds) {
  return from_unix_seconds(kNow + seconds);
}

const crypto::PrivateKey& key() {
  static const crypto::PrivateKey one = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  return one;
}
const crypto::KeySet& keys() {
  static const crypto::KeySet set =
      crypto::KeySet::from_keys({{"xbb-1", crypto::SignatureAlg::ES256, key().public_key()}}).value();
  return set;
}

StatementChain chain(ChainState state = {}, const crypto::PrivateKey& signer = key()) {
  return {PartnerCode("XBB"), PartnerCode("XAA"), signer, "xbb-1", std::move(state)};
}
StatementExpect expect(int64_t seconds = 0) {
  return {.issuer = PartnerCode("XBB"), .audience = PartnerCode("XAA"), .keys = &keys(), .now = at(seconds)};
}

Json person(const char* nation = "XBB", const char* clearance = "CONFIDENTIAL") {
  return to_json(PersonStatement{PersonId("p1"),
                                 PartnerCode("XBB"),
                                 AppId("cop"),
                                 {{"clearance", {std::string(clearance), "idp:x", at(9999)}},
                                  {"nationality", {std::string(nation), "idp:x", at(300)}}}});
}
Json ended() {
  return Json::object({{"partner", "XBB"}, {"person", "p1"}});
}

std::string code(const Result<Hearing>& hearing) {
  if (!hearing) return hearing.error().code();
  return hearing->heard == Heard::fresh   ? "fresh"
         : hearing->heard == Heard::again ? "again"
         : hearing->heard == Heard::early ? "early"
                                          : "expired";
}
std::string hear(const std::string& compact, const ChainState& state, int64_t seconds = 0) {
  return code(hear_statement(compact, expect(seconds), state));
}

std::string forge(const Json& claims, const crypto::PrivateKey& signer = key(),
                  const char* typ = "entente-statement+jwt") {
  return crypto::sign_jwt(signer, {.alg = crypto::SignatureAlg::ES256, .typ = typ, .kid = "xbb-1"}, claims)
      .value();
}
Json first_claims() {
  return Json::object({{"iss", "XBB"},
                       {"aud", "XAA"},
                       {"seq", 1},
                       {"prev", ""},
                       {"iat", kNow},
                       {"exp", kNow + 600},
                       {"kind", "person"},
                       {"body", person()}});
}
Json with(const char* claim, Json value) {
  Json claims = first_claims();
  claims.set(claim, std::move(value));
  return claims;
}

}  // namespace

TEST_CASE("statements are heard in order, and the last one once more changes nothing") {
  StatementChain sender = chain();
  ChainState state;
  for (int i = 1; i <= 3; ++i) {
    const std::string compact = sender.make(StatementKind::person, person(), at(0), Seconds(600)).value();
    const auto hearing = hear_statement(compact, expect(), state);
    REQUIRE(code(hearing) == "fresh");
    CHECK(hearing->statement.seq == static_cast<uint64_t>(i));
    state = hearing->next;
    CHECK(hear(compact, state) == "again");
    CHECK(hear_statement(compact, expect(), state)->next == state);
  }
  CHECK(state == sender.state());
  CHECK(*chain_state_from_json(to_json(state)) == state);
  CHECK(*chain_state_from_json(to_json(ChainState{})) == ChainState{});
}

TEST_CASE("a gap is stale until the ones between come") {
  StatementChain sender = chain();
  const std::string one = sender.make(StatementKind::person, person(), at(0), Seconds(600)).value();
  const std::string two = sender.make(StatementKind::person, person(), at(0), Seconds(600)).value();
  CHECK(hear(two, {}) == "statement.gap");
  CHECK(sender.kept(1) == one);
  CHECK_FALSE(sender.kept(3).has_value());
  const ChainState after_one = hear_statement(one, expect(), {})->next;
  CHECK(hear(two, after_one) == "fresh");
}

TEST_CASE("a reset is heard over a gap, once, from its issuer alone, and brings nothing old back") {
  StatementChain sender = chain();
  std::vector<std::string> sent;
  for (int i = 0; i < 4; ++i)
    sent.push_back(sender.make(StatementKind::person, person(), at(0), Seconds(600)).value());
  const Json whose = Json::object({{"partner", "XBB"}});
  const std::string reset = sender.make(StatementKind::reset, whose, at(0), Seconds(600)).value();
  const std::string next = sender.make(StatementKind::person, person(), at(0), Seconds(600)).value();
  const ChainState one = hear_statement(sent[0], expect(), {}).value().next;
  CHECK(hear(next, one) == "statement.gap");
  const Hearing heard = hear_statement(reset, expect(), one).value();
  CHECK(heard.heard == Heard::fresh);
  CHECK(heard.next.seq == 5);
  CHECK(hear(reset, heard.next) == "again");
  for (const std::string& old : sent) CHECK(hear(old, heard.next) == "statement.old");
  const ChainState after = hear_statement(next, expect(), heard.next).value().next;
  CHECK(hear(reset, after) == "statement.old");  // replayed: nothing goes back
  CHECK(hear(reset, one, 9999) == "fresh");      // late, it still narrows
  StatementExpect elsewhere = expect();
  elsewhere.audience = PartnerCode("XCC");
  CHECK(code(hear_statement(reset, elsewhere, one)) == "statement.audience");
  const crypto::PrivateKey stranger = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  const std::string forged =
      chain(one, stranger).make(StatementKind::reset, whose, at(0), Seconds(600)).value();
  CHECK(hear(forged, one) == "jose.signature");
  CHECK_FALSE(sender.make(StatementKind::reset, Json::object({{"partner", "XCC"}}), at(0), Seconds(600)));
}

TEST_CASE("an old statement does not come back") {
  StatementChain sender = chain();
  const std::string one = sender.make(StatementKind::person, person(), at(0), Seconds(600)).value();
  const std::string two = sender.make(StatementKind::end, ended(), at(0), Seconds(600)).value();
  ChainState state = hear_statement(one, expect(), {})->next;
  state = hear_statement(two, expect(), state)->next;
  CHECK(hear(one, state) == "statement.old");
}

TEST_CASE("two histories are a fork, not a choice") {
  StatementChain sender = chain();
  StatementChain twin = chain();
  const std::string one = sender.make(StatementKind::person, person(), at(0), Seconds(600)).value();
  const std::string other_one =
      twin.make(StatementKind::person, person("XBB", "SECRET"), at(0), Seconds(600)).value();
  const std::string other_two = twin.make(StatementKind::person, person(), at(0), Seconds(600)).value();
  const ChainState state = hear_statement(one, expect(), {})->next;
  CHECK(hear(other_one, state) == "statement.forked");
  CHECK(hear(other_two, state) == "statement.forked");
}

TEST_CASE("a statement is for one audience and from its own issuer, with its own key") {
  const std::string good = forge(first_claims());
  CHECK(hear(good, {}) == "fresh");
  CHECK(hear(forge(with("aud", "XCC")), {}) == "statement.audience");
  CHECK(hear(forge(with("iss", "XCC")), {}) == "statement.issuer");
  CHECK(hear(forge(first_claims(), crypto::PrivateKey::generate(crypto::KeyKind::p256)), {}) ==
        "jose.signature");
  CHECK(hear(forge(first_claims(), key(), "entente-assertion+jwt"), {}) == "jose.header");
  StatementExpect elsewhere = expect();
  elsewhere.audience = PartnerCode("XCC");
  CHECK(code(hear_statement(good, elsewhere, {})) == "statement.audience");
}

TEST_CASE("a late statement keeps its place without effect; a late end still ends") {
  StatementChain sender = chain();
  const std::string one = sender.make(StatementKind::person, person(), at(0), Seconds(60)).value();
  const std::string two = sender.make(StatementKind::end, ended(), at(0), Seconds(60)).value();
  const auto late = hear_statement(one, expect(60), {});
  CHECK(code(late) == "expired");
  CHECK(hear(two, late->next, 3600) == "fresh");
}

TEST_CASE("a clock that ran ahead does not stop the chain") {
  StatementChain sender = chain();
  const std::string one = sender.make(StatementKind::person, person(), at(61), Seconds(60)).value();
  const std::string two = sender.make(StatementKind::person, person(), at(0), Seconds(60)).value();
  const std::string three = sender.make(StatementKind::reset, ended(), at(600), Seconds(60)).value();
  const auto early = hear_statement(one, expect(0), {});
  CHECK(code(early) == "early");
  const auto next = hear_statement(two, expect(0), early->next);
  CHECK(code(next) == "fresh");
  CHECK(hear(three, next->next) == "fresh");  // what narrows is heard whenever it was said
}

TEST_CASE("nobody speaks about another nation's people, apps or membership") {
  Json foreign = person();
  foreign.set("partner", "XCC");
  CHECK(hear(forge(with("body", foreign)), {}) == "statement.authority");
  CHECK(chain().make(StatementKind::person, foreign, at(0), Seconds(60)).error().code() ==
        "statement.authority");
  Json offer = with("body", Json::object({{"owner", "XAA"}, {"app", "cop"}}));
  offer.set("kind", "offer");
  CHECK(hear(forge(offer), {}) == "statement.authority");
  Json end = with("body", Json::object({{"partner", "XAA"}, {"person", "p1"}}));
  end.set("kind", "end");
  CHECK(hear(forge(end), {}) == "statement.authority");

  // Its own person, said to be another nation's.
  StatementChain sender = chain();
  const std::string compact = sender.make(StatementKind::person, person("XAA"), at(0), Seconds(60)).value();
  const Statement statement = hear_statement(compact, expect(), {})->statement;
  CHECK(person_of(statement, 3).error().code() == "statement.authority");
}

TEST_CASE(
    "a person's facts come with the statement as source, never outlive it, and stay below the ceiling") {
  StatementChain sender = chain();
  const std::string compact =
      sender.make(StatementKind::person, person("XBB", "SECRET"), at(0), Seconds(600)).value();
  const Statement statement = hear_statement(compact, expect(), {})->statement;
  const PersonStatement read = person_of(statement, 1).value();
  CHECK(read.person == PersonId("p1"));
  CHECK(read.app == AppId("cop"));
  const coalition::Fact& clearance = read.facts.find("clearance")->second;
  CHECK(std::get<std::string>(clearance.value) == "RESTRICTED");
  CHECK(clearance.source == "statement:XBB#1");
  CHECK(clearance.end == at(600));
  CHECK(read.facts.find("nationality")->second.end == at(300));
  CHECK(std::get<std::string>(person_of(statement, 4)->facts.find("clearance")->second.value) == "SECRET");
}

TEST_CASE("claims out of shape are refused") {
  for (const auto& [claim, value] : std::vector<std::pair<const char*, Json>>{{"seq", 0},
                                                                              {"seq", -1},
                                                                              {"seq", "1"},
                                                                              {"seq", 1.5},
                                                                              {"prev", "x"},
                                                                              {"prev", nullptr},
                                                                              {"exp", kNow - 1},
                                                                              {"exp", kNow + 86400},
                                                                              {"exp", "never"},
                                                                              {"kind", "grant"},
                                                                              {"body", "x"},
                                                                              {"extra", 1}})
    CHECK_MESSAGE(hear(forge(with(claim, value)), {}) == "statement.format", claim);
}
