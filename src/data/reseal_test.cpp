#include "data/reseal.h"

#include "data/lineage.h"
#include "data/object_for_test.h"

#include <algorithm>
#include <array>

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
  const Kept kept = kept_bytes(sealed);
  const ByteView stays =
      ByteView(object).subspan(static_cast<size_t>(kept.at), static_cast<size_t>(kept.size));
  sink.bytes.assign(stays.begin(), stays.end());
  const crypto::Secret key = collect_key(sealed.manifest, with_keys({with})).value();
  const auto manifest = reseal(sealed, key, plan, expect, sink);
  REQUIRE_MESSAGE(manifest.has_value(), manifest.error().text());
  return std::move(sink.bytes);
}

Rights rights_for(const PrivateKey& key) {
  return {{"another", {parse_attribute("https://xaa.example/attr/releasable/value/xcc").value()}, {}},
          {{Recipient{key.public_key(), "https://kas.xcc.localhost", "c", ""}}},
          {}};
}

// What is asked for to make this of what plan_for_test() seals, in words.
std::string rights(const ResealPlan& plan, const SealPlan& old) {
  Manifest manifest;
  manifest.policy_text = write_policy(old.policy);
  manifest.key_access = wrap_key(crypto::Secret::random(kShareBytes), old, manifest.policy_text).value();
  std::string out;
  for (const coalition::Action one : rights_for(manifest, plan))
    out.append(out.empty() ? "" : " ").append(coalition::action_name(one));
  return out;
}

Bytes payload_of(const Bytes& object) {
  const MemorySource source(object);
  const ObjectZip zip = read_zip(source).value();
  Bytes out(static_cast<size_t>(zip.payload.size));
  REQUIRE(source.read(zip.payload.data_at, out));
  return out;
}

void put(Bytes& out, uint64_t value, size_t length) {
  for (size_t i = 0; i < length; ++i)
    out.push_back(i < 8 ? static_cast<uint8_t>(value >> (8 * i)) : uint8_t{0});
}

// The same object as other software may write it: the manifest first, then bytes that belong to nothing, then
// the payload.
Bytes manifest_first(const Bytes& object, std::string_view gap) {
  const MemorySource source(object);
  const ObjectZip zip = read_zip(source).value();
  const std::string manifest = manifest_text_of(object);
  const Bytes payload = payload_of(object);
  struct Entry {
    std::string_view name;
    ByteView data;
    uint32_t crc;
    size_t at;
  };
  Bytes out;
  std::array<Entry, 2> entries{{{kManifestName, as_bytes(manifest), zip.manifest.crc, 0},
                                {kPayloadName, payload, zip.payload.crc, 0}}};
  const auto put_header = [&](const Entry& e, bool central) {
    put(out, central ? 0x02014b50 : 0x04034b50, 4), put(out, 20, central ? 4 : 2), put(out, 0, 8);
    put(out, e.crc, 4), put(out, e.data.size(), 4), put(out, e.data.size(), 4), put(out, e.name.size(), 2);
    put(out, 0, central ? 12 : 2);
    if (central) put(out, e.at, 4);
    for (const char c : e.name) out.push_back(static_cast<uint8_t>(c));
  };
  for (Entry& e : entries) {
    e.at = out.size();
    put_header(e, false);
    out.insert(out.end(), e.data.begin(), e.data.end());
    out.insert(out.end(), gap.begin(), gap.end());
  }
  const size_t directory = out.size();
  for (const Entry& e : entries) put_header(e, true);
  const size_t size = out.size() - directory;
  put(out, 0x06054b50, 4), put(out, 0, 4), put(out, 2, 2), put(out, 2, 2);
  put(out, size, 4), put(out, directory, 4), put(out, 0, 2);
  return out;
}

}  // namespace

TEST_CASE("attack: nothing of an old manifest is left in front, however the file was laid out") {
  const PrivateKey before = key_for_test();
  const PrivateKey after = key_for_test();
  const Bytes plain = to_bytes("EXERCISE: ten tents, two doctors");
  const Bytes old = manifest_first(seal_for_test(plan_for_test(before), plain), "old policy in a gap");
  REQUIRE(open_for_test(old, {before}).value() == plain);
  const Manifest manifest = read_manifest(manifest_text_of(old)).value();
  const Bytes changed = resealed(old, before, {.rights = rights_for(after)});
  CHECK(open_for_test(changed, {after}).value() == plain);
  CHECK(payload_of(changed) == payload_of(old));
  const std::string_view all = as_text(changed);
  CHECK(all.find(manifest.policy_text) == std::string_view::npos);
  CHECK(all.find(base64(manifest.key_access.front().wrapped_key)) == std::string_view::npos);
  CHECK(all.find("gap") == std::string_view::npos);
}

