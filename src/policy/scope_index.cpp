#include "policy/scope_index.h"

#include <algorithm>
#include <bit>
#include <map>
#include <set>
#include <tuple>

namespace entente::policy {
namespace {

constexpr size_t kSwitchMin = 3;  // so many policies that ask the same thing first are worth a table

RangeTable table_of(const std::set<uint64_t>& keys) {
  RangeTable out(keys.size());
  for (const uint64_t key : keys) out.set(key, {0, 1});
  return out;
}

}  // namespace

RangeTable::RangeTable(size_t keys) : slots_(std::bit_ceil(keys * 2 + 1)), mask_(slots_.size() - 1) {}

void RangeTable::set(uint64_t key, Range range) {
  size_t at = key & mask_;
  while (slots_[at].range.count != 0 && slots_[at].key != key) at = (at + 1) & mask_;
  slots_[at] = {key, range};
}

ScopeIndex::ScopeIndex(const Program& program, std::vector<uint32_t> rules) : all_(std::move(rules)) {
  std::map<uint64_t, std::vector<uint32_t>> by_pair;
  std::set<uint64_t> principals;
  std::set<uint64_t> resources;
  for (const uint32_t number : all_) {
    const RuleKeys& keys = program.keys[number];
    by_pair[pair_key(keys.principal, keys.resource)].push_back(number);
    principals.insert(keys.principal);
    resources.insert(keys.resource);
  }
  any_principal_ = principals.erase(kAnyKey) != 0;
  any_resource_ = resources.erase(kAnyKey) != 0;
  principals_ = table_of(principals);
  resources_ = table_of(resources);
  pairs_ = RangeTable(by_pair.size());
  groups_.reserve(by_pair.size());
  for (auto& [key, numbers] : by_pair) group(program, key, std::move(numbers), groups_);
}

void ScopeIndex::group(const Program& program, uint64_t key, std::vector<uint32_t> rules,
                       std::vector<Group>& groups) {
  std::map<std::pair<uint32_t, bool>, std::map<uint64_t, std::vector<uint32_t>>> guarded;
  std::map<std::pair<uint32_t, bool>, size_t> sizes;
  for (const uint32_t number : rules) {
    const Guard& guard = program.keys[number].guard;
    if (guard.code != kNone) ++sizes[{guard.code, guard.contains}];
  }
  Group out;
  out.plain.begin = static_cast<uint32_t>(entries_.size());
  for (const uint32_t number : rules) {
    const Guard& guard = program.keys[number].guard;
    const std::pair at{guard.code, guard.contains};
    if (guard.code != kNone && sizes[at] >= kSwitchMin) {
      guarded[at][guard.hash].push_back(number);
    } else {
      entries_.push_back(number);
    }
  }
  out.plain.count = static_cast<uint32_t>(entries_.size()) - out.plain.begin;
  if (guarded.empty()) return pairs_.set(key, out.plain);
  out.switches = {static_cast<uint32_t>(switches_.size()), static_cast<uint32_t>(guarded.size())};
  for (const auto& [at, values] : guarded) {
    Switch one{at.first, at.second, {static_cast<uint32_t>(entries_.size()), 0}, RangeTable(values.size())};
    for (const auto& [hash, numbers] : values) {
      one.values.set(hash, {static_cast<uint32_t>(entries_.size()), static_cast<uint32_t>(numbers.size())});
      entries_.insert(entries_.end(), numbers.begin(), numbers.end());
    }
    one.all.count = static_cast<uint32_t>(entries_.size()) - one.all.begin;
    switches_.push_back(std::move(one));
  }
  pairs_.set(key, {static_cast<uint32_t>(groups.size()), kGrouped});
  groups.push_back(out);
}

void ScopeIndex::keys_met(const RangeTable& keys, bool any, const Line& of,
                          std::vector<uint64_t>& out) const {
  if (any) out.push_back(kAnyKey);
  if (keys.empty()) return;
  if (keys.find(of.type_key).count != 0) out.push_back(of.type_key);
  if (keys.find(of.hash).count != 0) out.push_back(of.hash);
  for (const Name& name : of.above)
    if (keys.find(name.hash).count != 0) out.push_back(name.hash);
}

}  // namespace entente::policy
