// Engines are deprecated in OpenSSL 3.0, and still the only way to a token that Debian 12 has.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "crypto/token.h"

#include "crypto/openssl.h"
#include "crypto/wrap.h"

#include <mutex>
#include <utility>

#include <openssl/engine.h>

namespace entente::crypto {
namespace {

constexpr size_t kUriBytesMax = 1024;

Failure token_fail(std::string what, std::string hint = {}) {
  return openssl_fail("crypto.token", std::move(what), std::move(hint));
}

// For as long as the process lives: keys go on pointing into it. libp11 loads one module and gives it again
// whatever else it is asked for, so a second one is refused here.
Result<ENGINE*> engine_of(const std::filesystem::path& module) {
  static std::pair<std::filesystem::path, ENGINE*> loaded;
  if (loaded.second != nullptr) {
    if (loaded.first == module) return loaded.second;
    return token_fail("This process uses another token's module already: " + loaded.first.string(),
                      "Keep a node's keys in tokens of one module.");
  }
  std::unique_ptr<ENGINE, Freed<ENGINE_free>> engine(ENGINE_by_id("pkcs11"));
  if (!engine) return token_fail("OpenSSL has no engine for tokens.", "Install libengine-pkcs11-openssl.");
  if (ENGINE_ctrl_cmd_string(engine.get(), "MODULE_PATH", module.c_str(), 0) != 1 ||
      ENGINE_init(engine.get()) != 1)
    return token_fail("The token's module can't be used: " + module.string());
  loaded = {module, engine.release()};
  return loaded.second;
}

// What was wrapped for the public key, the token must be able to open.
bool holds(const PrivateKey& key) {
  if (key.kind() == KeyKind::rsa) {
    const Secret sent = Secret::random(32);
    const auto wrapped = oaep_encrypt(key.public_key(), Oaep::sha1, sent.bytes());
    if (!wrapped) return false;
    const auto back = oaep_decrypt(key, Oaep::sha1, *wrapped);
    return back && equal_constant_time(back->bytes(), sent.bytes());
  }
  const auto made = agree_once(key.public_key());
  if (!made) return false;
  const auto theirs = PublicKey::from_pem(made->ephemeral);
  if (!theirs) return false;
  const auto shared = agree(key, *theirs);
  return shared && equal_constant_time(shared->bytes(), made->shared.bytes());
}

}  // namespace

Result<PrivateKey> load_token_key(const Token& token, std::string_view uri) {
  if (!uri.starts_with("pkcs11:") || uri.size() > kUriBytesMax ||
      uri.find_first_of(std::string_view("\0?", 2)) != std::string_view::npos)
    return token_fail("The key's name is not one of a token's.", "Write pkcs11:token=NAME;object=LABEL.");
  static std::mutex one_at_a_time;
  const std::scoped_lock lock(one_at_a_time);
  TRY(ENGINE* const engine, engine_of(token.module));
  const std::string pin(as_text(token.pin.bytes()));
  const bool set = ENGINE_ctrl_cmd_string(engine, "PIN", pin.c_str(), 0) == 1;
  OPENSSL_cleanse(const_cast<char*>(pin.data()), pin.size());
  PKey key(set ? ENGINE_load_private_key(engine, std::string(uri).c_str(), nullptr, nullptr) : nullptr);
  if (!key)
    return token_fail("The token does not give the key.",
                      "Check the token's name, the key's label and the PIN; do not try often: tokens lock.");
  uint8_t* spki = nullptr;
  const int length = i2d_PUBKEY(key.get(), &spki);
  if (length <= 0) return token_fail("The token shows no public key beside the private one.");
  const Bytes der(spki, spki + length);
  OPENSSL_free(spki);
  TRY(PublicKey shown, PublicKey::from_spki(der));
  if (shown.kind() == KeyKind::ed25519) return token_fail("The token's key is of a kind that can't unwrap.");
  auto inside = std::make_shared<const PublicKey::Inside>(std::move(key), shown.kind());
  PrivateKey out(std::move(inside), std::move(shown));
  if (!holds(out))
    return token_fail("The token can't use the key.",
                      "An RSA key needs the right to decrypt, an EC key the right to derive.");
  return out;
}

}  // namespace entente::crypto
