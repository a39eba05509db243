#include "node/token_issuers.h"

#include "coalition/example_test.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::node;
namespace example = coalition::example;

namespace {

const std::string kService = "https://kas.xaa.example";
const std::string kOne = "https://idp.one.example", kTwo = "https://idp.two.example";

class HandClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return example::kNow; }
  [[nodiscard]] Tick tick() const override { return Tick{} + std::chrono::hours(1); }
};

Json record(const std::string& issuer, const std::string& client) {
  return Json::object(
      {{"issuer", issuer}, {"audience", kService}, {"alg", "ES256"}, {"clients", Json::array({client})}});
}

// A nation with two identity providers, and the keys of each.
struct Nation {
  net::Loop loop;
  HandClock clock;
  example::Records records = example::records("XAA");
  coalition::World world = example::world(records);
  crypto::PrivateKey one = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  crypto::PrivateKey two = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  std::function<void()> meanwhile;  // happens while keys are on their way
  IssuerKeys keys{loop, clock, [this](std::string url) { return give(std::move(url)); }};
  TokenIssuers issuers{[this]() -> const coalition::World& { return world; }, keys, clock};

  net::Task<Result<Json>> give(std::string url) {
    co_await loop.sleep(Millis(1));
    if (meanwhile) meanwhile();
    const std::string& issuer = url.starts_with(kOne) ? kOne : kTwo;
    const crypto::PrivateKey& key = url.starts_with(kOne) ? one : two;
    if (url.ends_with("openid-configuration"))
      co_return Json::object({{"issuer", issuer}, {"jwks_uri", issuer + "/keys"}});
    co_return crypto::KeySet::from_keys({{"k", crypto::SignatureAlg::ES256, key.public_key()}})->json();
  }
  void now_has(const std::string& name, std::optional<Json> value) {
    auto next = world.with(std::vector<coalition::Record>{{"token-issuer/" + name, std::move(value)}},
                           Revision{world.revision().value + 1});
    REQUIRE(next);
    world = std::move(next->world);
  }
  [[nodiscard]] data::KasRequest bringing(const std::string& issuer, const crypto::PrivateKey& key,
                                          const std::string& client) const {
    const Json claims = Json::object({{"iss", issuer},
                                      {"aud", kService},
                                      {"sub", "officer"},
                                      {"client_id", client},
                                      {"iat", unix_seconds(example::kNow)},
                                      {"exp", unix_seconds(example::kNow) + 600}});
    data::KasRequest out;
    out.authorization =
        "Bearer " +
        crypto::sign_jwt(key, {.alg = crypto::SignatureAlg::ES256, .typ = "at+jwt", .kid = "k"}, claims)
            .value();
    return out;
  }
  // Whether the service takes the token, as it asks before it reads a body.
  bool takes(const data::KasRequest& request) {
    const std::optional<data::Kas::Issuer> issuer = loop.run_until(issuers.of(request));
    return data::Kas::admits(request, issuer ? &*issuer : nullptr, {clock.now(), clock.tick()}).has_value();
  }
};

}  // namespace

TEST_CASE("several issuers: each record takes the tokens of its provider and its programs, and no other's") {
  Nation nation;
  nation.now_has("cli", record(kOne, "entente-cli"));
  nation.now_has("tools", record(kOne, "entente-tools"));
  nation.now_has("guests", record(kTwo, "guest-desk"));
  CHECK(nation.takes(nation.bringing(kOne, nation.one, "entente-cli")));
  CHECK(nation.takes(nation.bringing(kOne, nation.one, "entente-tools")));
  CHECK(nation.takes(nation.bringing(kTwo, nation.two, "guest-desk")));
  CHECK_FALSE(nation.takes(nation.bringing(kOne, nation.one, "some-other")));
  CHECK_FALSE(
      nation.takes(nation.bringing(kTwo, nation.two, "entente-cli")));  // a program of the other one's
  CHECK_FALSE(nation.takes(nation.bringing(kOne, nation.two, "entente-cli")));  // the other one's key
  CHECK_FALSE(nation.takes(nation.bringing("https://idp.three.example", nation.two, "guest-desk")));
}

TEST_CASE("one issuer's record that cannot be used shuts no other out") {
  Nation nation;
  nation.now_has("a-broken", Json::object({{"issuer", kOne}, {"alg", "none"}}));
  nation.now_has("cli", record(kOne, "entente-cli"));
  CHECK(nation.takes(nation.bringing(kOne, nation.one, "entente-cli")));
}

TEST_CASE("attack: a token of an issuer that was withdrawn") {
  Nation nation;
  nation.now_has("cli", record(kOne, "entente-cli"));
  nation.now_has("guests", record(kTwo, "guest-desk"));
  const data::KasRequest guest = nation.bringing(kTwo, nation.two, "guest-desk");
  SUBCASE("before it is asked, its keys still at hand") {
    CHECK(nation.takes(guest));
    nation.now_has("guests", std::nullopt);
  }
  SUBCASE("while its keys are on their way") {
    nation.meanwhile = [&] { nation.now_has("guests", std::nullopt); };
  }
  SUBCASE("its program alone, while the keys are on their way") {
    nation.meanwhile = [&] { nation.now_has("guests", record(kTwo, "another-desk")); };
  }
  SUBCASE("and another one put in its place, under its name") {
    nation.meanwhile = [&] { nation.now_has("guests", record(kOne, "guest-desk")); };
  }
  CHECK_FALSE(nation.takes(guest));
  nation.meanwhile = nullptr;
  CHECK(nation.takes(nation.bringing(kOne, nation.one, "entente-cli")));
}
