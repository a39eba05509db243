#include "crypto/aead.h"
#include "data/object_for_test.h"

#include <array>
#include <random>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace entente;
using namespace entente::data;
using crypto::KeyKind;
using crypto::PrivateKey;

namespace {

constexpr uint32_t kSmallSegment = 64;

Bytes some_text(size_t length) {
  Bytes out(length);
  std::mt19937 random(static_cast<uint32_t>(length));
  for (uint8_t& byte : out) byte = static_cast<uint8_t>(random());
  return out;
}

SealPlan small_plan(const PrivateKey& key) {
  SealPlan plan = plan_for_test(key);
  plan.segment_bytes = kSmallSegment;
  return plan;
}

Json manifest_json(ByteView object) {
  return Json::parse(manifest_text_of(object)).value();
}

// The member at a path of keys and indices.
Json& at(Json& json, std::initializer_list<const char*> path) {
  Json* here = &json;
  for (const char* step : path) {
    if (here->is_array()) {
      here = &here->items().at(static_cast<size_t>(step[0] - '0'));
      continue;
    }
    Json* next = const_cast<Json*>(here->find(step));
    REQUIRE_MESSAGE(next != nullptr, step);
    here = next;
  }
  return *here;
}

std::string flipped_base64(const Json& text) {
  Bytes bytes = from_base64(text.string()).value();
  bytes.front() ^= 1;
  return base64(bytes);
}

}  // namespace

TEST_CASE("what is sealed opens again: every kind of key, both versions, sizes around a segment's") {
  for (const KeyKind kind : {KeyKind::rsa, KeyKind::p256, KeyKind::p384, KeyKind::p521}) {
    const PrivateKey key = key_for_test(kind);
    for (const ObjectVersion version : {ObjectVersion::v4_3_0, ObjectVersion::v4_2_2}) {
      for (const size_t size : std::initializer_list<size_t>{0, 1, 63, 64, 65, 127, 128, 129, 6400}) {
        INFO(static_cast<int>(kind) << " " << size);
        SealPlan plan = small_plan(key);
        plan.version = version;
        const Bytes plain = some_text(size);
        const Bytes object = seal_for_test(plan, plain);
        const auto opened = open_for_test(object, {key});
        REQUIRE_MESSAGE(opened.has_value(), opened.error().text());
        CHECK(*opened == plain);
        const Manifest manifest = read_manifest(manifest_text_of(object)).value();
        CHECK(manifest.schema_version == (version == ObjectVersion::v4_3_0 ? "4.3.0" : ""));
        CHECK(manifest.segments.count() == std::max<size_t>(1, (size + 63) / 64));
      }
    }
  }
}

TEST_CASE("plain text may come in pieces of any size") {
  const PrivateKey key = key_for_test();
  const Bytes plain = some_text(1000);
  for (const size_t piece : std::initializer_list<size_t>{1, 7, 63, 64, 65, 200, 1000}) {
    MemorySink sink;
    Sealer sealer = Sealer::begin(sink, small_plan(key), std::nullopt).value();
    for (size_t from = 0; from < plain.size(); from += piece)
      REQUIRE(sealer.write(ByteView(plain).subspan(from, std::min(piece, plain.size() - from))));
    REQUIRE(sealer.finish());
    CHECK(open_for_test(sink.bytes, {key}).value() == plain);
  }
}

TEST_CASE("any range reads as in the whole, and behind the end nothing does") {
  const PrivateKey key = key_for_test();
  const Bytes plain = some_text(300);
  const Bytes object = seal_for_test(small_plan(key), plain);
  const MemorySource source(object);
  const SealedObject sealed = read_object(source).value();
  OpenObject open = OpenObject::open(sealed, collect_key(sealed.manifest, with_keys({key})).value()).value();
  REQUIRE(open.size() == 300);
  for (size_t from = 0; from <= 300; from += 13) {
    for (size_t length = 0; from + length <= 300; length += 17) {
      Bytes out(length);
      REQUIRE(open.read(from, out));
      CHECK(std::ranges::equal(out, ByteView(plain).subspan(from, length)));
    }
  }
  Bytes one(1);
  CHECK(open.read(300, one).error().code() == "data.segment");
  CHECK(open.read(UINT64_MAX, one).error().code() == "data.segment");
}

