#include "crypto/aead.h"
#include "data/object_for_test.h"
#include "data/reseal.h"
#include "label/label.h"
#include "label/label_xml.h"

#include <fmt/format.h>

using namespace entente;
using namespace entente::data;
using crypto::KeyKind;
using crypto::PrivateKey;
using crypto::Secret;

namespace {

// An object's manifest and the key that a reader who opened it has.
struct Opened {
  Manifest manifest;
  Secret key;
  BoundTo object;
  SegmentDigests digests;
};

Opened opened_object(ObjectVersion version = ObjectVersion::v4_3_0, std::optional<OriginatorKey> by = {}) {
  const PrivateKey key = key_for_test();
  SealPlan plan = plan_for_test(key);
  plan.version = version;
  plan.originator = std::move(by);
  plan.assertions.push_back({.id = "first", .value = "EXERCISE"});
  const Bytes object = seal_for_test(plan, as_bytes("EXERCISE: ten tents"));
  Manifest manifest = read_manifest(manifest_text_of(object)).value();
  Secret secret = collect_key(manifest, with_keys({key})).value();
  BoundTo bound = bound_to(manifest.segments, manifest.form);
  return {std::move(manifest), std::move(secret), std::move(bound), digests_for_test(object)};
}

Assertion handling(std::string id) {
  return {.id = std::move(id), .value = "EXERCISE RESTRICTED"};
}

std::string outcome(const Opened& o, const PinnedKeys& pinned = {}) {
  const auto verified = verify_assertions(o.manifest, o.key, pinned);
  return verified ? "ok" : verified.error().code();
}

// Another header on a token, signed by whoever.
std::string token_with(const std::string& header, std::string_view old,
                       const std::function<Bytes(ByteView)>& sign) {
  const size_t first = old.find('.');
  const size_t second = old.find('.', first + 1);
  std::string out = base64url(as_bytes(header)) + std::string(old.substr(first, second - first));
  return out + "." + base64url(sign(as_bytes(out)));
}

std::string& binding_of(Json& assertion) {
  Json& binding = *const_cast<Json*>(assertion.find("binding"));
  for (auto& [key, value] : binding.members())
    if (key == "signature") return const_cast<std::string&>(value.string());
  FAIL("no binding");
  return binding.members()[0].first;
}

}  // namespace

TEST_CASE("assertions hold under the object's key or a pinned one, in both versions") {
  for (const ObjectVersion version : {ObjectVersion::v4_3_0, ObjectVersion::v4_2_2}) {
    for (const KeyKind kind : {KeyKind::p256, KeyKind::rsa}) {
      Opened o = opened_object(version);
      const PrivateKey owner = key_for_test(kind);
      o.manifest.assertions.push_back(bind_with_private_key(handling("owned"), o.object, owner).value());
      const PinnedKeys pinned{{"owned", owner.public_key()}};
      const auto verified = verify_assertions(o.manifest, o.key, pinned);
      REQUIRE_MESSAGE(verified.has_value(), verified.error().text());
      REQUIRE(verified->size() == 2);
      CHECK(verified->at(0).by == Voucher::object_key);
      CHECK(verified->at(1).by == Voucher::pinned_key);
      CHECK(outcome(o) == "data.assertion");  // nobody said whose key that is
      CHECK(outcome(o, {{"owned", key_for_test(kind).public_key()}}) == "data.assertion");
    }
  }
  CHECK_FALSE(bind_with_private_key(handling("x"), opened_object().object, key_for_test(KeyKind::p384)));
}

TEST_CASE("a statement says any JSON but null, and what is optional may be null") {
  for (const char* said :
       {R"("EXERCISE")", R"({"a":1})", R"(["a",{"b":[1.5,-2e3]}])", "17", "1.5", "true", "[]"}) {
    Opened o = opened_object();
    Assertion one = handling("any");
    one.value = Json::parse(said).value();
    o.manifest.assertions.push_back(bind_with_object_key(one, o.object, o.key));
    const auto verified = verify_assertions(o.manifest, o.key, {});
    REQUIRE_MESSAGE(verified.has_value(), verified.error().text());
    CHECK(verified->back().assertion.value == one.value);
    // Another value under the same binding.
    Json statement = *o.manifest.assertions.back().find("statement");
    statement.set("value", Json::array());
    if (one.value != Json::array()) {
      o.manifest.assertions.back().set("statement", statement);
      CHECK(outcome(o) == "data.assertion");
    }
  }
  const std::string nulls = R"({"id":"a","type":"other","scope":"tdo","appliesToState":null,
    "statement":{"format":"string","schema":null,"value":)";
  CHECK(read_assertion(Json::parse(nulls + "1}}").value()));
  CHECK_FALSE(read_assertion(Json::parse(nulls + "null}}").value()));
}

