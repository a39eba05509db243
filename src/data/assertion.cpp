#include "data/assertion.h"

#include "base/fields.h"
#include "label/label_json.h"
#include "label/label_xml.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace entente::data {
namespace {

constexpr size_t kStatementBytesMax = 128 * 1024;
constexpr size_t kBindingBytesMax = size_t{16} << 20;  // it repeats every segment's hash
constexpr size_t kAssertionTextMax = 1024;
constexpr std::string_view kStanag5636 = "urn:nato:stanag:5636:A:1:elements:json";
constexpr std::string_view kStanag4774 = "urn:nato:stanag:4774:confidentialitymetadatalabel:1:0";

Failure assertion_fail(std::string what, std::string_view id = {}, std::string hint = {}) {
  return fail("data.assertion", std::move(what), id.empty() ? "" : fmt::format("assertion {}", id),
              std::move(hint));
}

Json to_json(const Assertion& assertion) {
  Json statement = Json::object({{"format", assertion.format}});
  if (!assertion.schema.empty()) statement.set("schema", assertion.schema);
  statement.set("value", assertion.value);
  Json out = Json::object({{"id", assertion.id}, {"type", assertion.type}, {"scope", assertion.scope}});
  if (!assertion.state.empty()) out.set("appliesToState", assertion.state);
  out.set("statement", std::move(statement));
  return out;
}

// Software that knows numbers as doubles alone takes some of these for one another (RFC 8785 section 3.1).
bool has_wide_integer(const Json& value) {
  constexpr int64_t kMost = (int64_t{1} << 53) - 1;
  if (value.is_int()) return value.integer() > kMost || value.integer() < -kMost;
  if (value.is_array()) return std::ranges::any_of(value.items(), has_wide_integer);
  return value.is_object() && std::ranges::any_of(value.members(), has_wide_integer, &Json::Member::second);
}

Json with_binding(Json assertion, std::string token) {
  assertion.set("binding", Json::object({{"method", "jws"}, {"signature", std::move(token)}}));
  return assertion;
}

// 4.3.0 joins bytes, 4.2.2 joins their hexadecimal texts.
std::string signature_over(const BoundTo& object, const std::string& hash) {
  Bytes joined = object.aggregate;
  if (object.form == HashForm::hex) {
    joined.insert(joined.end(), hash.begin(), hash.end());
  } else {
    const Bytes raw = from_hex(hash).value();
    joined.insert(joined.end(), raw.begin(), raw.end());
  }
  return base64(joined);
}

std::string payload_for(const BoundTo& object, const Json& assertion) {
  const std::string hash = assertion_hash(assertion);
  return Json::object({{"assertionHash", hash}, {"assertionSig", signature_over(object, hash)}}).dump();
}

// Some software hashes an object in "value" as if it were the text of its canonical form.
Json with_text_value(Json assertion) {
  const Json* statement = assertion.find("statement");
  const Json* value = statement == nullptr ? nullptr : statement->find("value");
  if (value == nullptr || !value->is_object()) return assertion;
  Json changed = *statement;
  changed.set("value", value->canonical());
  assertion.set("statement", std::move(changed));
  return assertion;
}

struct Token {
  std::string_view signed_part;
  std::string alg;
  Bytes payload;
  Bytes signature;
};

// Of the header only `alg` counts: a key that stands in it (jwk, x5c) was put there by whoever wrote the
// token.
Result<Token> split_token(std::string_view token, std::string_view id) {
  const auto refuse = [&] {
    return assertion_fail("The assertion's binding is no token.", id, "a compact JWS");
  };
  if (token.size() > kBindingBytesMax) return refuse();
  const size_t first = token.find('.');
  const size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos) return refuse();
  const auto header = from_base64url(token.substr(0, first));
  auto payload = from_base64url(token.substr(first + 1, second - first - 1));
  auto signature = from_base64url(token.substr(second + 1));
  if (!header || !payload || !signature) return refuse();
  const auto json = Json::parse(as_text(*header), {.bytes_max = 64 * 1024, .depth_max = 8});
  if (!json || !json->is_object() || json->find("crit") != nullptr || json->find("b64") != nullptr)
    return refuse();
  return Token{token.substr(0, second), std::string(json->text_or("alg", "")), *std::move(payload),
               *std::move(signature)};
}

