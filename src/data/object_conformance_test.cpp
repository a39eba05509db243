// Objects sealed by others, when $ENTENTE_CONFORMANCE (or ../shared/conformance) has them, with the keys that
// were published beside them.
#include "base/conformance_for_test.h"
#include "data/object_for_test.h"

#include <set>

using namespace entente;
using namespace entente::data;

namespace {

constexpr size_t kFlippedBytesMax = 64U << 20U;  // of one object, read again for each flipped byte

struct Keys {
  std::vector<crypto::PrivateKey> all;
  std::set<std::string, std::less<>> ids;
};

// Lists of keys lie in the objects' folder or above it.
Keys keys_beside(std::filesystem::path folder) {
  Keys out;
  for (int up = 0; up < 3 && out.all.empty(); ++up, folder = folder.parent_path()) {
    if (!std::filesystem::exists(folder / "extra-keys.json")) continue;
    const Json list = Json::parse(conformance_text(folder / "extra-keys.json")).value();
    for (const Json& one : list.items()) {
      auto key = crypto::PrivateKey::from_pem(one.text_or("privateKey", ""));
      REQUIRE_MESSAGE(key.has_value(), key.error().text());
      out.all.push_back(*std::move(key));
      out.ids.emplace(one.text_or("kid", ""));
    }
  }
  return out;
}

// Whether some share of each split names a published key.
bool names_published(const Manifest& manifest, const Keys& keys) {
  std::set<std::string> splits;
  std::set<std::string> had;
  for (const KeyAccess& access : manifest.key_access) {
    splits.insert(access.sid);
    if (!access.kid.empty() && keys.ids.contains(access.kid)) had.insert(access.sid);
  }
  return splits == had;
}

struct Count {
  size_t opened = 0;
  size_t foreign = 0;
  size_t assertions = 0;
  std::string unread;
  std::string others;
};

// Written again by us it is the same object.
void write_again(const SealedObject& sealed, std::string_view text, const crypto::Secret& key,
                 const Keys& keys, const Bytes& plain) {
  MemorySink again;
  REQUIRE(write_manifest(sealed.manifest, again));
  const Manifest read = read_manifest(as_text(again.bytes)).value();
  CHECK(read.key_access == sealed.manifest.key_access);
  CHECK(read.segments.tags() == sealed.manifest.segments.tags());
  CHECK(root_signature(key, read.segments, read.form) == read.root_signature);
  const Bytes rebuilt = with_manifest(as_bytes(text), std::string(as_text(again.bytes)));
  CHECK(open_for_test(rebuilt, keys.all).value() == plain);
}

void flip_bytes(const std::string& text, const Keys& keys, const Bytes& plain, size_t segments) {
  const size_t flips = std::clamp<size_t>(kFlippedBytesMax / (text.size() + 1), 20, 500);
  for (size_t i = 0; i < text.size(); i += 1 + text.size() / flips) {
    std::string bad = text;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    MemorySink released;
    const auto result = open_for_test(as_bytes(bad), keys.all, {}, &released);
    INFO("byte " << i);
    if (result)
      CHECK(*result == plain);
    else if (segments < 2)
      CHECK(released.bytes.empty());
    else  // segments before the changed one were verified
      CHECK(as_text(plain).starts_with(as_text(released.bytes)));
  }
}

// What docs/limits.md says that we refuse.
bool is_no_offer(const Error& error) {
  return std::ranges::any_of(
      std::to_array<std::string_view>({"hash is not one we know",
                                       "key access object's type is not one we know",
                                       "bound by a key that was not pinned"}),
      [&](std::string_view said) { return error.what().find(said) != std::string::npos; });
}

void run_object(const std::filesystem::path& path, Count& count) {
  INFO(path.string());
  const Keys keys = keys_beside(path.parent_path());
  const std::string text = conformance_text(path);
  const MemorySource source(as_bytes(text));
  const auto sealed = read_object(source);
  const auto not_offered = [&](const Error& error) {
    if (!is_no_offer(error)) return false;
    count.others += "\n  " + path.filename().string() + ": " + error.text();
    return true;
  };
  if (!sealed && not_offered(sealed.error())) return;
  CHECK_MESSAGE(sealed.has_value(), sealed.error().text());
  if (!sealed) return;
  CHECK_MESSAGE(read_policy(sealed->manifest.policy_text).has_value(), "policy");
  auto key = collect_key(sealed->manifest, with_keys(keys.all));
  if (!key) {
    // Sealed for a key that was not published with it.
    CHECK(key.error().code() == "data.unwrap");
    CHECK_MESSAGE(!names_published(sealed->manifest, keys), key.error().text());
    count.unread += "\n  " + path.filename().string();
    ++count.foreign;
    return;
  }
  const crypto::Secret copy = key->copy();
  auto open = OpenObject::open(*sealed, *std::move(key));
  if (!open && not_offered(open.error())) return;
  CHECK_MESSAGE(open.has_value(), open.error().text());
  if (!open) return;
  MemorySink plain;
  REQUIRE(open->copy_to(plain));
  CHECK(plain.bytes.size() == open->size());
  count.assertions += open->assertions().size();
  ++count.opened;
  write_again(*sealed, text, copy, keys, plain.bytes);
  flip_bytes(text, keys, plain.bytes, sealed->manifest.segments.tags().size());
}

}  // namespace

TEST_CASE(
    "objects sealed by other software open and verify with their published key; changed ones are refused") {
  Count count;
  const auto paths = conformance_files(conformance("data/tdf-golden"), ".tdf");
  if (paths.empty()) return;
  for (const auto& path : paths) run_object(path, count);
  CHECK_MESSAGE(count.opened > 0, "not one of these is of a kind that is offered");
  MESSAGE(count.opened << " objects opened, " << count.assertions << " assertions verified, " << count.foreign
                       << " only read, their key is not published:" << count.unread
                       << "\nnot offered:" << count.others);
}