TEST_CASE("attack: a number that others take for another one is in no assertion") {
  for (const auto& [value, code] :
       std::initializer_list<std::pair<Json, std::string>>{{int64_t{9007199254740991}, "ok"},
                                                           {int64_t{-9007199254740991}, "ok"},
                                                           {int64_t{9007199254740992}, "data.assertion"},
                                                           {int64_t{-9007199254740993}, "data.assertion"},
                                                           {1e300, "ok"}}) {
    Opened o = opened_object();
    const Json nested = Json::object({{"list", Json::array({value})}});
    o.manifest.assertions.push_back(bind_with_object_key({.id = "number", .value = nested}, o.object, o.key));
    CHECK(outcome(o) == code);
  }
}

TEST_CASE("a key inside an assertion never stands for the pinned one, nor does the object's key") {
  Opened o = opened_object();
  const PrivateKey owner = key_for_test();
  const PrivateKey forger = key_for_test();
  const PinnedKeys pinned{{"owned", owner.public_key()}};
  Json json = bind_with_private_key(handling("owned"), o.object, owner).value();
  o.manifest.assertions.push_back(json);
  REQUIRE(outcome(o, pinned) == "ok");

  const std::string embedded = fmt::format(R"({{"alg":"ES256","jwk":{}}})", forger.public_key().jwk().dump());
  const auto by_forger = [&](ByteView text) {
    return forger.sign(crypto::SignatureAlg::ES256, text).value();
  };
  const auto by_reader = [&](ByteView text) {
    const crypto::Digest mac = crypto::hmac_sha256(o.key.bytes(), text);
    return Bytes(mac.begin(), mac.end());
  };
  const auto by_nobody = [](ByteView) { return Bytes(); };
  const auto by_public_key = [&](ByteView text) {
    const crypto::Digest mac = crypto::hmac_sha256(as_bytes(owner.public_key().pem()), text);
    return Bytes(mac.begin(), mac.end());
  };
  const std::string good = binding_of(json);
  const std::string true_jwk = fmt::format(R"({{"alg":"ES256","jwk":{}}})", owner.public_key().jwk().dump());
  const std::vector<std::string> forged{
      token_with(embedded, good, by_forger),
      token_with(R"({"alg":"ES256","x5c":["AAAA"]})", good, by_forger),
      token_with(true_jwk, good, by_forger),
      token_with(R"({"alg":"HS256"})", good, by_reader),
      token_with(R"({"alg":"HS256"})", good, by_public_key),
      token_with(R"({"alg":"none"})", good, by_nobody),
      token_with(R"({"alg":"ES256","crit":["b64"],"b64":false})", good,
                 [&](ByteView text) { return owner.sign(crypto::SignatureAlg::ES256, text).value(); }),
      token_with(R"({"alg":"PS256"})", good, by_forger),
      good + ".x",
      good.substr(0, good.rfind('.') + 1),
      ""};
  for (const std::string& token : forged) {
    binding_of(json) = token;
    o.manifest.assertions.back() = json;
    INFO(token);
    CHECK(outcome(o, pinned) == "data.assertion");
  }
  // Its own key beside a good signature changes nothing either way.
  binding_of(json) = token_with(
      embedded, good, [&](ByteView text) { return owner.sign(crypto::SignatureAlg::ES256, text).value(); });
  o.manifest.assertions.back() = json;
  CHECK(outcome(o, pinned) == "ok");
  // Nor does one help where nothing was pinned.
  binding_of(json) = token_with(embedded, good, by_forger);
  o.manifest.assertions.back() = json;
  CHECK(outcome(o) == "data.assertion");
}

