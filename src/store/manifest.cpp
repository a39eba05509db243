#include "store/manifest.h"

#include "base/json.h"

#include <algorithm>

namespace entente::store {
namespace {

constexpr std::string_view kContext = "entente.store/manifest/v1\n";
constexpr size_t kManifestBytesMax = 128 << 20;

Result<crypto::Digest> digest_of(const Json* value) {
  if (value == nullptr || !value->is_string()) return fail("store.manifest", "a digest is missing");
  TRY(const Bytes bytes, from_base64url(value->string()));
  crypto::Digest digest{};
  if (bytes.size() != digest.size()) return fail("store.manifest", "a digest is not 32 bytes long");
  std::ranges::copy(bytes, digest.begin());
  return digest;
}

Result<ManifestOp> op_of(const Json& json) {
  ManifestOp op{.key = std::string(json.text_or("key", "")), .value = std::nullopt};
  const Json* deleted = json.find("deleted");
  if (deleted != nullptr && *deleted == Json(true)) return op;
  TRY(op.value, digest_of(json.find("sha256")));
  return op;
}

const Json::Array& items_of(const Json& json, std::string_view key) {
  static const Json::Array none;
  const Json* value = json.find(key);
  return value != nullptr && value->is_array() ? value->items() : none;
}

}  // namespace

std::string Manifest::encode() const {
  Json::Array op_list;
  op_list.reserve(ops.size());
  for (const ManifestOp& op : ops) {
    Json entry = Json::object({{"key", op.key}});
    if (op.value) {
      entry.set("sha256", base64url(*op.value));
    } else {
      entry.set("deleted", true);
    }
    op_list.push_back(std::move(entry));
  }
  Json::Array leaf_list;
  for (const crypto::Digest& leaf : leaves) leaf_list.emplace_back(base64url(leaf));
  return Json::object({{"v", 1},
                       {"rev", rev.value},
                       {"prev", base64url(previous)},
                       {"at", rfc3339(at)},
                       {"author", author},
                       {"ops", std::move(op_list)},
                       {"leaves", std::move(leaf_list)}})
      .canonical();
}

Result<Manifest> Manifest::parse(std::string_view text) {
  TRY(const Json json, Json::parse(text, {.bytes_max = kManifestBytesMax, .depth_max = 4}));
  Manifest out;
  const Json* rev = json.find("rev");
  if (rev == nullptr || !rev->is_int() || rev->integer() < 1) return fail("store.manifest", "no revision");
  out.rev = Revision{static_cast<uint64_t>(rev->integer())};
  TRY(out.previous, digest_of(json.find("prev")));
  TRY(out.at, parse_rfc3339(json.text_or("at", "")));
  out.author = json.text_or("author", "");
  for (const Json& op : items_of(json, "ops")) {
    TRY(ManifestOp parsed, op_of(op));
    out.ops.push_back(std::move(parsed));
  }
  for (const Json& leaf : items_of(json, "leaves")) {
    TRY(const crypto::Digest digest, digest_of(&leaf));
    out.leaves.push_back(digest);
  }
  // One text per manifest: whatever was unknown, missing or written otherwise differs here.
  if (out.encode() != text) return fail("store.manifest", "the manifest is not in its canonical form");
  return out;
}

Bytes manifest_message(std::string_view manifest) {
  std::string out(kContext);
  out += manifest;
  return to_bytes(out);
}

}  // namespace entente::store
