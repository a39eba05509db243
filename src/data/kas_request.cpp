#include "data/kas_request.h"

#include "base/memo.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/jose.h"
#include "data/lineage.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace entente::data {
namespace {

constexpr size_t kNameBytesMax = 256;
constexpr size_t kClientKeyBytesMax = 4096;
constexpr Seconds kRequestSkew{60};
constexpr std::array kRequestAlgs{crypto::SignatureAlg::RS256, crypto::SignatureAlg::RS384,
                                  crypto::SignatureAlg::RS512, crypto::SignatureAlg::PS256,
                                  crypto::SignatureAlg::PS384, crypto::SignatureAlg::PS512,
                                  crypto::SignatureAlg::ES256, crypto::SignatureAlg::ES384,
                                  crypto::SignatureAlg::ES512, crypto::SignatureAlg::EdDSA};

[[gnu::cold]] Failure odd(std::string_view what, std::string_view where = {}) {
  return fail("kas.request", what, where, "docs/wire-formats/kas.md has the shape");
}
[[gnu::cold]] Failure unsigned_request(std::string_view what) {
  return fail("kas.signature", what, {}, "Sign the request with the key that the access token is bound to.");
}

Result<std::string> text_member(const Json& json, std::string_view name, size_t bytes_max,
                                std::string_view where) {
  const Json* value = json.find(name);
  if (value == nullptr || !value->is_string() || value->string().size() > bytes_max) {
    return odd(fmt::format("\"{}\" is no text of at most {} bytes", name, bytes_max), where);
  }
  return value->string();
}

WantedKey read_wanted_key(const Json& json, std::string id) {
  WantedKey out;
  out.id = std::move(id);
  auto access = read_key_access(json);
  if (!access) {
    out.problem = access.error().text();
    return out;
  }
  out.access = *std::move(access);
  out.digest = key_digest(out.access);
  return out;
}

// An object is asked for by each of its readers: a thread keeps what its policy says.
void read_wanted_policy(WantedObject& object) {
  struct Known {
    DataPolicy policy;
    crypto::Digest digest;
  };
  constexpr size_t kKeptBytesMax = 2048;
  thread_local Memo<std::string, Known, 512> kept;
  if (const Known* known = kept.find(object.policy_text)) {
    object.policy = known->policy;
    object.policy_digest = known->digest;
    return;
  }
  object.policy_digest = crypto::sha256(as_bytes(object.policy_text));
  auto policy = read_policy(object.policy_text);
  if (!policy) {
    object.problem = policy.error().text();
    return;
  }
  object.policy = *std::move(policy);
  if (object.policy_text.size() <= kKeptBytesMax)
    kept.put(object.policy_text, {object.policy, object.policy_digest});
}

// Nothing is named by the right to view: it is what the lobby, or a partner's node with "view": true, asks by
// (and gets the key by, as with `open`). But it can be released.
Result<coalition::Action> read_action(const Json& value, bool of_release) {
  if (of_release && value.is_string() && value.string() == "view") return coalition::Action::view;
  for (const coalition::Action one : {coalition::Action::open, coalition::Action::edit,
                                      coalition::Action::forward, coalition::Action::relabel}) {
    if (value.is_string() && value.string() == coalition::action_name(one)) return one;
  }
  return odd("this is nothing that is done with an object", "/action");
}

// One, or several of which each has to permit: a service that knows but one refuses a list.
Result<std::vector<coalition::Action>> read_actions(const Json& json, bool of_release) {
  std::vector<coalition::Action> out;
  const Json* value = json.find("action");
  if (value == nullptr || !value->is_array()) {
    out.push_back(coalition::Action::open);
    if (value == nullptr) return out;
    TRY(out.front(), read_action(*value, of_release));
    return out;
  }
  if (of_release) return odd("a release is asked for by one right", "/action");
  for (const Json& one : value->items()) {
    TRY(const coalition::Action action, read_action(one, false));
    if (std::ranges::find(out, action) != out.end()) return odd("each right is named once", "/action");
    out.push_back(action);
  }
  if (out.empty()) return odd("no right is named", "/action");
  return out;
}

Result<std::optional<WantedRelease>> read_wanted_release(const Json& json) {
  const Json* value = json.find("release");
  if (value == nullptr) return std::optional<WantedRelease>();
  WantedRelease out;
  TRY(out.purpose, text_member(*value, "purpose", coalition::kPurposeBytesMax, "/release"));
  if (is_blank(out.purpose) || !is_line(out.purpose))
    return odd("a release is asked for in one line of text", "/release");
  const Json* minutes = value->find("minutes");
  constexpr int64_t kMost = coalition::kGrantLifeMax / std::chrono::minutes(1);
  if (minutes == nullptr || !minutes->is_int() || minutes->integer() < 1 || minutes->integer() > kMost)
    return odd(fmt::format("a release is asked for 1 to {} minutes", kMost), "/release");
  out.minutes = minutes->integer();
  return std::optional(std::move(out));
}

Result<std::optional<WantedRecall>> read_wanted_recall(const Json& json) {
  const Json* value = json.find("recall");
  if (value == nullptr) return std::optional<WantedRecall>();
  WantedRecall out;
  TRY(out.reason, text_member(*value, "reason", coalition::kPurposeBytesMax, "/recall"));
  if (is_blank(out.reason) || !is_line(out.reason))
    return odd("an object is taken back with a reason in one line of text", "/recall");
  return std::optional(std::move(out));
}

Result<WantedObject> read_object(const Json& json, size_t& left) {
  WantedObject out;
  const Json* policy = json.find("policy");
  if (policy == nullptr) return odd("a request has a policy");
  TRY(out.id, text_member(*policy, "id", kNameBytesMax, "/policy"));
  // One that is too long is that object's own fault, as one that cannot be read: the others have their
  // answers.
  TRY(out.policy_text, text_member(*policy, "body", kRewrapBytesMax, "/policy"));
  TRY(out.release, read_wanted_release(json));
  TRY(out.actions, read_actions(json, out.release.has_value()));
  TRY(out.recall, read_wanted_recall(json));
  if (out.recall && (out.release || json.find("action") != nullptr))
    return odd("an object is taken back, or something else is done with it");
  if (out.recall) out.actions = {coalition::Action::recall};
  read_wanted_policy(out);
  const Json* keys = json.find("keyAccessObjects");
  if (keys == nullptr || !keys->is_array() || keys->items().empty()) {
    return odd("a request has key access objects");
  }
  for (const Json& item : keys->items()) {
    if (left-- == 0) return odd(fmt::format("more than {} key access objects", kRewrapObjectsMax));
    TRY(std::string id, text_member(item, "keyAccessObjectId", kNameBytesMax, "/keyAccessObjects"));
    const Json* access = item.find("keyAccessObject");
    static const Json none;
    out.keys.push_back(read_wanted_key(access == nullptr ? none : *access, std::move(id)));
  }
  return out;
}

}  // namespace