TEST_CASE("attack: a text that a pinned key bound does not come back as the object it spells") {
  Opened o = opened_object();
  const PrivateKey owner = key_for_test();
  const PinnedKeys pinned{{"owned", owner.public_key()}};
  Assertion said = handling("owned");
  said.value = Json(R"({"release":"nobody"})");
  Json json = bind_with_private_key(said, o.object, owner).value();
  o.manifest.assertions.push_back(json);
  REQUIRE(outcome(o, pinned) == "ok");
  Json statement = *json.find("statement");
  statement.set("value", Json::object({{"release", "nobody"}}));
  json.set("statement", std::move(statement));
  o.manifest.assertions.back() = json;
  CHECK(outcome(o, pinned) == "data.assertion");
}

TEST_CASE("a pinned assertion that was taken away, renamed or put into another object is missed") {
  Opened o = opened_object();
  const PrivateKey owner = key_for_test();
  const PinnedKeys pinned{{"owned", owner.public_key()}};
  CHECK(outcome(o, pinned) == "data.assertion");
  o.manifest.assertions.push_back(bind_with_object_key(handling("renamed"), o.object, o.key));
  CHECK(outcome(o, pinned) == "data.assertion");
  const Opened other = opened_object();
  o.manifest.assertions.back() = bind_with_private_key(handling("owned"), other.object, owner).value();
  CHECK(outcome(o, pinned) == "data.assertion");
  o.manifest.assertions.back() = bind_with_private_key(handling("owned"), o.object, owner).value();
  CHECK(outcome(o, pinned) == "ok");
}

TEST_CASE("an originator's signature holds for exactly what was sealed") {
  const PrivateKey aldoria = key_for_test();
  const OriginatorKeys keys{{"XAA", aldoria.public_key()}};
  const Opened good = opened_object(ObjectVersion::v4_3_0, OriginatorKey{"XAA", aldoria});
  CHECK(outcome(good) == "ok");  // for others it is an assertion like any
  CHECK(verify_originator(good.manifest, good.digests, keys).value() == "XAA");
  CHECK(claimed_originator(good.manifest) == "XAA");
  const auto code = [&](const std::function<void(Manifest&)>& change, const OriginatorKeys& known) {
    Manifest changed = good.manifest;
    change(changed);
    const auto verified = verify_originator(changed, good.digests, known);
    return verified ? "ok" : verified.error().code();
  };
  const auto nothing = [](Manifest&) {};
  CHECK(code(nothing, {}) == "data.originator");
  CHECK(code(nothing, {{"XBB", aldoria.public_key()}}) == "data.originator");
  CHECK(code(nothing, {{"XAA", key_for_test().public_key()}}) == "data.originator");
  CHECK(code(nothing, {{"XAA", key_for_test(KeyKind::rsa).public_key()}}) == "data.originator");
  CHECK(code([](Manifest& m) { m.policy_text = write_policy({"other", {}, {}}); }, keys) ==
        "data.originator");
  CHECK(code([](Manifest& m) { m.mime_type = "text/html"; }, keys) == "data.originator");
  CHECK(code([](Manifest& m) { m.segments.add({}, 1); }, keys) == "data.originator");
  CHECK(code([](Manifest& m) { m.assertions.erase(m.assertions.begin()); }, keys) == "data.originator");
  CHECK(code([](Manifest& m) { m.assertions.pop_back(); }, keys) == "data.originator");

  // What any reader can do: another statement, well bound with the object's key.
  const auto forge = [&](Manifest& m) {
    m.assertions[0] = bind_with_object_key(handling("first"), good.object, good.key);
  };
  CHECK(code(forge, keys) == "data.originator");
  CHECK(code(
            [&](Manifest& m) {
              m.assertions.push_back(bind_with_object_key(handling("more"), good.object, good.key));
            },
            keys) == "data.originator");
  // And a reader's own signature in the originator's name.
  Manifest resigned = good.manifest;
  resigned.assertions.pop_back();
  forge(resigned);
  resigned.assertions.push_back(
      originator_assertion(resigned, good.digests, good.key, OriginatorKey{"XAA", key_for_test()}).value());
  REQUIRE(verify_assertions(resigned, good.key, {}));
  CHECK(verify_originator(resigned, good.digests, keys).error().code() == "data.originator");

  // Or to hide behind the signature's own id, which the signature leaves out: before it or behind it.
  for (const bool first : {true, false}) {
    Manifest doubled = good.manifest;
    Assertion label = handling("entente-originator");
    label.schema = "urn:nato:stanag:5636:A:1:elements:json";
    const auto at = first ? doubled.assertions.begin() : doubled.assertions.end();
    doubled.assertions.insert(at, bind_with_object_key(label, good.object, good.key));
    CHECK(verify_originator(doubled, good.digests, keys).error().code() == "data.originator");
  }

  // Another payload, whatever its tags.
  SegmentDigests others = good.digests;
  others[0][0] ^= 1;
  CHECK(verify_originator(good.manifest, others, keys).error().code() == "data.originator");
  CHECK(verify_originator(good.manifest, {}, keys).error().code() == "data.originator");

  // The same sealed bytes under another key: they may be made to open with both, to two texts.
  const Secret second = Secret::random(kShareBytes);
  CHECK(code([&](Manifest& m) { m.root_signature = root_signature(second, m.segments, m.form); }, keys) ==
        "data.originator");

  // What stands around the token is not signed: it is as it is written, or no signature.
  for (const std::string_view name : {"type", "scope", "appliesToState", "more"}) {
    Manifest other = good.manifest;
    other.assertions.back().set(std::string(name), "payload");
    CHECK_FALSE(claimed_originator(other).has_value());
    CHECK(verify_originator(other, good.digests, keys).error().code() == "data.originator");
  }

  // Shares may be wrapped anew by who holds them.
  CHECK(code([](Manifest& m) { m.key_access.pop_back(); }, keys) == "ok");
}

