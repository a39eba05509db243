#include "data/kas_client.h"

#include "coalition/releases.h"
#include "crypto/jose.h"
#include "data/data_policy.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace entente::data {
namespace {

constexpr size_t kAnswerBytesMax = 1 << 20;
constexpr size_t kReasonBytesMax = 300;
constexpr size_t kReleaseBytesMax = 1'200;
constexpr Seconds kRequestLife{60};
constexpr std::string_view kObjectId = "kao-0";

Failure no_answer(std::string what) {
  return fail("data.key-answer", std::move(what), {}, "Ask those who run the key service.");
}

// What a service says goes to a terminal: only what prints, and not much of it.
std::string printable(std::string_view text, size_t bytes_max = kReasonBytesMax) {
  std::string out;
  for (const char c : text.substr(0, bytes_max)) out.push_back(c >= ' ' && c < 0x7f ? c : '?');
  return out;
}

Failure refused(std::string_view reason, std::string_view more = {}) {
  const bool has_verdict = reason.find("(verdict ") != std::string_view::npos;
  return fail(
      "data.key-refused",
      (reason.empty() ? "The key service refused." : "The key service refused: " + printable(reason)) +
          printable(more, kReleaseBytesMax),
      {},
      has_verdict ? "Quote the verdict to that nation's operators: `entente why` tells them who decides."
                  : "");
}

// What it says beside of a release that they asked for, or may ask for.
std::string release_text(const Json& result) {
  const Json* said = result.find("wish");
  const auto news = said == nullptr ? std::nullopt : coalition::read_release_news(*said);
  if (!news) return {};
  const std::string words = news->words.empty() ? "" : " They say: " + news->words;
  const std::string until = news->until ? " until " + rfc3339(*news->until) : "";
  if (news->state == "none") return " You can ask for a release: entente release ask.";
  if (news->state == "open") return " You asked for a release; it waits for an answer" + until + ".";
  if (news->state == "granted") return " It is released to you" + until + "." + words;
  if (news->state == "denied") return " You asked for a release, and it is not released." + words;
  if (news->state == "revoked") return " The release was taken back." + words;
  return " You asked for a release, and nobody answered in time.";
}

Failure refused(const Json& result) {
  return refused(std::string(result.text_or("error", "")), release_text(result));
}

Json request_of(const KeyAccess& access, std::string_view policy_text) {
  Json object =
      Json::object({{"keyAccessObjectId", kObjectId}, {"keyAccessObject", write_key_access(access)}});
  return Json::object({{"policy", Json::object({{"id", "policy"}, {"body", policy_text}})},
                       {"keyAccessObjects", Json::array({std::move(object)})}});
}

Result<KeyRequest> signed_request(Json request, const Holder& holder, Instant now) {
  KeyRequest out{.session = crypto::PrivateKey::generate(crypto::KeyKind::p256)};
  const Json body = Json::object(
      {{"clientPublicKey", out.session.public_key().pem()}, {"requests", Json::array({std::move(request)})}});
  const Json claims = Json::object(
      {{"requestBody", body.dump()}, {"iat", unix_seconds(now)}, {"exp", unix_seconds(now + kRequestLife)}});
  TRY(std::string token,
      crypto::sign_jwt(holder.proof, {.alg = crypto::default_alg(holder.proof.kind())}, claims));
  out.body = Json::object({{"signedRequestToken", std::move(token)}}).dump();
  return out;
}

// The one result of an answer.
Result<Json> result_of(int status, const Result<Json>& json) {
  if (status != 200) return refused(json ? json->text_or("message", "") : "");
  if (!json) return no_answer("The key service's answer is not JSON.");
  const Json* responses = json->find("responses");
  if (responses == nullptr || !responses->is_array() || responses->items().size() != 1)
    return no_answer("The key service's answer is not about what was asked.");
  const Json* results = responses->items()[0].find("results");
  if (results == nullptr || !results->is_array() || results->items().size() != 1)
    return no_answer("The key service's answer is not about what was asked.");
  const Json& result = results->items()[0];
  if (result.text_or("keyAccessObjectId", "") != kObjectId)
    return no_answer("The key service's answer is about another object.");
  return result;
}

// RFC 3986 section 6.2.2.1: scheme and host are the same in any case; the rest of an address is not.
std::string with_plain_host(std::string_view url) {
  constexpr std::string_view kBefore = "://";
  std::string out(url);
  const size_t scheme = url.find(kBefore);
  if (scheme == std::string_view::npos) return out;
  const size_t begin = scheme + kBefore.size();
  const size_t end = std::min(url.find_first_of("/?#", begin), url.size());
  const size_t at = url.substr(0, end).rfind('@');
  const size_t host = at == std::string_view::npos || at < begin ? begin : at + 1;
  const auto lower = [&](size_t from, size_t to) {
    for (size_t i = from; i < to; ++i)
      if (out[i] >= 'A' && out[i] <= 'Z') out[i] = static_cast<char>(out[i] - 'A' + 'a');
  };
  lower(0, scheme);
  lower(host, end);
  return out;
}

}  // namespace

