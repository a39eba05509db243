#include "node/told_keys.h"

#include "coalition/example_test.h"
#include "data/kas_keys.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::node;
using coalition::World;

namespace {

const Instant kThen = from_unix_seconds(1'795'262'400);  // 2026-11-21
const PartnerCode kAldoria("XAA"), kCassia("XCC");
constexpr std::string_view kAlgorithm = "ec:secp256r1";

Json made_key(std::string_view kid, crypto::KeyKind kind = crypto::KeyKind::p256) {
  const crypto::PrivateKey key = crypto::PrivateKey::generate(kind, 2048);
  const std::string algorithm = data::algorithm_of(key.public_key());
  return Json::object({{"kid", kid}, {"algorithm", algorithm}, {"pem", key.public_key().pem()}});
}

World world_of(const std::string& node) {
  return coalition::example::world(coalition::example::records(node));
}

World then(const World& world, std::vector<coalition::Record> changes) {
  Result<World::Next> next = world.with(changes, Revision{world.revision().value + 1});
  REQUIRE_MESSAGE(next, next.error().text());
  return std::move(next->world);
}

// What a partner that hears this holds then.
World hears(const World& home, const Json& said, Instant issued) {
  const Result<std::optional<coalition::Record>> heard = hear_keys(home, kAldoria, said, issued);
  REQUIRE_MESSAGE(heard, heard.error().text());
  return *heard ? then(home, {**heard}) : home;
}

std::string kid_at(const World& home, const PartnerCode& nation, std::string_view algorithm = kAlgorithm) {
  const Json* service = home.raw("key-service/" + nation.text());
  const Json* key = service == nullptr ? nullptr : told_key(*service, algorithm);
  return key == nullptr ? "" : std::string(key->text_or("kid", ""));
}

Json said_of(const World& home, const PartnerCode& nation, std::vector<Json> keys) {
  Json list = Json::array();
  for (Json& key : keys) list.push(std::move(key));
  return Json::object({{"url", home.key_service(nation)->url}, {"keys", std::move(list)}});
}

std::string refused(const World& home, const Json& said, Instant issued = kThen) {
  const Result<std::optional<coalition::Record>> heard = hear_keys(home, kAldoria, said, issued);
  return heard ? "" : std::string(heard.error().code());
}

}  // namespace

TEST_CASE("a partner seals for the key that is given out now, and for none that is out of use or recalled") {
  World owner = world_of("XAA");
  World home = world_of("XBB");
  const Json old_one = made_key("2026-01-01-ec"), new_one = made_key("2027-01-01-ec");
  home = hears(home, told_keys(owner, Json::array({old_one})), kThen);
  CHECK(kid_at(home, kAldoria) == "2026-01-01-ec");
  const std::string url = home.key_service(kAldoria)->url;

  const Json both = Json::array({old_one, new_one});
  home = hears(home, told_keys(owner, both), kThen + Seconds(5));
  CHECK(kid_at(home, kAldoria) == "2027-01-01-ec");
  CHECK(told_keys(owner, both).find("keys")->items().size() == 1);  // the old one opens and is not named
  CHECK(home.key_service(kAldoria)->url == url);

  const Json recall =
      Json::object({{"reason", "EXERCISE"}, {"by", "asha.lind"}, {"at", "2026-11-21T00:00:00Z"}});
  owner = then(owner, {{"recall/key/2027-01-01-ec", recall}});
  home = hears(home, told_keys(owner, both), kThen + Seconds(10));
  CHECK(kid_at(home, kAldoria) == "2026-01-01-ec");
  owner = then(owner, {{"recall/key/2026-01-01-ec", recall}});
  home = hears(home, told_keys(owner, both), kThen + Seconds(15));
  CHECK(kid_at(home, kAldoria).empty());
}

TEST_CASE("one key of each algorithm is told, and a list that says nothing new changes nothing") {
  const World owner = world_of("XAA");
  const Json all =
      Json::array({made_key("a-ec"), made_key("b-ec"), made_key("c-384", crypto::KeyKind::p384)});
  const Json told = told_keys(owner, all);
  REQUIRE(told.find("keys")->items().size() == 2);
  CHECK(told.find("keys")->items()[0].text_or("kid", "") == "b-ec");
  const World home = hears(world_of("XBB"), told, kThen);
  CHECK(kid_at(home, kAldoria, "ec:secp384r1") == "c-384");
  const Result<std::optional<coalition::Record>> again = hear_keys(home, kAldoria, told, kThen + Seconds(5));
  REQUIRE(again);
  CHECK_FALSE(*again);
}

TEST_CASE("attack: a partner tells keys of another nation's key service") {
  const World home = world_of("XBB");
  CHECK(refused(home, said_of(home, kCassia, {made_key("theirs")})) == "offers.authority");
  CHECK(refused(home, said_of(home, home.self(), {made_key("ours")})) == "offers.authority");
  // By naming a nation: there is no such member, and what is told goes to the record of whoever told it.
  Json named = said_of(home, kAldoria, {made_key("theirs")});
  named.set("partner", "XCC");
  CHECK(refused(home, named) == "field.unknown");
  const World after = hears(home, said_of(home, kAldoria, {made_key("own")}), kThen);
  CHECK(kid_at(after, kAldoria) == "own");
  CHECK(kid_at(after, kCassia).empty());
  CHECK(kid_at(after, after.self()).empty());
  // Nor does it move its service elsewhere, or lift what its record says.
  Json moved = said_of(home, kAldoria, {made_key("own")});
  moved.set("url", "https://kas.elsewhere.example");
  CHECK(refused(home, moved) == "offers.authority");
  Json lifted = said_of(home, kAldoria, {made_key("own")});
  lifted.set("bearer_ceiling", "SECRET");
  CHECK(refused(home, lifted) == "field.unknown");
}

TEST_CASE(
    "attack: a list from before a change of keys puts none of the old ones back, also after a restart") {
  World home = world_of("XBB");
  const Json before = said_of(home, kAldoria, {made_key("2026-01-01-ec")});
  const Json after = said_of(home, kAldoria, {made_key("2027-01-01-ec")});
  home = hears(home, before, kThen);
  home = hears(home, after, kThen + Seconds(5));
  CHECK(refused(home, before, kThen) == "offers.old");
  CHECK(refused(home, before, kThen + Seconds(5)) == "offers.old");
  // As the store gives it back.
  const Json kept = *home.raw("key-service/XAA");
  home = then(world_of("XBB"), {{"key-service/XAA", kept}});
  CHECK(refused(home, before, kThen + Seconds(4)) == "offers.old");
  CHECK(kid_at(home, kAldoria) == "2027-01-01-ec");
  home = hears(home, before, kThen + Seconds(6));  // newly said
  CHECK(kid_at(home, kAldoria) == "2026-01-01-ec");
}

TEST_CASE("attack: what is no key of a key service is not taken") {
  const World home = world_of("XBB");
  const auto one = [&](std::string_view member, Json value) {
    Json key = made_key("own");
    key.set(std::string(member), std::move(value));
    return refused(home, said_of(home, kAldoria, {std::move(key)}));
  };
  CHECK(refused(home, said_of(home, kAldoria, {made_key("own")})).empty());
  CHECK(one("kid", "../own") == "offers.keys");
  CHECK(one("kid", "") == "field.value");
  CHECK(one("kid", std::string(65, 'a')) != "");
  CHECK(one("algorithm", "rsa:2048") == "offers.keys");
  CHECK(one("algorithm", "") == "field.value");
  CHECK(one("pem", "no key") != "");
  CHECK(one("pem", crypto::PrivateKey::generate(crypto::KeyKind::ed25519).public_key().pem()) ==
        "offers.keys");
  CHECK(one("pem", std::string(3000, 'A')) != "");
  CHECK(one("note", "more") == "field.unknown");
  CHECK(refused(home, said_of(home, kAldoria, {made_key("own"), made_key("own")})) == "offers.keys");
  CHECK(refused(home, said_of(home, kAldoria, {made_key("own"), made_key("two")})) == "offers.keys");
  std::vector<Json> many(data::kKasKeysMax + 1, made_key("own"));
  CHECK(refused(home, said_of(home, kAldoria, std::move(many))) != "");
  CHECK(refused(home, Json("keys")) != "");
}

TEST_CASE("of a nation that has no key service here, nothing is taken, and without one nothing is told") {
  coalition::example::Records records = coalition::example::records("XBB");
  records.erase("key-service/XAA");
  records.erase("key-service/XBB");
  const World home = coalition::example::world(records);
  const Json said =
      Json::object({{"url", "https://kas.xaa.localhost"}, {"keys", Json::array({made_key("own")})}});
  const Result<std::optional<coalition::Record>> heard = hear_keys(home, kAldoria, said, kThen);
  REQUIRE(heard);
  CHECK_FALSE(*heard);
  CHECK(told_keys(home, Json::array({made_key("own")})).is_null());
}
