#include "data/object_manifest.h"

#include "base/fields.h"
#include "crypto/aead.h"
#include "data/assertion.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace entente::data {
namespace {

constexpr size_t kSegmentTextMax = 512;
constexpr size_t kTextMax = 256;

Failure manifest_fail(std::string what, std::string where, std::string hint = {}) {
  return fail("data.manifest", std::move(what), std::move(where), std::move(hint));
}

// Finds its way in a JSON text without building values. What it passes is not checked here: all of the text
// is parsed strictly afterwards, in two parts, so that a wrong turn can only lead to a refusal.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  // At an object: goes to the value of its member `key`. False when it has none.
  bool enter(std::string_view key) {
    if (!take('{')) return false;
    while (!take('}')) {
      const size_t start = here();
      if (peek() != '"' || !skip_string()) return false;
      const bool found = text_.substr(start + 1, at_ - start - 2) == key;
      if (!take(':')) return false;
      if (found) return true;
      if (!skip_value()) return false;
      take(',');
    }
    return false;
  }
  // One whole value; at() is then right behind it. What is inside brackets is not looked at, except texts.
  bool skip_value() {
    if (peek() == '"') return skip_string();
    if (peek() == '{' || peek() == '[') return skip_brackets();
    at_ = std::min(text_.find_first_of(",]} \t\r\n", at_), text_.size());
    return true;
  }
  [[nodiscard]] size_t at() const { return at_; }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  // The next character that is no space, or NUL at the end.
  char peek() {
    at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size());
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  size_t here() {
    peek();
    return at_;
  }

 private:
  bool skip_brackets() {
    size_t depth = 0;
    for (;;) {
      at_ = std::min(text_.find_first_of("\"{}[]", at_), text_.size());
      if (at_ == text_.size()) return false;
      const char c = text_[at_];
      if (c == '"') {
        if (!skip_string()) return false;
        continue;
      }
      ++at_;
      if (c == '{' || c == '[') {
        ++depth;
      } else if (--depth == 0) {
        return true;
      }
    }
  }
  bool skip_string() {
    size_t i = text_.find_first_of("\"\\", at_ + 1);
    while (i < text_.size()) {
      if (text_[i] == '"') {
        at_ = i + 1;
        return true;
      }
      i = text_.find_first_of("\"\\", i + 2);  // behind the escaped character
    }
    return false;
  }
  std::string_view text_;
  size_t at_ = 0;
};

// At least as many as there are values in a JSON text: counted before any of them takes memory.
size_t values_at_most(std::string_view text) {
  size_t out = 1;
  bool inside = false;  // a string
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (inside && c == '\\')
      ++i;
    else if (c == '"')
      inside = !inside;
    else if (!inside && (c == ',' || c == '{' || c == '['))
      ++out;
  }
  return out;
}

// What a segment that does not say its sizes has; it is the segment that has a limit.
struct Defaults {
  int64_t plain = 0;
  int64_t sealed = 0;
};
constexpr int64_t kDefaultBytesMax = (int64_t{1} << 53) - 1;  // as far as JSON's numbers are whole

int64_t size_or(Fields& fields, std::string_view key, int64_t otherwise, int64_t highest) {
  const Json* value = fields.value_if(key);
  return value == nullptr || value->is_null() ? otherwise : fields.integer(key, 0, highest);
}

// One hash is 16 bytes, or 32 hexadecimal digits of them in 4.2.2; all of one manifest are alike.
Result<SegmentTag> read_tag(std::string_view text, std::optional<HashForm>& form, const std::string& where) {
  auto bytes = from_base64(text);
  if (!bytes) return manifest_fail("A segment's hash is not base64.", where);
  const HashForm found = bytes->size() == std::tuple_size_v<SegmentTag> ? HashForm::raw : HashForm::hex;
  if (form.value_or(found) != found) return manifest_fail("The segments' hashes are of two forms.", where);
  form = found;
  if (found == HashForm::hex) bytes = from_hex(as_text(*bytes));
  SegmentTag out{};
  if (!bytes || bytes->size() != out.size())
    return manifest_fail("A segment's hash has another length.", where);
  std::ranges::copy(*bytes, out.begin());
  return out;
}