Result<Json> open_request_token(std::string_view body, const crypto::PublicKey& key, Instant now) {
  const auto outer = Json::parse(body, {.bytes_max = kRewrapBytesMax, .depth_max = 4});
  if (!outer || !outer->is_object()) return odd("the body is no JSON object");
  const Json* token = outer->find("signedRequestToken");
  if (token == nullptr || !token->is_string() || outer->members().size() != 1) {
    return odd("the body is a signedRequestToken and nothing else");
  }
  // Its own header says with which of the key's algorithms, as long as it is one.
  std::optional<crypto::Jws> opened;
  for (const crypto::SignatureAlg alg : kRequestAlgs) {
    if (!crypto::fits(alg, key.kind())) continue;
    TRY(const crypto::KeySet keys, crypto::KeySet::from_keys({{{}, alg, key}}));
    auto tried = crypto::verify_jws(token->string(), keys, {.algs = {alg}, .bytes_max = kRewrapBytesMax});
    if (tried) {
      opened = *std::move(tried);
      break;
    }
    if (tried.error().code() != "jose.alg") break;  // the right algorithm, and still not good
  }
  if (!opened) return unsigned_request("the request token is not signed by the key you hold");
  auto claims = Json::parse(as_text(opened->payload), {.bytes_max = kRewrapBytesMax, .depth_max = 4});
  if (!claims || !claims->is_object()) return odd("the request token holds no JSON object");
  const Json* iat = claims->find("iat");
  const Json* exp = claims->find("exp");
  constexpr int64_t kLatestClaim = 253402300799;
  for (const Json* claim : {iat, exp}) {
    if (claim == nullptr || !claim->is_int() || claim->integer() < 0 || claim->integer() > kLatestClaim) {
      return unsigned_request("the request token does not say from when to when it is good");
    }
  }
  const Instant from = from_unix_seconds(iat->integer());
  const Instant until = from_unix_seconds(exp->integer());
  if (from > now + kRequestSkew || until + kRequestSkew <= now || until - from > kRequestTokenLifeMax) {
    return unsigned_request("the request token is not good now");
  }
  TRY(const std::string inner, text_member(*claims, "requestBody", kRewrapBytesMax, "requestBody"));
  auto request = Json::parse(inner, {.bytes_max = kRewrapBytesMax, .depth_max = 16});
  if (!request || !request->is_object()) return odd("the request body is no JSON object", "requestBody");
  return *std::move(request);
}

Result<RewrapRequest> read_rewrap(const Json& body) {
  RewrapRequest out;
  TRY(out.client_key, text_member(body, "clientPublicKey", kClientKeyBytesMax, ""));
  const Json* view = body.find("view");
  out.view = view != nullptr && view->is_bool() && view->boolean();
  if (body.find("mission") != nullptr) {
    TRY(out.mission, text_member(body, "mission", 64, ""));
  }
  const Json* requests = body.find("requests");
  if (requests != nullptr && requests->is_array() && !requests->items().empty()) {
    size_t left = kRewrapObjectsMax;
    for (size_t i = 0; i < requests->items().size(); ++i) {
      auto read = read_object(requests->items()[i], left);
      if (!read) {
        read.error().where().insert(0, fmt::format("/requests/{}", i));
        return Failure(std::move(read.error()));
      }
      WantedObject& object = *read;
      if (!out.objects.empty() && (object.release || out.objects.front().release))
        return odd("a release is asked for by a request of its own, for one object");
      if (!out.objects.empty() && (object.recall || out.objects.front().recall))
        return odd("an object is taken back by a request of its own");
      if (object.recall && object.keys.size() != 1)
        return odd("an object is taken back by one key access object of your own nation");
      if (object.release && object.keys.size() != 1)
        return odd("a release is asked for by one key access object of each nation of origin");
      out.objects.push_back(std::move(object));
    }
    return out;
  }
  out.first_version = true;
  WantedObject object;
  object.id = "policy";
  TRY(object.policy_text, text_member(body, "policy", kPolicyBytesMax, ""));
  TRY(object.actions, read_actions(body, false));
  read_wanted_policy(object);
  const Json* access = body.find("keyAccess");
  if (access == nullptr || !access->is_object()) return odd("the request has no key access object");
  object.keys.push_back(read_wanted_key(*access, "kao-0"));
  out.objects.push_back(std::move(object));
  return out;
}

}  // namespace entente::data
