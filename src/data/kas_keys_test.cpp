#include "data/kas_keys.h"

#include "crypto/token_for_test.h"

using namespace entente;
using namespace entente::data;

TEST_CASE("a key service's keys may stay in a token, beside those in files") {
  const crypto::testing::Exercise* token = crypto::testing::token();
  if (token == nullptr) return;
  const std::filesystem::path folder = token->scratch.path() / "kas";
  std::filesystem::create_directory(folder);
  const std::filesystem::path pin = folder / "pin";
  std::ofstream(pin) << "123456\n";
  std::filesystem::permissions(pin, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const auto key = [](const char* kid, const char* label) {
    return Json::object({{"kid", kid}, {"uri", std::string("pkcs11:token=exercise;object=") + label}});
  };
  const Json settings = Json::object({{"module", crypto::testing::kModule},
                                      {"pin_file", "pin"},
                                      {"keys", Json::array({key("t-rsa", "rsa"), key("t-ec", "p256")})}});
  std::ofstream(folder / "token.json") << settings.dump();
  REQUIRE(crypto::save_private_key((folder / "file-rsa.pem").string(),
                                   crypto::PrivateKey::generate(crypto::KeyKind::rsa, 2048)));

  const auto keys = KasKeys::load(folder);
  REQUIRE_MESSAGE(keys, (keys ? "" : keys.error().text()));
  CHECK(keys->keys().size() == 3);
  const crypto::Secret share = crypto::Secret::random(kShareBytes);
  for (const KasKey& one : keys->keys()) {
    CAPTURE(one.kid);
    const KeyAccess access =
        wrap_share(share, {one.key.public_key(), "https://kas.xaa.localhost", one.kid, ""}, "cG9saWN5")
            .value();
    const auto opened = keys->unwrap(access, one);
    REQUIRE(opened);
    CHECK(crypto::equal_constant_time(opened->bytes(), share.bytes()));
  }
  REQUIRE(KasKeys::make_missing(folder, from_unix_seconds(1'795'262'400)));
  CHECK(KasKeys::load(folder)->keys().size() == 3);  // both kinds are there

  std::filesystem::permissions(pin, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
  CHECK(KasKeys::load(folder).error().code() == "kas.keys");
}

TEST_CASE("attack: a key that is recalled has no second name to be opened by") {
  const auto key = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  const auto other = crypto::PrivateKey::generate(crypto::KeyKind::p256);
  CHECK(KasKeys::from({{"2026-11-01-ec", key}, {"2026-12-01-ec", other}}));
  const auto twice = KasKeys::from({{"copy", key}, {"2026-11-01-ec", key}, {"2026-12-01-ec", other}});
  REQUIRE_FALSE(twice);
  CHECK(twice.error().code() == "kas.keys");
  CHECK(twice.error().text().find("2026-11-01-ec and copy") != std::string::npos);
}