bool holds(const Token& token, const crypto::Secret& key) {
  return token.alg == "HS256" &&
         crypto::equal_constant_time(token.signature,
                                     crypto::hmac_sha256(key.bytes(), as_bytes(token.signed_part)));
}

bool holds(const Token& token, const crypto::PublicKey& key) {
  const auto alg = crypto::signature_alg(token.alg);
  const bool known = alg && (*alg == crypto::SignatureAlg::RS256 || *alg == crypto::SignatureAlg::ES256);
  return known && key.verify(*alg, as_bytes(token.signed_part), token.signature);
}

Result<Verified> verify_one(const Json& json, const BoundTo& object, const crypto::Secret& key,
                            const PinnedKeys& pinned) {
  TRY(Assertion assertion, read_assertion(json));
  if (assertion.binding.empty())
    return assertion_fail("The assertion is not bound to the object.", assertion.id);
  TRY(const Token token, split_token(assertion.binding, assertion.id));
  const auto pin = pinned.find(assertion.id);
  if (pin == pinned.end() && token.alg != "HS256")
    return assertion_fail("The assertion is bound by a key that was not pinned.", assertion.id,
                          "Say whose public key it must be; a key inside the assertion is never used.");
  const bool good = pin == pinned.end() ? holds(token, key) : holds(token, pin->second);
  if (!good)
    return assertion_fail("The assertion's binding does not hold.", assertion.id,
                          "Refuse the object; find out who sent it.");
  const auto claims = Json::parse(as_text(token.payload), {.bytes_max = kBindingBytesMax, .depth_max = 4});
  const auto bound = [&](const std::string& hash) {
    return claims && claims->text_or("assertionHash", "") == hash &&
           claims->text_or("assertionSig", "") == signature_over(object, hash);
  };
  // Under the object's own key alone, which every reader holds: a pinned key's owner signed a text, or an
  // object, and whoever has neither key does not get to choose which.
  const bool as_text_too = pin == pinned.end();
  if (!bound(assertion_hash(json)) && !(as_text_too && bound(assertion_hash(with_text_value(json)))))
    return assertion_fail("The assertion is bound to something else.", assertion.id,
                          "Refuse the object; find out who sent it.");
  return Verified{std::move(assertion), pin == pinned.end() ? Voucher::object_key : Voucher::pinned_key};
}

}  // namespace

Result<Assertion> read_assertion(const Json& json) {
  if (!json.is_object()) return assertion_fail("An assertion is a JSON object.");
  if (has_wide_integer(json))
    return assertion_fail("An assertion has a number that not all software reads as the same.", {},
                          "Write integers beyond 9007199254740991 as texts.");
  Fields fields(json, "");
  Assertion out;
  out.id = fields.text("id", kAssertionTextMax);
  out.type = fields.text("type", kAssertionTextMax);
  out.scope = fields.text("scope", kAssertionTextMax);
  out.state = loose_text(fields, "appliesToState", kAssertionTextMax);
  Fields statement = fields.object("statement");
  out.format = loose_text(statement, "format", kAssertionTextMax);
  out.schema = loose_text(statement, "schema", kAssertionTextMax);
  out.value = statement.value("value");
  if (fields.has("binding")) {
    Fields binding = fields.object("binding");
    const std::string method = binding.text("method", kAssertionTextMax);
    if (method != "jws" && method != "JWS") binding.wrong("method", "the binding's method is not JWS");
    out.binding = binding.text("signature", kBindingBytesMax);
  }
  if (const auto read = fields.done_open(); !read) return assertion_fail(read.error().what(), out.id);
  if (out.value.is_null()) return assertion_fail("The assertion's statement says nothing.", out.id);
  if (out.value.dump().size() > kStatementBytesMax)
    return assertion_fail("The assertion's statement is too long.", out.id);
  return out;
}

