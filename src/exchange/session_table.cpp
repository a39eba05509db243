#include "exchange/session_table.h"

namespace entente::exchange {

namespace {

template <class Map, class Key>
void drop(Map& map, const Key& key, uint64_t serial) {
  const auto at = map.find(key);
  if (at == map.end()) return;
  at->second.erase(serial);
  if (at->second.empty()) map.erase(at);
}

template <class Map, class Key>
SessionTable::Serials copy_of(const Map& map, const Key& key) {
  const auto at = map.find(key);
  return at == map.end() ? SessionTable::Serials() : at->second;
}

template <class Map, class Key>
size_t count_in(const Map& map, const Key& key) {
  const auto at = map.find(key);
  return at == map.end() ? 0 : at->second.size();
}

}  // namespace

Session& SessionTable::add(Session session) {
  session.serial = ++last_serial_;
  session.due = kNever;
  auto owned = std::make_unique<Session>(std::move(session));
  Session& s = *owned;
  sessions_.emplace(s.serial, std::move(owned));
  by_id_.emplace(s.id, s.serial);
  by_partner_[{s.partner, s.side}].insert(s.serial);
  by_person_[s.who.id].insert(s.serial);
  index_reach(s);
  return s;
}

void SessionTable::erase(uint64_t serial) {
  const auto at = sessions_.find(serial);
  if (at == sessions_.end()) return;
  const Session& s = *at->second;
  forget_reach(s);
  by_due_.erase({s.due, serial});
  by_id_.erase(s.id);
  drop(by_partner_, std::pair{s.partner, s.side}, serial);
  drop(by_person_, s.who.id, serial);
  sessions_.erase(at);
}

Session* SessionTable::by_serial(uint64_t serial) {
  const auto at = sessions_.find(serial);
  return at == sessions_.end() ? nullptr : at->second.get();
}

Session* SessionTable::by_id(const SessionId& id) {
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : by_serial(at->second);
}

const Session* SessionTable::by_id(const SessionId& id) const {
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : sessions_.at(at->second).get();
}

SessionTable::Serials SessionTable::of_partner(const PartnerCode& partner, Side side) const {
  return copy_of(by_partner_, std::pair{partner, side});
}

SessionTable::Serials SessionTable::of_person(const PersonId& person) const {
  return copy_of(by_person_, person);
}

size_t SessionTable::count_of_partner(const PartnerCode& partner, Side side) const {
  return count_in(by_partner_, std::pair{partner, side});
}

size_t SessionTable::count_of_person(const PersonId& person) const {
  return count_in(by_person_, person);
}

SessionTable::Serials SessionTable::touched_by(std::span<const policy::EntityUid> entities) const {
  Serials touched;
  for (const policy::EntityUid& uid : entities) {
    if (const auto at = by_entity_.find(uid); at != by_entity_.end())
      touched.insert(at->second.begin(), at->second.end());
    if (const auto at = by_type_.find(uid.type); at != by_type_.end())
      touched.insert(at->second.begin(), at->second.end());
  }
  return touched;
}

void SessionTable::judged(Session& session, coalition::Verdict verdict, Instant due) {
  const bool same = session.verdict.reach.entities == verdict.reach.entities &&
                    session.verdict.reach.types == verdict.reach.types;
  if (!same) forget_reach(session);
  session.verdict = std::move(verdict);
  if (!same) index_reach(session);
  by_due_.erase({session.due, session.serial});
  session.due = due;
  if (due != kNever) by_due_.insert({due, session.serial});
}

std::vector<uint64_t> SessionTable::take_due(Instant now) {
  std::vector<uint64_t> due;
  while (!by_due_.empty() && by_due_.begin()->first <= now) {
    const uint64_t serial = by_due_.begin()->second;
    sessions_.at(serial)->due = kNever;
    by_due_.erase(by_due_.begin());
    due.push_back(serial);
  }
  return due;
}

Instant SessionTable::next_due() const {
  return by_due_.empty() ? kNever : by_due_.begin()->first;
}

void SessionTable::index_reach(const Session& session) {
  for (const policy::EntityUid& uid : session.verdict.reach.entities) by_entity_[uid].insert(session.serial);
  for (const std::string& type : session.verdict.reach.types) by_type_[type].insert(session.serial);
}

void SessionTable::forget_reach(const Session& session) {
  for (const policy::EntityUid& uid : session.verdict.reach.entities) drop(by_entity_, uid, session.serial);
  for (const std::string& type : session.verdict.reach.types) drop(by_type_, type, session.serial);
}

}  // namespace entente::exchange