TEST_CASE("keys that are wrapped in a way that is not known are not lost by the way") {
  const PrivateKey reader = key_for_test();
  const Bytes object = seal_for_test(plan_for_test(reader), to_bytes("EXERCISE"));
  const MemorySource source(object);
  SealedObject sealed = read_object(source).value();
  sealed.manifest.passed_over = {"hybrid-wrapped"};
  const crypto::Secret key = collect_key(sealed.manifest, with_keys({reader})).value();
  label::Label label;
  label.policy = "EXERCISE";
  label.classification = "RESTRICTED";
  ResealPlan relabel;
  relabel.label = label_assertion(label).value();
  MemorySink sink;
  const auto refused = reseal(sealed, key, relabel, {}, sink);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == "data.seal");
  CHECK(sink.bytes.empty());
}

TEST_CASE("a label takes the place of labels alone") {
  const PrivateKey reader = key_for_test();
  label::Label label;
  label.policy = "EXERCISE";
  label.classification = "RESTRICTED";
  SealPlan plan = plan_for_test(reader);
  plan.assertions = {{.id = "kept", .value = "EXERCISE"}, label_assertion(label).value()};
  plan.assertions.back().id = "by another name";
  const Bytes object = seal_for_test(plan, to_bytes("EXERCISE"));
  label.classification = "UNCLASSIFIED";
  ResealPlan relabel;
  relabel.label = label_assertion(label).value();
  const Bytes changed = resealed(object, reader, relabel);
  CHECK(code_of(open_for_test(changed, {reader})) == "ok");
  const Manifest manifest = read_manifest(manifest_text_of(changed)).value();
  REQUIRE(manifest.assertions.size() == 2);
  CHECK(manifest.assertions[0].text_or("id", "") == "kept");
  CHECK(read_label_assertion(read_assertion(manifest.assertions[1]).value())->classification ==
        "UNCLASSIFIED");
}

TEST_CASE("a policy that means the same keeps its text, and with it its originator's signature") {
  const PrivateKey reader = key_for_test();
  const PrivateKey aldoria = key_for_test();
  const SealPlan plan = plan_for_test(reader);
  const Bytes ours = seal_for_test(plan, to_bytes("EXERCISE"));
  // As other software writes it: the same policy in other bytes.
  Manifest theirs = read_manifest(manifest_text_of(ours)).value();
  const crypto::Secret key = collect_key(theirs, with_keys({reader})).value();
  const Bytes text = from_base64(theirs.policy_text).value();
  theirs.policy_text = base64(as_bytes(Json::parse(as_text(text))->pretty()));
  theirs.key_access = wrap_key(key, plan, theirs.policy_text).value();
  theirs.assertions.push_back(
      originator_assertion(theirs, digests_for_test(ours), key, OriginatorKey{"XAA", aldoria}).value());
  MemorySink written;
  REQUIRE(write_manifest(theirs, written));
  const Bytes object = with_manifest(ours, std::string(as_text(written.bytes)));
  Rights same = rights_for(reader);
  same.policy = plan.policy;
  const Manifest manifest =
      read_manifest(manifest_text_of(resealed(object, reader, {.rights = same}))).value();
  CHECK(manifest.policy_text == theirs.policy_text);
  CHECK(verify_originator(manifest, digests_for_test(object), {{"XAA", aldoria.public_key()}}));
}

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
  REQUIRE(manifest.assertions.size() == 2);
  CHECK(manifest.assertions[0].text_or("id", "") == "kept");
  CHECK(manifest.assertions[1].text_or("id", "") == kLineageAssertionId);
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
  const auto signed_by = [&](const Bytes& bytes) {
    return verify_originator(manifest_of(bytes), digests_for_test(bytes), keys);
  };
  REQUIRE(signed_by(object));

  ResealPlan label;
  label.assertions = std::vector<Assertion>{{.id = "new", .value = "EXERCISE RESTRICTED"}};
  const Bytes relabelled = resealed(object, reader, label);
  CHECK(code_of(open_for_test(relabelled, {reader})) == "ok");
  CHECK_FALSE(claimed_originator(manifest_of(relabelled)));
  label.originator = OriginatorKey{"XAA", aldoria};
  const Bytes signed_again = resealed(object, reader, label);
  CHECK(signed_by(signed_again).value() == "XAA");
  CHECK(read_assertion(manifest_of(signed_again).assertions.at(0))->id == "new");

  // The same policy for other recipients: the signature still covers all there is.
  Rights same = rights_for(reader);
  same.policy = read_policy(manifest_of(object).policy_text).value();
  CHECK(signed_by(resealed(object, reader, {.rights = same})));
  CHECK_FALSE(claimed_originator(manifest_of(resealed(object, reader, {.rights = rights_for(reader)}))));
}