Result<void> read_segment(std::string_view text, const Defaults& defaults, std::optional<HashForm>& form,
                          Segments& out) {
  const std::string where =
      fmt::format("/encryptionInformation/integrityInformation/segments/{}", out.count());
  auto json = Json::parse(text, {.bytes_max = kSegmentTextMax, .depth_max = 2});
  if (!json) return manifest_fail("A segment is not JSON: " + json.error().what(), where);
  Fields fields(*json, where);
  const std::string hash = fields.text("hash", 64);
  const int64_t plain = size_or(fields, "segmentSize", defaults.plain, kSegmentBytesMax);
  const int64_t sealed =
      size_or(fields, "encryptedSegmentSize", defaults.sealed, int64_t{2} * kSegmentBytesMax);
  if (const auto read = fields.done_open(); !read)
    return manifest_fail(read.error().what(), read.error().where(), read.error().hint());
  if (plain > kSegmentBytesMax)
    return manifest_fail("A segment is longer than we read.", where,
                         fmt::format("at most {} bytes", kSegmentBytesMax));
  if (sealed != plain + static_cast<int64_t>(crypto::kAeadFrameBytes))
    return manifest_fail("A segment's two sizes do not belong together.", where);
  TRY(const SegmentTag tag, read_tag(hash, form, where));
  out.add(tag, static_cast<uint32_t>(plain));
  return {};
}

// `text` is the array alone.
Result<void> read_segments(std::string_view text, const Defaults& defaults, std::optional<HashForm>& form,
                           Segments& out) {
  const std::string where = "/encryptionInformation/integrityInformation/segments";
  Scanner scan(text);
  if (!scan.take('[')) return manifest_fail("The segments are not a list.", where);
  if (scan.take(']')) return {};
  do {
    if (out.count() == kSegmentsMax) return manifest_fail("The object has too many segments.", where);
    const size_t start = scan.here();
    if (scan.peek() != '{' || !scan.skip_value()) return manifest_fail("A segment is not an object.", where);
    TRY_VOID(read_segment(text.substr(start, scan.at() - start), defaults, form, out));
  } while (scan.take(','));
  if (!scan.take(']') || scan.peek() != '\0')
    return manifest_fail("The list of segments does not end well.", where);
  return {};
}

Result<void> read_payload(Fields& root, Manifest& out) {
  Fields payload = root.object("payload");
  const std::string type = payload.text("type", kTextMax);
  const std::string url = payload.text("url", kTextMax);
  const std::string protocol = payload.text("protocol", kTextMax);
  const bool encrypted = payload.boolean_or("isEncrypted", false);
  out.mime_type = loose_text(payload, "mimeType", kTextMax, "application/octet-stream");
  TRY_VOID(payload.done_open());
  if (type != "reference" || url != "0.payload" || (protocol != "zip" && protocol != "zipstream") ||
      !encrypted)
    return manifest_fail("The manifest describes another payload than 0.payload, encrypted, in a ZIP.",
                         "/payload");
  return {};
}

Result<crypto::Digest> read_root_signature(Fields& signature) {
  const std::string alg = signature.text("alg", kTextMax);
  auto bytes = from_base64(signature.text("sig", kTextMax));
  TRY_VOID(signature.done_open());
  if (alg != "HS256")
    return manifest_fail("The root signature's algorithm is not one we know.", signature.path());
  crypto::Digest out{};
  if (bytes && bytes->size() == 2 * out.size()) bytes = from_hex(as_text(*bytes));
  if (!bytes || bytes->size() != out.size())
    return manifest_fail("The root signature is not as long as a hash.", signature.path());
  std::ranges::copy(*bytes, out.begin());
  return out;
}