TEST_CASE("an object that must be signed by an originator does not open without") {
  const PrivateKey reader = key_for_test();
  const PrivateKey aldoria = key_for_test();
  OpenExpect expect;
  expect.originators = {{"XAA", aldoria.public_key()}};
  SealPlan plan = plan_for_test(reader);
  CHECK(code_of(open_for_test(seal_for_test(plan, Bytes(10)), {reader}, expect)) == "data.originator");
  plan.originator = OriginatorKey{"XAA", aldoria};
  CHECK(code_of(open_for_test(seal_for_test(plan, Bytes(10)), {reader}, expect)) == "ok");
  plan.originator = OriginatorKey{"XAA", reader};
  CHECK(code_of(open_for_test(seal_for_test(plan, Bytes(10)), {reader}, expect)) == "data.originator");
}

namespace {

// Elements of GCM's field (NIST SP 800-38D section 6.3), in its order of bits.
using Block = std::array<uint8_t, 16>;
Block product(const Block& x, const Block& y) {
  Block out{}, v = y;
  for (size_t bit = 0; bit < 128; ++bit) {
    for (size_t i = 0; (x[bit / 8] >> (7 - bit % 8) & 1) != 0 && i < 16; ++i) out[i] ^= v[i];
    const bool low = (v[15] & 1) != 0;
    for (size_t i = 15; i > 0; --i) v[i] = static_cast<uint8_t>(v[i] >> 1 | v[i - 1] << 7);
    v[0] = static_cast<uint8_t>(v[0] >> 1);
    if (low) v[0] ^= 0xe1;
  }
  return out;
}

// What GCM hashes by under that key: two texts of one block that differ by the field's one have tags that
// differ by its square.
Block hashed_by(const Secret& key) {
  const crypto::Aead aead(key.bytes());
  const Bytes nonce(crypto::kAeadNonceBytes);
  Block out{};
  for (const uint8_t first : {uint8_t{0}, uint8_t{0x80}}) {
    Bytes text(16), sealed(16 + crypto::kAeadFrameBytes);
    text[0] = first;
    aead.seal(nonce, text, sealed);
    for (size_t i = 0; i < 16; ++i) out[i] ^= sealed[28 + i];
  }
  for (int i = 0; i < 127; ++i) out = product(out, out);  // its root
  return out;
}

SealedObject sealed_for_test(const Bytes& object) {
  const MemorySource source(object);
  return read_object(source).value();
}

std::string signed_again(const Bytes& object, const PrivateKey& reader, const OriginatorKey& by,
                         const OpenExpect& expect = {}, bool vouched = false) {
  const MemorySource source(object);
  const SealedObject sealed = read_object(source).value();
  const Secret key = collect_key(sealed.manifest, with_keys({reader})).value();
  MemorySink sink;
  const auto made = reseal(sealed, key, {.originator = by, .vouched = vouched}, expect, sink);
  CHECK(sink.bytes.empty() == !made);
  return made ? "ok" : made.error().code();
}

}  // namespace

