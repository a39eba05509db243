#include "exchange/browsers.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::exchange {

namespace {

std::optional<crypto::Digest> digest_of(std::string_view text) {
  const Result<Bytes> bytes = from_base64url(text);
  crypto::Digest digest{};
  if (!bytes || bytes->size() != digest.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), digest.begin());
  return digest;
}

}  // namespace

AppCookies::AppCookies(size_t size_max) {
  for (std::unique_ptr<Shard>& shard : shards_) shard = std::make_unique<Shard>(size_max / kShards);
}

void AppCookies::put(const crypto::Digest& digest, AppEntry entry, Instant end) {
  Shard& shard = shard_of(digest);
  const std::lock_guard lock(shard.mutex);
  shard.table.put(digest, std::move(entry), end);
}

std::optional<AppEntry> AppCookies::find(std::string_view token, Instant now) {
  const crypto::Digest key = crypto::sha256(token);
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const AppEntry* found = shard.table.find(key, now);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

void AppCookies::sweep(Instant now) {
  for (const std::unique_ptr<Shard>& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    shard->table.sweep(now);
  }
}

void Browsers::restore(const Kept& kept, Instant now) {
  std::map<std::string, TokenTable<SignIn>::Key> restored;
  for (const KeptSignIn& one : kept.sign_ins) {
    const std::optional<crypto::Digest> digest = digest_of(one.token);
    if (!digest || one.end <= now) continue;
    SignIn sign_in;
    sign_in.person = one.who;
    sign_in.display = "signed in since " + rfc3339(one.at).substr(11, 5) + " UTC";  // names are not recorded
    sign_in.form_token = crypto::random_token(16);
    sign_in.end = one.end;
    sign_ins.put(*digest, std::move(sign_in), one.end);
    restored.emplace(one.token, *digest);
  }
  for (const KeptSession& one : kept.sessions) {
    const auto owner = restored.find(one.sign_in);
    if (owner == restored.end()) continue;
    sign_ins.at(owner->second)->sessions[one.app] = one.id;
    owners_.insert_or_assign(one.id, owner->second);
  }
  for (const KeptCookie& one : kept.cookies) {
    const std::optional<crypto::Digest> digest = digest_of(one.token);
    if (digest && one.end > now) apps.put(*digest, {one.app, one.session}, one.end);
  }
}

bool Browsers::is_signed_in(std::string_view digest, Instant now) {
  const std::optional<crypto::Digest> key = digest_of(digest);
  return key && sign_ins.find(*key, now) != nullptr;
}

void Browsers::session_opened(const SessionId& session, std::string_view sign_in_token) {
  owners_.insert_or_assign(session, TokenTable<SignIn>::key_of(sign_in_token));
}

void Browsers::session_ended(const SessionId& session, const PersonId& person, Refusal why) {
  const auto owner = owners_.find(session);
  SignIn* const sign_in = owner == owners_.end() ? nullptr : sign_ins.at(owner->second);
  if (owner != owners_.end()) owners_.erase(owner);
  if (sign_in != nullptr && sign_in->person.id == person) {
    const size_t gone =
        std::erase_if(sign_in->sessions, [&](const auto& entry) { return entry.second == session; });
    // Of one app the newest end alone is news.
    if (gone != 0 && !why.app_label.empty()) sign_in->forget_ended(why.app_label);
    if (gone != 0) sign_in->ended.push_front(why);
    if (sign_in->ended.size() > kEndedToldMax) sign_in->ended.pop_back();
  }
  if (!endings_.emplace(session, std::move(why)).second) return;
  ending_order_.push_back(session);
  if (ending_order_.size() > kEndingsMax) {
    endings_.erase(ending_order_.front());
    ending_order_.pop_front();
  }
}

std::optional<Refusal> Browsers::ending(const SessionId& session) const {
  const auto at = endings_.find(session);
  return at == endings_.end() ? std::nullopt : std::optional(at->second);
}

void Browsers::sweep(Instant now) {
  sign_ins.sweep(now);
  hand_offs.sweep(now);
  console_hand_offs.sweep(now);
  consoles.sweep(now);
  apps.sweep(now);
}

std::string set_cookie(std::string_view name, std::string_view value, std::optional<Seconds> life) {
  std::string out = fmt::format("{}={}; Secure; HttpOnly; SameSite=Lax; Path=/", name, value);
  if (value.empty()) return out + "; Max-Age=0";
  if (life) out += fmt::format("; Max-Age={}", life->count());
  return out;
}

std::string bind_digest(std::string_view bind_cookie) {
  return token_digest(bind_cookie);
}

std::string token_digest(std::string_view token) {
  return base64url(crypto::sha256(token));
}

std::optional<std::string> cookie_of(const net::Headers& headers, std::string_view name) {
  Result<std::optional<std::string>> found = net::find_cookie(headers, name);
  return found ? std::move(*found) : std::nullopt;
}

}  // namespace entente::exchange
