#include "data/key_access.h"

#include "base/fields.h"
#include "crypto/aead.h"
#include "crypto/wrap.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace entente::data {
namespace {

constexpr size_t kAccessUrlMax = 2048;
constexpr size_t kAccessNameMax = 256;  // of kid, sid, protocol, versions
constexpr size_t kAccessPemMax = 4096;
constexpr size_t kMacBytes = 32;

Failure key_access_fail(std::string what, std::string where, std::string hint = {}) {
  return fail("data.key-access", std::move(what), std::move(where), std::move(hint));
}

// Every fault of a private operation says this: what was wrong inside is nobody's business.
Failure unwrap_fail() {
  return fail("data.unwrap", "The key share does not open with this key.", {},
              "Use the private key that belongs to the key access object's \"kid\".");
}

Bytes base64_of(Fields& fields, std::string_view key, std::string_view text, size_t bytes_max) {
  auto bytes = from_base64(text);
  if (!bytes || bytes->empty() || bytes->size() > bytes_max) {
    fields.wrong(key, fmt::format("\"{}\" is not base64 of 1 to {} bytes", key, bytes_max));
    return {};
  }
  return *std::move(bytes);
}

PolicyBinding read_binding(Fields& fields) {
  PolicyBinding out;
  const Json& written = fields.value("policyBinding");
  if (written.is_string()) {
    out.bare = true;
    out.alg.clear();
    out.hash = base64_of(fields, "policyBinding", written.string(), 2 * kMacBytes);
  } else if (!written.is_null()) {
    Fields inside = fields.object("policyBinding");
    out.alg = loose_text(inside, "alg", kAccessNameMax);
    out.hash = base64_of(inside, "hash", inside.text("hash", 256), 2 * kMacBytes);
  }
  if (out.hash.size() != kMacBytes && out.hash.size() != 2 * kMacBytes)
    fields.wrong("policyBinding", "the policy binding is not as long as a hash",
                 "base64 of 32 bytes or 64 digits");
  return out;
}

// SHA256("TDF"): the salt of every key derived for a share.
const crypto::Digest& salt() {
  static const crypto::Digest value = crypto::sha256("TDF");
  return value;
}

crypto::Secret wrapping_key(const crypto::Secret& shared) {
  return crypto::hkdf_sha256(shared.bytes(), salt(), {}, crypto::kAeadKeyBytes);
}

Result<crypto::Secret> open_with(ByteView wrapped, std::string_view ephemeral,
                                 const crypto::PrivateKey& key) {
  const bool rsa = key.kind() == crypto::KeyKind::rsa;
  Result<crypto::Secret> share = unwrap_fail();
  if (rsa && ephemeral.empty()) {
    share = crypto::oaep_decrypt(key, crypto::Oaep::sha1, wrapped);
  } else if (!rsa && !ephemeral.empty()) {
    const auto theirs = crypto::PublicKey::from_pem(ephemeral);
    if (!theirs) return unwrap_fail();
    const auto shared = crypto::agree(key, *theirs);
    if (!shared) return unwrap_fail();
    share = crypto::open_small(wrapping_key(*shared).bytes(), wrapped);
  }
  if (!share || share->bytes().size() != kShareBytes) return unwrap_fail();
  return share;
}

Bytes mac_of(const crypto::Secret& share, std::string_view policy_text, HashForm form) {
  const crypto::Digest mac = crypto::hmac_sha256(share.bytes(), as_bytes(policy_text));
  return form == HashForm::raw ? Bytes(mac.begin(), mac.end()) : to_bytes(hex(mac));
}

// Base64 of {"ciphertext": base64(nonce, text, tag), "iv": base64(nonce)}, as everybody writes it.
std::string seal_metadata(const crypto::Secret& share, std::string_view metadata) {
  const Bytes sealed = crypto::seal_small(share.bytes(), as_bytes(metadata));
  const Json out = Json::object(
      {{"ciphertext", base64(sealed)}, {"iv", base64(ByteView(sealed).first(crypto::kAeadNonceBytes))}});
  return base64(as_bytes(out.dump()));
}

}  // namespace

