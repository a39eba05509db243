// What nodes tell each other: signed, numbered, each naming the digest of the one before, for one audience.
// The same bytes travel over a link or on a disk. Pure: the caller makes the state durable, sends and
// receives.
//
// Compact JWS, ES256, typ "entente-statement+jwt"; claims iss, aud (partner codes), seq (from 1), prev
// (base64url SHA-256 of the previous compact JWS; "" for the first), iat, exp, kind, body. A body names whose
// matter it is, which must be the issuer's own: "owner" for offer, "partner" for all others. A reset is the
// next of its issuer's chain, and is heard whatever was missed before it.
// Errors: "statement.format", "statement.issuer", "statement.audience", "statement.authority",
// "statement.gap" (stale: ask for the ones between), "statement.old",
// "statement.forked" (two of one number: an alarm).
#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/time.h"
#include "coalition/ask.h"
#include "crypto/jose.h"

#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace entente::identity {

inline constexpr std::string_view kStatementTyp = "entente-statement+jwt";
inline constexpr Seconds kStatementLifeMax{31 * 86400};
inline constexpr Seconds kPersonLifeMax{12 * 3600};
inline constexpr size_t kStatementsKept = 1024;

enum class StatementKind { person, offer, end, membership, reset };
[[nodiscard]] std::string_view name(StatementKind kind);

struct Statement {
  PartnerCode issuer;
  PartnerCode audience;
  uint64_t seq = 0;
  std::string prev;
  Instant issued;
  Instant end;
  StatementKind kind = StatementKind::person;
  Json body;
};

// The last statement of a chain: all that either side must remember. {0, ""} before the first.
struct ChainState {
  uint64_t seq = 0;
  std::string digest;
  bool operator==(const ChainState&) const = default;
};
[[nodiscard]] Json to_json(const ChainState& state);
[[nodiscard]] Result<ChainState> chain_state_from_json(const Json& json);

// The sender's side towards one audience. make() moves on at once: store state() durably before sending what
// it gave.
class StatementChain {
 public:
  StatementChain(PartnerCode self, PartnerCode audience, crypto::PrivateKey key, std::string kid,
                 ChainState state = {});
  [[nodiscard]] Result<std::string> make(StatementKind kind, Json body, Instant now, Seconds life);
  [[nodiscard]] const ChainState& state() const { return state_; }
  // The compact form of a recent statement, to send again; nothing when it is no longer kept.
  [[nodiscard]] std::optional<std::string> kept(uint64_t seq) const;

 private:
  PartnerCode self_;
  PartnerCode audience_;
  crypto::PrivateKey key_;
  std::string kid_;
  ChainState state_;
  std::deque<std::pair<uint64_t, std::string>> kept_;
};

struct StatementExpect {
  PartnerCode issuer;
  PartnerCode audience;
  const crypto::KeySet* keys = nullptr;  // the issuer's statement keys
  Instant now;
  Seconds skew{60};
};

enum class Heard {
  fresh,    // make `next` durable, then let it take effect
  again,    // the last one once more: answer as before, nothing changes
  expired,  // make `next` durable; no effect. An end or a reset is never expired: late, it still narrows
  early,    // as expired: its issuer's clock is ahead of ours by more than `skew`
};
struct Hearing {
  Heard heard = Heard::fresh;
  Statement statement;
  ChainState next;
};
[[nodiscard]] Result<Hearing> hear_statement(std::string_view compact, const StatementExpect& expect,
                                             const ChainState& state);

// A person statement's body: who stands at which of the audience's apps, with what facts.
struct PersonStatement {
  PersonId person;  // pairwise: pseudonym.h
  PartnerCode partner;
  AppId app;
  coalition::Facts facts;
};
[[nodiscard]] Json to_json(const PersonStatement& person);
// Facts get the statement as source and never outlive it; the clearance is held to `ceiling` (a level), and
// nationality must be the issuer's ("statement.authority").
[[nodiscard]] Result<PersonStatement> person_of(const Statement& statement, int64_t ceiling);

}  // namespace entente::identity
