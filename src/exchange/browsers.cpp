#include "exchange/browsers.h"

#include <fmt/format.h>

namespace entente::exchange {

AppCookies::AppCookies(size_t size_max) {
  for (std::unique_ptr<Shard>& shard : shards_) shard = std::make_unique<Shard>(size_max / kShards);
}

std::string AppCookies::issue(AppEntry entry, Instant end) {
  std::string token = crypto::random_token(kTokenBytes);
  const crypto::Digest key = crypto::sha256(token);
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  shard.table.put(key, std::move(entry), end);
  return token;
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
  const crypto::Digest digest = crypto::sha256(bind_cookie);
  return base64url(digest);
}

std::optional<std::string> cookie_of(const net::Headers& headers, std::string_view name) {
  Result<std::optional<std::string>> found = net::find_cookie(headers, name);
  return found ? std::move(*found) : std::nullopt;
}

}  // namespace entente::exchange
