#include "data/kas_keys.h"

#include "base/fields.h"
#include "crypto/token.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace entente::data {
namespace {

constexpr std::string_view kSuffix = ".pem";
constexpr std::string_view kTokenFile = "token.json";

size_t modulus_bits(const crypto::PublicKey& key) {
  const Json jwk = key.jwk();
  const auto modulus = from_base64url(jwk.text_or("n", ""));
  return modulus ? modulus->size() * 8 : 0;
}

Result<std::string> read_small(const std::filesystem::path& path) {
  constexpr size_t kBytesMax = 64 * 1024;
  std::ifstream in(path, std::ios::binary);
  std::string text(kBytesMax, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || in.gcount() <= 0 || std::cmp_greater_equal(in.gcount(), kBytesMax)) {
    return fail("kas.keys", "this file cannot be read", path.string());
  }
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

// A PIN ends with its line.
Result<crypto::Secret> read_pin(const std::filesystem::path& path) {
  using std::filesystem::perms;
  std::error_code error;
  const perms others =
      std::filesystem::status(path, error).permissions() & (perms::group_all | perms::others_all);
  if (error || others != perms::none) {
    return fail("kas.keys", "the PIN's file is not its owner's alone", path.string(), "chmod 600");
  }
  TRY(std::string text, read_small(path));
  crypto::Secret pin(as_bytes(std::string_view(text).substr(0, text.find_first_of("\r\n"))));
  ::explicit_bzero(text.data(), text.size());
  return pin;
}

Result<void> read_token(const std::filesystem::path& folder, std::vector<KasKey>& keys) {
  const std::filesystem::path path = folder / kTokenFile;
  TRY(const std::string text, read_small(path));
  TRY(const Json json, Json::parse(text));
  Fields fields(json, path.string());
  crypto::Token token;
  token.module = fields.text("module");
  const std::filesystem::path pin_file = folder / fields.text("pin_file");
  std::vector<std::pair<std::string, std::string>> named;
  for (Fields& one : fields.objects("keys", kKasKeysMax)) {
    std::string kid = one.text("kid", kKidMax);
    named.emplace_back(std::move(kid), one.text("uri", 1024));
  }
  TRY_VOID(fields.done());
  TRY(token.pin, read_pin(pin_file));
  for (auto& [kid, uri] : named) {
    TRY(crypto::PrivateKey key, crypto::load_token_key(token, uri));
    keys.push_back({std::move(kid), std::move(key)});
  }
  return {};
}

Result<std::vector<KasKey>> read_keys(const std::filesystem::path& folder) {
  std::vector<KasKey> keys;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(kSuffix)) continue;
    TRY(crypto::PrivateKey key, crypto::load_private_key(entry.path().string()));
    keys.push_back({name.substr(0, name.size() - kSuffix.size()), std::move(key)});
  }
  if (error) return fail("kas.keys", "the folder of keys cannot be read", folder.string());
  if (std::filesystem::exists(folder / kTokenFile, error)) TRY_VOID(read_token(folder, keys));
  return keys;
}

Failure not_unwrapped() {
  return fail("data.unwrap", "this key cannot be opened here");
}

}  // namespace

