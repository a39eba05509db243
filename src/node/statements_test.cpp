#include "node/statements.h"

#include "crypto/jose.h"
#include "node/offers.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

using namespace entente;
using namespace entente::node;

namespace {

const Instant kNow = from_unix_seconds(1'795'262'400);  // 2026-11-21
const PartnerCode kAldoria("XAA"), kBorealis("XBB");
const coalition::AppRef kCop{kAldoria, AppId("cop")};

// A node's keys in a folder of its own, gone with the object.
struct Held {
  explicit Held(const PartnerCode& partner)
      : path(std::filesystem::temp_directory_path() /
             fmt::format("entente-statements-{}-{}", partner.text(), ::getpid())) {
    Result<Keys> made = make_keys(path, partner, kNow);
    REQUIRE(made);
    keys.emplace(std::move(*made));
  }
  ~Held() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
  std::optional<Keys> keys;
};

Json json(std::string_view text) {
  Result<Json> read = Json::parse(text);
  REQUIRE(read);
  return *std::move(read);
}

Json offer(std::string_view name) {
  Json out = json(R"({"owner": "XAA", "banner": "EXERCISE RESTRICTED", "classification": "RESTRICTED",
      "mission": "harbor-light", "segment": "maritime", "end": "2027-01-31T00:00:00Z", "shares": ["role"],
      "offered_to": ["XBB"]})");
  out.set("name", name);
  return out;
}

// How one of the two nodes sees both; the app is XAA's.
coalition::World world_of(const PartnerCode& self, const Keys& aldoria, const Keys& borealis,
                          std::vector<coalition::Record> more = {}) {
  std::vector<coalition::Record> records = std::move(more);
  records.push_back({"node/self", Json::object({{"partner", self.text()}})});
  for (const auto& [code, keys] : {std::pair(kAldoria, &aldoria), std::pair(kBorealis, &borealis)}) {
    Json partner = json(R"({"state": "active", "member_since": "2026-06-01T00:00:00Z", "ceiling": "SECRET",
                            "member_until": "2027-06-01T00:00:00Z"})");
    const Json open = public_keys(*keys, code);
    partner.set("name", code.text()).set("statement_keys", *open.find("statement_keys"));
    partner.set("link_thumbprints", Json::array({keys->link_certificate.thumbprint()}));
    records.push_back({"partner/" + code.text(), std::move(partner)});
  }
  records.push_back({"mission/harbor-light",
                     json(R"({"name": "Harbor Light", "partners": ["XAA", "XBB"], "phase": "execute",
                         "threat": "low", "start": "2026-11-01T00:00:00Z", "end": "2027-02-01T00:00:00Z"})")});
  records.push_back({"segment/maritime", json(R"({"name": "Maritime picture", "mission": "harbor-light"})")});
  records.push_back({self == kAldoria ? "app/cop" : "offer/XAA/cop", offer("Picture")});
  Result<coalition::World> made = coalition::World::load(records, Revision{1});
  REQUIRE_MESSAGE(made, made.error().text());
  return *std::move(made);
}

coalition::Person planner() {
  coalition::Person who;
  who.id = PersonId("p-1");
  who.partner = kBorealis;
  who.facts.emplace("role", coalition::Fact{std::string("planner"), "idp:x", kNow + Seconds(600)});
  return who;
}

struct Pair {
  Held aldoria{kAldoria}, borealis{kBorealis};
  coalition::World at_host = world_of(kAldoria, *aldoria.keys, *borealis.keys);
  coalition::World at_home = world_of(kBorealis, *aldoria.keys, *borealis.keys);
  StatementDesk host{*aldoria.keys, kAldoria, [this]() -> const coalition::World& { return at_host; }};
  StatementDesk home{*borealis.keys, kBorealis, [this]() -> const coalition::World& { return at_home; }};
  exchange::Issued issue(Instant now = kNow) {
    Result<exchange::Issued> made = home.issue(kAldoria, kCop, planner(), {}, now);
    REQUIRE(made);
    return *std::move(made);
  }
};

}  // namespace

TEST_CASE("a disk that was full for long leaves no gap that the host would wait for for ever") {
  Pair two;
  const exchange::Issued first = two.issue();
  CHECK(two.host.verify(kBorealis, first.statement, kNow));
  for (int tried = 0; tried < 100; ++tried) two.home.not_kept(kAldoria, two.issue().number);
  const exchange::Issued next = two.issue();
  CHECK(next.number == first.number + 1);
  CHECK(two.host.verify(kBorealis, next.statement, kNow));
}

TEST_CASE(
    "statements that fail together are taken back together, and one that was kept keeps those before it") {
  Pair two;
  const exchange::Issued one = two.issue();
  const exchange::Issued two_ = two.issue();
  two.home.not_kept(kAldoria, one.number);  // the second is still on its way, and is kept
  const exchange::Issued three = two.issue();
  CHECK(three.number == 3);
  CHECK(two.home.resend(kAldoria, 1, 3).size() == 3);
  two.home.not_kept(kAldoria, three.number);
  CHECK(two.issue().number == 3);
  CHECK(two_.number == 2);
}

