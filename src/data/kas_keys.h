// The keys a key service holds: several live at once, each named by its kid. Files <kid>.pem, mode 0600; and
// those that stay in a PKCS#11 token, where there is a token.json:
//   {"module": PATH, "pin_file": PATH (mode 0600), "keys": [{"kid", "uri":
//   "pkcs11:token=NAME;object=LABEL"}]}
// A
// share whose key access object names no kid is tried with the RSA keys, a few at most, as older software
// expects. Thread-safe once made. Errors: "kas.keys", "data.unwrap".
#pragma once

#include "base/time.h"
#include "data/key_access.h"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente::data {

inline constexpr size_t kKasKeysMax = 64;
inline constexpr size_t kKidMax = 64;
inline constexpr size_t kKeysTriedMax = 4;  // private operations for one share that names no key

struct KasKey {
  std::string kid;
  crypto::PrivateKey key;
};
[[nodiscard]] bool is_kid(std::string_view text);                      // a-z, 0-9, '-' and '.'
[[nodiscard]] std::string algorithm_of(const crypto::PublicKey& key);  // "rsa:2048", "ec:secp256r1"

class KasKeys {
 public:
  // The newest of a kind is the one that is given out: they are ordered by kid.
  [[nodiscard]] static Result<KasKeys> from(std::vector<KasKey> keys);
  [[nodiscard]] static Result<KasKeys> load(const std::filesystem::path& folder);
  // Makes an RSA and an EC key named after the day where the folder has none yet.
  [[nodiscard]] static Result<void> make_missing(const std::filesystem::path& folder, Instant now);

  [[nodiscard]] const KasKey* find(std::string_view kid) const;
  // What clients wrap for; by algorithm as they name it. Nullptr when there is none that is not `shut`.
  using Shut = std::function<bool(const std::string& kid)>;
  [[nodiscard]] const KasKey* newest(std::string_view algorithm, const Shut& shut = {}) const;
  [[nodiscard]] const std::vector<KasKey>& keys() const { return keys_; }

  // Which may have wrapped it: the one it names, or a few where it names none. Nobody's private operation.
  [[nodiscard]] std::vector<const KasKey*> candidates(const KeyAccess& access) const;
  // Whatever is wrong, the error is the same.
  [[nodiscard]] Result<crypto::Secret> unwrap(const KeyAccess& access, const KasKey& with) const;
  // Private-key operations so far: a denial adds none.
  [[nodiscard]] uint64_t operations() const { return operations_->load(std::memory_order_relaxed); }

 private:
  std::vector<KasKey> keys_;  // by kid
  std::shared_ptr<std::atomic<uint64_t>> operations_ = std::make_shared<std::atomic<uint64_t>>(0);
};

}  // namespace entente::data