TEST_CASE("an object of several shares opens only with all of them; alternatives of one share with any") {
  const PrivateKey xaa = key_for_test();
  const PrivateKey xbb = key_for_test(KeyKind::rsa);
  const PrivateKey spare = key_for_test(KeyKind::p384);
  SealPlan plan = small_plan(xaa);
  plan.shares = {{Recipient{xaa.public_key(), "https://kas.xaa.localhost", "a", ""},
                  Recipient{spare.public_key(), "https://spare.xaa.localhost", "s", ""}},
                 {Recipient{xbb.public_key(), "https://kas.xbb.localhost", "b", ""}}};
  const Bytes plain = some_text(100);
  const Bytes object = seal_for_test(plan, plain);
  CHECK(open_for_test(object, {xaa, xbb}).value() == plain);
  CHECK(open_for_test(object, {spare, xbb}).value() == plain);
  CHECK(code_of(open_for_test(object, {xaa, spare})) == "data.unwrap");
  CHECK(code_of(open_for_test(object, {xbb})) == "data.unwrap");
  CHECK(code_of(open_for_test(object, {})) == "data.unwrap");
}

TEST_CASE("tampering with a manifest is refused before a byte of plain text is released") {
  const PrivateKey key = key_for_test();
  SealPlan plan = small_plan(key);
  plan.assertions.push_back({.id = "a1", .value = "EXERCISE"});
  const Bytes object = seal_for_test(plan, some_text(200));
  const Json good = manifest_json(object);
  REQUIRE(open_for_test(with_manifest(object, good.dump()), {key}));

  struct Case {
    const char* name;
    std::function<void(Json&)> change;
    const char* code;
  };
  const std::initializer_list<const char*> integrity{"encryptionInformation", "integrityInformation"};
  const auto segments = [&](Json& m) -> Json& {
    return *const_cast<Json*>(at(m, integrity).find("segments"));
  };
  const auto access = [&](Json& m) -> Json& { return at(m, {"encryptionInformation", "keyAccess", "0"}); };
  const std::vector<Case> cases{
      {"root signature",
       [&](Json& m) {
         Json& s = at(m, {"encryptionInformation", "integrityInformation", "rootSignature", "sig"});
         s = flipped_base64(s);
       },
       "data.root-signature"},
      {"segment hash",
       [&](Json& m) {
         Json& s = segments(m).items()[1];
         s.set("hash", flipped_base64(*s.find("hash")));
       },
       "data.root-signature"},
      {"segment size", [&](Json& m) { segments(m).items()[0].set("segmentSize", 63); }, "data.manifest"},
      {"both segment sizes",
       [&](Json& m) { segments(m).items()[0].set("segmentSize", 63).set("encryptedSegmentSize", 91); },
       "data.segment"},
      {"sizes moved between segments",
       [&](Json& m) {
         segments(m).items()[0].set("segmentSize", 63).set("encryptedSegmentSize", 91);
         segments(m).items()[1].set("segmentSize", 65).set("encryptedSegmentSize", 93);
       },
       "data.segment"},
      {"segments in another order",
       [&](Json& m) { std::swap(segments(m).items()[0], segments(m).items()[1]); }, "data.root-signature"},
      {"last segment taken away", [&](Json& m) { segments(m).items().pop_back(); }, "data.root-signature"},
      {"policy",
       [&](Json& m) { at(m, {"encryptionInformation", "policy"}) = write_policy({"5e0f", {}, {}}); },
       "data.binding"},
      {"policy, re-encoded",
       [&](Json& m) {
         Json& p = at(m, {"encryptionInformation", "policy"});
         p = base64(as_bytes(std::string(as_text(from_base64(p.string()).value())) + " "));
       },
       "data.binding"},
      {"binding",
       [&](Json& m) {
         Json& b = *const_cast<Json*>(access(m).find("policyBinding"));
         b.set("hash", flipped_base64(*b.find("hash")));
       },
       "data.binding"},
      {"wrapped key",
       [&](Json& m) { access(m).set("wrappedKey", flipped_base64(*access(m).find("wrappedKey"))); },
       "data.unwrap"},
      {"ephemeral key",
       [&](Json& m) { access(m).set("ephemeralPublicKey", key_for_test().public_key().pem()); },
       "data.unwrap"},
      {"assertion statement",
       [&](Json& m) { at(m, {"assertions", "0", "statement"}).set("value", "EXERCISE RELEASED"); },
       "data.assertion"},
      {"assertion scope", [&](Json& m) { at(m, {"assertions", "0"}).set("scope", "payload"); },
       "data.assertion"},
      {"assertion member added", [&](Json& m) { at(m, {"assertions", "0"}).set("more", 1); },
       "data.assertion"},
      {"assertion binding",
       [&](Json& m) {
         Json& s = at(m, {"assertions", "0", "binding", "signature"});
         std::string t = s.string();
         t.back() = t.back() == 'A' ? 'Q' : 'A';
         s = t;
       },
       "data.assertion"},
      {"assertion without binding",
       [&](Json& m) {
         std::erase_if(at(m, {"assertions", "0"}).members(), [](auto& x) { return x.first == "binding"; });
       },
       "data.assertion"},
      {"assertion twice", [&](Json& m) { at(m, {"assertions"}).push(at(m, {"assertions", "0"})); },
       "data.assertion"},
      {"payload said to be plain", [&](Json& m) { at(m, {"payload"}).set("isEncrypted", false); },
       "data.manifest"},
      {"payload elsewhere", [&](Json& m) { at(m, {"payload"}).set("url", "http://attacker.example/p"); },
       "data.manifest"},
      {"another cipher",
       [&](Json& m) { at(m, {"encryptionInformation", "method"}).set("algorithm", "AES-256-CBC"); },
       "data.manifest"},
      {"another signature algorithm",
       [&](Json& m) {
         at(m, {"encryptionInformation", "integrityInformation", "rootSignature"}).set("alg", "none");
       },
       "data.manifest"},
      {"another version", [&](Json& m) { m.set("schemaVersion", "9.0.0"); }, "data.manifest"},
  };
  for (const Case& one : cases) {
    INFO(one.name);
    Json bad = good;
    one.change(bad);
    MemorySink released;
    const auto opened = open_for_test(with_manifest(object, bad.dump()), {key}, {}, &released);
    CHECK(code_of(opened) == one.code);
    // Sizes are no part of the root signature: such a fault shows at the segment, which is then not released.
    CHECK(released.bytes.empty());
  }
}

