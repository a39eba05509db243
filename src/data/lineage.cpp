#include "data/lineage.h"

#include "label/label_json.h"

#include <algorithm>

namespace entente::data {
namespace {

constexpr std::string_view kSchema = "urn:entente:lineage:1";

bool is_digest(const Json& json) {
  if (!json.is_string()) return false;
  const auto bytes = from_base64url(json.string());
  return bytes && bytes->size() == crypto::Digest{}.size();
}

}  // namespace

std::string key_digest(const KeyAccess& access) {
  return base64url(crypto::sha256(ByteView(access.wrapped_key)));
}

KeyDigests key_digests(const Manifest& manifest) {
  KeyDigests out;
  for (const KeyAccess& one : manifest.key_access) {
    if (out.size() == kDigestsMax) break;
    out.push_back(key_digest(one));
  }
  return out;
}

Json to_json(const KeyDigests& digests) {
  Json out = Json::array();
  for (const std::string& one : digests) out.push(one);
  return out;
}

KeyDigests read_key_digests(const Json& json) {
  KeyDigests out;
  if (!json.is_array() || json.items().size() > kDigestsMax || !std::ranges::all_of(json.items(), is_digest))
    return out;
  for (const Json& one : json.items()) out.push_back(one.string());
  return out;
}

Assertion lineage_assertion(const Lineage& lineage) {
  Assertion out;
  out.id = kLineageAssertionId;
  out.type = "other";
  out.format = "json-structured";
  out.schema = kSchema;
  out.value =
      Json::object({{"original", to_json(lineage.original)}, {"previous", to_json(lineage.previous)}});
  return out;
}

std::optional<Lineage> read_lineage(const Manifest& manifest) {
  for (const Json& json : manifest.assertions) {
    if (json.text_or("id", "") != kLineageAssertionId) continue;
    const auto assertion = read_assertion(json);
    if (!assertion || assertion->schema != kSchema || !assertion->value.is_object()) return std::nullopt;
    Lineage out;
    for (const auto& [name, into] :
         {std::pair{"original", &out.original}, std::pair{"previous", &out.previous}}) {
      const Json* said = assertion->value.find(name);
      if (said == nullptr) return std::nullopt;
      *into = read_key_digests(*said);
      if (into->empty()) return std::nullopt;
    }
    return out;
  }
  return std::nullopt;
}

Lineage lineage_after(const Manifest& old) {
  Lineage out;
  out.previous = key_digests(old);
  const auto before = read_lineage(old);
  out.original = before ? before->original : out.previous;
  return out;
}

std::string key_metadata(const label::Label& label, const KeyDigests& from) {
  Json out = Json::object({{"label", label::to_json(label)}});
  if (!from.empty()) out.set("from", to_json(from));
  return out.dump();
}

KeyDigests read_key_metadata_from(const Json& metadata) {
  const Json* said = metadata.find("from");
  return said == nullptr ? KeyDigests() : read_key_digests(*said);
}

}  // namespace entente::data
