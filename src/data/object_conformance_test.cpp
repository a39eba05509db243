// Objects sealed by others and public test vectors, when $ENTENTE_CONFORMANCE (or ../shared/conformance) has
// them.
#include "data/object_for_test.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace entente;
using namespace entente::data;

namespace {

std::filesystem::path conformance_data() {
  const char* given = std::getenv("ENTENTE_CONFORMANCE");
  return std::filesystem::path(given != nullptr ? given : "../shared/conformance") / "data";
}

std::string whole_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<crypto::PrivateKey> keys_beside(const std::filesystem::path& folder) {
  std::vector<crypto::PrivateKey> out;
  const Json list = Json::parse(whole_file(folder / "extra-keys.json")).value();
  for (const Json& one : list.items())
    out.push_back(crypto::PrivateKey::from_pem(one.text_or("privateKey", "")).value());
  return out;
}

}  // namespace

TEST_CASE(
    "objects sealed by other software open and verify with their published key; changed ones are refused") {
  const auto folder = conformance_data() / "tdf-golden";
  if (!std::filesystem::exists(folder / "extra-keys.json")) {
    MESSAGE("skipped: no sealed objects in " << folder.string());
    return;
  }
  const auto keys = keys_beside(folder);
  size_t opened = 0;
  size_t foreign = 0;
  size_t assertions = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".tdf") continue;
    INFO(file.path().filename().string());
    const std::string text = whole_file(file.path());
    const MemorySource source(as_bytes(text));
    const auto sealed = read_object(source);
    REQUIRE_MESSAGE(sealed.has_value(), sealed.error().text());
    CHECK_MESSAGE(read_policy(sealed->manifest.policy_text).has_value(), "policy");
    auto key = collect_key(sealed->manifest, with_keys(keys));
    if (!key) {
      // Sealed for a key that was not published with it.
      CHECK(key.error().code() == "data.unwrap");
      MESSAGE("read, not opened (no key): " << file.path().filename().string());
      ++foreign;
      continue;
    }
    const crypto::Secret copy = key->copy();
    auto open = OpenObject::open(*sealed, *std::move(key));
    REQUIRE_MESSAGE(open.has_value(), open.error().text());
    MemorySink plain;
    REQUIRE(open->copy_to(plain));
    CHECK(plain.bytes.size() == open->size());
    assertions += open->assertions().size();
    ++opened;

    // Written again by us it is the same object.
    MemorySink again;
    REQUIRE(write_manifest(sealed->manifest, again));
    const Manifest read = read_manifest(as_text(again.bytes)).value();
    CHECK(read.key_access == sealed->manifest.key_access);
    CHECK(read.segments.tags() == sealed->manifest.segments.tags());
    CHECK(root_signature(copy, read.segments, read.form) == read.root_signature);
    const Bytes rebuilt = with_manifest(as_bytes(text), std::string(as_text(again.bytes)));
    CHECK(open_for_test(rebuilt, keys).value() == plain.bytes);

    for (size_t i = 0; i < text.size(); i += 1 + text.size() / 500) {
      std::string bad = text;
      bad[i] = static_cast<char>(bad[i] ^ 1);
      MemorySink released;
      const auto result = open_for_test(as_bytes(bad), keys, {}, &released);
      INFO("byte " << i);
      if (result)
        CHECK(*result == plain.bytes);
      else
        CHECK(released.bytes.empty());
    }
  }
  // Keys were published for all but a few: a reader that opened none of them would be no reader.
  CHECK(opened >= 7);
  CHECK(opened > foreign);
  MESSAGE(opened << " objects opened, " << foreign << " only read, " << assertions << " assertions verified");
}