TEST_CASE("attack: a reader makes another payload to fit the tags that are signed") {
  const PrivateKey reader = key_for_test();
  const PrivateKey aldoria = key_for_test();
  const Bytes plain = to_bytes("EXERCISE: the convoy leaves at dawn, by the coast");
  SealPlan plan = plan_for_test(reader);
  for (const bool is_signed : {false, true}) {
    if (is_signed) plan.originator = OriginatorKey{"XAA", aldoria};
    Bytes object = seal_for_test(plan, plain);
    const Manifest manifest = read_manifest(manifest_text_of(object)).value();
    const Secret key = collect_key(manifest, with_keys({reader})).value();
    const Block first{1};
    const Block second = product(first, hashed_by(key));
    {
      const MemorySource source(object);
      const size_t at = read_object(source).value().zip.payload.data_at + crypto::kAeadNonceBytes;
      for (size_t i = 0; i < 16; ++i) {
        object[at + i] ^= first[i];
        object[at + 16 + i] ^= second[i];
      }
    }
    // Every tag holds, and so does all that is bound with the object's key.
    const auto forged = open_for_test(object, {reader});
    REQUIRE_MESSAGE(forged, forged.error().text());
    CHECK(*forged != plain);
    const OriginatorKeys keys{{"XAA", aldoria.public_key()}};
    OpenExpect known, must;
    known.known = must.originators = keys;
    CHECK(code_of(open_for_test(object, {reader}, must)) == "data.originator");
    CHECK(code_of(open_for_test(object, {reader}, known)) == (is_signed ? "data.originator" : "ok"));
    // Nor does its originator sign it again by mistake, with nothing that tells them to look.
    for (const char* name : {"XAA", "xaa"}) {
      CHECK(signed_again(object, reader, {name, aldoria}) == "data.originator");
      CHECK(signed_again(object, reader, {name, aldoria}, {}, true) ==
            (is_signed ? "data.originator" : "ok"));
    }
    CHECK(signed_again(object, reader, {"XBB", reader}, {}, true) == "ok");
  }
}

TEST_CASE("Nobody signs what does not open, and who changed their key says which it was") {
  const PrivateKey reader = key_for_test();
  const PrivateKey before = key_for_test();
  const PrivateKey now = key_for_test();
  SealPlan plan = plan_for_test(reader);
  Bytes damaged = seal_for_test(plan, to_bytes("EXERCISE: the convoy leaves at dawn"));
  damaged[static_cast<size_t>(sealed_for_test(damaged).zip.payload.data_at) + crypto::kAeadNonceBytes] ^= 1;
  CHECK(signed_again(damaged, reader, {"XAA", now}, {}, true) == "data.segment");

  plan.originator = OriginatorKey{"XAA", before};
  const Bytes object = seal_for_test(plan, to_bytes("EXERCISE: the convoy leaves at dawn"));
  CHECK(signed_again(object, reader, {"XAA", before}) == "ok");
  CHECK(signed_again(object, reader, {"XAA", now}) == "data.originator");
  OpenExpect expect;
  expect.known = {{"XAA", before.public_key()}};
  CHECK(signed_again(object, reader, {"XAA", now}, expect) == "ok");
}

