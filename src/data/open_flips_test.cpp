// Every bit of an object is turned over: what the format leaves open is listed here by name, and a flip
// anywhere else has to be refused.
#include "data/object_for_test.h"

#include <array>
#include <map>
#include <set>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace entente;
using namespace entente::data;

namespace {

constexpr uint32_t kSmallSegment = 64;
constexpr std::array<uint8_t, 9> kMasks{0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff};

struct Sealed {
  crypto::PrivateKey key = key_for_test();
  Bytes plain;
  Bytes object;
};

// Two segments, of which the first is as long as the manifest says that segments are; one assertion.
Sealed sealed() {
  Sealed out;
  out.plain = to_bytes(std::string(100, 'x'));
  SealPlan plan = plan_for_test(out.key);
  plan.segment_bytes = kSmallSegment;
  plan.assertions.push_back({.id = "a1", .value = "EXERCISE"});
  out.object = seal_for_test(plan, out.plain);
  REQUIRE(open_for_test(out.object, {out.key}).value() == out.plain);
  return out;
}

struct Place {
  std::string name;
  size_t from = 0;
  size_t size = 0;
  std::array<uint8_t, 4> open{};  // which bits of each byte may be anything
};

// Of the headers that ZIP has around and behind the data (APPNOTE 4.3.7, 4.3.12): versions and times are for
// whoever unpacks, attributes are of a file that nothing here becomes, and of the flags two are about a
// compression that is not used, one about letters that no name here has, and one, which counts in the header
// before the data, is said again in the directory.
std::vector<Place> open_zip_places(ByteView object) {
  const ObjectZip zip = read_zip(MemorySource(object)).value();
  std::vector<Place> out;
  constexpr std::array<uint8_t, 4> kAll{0xff, 0xff, 0xff, 0xff};
  for (const ZipEntry& entry : {zip.payload, zip.manifest}) {
    const auto at = static_cast<size_t>(entry.header_at);
    out.push_back({"local version needed", at + 4, 2, kAll});
    out.push_back({"local flags", at + 6, 2, {0x06, 0x08}});
    out.push_back({"local time and date", at + 10, 4, kAll});
  }
  const size_t end = object.size() - 22;
  size_t at = 0;
  for (size_t i = 4; i-- > 0;) at = at << 8 | object[end + 16 + i];
  for (const std::string_view name : {kPayloadName, kManifestName}) {
    REQUIRE(as_text(object.subspan(at + 46, name.size())) == name);
    out.push_back({"central version made by and needed", at + 4, 4, kAll});
    out.push_back({"central flags", at + 8, 2, {0x0e, 0x08}});
    out.push_back({"central time and date", at + 12, 4, kAll});
    out.push_back({"internal attributes", at + 36, 2, kAll});
    out.push_back({"external attributes", at + 38, 4, kAll});
    at += 46 + name.size();
  }
  REQUIRE(at == end);
  return out;
}

// Which texts and numbers a JSON text without spaces holds, and where: "/a/0/b" a value, "/a/0/b=" the name
// of it.
class Pointers {
 public:
  explicit Pointers(std::string_view text) : text_(text) { value(""); }
  std::vector<Place> places;

