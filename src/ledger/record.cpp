#include "ledger/record.h"

#include <algorithm>
#include <array>
#include <set>

namespace entente::ledger {
namespace {

constexpr std::string_view kSaltInfo = "entente.ledger/salts/v1";
constexpr size_t kClassBytesMax = 64;

Failure bad_leaf(std::string what) {
  return fail("ledger.leaf", std::move(what));
}
Failure bad_record(std::string what, std::string where = {}) {
  return fail("ledger.record", std::move(what), std::move(where));
}
Failure bad_disclosure(std::string what, std::string where = {}) {
  return fail("ledger.disclosure", std::move(what), std::move(where));
}

bool is_class(std::string_view text) {
  const auto inner = [](char c) { return c == '.' || c == '-' || c == '_'; };
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= kClassBytesMax && plain(text.front()) && plain(text.back()) &&
         std::ranges::all_of(text, [&](char c) { return plain(c) || inner(c); });
}

// SHA-256(salt || length of name, 16 bit big endian || name || value as canonical JSON).
crypto::Digest field_digest(ByteView salt, std::string_view name, std::string_view value) {
  const std::array<uint8_t, 2> length{static_cast<uint8_t>(name.size() >> 8U),
                                      static_cast<uint8_t>(name.size())};
  Bytes message;
  message.reserve(salt.size() + length.size() + name.size() + value.size());
  message.insert(message.end(), salt.begin(), salt.end());
  message.insert(message.end(), length.begin(), length.end());
  message.insert(message.end(), name.begin(), name.end());
  message.insert(message.end(), value.begin(), value.end());
  return crypto::sha256(message);
}

Result<void> check_fields(const Json::Object& fields) {
  if (fields.size() > kFieldsMax) return bad_record("a record has more than 256 fields");
  for (const auto& [name, value] : fields) {
    if (name.empty() || name.size() > kFieldNameBytesMax)
      return bad_record("a field's name is 1 to 256 bytes long");
  }
  return {};
}

// The plaintext's fields in the order of their canonical text, and all salts in that order.
struct Opened {
  Json::Object fields;
  crypto::Secret salts;

  [[nodiscard]] ByteView salt(size_t i) const { return salts.bytes().subspan(i * kSaltBytes, kSaltBytes); }
};

Result<Opened> open_plain(ByteView key, std::string_view plain) {
  if (key.size() != kRecordKeyBytes) return bad_record("a record's key is 32 bytes long");
  TRY(const Json json, Json::parse(plain, {.bytes_max = kRecordBytesMax, .depth_max = 32}));
  if (!json.is_object() || json.canonical() != plain)
    return bad_record("a record's plaintext is not canonical");
  TRY_VOID(check_fields(json.members()));
  Opened out{.fields = json.members(), .salts = {}};
  if (!out.fields.empty()) {
    out.salts = crypto::hkdf_sha256(key, {}, as_bytes(kSaltInfo), out.fields.size() * kSaltBytes);
  }
  return out;
}

std::vector<crypto::Digest> digests_of(const Opened& opened) {
  std::vector<crypto::Digest> out;
  for (size_t i = 0; i < opened.fields.size(); ++i) {
    const auto& [name, value] = opened.fields[i];
    out.push_back(field_digest(opened.salt(i), name, value.canonical()));
  }
  // Ascending: the place of a digest says nothing about which field it is of.
  std::ranges::sort(out);
  return out;
}

Result<Hash> hash_of(const Json& value) {
  if (!value.is_string()) return bad_leaf("a digest is text");
  TRY(const Bytes bytes, from_base64url(value.string()));
  Hash out{};
  if (bytes.size() != out.size()) return bad_leaf("a digest is 32 bytes long");
  std::ranges::copy(bytes, out.begin());
  return out;
}

}  // namespace

Bytes Record::encode() const {
  Json::Object members(fields.begin(), fields.end());
  return to_bytes(
      Json::object({{"class", event_class}, {"time", rfc3339(time)}, {"fields", Json(std::move(members))}})
          .canonical());
}

Result<Record> Record::parse(ByteView bytes) {
  TRY(const Json json, Json::parse(as_text(bytes), {.bytes_max = kRecordBytesMax, .depth_max = 32}));
  Record out;
  out.event_class = json.text_or("class", "");
  TRY(out.time, parse_rfc3339(json.text_or("time", "")));
  const Json* fields = json.find("fields");
  if (fields == nullptr || !fields->is_object()) return bad_record("a record has fields");
  out.fields.assign(fields->members().begin(), fields->members().end());
  if (out.encode() != Bytes(bytes.begin(), bytes.end()))
    return bad_record("a record is not in its canonical form");
  return out;
}

std::string Leaf::encode() const {
  Json::Array list;
  for (const crypto::Digest& digest : digests) list.emplace_back(base64url(digest));
  const auto n = static_cast<int64_t>(digests.size());
  return Json::object({{"v", 1},
                       {"class", event_class},
                       {"time", rfc3339(time)},
                       {"n", n},
                       {"digests", std::move(list)}})
      .canonical();
}

Result<Leaf> Leaf::parse(ByteView entry) {
  if (entry.size() > kEntryBytesMax) return bad_leaf("the entry is above 65,535 bytes");
  TRY(const Json json, Json::parse(as_text(entry), {.bytes_max = kEntryBytesMax, .depth_max = 4}));
  Leaf out;
  out.event_class = json.text_or("class", "");
  if (!is_class(out.event_class)) return bad_leaf("the leaf's class is not a name");
  TRY(out.time, parse_rfc3339(json.text_or("time", "")));
  const Json* list = json.find("digests");
  if (list == nullptr || !list->is_array() || list->items().size() > kFieldsMax) {
    return bad_leaf("the leaf has no list of up to 256 digests");
  }
  for (const Json& item : list->items()) {
    TRY(const Hash digest, hash_of(item));
    if (!out.digests.empty() && out.digests.back() >= digest)
      return bad_leaf("the leaf's digests do not ascend");
    out.digests.push_back(digest);
  }
  if (as_bytes(out.encode()).size() != entry.size() || out.encode() != as_text(entry)) {
    return bad_leaf("the leaf is not in its canonical form");
  }
  return out;
}

// Canonical: the class comes first, the time after the digests, and neither holds a quote.
Result<Glance> glance(ByteView entry) {
  constexpr std::string_view kBefore = R"({"class":")";
  constexpr std::string_view kTime = R"("time":")";
  const std::string_view text = as_text(entry);
  const size_t end = text.find('"', kBefore.size());
  const size_t time = text.rfind(kTime);
  if (!text.starts_with(kBefore) || end == std::string_view::npos || time == std::string_view::npos)
    return bad_leaf("the leaf is not in its canonical form");
  const size_t from = time + kTime.size();
  Glance out{.event_class = text.substr(kBefore.size(), end - kBefore.size())};
  TRY(out.time, parse_rfc3339(text.substr(from, text.find('"', from) - from)));
  return out;
}