TEST_CASE("statements that are no longer kept are given up by a signed reset, and all goes on after it") {
  Pair two;
  CHECK(two.host.verify(kBorealis, two.issue().statement, kNow));
  std::optional<coalition::Record> record;
  for (int lost = 0; lost < 40; ++lost) record = two.issue().remember;  // the host heard none of them
  CHECK(two.host.expected(kBorealis) == 2);
  CHECK(two.home.resend(kAldoria, 2, 99).empty());
  const Result<exchange::Issued> reset = two.home.reset(kAldoria, kNow);
  REQUIRE(reset);
  CHECK(reset->number == 42);
  const exchange::Issued next = two.issue();
  CHECK(two.home.resend(kAldoria, 2, 99) == std::vector<std::string>{reset->statement, next.statement});
  CHECK(two.host.verify(kBorealis, next.statement, kNow).error().code() == exchange::kStatementGap);
  const Result<exchange::Vouched> heard = two.host.verify(kBorealis, reset->statement, kNow);
  REQUIRE(heard);
  CHECK(heard->reset);
  CHECK(heard->remember);
  CHECK_FALSE(two.host.verify(kBorealis, reset->statement, kNow));  // once
  const Result<exchange::Vouched> person = two.host.verify(kBorealis, next.statement, kNow);
  REQUIRE(person);
  CHECK_FALSE(person->reset);
  CHECK_FALSE(two.host.verify(kBorealis, reset->statement, kNow));  // and never again

  SUBCASE("also after the home was started again") {
    Result<coalition::World::Next> world =
        two.at_home.with(std::vector<coalition::Record>{*next.remember}, Revision{2});
    REQUIRE(world);
    two.at_home = world->world;
    StatementDesk again{*two.borealis.keys, kBorealis,
                        [&]() -> const coalition::World& { return two.at_home; }};
    CHECK(again.resend(kAldoria, 2, 99) == std::vector<std::string>{reset->statement, next.statement});
    CHECK(again.resend(kAldoria, 43, 99) == std::vector<std::string>{next.statement});
  }
  SUBCASE("one that the disk did not keep is taken back") {
    const Result<exchange::Issued> second = two.home.reset(kAldoria, kNow);
    REQUIRE(second);
    two.home.not_kept(kAldoria, second->number);
    CHECK(two.home.resend(kAldoria, 2, 99).empty());
    CHECK(two.issue().number == second->number);
  }
}

TEST_CASE("a statement of another audience, or one that was heard before, moves nothing") {
  Pair two;
  const exchange::Issued first = two.issue();
  const exchange::Issued second = two.issue();
  CHECK(two.host.verify(kBorealis, second.statement, kNow).error().code() == exchange::kStatementGap);
  CHECK(two.host.verify(kBorealis, first.statement, kNow));
  CHECK(two.host.verify(kBorealis, second.statement, kNow));
  CHECK_FALSE(two.host.verify(kBorealis, first.statement, kNow));
  CHECK_FALSE(two.home.verify(kBorealis, second.statement, kNow));
}

TEST_CASE("attack: a statement of tomorrow, or one that has ended, lets nobody in and holds nobody up") {
  Pair two;
  const auto refusal = [&](const exchange::Issued& issued, Instant now) {
    const Result<exchange::Vouched> vouched = two.host.verify(kBorealis, issued.statement, now);
    return vouched ? std::string("taken") : vouched.error().code();
  };
  CHECK(refusal(two.issue(kNow + Seconds(50)), kNow) == "taken");  // clocks differ a little
  CHECK(refusal(two.issue(kNow + Seconds(300)), kNow) == "statement.early");
  CHECK(refusal(two.issue(), kNow) == "taken");
  CHECK(refusal(two.issue(), kNow + Seconds(2 * 3600)) == "statement.expired");
  CHECK(refusal(two.issue(), kNow) == "taken");
}

TEST_CASE("an offer that is new does not share the right of one that is taken back") {
  Pair two;
  // XAA now offers tides and no longer the picture.
  Result<coalition::World::Next> next = two.at_host.with(
      std::vector<coalition::Record>{{"app/cop", std::nullopt}, {"app/tides", offer("Tides")}}, Revision{2});
  REQUIRE(next);
  const Result<std::string> list =
      sign_offers(next->world, kBorealis, Json::array(), two.aldoria.keys->statement, kNow);
  REQUIRE(list);
  Result<HeardOffers> heard = hear_offers(two.at_home, kAldoria, *list, Instant{}, kNow);
  REQUIRE(heard);
  CHECK(heard->change.narrowing);
  REQUIRE(heard->change.records.size() == 1);
  CHECK(heard->change.records[0].key == "offer/XAA/cop");
  CHECK_FALSE(heard->change.records[0].value);
  next = two.at_home.with(heard->change.records, Revision{2});
  REQUIRE(next);
  heard = hear_offers(next->world, kAldoria, *list, Instant{}, kNow);
  REQUIRE(heard);
  CHECK_FALSE(heard->change.narrowing);
  REQUIRE(heard->change.records.size() == 1);
  CHECK(heard->change.records[0].key == "offer/XAA/tides");
}

