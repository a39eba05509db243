// All sessions of a node and the ways to find those that something touches. Serials, not pointers, stand in
// the indices, so that every walk has the same order in every run.
#pragma once

#include "exchange/session.h"

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace entente::exchange {

class SessionTable {
 public:
  using Serials = std::set<uint64_t>;

  // Gives it the next serial. The reference stays good until erase().
  Session& add(Session session);
  void erase(uint64_t serial);

  [[nodiscard]] Session* by_serial(uint64_t serial);
  [[nodiscard]] const Session* by_id(const SessionId& id) const;
  [[nodiscard]] Session* by_id(const SessionId& id);
  [[nodiscard]] size_t size() const { return sessions_.size(); }
  [[nodiscard]] const std::map<uint64_t, std::unique_ptr<Session>>& all() const { return sessions_; }

  // Copies: the caller changes the table while it walks.
  [[nodiscard]] Serials of_partner(const PartnerCode& partner, Side side) const;
  [[nodiscard]] Serials of_person(const PersonId& person) const;
  [[nodiscard]] Serials touched_by(std::span<const policy::EntityUid> entities) const;
  [[nodiscard]] size_t count_of_partner(const PartnerCode& partner, Side side) const;
  [[nodiscard]] size_t count_of_person(const PersonId& person) const;

  // Takes the verdict over: what it can reach and when it is due.
  void judged(Session& session, coalition::Verdict verdict, Instant due);
  // Those due at `now`, taken off the list until they are judged again.
  [[nodiscard]] std::vector<uint64_t> take_due(Instant now);
  [[nodiscard]] Instant next_due() const;

 private:
  struct UidHash {
    size_t operator()(const policy::EntityUid& uid) const noexcept {
      return std::hash<std::string>()(uid.id) * 31 + std::hash<std::string>()(uid.type);
    }
  };
  void index_reach(const Session& session);
  void forget_reach(const Session& session);

  uint64_t last_serial_ = 0;
  std::map<uint64_t, std::unique_ptr<Session>> sessions_;
  std::unordered_map<SessionId, uint64_t> by_id_;
  std::map<std::pair<PartnerCode, Side>, Serials> by_partner_;
  std::unordered_map<PersonId, Serials> by_person_;
  std::unordered_map<policy::EntityUid, Serials, UidHash> by_entity_;
  std::unordered_map<std::string, Serials> by_type_;
  std::set<std::pair<Instant, uint64_t>> by_due_;
};

}  // namespace entente::exchange