Result<Defaults> read_integrity(Fields& integrity, Manifest& out) {
  Fields signature = integrity.object("rootSignature");
  const std::string hash = loose_text(integrity, "segmentHashAlg", kTextMax, "GMAC");
  Defaults sizes;
  sizes.plain = integrity.integer("segmentSizeDefault", 0, kDefaultBytesMax);
  sizes.sealed = integrity.integer("encryptedSegmentSizeDefault", 0, kDefaultBytesMax);
  TRY_VOID(integrity.done_open());
  if (hash != "GMAC")
    return manifest_fail("The segments' hash is not one we know.", integrity.path(), "GMAC");
  TRY(out.root_signature, read_root_signature(signature));
  out.segment_bytes = static_cast<uint32_t>(std::min<int64_t>(sizes.plain, kSegmentBytesMax));
  return sizes;
}

// One wrapped in a way that we do not know is passed over beside an alternative, of the same share, that we
// do.
Result<std::vector<KeyAccess>> read_accesses(const std::vector<Json>& all,
                                             std::vector<std::string>& passed_over) {
  std::vector<KeyAccess> out;
  const auto known = [&](std::string_view sid) {
    return std::ranges::find(out, sid, &KeyAccess::sid) != out.end();
  };
  std::vector<std::pair<std::string, Error>> unknown;
  for (size_t i = 0; i < all.size(); ++i) {
    auto access = read_key_access(all[i], fmt::format("/encryptionInformation/keyAccess/{}", i));
    const std::string_view type = all[i].text_or("type", "");
    if (access) {
      out.push_back(*std::move(access));
    } else if (!type.empty() && type != name(WrapType::wrapped) && type != name(WrapType::ec_wrapped)) {
      unknown.emplace_back(all[i].text_or("sid", ""), access.error());
      passed_over.emplace_back(type.substr(0, kTextMax));
    } else {
      return std::unexpected(access.error());
    }
  }
  for (const auto& [sid, error] : unknown)
    if (!known(sid)) return std::unexpected(error);
  return out;
}

// What is not the segments. The assertions are moved out of `json`.
Result<Defaults> read_frame(Json& json, Manifest& out) {
  Fields root(json, "");
  out.schema_version =
      loose_text(root, "schemaVersion", kTextMax, loose_text(root, "tdf_spec_version", kTextMax));
  TRY_VOID(read_payload(root, out));
  Fields encryption = root.object("encryptionInformation");
  const std::string type = encryption.text("type", kTextMax);
  out.policy_text = encryption.text("policy", 512 * 1024);
  Fields method = encryption.object("method");
  const std::string algorithm = method.text("algorithm", kTextMax);
  Fields integrity = encryption.object("integrityInformation");
  const Json& accesses = encryption.value("keyAccess");
  const Json* assertions = root.value_if("assertions");
  TRY_VOID(root.done_open());
  if (!out.schema_version.empty() && !out.schema_version.starts_with("4."))
    return manifest_fail("The object's version is not one we read.", "/schemaVersion", "4.2.2 or 4.3.0");
  if (type != "split" || algorithm != "AES-256-GCM")
    return manifest_fail("The object is encrypted in a way that we do not know.",
                         "/encryptionInformation/method", "split, AES-256-GCM");
  if (!accesses.is_array() || accesses.items().empty() || accesses.items().size() > kSharesMax)
    return manifest_fail("The object has no key access objects, or too many.",
                         "/encryptionInformation/keyAccess", fmt::format("1 to {}", kSharesMax));
  TRY(out.key_access, read_accesses(accesses.items(), out.passed_over));
  if (assertions != nullptr && !assertions->is_null()) {
    if (!assertions->is_array() || assertions->items().size() > kAssertionsMax ||
        !std::ranges::all_of(assertions->items(), &Json::is_object))
      return manifest_fail("The assertions are not a list of at most 64.", "/assertions");
  }
  TRY(const Defaults defaults, read_integrity(integrity, out));
  for (auto& [name, value] : json.members())
    if (name == "assertions" && value.is_array()) out.assertions = std::move(value.items());
  return defaults;
}