std::string key_service_of(std::string_view url) {
  constexpr std::array<std::string_view, 3> tails{"/v2/rewrap", "/kas", "/"};
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view tail : tails) {
      if (!url.ends_with(tail)) continue;
      url.remove_suffix(tail.size());
      again = true;
    }
  }
  return with_plain_host(url);
}

Json write_actions(const std::vector<coalition::Action>& actions) {
  if (actions.size() == 1) return Json(coalition::action_name(actions.front()));
  Json out = Json::array();
  for (const coalition::Action one : actions) out.push(coalition::action_name(one));
  return out;
}

Result<KeyRequest> ask_for_share(const KeyAccess& access, std::string_view policy_text,
                                 const std::vector<coalition::Action>& actions, const Holder& holder,
                                 Instant now) {
  Json request = request_of(access, policy_text);
  if (actions != std::vector{coalition::Action::open}) request.set("action", write_actions(actions));
  return signed_request(std::move(request), holder, now);
}

Result<KeyRequest> ask_for_release(const KeyAccess& access, std::string_view policy_text,
                                   const ReleaseWish& wish, const Holder& holder, Instant now) {
  Json request = request_of(access, policy_text);
  request.set("action", wish.right);
  request.set("release", Json::object({{"purpose", wish.purpose}, {"minutes", wish.minutes}}));
  return signed_request(std::move(request), holder, now);
}

Result<KeyRequest> ask_to_recall(const KeyAccess& access, std::string_view policy_text,
                                 std::string_view reason, const Holder& holder, Instant now) {
  Json request = request_of(access, policy_text);
  request.set("recall", Json::object({{"reason", reason}}));
  return signed_request(std::move(request), holder, now);
}

Result<std::string> make_proof(const Holder& holder, std::string_view method, std::string_view url,
                               std::string_view nonce, Instant now) {
  const crypto::SignatureAlg alg = crypto::default_alg(holder.proof.kind());
  const Json header = Json::object(
      {{"typ", "dpop+jwt"}, {"alg", crypto::name(alg)}, {"jwk", holder.proof.public_key().jwk()}});
  Json claims = Json::object({{"jti", crypto::random_token()},
                              {"htm", method},
                              {"htu", url},
                              {"iat", unix_seconds(now)},
                              {"ath", base64url(crypto::sha256(holder.token))}});
  if (!nonce.empty()) claims.set("nonce", nonce);
  std::string out = base64url(as_bytes(header.dump())) + "." + base64url(as_bytes(claims.dump()));
  TRY(const Bytes signature, holder.proof.sign(alg, as_bytes(out)));
  return out + "." + base64url(signature);
}

Result<crypto::Secret> read_share(int status, std::string_view body, const KeyRequest& request) {
  const auto json = Json::parse(body, {.bytes_max = kAnswerBytesMax, .depth_max = 12});
  TRY(const Json result, result_of(status, json));
  if (result.text_or("status", "") != "permit") return refused(result);
  const auto wrapped = from_base64(result.text_or("kasWrappedKey", ""));
  if (!wrapped) return no_answer("The key in the answer is not base64.");
  return open_answer(*wrapped, json->text_or("sessionPublicKey", ""), request.session);
}

Result<std::string> read_asked(int status, std::string_view body) {
  const auto json = Json::parse(body, {.bytes_max = kAnswerBytesMax, .depth_max = 12});
  TRY(const Json result, result_of(status, json));
  if (result.text_or("status", "") != "asked") return refused(result);
  return printable(result.text_or("release", ""));
}

Result<bool> read_recalled(int status, std::string_view body) {
  const auto json = Json::parse(body, {.bytes_max = kAnswerBytesMax, .depth_max = 12});
  TRY(const Json result, result_of(status, json));
  if (result.text_or("status", "") != "recalled") return refused(result);
  const Json* durable = result.find("durable");
  return durable != nullptr && durable->is_bool() && durable->boolean();
}

Result<std::string> read_author(int status, std::string_view body) {
  const auto json = Json::parse(body, {.bytes_max = kAnswerBytesMax, .depth_max = 4});
  if (status != 200) return refused(json ? json->text_or("message", "") : "");
  const std::string_view code = json ? json->text_or("author", "") : "";
  if (!is_author_text(code)) return no_answer("The key service's answer names no author.");
  return std::string(code);
}

}  // namespace entente::data