TEST_CASE("What is verified in the copy is what is written, whatever becomes of the old file") {
  const PrivateKey key = key_for_test();
  const Bytes plain = to_bytes("EXERCISE: ten tents");
  Bytes object = seal_for_test(plan_for_test(key), plain);
  const MemorySource source(object);
  const SealedObject sealed = read_object(source).value();
  const Kept kept = kept_bytes(sealed);
  const ByteView stays =
      ByteView(object).subspan(static_cast<size_t>(kept.at), static_cast<size_t>(kept.size));
  const Bytes copied(stays.begin(), stays.end());
  MemorySink sink;
  sink.bytes = copied;
  std::ranges::fill(object, uint8_t{0});
  const MemorySource copy(copied);
  const crypto::Secret secret = collect_key(sealed.manifest, with_keys({key})).value();
  REQUIRE(reseal(kept_object(sealed, copy), secret,
                 {.originator = OriginatorKey{"XAA", key}, .vouched = true}, {}, sink));
  CHECK(open_for_test(sink.bytes, {key}).value() == plain);
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

TEST_CASE(
    "a reseal takes the right to what it does: to pass on where it opens to more, to relabel, or both") {
  const PrivateKey key = key_for_test();
  const auto to = [&](const std::string& url, const std::string& kid = "k") {
    return Recipient{key.public_key(), url, kid, ""};
  };
  const Recipient a = to("https://kas.xaa.localhost"), b = to("https://kas.xbb.localhost"),
                  mine = to("urn:entente:key:1", "1");
  const std::vector<AnyOf> any{{a, b}}, both{{a}, {b}}, one{{a}};
  SealPlan old = plan_for_test(key);
  ResealPlan plan;
  const auto after = [&](const std::vector<AnyOf>& before, const std::vector<AnyOf>& now) {
    old.shares = before;
    plan.rights = Rights{old.policy, now, {}};
    return rights(plan, old);
  };
  for (const auto& same : {any, both, one}) CHECK(after(same, same) == "open");
  CHECK(after(one, {{to("https://kas.xaa.localhost/kas", "newer")}}) == "open");  // its own new key
  // Fewer, or more of them needed.
  CHECK(after(any, one) == "open");
  CHECK(after(any, both) == "open");
  CHECK(after(one, both) == "open");
  CHECK(after(one, {{a}, {mine}}) == "open");
  // Somebody else, or fewer of them needed.
  CHECK(after(one, {{mine}}) == "forward");
  CHECK(after(one, {{a, mine}}) == "forward");
  CHECK(after(one, any) == "forward");
  CHECK(after(both, any) == "forward");
  CHECK(after(both, one) == "forward");
  CHECK(after(both, {{a}, {b, mine}}) == "forward");

  const auto people = [&](std::vector<std::string> before, std::vector<std::string> now) {
    old.policy.dissem = std::move(before);
    old.shares = one;
    plan.rights = Rights{old.policy, one, {}};
    plan.rights->policy.dissem = std::move(now);
    return rights(plan, old);
  };
  CHECK(people({}, {"XBB/ana"}) == "open");
  CHECK(people({"XBB/ana", "XBB/bo"}, {"XBB/bo"}) == "open");
  CHECK(people({"XBB/ana"}, {"XBB/bo"}) == "forward");
  CHECK(people({"XBB/ana"}, {"XBB/ana", "XBB/bo"}) == "forward");
  CHECK(people({"XBB/ana"}, {}) == "forward");

  people({}, {});
  plan.rights->policy.attributes.push_back(old.policy.attributes.front());
  CHECK(rights(plan, old) == "open");  // the same again
  plan.rights->policy.attributes.push_back(parse_attribute("https://xaa.example/attr/a/value/b").value());
  CHECK(rights(plan, old) == "relabel");
  plan.rights->shares = any;
  CHECK(rights(plan, old) == "forward relabel");
  plan.rights->policy.attributes.clear();
  CHECK(rights(plan, old) == "forward relabel");
  plan.rights.reset();
  CHECK(rights(plan, old) == "open");  // signed anew
  label::Label label;
  label.policy = "EXERCISE";
  label.classification = "RESTRICTED";
  plan.label = label_assertion(label).value();
  CHECK(rights(plan, old) == "relabel");
}

TEST_CASE("what is made of an object says of which, and of which that one was made") {
  const PrivateKey high = key_for_test(), between = key_for_test(), low = key_for_test();
  const auto manifest = [](const Bytes& object) { return read_manifest(manifest_text_of(object)).value(); };
  const Bytes first = seal_for_test(plan_for_test(high), to_bytes("EXERCISE: ten tents"));
  CHECK_FALSE(read_lineage(manifest(first)).has_value());
  const KeyDigests original = key_digests(manifest(first));
  REQUIRE(original.size() == 1);
  const Bytes second = resealed(first, high, {.rights = rights_for(between)});
  CHECK(read_lineage(manifest(second)).value() == Lineage{original, original});
  const Bytes third = resealed(second, between, {.rights = rights_for(low)});
  CHECK(read_lineage(manifest(third)).value() == Lineage{original, key_digests(manifest(second))});
  CHECK(open_for_test(third, {low}));  // it is bound as all other assertions are

  // Where nobody wraps the key anew it is the same object.
  ResealPlan relabel;
  label::Label label;
  label.policy = "EXERCISE";
  label.classification = "RESTRICTED";
  relabel.label = label_assertion(label).value();
  CHECK(read_lineage(manifest(resealed(third, low, relabel))) == read_lineage(manifest(third)));

  // A signature that stays knows of no such statement; a new one covers it.
  const PrivateKey signer = key_for_test();
  SealPlan plan = plan_for_test(high);
  plan.originator = OriginatorKey{"XAA", signer};
  const SealPlan as_before = plan_for_test(low);
  const Bytes with_signature = seal_for_test(std::move(plan), to_bytes("EXERCISE"));
  const Rights same{as_before.policy, as_before.shares, {}};
  const Bytes moved = resealed(with_signature, high, {.rights = same});
  CHECK(claimed_originator(manifest(moved)) == "XAA");
  CHECK_FALSE(read_lineage(manifest(moved)).has_value());
  // What has the form of one and names nobody is no signature to keep for.
  SealPlan junk = plan_for_test(high);
  junk.assertions.push_back(read_assertion(manifest(with_signature).assertions.back()).value());
  junk.assertions.back().value = "junk";
  const Bytes with_junk = seal_for_test(std::move(junk), to_bytes("EXERCISE"));
  REQUIRE(claimed_originator(manifest(with_junk)) == "");
  CHECK(read_lineage(manifest(resealed(with_junk, high, {.rights = same}))).has_value());
  ResealPlan anew{.rights = same};
  anew.originator = OriginatorKey{"XAA", signer};
  const Bytes signed_anew = resealed(with_signature, high, anew);
  CHECK(read_lineage(manifest(signed_anew))->previous == key_digests(manifest(with_signature)));
  const auto verified = [&](Manifest of) {
    return verify_originator(of, digests_for_test(signed_anew), {{"XAA", signer.public_key()}}).has_value();
  };
  Manifest without = manifest(signed_anew);
  CHECK(verified(without));
  std::erase_if(without.assertions,
                [](const Json& one) { return one.text_or("id", "") == kLineageAssertionId; });
  CHECK_FALSE(verified(without));
}

TEST_CASE("attack: a lineage of another shape says nothing, and is not carried on") {
  const auto read = [](Json value) {
    Manifest manifest;
    Assertion assertion = lineage_assertion({});
    assertion.value = std::move(value);
    manifest.assertions.push_back(bind_with_object_key(assertion, {}, crypto::Secret::random(32)));
    return read_lineage(manifest);
  };
  const std::string digest = base64url(crypto::sha256("a"));
  const Json one = Json::array({digest});
  CHECK(read(Json::object({{"original", one}, {"previous", one}})).has_value());
  Json many = Json::array();
  for (size_t i = 0; i <= kDigestsMax; ++i) many.push(digest);
  for (const Json& odd : {Json(), Json(digest), Json::array(), many, Json::array({"a"}), Json::array({1}),
                          Json::array({digest + "\x1b[2J"}), Json::array({digest + "AAAA"})}) {
    CHECK_FALSE(read(Json::object({{"original", one}, {"previous", odd}})).has_value());
    CHECK_FALSE(read(Json::object({{"original", odd}, {"previous", one}})).has_value());
    CHECK(read_key_metadata_from(Json::object({{"from", odd}})).empty());
  }
  CHECK_FALSE(read(Json::object({{"previous", one}})).has_value());
  CHECK_FALSE(read(digest).has_value());
}