Failure as_manifest_error(const Error& error) {
  if (error.code().starts_with("data.")) return Failure(error);
  return manifest_fail(error.what(), error.where(), error.hint());
}

std::string hash_text(ByteView bytes, HashForm form) {
  return form == HashForm::raw ? base64(bytes) : base64(as_bytes(hex(bytes)));
}

class CountingSink final : public Sink {
 public:
  Result<void> write(ByteView bytes) override {
    size += bytes.size();
    return {};
  }
  uint64_t size = 0;
};

Result<void> write_segments(const Manifest& manifest, Sink& sink) {
  std::string text;
  for (size_t i = 0; i < manifest.segments.count(); ++i) {
    const uint32_t plain = manifest.segments.plain_bytes(i);
    text += fmt::format(R"({}{{"hash":"{}","segmentSize":{},"encryptedSegmentSize":{}}})", i == 0 ? "" : ",",
                        hash_text(manifest.segments.tag(i), manifest.form), plain,
                        plain + crypto::kAeadFrameBytes);
    if (text.size() < 64 * 1024) continue;
    TRY_VOID(sink.write(as_bytes(text)));
    text.clear();
  }
  return sink.write(as_bytes(text));
}

// What stands before the segments, up to their bracket.
std::string head_text(const Manifest& manifest) {
  Json accesses = Json::array();
  for (const KeyAccess& one : manifest.key_access) accesses.push(write_key_access(one));
  const Json method = Json::object({{"algorithm", "AES-256-GCM"}, {"iv", ""}, {"isStreamable", true}});
  const Json signature =
      Json::object({{"alg", "HS256"}, {"sig", hash_text(manifest.root_signature, manifest.form)}});
  const Json payload = Json::object({{"type", "reference"},
                                     {"url", "0.payload"},
                                     {"protocol", "zip"},
                                     {"isEncrypted", true},
                                     {"mimeType", manifest.mime_type}});
  std::string head = "{";
  if (!manifest.schema_version.empty())
    head += fmt::format(R"("schemaVersion":{},)", Json(manifest.schema_version).dump());
  head += fmt::format(R"("payload":{},"encryptionInformation":{{"type":"split","policy":{},)", payload.dump(),
                      Json(manifest.policy_text).dump());
  head += fmt::format(R"("keyAccess":{},"method":{},"integrityInformation":{{"rootSignature":{},)",
                      accesses.dump(), method.dump(), signature.dump());
  head += fmt::format(
      R"("segmentHashAlg":"GMAC","segmentSizeDefault":{},"encryptedSegmentSizeDefault":{},"segments":[)",
      manifest.segment_bytes, manifest.segment_bytes + crypto::kAeadFrameBytes);
  return head;
}

// What stands behind them. Assertion by assertion: each may be long.
std::string tail_text(const Manifest& manifest) {
  std::string tail = "]}}";
  for (size_t i = 0; i < manifest.assertions.size(); ++i)
    tail += (i == 0 ? R"(,"assertions":[)" : ",") + manifest.assertions[i].dump();
  if (!manifest.assertions.empty()) tail += "]";
  return tail + "}";
}

// Runs over the hashes as the manifest's base64 holds them.
template <class Each>
void each_hash(const Segments& segments, HashForm form, Each each) {
  for (const SegmentTag& tag : segments.tags()) {
    if (form == HashForm::raw)
      each(ByteView(tag));
    else
      each(as_bytes(hex(tag)));
  }
}

}  // namespace

void Segments::add(const SegmentTag& tag, uint32_t plain_bytes) {
  ends_.push_back(ends_or_zero(ends_.size()) + plain_bytes);
  tags_.push_back(tag);
}