TEST_CASE("attack: a reader takes a signature off, and its originator is to sign what is left") {
  const PrivateKey reader = key_for_test();
  const PrivateKey aldoria = key_for_test();
  const PrivateKey borealis = key_for_test();
  SealPlan plan = plan_for_test(reader);
  const Bytes bare = seal_for_test(plan, to_bytes("EXERCISE: the convoy leaves at dawn"));
  plan.originator = OriginatorKey{"XBB", borealis};
  const Bytes theirs = seal_for_test(plan, to_bytes("EXERCISE: the convoy leaves at dawn"));
  plan.originator = OriginatorKey{"XAA", aldoria};
  const Bytes ours = seal_for_test(plan, to_bytes("EXERCISE: the convoy leaves at dawn"));
  Manifest disfigured = read_manifest(manifest_text_of(ours)).value();
  disfigured.assertions.back().set("type", "handling");
  const Secret key = collect_key(disfigured, with_keys({reader})).value();
  const Assertion other = read_assertion(disfigured.assertions.back()).value();
  disfigured.assertions.back() =
      bind_with_object_key(other, bound_to(disfigured.segments, disfigured.form), key);
  MemorySink written;
  REQUIRE(write_manifest(disfigured, written));
  const Bytes spoilt = with_manifest(ours, std::string(as_text(written.bytes)));
  OpenExpect from_xbb;
  from_xbb.originators = {{"XBB", borealis.public_key()}};
  OpenExpect known_xbb;
  known_xbb.known = from_xbb.originators;

  CHECK(signed_again(ours, reader, {"XAA", aldoria}) == "ok");
  for (const Bytes& one : {bare, theirs, spoilt}) {
    CHECK(signed_again(one, reader, {"XAA", aldoria}) == "data.originator");
    CHECK(signed_again(one, reader, {"XAA", aldoria}, known_xbb) == "data.originator");
    CHECK(signed_again(one, reader, {"XAA", aldoria}, {}, true) == "ok");
  }
  CHECK(signed_again(theirs, reader, {"XAA", aldoria}, from_xbb) == "ok");
  CHECK(signed_again(bare, reader, {"XAA", aldoria}, from_xbb, true) == "data.originator");
  // A key that can't sign is told as such, not as what is wrong with the object.
  const PrivateKey unfit = PrivateKey::generate(KeyKind::p384);
  const MemorySource source(ours);
  const SealedObject sealed = read_object(source).value();
  MemorySink sink;
  const auto refused = reseal(sealed, key, {.originator = OriginatorKey{"XAA", unfit}}, {}, sink);
  CHECK(refused.error().hint() == "Use P-256.");
}

TEST_CASE("attack: what is read after its signature was judged is what was signed") {
  const PrivateKey reader = key_for_test();
  const PrivateKey aldoria = key_for_test();
  SealPlan plan = plan_for_test(reader);
  plan.originator = OriginatorKey{"XAA", aldoria};
  Bytes object = seal_for_test(plan, to_bytes("EXERCISE: the convoy leaves at dawn, by the coast"));
  const MemorySource source(object);
  const SealedObject sealed = read_object(source).value();
  Secret key = collect_key(sealed.manifest, with_keys({reader})).value();
  const Block first{1};
  const Block second = product(first, hashed_by(key));
  OpenExpect expect;
  expect.known = {{"XAA", aldoria.public_key()}};
  OpenObject open = OpenObject::open(sealed, std::move(key), expect).value();
  CHECK(open.signer().verified);
  const size_t at = sealed.zip.payload.data_at + crypto::kAeadNonceBytes;
  for (size_t i = 0; i < 16; ++i) {
    object[at + i] ^= first[i];
    object[at + 16 + i] ^= second[i];
  }
  MemorySink sink;
  CHECK(open.copy_to(sink).error().code() == "data.segment");
  CHECK(sink.bytes.empty());
}

TEST_CASE("a label travels as an assertion, in JSON where that can say it, in XML where not") {
  label::Label plain;
  plain.policy = "EXERCISE";
  plain.classification = "RESTRICTED";
  plain.categories = {{"Releasable To", label::CategoryType::permissive, {"XAA", "XBB"}}};
  label::Label rich = plain;
  rich.privacy_mark = "EXERCISE ONLY";
  for (const label::Label& label : {plain, rich}) {
    const Assertion assertion = label_assertion(label).value();
    CHECK(is_label_assertion(assertion));
    CHECK(read_label_assertion(assertion).value() == label::normalised(label).value());
    CHECK(assertion.value.is_string() == !label.privacy_mark.empty());
    const Opened o = opened_object();
    const Assertion read = read_assertion(bind_with_object_key(assertion, o.object, o.key)).value();
    CHECK(read_label_assertion(read).value() == label::normalised(label).value());
  }
  CHECK_FALSE(is_label_assertion(handling("x")));
  Assertion of_a_label = label_assertion(rich).value();
  of_a_label.value = label::write_label_xml(rich, label::LabelRole::metadata);
  CHECK(read_label_assertion(of_a_label).error().code() == "data.assertion");
}