bool is_kid(std::string_view text) {
  return !text.empty() && text.size() <= kKidMax && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

std::string algorithm_of(const crypto::PublicKey& key) {
  switch (key.kind()) {
    case crypto::KeyKind::rsa:
      return fmt::format("rsa:{}", modulus_bits(key));
    case crypto::KeyKind::p256:
      return "ec:secp256r1";
    case crypto::KeyKind::p384:
      return "ec:secp384r1";
    case crypto::KeyKind::p521:
      return "ec:secp521r1";
    case crypto::KeyKind::ed25519:
      return "";
  }
  return "";
}

namespace {

// One key by two names: recalled by the one, it would open by the other.
Result<void> check_one_name_each(const std::vector<KasKey>& keys) {
  std::map<std::string, std::string_view> kids;
  for (const KasKey& one : keys) {
    const auto [there, first] = kids.emplace(one.key.public_key().thumbprint(), one.kid);
    if (!first)
      return fail("kas.keys", "one key has two names, and a recall would shut one of them",
                  fmt::format("{} and {}", there->second, one.kid), "Keep the name that objects bear.");
  }
  return {};
}

}  // namespace

Result<KasKeys> KasKeys::from(std::vector<KasKey> keys) {
  if (keys.empty() || keys.size() > kKasKeysMax) {
    return fail("kas.keys", fmt::format("a key service has 1 to {} keys", kKasKeysMax));
  }
  std::sort(keys.begin(), keys.end(), [](const KasKey& a, const KasKey& b) { return a.kid < b.kid; });
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!is_kid(keys[i].kid) || algorithm_of(keys[i].key.public_key()).empty()) {
      return fail("kas.keys", "this is no key of a key service", keys[i].kid,
                  "RSA or a NIST curve; named by a-z, 0-9, '-' and '.'");
    }
    if (i > 0 && keys[i].kid == keys[i - 1].kid) return fail("kas.keys", "two keys of one name", keys[i].kid);
  }
  TRY_VOID(check_one_name_each(keys));
  KasKeys out;
  out.keys_ = std::move(keys);
  return out;
}

Result<KasKeys> KasKeys::load(const std::filesystem::path& folder) {
  TRY(std::vector<KasKey> keys, read_keys(folder));
  return from(std::move(keys));
}

Result<void> KasKeys::make_missing(const std::filesystem::path& folder, Instant now) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail("kas.keys", "the folder of keys cannot be made", folder.string());
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  bool has_ec = false, has_rsa = false;  // each for itself: this may have been killed between the two
  if (!std::filesystem::is_empty(folder, error)) {
    TRY(const std::vector<KasKey> there, read_keys(folder));
    for (const KasKey& key : there) (key.key.kind() == crypto::KeyKind::rsa ? has_rsa : has_ec) = true;
  }
  const std::string day = rfc3339(now).substr(0, 10);
  if (!has_ec) {
    TRY_VOID(crypto::save_private_key((folder / (day + "-ec.pem")).string(),
                                      crypto::PrivateKey::generate(crypto::KeyKind::p256)));
  }
  if (has_rsa) return {};
  return crypto::save_private_key((folder / (day + "-rsa.pem")).string(),
                                  crypto::PrivateKey::generate(crypto::KeyKind::rsa, 2048));
}

const KasKey* KasKeys::find(std::string_view kid) const {
  const auto found =
      std::lower_bound(keys_.begin(), keys_.end(), kid,
                       [](const KasKey& key, std::string_view name) { return key.kid < name; });
  return found != keys_.end() && found->kid == kid ? &*found : nullptr;
}

const KasKey* KasKeys::newest(std::string_view algorithm, const Shut& shut) const {
  for (auto key = keys_.rbegin(); key != keys_.rend(); ++key) {
    if (shut && shut(key->kid)) continue;
    if (algorithm_of(key->key.public_key()) == algorithm) return &*key;
  }
  return nullptr;
}

std::vector<const KasKey*> KasKeys::candidates(const KeyAccess& access) const {
  std::vector<const KasKey*> out;
  if (!access.kid.empty()) {
    if (const KasKey* key = find(access.kid)) out.push_back(key);
    return out;
  }
  for (auto key = keys_.rbegin(); key != keys_.rend() && out.size() < kKeysTriedMax; ++key) {
    if (key->key.kind() == crypto::KeyKind::rsa && access.type == WrapType::wrapped) out.push_back(&*key);
  }
  return out;
}

Result<crypto::Secret> KasKeys::unwrap(const KeyAccess& access, const KasKey& with) const {
  operations_->fetch_add(1, std::memory_order_relaxed);
  auto share = unwrap_share(access, with.key);
  if (!share) return not_unwrapped();
  return share;
}

}  // namespace entente::data