TEST_CASE("tampering with the payload: the changed segment is never released, nor any behind it") {
  const PrivateKey key = key_for_test();
  const Bytes plain = some_text(200);
  const Bytes object = seal_for_test(small_plan(key), plain);
  const MemorySource source(object);
  const ObjectZip zip = read_zip(source).value();
  for (uint64_t i = 0; i < zip.payload.size; ++i) {
    Bytes bad = object;
    bad[static_cast<size_t>(zip.payload.data_at + i)] ^= 0x20;
    MemorySink released;
    CHECK(code_of(open_for_test(bad, {key}, {}, &released)) == "data.segment");
    const size_t whole = static_cast<size_t>(i / (kSmallSegment + 28)) * kSmallSegment;
    CHECK(std::ranges::equal(released.bytes, ByteView(plain).first(whole)));
  }
}

TEST_CASE(
    "a segment that a reader made, or that stood elsewhere, is refused: the manifest names each one's tag") {
  const PrivateKey key = key_for_test();
  const Bytes object = seal_for_test(small_plan(key), some_text(200));
  const MemorySource source(object);
  const SealedObject sealed = read_object(source).value();
  const crypto::Secret secret = collect_key(sealed.manifest, with_keys({key})).value();
  const auto first = object.begin() + static_cast<std::ptrdiff_t>(sealed.zip.payload.data_at);
  constexpr std::ptrdiff_t kWhole = kSmallSegment + 28;

  Bytes swapped = object;
  std::swap_ranges(swapped.begin() + (first - object.begin()),
                   swapped.begin() + (first - object.begin()) + kWhole,
                   swapped.begin() + (first - object.begin()) + kWhole);
  MemorySink released;
  CHECK(code_of(open_for_test(swapped, {key}, {}, &released)) == "data.segment");
  CHECK(released.bytes.empty());

  // Whoever opened the object has its key and can seal a segment of the same length.
  Bytes forged = object;
  crypto::Aead(secret.bytes())
      .seal(crypto::random_bytes(12), Bytes(kSmallSegment, 'x'),
            std::span(forged).subspan(static_cast<size_t>(first - object.begin()), kWhole));
  CHECK(code_of(open_for_test(forged, {key}, {}, &released)) == "data.segment");
  CHECK(released.bytes.empty());
}

