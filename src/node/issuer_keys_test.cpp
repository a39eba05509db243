#include "node/issuer_keys.h"

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::node;

namespace {

const std::string kIssuer = "https://idp.xaa.localhost:8451";

class HandClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return from_unix_seconds(1'800'000'000) + passed; }
  [[nodiscard]] Tick tick() const override { return Tick{} + std::chrono::hours(1) + passed; }
  Millis passed{0};
};

// A provider in the test's hands.
struct Provider {
  net::Loop loop;
  HandClock clock;
  crypto::PrivateKey key = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  Json others = Json::array();  // beside it
  bool answers = true;
  int asked = 0;
  net::Event answer{loop};  // set: it answers at once
  IssuerKeys keys{loop, clock, [this](std::string url) { return give(std::move(url)); }};

  net::Task<Result<Json>> give(std::string url) {
    const bool discovery = url.ends_with("openid-configuration");
    if (discovery) ++asked;
    const bool go = co_await answer.wait(net::kNoTimeout);
    if (!go || !answers) co_return fail("net.refused", "the provider is down");
    if (discovery) co_return Json::object({{"issuer", kIssuer}, {"jwks_uri", kIssuer + "/keys"}});
    Json all = others;
    all.push(key.public_key().jwk().set("kid", "k"));
    co_return Json::object({{"keys", std::move(all)}});
  }
  net::Task<bool> known(std::string kid) {
    std::string issuer = kIssuer;
    const Result<crypto::KeySet> got =
        co_await keys.of(std::move(issuer), std::move(kid), crypto::SignatureAlg::ES256);
    co_return got.has_value();
  }
  bool has(const std::string& kid) { return loop.run_until(known(kid)); }
};

net::Task<void> note(Provider& provider, std::string kid, bool& over) {
  [[maybe_unused]] const bool known = co_await provider.known(std::move(kid));
  over = true;
}

}  // namespace

TEST_CASE("attack: a key that nobody has makes nobody wait who brings one that is there") {
  Provider provider;
  provider.answer.set();
  REQUIRE(provider.has("k"));
  provider.clock.passed += IssuerKeys::kPause;
  provider.answer.clear();
  bool bogus = false;
  provider.loop.spawn(note(provider, "bogus", bogus));
  bool late = false;
  const net::Timer patience = provider.loop.after(Millis(5'000), [&] { late = true; });
  CHECK(provider.has("k"));
  CHECK(provider.has("k"));
  CHECK(provider.asked == 2);
  CHECK_FALSE(late);
  CHECK_FALSE(bogus);
  provider.answer.set();
}

TEST_CASE(
    "a provider that was down for a moment is asked again after a moment, and then less and less often") {
  Provider provider;
  provider.answer.set();
  provider.answers = false;
  CHECK_FALSE(provider.has("k"));
  CHECK_FALSE(provider.has("k"));
  CHECK(provider.asked == 1);
  provider.clock.passed += IssuerKeys::kRetry;
  CHECK_FALSE(provider.has("k"));
  CHECK(provider.asked == 2);
  provider.clock.passed += IssuerKeys::kRetry;
  CHECK_FALSE(provider.has("k"));
  CHECK(provider.asked == 2);
  provider.clock.passed += IssuerKeys::kRetry;
  provider.answers = true;
  CHECK(provider.has("k"));
  // An hour later they are asked for again; that it fails once is forgotten as soon.
  provider.clock.passed += IssuerKeys::kAge;
  provider.answers = false;
  CHECK_FALSE(provider.has("k"));
  provider.clock.passed += IssuerKeys::kRetry;
  provider.answers = true;
  CHECK(provider.has("k"));
}

TEST_CASE("attack: keys that nobody has are asked for once a minute") {
  Provider provider;
  provider.answer.set();
  REQUIRE(provider.has("k"));
  for (int i = 0; i < 5; ++i) (void)provider.has("bogus");
  CHECK(provider.asked == 1);
  provider.clock.passed += IssuerKeys::kPause;
  for (int i = 0; i < 5; ++i) (void)provider.has("bogus");
  CHECK(provider.asked == 2);
}

TEST_CASE("a provider that signs by ES256 may have an RSA key without \"alg\" beside it") {
  Provider provider;
  provider.answer.set();
  provider.others.push(
      crypto::PrivateKey::generate(crypto::KeyKind::rsa, 2048).public_key().jwk().set("kid", "other"));
  CHECK(provider.has("k"));
}
