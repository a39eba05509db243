// Finds the policies whose scope a request can meet, at a cost that depends on the request's ancestors and on
// what is found, not on how many policies there are. Private to the room.
#pragma once

#include "policy/program.h"

#include <cstdint>
#include <span>
#include <vector>

namespace entente::policy {

// Open addressing; built once. A key stands for a range of something.
class RangeTable {
 public:
  struct Range {
    uint32_t begin = 0;
    uint32_t count = 0;
  };
  explicit RangeTable(size_t keys = 0);
  void set(uint64_t key, Range range);  // a key once; at most `keys` of them
  [[nodiscard]] bool empty() const { return slots_.size() == 1; }
  [[nodiscard]] Range find(uint64_t key) const {
    for (size_t at = key & mask_;; at = (at + 1) & mask_) {
      const Slot& slot = slots_.data()[at];
      if (slot.range.count == 0 || slot.key == key) return slot.range;
    }
  }

 private:
  struct Slot {
    uint64_t key = 0;
    Range range;  // count 0: free
  };
  std::vector<Slot> slots_;
  size_t mask_ = 0;
};

class ScopeIndex {
 public:
  // A request's principal or resource.
  struct Line {
    uint64_t type_key;
    uint64_t hash;
    std::span<const Name> above;
  };

  ScopeIndex() = default;
  // Of these rules of the program.
  ScopeIndex(const Program& program, std::vector<uint32_t> rules);

  // Keys are those of a request's principal and resource (its type, itself and all above it; without
  // kAnyKey). `found` is given each policy whose keys are met, in no order, some more than once only if their
  // hashes clash. `guard` is asked for the cell of an expression.
  template <class Guard, class Found>
  void find(const Line& principal, const Line& resource, std::vector<uint64_t>& room, const Guard& guard,
            const Found& found) const;

  [[nodiscard]] std::span<const uint32_t> all() const { return all_; }

 private:
  // Policies of one pair of keys: those to be looked at in any case, and those behind guards on one
  // expression.
  struct Group {
    RangeTable::Range plain;     // in entries_
    RangeTable::Range switches;  // in switches_
  };
  struct Switch {
    uint32_t code = 0;
    bool contains = false;
    RangeTable::Range all;  // in entries_
    RangeTable values;      // by hash of the literal, to entries_
  };

  void group(const Program& program, uint64_t key, std::vector<uint32_t> rules, std::vector<Group>& groups);
  void keys_met(const RangeTable& keys, bool any, const Line& of, std::vector<uint64_t>& out) const;
  template <class Guard, class Found>
  void take(const Group& group, const Guard& guard, const Found& found) const;
  template <class Found>
  void take(RangeTable::Range range, const Found& found) const {
    const uint32_t* const begin = entries_.data() + range.begin;
    for (const uint32_t* at = begin; at != begin + range.count; ++at) found(*at);
  }

  static constexpr uint32_t kGrouped = UINT32_MAX;

  std::vector<uint32_t> all_;
  std::vector<uint32_t> entries_;
  std::vector<Group> groups_;
  std::vector<Switch> switches_;
  RangeTable principals_;  // keys that occur
  RangeTable resources_;
  RangeTable pairs_;  // both keys, to entries_, or when there are guards (kGrouped) to one of groups_
  bool any_principal_ = false;
  bool any_resource_ = false;
};

inline uint64_t pair_key(uint64_t principal, uint64_t resource) {
  return mix(principal ^ 0xa0761d6478bd642fULL, resource ^ 0xe7037ed1a0b428dbULL);
}

template <class Guard, class Found>
void ScopeIndex::find(const Line& principal, const Line& resource, std::vector<uint64_t>& room,
                      const Guard& guard, const Found& found) const {
  if (all_.empty()) return;
  room.clear();
  keys_met(principals_, any_principal_, principal, room);
  const size_t split = room.size();
  keys_met(resources_, any_resource_, resource, room);
  const size_t pairs = split * (room.size() - split);
  if (pairs > all_.size()) {  // deep hierarchies over few policies
    for (const uint32_t number : all_) found(number);
    return;
  }
  const std::span<const uint64_t> principals(room.data(), split);
  const std::span<const uint64_t> resources(room.data() + split, room.size() - split);
  for (const uint64_t mine : principals) {
    for (const uint64_t its : resources) {
      const RangeTable::Range at = pairs_.find(pair_key(mine, its));
      if (at.count == kGrouped) {
        take(groups_[at.begin], guard, found);
      } else if (at.count != 0) {
        take(at, found);
      }
    }
  }
}

template <class Guard, class Found>
void ScopeIndex::take(const Group& group, const Guard& guard, const Found& found) const {
  take(group.plain, found);
  for (uint32_t i = 0; i < group.switches.count; ++i) {
    const Switch& one = switches_[group.switches.begin + i];
    const Cell cell = guard(one.code);
    // What fails, or is no set, fails in each of them: all must say so.
    const bool askable = !cell.failed() && (!one.contains || cell.is(Value::Kind::set));
    if (!askable || (one.contains && cell.set->items.size() > one.all.count)) {
      take(one.all, found);
    } else if (!one.contains) {
      take(one.values.find(hash_of(cell)), found);
    } else {
      for (size_t k = 0; k < cell.set->keyed.size(); ++k) {
        const uint64_t hash = cell.set->keyed[k].hash;
        if (k == 0 || hash != cell.set->keyed[k - 1].hash) take(one.values.find(hash), found);
      }
    }
  }
}

}  // namespace entente::policy