std::string loose_text(Fields& fields, std::string_view key, size_t length_max, std::string_view otherwise) {
  const Json* value = fields.value_if(key);
  if (value == nullptr || value->is_null()) return std::string(otherwise);
  if (!value->is_string() || value->string().size() > length_max || !is_utf8(value->string())) {
    fields.wrong(key, fmt::format("\"{}\" is not a text of at most {} bytes", key, length_max));
    return {};
  }
  return value->string().empty() ? std::string(otherwise) : value->string();
}

std::string_view name(WrapType type) {
  return type == WrapType::wrapped ? "wrapped" : "ec-wrapped";
}

Result<KeyAccess> read_key_access(const Json& json, const std::string& path) {
  if (!json.is_object()) return key_access_fail("A key access object is a JSON object.", path);
  Fields fields(json, path);
  KeyAccess out;
  const std::string type = fields.text("type", kAccessNameMax);
  out.type = type == name(WrapType::ec_wrapped) ? WrapType::ec_wrapped : WrapType::wrapped;
  out.url = fields.text("url", kAccessUrlMax);
  out.protocol = loose_text(fields, "protocol", kAccessNameMax, "kas");
  out.kid = loose_text(fields, "kid", kAccessNameMax);
  out.sid = loose_text(fields, "sid", kAccessNameMax);
  out.wrapped_key =
      base64_of(fields, "wrappedKey", fields.text("wrappedKey", 2 * kWrappedBytesMax), kWrappedBytesMax);
  out.binding = read_binding(fields);
  out.ephemeral_key = loose_text(fields, "ephemeralPublicKey", kAccessPemMax);
  out.encrypted_metadata = loose_text(fields, "encryptedMetadata", kMetadataBytesMax);
  out.schema_version = loose_text(fields, "schemaVersion", kAccessNameMax);
  if (!type.empty() && type != name(out.type))  // the rest of such an object has its own rules
    return key_access_fail("The key access object's type is not one we know.", path + "/type",
                           "wrapped or ec-wrapped");
  if (const auto read = fields.done_open(); !read)
    return key_access_fail(read.error().what(), read.error().where(), read.error().hint());
  if (out.protocol != "kas")
    return key_access_fail("The key access object's protocol is not one we know.", path + "/protocol", "kas");
  if ((out.type == WrapType::ec_wrapped) == out.ephemeral_key.empty())
    return key_access_fail("An ephemeral public key belongs to ec-wrapped shares, and only to them.",
                           path + "/ephemeralPublicKey");
  if (!std::ranges::all_of(out.url, [](char c) { return c > ' ' && c < 0x7f; }))
    return key_access_fail("The key service's URL holds characters that no URL has.", path + "/url");
  return out;
}

Json write_key_access(const KeyAccess& access) {
  Json out = Json::object({{"type", name(access.type)}, {"url", access.url}, {"protocol", access.protocol}});
  out.set("wrappedKey", base64(access.wrapped_key));
  if (access.binding.bare) {
    out.set("policyBinding", base64(access.binding.hash));
  } else {
    Json binding = Json::object();
    if (!access.binding.alg.empty()) binding.set("alg", access.binding.alg);
    binding.set("hash", base64(access.binding.hash));
    out.set("policyBinding", std::move(binding));
  }
  const std::array<std::pair<const char*, const std::string*>, 5> rest{
      {{"encryptedMetadata", &access.encrypted_metadata},
       {"kid", &access.kid},
       {"sid", &access.sid},
       {"schemaVersion", &access.schema_version},
       {"ephemeralPublicKey", &access.ephemeral_key}}};
  for (const auto& [key, value] : rest)
    if (!value->empty()) out.set(key, *value);
  return out;
}

PolicyBinding bind_policy(const crypto::Secret& share, std::string_view policy_text, HashForm form) {
  PolicyBinding out;
  out.hash = mac_of(share, policy_text, form);
  return out;
}

bool binds(const PolicyBinding& binding, const crypto::Secret& share, std::string_view policy_text) {
  if (!binding.alg.empty() && binding.alg != "HS256") return false;
  const HashForm form = binding.hash.size() == kMacBytes ? HashForm::raw : HashForm::hex;
  return crypto::equal_constant_time(binding.hash, mac_of(share, policy_text, form));
}

