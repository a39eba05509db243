// Small objects for this room's tests.
#pragma once

#include "data/open.h"
#include "data/seal.h"

#include <doctest/doctest.h>

namespace entente::data {

inline crypto::PrivateKey key_for_test(crypto::KeyKind kind = crypto::KeyKind::p256) {
  return crypto::PrivateKey::generate(kind, 2048);
}

inline SealPlan plan_for_test(const crypto::PrivateKey& key) {
  SealPlan plan;
  plan.policy.uuid = "5e0f3a52-0000-4000-8000-000000000001";
  plan.policy.attributes = {parse_attribute("https://xaa.example/attr/releasable/value/xbb").value()};
  plan.shares = {{Recipient{key.public_key(), "https://kas.xaa.localhost", "k1", ""}}};
  return plan;
}

inline Bytes seal_for_test(SealPlan plan, ByteView plain) {
  MemorySink sink;
  Sealer sealer = Sealer::begin(sink, std::move(plan), plain.size()).value();
  REQUIRE(sealer.write(plain));
  REQUIRE(sealer.finish());
  return std::move(sink.bytes);
}

// All of the plain text, or why not. Whatever was released before a fault is in `released`.
inline Result<Bytes> open_for_test(ByteView object, const std::vector<crypto::PrivateKey>& keys,
                                   const OpenExpect& expect = {}, MemorySink* released = nullptr) {
  MemorySink own;
  MemorySink& sink = released == nullptr ? own : *released;
  const MemorySource source(object);
  TRY(const SealedObject sealed, read_object(source));
  TRY(crypto::Secret key, collect_key(sealed.manifest, with_keys(keys)));
  TRY(OpenObject open, OpenObject::open(sealed, std::move(key), expect));
  TRY_VOID(open.copy_to(sink));
  return sink.bytes;
}

inline SegmentDigests digests_for_test(ByteView object) {
  const MemorySource source(object);
  return digests_of(read_object(source).value()).value();
}

inline std::string manifest_text_of(ByteView object) {
  const MemorySource source(object);
  return read_manifest_text(source, read_zip(source).value(), kManifestBytesMax).value();
}

// The same payload, or that and more, under another manifest.
inline Bytes with_manifest(ByteView object, const std::string& manifest, ByteView more = {}) {
  const MemorySource source(object);
  const ObjectZip zip = read_zip(source).value();
  Bytes payload(static_cast<size_t>(zip.payload.size));
  REQUIRE(source.read(zip.payload.data_at, payload));
  MemorySink sink;
  ZipWriter writer(sink);
  REQUIRE(writer.begin_payload(false));
  REQUIRE(writer.payload(payload));
  REQUIRE(writer.payload(more));
  REQUIRE(writer.end_payload());
  REQUIRE(writer.finish([&](Sink& out) { return out.write(as_bytes(manifest)); }));
  return std::move(sink.bytes);
}

inline std::string code_of(const Result<Bytes>& result) {
  return result ? "ok" : result.error().code();
}

}  // namespace entente::data