std::string assertion_hash(const Json& assertion) {
  Json bare = Json::object();  // without a copy of the binding, which is as long as the object's segments
  for (const auto& [name, value] : assertion.members())
    if (name != "binding") bare.members().emplace_back(name, value);
  return hex(crypto::sha256(bare.canonical()));
}

std::string assertion_hash(const Assertion& assertion) {
  return assertion_hash(to_json(assertion));
}

BoundTo bound_to(const Segments& segments, HashForm form) {
  return {aggregate_hash(segments, form), form};
}

Json bind_with_object_key(const Assertion& assertion, const BoundTo& object, const crypto::Secret& key) {
  Json json = to_json(assertion);
  std::string token =
      base64url(as_bytes(R"({"alg":"HS256"})")) + "." + base64url(as_bytes(payload_for(object, json)));
  const crypto::Digest mac = crypto::hmac_sha256(key.bytes(), as_bytes(token));
  token += "." + base64url(mac);
  return with_binding(std::move(json), std::move(token));
}

Result<Json> bind_with_private_key(const Assertion& assertion, const BoundTo& object,
                                   const crypto::PrivateKey& key) {
  const bool rsa = key.kind() == crypto::KeyKind::rsa;
  if (!rsa && key.kind() != crypto::KeyKind::p256)
    return assertion_fail("This key can't bind assertions.", assertion.id, "Use RSA or P-256.");
  Json json = to_json(assertion);
  TRY(std::string token,
      crypto::sign_jws(key, {.alg = rsa ? crypto::SignatureAlg::RS256 : crypto::SignatureAlg::ES256},
                       as_bytes(payload_for(object, json))));
  return with_binding(std::move(json), std::move(token));
}

Result<std::vector<Verified>> verify_assertions(const Manifest& manifest, const crypto::Secret& key,
                                                const PinnedKeys& pinned) {
  const BoundTo object = bound_to(manifest.segments, manifest.form);
  std::vector<Verified> out;
  std::set<std::string> ids;
  for (const Json& json : manifest.assertions) {
    TRY(Verified one, verify_one(json, object, key, pinned));
    if (!ids.insert(one.assertion.id).second)
      return assertion_fail("Two assertions have one id.", one.assertion.id);
    out.push_back(std::move(one));
  }
  for (const auto& [id, unused] : pinned)
    if (!ids.contains(id))
      return assertion_fail("An assertion that must be there is missing.", id,
                            "Somebody may have taken it away.");
  return out;
}

Result<Assertion> label_assertion(const label::Label& label) {
  Assertion out;
  out.id = kLabelAssertionId;
  // The JSON form can't say everything; the XML form can.
  if (auto json = label::write_label_json(label)) {
    out.format = "json-structured";
    out.schema = kStanag5636;
    out.value = *std::move(json);
  } else {
    out.format = "xml-structured";
    out.schema = kStanag4774;
    out.value = label::write_label_xml(label);
  }
  return out;
}

bool is_label_assertion(const Assertion& assertion) {
  const Json* base = nullptr;
  if (const Json* context = assertion.value.find("context")) base = context->find("@base");
  return assertion.schema == kStanag5636 || assertion.schema == kStanag4774 ||
         (base != nullptr && base->is_string() && base->string() == kStanag5636);
}

Result<label::Label> read_label_assertion(const Assertion& assertion) {
  if (assertion.schema != kStanag4774) return label::read_label_json(assertion.value);
  if (!assertion.value.is_string()) return assertion_fail("The label is not XML text.", assertion.id);
  TRY(label::RoledLabel read, label::read_label_xml(assertion.value.string()));
  if (read.role == label::LabelRole::metadata)
    return assertion_fail("The label is one of a label, not of what is sealed.", assertion.id);
  return std::move(read.label);
}

}  // namespace entente::data