TEST_CASE("an offer says whether somebody serves its app now, writes nothing by that, and may say nothing") {
  Pair two;
  const auto heard = [&](const Served& served) {
    const Result<std::string> list =
        sign_offers(two.at_host, kBorealis, Json::array(), two.aldoria.keys->statement, kNow, served);
    REQUIRE(list);
    Result<HeardOffers> read = hear_offers(two.at_home, kAldoria, *list, Instant{}, kNow);
    REQUIRE(read);
    return *std::move(read);
  };
  const std::vector<coalition::Record> changed = heard({}).change.records;
  CHECK(heard({}).unserved.empty());
  CHECK(heard([](const AppId&) { return true; }).unserved.empty());
  const HeardOffers away = heard([](const AppId& app) { return app != AppId("cop"); });
  CHECK(away.unserved == std::set<AppId>{AppId("cop")});
  CHECK(away.change.records.size() == changed.size());
}

TEST_CASE(
    "keys of a key service go with the offers; ones that are refused take no offer back and keep none") {
  Pair two;
  const Json service = Json::object({{"url", "https://kas.xaa.example"}});
  const crypto::PublicKey key = crypto::PrivateKey::generate(crypto::KeyKind::p256).public_key();
  Json told = Json::object({{"kid", "one-ec"}, {"algorithm", "ec:secp256r1"}, {"pem", key.pem()}});
  const auto with_service = [&](const coalition::World& world, const Json& record) {
    Result<coalition::World::Next> next = world.with(
        std::vector<coalition::Record>{{"key-service/XAA", record}}, Revision{world.revision().value + 1});
    REQUIRE(next);
    return std::move(next->world);
  };
  Result<coalition::World::Next> renamed =
      two.at_host.with(std::vector<coalition::Record>{{"app/cop", offer("Newer picture")}}, Revision{2});
  REQUIRE(renamed);
  const coalition::World host = with_service(renamed->world, service);
  coalition::World home = with_service(two.at_home, service);
  const Result<std::string> list =
      sign_offers(host, kBorealis, Json::array({told}), two.aldoria.keys->statement, kNow);
  REQUIRE(list);
  Result<HeardOffers> heard = hear_offers(home, kAldoria, *list, Instant{}, kNow);
  REQUIRE(heard);
  CHECK_FALSE(heard->keys_refused);
  REQUIRE(heard->change.records.size() == 1);
  CHECK(heard->change.records[0].key == "offer/XAA/cop");  // as the host has it
  // Apart: what this world does not take of the offers keeps out no keys.
  REQUIRE(heard->keys.records.size() == 1);
  CHECK(heard->keys.records[0].key == "key-service/XAA");
  CHECK(heard->keys.leaves[0].fields.back().first == "keys");

  home = with_service(two.at_home, Json::object({{"url", "https://kas.elsewhere.example"}}));
  heard = hear_offers(home, kAldoria, *list, Instant{}, kNow);
  REQUIRE(heard);
  REQUIRE(heard->keys_refused);
  CHECK(heard->keys_refused->code() == "offers.authority");
  CHECK(heard->keys.records.empty());
  REQUIRE(heard->change.records.size() == 1);
  CHECK(heard->change.records[0].key == "offer/XAA/cop");
}

TEST_CASE(
    "attack: a partner that changes its list again and again fills no disk, and takes back what it likes") {
  ListBudget budget;
  const Tick begun{std::chrono::hours(5)};
  Change large;
  large.records.push_back(
      {"offer/XAA/cop", Json::object({{"name", std::string(ListBudget::kBytesAnHour / 4, 'x')}})});
  int taken = 0;
  while (taken < 100 && budget.take(kAldoria, large, begun + Seconds(taken))) ++taken;
  CHECK(taken == 3);
  CHECK(budget.take(kBorealis, large, begun));
  Change less;
  less.records.push_back({"offer/XAA/cop", std::nullopt});
  less.narrowing = true;
  CHECK(budget.take(kAldoria, less, begun));
  CHECK(budget.take(kAldoria, large, begun + std::chrono::hours(1)));
}

TEST_CASE("a list of offers counts from its owner alone, for us alone, and only while it is new") {
  Pair two;
  const Result<std::string> list =
      sign_offers(two.at_host, kBorealis, Json::array(), two.aldoria.keys->statement, kNow);
  REQUIRE(list);
  CHECK_FALSE(hear_offers(two.at_home, kAldoria, *list, kNow + Seconds(1), kNow));  // a newer one was heard
  CHECK_FALSE(hear_offers(two.at_home, kAldoria, *list, Instant{}, kNow + Seconds(900)));  // old
  CHECK_FALSE(hear_offers(two.at_home, kBorealis, *list, Instant{}, kNow));                // another's
  CHECK_FALSE(hear_offers(two.at_host, kAldoria, *list, Instant{}, kNow));                 // another audience
  const Result<std::string> forged =
      sign_offers(two.at_host, kBorealis, Json::array(), two.borealis.keys->statement, kNow);
  CHECK_FALSE(hear_offers(two.at_home, kAldoria, *forged, Instant{}, kNow));
}
