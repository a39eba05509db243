// What the door remembers of browsers: who is signed in, hand-offs on their way, and which app cookie is
// which session. After a restart the ledger gives back whose sign-ins and cookies still stand, by their
// digests: kept.h. One thread.
#pragma once

#include "coalition/facts.h"
#include "exchange/kept.h"
#include "exchange/lobby_pages.h"
#include "exchange/session.h"
#include "exchange/token_table.h"
#include "net/http_message.h"

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace entente::exchange {

inline constexpr std::string_view kLobbyCookie = "__Host-entente";  // on the lobby: who is signed in
inline constexpr std::string_view kLoginCookie =
    "__Host-entente-login";  // on the lobby: binds a sign-in to its browser
inline constexpr std::string_view kBindCookie =
    "__Host-entente-bind";  // on an app's name: binds a hand-off to its browser
inline constexpr std::string_view kAppCookie = "__Host-entente-app";          // on an app's name: the session
inline constexpr std::string_view kConsoleCookie = "__Host-entente-console";  // on the console's name

struct SignIn {
  coalition::Person person;
  std::string display;
  std::string form_token;  // stands in every form of theirs
  std::map<coalition::AppRef, SessionId> sessions;
  std::deque<Refusal> ended;  // what the lobby still has to tell them; newest first
  Instant end;
  // It is open again, or there is newer to tell.
  void forget_ended(std::string_view app_label) {
    std::erase_if(ended, [&](const Refusal& why) { return why.app_label == app_label; });
  }
};

struct HandOff {
  std::string bind_digest;  // base64url SHA-256 of the browser's bind cookie on the app's name
  coalition::AppRef app;
  SessionId session;
  std::string cookie;  // what the browser gets for its code; its digest is recorded with the admission
};

// An operator's way into the console: good for as long as the sign-in it came by.
struct ConsoleEntry {
  std::string bind_digest;  // as in HandOff
  TokenTable<SignIn>::Key sign_in{};
  PersonId person;
  std::string token{};  // goes with every change
};

struct AppEntry {
  coalition::AppRef app;
  SessionId session;
};

// App cookies, sharded: each lock is held for one look or one change. A shard that is full forgets the one of
// its own that ends first.
class AppCookies {
 public:
  explicit AppCookies(size_t size_max);
  void put(const crypto::Digest& digest, AppEntry entry, Instant end);
  [[nodiscard]] std::optional<AppEntry> find(std::string_view token, Instant now);
  void sweep(Instant now);

 private:
  static constexpr size_t kShards = 16;
  struct alignas(64) Shard {
    explicit Shard(size_t size_max) : table(size_max) {}
    std::mutex mutex;
    TokenTable<AppEntry> table;
  };
  [[nodiscard]] Shard& shard_of(const crypto::Digest& key) { return *shards_[key[0] % kShards]; }
  std::array<std::unique_ptr<Shard>, kShards> shards_;
};

class Browsers {
 public:
  static constexpr size_t kSignInsMax = 50'000;
  static constexpr size_t kHandOffsMax = 10'000;
  static constexpr size_t kAppCookiesMax = 200'000;
  static constexpr size_t kEndingsMax = 20'000;
  static constexpr size_t kEndedToldMax = 5;
  static constexpr size_t kConsolesMax = 1'000;
  static constexpr Seconds kHandOffLife{30};

  TokenTable<SignIn> sign_ins{kSignInsMax};
  TokenTable<HandOff> hand_offs{kHandOffsMax};
  TokenTable<ConsoleEntry> console_hand_offs{kConsolesMax};
  TokenTable<ConsoleEntry> consoles{kConsolesMax};
  AppCookies apps{kAppCookiesMax};  // from any loop

  // What an earlier life of the node left. Before the sessions themselves: those that end are told of then.
  void restore(const Kept& kept, Instant now);
  // By the digest of its cookie, as token_digest() writes it.
  [[nodiscard]] bool is_signed_in(std::string_view digest, Instant now);
  // Whose sign-in a session came about by.
  void session_opened(const SessionId& session, std::string_view sign_in_token);
  [[nodiscard]] bool has_owner(const SessionId& session) const { return owners_.contains(session); }
  // Why a session ended, for whoever still shows its cookie.
  void session_ended(const SessionId& session, const PersonId& person, Refusal why);
  [[nodiscard]] std::optional<Refusal> ending(const SessionId& session) const;
  void sweep(Instant now);

 private:
  std::map<SessionId, TokenTable<SignIn>::Key> owners_;  // of the sessions that live
  std::map<SessionId, Refusal> endings_;
  std::deque<SessionId> ending_order_;
};

// "name=value; Secure; HttpOnly; SameSite=Lax; Path=/", and with no value one that removes it.
[[nodiscard]] std::string set_cookie(std::string_view name, std::string_view value,
                                     std::optional<Seconds> life);
[[nodiscard]] std::string bind_digest(std::string_view bind_cookie);
// What the ledger holds of a cookie: base64url SHA-256.
[[nodiscard]] std::string token_digest(std::string_view token);
// The cookie's value; absent also when the Cookie header is malformed or doubles it.
[[nodiscard]] std::optional<std::string> cookie_of(const net::Headers& headers, std::string_view name);

}  // namespace entente::exchange
