// Random tokens and what they stand for, until they end: sign-ins, hand-offs, app cookies. The table keeps
// only digests, so that a copy of memory or a log line of a key opens nothing. Bounded: when full, the one
// that ends first goes. One thread.
#pragma once

#include "base/time.h"
#include "crypto/digest.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace entente::exchange {

inline constexpr size_t kTokenBytes = 32;  // 256 random bits

template <class T>
class TokenTable {
 public:
  explicit TokenTable(size_t size_max) : size_max_(size_max) {}

  [[nodiscard]] std::string issue(T value, Instant end) {
    std::string token = crypto::random_token(kTokenBytes);
    put(crypto::sha256(token), std::move(value), end);
    return token;
  }
  // For a token drawn elsewhere. Answers what had to go for it.
  std::optional<T> put(const crypto::Digest& digest, T value, Instant end) {
    if (const auto same = entries_.find(digest); same != entries_.end()) forget(same);
    std::optional<T> displaced;
    if (entries_.size() >= size_max_) {
      const auto first = entries_.find(ends_.begin()->second);
      displaced.emplace(std::move(first->second.value));
      forget(first);
    }
    entries_.emplace(digest, Entry{std::move(value), end});
    ends_.emplace(end, digest);
    return displaced;
  }
  // The value of a token that has not ended, or nullptr. Valid until the table changes.
  [[nodiscard]] T* find(std::string_view token, Instant now) { return find(crypto::sha256(token), now); }
  [[nodiscard]] T* find(const crypto::Digest& key, Instant now) {
    const auto at = entries_.find(key);
    return at == entries_.end() || at->second.end <= now ? nullptr : &at->second.value;
  }
  // What stands for a token where the token itself must not be kept.
  using Key = crypto::Digest;
  [[nodiscard]] static Key key_of(std::string_view token) { return crypto::sha256(token); }
  [[nodiscard]] T* at(const Key& key) {
    const auto at = entries_.find(key);
    return at == entries_.end() ? nullptr : &at->second.value;
  }
  // Single use: the token is gone afterwards.
  [[nodiscard]] std::optional<T> take(std::string_view token, Instant now) {
    const auto at = entries_.find(crypto::sha256(token));
    if (at == entries_.end()) return std::nullopt;
    std::optional<T> value;
    if (at->second.end > now) value.emplace(std::move(at->second.value));
    forget(at);
    return value;
  }
  void erase(std::string_view token) {
    const auto at = entries_.find(crypto::sha256(token));
    if (at != entries_.end()) forget(at);
  }
  template <class Unwanted>
  void erase_if(Unwanted unwanted) {
    for (auto at = entries_.begin(); at != entries_.end();) {
      const auto next = std::next(at);
      if (unwanted(at->second.value)) forget(at);
      at = next;
    }
  }
  template <class Visit>
  void each(Visit visit) {
    for (auto& [digest, entry] : entries_) visit(entry.value);
  }
  void sweep(Instant now) {
    while (!ends_.empty() && ends_.begin()->first <= now) forget(entries_.find(ends_.begin()->second));
  }
  [[nodiscard]] size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    T value;
    Instant end;
  };
  using Entries = std::map<crypto::Digest, Entry>;

  void forget(typename Entries::iterator at) {
    ends_.erase({at->second.end, at->first});
    entries_.erase(at);
  }

  size_t size_max_;
  Entries entries_;
  std::set<std::pair<Instant, crypto::Digest>> ends_;
};

}  // namespace entente::exchange
