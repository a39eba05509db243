// Signs what this node says of its own people to each host, and checks what partners say of theirs. Keeps one
// chain to each partner; what must be durable first is handed to the core as a record, which commits it with
// the rest.
#pragma once

#include "coalition/world.h"
#include "crypto/jose.h"
#include "exchange/rules.h"
#include "identity/statement.h"
#include "node/keys.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace entente::node {

class StatementDesk final : public exchange::Statements {
 public:
  using CurrentWorld = std::function<const coalition::World&()>;
  // `keys` must outlive this.
  StatementDesk(const Keys& keys, PartnerCode self, CurrentWorld world);

  [[nodiscard]] Result<exchange::Issued> issue(const PartnerCode& host, const coalition::AppRef& app,
                                               const coalition::Person& who, const coalition::Facts& context,
                                               Instant now) override;
  [[nodiscard]] uint64_t issued(const PartnerCode& host) override { return sent_to(host).chain->state().seq; }
  void not_kept(const PartnerCode& host, uint64_t number) override;
  [[nodiscard]] std::vector<std::string> resend(const PartnerCode& host, uint64_t from, uint64_t to) override;
  [[nodiscard]] Result<exchange::Issued> reset(const PartnerCode& host, Instant now) override;
  [[nodiscard]] Result<exchange::Vouched> verify(const PartnerCode& from, std::string_view statement,
                                                 Instant now) override;
  [[nodiscard]] uint64_t expected(const PartnerCode& from) const override;

  // The person's id at one host and app: the same whenever they come back.
  [[nodiscard]] PersonId pairwise(const PersonId& who, const coalition::AppRef& app) const;

 private:
  struct Undone {  // how to take a statement back that was never kept
    uint64_t number = 0;
    identity::ChainState before;
    bool failed = false;
  };
  struct Sent {  // to one host
    std::unique_ptr<identity::StatementChain> chain;
    std::deque<std::pair<uint64_t, std::string>> kept;  // the newest, for a host that missed some
    std::deque<Undone> undone;                          // issued in this process, newest last
    uint64_t reset = 0;                                 // number of the newest reset
  };
  Sent& sent_to(const PartnerCode& host);
  Result<exchange::Issued> sign(const PartnerCode& host, identity::StatementKind kind, Json body, Instant now,
                                Seconds life);
  [[nodiscard]] identity::ChainState heard_from(const PartnerCode& from) const;

  const Keys& keys_;
  PartnerCode self_;
  CurrentWorld world_;
  std::string kid_;
  std::map<PartnerCode, Sent> sent_;
  std::map<PartnerCode, identity::ChainState> heard_;
};

}  // namespace entente::node