TEST_CASE("a payload that is longer than its segments hides something, and is refused") {
  const PrivateKey key = key_for_test();
  const Bytes object = seal_for_test(small_plan(key), some_text(200));
  const std::string manifest = manifest_text_of(object);
  MemorySink released;
  CHECK(code_of(open_for_test(with_manifest(object, manifest), {key})) == "ok");
  CHECK(code_of(open_for_test(with_manifest(object, manifest, as_bytes("more")), {key}, {}, &released)) ==
        "data.segment");
  CHECK(released.bytes.empty());
}

TEST_CASE("a range over a damaged segment leaves zeros, not what was read before it") {
  const PrivateKey key = key_for_test();
  Bytes object = seal_for_test(small_plan(key), some_text(200));
  const ObjectZip zip = read_zip(MemorySource(object)).value();
  object[static_cast<size_t>(zip.payload.data_at) + 100] ^= 1;
  const MemorySource source(object);
  const SealedObject sealed = read_object(source).value();
  OpenObject open = OpenObject::open(sealed, collect_key(sealed.manifest, with_keys({key})).value()).value();
  Bytes out(150, 0xaa);
  CHECK(open.read(10, out).error().code() == "data.segment");
  CHECK(out == Bytes(150, 0));
}

TEST_CASE("cut at any place or with anything behind it, an object is refused") {
  const PrivateKey key = key_for_test();
  const Bytes object = seal_for_test(small_plan(key), some_text(100));
  for (size_t length = 0; length < object.size(); ++length)
    CHECK(code_of(open_for_test(ByteView(object).first(length), {key})) != "ok");
  for (const size_t more : std::initializer_list<size_t>{1, 22, 100}) {
    Bytes longer = object;
    longer.resize(object.size() + more);
    CHECK(code_of(open_for_test(longer, {key})) == "data.zip");
  }
}

TEST_CASE("segments grow with the object, so that its list stays short") {
  CHECK(segment_bytes_for(std::nullopt) == 2 << 20);
  CHECK(segment_bytes_for(0) == 2 << 20);
  CHECK(segment_bytes_for(uint64_t{60} << 30) == 2 << 20);
  CHECK(segment_bytes_for(uint64_t{100} << 30) == 4 << 20);
  CHECK(segment_bytes_for(uint64_t{4} << 40) == 16 << 20);
  SealPlan plan = plan_for_test(key_for_test());
  plan.segment_bytes = kSegmentBytesMax + 1;
  MemorySink sink;
  CHECK(Sealer::begin(sink, plan, 1).error().code() == "data.seal");
  plan.segment_bytes = 0;
  plan.shares.clear();
  CHECK(Sealer::begin(sink, plan, 1).error().code() == "data.seal");
  plan.shares = {{}};
  CHECK(Sealer::begin(sink, plan, 1).error().code() == "data.seal");
  CHECK(sink.bytes.empty());
}