uint32_t Segments::plain_bytes(size_t index) const {
  return static_cast<uint32_t>(ends_[index] - ends_or_zero(index));
}

uint64_t Segments::sealed_at(size_t index) const {
  return ends_or_zero(index) + index * crypto::kAeadFrameBytes;
}

size_t Segments::holding(uint64_t plain_at) const {
  return static_cast<size_t>(std::ranges::upper_bound(ends_, plain_at) - ends_.begin());
}

Result<Manifest> read_manifest(std::string_view text) {
  if (text.size() > kManifestBytesMax) return manifest_fail("The manifest is too long.", {});
  // The segments are cut out and read one by one: as JSON values all together they would fill the memory.
  Scanner scan(text);
  const std::string where = "/encryptionInformation/integrityInformation/segments";
  if (!scan.enter("encryptionInformation") || !scan.enter("integrityInformation") || !scan.enter("segments"))
    return manifest_fail("The manifest lists no segments.", where);
  const size_t start = scan.here();
  if (scan.peek() != '[' || !scan.skip_value()) return manifest_fail("The segments are not a list.", where);
  const size_t end = scan.at();
  if (text.size() - (end - start) > kFrameBytesMax)
    return manifest_fail("The manifest is too long, even without its segments.", {});
  std::string frame(text.substr(0, start));
  frame += "[]";
  frame += text.substr(end);
  if (values_at_most(frame) > kFrameValuesMax)
    return manifest_fail("The manifest holds too many values.", {},
                         fmt::format("at most {} besides its segments", kFrameValuesMax));
  auto json = Json::parse(frame, {.bytes_max = kFrameBytesMax + 2, .depth_max = 32});
  if (!json) return manifest_fail("The manifest is not JSON: " + json.error().what(), json.error().where());
  Manifest out;
  auto defaults = read_frame(*json, out);
  if (!defaults) return as_manifest_error(defaults.error());
  std::optional<HashForm> form;
  TRY_VOID(read_segments(text.substr(start, end - start), *defaults, form, out.segments));
  out.form = form.value_or(out.schema_version.empty() ? HashForm::hex : HashForm::raw);
  return out;
}

Result<void> write_manifest(const Manifest& manifest, Sink& sink) {
  TRY_VOID(sink.write(as_bytes(head_text(manifest))));
  TRY_VOID(write_segments(manifest, sink));
  return sink.write(as_bytes(tail_text(manifest)));
}

uint64_t frame_bytes(const Manifest& manifest) {
  return head_text(manifest).size() + tail_text(manifest).size();
}

Result<void> check_readable(const Manifest& manifest) {
  std::set<std::string_view> ids;
  for (const Json& one : manifest.assertions) {
    TRY_VOID(read_assertion(one));
    if (!ids.insert(one.text_or("id", "")).second)
      return manifest_fail("Two assertions would have one id.", "/assertions");
  }
  const std::string frame = head_text(manifest) + tail_text(manifest);
  TRY_VOID(read_manifest(frame));
  CountingSink segments;
  TRY_VOID(write_segments(manifest, segments));
  if (manifest.segments.count() > kSegmentsMax || frame.size() + segments.size > kManifestBytesMax)
    return manifest_fail("The object would have too many segments for its manifest.", {});
  return {};
}

Bytes aggregate_hash(const Segments& segments, HashForm form) {
  Bytes out;
  out.reserve(segments.count() * (form == HashForm::raw ? 16 : 32));
  each_hash(segments, form, [&](ByteView hash) { out.insert(out.end(), hash.begin(), hash.end()); });
  return out;
}

crypto::Digest root_signature(const crypto::Secret& key, const Segments& segments, HashForm form) {
  return crypto::hmac_sha256(key.bytes(), aggregate_hash(segments, form));
}

}  // namespace entente::data
