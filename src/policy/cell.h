// What stands behind values, and cells: values as the machine handles them, borrowed and two words long.
// Private to the room.
#pragma once

#include "policy/entity.h"
#include "policy/hash.h"

#include <cstdint>
#include <string>
#include <vector>

namespace entente::policy {

// An entity's name by reference, with its hash.
struct Name {
  uint64_t hash = 0;
  const EntityUid* uid = nullptr;
};
inline Name name_of(const EntityUid& uid) {
  return {UidHash()(uid), &uid};
}
inline bool same_uid(const EntityUid& a, const EntityUid& b) {
  return same_text(a.id, b.id) && same_text(a.type, b.type);
}
inline bool same(const Name& a, const Name& b) {
  return a.uid == b.uid || (a.hash == b.hash && same_uid(*a.uid, *b.uid));
}

struct Text {
  explicit Text(std::string value) : text(std::move(value)), hash(hash_text(text)) {}
  std::string text;
  uint64_t hash;
};

struct Named {
  explicit Named(EntityUid value) : uid(std::move(value)), name(name_of(uid)) {}
  Named(const Named&) = delete;
  Named& operator=(const Named&) = delete;
  EntityUid uid;
  Name name;  // of `uid`
};

struct ItemSet {
  struct Keyed {
    uint64_t hash;
    uint32_t index;
  };
  explicit ItemSet(Value::Items sorted);
  Value::Items items;        // sorted, once each
  std::vector<Keyed> keyed;  // sorted by hash
  bool holds_time = false;
  bool all_entities = true;
};

// Trivially copied; what it points to lives in a policy, an entity, the request or the machine.
struct Cell {
  using Kind = Value::Kind;
  static constexpr uint64_t kFailed = 0xff;

  uint64_t tag = kFailed;  // of Kind, or kFailed
  union {
    int64_t number = 0;  // boolean, integer, datetime, duration, decimal
    const Text* text;
    const ItemSet* set;
    const Record* record;
    const Name* entity;
    const IpNet* ip;
  };

  [[nodiscard]] bool failed() const { return tag == kFailed; }
  [[nodiscard]] bool is(Kind kind) const { return tag == static_cast<uint64_t>(kind); }
  [[nodiscard]] bool is_true() const { return is(Kind::boolean) && number != 0; }
  [[nodiscard]] Kind kind() const { return static_cast<Kind>(tag); }

  static Cell failure() { return {}; }
  static Cell of(bool value) { return scalar(Kind::boolean, value ? 1 : 0); }
  static Cell of(const Value& value);
  static Cell of(const Name& name) {
    Cell out;
    out.tag = static_cast<uint64_t>(Kind::entity);
    out.entity = &name;
    return out;
  }
  static Cell of(const Record& record) {
    Cell out;
    out.tag = static_cast<uint64_t>(Kind::record);
    out.record = &record;
    return out;
  }
  static Cell of(const IpNet& ip) {
    Cell out;
    out.tag = static_cast<uint64_t>(Kind::ip);
    out.ip = &ip;
    return out;
  }
  static Cell scalar(Kind kind, int64_t number) {
    Cell out;
    out.tag = static_cast<uint64_t>(kind);
    out.number = number;
    return out;
  }
};

inline Cell Cell::of(const Value& value) {
  Cell out;
  out.tag = static_cast<uint64_t>(value.kind());
  switch (value.kind()) {
    case Kind::boolean:
      out.number = *std::get_if<bool>(&value.data_) ? 1 : 0;
      break;
    case Kind::integer:
      out.number = *std::get_if<int64_t>(&value.data_);
      break;
    case Kind::string:
      out.text = std::get_if<Value::Shared<Text>>(&value.data_)->get();
      break;
    case Kind::set:
      out.set = std::get_if<Value::Shared<ItemSet>>(&value.data_)->get();
      break;
    case Kind::record:
      out.record = std::get_if<Value::Shared<Record>>(&value.data_)->get();
      break;
    case Kind::entity:
      out.entity = &(*std::get_if<Value::Shared<Named>>(&value.data_))->name;
      break;
    case Kind::datetime:
      out.number = std::get_if<Datetime>(&value.data_)->ms;
      break;
    case Kind::duration:
      out.number = std::get_if<Duration>(&value.data_)->ms;
      break;
    case Kind::decimal:
      out.number = std::get_if<Decimal>(&value.data_)->ten_thousandths;
      break;
    case Kind::ip:
      out.ip = std::get_if<Value::Shared<IpNet>>(&value.data_)->get();
      break;
  }
  return out;
}

[[nodiscard]] bool equal(const Cell& a, const Cell& b);
[[nodiscard]] uint64_t hash_of(const Cell& cell);
[[nodiscard]] bool holds_time(const Cell& cell);
inline bool may_hold_time(const Cell& cell) {
  return cell.is(Cell::Kind::datetime) || cell.is(Cell::Kind::set) || cell.is(Cell::Kind::record);
}
[[nodiscard]] bool contains(const ItemSet& set, const Cell& item);
// Cedar's `like`: the pieces of a pattern between its stars.
[[nodiscard]] bool matches(std::string_view text, const std::vector<std::string>& pieces);
[[nodiscard]] Value value_of(const Cell& cell);  // a copy, on the heap

}  // namespace entente::policy
