// Key access objects (OpenTDF 4.3.0): one share of an object's key, wrapped for one key service and bound to
// the object's policy. Everything here is a value or a pure call; randomness is crypto's. Errors:
// "data.key-access" (shape), "data.unwrap" (the same for every fault of a private operation), "data.binding",
// "data.wrap".
#pragma once

#include "base/json.h"
#include "crypto/digest.h"
#include "crypto/key.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente {
class Fields;
}

namespace entente::data {

inline constexpr size_t kShareBytes = 32;
inline constexpr size_t kWrappedBytesMax = 2048;
inline constexpr size_t kMetadataBytesMax = 64 * 1024;
inline constexpr size_t kSharesMax = 64;

enum class WrapType { wrapped, ec_wrapped };
[[nodiscard]] std::string_view name(WrapType type);  // "wrapped", "ec-wrapped"

// HMAC-SHA256(share, the policy's base64 text). Software writes it as base64(hex(mac)), the specification
// says base64(mac): the length tells which. Old objects have the hash alone, without an object around it.
struct PolicyBinding {
  std::string alg = "HS256";  // empty when it was not said
  Bytes hash = {};            // what the base64 text holds: 64 hexadecimal digits or 32 bytes
  bool bare = false;
  bool operator==(const PolicyBinding&) const = default;
};

struct KeyAccess {
  WrapType type = WrapType::wrapped;
  std::string url = {};  // the key service's
  std::string protocol = "kas";
  std::string kid = {};  // empty: the service tries its keys
  std::string sid = {};  // shares of one key have different ones; objects of equal sid are alternatives
  Bytes wrapped_key = {};
  PolicyBinding binding = {};
  std::string ephemeral_key = {};       // PEM; ec-wrapped only
  std::string encrypted_metadata = {};  // base64, see open_metadata
  std::string schema_version = {};      // as written by others
  bool operator==(const KeyAccess&) const = default;
};

// A text that may be missing, empty or null: others write all three for "none".
[[nodiscard]] std::string loose_text(Fields& fields, std::string_view key, size_t length_max,
                                     std::string_view otherwise = {});

// Types and lengths of known members are checked; unknown members are passed over. `path` is for messages.
[[nodiscard]] Result<KeyAccess> read_key_access(const Json& json, const std::string& path = {});
[[nodiscard]] Json write_key_access(const KeyAccess& access);

// Whom a share is wrapped for.
struct Recipient {
  crypto::PublicKey key;
  std::string url = {};
  std::string kid = {};
  std::string sid = {};
};
// How the hash of a binding is written: every reader takes hex, the specification says raw.
enum class HashForm { hex, raw };

// Wraps and binds. RSA keys give "wrapped", EC keys "ec-wrapped". `metadata` may be empty.
[[nodiscard]] Result<KeyAccess> wrap_share(const crypto::Secret& share, const Recipient& recipient,
                                           std::string_view policy_text, std::string_view metadata = {},
                                           HashForm form = HashForm::hex);

// The share alone: its binding is not looked at. For key services, which judge before they come here.
[[nodiscard]] Result<crypto::Secret> unwrap_share(const KeyAccess& access, const crypto::PrivateKey& key);
// In constant time. False also for a binding that is no HS256.
[[nodiscard]] bool binds(const PolicyBinding& binding, const crypto::Secret& share,
                         std::string_view policy_text);
[[nodiscard]] PolicyBinding bind_policy(const crypto::Secret& share, std::string_view policy_text,
                                        HashForm form = HashForm::hex);
// Both at once.
[[nodiscard]] Result<crypto::Secret> open_share(const KeyAccess& access, const crypto::PrivateKey& key,
                                                std::string_view policy_text);
// Text that travels beside a share, under it. Empty when there is none; "data.key-access" when it does not
// open.
[[nodiscard]] Result<std::string> open_metadata(const KeyAccess& access, const crypto::Secret& share);

// A key service's answer: shares wrapped again, for the key a client named in its request. One answer has one
// session key for all of its shares.
class Rewrapper {
 public:
  // "data.wrap" for keys that can't: Ed25519.
  [[nodiscard]] static Result<Rewrapper> to(const crypto::PublicKey& client);
  [[nodiscard]] Result<Bytes> wrap(const crypto::Secret& share) const;
  [[nodiscard]] const std::string& session_key() const { return session_key_; }  // PEM; empty for RSA clients

 private:
  explicit Rewrapper(crypto::PublicKey client) : client_(std::move(client)) {}
  crypto::PublicKey client_;
  crypto::Secret kek_;
  std::string session_key_;
};
// The client's side of it.
[[nodiscard]] Result<crypto::Secret> open_answer(ByteView wrapped, std::string_view session_key,
                                                 const crypto::PrivateKey& client);

// A key as shares of which all are needed: their XOR is the key, fewer of them say nothing about it.
// `count` from 1 to kSharesMax.
[[nodiscard]] std::vector<crypto::Secret> split_key(const crypto::Secret& key, size_t count);
[[nodiscard]] Result<crypto::Secret> join_shares(std::span<const crypto::Secret> shares);

}  // namespace entente::data
