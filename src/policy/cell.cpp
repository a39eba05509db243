#include "policy/cell.h"

#include <algorithm>

namespace entente::policy {
namespace {

using Kind = Value::Kind;

constexpr size_t kScannedMax = 12;  // items found faster one by one than by halves

uint64_t hash_of(const Record& record) {
  uint64_t out = record.members().size();
  for (const auto& [name, value] : record.members())
    out = mix(out ^ hash_text(name), policy::hash_of(Cell::of(value)) ^ 0x9e3779b97f4a7c15ULL);
  return out;
}

bool equal_items(const ItemSet& a, const ItemSet& b) {
  if (&a == &b) return true;
  return a.items.size() == b.items.size() &&
         std::equal(a.keyed.begin(), a.keyed.end(), b.keyed.begin(),
                    [](const auto& x, const auto& y) { return x.hash == y.hash; }) &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(),
                    [](const Value& x, const Value& y) { return equal(Cell::of(x), Cell::of(y)); });
}

bool equal_members(const Record& a, const Record& b) {
  const auto& left = a.members();
  const auto& right = b.members();
  return &a == &b || std::equal(left.begin(), left.end(), right.begin(), right.end(),
                                [](const Record::Member& x, const Record::Member& y) {
                                  return x.first == y.first && equal(Cell::of(x.second), Cell::of(y.second));
                                });
}

}  // namespace

ItemSet::ItemSet(Value::Items sorted) : items(std::move(sorted)) {
  keyed.reserve(items.size());
  for (const Value& item : items) {
    const Cell cell = Cell::of(item);
    keyed.push_back({hash_of(cell), static_cast<uint32_t>(keyed.size())});
    holds_time = holds_time || policy::holds_time(cell);
    all_entities = all_entities && cell.is(Kind::entity);
  }
  std::sort(keyed.begin(), keyed.end(), [](const Keyed& a, const Keyed& b) { return a.hash < b.hash; });
}

bool equal(const Cell& a, const Cell& b) {
  if (a.tag != b.tag) return false;
  switch (a.kind()) {
    case Kind::string:
      return a.text == b.text || (a.text->hash == b.text->hash && same_text(a.text->text, b.text->text));
    case Kind::set:
      return equal_items(*a.set, *b.set);
    case Kind::record:
      return equal_members(*a.record, *b.record);
    case Kind::entity:
      return same(*a.entity, *b.entity);
    case Kind::ip:
      return *a.ip == *b.ip;
    default:
      return a.number == b.number;
  }
}

uint64_t hash_of(const Cell& cell) {
  uint64_t inner = 0;
  switch (cell.kind()) {
    case Kind::string:
      inner = cell.text->hash;
      break;
    case Kind::set:
      for (const auto& [hash, index] : cell.set->keyed) inner = mix(inner ^ kHashSecret.second, hash);
      break;
    case Kind::record:
      inner = hash_of(*cell.record);
      break;
    case Kind::entity:
      inner = cell.entity->hash;
      break;
    case Kind::ip:
      inner = hash_text({reinterpret_cast<const char*>(cell.ip->octets.data()), cell.ip->octets.size()}) ^
              (uint64_t{cell.ip->prefix} << 1U) ^ (cell.ip->v6 ? 1U : 0U);
      break;
    default:
      inner = static_cast<uint64_t>(cell.number);
      break;
  }
  return mix(inner ^ kHashSecret.first, kHashSecret.second + cell.tag);
}

bool holds_time(const Cell& cell) {
  if (cell.is(Kind::set)) return cell.set->holds_time;
  if (!cell.is(Kind::record)) return cell.is(Kind::datetime);
  const auto& members = cell.record->members();
  return std::any_of(members.begin(), members.end(),
                     [](const auto& member) { return holds_time(Cell::of(member.second)); });
}

bool contains(const ItemSet& set, const Cell& item) {
  const uint64_t hash = hash_of(item);
  const auto* at = set.keyed.data();
  const auto* const end = at + set.keyed.size();
  if (set.keyed.size() > kScannedMax)
    at = std::lower_bound(at, end, hash, [](const auto& one, uint64_t wanted) { return one.hash < wanted; });
  for (; at != end && at->hash <= hash; ++at)
    if (at->hash == hash && equal(Cell::of(set.items[at->index]), item)) return true;
  return false;
}

bool matches(std::string_view text, const std::vector<std::string>& pieces) {
  if (pieces.size() == 1) return text == pieces[0];
  if (!text.starts_with(pieces.front())) return false;
  text.remove_prefix(pieces.front().size());
  for (size_t i = 1; i + 1 < pieces.size(); ++i) {
    const size_t at = text.find(pieces[i]);
    if (at == std::string_view::npos) return false;
    text.remove_prefix(at + pieces[i].size());
  }
  return text.ends_with(pieces.back());
}

Value value_of(const Cell& cell) {
  switch (cell.kind()) {
    case Kind::boolean:
      return cell.number != 0;
    case Kind::integer:
      return cell.number;
    case Kind::string:
      return cell.text->text;
    case Kind::set:
      return Value::set(cell.set->items);
    case Kind::record:
      return *cell.record;
    case Kind::entity:
      return *cell.entity->uid;
    case Kind::datetime:
      return Datetime{cell.number};
    case Kind::duration:
      return Duration{cell.number};
    case Kind::decimal:
      return Decimal{cell.number};
    case Kind::ip:
      return *cell.ip;
  }
  return {};
}

}  // namespace entente::policy