 private:
  void value(const std::string& pointer) {
    const size_t from = at_;
    if (text_[at_] == '{' || text_[at_] == '[') {
      const bool named = text_[at_] == '{';
      for (size_t i = 0; text_[++at_] != '}' && text_[at_] != ']'; ++i) {
        std::string inner = std::to_string(i);
        if (named) {
          const size_t name = at_;
          skip_string();
          inner = text_.substr(name + 1, at_ - name - 2);
          places.push_back({fmt::format("{}/{}=", pointer, inner), name + 1, inner.size()});
          ++at_;
        }
        value(pointer + "/" + inner);
        if (text_[at_] != ',') break;
      }
      ++at_;
    } else if (text_[at_] == '"') {
      skip_string();
      places.push_back({pointer, from + 1, at_ - from - 2});
    } else {
      at_ = text_.find_first_of(",]}", at_);
      places.push_back({pointer, from, at_ - from});
    }
  }
  void skip_string() {
    for (++at_; text_[at_] != '"'; ++at_) at_ += text_[at_] == '\\' ? 1 : 0;
    ++at_;
  }
  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

TEST_CASE("every bit of an object flipped: refused, but in the fields of its ZIP that say nothing about it") {
  const Sealed it = sealed();
  std::map<size_t, uint8_t> open;
  std::map<size_t, std::string> names;
  for (const Place& place : open_zip_places(it.object))
    for (size_t i = 0; i < place.size; ++i) {
      open[place.from + i] = place.open[i];
      names[place.from + i] = place.name;
    }
  size_t opened = 0;
  for (size_t i = 0; i < it.object.size(); ++i) {
    for (const uint8_t mask : kMasks) {
      Bytes bad = it.object;
      bad[i] = static_cast<uint8_t>(bad[i] ^ mask);
      MemorySink released;
      const auto result = open_for_test(bad, {it.key}, {}, &released);
      const auto place = open.find(i);
      const bool may_open = place != open.end() && (mask & ~place->second) == 0;
      INFO("byte " << i << " mask " << int{mask} << " " << names[i]);
      CHECK(result.has_value() == may_open);
      opened += may_open ? 1 : 0;
      if (result) {
        CHECK(*result == it.plain);
      } else {
        CHECK(std::ranges::equal(released.bytes, ByteView(it.plain).first(released.bytes.size())));
        CHECK(released.bytes.size() % kSmallSegment == 0);
      }
    }
  }
  CHECK(opened == 40 * kMasks.size() + 2 * 3 + 2 * 4);
}

// Nothing of these is under the key's binding, the root signature, or the assertions' own (docs/limits.md).
// "=" at the end: the member's name. Without the member its default counts, which is the same here, or
// nothing.
TEST_CASE(
    "every bit of a manifest flipped behind a right checksum: refused, but where no signature reaches") {
  const std::set<std::string> kOpen{
      "/schemaVersion", "/schemaVersion=", "/payload/mimeType", "/payload/mimeType=",
      // Where a key service is asked, and for which of its keys: another one does not have it.
      "/encryptionInformation/keyAccess/0/url", "/encryptionInformation/keyAccess/0/kid",
      "/encryptionInformation/keyAccess/0/kid=", "/encryptionInformation/keyAccess/0/protocol=",
      "/encryptionInformation/keyAccess/0/policyBinding/alg=",
      // Members that say what we do not read.
      "/encryptionInformation/method/iv=", "/encryptionInformation/method/isStreamable=",
      // All segments say their sizes themselves; or one is as long as the default.
      "/encryptionInformation/integrityInformation/segmentHashAlg=",
      "/encryptionInformation/integrityInformation/segmentSizeDefault",
      "/encryptionInformation/integrityInformation/encryptedSegmentSizeDefault",
      "/encryptionInformation/integrityInformation/segments/0/segmentSize=",
      "/encryptionInformation/integrityInformation/segments/0/encryptedSegmentSize=",
      // All of them: whoever relies on one pins it, or the originator's signature.
      "/assertions="};
  // The same point, in another of the ways in which PEM and DER write one.
  const std::string kPem = "/encryptionInformation/keyAccess/0/ephemeralPublicKey";
  const auto key_of = [](const std::string& manifest) {
    const Manifest read = read_manifest(manifest).value();
    return crypto::PublicKey::from_pem(read.key_access.at(0).ephemeral_key).value().thumbprint();
  };
  const Sealed it = sealed();
  const std::string manifest = manifest_text_of(it.object);
  std::map<size_t, std::string> names;
  for (const Place& place : Pointers(manifest).places)
    for (size_t i = 0; i < place.size; ++i) names[place.from + i] = place.name;
  std::set<std::string> opened;
  for (size_t i = 0; i < manifest.size(); ++i) {
    for (const uint8_t mask : kMasks) {
      std::string bad = manifest;
      bad[i] = static_cast<char>(bad[i] ^ mask);
      MemorySink released;
      const auto result = open_for_test(with_manifest(it.object, bad), {it.key}, {}, &released);
      const bool may_open = kOpen.contains(names[i]);
      INFO("byte " << i << " mask " << int{mask} << " " << names[i]);
      if (result) {
        CHECK((may_open || (names[i] == kPem && key_of(bad) == key_of(manifest))));
        CHECK(*result == it.plain);
        opened.insert(names[i]);
      } else {
        CHECK(released.bytes.empty());
        // Where anything may stand, only what is no manifest any more is refused.
        const std::string code = result.error().code();
        CHECK((!may_open || code == "data.manifest" || code == "data.key-access"));
      }
    }
  }
  opened.erase(kPem);
  CHECK(opened == kOpen);
}
