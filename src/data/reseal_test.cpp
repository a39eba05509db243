#include "data/reseal.h"

#include "data/object_for_test.h"

using namespace entente;
using namespace entente::data;
using crypto::KeyKind;
using crypto::PrivateKey;

namespace {

Bytes resealed(const Bytes& object, const PrivateKey& with, const ResealPlan& plan,
               const OpenExpect& expect = {}) {
  const MemorySource source(object);
  const SealedObject sealed = read_object(source).value();
  MemorySink sink;
  sink.bytes.assign(object.begin(), object.begin() + static_cast<std::ptrdiff_t>(kept_bytes(sealed)));
  const crypto::Secret key = collect_key(sealed.manifest, with_keys({with})).value();
  const auto manifest = reseal(sealed, key, plan, expect, sink);
  REQUIRE_MESSAGE(manifest.has_value(), manifest.error().text());
  return std::move(sink.bytes);
}

Rights rights_for(const PrivateKey& key) {
  return {{"another", {{"https://xaa.example", "releasable", "xcc"}}, {}},
          {{Recipient{key.public_key(), "https://kas.xcc.localhost", "c", ""}}},
          {}};
}

Bytes payload_of(const Bytes& object) {
  const MemorySource source(object);
  const ObjectZip zip = read_zip(source).value();
  Bytes out(static_cast<size_t>(zip.payload.size));
  REQUIRE(source.read(zip.payload.data_at, out));
  return out;
}

}  // namespace

TEST_CASE("a new manifest gives other rights and leaves every byte of the payload as it was") {
  const PrivateKey before = key_for_test();
  const PrivateKey after = key_for_test(KeyKind::rsa);
  const Bytes plain = to_bytes("EXERCISE: ten tents, two doctors");
  SealPlan plan = plan_for_test(before);
  plan.assertions.push_back({.id = "kept", .value = "EXERCISE"});
  const Bytes object = seal_for_test(plan, plain);
  const Bytes changed = resealed(object, before, {.rights = rights_for(after)});
  CHECK(payload_of(changed) == payload_of(object));
  CHECK(open_for_test(changed, {after}).value() == plain);
  CHECK(code_of(open_for_test(changed, {before})) == "data.unwrap");
  const Manifest manifest = read_manifest(manifest_text_of(changed)).value();
  CHECK(read_policy(manifest.policy_text)->uuid == "another");
  CHECK(manifest.assertions.size() == 1);
  // Nothing of the old key access objects is left in the file.
  const std::string all(as_text(changed));
  CHECK(all.find("kas.xaa.localhost") == std::string::npos);
  // And once more, from there.
  const Bytes again = resealed(changed, after, {.rights = rights_for(before)});
  CHECK(open_for_test(again, {before}).value() == plain);
}

TEST_CASE("assertions are replaced as a whole; the originator's old signature goes with what it covered") {
  const PrivateKey reader = key_for_test();
  const PrivateKey aldoria = key_for_test();
  const OriginatorKeys keys{{"XAA", aldoria.public_key()}};
  SealPlan plan = plan_for_test(reader);
  plan.originator = OriginatorKey{"XAA", aldoria};
  plan.assertions.push_back({.id = "old", .value = "EXERCISE"});
  const Bytes object = seal_for_test(plan, to_bytes("EXERCISE"));
  const auto manifest_of = [](const Bytes& bytes) { return read_manifest(manifest_text_of(bytes)).value(); };
  REQUIRE(verify_originator(manifest_of(object), keys));

  ResealPlan label;
  label.assertions = std::vector<Assertion>{{.id = "new", .value = "EXERCISE RESTRICTED"}};
  const Bytes relabelled = resealed(object, reader, label);
  CHECK(code_of(open_for_test(relabelled, {reader})) == "ok");
  CHECK_FALSE(claimed_originator(manifest_of(relabelled)));
  label.originator = OriginatorKey{"XAA", aldoria};
  const Bytes signed_again = resealed(object, reader, label);
  CHECK(verify_originator(manifest_of(signed_again), keys).value() == "XAA");
  CHECK(read_assertion(manifest_of(signed_again).assertions.at(0))->id == "new");

  // The same policy for other recipients: the signature still covers all there is.
  Rights same = rights_for(reader);
  same.policy = read_policy(manifest_of(object).policy_text).value();
  CHECK(verify_originator(manifest_of(resealed(object, reader, {.rights = same})), keys));
  CHECK_FALSE(claimed_originator(manifest_of(resealed(object, reader, {.rights = rights_for(reader)}))));
}

TEST_CASE("what does not verify is not sealed again") {
  const PrivateKey key = key_for_test();
  const Bytes object = seal_for_test(plan_for_test(key), to_bytes("EXERCISE"));
  const MemorySource source(object);
  SealedObject sealed = read_object(source).value();
  const crypto::Secret secret = collect_key(sealed.manifest, with_keys({key})).value();
  MemorySink sink;
  OpenExpect expect;
  expect.originators = {{"XAA", key.public_key()}};
  CHECK(reseal(sealed, secret, {}, expect, sink).error().code() == "data.originator");
  sealed.manifest.root_signature[0] ^= 1;
  CHECK(reseal(sealed, secret, {}, {}, sink).error().code() == "data.root-signature");
  CHECK(sink.bytes.empty());
}