Result<KeyAccess> wrap_share(const crypto::Secret& share, const Recipient& recipient,
                             std::string_view policy_text, std::string_view metadata, HashForm form) {
  ENTENTE_CHECK(share.bytes().size() == kShareBytes);
  if (metadata.size() > kMetadataBytesMax / 2)
    return key_access_fail("The metadata is too long.", {},
                           fmt::format("at most {} bytes", kMetadataBytesMax / 2));
  TRY(const Rewrapper rewrapper, Rewrapper::to(recipient.key));
  TRY(Bytes wrapped, rewrapper.wrap(share));
  KeyAccess out;
  out.type = recipient.key.kind() == crypto::KeyKind::rsa ? WrapType::wrapped : WrapType::ec_wrapped;
  out.url = recipient.url;
  out.kid = recipient.kid;
  out.sid = recipient.sid;
  out.wrapped_key = std::move(wrapped);
  out.binding = bind_policy(share, policy_text, form);
  out.ephemeral_key = rewrapper.session_key();
  if (!metadata.empty()) out.encrypted_metadata = seal_metadata(share, metadata);
  return out;
}

Result<crypto::Secret> unwrap_share(const KeyAccess& access, const crypto::PrivateKey& key) {
  return open_with(access.wrapped_key, access.ephemeral_key, key);
}

Result<crypto::Secret> open_share(const KeyAccess& access, const crypto::PrivateKey& key,
                                  std::string_view policy_text) {
  TRY(crypto::Secret share, unwrap_share(access, key));
  if (!binds(access.binding, share, policy_text))
    return fail("data.binding", "The object's policy is not the one that its key was bound to.", {},
                "Get the object again from its author.");
  return share;
}

Result<std::string> open_metadata(const KeyAccess& access, const crypto::Secret& share) {
  if (access.encrypted_metadata.empty()) return std::string();
  const auto refuse = [] {
    return key_access_fail("The encrypted metadata does not open.", "/encryptedMetadata");
  };
  const auto text = from_base64(access.encrypted_metadata);
  if (!text) return refuse();
  const auto parsed = Json::parse(as_text(*text), {.bytes_max = kMetadataBytesMax, .depth_max = 4});
  if (!parsed) return refuse();
  const auto sealed = from_base64(parsed->text_or("ciphertext", ""));
  if (!sealed) return refuse();
  const auto plain = crypto::open_small(share.bytes(), *sealed);
  if (!plain) return refuse();
  return std::string(as_text(plain->bytes()));
}

Result<Rewrapper> Rewrapper::to(const crypto::PublicKey& client) {
  Rewrapper out(client);
  if (client.kind() == crypto::KeyKind::rsa) return out;
  auto agreed = crypto::agree_once(client);
  if (!agreed) return fail("data.wrap", agreed.error().what(), {}, "Use RSA, P-256, P-384 or P-521.");
  out.kek_ = wrapping_key(agreed->shared);
  out.session_key_ = std::move(agreed->ephemeral);
  return out;
}

Result<Bytes> Rewrapper::wrap(const crypto::Secret& share) const {
  if (!session_key_.empty()) return crypto::seal_small(kek_.bytes(), share.bytes());
  return crypto::oaep_encrypt(client_, crypto::Oaep::sha1, share.bytes());
}

Result<crypto::Secret> open_answer(ByteView wrapped, std::string_view session_key,
                                   const crypto::PrivateKey& client) {
  return open_with(wrapped, session_key, client);
}

std::vector<crypto::Secret> split_key(const crypto::Secret& key, size_t count) {
  ENTENTE_CHECK(count >= 1 && count <= kSharesMax && key.bytes().size() == kShareBytes);
  std::vector<crypto::Secret> out;
  Bytes last(key.bytes().begin(), key.bytes().end());
  for (size_t i = 1; i < count; ++i) {
    out.push_back(crypto::Secret::random(kShareBytes));
    for (size_t at = 0; at < kShareBytes; ++at) last[at] ^= out.back().bytes()[at];
  }
  out.emplace_back(std::move(last));
  return out;
}

Result<crypto::Secret> join_shares(std::span<const crypto::Secret> shares) {
  if (shares.empty() || shares.size() > kSharesMax)
    return key_access_fail("The key has no shares, or too many.", {}, fmt::format("1 to {}", kSharesMax));
  Bytes key(kShareBytes);
  for (const crypto::Secret& share : shares) {
    ENTENTE_CHECK(share.bytes().size() == kShareBytes);
    for (size_t at = 0; at < kShareBytes; ++at) key[at] ^= share.bytes()[at];
  }
  return crypto::Secret(std::move(key));
}

}  // namespace entente::data