Result<Sealed> seal(const Record& record, crypto::Secret key) {
  if (!is_class(record.event_class)) {
    return bad_record("a record's class is 1 to 64 of a-z, 0-9 and inner . - _",
                      record.event_class.substr(0, 64));
  }
  std::set<std::string_view> names;
  for (const auto& [name, value] : record.fields) {
    if (!names.insert(name).second) return bad_record("a record names a field twice", name);
  }
  const Json fields(Json::Object(record.fields.begin(), record.fields.end()));
  std::string plain = fields.canonical();
  if (plain.size() > kRecordBytesMax) return bad_record("a record is above 256 KiB", record.event_class);
  TRY(const Opened opened, open_plain(key.bytes(), plain));
  return Sealed{
      .leaf = {.event_class = record.event_class, .time = record.time, .digests = digests_of(opened)},
      .key = std::move(key),
      .plain = std::move(plain)};
}

Result<Leaf> reseal(const Leaf& leaf, ByteView key, std::string_view plain) {
  TRY(const Opened opened, open_plain(key, plain));
  return Leaf{.event_class = leaf.event_class, .time = leaf.time, .digests = digests_of(opened)};
}

Result<std::vector<DisclosedField>> disclose_fields(ByteView key, std::string_view plain,
                                                    std::span<const std::string> names) {
  TRY(const Opened opened, open_plain(key, plain));
  std::vector<DisclosedField> out;
  for (const std::string& name : names) {
    const auto found = std::ranges::find(opened.fields, name, &Json::Member::first);
    if (found == opened.fields.end()) return bad_disclosure("the record has no such field", name);
    const ByteView salt = opened.salt(static_cast<size_t>(found - opened.fields.begin()));
    out.push_back({.name = name, .value = found->second, .salt = Bytes(salt.begin(), salt.end())});
  }
  return out;
}

Result<void> verify_fields(const Leaf& leaf, std::span<const DisclosedField> fields) {
  std::set<std::string_view> names;
  for (const DisclosedField& field : fields) {
    if (field.salt.size() != kSaltBytes || field.name.empty() || field.name.size() > kFieldNameBytesMax ||
        !names.insert(field.name).second) {
      return bad_disclosure("a disclosed field is not well formed", field.name.substr(0, kFieldNameBytesMax));
    }
    const crypto::Digest digest = field_digest(field.salt, field.name, field.value.canonical());
    if (!std::ranges::binary_search(leaf.digests, digest)) {
      return bad_disclosure("the field is not what was recorded", field.name);
    }
  }
  return {};
}

Json Disclosure::json() const {
  Json::Array field_list;
  for (const DisclosedField& field : fields) {
    field_list.push_back(
        Json::object({{"name", field.name}, {"value", field.value}, {"salt", base64url(field.salt)}}));
  }
  Json::Array proof_list;
  for (const Hash& hash : proof) proof_list.emplace_back(base64url(hash));
  return Json::object({{"v", 1},
                       {"index", index},
                       {"entry", base64url(entry)},
                       {"fields", std::move(field_list)},
                       {"proof", std::move(proof_list)},
                       {"checkpoint", checkpoint}});
}

Result<Disclosure> Disclosure::from_json(const Json& json) {
  Disclosure out;
  const Json* index = json.find("index");
  const Json* field_list = json.find("fields");
  const Json* proof_list = json.find("proof");
  const Json* version = json.find("v");
  if (version == nullptr || *version != Json(1) || index == nullptr || !index->is_int() ||
      index->integer() < 0 || field_list == nullptr || !field_list->is_array() ||
      field_list->items().size() > kFieldsMax || proof_list == nullptr || !proof_list->is_array() ||
      proof_list->items().size() > 64) {
    return bad_disclosure("this is no disclosure of version 1");
  }
  out.index = static_cast<uint64_t>(index->integer());
  TRY(out.entry, from_base64url(json.text_or("entry", "")));
  out.checkpoint = json.text_or("checkpoint", "");
  for (const Json& field : field_list->items()) {
    const Json* value = field.find("value");
    if (value == nullptr) return bad_disclosure("a disclosed field has no value");
    TRY(Bytes salt, from_base64url(field.text_or("salt", "")));
    out.fields.push_back(
        {.name = std::string(field.text_or("name", "")), .value = *value, .salt = std::move(salt)});
  }
  for (const Json& step : proof_list->items()) {
    TRY(const Hash hash, hash_of(step));
    out.proof.push_back(hash);
  }
  return out;
}

}  // namespace entente::ledger
